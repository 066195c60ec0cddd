//! Rows of the audit log, in a file of their own.
//!
//! A file of its own, because its rules differ: it is only ever inserted into, grows for ever,
//! is fsynced entry by entry, is verified offline without the rest, and when it is full the
//! console must still be able to read and to keep its sessions.

use quorate_domain::audit::{Entry, EntryKind, Filter, Outcome};
use sqlx::{Connection as _, QueryBuilder, Sqlite, SqliteConnection, SqlitePool};

use super::{signed, unsigned};

/// Inserts an entry under the next number. `finish` gets the number and gives the entry with
/// its bytes.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    finish: impl FnOnce(u64) -> sqlx::Result<(Entry, Vec<u8>)>,
) -> sqlx::Result<Entry> {
    // The number is read under the write lock: the command line may write beside the console.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let last: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM entries")
        .fetch_one(&mut *transaction)
        .await?;
    let (entry, bytes) = finish(unsigned(last) + 1)?;
    sqlx::query(
        "INSERT INTO entries (seq, bytes, time, kind, action, actor, actor_name, cluster, change,
             intent_seq, outcome)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(signed(entry.seq))
    .bind(bytes)
    .bind(entry.time.unix_ms())
    .bind(kind_name(entry.kind))
    .bind(&entry.action)
    .bind(&entry.actor.subject)
    .bind(&entry.actor.name)
    .bind(entry.cluster.as_ref().map(|name| name.as_str().to_owned()))
    .bind(entry.change.as_ref().map(|id| id.0.clone()))
    .bind(entry.intent_seq.map(signed))
    .bind(entry.outcome.map(outcome_name))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(entry)
}

/// Exact bytes of entries with `seq > after`, oldest first.
pub(crate) async fn list(
    read: &SqlitePool,
    filter: &Filter,
    after: u64,
    limit: u32,
) -> sqlx::Result<Vec<Vec<u8>>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT bytes FROM entries AS entry WHERE seq > ");
    query.push_bind(signed(after));
    narrow(&mut query, filter);
    if let Some(outcome) = filter.outcome {
        query
            .push(" AND outcome = ")
            .push_bind(outcome_name(outcome));
    }
    query.push(" ORDER BY seq LIMIT ").push_bind(limit);
    query.build_query_scalar().fetch_all(read).await
}

/// Exact bytes of rows (no outcomes, unless asked for), each with its newest outcome's; newest
/// first.
pub(crate) async fn rows(
    read: &SqlitePool,
    filter: &Filter,
    before: Option<u64>,
    limit: u32,
) -> sqlx::Result<Vec<(Vec<u8>, Option<Vec<u8>>)>> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT entry.bytes, answer.bytes FROM entries AS entry
         LEFT JOIN entries AS answer ON answer.seq =
             (SELECT MAX(seq) FROM entries WHERE intent_seq = entry.seq)
         WHERE entry.seq < ",
    );
    query.push_bind(before.map_or(i64::MAX, signed));
    if !filter.kinds.contains(&EntryKind::Outcome) {
        query.push(" AND entry.intent_seq IS NULL");
    }
    narrow(&mut query, filter);
    if let Some(outcome) = filter.outcome {
        query
            .push(" AND COALESCE(answer.outcome, entry.outcome) = ")
            .push_bind(outcome_name(outcome));
    }
    query
        .push(" ORDER BY entry.seq DESC LIMIT ")
        .push_bind(limit);
    query.build_query_as().fetch_all(read).await
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &Filter) {
    if let Some(from) = filter.from {
        query.push(" AND entry.time >= ").push_bind(from.unix_ms());
    }
    if let Some(to) = filter.to {
        query.push(" AND entry.time < ").push_bind(to.unix_ms());
    }
    if let Some(cluster) = &filter.cluster {
        query
            .push(" AND entry.cluster = ")
            .push_bind(cluster.clone());
    }
    if let Some(change) = &filter.change {
        query.push(" AND entry.change = ").push_bind(change.clone());
    }
    if let Some(actor) = &filter.actor {
        query.push(" AND (entry.actor = ").push_bind(actor.clone());
        query
            .push(" OR entry.actor_name = ")
            .push_bind(actor.clone())
            .push(")");
    }
    if !filter.kinds.is_empty() {
        query.push(" AND entry.kind IN (");
        let mut separated = query.separated(", ");
        for kind in &filter.kinds {
            separated.push_bind(kind_name(*kind));
        }
        query.push(")");
    }
}

/// Exact bytes of one entry.
pub(crate) async fn one(read: &SqlitePool, seq: u64) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar("SELECT bytes FROM entries WHERE seq = ?")
        .bind(signed(seq))
        .fetch_optional(read)
        .await
}

/// Exact bytes of the newest entry that answers `seq`.
pub(crate) async fn answer(read: &SqlitePool, seq: u64) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar("SELECT bytes FROM entries WHERE intent_seq = ? ORDER BY seq DESC LIMIT 1")
        .bind(signed(seq))
        .fetch_optional(read)
        .await
}

pub(crate) async fn size(read: &SqlitePool) -> sqlx::Result<u64> {
    sqlx::query_scalar::<_, i64>("SELECT COALESCE(MAX(seq), 0) FROM entries")
        .fetch_one(read)
        .await
        .map(unsigned)
}

/// Exact bytes of intents nobody answered, oldest first.
pub(crate) async fn open_intents(read: &SqlitePool) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar(
        "SELECT bytes FROM entries AS intent WHERE kind = 'intent' AND NOT EXISTS
             (SELECT 1 FROM entries WHERE intent_seq = intent.seq)
         ORDER BY seq",
    )
    .fetch_all(read)
    .await
}

/// The intent of a change, if one was ever recorded.
pub(crate) async fn intent_of(read: &SqlitePool, change: &str) -> sqlx::Result<Option<u64>> {
    sqlx::query_scalar::<_, i64>("SELECT seq FROM entries WHERE change = ? AND kind = 'intent'")
        .bind(change)
        .fetch_optional(read)
        .await
        .map(|seq| seq.map(unsigned))
}

/// The entry as its bytes tell it.
pub(crate) fn read_back(bytes: &[u8]) -> sqlx::Result<Entry> {
    serde_json::from_slice(bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

const fn kind_name(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Intent => "intent",
        EntryKind::Outcome => "outcome",
        EntryKind::Refusal => "refusal",
        EntryKind::Access => "access",
        EntryKind::Console => "console",
    }
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
        Outcome::Unknown => "unknown",
    }
}
