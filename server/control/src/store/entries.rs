//! Rows of the audit log, in a file of their own.
//!
//! A file of its own, because its rules differ: it is only ever inserted into, grows for ever,
//! is fsynced entry by entry, is verified offline without the rest, and when it is full the
//! console must still be able to read and to keep its sessions.

use quorate_domain::audit::{Entry, EntryKind, Filter, Outcome};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, SqlitePool, sqlite::SqliteRow};

use super::{signed, unsigned};

/// Rows of one statement; larger batches take several. Powers of two, so that few statements are
/// prepared.
const ROWS_MOST: usize = 64;

/// The number of the newest entry.
pub(crate) async fn last(connection: &mut SqliteConnection) -> sqlx::Result<u64> {
    sqlx::query_scalar::<_, i64>("SELECT COALESCE(MAX(seq), 0) FROM entries")
        .fetch_one(connection)
        .await
        .map(unsigned)
}

/// Inserts entries with their exact bytes, in order of their numbers.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    mut rows: &[(Entry, Vec<u8>)],
) -> sqlx::Result<()> {
    while !rows.is_empty() {
        let most = rows.len().min(ROWS_MOST);
        let (some, rest) = rows.split_at(most.checked_ilog2().map_or(1, |power| 1 << power));
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO entries (seq, bytes, time, kind, action, actor, actor_name, cluster,
                 change, intent_seq, outcome) ",
        );
        query.push_values(some, |mut row, (entry, bytes)| {
            row.push_bind(signed(entry.seq))
                .push_bind(bytes.as_slice())
                .push_bind(entry.time.unix_ms())
                .push_bind(kind_name(entry.kind))
                .push_bind(&entry.action)
                .push_bind(&entry.actor.subject)
                .push_bind(name_of(entry))
                .push_bind(entry.cluster.as_ref().map(|name| name.as_str()))
                .push_bind(entry.change.as_ref().map(|id| id.0.as_str()))
                .push_bind(entry.intent_seq.map(signed))
                .push_bind(entry.outcome.map(outcome_name));
        });
        query.build().execute(&mut *connection).await?;
        rows = rest;
    }
    Ok(())
}

/// What stands for the actor's name: where it is sealed, the id of its key.
fn name_of(entry: &Entry) -> &str {
    let part = entry.sealed.first().filter(|_| entry.actor.name.is_empty());
    part.and_then(|part| part.split_once('.'))
        .map_or(entry.actor.name.as_str(), |(id, _)| id)
}

/// Number and exact bytes of the entries `after < seq <= upto`, oldest first.
pub(crate) async fn run(
    read: impl sqlx::SqliteExecutor<'_>,
    after: u64,
    upto: u64,
    limit: u32,
) -> sqlx::Result<Vec<(u64, Vec<u8>)>> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT seq, bytes FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
    )
    .bind(signed(after))
    .bind(signed(upto))
    .bind(limit)
    .fetch_all(read)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(seq, bytes)| (unsigned(seq), bytes))
        .collect())
}

/// As [`run`], each with whether it meets `filter`; with `only`, just those that do. Kind and
/// outcome are those of the row of the list it stands in: an outcome belongs to its intent.
pub(crate) async fn run_matched(
    read: &SqlitePool,
    (filter, only): (&Filter, bool),
    after: u64,
    upto: u64,
    limit: u32,
) -> sqlx::Result<Vec<(u64, Vec<u8>, bool)>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT seq, bytes, (TRUE");
    if !only {
        narrow(&mut query, filter);
        narrow_row(&mut query, filter, upto);
    }
    query
        .push(") FROM entries AS entry WHERE seq > ")
        .push_bind(signed(after))
        .push(" AND seq <= ")
        .push_bind(signed(upto));
    if only {
        narrow(&mut query, filter);
        narrow_row(&mut query, filter, upto);
    }
    query.push(" ORDER BY seq LIMIT ").push_bind(limit);
    // Comparing with NULL gives NULL: the entry has no cluster, say, so it does not match.
    let rows: Vec<(i64, Vec<u8>, Option<bool>)> = query.build_query_as().fetch_all(read).await?;
    let row = |(seq, bytes, matched): (i64, Vec<u8>, Option<bool>)| {
        (unsigned(seq), bytes, matched.unwrap_or(false))
    };
    Ok(rows.into_iter().map(row).collect())
}

/// The columns beside an entry's bytes, by which lists are narrowed.
pub(crate) struct Indexed {
    pub(crate) seq: i64,
    pub(crate) bytes: Vec<u8>,
    time: i64,
    kind: String,
    action: String,
    actor: String,
    actor_name: String,
    cluster: Option<String>,
    change: Option<String>,
    intent_seq: Option<i64>,
    outcome: Option<String>,
}

