//! The replicated state: keys and values, and what Raft needs to know of them, in one redb file.
//!
//! Applying is not synced: what a crash takes is applied again from the log, whose entries leave
//! the disk only after a snapshot, and a snapshot syncs this file first.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use futures::{Stream, TryStreamExt};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder,
    storage::{EntryResponder, RaftStateMachine},
};
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};
use serde::{Deserialize, Serialize};

use crate::{
    snapshot,
    types::{Command, LogId, Reply, Snapshot, SnapshotMeta, StoredMembership, TypeConfig},
    writer::{META, io_error, read_meta},
};

const KV: TableDefinition<&str, &str> = TableDefinition::new("kv");
const MARKS: &str = "marks";

/// Writes a second the leader makes by itself, until somebody says otherwise.
const DEFAULT_LOAD: u32 = 20;

/// All that is state and not keys and values.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Marks {
    applied: Option<LogId>,
    membership: StoredMembership,
    /// Every id that was ever a member.
    seen: BTreeSet<u64>,
    load: u32,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            applied: None,
            membership: StoredMembership::default(),
            seen: BTreeSet::new(),
            load: DEFAULT_LOAD,
        }
    }
}

/// What a snapshot holds.
#[derive(Serialize, Deserialize)]
struct Content {
    marks: Marks,
    kv: BTreeMap<String, String>,
}

/// The state machine of one node. Clones share it.
#[derive(Clone)]
pub struct Machine {
    db: Arc<Database>,
    snapshots: PathBuf,
    /// A copy of what is stored, for reading at any time.
    seen: Arc<Mutex<BTreeSet<u64>>>,
    load: Arc<AtomicU32>,
}

impl Machine {
    /// Opens `state.redb` and the folder `snapshots` in `dir`, creating them.
    ///
    /// # Errors
    /// If the files cannot be created or read, or another process holds them.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let snapshots = dir.join("snapshots");
        fs::create_dir_all(&snapshots)?;
        let db = Arc::new(Database::create(dir.join("state.redb")).map_err(io_error)?);
        let transaction = db.begin_write().map_err(io_error)?;
        transaction.open_table(KV).map_err(io_error)?;
        transaction.open_table(META).map_err(io_error)?;
        transaction.commit().map_err(io_error)?;
        let machine = Self {
            db,
            snapshots,
            seen: Arc::default(),
            load: Arc::new(AtomicU32::new(0)),
        };
        machine.publish(&machine.marks()?);
        Ok(machine)
    }

    /// The value of `key` in this node's own state.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn get(&self, key: &str) -> io::Result<Option<String>> {
        let transaction = self.db.begin_read().map_err(io_error)?;
        let kv = transaction.open_table(KV).map_err(io_error)?;
        let value = kv.get(key).map_err(io_error)?;
        Ok(value.map(|value| value.value().to_owned()))
    }

    /// All keys that begin with `prefix`, in this node's own state.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn all(&self, prefix: &str) -> io::Result<BTreeMap<String, String>> {
        let transaction = self.db.begin_read().map_err(io_error)?;
        let kv = transaction.open_table(KV).map_err(io_error)?;
        let mut found = BTreeMap::new();
        for row in kv.range(prefix..).map_err(io_error)? {
            let (key, value) = row.map_err(io_error)?;
            if !key.value().starts_with(prefix) {
                break;
            }
            found.insert(key.value().to_owned(), value.value().to_owned());
        }
        Ok(found)
    }

    /// Every id that was ever a member, as far as this node has applied.
    #[must_use]
    pub fn seen(&self) -> BTreeSet<u64> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Writes a second the leader is to make by itself.
    #[must_use]
    pub fn load(&self) -> u32 {
        self.load.load(Ordering::Relaxed)
    }

    fn marks(&self) -> io::Result<Marks> {
        let bytes = read_meta(&self.db, MARKS)?;
        let marks = bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(io_error));
        Ok(marks.transpose()?.unwrap_or_default())
    }

    fn publish(&self, marks: &Marks) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = marks.seen.clone();
        self.load.store(marks.load, Ordering::Relaxed);
    }

    /// Puts everything applied so far on the disk.
    fn sync(&self) -> io::Result<()> {
        let transaction = self.db.begin_write().map_err(io_error)?;
        put_marks(&transaction, &self.marks()?)?;
        transaction.commit().map_err(io_error)
    }

    fn content(&self) -> io::Result<Content> {
        // One read transaction, so that marks and keys are of the same moment.
        let transaction = self.db.begin_read().map_err(io_error)?;
        let meta = transaction.open_table(META).map_err(io_error)?;
        let marks = match meta.get(MARKS).map_err(io_error)? {
            Some(bytes) => serde_json::from_slice(bytes.value()).map_err(io_error)?,
            None => Marks::default(),
        };
        let table = transaction.open_table(KV).map_err(io_error)?;
        let mut kv = BTreeMap::new();
        for row in table.iter().map_err(io_error)? {
            let (key, value) = row.map_err(io_error)?;
            kv.insert(key.value().to_owned(), value.value().to_owned());
        }
        Ok(Content { marks, kv })
    }

    fn build(&self) -> io::Result<Snapshot> {
        let content = self.content()?;
        self.sync()?;
        let data = serde_json::to_vec(&content).map_err(io_error)?;
        let Marks {
            applied,
            membership,
            ..
        } = content.marks;
        let meta = SnapshotMeta {
            last_log_id: applied,
            last_membership: membership,
        };
        snapshot::write(&self.snapshots, &meta, &data)?;
        Ok(Snapshot {
            meta,
            snapshot: data,
        })
    }

    fn install(&self, meta: &SnapshotMeta, data: &[u8]) -> io::Result<()> {
        let Content { mut marks, kv } = serde_json::from_slice(data).map_err(io_error)?;
        marks.applied = meta.last_log_id;
        marks.membership = meta.last_membership.clone();
        let transaction = self.db.begin_write().map_err(io_error)?;
        transaction.delete_table(KV).map_err(io_error)?;
        {
            let mut table = transaction.open_table(KV).map_err(io_error)?;
            for (key, value) in &kv {
                table
                    .insert(key.as_str(), value.as_str())
                    .map_err(io_error)?;
            }
        }
        put_marks(&transaction, &marks)?;
        transaction.commit().map_err(io_error)?;
        self.publish(&marks);
        snapshot::write(&self.snapshots, meta, data)
    }
}

