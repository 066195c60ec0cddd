//! How long sessions live: `session_idle_ms` and `session_absolute_ms`, in every mode.

use std::{ops::RangeInclusive, time::Duration};

use toml::Table;

use super::super::Section;
use crate::sessions::{ABSOLUTE, IDLE};

const IDLE_MS: RangeInclusive<u64> = 60_000..=86_400_000;
const ABSOLUTE_MS: RangeInclusive<u64> = 300_000..=86_400_000;

/// After how long a silence a session ends, and after how long in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lives {
    pub idle: Duration,
    pub absolute: Duration,
}

pub fn read(table: &Table, problems: &mut Vec<String>) -> Lives {
    let identity = Section::of(table, "identity");
    let mut life = |key: &str, allowed: RangeInclusive<u64>, usual: Duration| {
        let Some(given) = identity.0.and_then(|table| table.get(key)) else {
            return usual;
        };
        let given = given.as_integer().and_then(|ms| u64::try_from(ms).ok());
        match given.filter(|ms| allowed.contains(ms)) {
            Some(ms) => Duration::from_millis(ms),
            None => {
                let (least, most) = allowed.into_inner();
                problems.push(format!("identity.{key}: expected {least} to {most}"));
                usual
            }
        }
    };
    let idle = life("session_idle_ms", IDLE_MS, IDLE);
    let absolute = life("session_absolute_ms", ABSOLUTE_MS, ABSOLUTE);
    Lives { idle, absolute }
}
