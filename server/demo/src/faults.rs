//! Fault switches: cut wires and slow disks, so that trouble can be seen without breaking things.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// The switches of one node, as they are set and read over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Members to which, and from which, no Raft message passes.
    pub cut: BTreeSet<String>,
    /// Extra time before each write of log entries reaches the disk.
    pub slow_appends_ms: u64,
}

/// The switches in force.
#[derive(Debug, Default)]
pub struct Faults {
    cut: Mutex<BTreeSet<String>>,
    slow_appends_ms: AtomicU64,
}

impl Faults {
    pub fn set(&self, switches: Switches) {
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = switches.cut;
        self.slow_appends_ms
            .store(switches.slow_appends_ms, Ordering::Relaxed);
    }

    pub fn get(&self) -> Switches {
        Switches {
            cut: self
                .cut
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            slow_appends_ms: self.slow_appends_ms.load(Ordering::Relaxed),
        }
    }

    pub fn cuts(&self, member: &str) -> bool {
        self.cut
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(member)
    }

    pub fn append_delay(&self) -> Duration {
        Duration::from_millis(self.slow_appends_ms.load(Ordering::Relaxed))
    }
}
