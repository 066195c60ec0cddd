//! What is left of entries that were removed by the rules of retention: the hashes of their leaves,
//! a block of 256 in each row; which were to go, and what must stay.

use quorate_audit::tree::{BLOCK, Hash, leaf};
use quorate_domain::moment::Timestamp;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::{entries, signed, unsigned};

/// The last entry that was said to be removed, 0 if none ever was.
pub(crate) async fn upto(read: impl SqliteExecutor<'_>) -> sqlx::Result<u64> {
    sqlx::query_scalar::<_, i64>("SELECT COALESCE(MAX(upto), 0) FROM removals")
        .fetch_one(read)
        .await
        .map(unsigned)
}

/// Entry `entry` says that all up to `upto` are removed.
pub(crate) async fn say(
    connection: &mut SqliteConnection,
    upto: u64,
    entry: u64,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO removals (upto, entry) VALUES (?, ?)")
        .bind(signed(upto))
        .bind(signed(entry))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Blocks whose entries are gone.
pub(crate) async fn blocks(read: impl SqliteExecutor<'_>) -> sqlx::Result<u64> {
    sqlx::query_scalar::<_, i64>("SELECT COALESCE(MAX(block) + 1, 0) FROM leaves")
        .fetch_one(read)
        .await
        .map(unsigned)
}

/// The leaves of a block whose entries are gone.
pub(crate) async fn leaves(
    read: impl SqliteExecutor<'_>,
    block: u64,
) -> sqlx::Result<Option<Vec<Hash>>> {
    let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT hashes FROM leaves WHERE block = ?")
        .bind(signed(block))
        .fetch_optional(read)
        .await?;
    let hashes = found.map(|bytes| bytes.chunks(32).map(Hash::of_bytes).collect());
    let damaged = || sqlx::Error::Decode("the hashes of removed entries are none".into());
    hashes
        .map(|hashes: Option<Vec<Hash>>| hashes.ok_or_else(damaged))
        .transpose()
}

/// The leaves of the entries `after < seq <= upto`, which are of one block.
pub(crate) async fn leaves_of(
    read: &sqlx::SqlitePool,
    after: u64,
    upto: u64,
) -> sqlx::Result<Vec<Hash>> {
    let count = usize::try_from(upto.saturating_sub(after)).unwrap_or(usize::MAX);
    if let Some(mut all) = leaves(read, after / BLOCK).await? {
        all.truncate(count);
        return Ok(all);
    }
    let run = entries::run(read, after, upto, u32::MAX).await?;
    Ok(run.iter().map(|(_, bytes)| leaf(bytes)).collect())
}

/// Puts the leaves in the place of a block's entries.
pub(crate) async fn remove(
    connection: &mut SqliteConnection,
    block: u64,
    leaves: &[Hash],
) -> sqlx::Result<()> {
    let hashes: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.0).collect();
    sqlx::query("INSERT INTO leaves (block, hashes) VALUES (?, ?)")
        .bind(signed(block))
        .bind(hashes)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM entries WHERE seq > ? AND seq <= ?")
        .bind(signed(block * BLOCK))
        .bind(signed((block + 1) * BLOCK))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Something that keeps entries from being removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredHold {
    pub(crate) id: String,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    pub(crate) reason: String,
    pub(crate) since: Timestamp,
}

type Columns = (String, Option<i64>, Option<i64>, String, i64);

pub(crate) async fn holds(read: impl SqliteExecutor<'_>) -> sqlx::Result<Vec<StoredHold>> {
    let rows: Vec<Columns> =
        sqlx::query_as("SELECT id, \"from\", \"to\", reason, since FROM holds ORDER BY rowid")
            .fetch_all(read)
            .await?;
    let hold = |(id, from, to, reason, since): Columns| StoredHold {
        id,
        from: from.map(Timestamp::from_unix_ms),
        to: to.map(Timestamp::from_unix_ms),
        reason,
        since: Timestamp::from_unix_ms(since),
    };
    Ok(rows.into_iter().map(hold).collect())
}

pub(crate) async fn hold(connection: &mut SqliteConnection, hold: &StoredHold) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO holds (id, \"from\", \"to\", reason, since) VALUES (?, ?, ?, ?, ?)")
        .bind(&hold.id)
        .bind(hold.from.map(Timestamp::unix_ms))
        .bind(hold.to.map(Timestamp::unix_ms))
        .bind(&hold.reason)
        .bind(hold.since.unix_ms())
        .execute(connection)
        .await
        .map(|_| ())
}

pub(crate) async fn release(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM holds WHERE id = ?")
        .bind(id)
        .execute(connection)
        .await
        .map(|_| ())
}

/// The first entry of these times, if there is one.
pub(crate) async fn first_between(
    read: impl SqliteExecutor<'_>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> sqlx::Result<Option<u64>> {
    sqlx::query_scalar::<_, Option<i64>>(
        "SELECT MIN(seq) FROM entries WHERE time >= ? AND time < ?",
    )
    .bind(from.map_or(i64::MIN, Timestamp::unix_ms))
    .bind(to.map_or(i64::MAX, Timestamp::unix_ms))
    .fetch_one(read)
    .await
    .map(|seq| seq.map(unsigned))
}

/// The first of the entries `after < seq <= upto` that is held, if there is one.
pub(crate) async fn held(
    connection: &mut SqliteConnection,
    after: u64,
    upto: u64,
) -> sqlx::Result<Option<u64>> {
    if holds(&mut *connection).await?.is_empty() {
        return Ok(None);
    }
    sqlx::query_scalar::<_, Option<i64>>(
        "SELECT MIN(seq) FROM entries WHERE seq > ?1 AND seq <= ?2 AND EXISTS
             (SELECT 1 FROM holds WHERE (\"from\" IS NULL OR time >= \"from\")
                  AND (\"to\" IS NULL OR time < \"to\"))",
    )
    .bind(signed(after))
    .bind(signed(upto))
    .fetch_one(connection)
    .await
    .map(|seq| seq.map(unsigned))
}

/// The first intent that nobody answered, if there is one.
pub(crate) async fn first_open(read: impl SqliteExecutor<'_>) -> sqlx::Result<Option<u64>> {
    sqlx::query_scalar::<_, Option<i64>>(
        "SELECT MIN(seq) FROM entries AS intent WHERE kind = 'intent' AND NOT EXISTS
             (SELECT 1 FROM entries WHERE intent_seq = intent.seq)",
    )
    .fetch_one(read)
    .await
    .map(|seq| seq.map(unsigned))
}

/// The first of the entries up to `upto` that one after it answers, if there is one.
pub(crate) async fn first_answered_beyond(
    read: impl SqliteExecutor<'_>,
    upto: u64,
) -> sqlx::Result<Option<u64>> {
    sqlx::query_scalar::<_, Option<i64>>(
        "SELECT MIN(intent_seq) FROM entries WHERE intent_seq <= ?1 AND seq > ?1",
    )
    .bind(signed(upto))
    .fetch_one(read)
    .await
    .map(|seq| seq.map(unsigned))
}

/// The smallest stored checkpoint that is over at least `size` entries.
pub(crate) async fn checkpoint_over(
    read: impl SqliteExecutor<'_>,
    size: u64,
) -> sqlx::Result<Option<u64>> {
    sqlx::query_scalar::<_, Option<i64>>("SELECT MIN(size) FROM checkpoints WHERE size >= ?")
        .bind(signed(size))
        .fetch_one(read)
        .await
        .map(|size| size.map(unsigned))
}