fn put_marks(transaction: &WriteTransaction, marks: &Marks) -> io::Result<()> {
    let mut meta = transaction.open_table(META).map_err(io_error)?;
    let bytes = serde_json::to_vec(marks).map_err(io_error)?;
    meta.insert(MARKS, bytes.as_slice()).map_err(io_error)?;
    Ok(())
}

fn apply_command(
    transaction: &WriteTransaction,
    marks: &mut Marks,
    command: Command,
) -> io::Result<Reply> {
    match command {
        Command::Set { key, value } => {
            let mut kv = transaction.open_table(KV).map_err(io_error)?;
            let previous = kv.insert(key.as_str(), value.as_str()).map_err(io_error)?;
            Ok(Reply {
                previous: previous.map(|value| value.value().to_owned()),
            })
        }
        Command::Load { per_second } => {
            marks.load = per_second;
            Ok(Reply::default())
        }
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let marks = self.marks()?;
        Ok((marks.applied, marks.membership))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut batch = Vec::new();
        while let Some(item) = entries.try_next().await? {
            batch.push(item);
        }
        let mut marks = self.marks()?;
        let mut replies = Vec::new();
        let mut transaction = self.db.begin_write().map_err(io_error)?;
        transaction
            .set_durability(Durability::None)
            .map_err(io_error)?;
        for (entry, responder) in batch {
            marks.applied = Some(entry.log_id);
            let reply = match entry.payload {
                EntryPayload::Blank => Reply::default(),
                EntryPayload::Normal(command) => apply_command(&transaction, &mut marks, command)?,
                EntryPayload::Membership(membership) => {
                    marks.seen.extend(membership.nodes().map(|(id, _)| *id));
                    marks.membership = StoredMembership::new(Some(entry.log_id), membership);
                    Reply::default()
                }
            };
            replies.extend(responder.map(|responder| (responder, reply)));
        }
        put_marks(&transaction, &marks)?;
        transaction.commit().map_err(io_error)?;
        self.publish(&marks);
        for (responder, reply) in replies {
            responder.send(reply);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, data: Vec<u8>) -> io::Result<()> {
        let (machine, meta) = (self.clone(), meta.clone());
        blocking(move || machine.install(&meta, &data)).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let snapshots = self.snapshots.clone();
        blocking(move || snapshot::read(&snapshots)).await
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Machine {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let machine = self.clone();
        blocking(move || machine.build()).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io_error)?
}
