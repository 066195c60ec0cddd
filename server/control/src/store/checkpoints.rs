//! What belongs to the log's hash tree, in the log's own file: hashes of blocks, signed
//! checkpoints, the public keys that signed them, and how far copies outside reach.

use quorate_audit::tree::Hash;
use quorate_domain::moment::Timestamp;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqliteExecutor};

use super::{signed, unsigned};

/// A stored checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) size: u64,
    pub(crate) time: Timestamp,
    /// The signed note, verbatim.
    pub(crate) note: String,
}

type Columns = (i64, i64, String);

fn stored((size, time, note): Columns) -> Stored {
    Stored {
        size: unsigned(size),
        time: Timestamp::from_unix_ms(time),
        note,
    }
}

/// Stores a checkpoint; one of this size that is there already stays. `keys` names its signers.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    checkpoint: &Stored,
    keys: &str,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO checkpoints (size, time, keys, note) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(signed(checkpoint.size))
        .bind(checkpoint.time.unix_ms())
        .bind(keys)
        .bind(&checkpoint.note)
        .execute(connection)
        .await
        .map(|_| ())
}

pub(crate) async fn newest(read: impl SqliteExecutor<'_>) -> sqlx::Result<Option<Stored>> {
    sqlx::query_as("SELECT size, time, note FROM checkpoints ORDER BY size DESC LIMIT 1")
        .fetch_optional(read)
        .await
        .map(|found| found.map(stored))
}

pub(crate) async fn of_size(
    read: impl SqliteExecutor<'_>,
    size: u64,
) -> sqlx::Result<Option<Stored>> {
    sqlx::query_as("SELECT size, time, note FROM checkpoints WHERE size = ?")
        .bind(signed(size))
        .fetch_optional(read)
        .await
        .map(|found| found.map(stored))
}

/// Checkpoints with a size above `after`, smallest first.
pub(crate) async fn list(
    read: impl SqliteExecutor<'_>,
    after: u64,
    limit: u32,
) -> sqlx::Result<Vec<Stored>> {
    sqlx::query_as("SELECT size, time, note FROM checkpoints WHERE size > ? ORDER BY size LIMIT ?")
        .bind(signed(after))
        .bind(limit)
        .fetch_all(read)
        .await
        .map(|found| found.into_iter().map(stored).collect())
}

/// The last note of each set of keys that signed together, below `size`: who followed whom.
pub(crate) async fn successions(
    read: impl SqliteExecutor<'_>,
    size: u64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT note FROM checkpoints WHERE size IN
             (SELECT MAX(size) FROM checkpoints WHERE size < ?1 GROUP BY keys)
         AND keys IS NOT (SELECT keys FROM checkpoints WHERE size = ?1)
         ORDER BY size",
    )
    .bind(signed(size))
    .fetch_all(read)
    .await
}

/// Notes that a public key signs this log.
pub(crate) async fn insert_key(
    connection: &mut SqliteConnection,
    id: &str,
    key: &str,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO keys (id, key) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(id)
        .bind(key)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Every public key that ever signed, as text.
pub(crate) async fn keys(read: impl SqliteExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT key FROM keys ORDER BY rowid")
        .fetch_all(read)
        .await
}

pub(crate) async fn insert_blocks(
    connection: &mut SqliteConnection,
    first: u64,
    blocks: &[Hash],
) -> sqlx::Result<()> {
    for some in (first..).zip(blocks).collect::<Vec<_>>().chunks(64) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO blocks (number, hash) ");
        query.push_values(some, |mut row, (number, hash)| {
            row.push_bind(signed(*number)).push_bind(hash.0.to_vec());
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Hashes of the first `count` blocks.
pub(crate) async fn blocks(read: impl SqliteExecutor<'_>, count: u64) -> sqlx::Result<Vec<Hash>> {
    let found: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT hash FROM blocks WHERE number < ? ORDER BY number")
            .bind(signed(count))
            .fetch_all(read)
            .await?;
    let hashes: Option<Vec<Hash>> = found.iter().map(|bytes| Hash::of_bytes(bytes)).collect();
    hashes.ok_or_else(|| sqlx::Error::Decode("a block's hash is no hash".into()))
}

/// How far a copy outside reaches.
pub(crate) async fn copied(
    connection: &mut SqliteConnection,
    name: &str,
    size: u64,
    time: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO copies (name, size, time) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET size = excluded.size, time = excluded.time",
    )
    .bind(name)
    .bind(signed(size))
    .bind(time.unix_ms())
    .execute(connection)
    .await
    .map(|_| ())
}

/// Name, size and time of every copy outside that was ever acknowledged.
pub(crate) async fn copies(
    read: impl SqliteExecutor<'_>,
) -> sqlx::Result<Vec<(String, u64, Timestamp)>> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as("SELECT name, size, time FROM copies")
        .fetch_all(read)
        .await?;
    let copy = |(name, size, time)| (name, unsigned(size), Timestamp::from_unix_ms(time));
    Ok(rows.into_iter().map(copy).collect())
}
