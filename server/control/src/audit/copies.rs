//! Copies outside of the console: without them, nobody can tell that the newest entries were cut
//! off by somebody who holds both disk and key.
//!
//! A place takes signed checkpoints, or the entries themselves as a stream. Each is on its own,
//! with its own queue (the log itself), cursor and time limit: none of them holds up the log.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use quorate_audit::{checkpoint::Signed, proof};
use quorate_domain::moment::Timestamp;

use super::{Audit, Draft, proofs::Part, reading, trouble::Trouble};
use crate::{Control, ControlError, store::entries};

mod behind;
mod file;
mod keeping;

pub use file::OutsideFile;

/// How long a copy may take.
const COPY_TIMEOUT: Duration = Duration::from_secs(10);
/// A copy that has been behind for this long raises the alarm, unless its terms say otherwise.
pub(super) const ALARM_AFTER: Duration = Duration::from_secs(60);

/// What a place is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum What {
    /// The newest signed checkpoint, whenever there is one.
    #[default]
    Checkpoints,
    /// Every entry that is signed, in order, from the first one on.
    Entries,
}

/// How a place is dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Names it in figures; tells nothing that strangers may not know.
    pub label: String,
    pub what: What,
    /// How long it may be behind before that is an alarm.
    pub alarm_after: Duration,
    /// Whether it says that it keeps what it was given. Syslog does not.
    pub acknowledges: bool,
}

impl Terms {
    /// Checkpoints, acknowledged, an alarm after a minute.
    #[must_use]
    pub fn of(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            what: What::Checkpoints,
            alarm_after: ALARM_AFTER,
            acknowledges: true,
        }
    }
}

/// What is given to a place at once. It may be given again: `size`, and the numbers of entries,
/// tell what is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The log's name.
    pub log: String,
    /// Entries the checkpoint is over, or the number of the last entry.
    pub size: u64,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The signed note, verbatim, and when it was signed.
    Checkpoint { note: String, time: Timestamp },
    /// Numbers and exact bytes, none of them empty, in order and without gaps.
    Entries(Vec<(u64, Vec<u8>)>),
}

impl Parcel {
    /// The number of the first entry; of a checkpoint, its size.
    #[must_use]
    pub fn first(&self) -> u64 {
        match &self.content {
            Content::Checkpoint { .. } => self.size,
            Content::Entries(entries) => entries.first().map_or(self.size, |(seq, _)| *seq),
        }
    }

    /// As one text: the note, or the exact entries, one a line.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        match &self.content {
            Content::Checkpoint { note, .. } => note.clone().into_bytes(),
            Content::Entries(entries) => entries
                .iter()
                .flat_map(|(_, bytes)| bytes.iter().copied().chain([b'\n']))
                .collect(),
        }
    }
}

/// A place outside that keeps copies.
pub trait Outside: Send + Sync {
    /// What people call it; two places have two names.
    fn name(&self) -> &str;

    fn terms(&self) -> &Terms;

    /// Keeps it; `Ok` only once it is kept, or handed over where nobody acknowledges. The error
    /// says why not, in words, without secrets.
    fn keep<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), String>>;

    /// The newest checkpoint that it keeps, where it can tell. The log is called `log` (empty
    /// before anything was signed) and says that it holds `size` entries.
    fn kept<'a>(&'a self, log: &'a str, size: u64)
    -> BoxFuture<'a, Result<Option<String>, String>>;
}

impl Control {
    /// From now on the log is copied to these places, each on its own. A place that keeps more
    /// than the log holds, or something else, shows that the log was changed: nothing is written
    /// any more. A place that keeps another log's checkpoints takes none of this one: it stays
    /// behind, with the reason, until it is another place.
    ///
    /// # Errors
    /// None of the copies' own: those are shown.
    pub async fn audit_copies(&self, places: Vec<Arc<dyn Outside>>) -> Result<(), ControlError> {
        let audit = &self.inner.audit;
        audit.shared.only_copies(&places);
        // Together: the console starts when the slowest has answered, or has not in its time.
        let compared = places.iter().map(|place| self.compare(&**place));
        let compared = futures::future::join_all(compared).await;
        for (place, held) in places.into_iter().zip(compared) {
            let held = held?;
            let terms = place.terms().clone();
            let name = place.name().to_owned();
            let watched = behind::watch(self.clone(), name, terms);
            self.inner.loops.spawn(watched);
            if held != Held::Never {
                let copying = keeping::run(self.clone(), place, held);
                self.inner.copies.spawn(copying);
            }
        }
        Ok(())
    }

    /// Holds the log against what is kept outside already; whether this log may be copied there.
    async fn compare(&self, place: &dyn Outside) -> Result<Held, ControlError> {
        let audit = &self.inner.audit;
        let now = self.now();
        let have = entries::size(&audit.read).await.map_err(reading)?;
        let given = audit.shared.reaches(place.name());
        if given > have {
            let why = format!("it was given entry {given}, and the log ends at {have}");
            audit.broken_by(place, why);
            return Ok(Held::Never);
        }
        let log = audit.name();
        let kept = place.kept(log.as_deref().unwrap_or_default(), have);
        let kept = tokio::time::timeout(COPY_TIMEOUT, kept).await;
        let kept = match kept.unwrap_or_else(|_| Err("it does not answer".to_owned())) {
            Ok(Some(note)) => note,
            Ok(None) => return Ok(Held::Agrees),
            Err(error) => {
                audit.shared.copied(place.name(), Err(error.clone()), now);
                return Ok(Held::Unknown(error));
            }
        };
        match audit.disagrees(&kept).await? {
            Verdict::Agrees(size) => {
                if place.terms().what == What::Checkpoints {
                    audit.shared.copied(place.name(), Ok(size), now);
                }
            }
            Verdict::Foreign(why) => {
                audit.shared.copied(place.name(), Err(why.clone()), now);
                let text = format!("Nothing is copied to {}: {why}.", place.name());
                keeping::record(audit, Draft::console("audit_copy_failed", text)).await;
                return Ok(Held::Never);
            }
            // What it keeps is the proof: nothing more is put behind it.
            Verdict::Disagrees(why) => {
                audit.broken_by(place, why);
                return Ok(Held::Never);
            }
        }
        Ok(Held::Agrees)
    }
}

/// How the log stands against what a place keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    /// It agrees, or tells nothing.
    Agrees,
    /// It could not be asked, and why: it is asked again before it is given anything.
    Unknown(String),
    /// It is given nothing of this log.
    Never,
}

enum Verdict {
    Agrees(u64),
    /// It is no checkpoint of this log.
    Foreign(String),
    Disagrees(String),
}

impl Audit {
    fn broken_by(&self, place: &dyn Outside, why: String) {
        self.shared.break_off(Trouble::Outside {
            name: place.name().to_owned(),
            why,
        });
    }

    /// The log's name, once something was signed.
    fn name(&self) -> Option<String> {
        let newest = self.shared.newest.borrow().clone();
        newest.and_then(|stored| stored.note.lines().next().map(str::to_owned))
    }

    async fn disagrees(&self, kept: &str) -> Result<Verdict, ControlError> {
        let Ok(signed) = Signed::parse(kept) else {
            return Ok(Verdict::Foreign(
                "it holds something else than checkpoints".to_owned(),
            ));
        };
        let said = signed.checkpoint;
        if self.name().is_none_or(|origin| origin != said.origin) {
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
}
