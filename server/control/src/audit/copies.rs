//! Copies of checkpoints outside of the console: without them, nobody can tell that the newest
//! entries were cut off by somebody who holds both disk and key.

use std::{
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use quorate_audit::{checkpoint::Signed, proof};
use tokio::sync::oneshot;

use super::{Audit, Draft, proofs::Part, reading, trouble::Trouble, writer::Order};
use crate::{Control, ControlError, store::entries};

/// How long a copy may take.
const COPY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after one that failed.
const COPY_AGAIN: Duration = Duration::from_secs(5);

/// A place outside that keeps checkpoints.
pub trait Outside: Send + Sync {
    /// What people call it.
    fn name(&self) -> &str;

    /// Keeps a checkpoint; `Ok` only once it is kept. The error says why not, in words.
    fn keep<'a>(&'a self, note: &'a str) -> BoxFuture<'a, Result<(), String>>;

    /// The newest checkpoint it keeps, where it can tell.
    fn kept(&self) -> BoxFuture<'_, Result<Option<String>, String>>;
}

/// A file to which checkpoints are appended: on another disk, or a share of another machine.
pub struct OutsideFile {
    path: PathBuf,
    name: String,
}

impl OutsideFile {
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            name: format!("file {}", path.display()),
            path,
        }
    }
}

impl Outside for OutsideFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn keep<'a>(&'a self, note: &'a str) -> BoxFuture<'a, Result<(), String>> {
        let (path, note) = (self.path.clone(), note.to_owned());
        Box::pin(blocking(move || append(&path, &note)))
    }

    fn kept(&self) -> BoxFuture<'_, Result<Option<String>, String>> {
        let path = self.path.clone();
        Box::pin(blocking(move || last_note(&path)))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("it was given up".to_owned()),
    }
}

fn append(path: &Path, note: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    // One write: what another reader sees is a whole note. An empty line ends it.
    file.write_all(format!("{note}\n").as_bytes())?;
    file.sync_all()
}

/// How much of a file's end is read first; a note is much shorter.
const TAIL: u64 = 64 * 1024;

/// The text of the last whole note; what a crash cut off behind it is left out.
fn last_note(path: &Path) -> std::io::Result<Option<String>> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let mut tail = TAIL;
    loop {
        let from = length.saturating_sub(tail);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        (&mut file).take(tail).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let found = last_of(&text, from > 0);
        if found.is_some() || from == 0 {
            return Ok(found);
        }
        tail = tail.saturating_mul(8);
    }
}

/// The last whole note of a text. If its beginning was cut off, so may be its first note.
fn last_of(text: &str, cut: bool) -> Option<String> {
    let text = match (cut, text.find("\n\n\u{2014}")) {
        (false, _) => text,
        // From the end of the first signatures on.
        (true, Some(at)) => {
            let rest = text.get(at + 2..)?;
            rest.get(rest.find("\n\n")? + 2..)?
        }
        (true, None) => return None,
    };
    let mut notes = String::new();
    let mut newest = None;
    for line in text.split_inclusive('\n') {
        notes.push_str(line);
        if line == "\n" && notes.contains('\u{2014}') {
            newest = Some(notes.trim_start_matches('\n').trim_end().to_owned() + "\n");
            notes.clear();
        }
    }
    newest
}

impl Control {
    /// From now on checkpoints are copied to these places, each on its own. A place that keeps
    /// more than the log holds, or something else, shows that the log was changed: nothing is
    /// written any more. A place that keeps another log's checkpoints takes none of this one: it
    /// stays behind, with the reason, until it is another place.
    ///
    /// # Errors
    /// None of the copies' own: those are shown.
    pub async fn audit_copies(&self, places: Vec<Arc<dyn Outside>>) -> Result<(), ControlError> {
        for place in places {
            if self.compare(&*place).await? {
                self.inner.copies.spawn(keep(self.clone(), place));
            }
        }
        Ok(())
    }

    /// Holds the log against what is kept outside already; whether this log may be copied there.
    async fn compare(&self, place: &dyn Outside) -> Result<bool, ControlError> {
        let audit = &self.inner.audit;
        let now = self.now();
        let kept = tokio::time::timeout(COPY_TIMEOUT, place.kept()).await;
        let kept = match kept.unwrap_or_else(|_| Err("it does not answer".to_owned())) {
            Ok(Some(note)) => note,
            Ok(None) => return Ok(true),
            Err(error) => {
                audit.shared.copied(place.name(), Err(error), now);
                return Ok(true);
            }
        };
        match audit.disagrees(&kept).await? {
            Verdict::Agrees(size) => audit.shared.copied(place.name(), Ok(size), now),
            Verdict::Foreign(why) => {
                audit.shared.copied(place.name(), Err(why.clone()), now);
                let text = format!("Nothing is copied to {}: {why}.", place.name());
                let draft = Draft::console("audit_copy_failed", text);
                if let Err(error) = audit.append(draft).await {
                    tracing::error!(%error, "a failing copy could not be recorded");
                }
                return Ok(false);
            }
            Verdict::Disagrees(why) => audit.shared.break_off(Trouble::Outside {
                name: place.name().to_owned(),
                why,
            }),
        }
        Ok(true)
    }
}

