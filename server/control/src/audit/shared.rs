//! What the log's writer lets others know: how far it is signed, and what is wrong with it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use quorate_domain::{audit::CopyStanding, moment::Timestamp};
use tokio::sync::watch;

use super::{
    settling::{LONG, Moved},
    trouble::{self, Trouble},
};
use crate::store::checkpoints::Stored;

/// Of one log, in one process.
#[derive(Default)]
pub(super) struct Shared {
    /// The newest checkpoint.
    pub(super) newest: watch::Sender<Option<Stored>>,
    state: Mutex<State>,
    /// Pages in the write-ahead file, when that was last looked at.
    written_ahead: AtomicI64,
}

#[derive(Default)]
struct State {
    entries: u64,
    /// Why the last entry could not be written.
    why: Option<String>,
    /// What keeps the log from being written until the console is started anew.
    broken: Option<Trouble>,
    copies: BTreeMap<String, Copy>,
    /// Who has read the log, and when that was put on record.
    readers: BTreeMap<String, Timestamp>,
}

#[derive(Clone, Default)]
struct Copy {
    reaches: u64,
    at: Option<Timestamp>,
    error: Option<String>,
    /// Since when it has been behind.
    behind_since: Option<Timestamp>,
}

impl Shared {
    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(
            &mut self
                .state
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }

    pub(super) fn grew(&self, entries: u64) {
        self.state(|state| state.entries = entries);
    }

    pub(super) fn settled(&self, moved: &Moved) {
        self.written_ahead.store(moved.written, Ordering::Relaxed);
    }

    /// Whether so much is written ahead that the writer itself has to move it; said once.
    pub(super) fn is_long(&self) -> bool {
        self.written_ahead.load(Ordering::Relaxed) > LONG
            && self.written_ahead.swap(0, Ordering::Relaxed) > LONG
    }

    pub(super) fn signed(&self, stored: &Stored) {
        self.newest.send_replace(Some(stored.clone()));
    }

    /// How the last attempt to write ended.
    pub(super) fn told(&self, error: Option<&sqlx::Error>) {
        self.state(|state| state.why = error.map(trouble::words));
    }

    pub(super) fn broken(&self) -> Option<Trouble> {
        self.state(|state| state.broken.clone())
    }

    /// From now on nothing is written.
    pub(super) fn break_off(&self, trouble: Trouble) {
        tracing::error!(%trouble, "the audit log takes no entries any more");
        self.state(|state| state.broken = Some(trouble));
    }

    pub(super) fn why(&self) -> Option<String> {
        self.state(|state| match &state.broken {
            Some(trouble) => Some(trouble::words(&trouble.clone().into())),
            None => state.why.clone(),
        })
    }

    /// Whether that `reader` reads the log is to be put on record: once in `again_ms`.
    pub(super) fn reads_anew(&self, reader: String, now: Timestamp, again_ms: u64) -> bool {
        self.state(|state| {
            state.readers.retain(|_, at| now.since(*at) < again_ms);
            let known = state.readers.contains_key(&reader);
            if !known {
                state.readers.insert(reader, now);
            }
            !known
        })
    }

    /// A copy outside has the checkpoint of `size`, or could not be given it.
    pub(super) fn copied(&self, name: &str, result: Result<u64, String>, now: Timestamp) {
        self.state(|state| {
            let entries = state.entries;
            let copy = state.copies.entry(name.to_owned()).or_default();
            match result {
                Ok(size) => {
                    copy.reaches = copy.reaches.max(size);
                    copy.at = Some(now);
                    copy.error = None;
                }
                Err(error) => copy.error = Some(error),
            }
            copy.behind_since = match copy.reaches >= entries {
                true => None,
                false => copy.behind_since.or(Some(now)),
            };
        });
    }

    /// As [`Shared::copied`], from what is stored of an earlier run.
    pub(super) fn copied_before(&self, name: &str, size: u64, at: Timestamp) {
        self.state(|state| {
            let copy = state.copies.entry(name.to_owned()).or_default();
            copy.reaches = size;
            copy.at = Some(at);
        });
    }

    /// How the copies stand against a log signed over `signed` entries.
    pub(super) fn copies(&self, signed: u64, now: Timestamp, alarm_ms: u64) -> Vec<CopyStanding> {
        self.state(|state| {
            let standing = |(name, copy): (&String, &mut Copy)| {
                let behind = signed.saturating_sub(copy.reaches);
                match behind {
                    0 => copy.behind_since = None,
                    _ => {
                        copy.behind_since.get_or_insert(now);
                    }
                }
                CopyStanding {
                    name: name.clone(),
                    reaches: copy.reaches,
                    at: copy.at,
                    behind,
                    alarm: copy
                        .behind_since
                        .is_some_and(|since| now.since(since) >= alarm_ms),
                    error: copy.error.clone(),
                }
            };
            state.copies.iter_mut().map(standing).collect()
        })
    }
}
