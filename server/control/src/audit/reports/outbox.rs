//! Reports on their way to places outside: a folder each in the data directory, written whole
//! before the report is on record, removed once it arrived. What waits there outlives the console.

use std::{
    io::{Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use quorate_audit::manifest::{Digesting, hex};
use quorate_domain::moment::Timestamp;
use serde::{Deserialize, Serialize};

use super::folder;
use crate::{ControlError, audit::Export};

const OUTBOX: &str = "audit-outbox";
/// What a folder holds; written last.
const SLIP: &str = "slip.json";
/// Where a recipient's outbox keeps what cannot be delivered.
const ASIDE: &str = ".aside";
/// What is being removed.
const GONE: &str = ".gone";

/// One file of a report, as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// The plan's name.
    pub report: String,
    /// A safe name for the file, which tells the plan and the day.
    pub name: String,
    pub media: String,
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// Where it lies until it arrived.
    pub path: PathBuf,
}

/// One report for one recipient.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Slip {
    pub(super) report: String,
    pub(super) due: Timestamp,
    files: Vec<Listed>,
    #[serde(skip)]
    folder: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Listed {
    name: String,
    media: String,
    bytes: u64,
    sha256: String,
}

/// Written, and not posted yet.
pub(super) struct Posting {
    /// Each folder, under the name while it waits and its own.
    folders: Vec<(PathBuf, PathBuf)>,
}

fn outbox_of(data: &Path, recipient: &str) -> PathBuf {
    data.join(OUTBOX).join(recipient)
}

/// Writes a report for all recipients.
///
/// # Errors
/// `File`.
pub(super) async fn write(
    data: PathBuf,
    recipients: Vec<String>,
    (report, due): (String, Timestamp),
    (name, media): (String, &'static str),
    export: &Export,
) -> Result<Posting, ControlError> {
    let mut sources = vec![(name, media, export.content.try_clone())];
    if let Some(bundle) = &export.bundle {
        let media = crate::audit::Format::Bundle.media();
        sources.push((bundle.name.clone(), media, bundle.content.try_clone()));
    }
    let manifest = export.manifest.clone();
    let slip = Slip {
        report,
        due,
        files: Vec::new(),
        folder: PathBuf::new(),
    };
    folder::blocking(data.join(OUTBOX), move || {
        let mut posting = Posting {
            folders: Vec::new(),
        };
        for recipient in &recipients {
            let outbox = outbox_of(&data, recipient);
            let written = posting.add(&outbox, slip.clone(), &sources, &manifest);
            if let Err(error) = written {
                posting.remove();
                return Err(error);
            }
        }
        Ok(posting)
    })
    .await
}

/// A file's name, its media type, and where it is read.
type Source = (String, &'static str, std::io::Result<std::fs::File>);

fn again(error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), error.to_string())
}

fn listed(folder: &Path, name: &str, media: &str) -> std::io::Result<Listed> {
    let mut file = std::fs::File::open(folder.join(name))?;
    let (bytes, sha256) = digest(&mut file)?;
    Ok(Listed {
        name: name.to_owned(),
        media: media.to_owned(),
        bytes,
        sha256: hex(&sha256),
    })
}

/// On disk: what the log says was made must be there after the power failed.
fn synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn digest(file: &mut std::fs::File) -> std::io::Result<(u64, [u8; 32])> {
    let mut digesting = Digesting::new(std::io::sink());
    std::io::copy(file, &mut digesting)?;
    let digest = digesting.take("");
    Ok((digest.bytes, digest.sha256))
}

impl Posting {
    /// One more folder, with its own copies of the files.
    fn add(
        &mut self,
        outbox: &Path,
        mut slip: Slip,
        sources: &[Source],
        manifest: &str,
    ) -> std::io::Result<()> {
        let own = outbox.join(format!("{:014}-{}", slip.due.unix_ms(), slip.report));
        let part = outbox.join(format!(".{}.part", slip.report));
        if part.exists() {
            std::fs::remove_dir_all(&part)?;
        }
        std::fs::create_dir_all(&part)?;
        self.folders.push((part.clone(), own));
        for (name, media, content) in sources {
            let mut content = content.as_ref().map_err(again)?;
            content.seek(SeekFrom::Start(0))?;
            let mut file = std::fs::File::create(part.join(name))?;
            std::io::copy(&mut content, &mut file)?;
            file.sync_all()?;
            slip.files.push(listed(&part, name, media)?);
        }
        let signed = format!("{}.manifest", slip.name());
        synced(&part.join(&signed), manifest.as_bytes())?;
        let media = "text/plain; charset=utf-8";
        slip.files.push(listed(&part, &signed, media)?);
        synced(&part.join(SLIP), &serde_json::to_vec(&slip)?)?;
        std::fs::File::open(&part)?.sync_all()
    }

    /// From now on it is on its way.
    ///
    /// Where a former one waits in its place, the console may end between the two steps, with neither
    /// there. Nothing is lost by that: up to when a report was made is noted after this alone, so the
    /// next start makes it again, over the same time. For the same reason one that had arrived before
    /// its making was noted comes a second time, under its own name, and is on record twice.
    ///
    /// # Errors
    /// `File`.
    pub(super) async fn post(self, data: PathBuf) -> Result<(), ControlError> {
        folder::blocking(data.join(OUTBOX), move || {
            for (part, own) in &self.folders {
                // The same report made anew after a crash.
                if own.exists() {
                    vanish(own)?;
                }
                std::fs::rename(part, own)?;
                if let Some(outbox) = own.parent() {
                    std::fs::File::open(outbox)?.sync_all()?;
                }
            }
            Ok(())
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
        for (part, _) in &self.folders {
            if let Err(error) = std::fs::remove_dir_all(part) {
                tracing::warn!(%error, "a report that was not posted is left behind");
            }
        }
    }
}

/// What lies in a recipient's outbox.
#[derive(Default)]
pub(super) struct Outbox {
    /// What waits, oldest first.
    pub(super) waiting: Vec<Slip>,
    /// Folders whose slip nobody can read, and why.
    pub(super) broken: Vec<(PathBuf, String)>,
    /// How many were set aside.
    pub(super) aside: u64,
}

/// # Errors
/// `File`.
pub(super) async fn read(data: &Path, recipient: &str) -> Result<Outbox, ControlError> {
    let outbox = outbox_of(data, recipient);
    folder::blocking(outbox.clone(), move || {
        let mut found = Outbox::default();
        for folder in folders(&outbox)? {
            match slip(&folder) {
                Ok(slip) => found.waiting.push(slip),
                Err(error) if is_broken(&error) => found.broken.push((folder, error.to_string())),
                Err(error) => return Err(error),
            }
        }
        found
            .waiting
            .sort_by(|one, other| one.folder.cmp(&other.folder));
        let aside = folders(&outbox.join(ASIDE))?.len();
        found.aside = u64::try_from(aside).unwrap_or(u64::MAX);
        Ok(found)
    })
    .await
}

/// Those that are not being written; none where there is no such place.
fn folders(place: &Path) -> std::io::Result<Vec<PathBuf>> {
    let listed = match std::fs::read_dir(place) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut folders = Vec::new();
    for entry in listed {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

fn slip(folder: &Path) -> std::io::Result<Slip> {
    let mut slip: Slip = serde_json::from_slice(&std::fs::read(folder.join(SLIP))?)?;
    slip.folder = folder.to_path_buf();
    Ok(slip)
}

/// What is lost or was changed stays so; a disk that fails may work again.
fn is_broken(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::NotFound
            | Kind::NotADirectory
            | Kind::IsADirectory
            | Kind::InvalidData
            | Kind::UnexpectedEof
    )
}

/// Whether a report cannot be delivered as it lies there now: it may have been made anew since it
/// was read, and be sound.
///
/// # Errors
/// In words.
pub(super) async fn is_unfit(place: &Path) -> Result<bool, String> {
    let place = place.to_path_buf();
    let read = folder::blocking(place.clone(), move || match slip(&place) {
        Err(error) if is_broken(&error) => Ok(Err(place.exists())),
        read => read.map(Ok),
    });
    let slip = match read.await.map_err(|error| super::why(&error))? {
        Ok(slip) => slip,
        Err(is_there) => return Ok(is_there),
    };
    match slip.files().await {
        Ok(_) => Ok(false),
        Err(Unfit::Broken(_)) => Ok(true),
        Err(Unfit::Unread(why)) => Err(why),
    }
}

/// At once: what is half removed would look like what is broken.
fn vanish(folder: &Path) -> std::io::Result<()> {
    let gone = folder.with_file_name(GONE);
    if gone.exists() {
        std::fs::remove_dir_all(&gone)?;
    }
    std::fs::rename(folder, &gone)?;
    std::fs::remove_dir_all(gone)
}

/// Out of the way of what can be delivered, and kept: somebody may want to see what became of it.
///
/// # Errors
/// In words.
pub(super) async fn set_aside(folder: PathBuf) -> Result<(), String> {
    let moved = folder::blocking(folder.clone(), move || {
        let (Some(outbox), Some(name)) = (folder.parent(), folder.file_name()) else {
            return Err(std::io::ErrorKind::NotFound.into());
        };
        let aside = outbox.join(ASIDE);
        std::fs::create_dir_all(&aside)?;
        let mut place = aside.join(name);
        // The same report, made anew after a crash, was set aside before.
        if place.exists() {
            place = aside.join(format!("{}-again", name.to_string_lossy()));
            if place.exists() {
                std::fs::remove_dir_all(&place)?;
            }
        }
        std::fs::rename(&folder, &place)?;
        std::fs::File::open(&aside)?.sync_all()
    });
    moved.await.map_err(|error| super::why(&error))
}

/// Why the files of a report cannot be delivered.
pub(super) enum Unfit {
    /// They are lost, or not what they were.
    Broken(String),
    /// They cannot be read now.
    Unread(String),
}

impl Slip {
    /// The report's own file first.
    pub(super) fn name(&self) -> &str {
        self.files.first().map_or("", |file| file.name.as_str())
    }

    /// Names and digests, for the record.
    pub(super) fn digests(&self) -> serde_json::Value {
        let file = |file: &Listed| serde_json::json!({ "name": file.name, "sha256": file.sha256 });
        self.files.iter().map(file).collect()
    }

    /// Where it waits.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files as they were made; one that was changed since is not delivered.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn files(&self) -> Result<Vec<ReportFile>, Unfit> {
        let slip = self.clone();
        let read = folder::blocking(self.folder.clone(), move || {
            let mut files = Vec::new();
            // The report itself last: whoever waits for it finds the others.
            for listed in slip.files.iter().rev() {
                let path = slip.folder.join(&listed.name);
                let found = std::fs::File::open(&path).and_then(|mut file| digest(&mut file));
                let (bytes, sha256) = match found {
                    Err(error) if is_broken(&error) => {
                        let why = format!("{} was lost while it waited: {error}", listed.name);
                        return Ok(Err(Unfit::Broken(why)));
                    }
                    found => found?,
                };
                if hex(&sha256) != listed.sha256 {
                    let why = format!("{} was changed while it waited", listed.name);
                    return Ok(Err(Unfit::Broken(why)));
                }
                files.push(ReportFile {
                    report: slip.report.clone(),
                    name: listed.name.clone(),
                    media: listed.media.clone(),
                    bytes,
                    sha256,
                    path,
                });
            }
            Ok(Ok(files))
        });
        let read = read.await;
        read.map_err(|error| Unfit::Unread(super::why(&error)))?
    }

    /// It arrived, or is given up. One that was made anew meanwhile is another, and waits.
    pub(super) async fn remove(self) {
        let removed = folder::blocking(self.folder.clone(), move || {
            match slip(&self.folder)?.files == self.files {
                true => vanish(&self.folder),
                false => Ok(()),
            }
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, "a delivered report could not be removed");
        }
    }
}

#[cfg(test)]
mod tests;
