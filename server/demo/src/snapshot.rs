//! Snapshot files: one line of meta data, then the state; written whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    types::{Snapshot, SnapshotMeta},
    writer::io_error,
};

const PREFIX: &str = "snapshot-";

/// Writes and syncs a temporary file, renames it, syncs the folder; then older ones go.
///
/// # Errors
/// If the disk refuses any of it; an older snapshot is then still there.
pub fn write(dir: &Path, meta: &SnapshotMeta, data: &[u8]) -> io::Result<()> {
    let partial = dir.join("partial");
    let mut file = File::create(&partial)?;
    serde_json::to_writer(&mut file, meta).map_err(io_error)?;
    file.write_all(b"\n")?;
    file.write_all(data)?;
    file.sync_all()?;
    let name = name(meta);
    fs::rename(&partial, dir.join(&name))?;
    File::open(dir)?.sync_all()?;
    for (_, older) in files(dir)?
        .into_iter()
        .filter(|(_, path)| !path.ends_with(&name))
    {
        fs::remove_file(older)?;
    }
    Ok(())
}

/// The newest snapshot, if there is one.
///
/// # Errors
/// If it cannot be read or is not what this program writes.
pub fn read(dir: &Path) -> io::Result<Option<Snapshot>> {
    let Some((_, newest)) = files(dir)?.into_iter().max() else {
        return Ok(None);
    };
    let bytes = fs::read(newest)?;
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let (meta, data) = bytes.split_at(end);
    let meta = serde_json::from_slice(meta).map_err(io_error)?;
    Ok(Some(Snapshot {
        meta,
        snapshot: data.get(1..).unwrap_or_default().to_vec(),
    }))
}

fn name(meta: &SnapshotMeta) -> String {
    let place = meta
        .last_log_id
        .as_ref()
        .map(|id| (id.committed_leader_id().term, id.index()));
    let (term, index) = place.unwrap_or_default();
    format!("{PREFIX}{term}-{index}")
}

/// All snapshot files with (index, term).
fn files(dir: &Path) -> io::Result<Vec<((u64, u64), PathBuf)>> {
    let mut found = Vec::new();
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let place = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'));
        let Some((term, index)) = place else { continue };
        if let (Ok(term), Ok(index)) = (term.parse(), index.parse()) {
            found.push(((index, term), path));
        }
    }
    Ok(found)
}
