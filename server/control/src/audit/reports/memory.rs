//! Up to which time each report was made, and which files were delivered: a small file in the data
//! directory, replaced as a whole. If it is lost, the schedule begins anew.

use std::{collections::BTreeMap, path::PathBuf};

use quorate_domain::moment::Timestamp;
use serde::{Deserialize, Serialize};

use super::folder::Delivered;

const FILE: &str = "audit-reports.json";

/// What was made of one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    /// The next report begins here.
    pub(super) up_to: Timestamp,
    /// What was delivered and is kept, oldest first.
    pub(super) files: Vec<Delivered>,
}

impl Made {
    pub(super) const fn since(up_to: Timestamp) -> Self {
        Self {
            up_to,
            files: Vec::new(),
        }
    }
}

pub(super) struct Memory {
    directory: PathBuf,
    all: BTreeMap<String, Made>,
}

impl Memory {
    pub(super) async fn read(directory: PathBuf) -> Self {
        let all = match tokio::fs::read(directory.join(FILE)).await {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, "{FILE} cannot be read; reports begin anew");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self { directory, all }
    }

    pub(super) fn of(&self, name: &str) -> Option<&Made> {
        self.all.get(name)
    }

    /// Remembers, here at once and on the disk. The error says why not, in words.
    pub(super) async fn put(&mut self, name: &str, made: Made) -> Result<(), String> {
        self.all.insert(name.to_owned(), made);
        let bytes = serde_json::to_vec_pretty(&self.all).map_err(|error| error.to_string())?;
        let (file, part) = (
            self.directory.join(FILE),
            self.directory.join(format!("{FILE}.part")),
        );
        let written = async {
            tokio::fs::write(&part, bytes).await?;
            tokio::fs::rename(&part, &file).await
        };
        written
            .await
            .map_err(|error| format!("{FILE} cannot be written: {error}"))
    }
}