enum Verdict {
    Agrees(u64),
    /// It is no checkpoint of this log.
    Foreign(String),
    Disagrees(String),
}

impl Audit {
    async fn disagrees(&self, kept: &str) -> Result<Verdict, ControlError> {
        let Ok(signed) = Signed::parse(kept) else {
            return Ok(Verdict::Foreign(
                "it holds something else than checkpoints".to_owned(),
            ));
        };
        let own = self.shared.newest.borrow().clone();
        let origin = own.and_then(|stored| stored.note.lines().next().map(str::to_owned));
        let said = signed.checkpoint;
        if origin.is_none_or(|origin| origin != said.origin) {
            let why = format!("it keeps checkpoints of another log, {}", said.origin);
            return Ok(Verdict::Foreign(why));
        }
        let have = entries::size(&self.read).await.map_err(reading)?;
        if said.size > have {
            return Ok(Verdict::Disagrees(format!(
                "it reaches entry {}, and the log ends at {have}",
                said.size
            )));
        }
        let part = Part::around(&self.read, said.size.saturating_sub(1), said.size).await;
        let root = proof::root(&part.map_err(reading)?, said.size);
        Ok(match root == Some(said.root) {
            true => Verdict::Agrees(said.size),
            false => Verdict::Disagrees(format!(
                "the first {} entries were others when it was made",
                said.size
            )),
        })
    }

    async fn copied(&self, name: &str, size: u64) {
        let (reply, answer) = oneshot::channel();
        let order = Order::Copied {
            name: name.to_owned(),
            size,
            reply,
        };
        if let Err(error) = self.give(order, answer).await {
            tracing::warn!(%error, "how far a copy reaches could not be noted");
        }
    }
}

/// Copies the newest checkpoint whenever there is one; once more when the console stops.
async fn keep(control: Control, place: Arc<dyn Outside>) {
    let inner = &control.inner;
    let audit = &inner.audit;
    let mut newest = audit.shared.newest.subscribe();
    let (mut done, mut failing) = (0, false);
    loop {
        let stopping = inner.copying.is_cancelled();
        let stored = newest.borrow_and_update().clone();
        let mut again = None;
        if let Some(stored) = stored.filter(|stored| stored.size > done) {
            let kept = tokio::time::timeout(COPY_TIMEOUT, place.keep(&stored.note)).await;
            let kept = kept.unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
            audit.shared.copied(
                place.name(),
                kept.clone().map(|()| stored.size),
                control.now(),
            );
            match kept {
                Ok(()) => {
                    done = stored.size;
                    audit.copied(place.name(), done).await;
                    told(audit, &place, &mut failing, None).await;
                }
                Err(error) => {
                    again = Some(COPY_AGAIN);
                    told(audit, &place, &mut failing, Some(error)).await;
                }
            }
        }
        if stopping {
            return;
        }
        tokio::select! {
            () = inner.copying.cancelled() => {}
            changed = newest.changed(), if again.is_none() => if changed.is_err() { return },
            () = tokio::time::sleep(again.unwrap_or(COPY_AGAIN)), if again.is_some() => {}
        }
    }
}

/// On record when a copy begins to fail, and when it works again.
async fn told(audit: &Audit, place: &Arc<dyn Outside>, failing: &mut bool, error: Option<String>) {
    let draft = match (&error, *failing) {
        (Some(error), false) => {
            let text = format!(
                "The copy of checkpoints to {} fails: {error}.",
                place.name()
            );
            Draft::console("audit_copy_failed", text)
        }
        (None, true) => {
            let text = format!("The copy of checkpoints to {} works again.", place.name());
            Draft::console("audit_copy_restored", text)
        }
        _ => return,
    };
    *failing = error.is_some();
    if let Err(error) = audit.append(draft).await {
        tracing::error!(%error, "a failing copy could not be recorded");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn note(size: u32) -> String {
        format!("example.com/log\n{size}\nroot{size}\n\n\u{2014} example.com/log key{size}\n")
    }

    #[test]
    fn the_last_whole_note_is_found_at_the_end_of_a_long_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoints");
        assert_eq!(last_note(&path).unwrap(), None);
        let all: String = (0..5_000).map(|size| note(size) + "\n").collect();
        assert!(all.len() > 4 * usize::try_from(TAIL).unwrap());
        // Wherever the tail begins, and whatever a crash left behind it.
        for (more, cut) in [
            (0, ""),
            (1, "example.com/log\n77\nro"),
            (37, "exam"),
            (41, "\n"),
        ] {
            let text = "x".repeat(more) + "\n" + &all + cut;
            std::fs::write(&path, text).unwrap();
            assert_eq!(last_note(&path).unwrap(), Some(note(4_999)));
        }
        std::fs::write(&path, note(1) + "\n").unwrap();
        assert_eq!(last_note(&path).unwrap(), Some(note(1)));
        for text in ["", "example.com/log\n1\n", &"y".repeat(300_000)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(last_note(&path).unwrap(), None);
        }
    }
}
