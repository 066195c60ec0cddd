//! What the log's writer lets others know: how far it is signed, and what is wrong with it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use quorate_domain::{audit::CopyStanding, moment::Timestamp};
use tokio::sync::watch;

use super::{
    copies::Outside,
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
    /// Whether the write-ahead file may still have keys of people that were destroyed.
    traces: AtomicBool,
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
    /// By which rules roles are given in this run.
    mapping: Option<String>,
}

/// How far behind a copy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lag {
    pub(super) entries: u64,
    /// For how long it has lacked what it lacks, in milliseconds.
    pub(super) for_ms: u64,
}

#[derive(Clone, Default)]
struct Copy {
    /// What strangers may be told of its name.
    label: String,
    reaches: u64,
    at: Option<Timestamp>,
    error: Option<String>,
    /// How long it may be behind; `None`: no place of this run.
    alarm_after_ms: Option<u64>,
    acknowledges: bool,
    /// What it lacked when it was first seen to lack it, and when. A copy that follows at a
    /// distance is not late: this moves on with it.
    owed: Option<(u64, Timestamp)>,
}

impl Copy {
    /// Held against a log that is signed over `signed` entries.
    fn lag(&mut self, signed: u64, now: Timestamp) -> Lag {
        self.owed = match self.owed {
            _ if self.reaches >= signed => None,
            Some((size, at)) if self.reaches < size => Some((size, at)),
            _ => Some((signed, now)),
        };
        Lag {
            entries: signed.saturating_sub(self.reaches),
            for_ms: self.owed.map_or(0, |(_, at)| now.since(at)),
        }
    }
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

    pub(super) fn mapping(&self) -> Option<String> {
        self.state(|state| state.mapping.clone())
    }

    pub(super) fn maps_by(&self, version: String) {
        self.state(|state| state.mapping = Some(version));
    }

    /// Up to where every copy of this run reaches; `None` if there is none.
    pub(super) fn copied_everywhere(&self) -> Option<u64> {
        self.state(|state| {
            let copies = state.copies.values();
            let ours = copies.filter(|copy| copy.alarm_after_ms.is_some());
            ours.map(|copy| copy.reaches).min()
        })
    }

    pub(super) fn grew(&self, entries: u64) {
        self.state(|state| state.entries = entries);
    }

    pub(super) fn settled(&self, moved: &Moved) {
        self.written_ahead.store(moved.written, Ordering::Relaxed);
    }

    /// Whether what was destroyed may stand in the write-ahead file until that is cut off.
    pub(super) fn has_traces(&self) -> bool {
        self.traces.load(Ordering::Acquire)
    }

    pub(super) fn leaves_traces(&self) {
        self.traces.store(true, Ordering::Release);
    }

    /// As [`Shared::has_traces`]; from now on it has none.
    pub(super) fn takes_traces(&self) -> bool {
        self.traces.swap(false, Ordering::AcqRel)
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

    /// Whether a place outside keeps something else than this log says.
    pub(super) fn is_contradicted(&self) -> bool {
        matches!(self.broken(), Some(Trouble::Outside { .. }))
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

    /// From now on these are the copies there are; of others nothing is told.
    pub(super) fn only_copies(&self, places: &[Arc<dyn Outside>]) {
        self.state(|state| {
            for place in places {
                let terms = place.terms();
                let copy = state.copies.entry(place.name().to_owned()).or_default();
                copy.label.clone_from(&terms.label);
                let millis = u64::try_from(terms.alarm_after.as_millis());
                copy.alarm_after_ms = Some(millis.unwrap_or(u64::MAX));
                copy.acknowledges = terms.acknowledges;
            }
        });
    }

    /// A copy outside has all up to `size`, or could not be given it.
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
            copy.lag(entries, now);
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

    /// Up to which entry a copy reaches.
    pub(super) fn reaches(&self, name: &str) -> u64 {
        self.state(|state| state.copies.get(name).map_or(0, |copy| copy.reaches))
    }

    /// How far behind a copy is of a log signed over `signed` entries.
    pub(super) fn lag(&self, name: &str, signed: u64, now: Timestamp) -> Lag {
        self.state(|state| {
            let copy = state.copies.get_mut(name);
            copy.map_or_else(Lag::default, |copy| copy.lag(signed, now))
        })
    }

    /// Copies that are late (then `true`) or fail: label, and why as far as that is known.
    pub(super) fn failing_copies(
        &self,
        signed: u64,
        now: Timestamp,
    ) -> Vec<(String, bool, Option<String>)> {
        self.state(|state| {
            let failing = |copy: &mut Copy| {
                let alarm_after = copy.alarm_after_ms?;
                let lag = copy.lag(signed, now);
                let is_late = lag.entries > 0 && lag.for_ms >= alarm_after;
                let fails = is_late || copy.error.is_some();
                fails.then(|| (copy.label.clone(), is_late, copy.error.clone()))
            };
            state.copies.values_mut().filter_map(failing).collect()
        })
    }

    /// How the copies stand against a log signed over `signed` entries.
    pub(super) fn copies(&self, signed: u64, now: Timestamp) -> Vec<CopyStanding> {
        self.state(|state| {
            let standing = |(name, copy): (&String, &mut Copy)| {
                let lag = copy.lag(signed, now);
                let alarm_after = copy.alarm_after_ms?;
                Some(CopyStanding {
                    name: name.clone(),
                    reaches: copy.reaches,
                    at: copy.at,
                    behind: lag.entries,
                    alarm: lag.entries > 0 && lag.for_ms >= alarm_after,
                    error: copy.error.clone(),
                    handed_over: !copy.acknowledges,
                })
            };
            state.copies.iter_mut().filter_map(standing).collect()
        })
    }
}
