//! How long the audit log keeps its entries.

use std::path::PathBuf;

use quorate_control::Retention;
use toml::{Table, Value};

use super::super::Section;

/// What rules for such logs ask for at least, in days.
const LEAST: u64 = 365;

/// `None` without `keep_days`: everything stays.
pub fn read(table: &Table, problems: &mut Vec<String>) -> Option<Retention> {
    let audit = Section::of(table, "audit");
    let own = Section(audit.0?.get("retention")?.as_table());
    let days = own.0?.get("keep_days").and_then(Value::as_integer);
    let Some(days) = days.and_then(|days| u64::try_from(days).ok()) else {
        problems.push("audit.retention: keep_days: expected a number of days".to_owned());
        return None;
    };
    let short = own.0?.get("allow_short").and_then(Value::as_bool);
    if days == 0 || (days < LEAST && short != Some(true)) {
        problems.push(format!(
            "audit.retention: keep_days: expected {LEAST} or more; fewer only with allow_short = \
             true, and never 0"
        ));
        return None;
    }
    Some(Retention {
        keep_days: days,
        archive_dir: own.text("archive_dir").map(PathBuf::from),
    })
}
