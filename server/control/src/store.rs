//! The store: one SQLite file for everything but the audit log. All SQL is in `store/`.
//!
//! One connection writes, a few read. Every commit is on disk before it is believed
//! (`synchronous = FULL`), and the files are the owner's alone.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use sqlx::{
    Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::ControlError;

pub(crate) mod accounts;
mod approvals;
mod break_glass;
pub(crate) mod changes;
pub(crate) mod checkpoints;
pub(crate) mod entries;
pub(crate) mod events;
pub(crate) mod migrations;
pub(crate) mod overrides;
pub(crate) mod passkeys;
pub(crate) mod people;
pub(crate) mod removals;
pub(crate) mod sessions;
pub(crate) mod snapshots;
pub(crate) mod tokens;

const STORE_FILE: &str = "quorate.db";
const LOCK_FILE: &str = "quorate.lock";
/// Another process (the command line beside a running console) may hold the write lock shortly.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

pub(crate) struct Store {
    pub(crate) write: SqlitePool,
    pub(crate) read: SqlitePool,
}

impl Store {
    /// Opens (creating and migrating) the store in `directory`.
    pub(crate) async fn open(directory: &Path) -> Result<Self, ControlError> {
        private_directory(directory)?;
        let file = directory.join(STORE_FILE);
        private_file(&file)?;
        let opening = "opening quorate.db";
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            // A full disk ends a transaction behind the connection's back; such a connection
            // takes no other any more.
            .before_acquire(|connection, _| {
                let sound = !connection.is_in_transaction();
                Box::pin(async move { Ok(sound) })
            })
            .connect_with(options(&file))
            .await
            .map_err(ControlError::store(opening))?;
        let mut connection = write
            .acquire()
            .await
            .map_err(ControlError::store(opening))?;
        migrations::apply(&mut connection, migrations::STORE)
            .await
            .map_err(ControlError::store("migrating quorate.db"))?;
        drop(connection);
        let read = readers(&file).await.map_err(ControlError::store(opening))?;
        Ok(Self { write, read })
    }

    /// Whether a row can be written durably.
    pub(crate) async fn probe(&self) -> Result<(), ControlError> {
        let probing = "writing a probe row";
        let mut connection = self
            .write
            .acquire()
            .await
            .map_err(ControlError::store(probing))?;
        probe(&mut connection)
            .await
            .map_err(ControlError::store(probing))
    }

    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// Writes and removes a row of a page's size: fails when the disk or the file is full.
pub(crate) async fn probe(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("INSERT OR REPLACE INTO probe (id, filling) VALUES (1, zeroblob(4096))")
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM probe")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

pub(crate) fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
}

pub(crate) async fn readers(file: &Path) -> sqlx::Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .connect_with(
            SqliteConnectOptions::new()
                .filename(file)
                .read_only(true)
                .busy_timeout(BUSY_TIMEOUT),
        )
        .await
}

/// Creates the directory for its owner alone. One that exists is left as its owner made it.
pub(crate) fn private_directory(directory: &Path) -> Result<(), ControlError> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(ControlError::file(directory))
}

/// Creates the file with mode 0600 before SQLite does; its WAL takes over the mode.
pub(crate) fn private_file(file: &Path) -> Result<(), ControlError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)
        .and_then(|opened| opened.set_permissions(Permissions::from_mode(0o600)))
        .map_err(ControlError::file(file))
}

/// Held as long as the console runs: two consoles in one directory would change a cluster twice.
pub(crate) fn lock(directory: &Path) -> Result<File, ControlError> {
    private_directory(directory)?;
    let path = directory.join(LOCK_FILE);
    private_file(&path)?;
    let file = OpenOptions::new()
        .write(true)
        .open(&path)
        .map_err(ControlError::file(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ControlError::AlreadyRunning {
            path: directory.display().to_string(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(ControlError::file(&path)(source)),
    }
}

/// JSON as stored; a document that cannot be read back is a decoding error of the store.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// SQLite's integers are signed.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
