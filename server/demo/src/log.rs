//! The Raft log on disk: entries, vote, commit mark and purge mark in one redb file.
//!
//! An entry is readable as soon as it was handed over and acknowledged only once it is synced.

use std::{
    fmt::Debug,
    io,
    ops::{Bound, RangeBounds},
    path::Path,
    sync::{Arc, PoisonError, mpsc},
};

use openraft::{
    LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
};
use redb::{Database, ReadableDatabase, ReadableTable};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::oneshot;

use crate::{
    faults::Faults,
    types::{Entry, LogId, TypeConfig, Vote},
    writer::{self, COMMITTED, Job, LOG, META, PURGED, Recent, VOTE, io_error},
};

/// The log of one node. Clones share it.
#[derive(Clone)]
pub struct LogStore {
    db: Arc<Database>,
    recent: Recent,
    jobs: mpsc::Sender<Job>,
}

impl LogStore {
    /// Opens `log.redb` in `dir`, creating it.
    ///
    /// # Errors
    /// If the file cannot be created or read, or another process holds it.
    pub fn open(dir: &Path) -> io::Result<Self> {
        Self::with_faults(dir, Arc::default())
    }

    pub(crate) fn with_faults(dir: &Path, faults: Arc<Faults>) -> io::Result<Self> {
        let db = Arc::new(Database::create(dir.join("log.redb")).map_err(io_error)?);
        let transaction = db.begin_write().map_err(io_error)?;
        transaction.open_table(LOG).map_err(io_error)?;
        transaction.open_table(META).map_err(io_error)?;
        transaction.commit().map_err(io_error)?;
        let recent = Recent::default();
        let jobs = writer::start(Arc::clone(&db), Arc::clone(&recent), faults)?;
        Ok(Self { db, recent, jobs })
    }

    fn meta<T: DeserializeOwned>(&self, key: &str) -> io::Result<Option<T>> {
        let bytes = writer::read_meta(&self.db, key)?;
        bytes
            .map(|bytes| serde_json::from_slice(&bytes).map_err(io_error))
            .transpose()
    }

    fn send(&self, job: Job) -> io::Result<()> {
        self.jobs
            .send(job)
            .map_err(|_| io::Error::other("the log writer has ended"))
    }

    async fn done(&self, job: impl FnOnce(writer::Done) -> Job) -> io::Result<()> {
        let (done, written) = oneshot::channel();
        self.send(job(done))?;
        written.await.map_err(io_error)?
    }

    fn last_on_disk(&self) -> io::Result<Option<LogId>> {
        let transaction = self.db.begin_read().map_err(io_error)?;
        let log = transaction.open_table(LOG).map_err(io_error)?;
        let last = log.last().map_err(io_error)?;
        let entry = last
            .map(|(_, bytes)| decode::<Entry>(bytes.value()))
            .transpose()?;
        Ok(entry.map(|entry| entry.log_id))
    }
}

fn encode(value: &impl Serialize) -> io::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(io_error)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(io_error)
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        if is_empty(range) {
            return Ok(Vec::new());
        }
        // What leaves `recent` is on disk by then, so this order misses nothing.
        let recent: Vec<Entry> = {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent
                .range(range)
                .map(|(_, entry)| entry.clone())
                .collect()
        };
        let before_recent = match recent.first() {
            Some(entry) => (range.0, Bound::Excluded(entry.log_id.index())),
            None => range,
        };
        let mut entries = if is_empty(before_recent) {
            Vec::new()
        } else {
            self.read(before_recent)?
        };
        entries.extend(recent);
        Ok(entries)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        self.meta(VOTE)
    }
}

type Range = (Bound<u64>, Bound<u64>);

fn is_empty((start, end): Range) -> bool {
    let start = match start {
        Bound::Included(start) => start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    match end {
        Bound::Included(end) => start > end,
        Bound::Excluded(end) => start >= end,
        Bound::Unbounded => false,
    }
}

impl LogStore {
    fn read(&self, range: Range) -> io::Result<Vec<Entry>> {
        let transaction = self.db.begin_read().map_err(io_error)?;
        let log = transaction.open_table(LOG).map_err(io_error)?;
        let rows = log.range::<u64>(range).map_err(io_error)?;
        rows.map(|row| {
            let (_, bytes) = row.map_err(io_error)?;
            decode(bytes.value())
        })
        .collect()
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let newest = {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.last_key_value().map(|(_, entry)| entry.log_id)
        };
        let last_purged_log_id = self.meta(PURGED)?;
        let last = match newest {
            Some(id) => Some(id),
            None => self.last_on_disk()?,
        };
        Ok(LogState {
            last_purged_log_id,
            last_log_id: last.or(last_purged_log_id),
        })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let vote = encode(vote)?;
        self.done(|done| Job::Vote { vote, done }).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.send(Job::Committed {
            committed: encode(&committed)?,
        })
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.meta::<Option<LogId>>(COMMITTED)?.flatten())
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut encoded = Vec::new();
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            for entry in entries {
                encoded.push((entry.log_id, encode(&entry)?));
                recent.insert(entry.log_id.index(), entry);
            }
        }
        self.send(Job::Append {
            entries: encoded,
            callback,
        })
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let first = last_log_id.map_or(0, |id| id.index().saturating_add(1));
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.split_off(&first);
        }
        self.done(|done| Job::Truncate { first, done }).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        let last = log_id.index();
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.retain(|index, _| *index > last);
        }
        let purged = encode(&log_id)?;
        self.done(|done| Job::Purge { last, purged, done }).await
    }
}
