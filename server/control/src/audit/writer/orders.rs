//! What the writer is asked for, one order at a time.

use quorate_audit::note::VerifierKey;
use quorate_domain::audit::Entry;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    audit::Draft,
    store::{checkpoints::Stored, people::Whom, removals::StoredHold},
};

pub(in crate::audit) type Reply<T> = oneshot::Sender<sqlx::Result<T>>;

pub(in crate::audit) enum Order {
    /// A draft whose texts are escaped.
    Append {
        draft: Box<Draft>,
        asked: Instant,
        reply: Reply<Entry>,
    },
    Probe {
        reply: Reply<()>,
    },
    LimitPages {
        pages: u32,
        reply: Reply<()>,
    },
    /// A checkpoint over all there is.
    Sign {
        reply: Reply<Option<Stored>>,
    },
    /// A key that signs from now on, though no earlier one vouches for it.
    Register {
        key: VerifierKey,
        reply: Reply<()>,
    },
    /// Destroys somebody's keys, together with the record of it.
    Erase {
        whom: Whom,
        draft: Box<Draft>,
        reply: Reply<Erased>,
    },
    /// Says that all entries up to `upto` are removed from now on.
    Remove {
        upto: u64,
        draft: Box<Draft>,
        reply: Reply<Entry>,
    },
    /// Removes the entries of one more block that are said to be removed; whether there was one.
    RemoveBlock {
        reply: Reply<bool>,
    },
    /// What keeps entries from being removed, together with the record of it.
    Hold {
        change: HoldChange,
        draft: Box<Draft>,
        reply: Reply<Entry>,
    },
    /// A copy outside has acknowledged the checkpoint of this size.
    Copied {
        name: String,
        size: u64,
        reply: Reply<()>,
    },
}

/// Keys that were destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    pub keys: usize,
    /// Whether they are gone from what was written ahead, too. If not, somebody was reading the log
    /// all the while; a console goes on trying, and whoever closes the log last does it.
    pub settled: bool,
}

/// What came of an erasure.
pub(in crate::audit) enum Erased {
    Done(Erasure),
    /// There is no key of this person.
    Nobody,
    /// A hold is on an entry that names them: nothing was destroyed.
    Held,
}

/// What becomes of a hold.
pub(in crate::audit) enum HoldChange {
    Add(StoredHold),
    Release(String),
}
