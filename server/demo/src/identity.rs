//! Who a node is, kept in its data directory for good.

use std::{
    fs::{self, File},
    io::Write,
    net::SocketAddr,
    path::Path,
};

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::node::NodeError;

const FILE: &str = "node.json";

/// A node's id, its cluster and its address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub id: u64,
    pub cluster_id: String,
    pub address: SocketAddr,
    /// New with every new data directory.
    pub data: String,
}

impl Identity {
    /// What `dir` holds, if it was ever started.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>, NodeError> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = fs::read(&path).map_err(NodeError::Disk)?;
        let identity = serde_json::from_slice(&bytes);
        identity
            .map(Some)
            .map_err(|error| NodeError::Disk(error.into()))
    }

    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, dir: &Path) -> Result<(), NodeError> {
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| NodeError::Disk(e.into()))?;
        replace(&dir.join(FILE), &bytes).map_err(NodeError::Disk)
    }
}

/// Replaces a file's content by sync and rename.
///
/// # Errors
/// If the disk refuses; the old content is then still there.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// `bytes` random bytes as hexadecimal digits.
pub fn random_hex(bytes: usize) -> String {
    let mut random = rand::rng();
    (0..bytes)
        .map(|_| format!("{:02x}", random.random::<u8>()))
        .collect()
}