impl<'r> sqlx::FromRow<'r, SqliteRow> for Indexed {
    fn from_row(row: &'r SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            seq: row.try_get(0)?,
            bytes: row.try_get(1)?,
            time: row.try_get(2)?,
            kind: row.try_get(3)?,
            action: row.try_get(4)?,
            actor: row.try_get(5)?,
            actor_name: row.try_get(6)?,
            cluster: row.try_get(7)?,
            change: row.try_get(8)?,
            intent_seq: row.try_get(9)?,
            outcome: row.try_get(10)?,
        })
    }
}

impl Indexed {
    /// Whether the columns say what the bytes say.
    pub(crate) fn agrees_with(&self, entry: &Entry) -> bool {
        self.seq == signed(entry.seq)
            && self.time == entry.time.unix_ms()
            && self.kind == kind_name(entry.kind)
            && self.action == entry.action
            && self.actor == entry.actor.subject
            && self.actor_name == name_of(entry)
            && self.cluster.as_deref() == entry.cluster.as_ref().map(|name| name.as_str())
            && self.change.as_deref() == entry.change.as_ref().map(|id| id.0.as_str())
            && self.intent_seq == entry.intent_seq.map(signed)
            && self.outcome.as_deref() == entry.outcome.map(outcome_name)
    }
}

/// Entries with all their columns, `seq > after`, oldest first.
pub(crate) async fn indexed(
    read: impl sqlx::SqliteExecutor<'_>,
    after: i64,
    limit: u32,
) -> sqlx::Result<Vec<Indexed>> {
    sqlx::query_as(
        "SELECT seq, bytes, time, kind, action, actor, actor_name, cluster, change, intent_seq,
             outcome
         FROM entries WHERE seq > ? ORDER BY seq LIMIT ?",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(read)
    .await
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
    narrow_kind(&mut query, "entry.kind", filter);
    if let Some(outcome) = filter.outcome {
        query
            .push(" AND entry.outcome = ")
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
    narrow_kind(&mut query, "entry.kind", filter);
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

/// By kind and outcome of the whole row an entry stands in, as the first `upto` entries tell it.
fn narrow_row(query: &mut QueryBuilder<Sqlite>, filter: &Filter, upto: u64) {
    // Whoever asks for outcomes means these entries themselves.
    let kind = if filter.kinds.contains(&EntryKind::Outcome) {
        "entry.kind"
    } else {
        "COALESCE((SELECT kind FROM entries WHERE seq = entry.intent_seq), entry.kind)"
    };
    narrow_kind(query, kind, filter);
    if let Some(outcome) = filter.outcome {
        let newest = " AND COALESCE((SELECT outcome FROM entries
             WHERE intent_seq = COALESCE(entry.intent_seq, entry.seq) AND seq <= ";
        query
            .push(newest)
            .push_bind(signed(upto))
            .push(" ORDER BY seq DESC LIMIT 1), entry.outcome) = ")
            .push_bind(outcome_name(outcome));
    }
}

fn narrow_kind(query: &mut QueryBuilder<Sqlite>, kind: &'static str, filter: &Filter) {
    if filter.kinds.is_empty() {
        return;
    }
    query.push(" AND ").push(kind).push(" IN (");
    let mut separated = query.separated(", ");
    for kind in &filter.kinds {
        separated.push_bind(kind_name(*kind));
    }
    query.push(")");
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
            .push(" OR entry.actor_name IN (SELECT id FROM people WHERE name = ")
            .push_bind(actor.clone())
            .push(" OR subject = ")
            .push_bind(actor.clone())
            .push("))");
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

/// Whether the newest start of a console was followed by its stop.
pub(crate) async fn last_stopped(read: &SqlitePool) -> sqlx::Result<bool> {
    let last: Option<String> = sqlx::query_scalar(
        "SELECT action FROM entries WHERE kind = 'console' AND action IN ('started', 'stopped')
         ORDER BY seq DESC LIMIT 1",
    )
    .fetch_optional(read)
    .await?;
    Ok(last.is_none_or(|action| action == "stopped"))
}

/// Exact bytes of the newest start of a console.
pub(crate) async fn last_started(read: &SqlitePool) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar(
        "SELECT bytes FROM entries WHERE kind = 'console' AND action = 'started'
         ORDER BY seq DESC LIMIT 1",
    )
    .fetch_optional(read)
    .await
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
