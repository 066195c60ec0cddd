//! Entries that were copied outside, held against the log in a data directory: read only.

use std::path::Path;

use quorate_audit::{outside::Gathered, report::Report, tree::leaf};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{AUDIT_FILE, reading};
use crate::{ControlError, store::entries};

/// Entries read at once.
const RUN: u32 = 1_000;

/// Every entry that was kept outside must be in the log, to the byte; what is wrong becomes a
/// fault of the report. Entries before the first one that the log still holds are left out.
///
/// # Errors
/// `File`, `AuditUnavailable` or `Store` if the log cannot be read.
pub async fn hold_entries(
    directory: &Path,
    gathered: &Gathered,
    report: &mut Report,
) -> Result<(), ControlError> {
    for seq in &gathered.differing {
        report.fault(format!("two copies outside of entry {seq} differ"));
    }
    if gathered.cut > 0 {
        let cut = gathered.cut;
        report.note(format!("{cut} lines of the copies outside are cut off"));
    }
    let (Some((first, _)), Some((last, _))) = (
        gathered.entries.first_key_value(),
        gathered.entries.last_key_value(),
    ) else {
        return Ok(());
    };
    let file = directory.join(AUDIT_FILE);
    std::fs::metadata(&file).map_err(ControlError::file(&file))?;
    let options = SqliteConnectOptions::new().filename(&file).read_only(true);
    let mut connection = options.connect().await.map_err(ControlError::audit)?;
    let compared = compare(&mut connection, gathered, (*first, *last), report).await;
    let _closed_anyway = connection.close().await;
    compared.map_err(reading)
}

async fn compare(
    connection: &mut SqliteConnection,
    gathered: &Gathered,
    (first, last): (u64, u64),
    report: &mut Report,
) -> sqlx::Result<()> {
    let (mut after, mut same) = (first.saturating_sub(1), 0_u64);
    let begins = entries::run(&mut *connection, 0, u64::MAX >> 1, 1).await?;
    let begins = begins.first().map_or(1, |(seq, _)| *seq);
    loop {
        let run = entries::run(&mut *connection, after, last, RUN).await?;
        let Some((end, _)) = run.last() else {
            break;
        };
        after = *end;
        for (seq, bytes) in &run {
            match gathered.entries.get(seq) {
                Some(kept) if *kept == leaf(bytes) => same += 1,
                Some(_) => report.fault(format!(
                    "entry {seq} is not the one that was copied outside"
                )),
                None => {}
            }
        }
    }
    let missing = gathered.entries.range(after + 1..).count();
    if missing > 0 {
        report.fault(format!(
            "the copies outside reach entry {last}, but the log ends at {after}: the newest {} \
             are missing",
            last - after
        ));
    }
    let removed = gathered.entries.range(..begins).count();
    if removed > 0 {
        report.note(format!(
            "{removed} entries that were copied outside are no longer kept here"
        ));
    }
    report.note(format!(
        "{same} entries copied outside are those of the log"
    ));
    Ok(())
}
