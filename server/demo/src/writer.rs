//! The one thread that writes the log to disk, in order, each write durable before it is told.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use openraft::storage::IOFlushed;
use redb::{Database, Durability, TableDefinition, WriteTransaction};
use tokio::sync::oneshot;

use crate::{
    faults::Faults,
    types::{Entry, LogId, TypeConfig},
};

pub const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
pub const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
pub const VOTE: &str = "vote";
pub const COMMITTED: &str = "committed";
pub const PURGED: &str = "purged";

/// How many waiting jobs go into one transaction, and thus one sync.
const BATCH: usize = 64;

/// Entries that were handed over and may not be on disk yet; readers look here first.
pub type Recent = Arc<Mutex<BTreeMap<u64, Entry>>>;

pub enum Job {
    Append {
        entries: Vec<(LogId, Vec<u8>)>,
        callback: IOFlushed<TypeConfig>,
    },
    Vote {
        vote: Vec<u8>,
        done: Done,
    },
    Committed {
        committed: Vec<u8>,
    },
    /// Removes all entries from `first` on.
    Truncate {
        first: u64,
        done: Done,
    },
    /// Removes all entries up to and including `last`.
    Purge {
        last: u64,
        purged: Vec<u8>,
        done: Done,
    },
}

pub type Done = oneshot::Sender<io::Result<()>>;

impl Job {
    /// Whether it must be on disk before anybody is told. A lost commit mark costs nothing: it
    /// is learnt again.
    const fn durable(&self) -> bool {
        !matches!(self, Self::Committed { .. })
    }
}

pub fn io_error(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

/// Starts the thread; it ends when the sender is dropped.
///
/// # Errors
/// If the system gives no thread.
pub fn start(
    db: Arc<Database>,
    recent: Recent,
    faults: Arc<Faults>,
) -> io::Result<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel();
    let thread = std::thread::Builder::new().name("log-writer".to_owned());
    thread.spawn(move || run(&db, &recent, &faults, &jobs))?;
    Ok(sender)
}

fn run(db: &Database, recent: &Recent, faults: &Faults, jobs: &mpsc::Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(BATCH - 1));
        if batch.iter().any(|job| matches!(job, Job::Append { .. })) {
            std::thread::sleep(faults.append_delay());
        }
        let result = write(db, &batch);
        finish(batch, recent, &result);
    }
}

fn write(db: &Database, batch: &[Job]) -> io::Result<()> {
    let mut transaction = db.begin_write().map_err(io_error)?;
    if !batch.iter().any(Job::durable) {
        transaction
            .set_durability(Durability::None)
            .map_err(io_error)?;
    }
    for job in batch {
        carry_out(&transaction, job)?;
    }
    transaction.commit().map_err(io_error)
}

fn carry_out(transaction: &WriteTransaction, job: &Job) -> io::Result<()> {
    match job {
        Job::Append { entries, .. } => {
            let mut log = transaction.open_table(LOG).map_err(io_error)?;
            for (id, bytes) in entries {
                log.insert(id.index(), bytes.as_slice()).map_err(io_error)?;
            }
            Ok(())
        }
        Job::Vote { vote, .. } => put(transaction, VOTE, vote),
        Job::Committed { committed } => put(transaction, COMMITTED, committed),
        Job::Truncate { first, .. } => remove(transaction, *first..=u64::MAX),
        Job::Purge { last, purged, .. } => {
            put(transaction, PURGED, purged)?;
            remove(transaction, 0..=*last)
        }
    }
}

fn put(transaction: &WriteTransaction, key: &str, value: &[u8]) -> io::Result<()> {
    let mut meta = transaction.open_table(META).map_err(io_error)?;
    meta.insert(key, value).map_err(io_error)?;
    Ok(())
}

fn remove(
    transaction: &WriteTransaction,
    indexes: std::ops::RangeInclusive<u64>,
) -> io::Result<()> {
    let mut log = transaction.open_table(LOG).map_err(io_error)?;
    log.retain_in(indexes, |_, _| false).map_err(io_error)
}

fn finish(batch: Vec<Job>, recent: &Recent, result: &io::Result<()>) {
    let outcome = || match result {
        Ok(()) => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    };
    for job in batch {
        match job {
            Job::Append { entries, callback } => {
                if result.is_ok() {
                    forget(recent, &entries);
                }
                callback.io_completed(outcome());
            }
            Job::Vote { done, .. } | Job::Truncate { done, .. } | Job::Purge { done, .. } => {
                // Nobody waits any more when the node is going down.
                let _ = done.send(outcome());
            }
            Job::Committed { .. } => {}
        }
    }
}

/// Drops what is on disk now, unless another entry has taken its place meanwhile.
fn forget(recent: &Recent, entries: &[(LogId, Vec<u8>)]) {
    let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
    for (id, _) in entries {
        if recent
            .get(&id.index())
            .is_some_and(|entry| entry.log_id == *id)
        {
            recent.remove(&id.index());
        }
    }
}

/// The bytes stored under `key`.
///
/// # Errors
/// If the file cannot be read.
pub fn read_meta(db: &Database, key: &str) -> io::Result<Option<Vec<u8>>> {
    use redb::ReadableDatabase;
    let transaction = db.begin_read().map_err(io_error)?;
    let meta = transaction.open_table(META).map_err(io_error)?;
    let value = meta.get(key).map_err(io_error)?;
    Ok(value.map(|bytes| bytes.value().to_vec()))
}
