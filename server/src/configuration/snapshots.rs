//! How many snapshots stay in the data directory.

use quorate_control::SnapshotsKept;
use toml::{Table, Value};

use super::Section;

pub fn read(table: &Table, problems: &mut Vec<String>) -> SnapshotsKept {
    let section = Section::of(table, "snapshots");
    let number = |key: &str| {
        let value = section.0.and_then(|table| table.get(key));
        value
            .and_then(Value::as_integer)
            .and_then(|value| u64::try_from(value).ok())
    };
    let usual = SnapshotsKept::default();
    let count = number("keep").unwrap_or(usual.count);
    if count == 0 {
        problems.push("snapshots.keep: expected 1 or more; the newest always stays".to_owned());
    }
    SnapshotsKept {
        count,
        bytes: number("keep_mb").map_or(usual.bytes, |megabytes| {
            megabytes.saturating_mul(1024 * 1024)
        }),
    }
}
