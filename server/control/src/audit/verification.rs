//! The log in a data directory, verified without a console: read only, nothing is written.

use std::path::Path;

use quorate_audit::{
    checkpoint::Signed,
    note::verifier_keys,
    personal::People,
    report::Report,
    trust::Trust,
    verify::{Known, Walk},
};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{AUDIT_FILE, reading, trouble::Trouble};
use crate::{
    ControlError,
    store::{checkpoints, entries, people, removals},
};

/// Rows read at once.
const RUN: u32 = 1_000;

/// Verifies the log in `directory`: entries against every stored checkpoint, against the columns
/// they are found by, and against checkpoints kept elsewhere.
///
/// # Errors
/// `AuditUnavailable`, `Store` if it cannot be read at all; everything else is in the report.
pub async fn verify_log(directory: &Path, known: Known<'_>) -> Result<Report, ControlError> {
    let file = directory.join(AUDIT_FILE);
    std::fs::metadata(&file).map_err(ControlError::file(&file))?;
    let options = SqliteConnectOptions::new().filename(&file).read_only(true);
    let mut connection = options.connect().await.map_err(ControlError::audit)?;
    // One transaction: what is written meanwhile is not seen half.
    let mut reading_all = connection.begin().await.map_err(reading)?;
    let report = verify(&mut reading_all, known).await;
    drop(reading_all);
    let _closed_anyway = connection.close().await;
    report
}

/// The keys of people that the log in `directory` has.
///
/// # Errors
/// `AuditUnavailable`, `File`, `Store`.
pub async fn people(directory: &Path) -> Result<People, ControlError> {
    let file = directory.join(AUDIT_FILE);
    std::fs::metadata(&file).map_err(ControlError::file(&file))?;
    let options = SqliteConnectOptions::new().filename(&file).read_only(true);
    let mut connection = options.connect().await.map_err(ControlError::audit)?;
    let people = people::all(&mut connection).await.map_err(reading);
    let _closed_anyway = connection.close().await;
    people
}

async fn verify(
    connection: &mut SqliteConnection,
    known: Known<'_>,
) -> Result<Report, ControlError> {
    let newest = checkpoints::newest(&mut *connection)
        .await
        .map_err(reading)?;
    let damaged = |size| move |_| ControlError::from(Trouble::Changed { size });
    let own = checkpoints::keys(&mut *connection).await.map_err(reading)?;
    let own = verifier_keys(&own.join("\n")).map_err(damaged(0))?;
    let mut notes = Vec::new();
    if let Some(newest) = &newest {
        let earlier = checkpoints::successions(&mut *connection, newest.size).await;
        for note in earlier.map_err(reading)?.iter().chain([&newest.note]) {
            notes.push(Signed::parse(note).map_err(damaged(newest.size))?);
        }
    }
    let origin = notes
        .last()
        .map_or("", |signed| signed.checkpoint.origin.as_str());
    let mut report = Report::new("database", origin);
    if notes.is_empty() {
        report.fault("nothing in this log was ever signed");
    }
    let trust = Trust::settle(known.keys, &own, &notes, &mut report);
    let mut walk = Walk::new(report);
    let signed = expect_stored(connection, &mut walk)
        .await
        .map_err(reading)?;
    trust.expect_outside(known.outside, &mut walk);
    let blocks = checkpoints::blocks(&mut *connection, u64::MAX).await;
    walk.expect_blocks(blocks.map_err(reading)?);
    walk.with_people(people::all(&mut *connection).await.map_err(reading)?);
    let removed = walk_removed(connection, &mut walk).await.map_err(reading)?;
    walk_entries(connection, &mut walk).await.map_err(reading)?;
    let mut report = walk.finish();
    if removed > 0 && report.removed.is_none() {
        report.fault(format!(
            "entries 1 to {removed} are gone, and no entry says that they were removed"
        ));
    }
    report.unsigned = report.size.saturating_sub(signed);
    Ok(report)
}

/// Every stored checkpoint tells a root; gives the size of the largest.
async fn expect_stored(connection: &mut SqliteConnection, walk: &mut Walk) -> sqlx::Result<u64> {
    let mut after = 0;
    loop {
        let some = checkpoints::list(&mut *connection, after, RUN).await?;
        let Some(last) = some.last() else {
            return Ok(after);
        };
        after = last.size;
        for stored in &some {
            match Signed::parse(&stored.note) {
                Ok(signed) if signed.checkpoint.size == stored.size => {
                    walk.expect(&signed.checkpoint, "a stored checkpoint");
                }
                _ => walk
                    .report
                    .fault(format!("the stored checkpoint {} is damaged", stored.size)),
            }
        }
    }
}

/// The hashes of entries that were removed; how many there are.
async fn walk_removed(connection: &mut SqliteConnection, walk: &mut Walk) -> sqlx::Result<u64> {
    for block in 0..removals::blocks(&mut *connection).await? {
        let leaves = removals::leaves(&mut *connection, block).await?;
        for (index, leaf) in (walk.size()..).zip(leaves.unwrap_or_default()) {
            walk.gap(0, index, leaf);
        }
    }
    Ok(walk.size())
}

async fn walk_entries(connection: &mut SqliteConnection, walk: &mut Walk) -> sqlx::Result<()> {
    let mut after = i64::MIN;
    loop {
        let run = entries::indexed(&mut *connection, after, RUN).await?;
        let Some(last) = run.last() else {
            return Ok(());
        };
        after = last.seq;
        for row in &run {
            walk.entry(&row.bytes);
            let agrees = entries::read_back(&row.bytes).is_ok_and(|entry| row.agrees_with(&entry));
            if !agrees {
                walk.report.fault(format!(
                    "entry {} is listed under other words than its record says",
                    row.seq
                ));
            }
        }
    }
}
