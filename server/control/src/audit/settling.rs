//! Moves what is written ahead into the log's file, beside the writer.
//!
//! Entries are durable with the write-ahead file alone; moving them is house-keeping of several
//! megabytes and two more synchronisations, for which no intent waits. Only where this falls
//! behind by far does the writer move them itself.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::{sync::watch, time::Instant};

use super::{shared::Shared, writer};
use crate::store;

/// What is written meanwhile is moved together.
const EVERY: Duration = Duration::from_secs(1);
/// What came while the last was moved is moved at once, that the file can begin anew.
const AT_ONCE_MOST: u32 = 3;
/// Pages written ahead beyond which the writer moves them itself: 64 MB.
pub(super) const LONG: i64 = 16 * 1_024;

/// The longest that cutting it off waits for others at once.
const CUT_OFF_WAIT: Duration = Duration::from_millis(100);

/// Pages that stand in the write-ahead file, and how many of these are moved.
pub(super) struct Moved {
    pub(super) written: i64,
    moved: i64,
}

/// Moves what can be moved without making anybody wait.
pub(super) async fn settle(connection: &mut SqliteConnection) -> sqlx::Result<Moved> {
    let began = Instant::now();
    let (_busy, written, moved): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)")
        .fetch_one(connection)
        .await?;
    metrics::histogram!("quorate_audit_settle_seconds").record(began.elapsed().as_secs_f64());
    Ok(Moved { written, moved })
}

/// Moves everything and cuts the write-ahead file off, so that what was deleted stands in it no
/// more; whether that could be done. Who reads or moves meanwhile is waited for, a little: nobody
/// writes as long.
pub(super) async fn cut_off(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    waiting_for(connection, CUT_OFF_WAIT).await?;
    let cut = sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(&mut *connection)
        .await;
    waiting_for(connection, store::BUSY_TIMEOUT).await?;
    Ok(cut? == 0)
}

/// Taken back before, so that what is destroyed meanwhile is not forgotten.
async fn cut_off_traces(connection: &mut SqliteConnection, shared: &Shared) -> sqlx::Result<()> {
    if !shared.takes_traces() {
        return Ok(());
    }
    let cut = cut_off(connection).await;
    if !matches!(cut, Ok(true)) {
        shared.leaves_traces();
    }
    cut.map(|_| ())
}

async fn waiting_for(connection: &mut SqliteConnection, most: Duration) -> sqlx::Result<()> {
    let pragma = format!("PRAGMA busy_timeout = {}", most.as_millis());
    sqlx::raw_sql(sqlx::AssertSqlSafe(pragma))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Runs until the writer is gone.
pub(super) async fn run(
    file: PathBuf,
    identity: Option<(u64, u64)>,
    mut grown: watch::Receiver<u64>,
    shared: Arc<Shared>,
) {
    let mut connection: Option<SqliteConnection> = None;
    while goes_on(&mut grown, &shared).await {
        tokio::time::sleep(EVERY).await;
        // The writer says what is wrong with a file that is another.
        if writer::identity(&file) != identity {
            continue;
        }
        match round(connection.take(), &file, &shared).await {
            Ok(sound) => connection = Some(sound),
            Err(error) => {
                tracing::warn!(%error, "what the audit log wrote ahead could not be moved");
            }
        }
    }
    if let Some(connection) = connection {
        let _closed_anyway = connection.close().await;
    }
}

/// Until there is something to move, or still something to cut off.
async fn goes_on(grown: &mut watch::Receiver<u64>, shared: &Shared) -> bool {
    match shared.has_traces() {
        true => grown.has_changed().is_ok(),
        false => grown.changed().await.is_ok(),
    }
}

async fn round(
    connection: Option<SqliteConnection>,
    file: &std::path::Path,
    shared: &Shared,
) -> sqlx::Result<SqliteConnection> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => {
            let options = store::options(file).create_if_missing(false);
            options.connect().await?
        }
    };
    for _ in 0..AT_ONCE_MOST {
        let moved = settle(&mut connection).await?;
        shared.settled(&moved);
        if moved.moved >= moved.written {
            break;
        }
    }
    cut_off_traces(&mut connection, shared).await?;
    Ok(connection)
}
