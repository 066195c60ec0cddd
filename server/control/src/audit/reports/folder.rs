//! A folder that reports are delivered to: whole files or none, and of those that this console
//! delivered the oldest go when there are too many.

use std::{
    fs::{File, OpenOptions},
    io::{Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use quorate_domain::moment::Timestamp;
use serde::{Deserialize, Serialize};

use super::Keeping;
use crate::{ControlError, audit::Export};

const DAY_MS: u64 = 86_400_000;

/// The files of one report, all in one folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delivered {
    pub(super) due: Timestamp,
    /// The report first.
    pub(super) names: Vec<String>,
    bytes: u64,
}

/// Files that are written and do not have their names yet.
pub(super) struct Waiting {
    folder: PathBuf,
    /// Name while it waits, and its own.
    files: Vec<(String, String)>,
    bytes: u64,
}

/// Writes a report, what is signed of it, and its bundle, beside their places.
///
/// # Errors
/// `File`.
pub(super) async fn write(
    folder: PathBuf,
    name: String,
    mut export: Export,
) -> Result<Waiting, ControlError> {
    let place = folder.clone();
    blocking(folder, move || {
        let mut waiting = Waiting {
            folder: place,
            files: Vec::new(),
            bytes: 0,
        };
        let written = waiting.all(&name, &mut export);
        if written.is_err() {
            waiting.remove();
        }
        written.map(|()| waiting)
    })
    .await
}

impl Delivered {
    /// One that lies in no folder of ours.
    pub(super) fn elsewhere(due: Timestamp, name: String) -> Self {
        Self {
            due,
            names: vec![name],
            bytes: 0,
        }
    }
}

impl Waiting {
    fn all(&mut self, name: &str, export: &mut Export) -> std::io::Result<()> {
        // Somebody may have read it before.
        export.content.rewind()?;
        self.one(name, |out| std::io::copy(&mut export.content, out))?;
        let manifest = export.manifest.as_bytes();
        self.one(&format!("{name}.manifest"), |out| {
            out.write_all(manifest)?;
            Ok(u64::try_from(manifest.len()).unwrap_or(u64::MAX))
        })?;
        if let Some(bundle) = &mut export.bundle {
            // The report names it so.
            let name = bundle.name.clone();
            bundle.content.rewind()?;
            self.one(&name, |out| std::io::copy(&mut bundle.content, out))?;
        }
        Ok(())
    }

    fn one(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut File) -> std::io::Result<u64>,
    ) -> std::io::Result<()> {
        let part = format!(".{name}.part");
        self.files.push((part.clone(), name.to_owned()));
        // What a crash left behind is written anew.
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .open(self.folder.join(part))?;
        self.bytes += write(&mut file)?;
        file.sync_all()
    }

    /// Gives the files their names.
    ///
    /// # Errors
    /// `File`.
    pub(super) async fn deliver(self, due: Timestamp) -> Result<Delivered, ControlError> {
        blocking(self.folder.clone(), move || {
            // The report last: whoever waits for it finds the others.
            for (part, name) in self.files.iter().rev() {
                std::fs::rename(self.folder.join(part), self.folder.join(name))?;
            }
            // The files are in their places; that the folder cannot be synchronised undoes nothing.
            if let Err(error) = File::open(&self.folder).and_then(|folder| folder.sync_all()) {
                tracing::warn!(%error, "the folder of reports could not be synchronised");
            }
            Ok(Delivered {
                due,
                names: self.files.into_iter().map(|(_, name)| name).collect(),
                bytes: self.bytes,
            })
        })
        .await
    }

    pub(super) async fn discard(self) {
        let removed = tokio::task::spawn_blocking(move || self.remove()).await;
        if removed.is_err() {
            tracing::warn!("a report that could not be recorded is left behind");
        }
    }

    fn remove(&self) {
        for (part, _) in &self.files {
            gone(&self.folder.join(part));
        }
    }
}

/// Removes the oldest until the rest is young and small enough; the newest always stays. What is
/// kept comes back.
pub(super) async fn prune(
    folder: Option<&Path>,
    mut files: Vec<Delivered>,
    keeping: Keeping,
    now: Timestamp,
) -> Vec<Delivered> {
    let oldest = now.minus_ms(keeping.days.saturating_mul(DAY_MS));
    let mut removed = Vec::new();
    while let [first, _, ..] = files.as_slice() {
        let bytes: u64 = files.iter().map(|it| it.bytes).sum();
        if first.due >= oldest && bytes <= keeping.bytes {
            break;
        }
        removed.push(files.remove(0));
    }
    let Some(folder) = folder.map(Path::to_path_buf) else {
        return files;
    };
    let kept: Vec<String> = files.iter().flat_map(|it| it.names.clone()).collect();
    let removal = tokio::task::spawn_blocking(move || {
        let names = removed.iter().flat_map(|it| &it.names);
        for name in names.filter(|name| !kept.contains(name)) {
            tracing::info!(%name, "an old report is removed");
            gone(&folder.join(name));
        }
    });
    if removal.await.is_err() {
        tracing::warn!("old reports could not be removed");
    }
    files
}

fn gone(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "a report's file cannot be removed");
        }
        _ => {}
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    folder: PathBuf,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ControlError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(ControlError::file(&folder)),
        Err(_) => Err(ControlError::Internal {
            doing: "delivering a report",
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn the_oldest_go_by_age_and_size_and_the_newest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<Delivered> = (0..5)
            .map(|day| {
                let name = format!("r-{day}.pdf");
                std::fs::write(folder.path().join(&name), "x").unwrap();
                Delivered {
                    due: Timestamp::from_unix_ms(0).plus_ms(day * DAY_MS),
                    names: vec![name],
                    bytes: 100,
                }
            })
            .collect();
        let now = Timestamp::from_unix_ms(0).plus_ms(5 * DAY_MS);
        let left = |files: &[Delivered]| {
            let names: Vec<&str> = files.iter().map(|it| it.names[0].as_str()).collect();
            let there = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(there, names.len());
            names.join(" ")
        };
        let keeping = Keeping {
            days: 4,
            bytes: 1_000,
        };
        let files = prune(Some(folder.path()), files, keeping, now).await;
        assert_eq!(left(&files), "r-1.pdf r-2.pdf r-3.pdf r-4.pdf");
        let keeping = Keeping {
            days: 4,
            bytes: 250,
        };
        let files = prune(Some(folder.path()), files, keeping, now).await;
        assert_eq!(left(&files), "r-3.pdf r-4.pdf");
        let keeping = Keeping { days: 0, bytes: 0 };
        let files = prune(Some(folder.path()), files, keeping, now).await;
        assert_eq!(left(&files), "r-4.pdf");
    }
}
