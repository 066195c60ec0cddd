//! A member's state in a few words, for its row.

use crate::text::{duration, grouped};

#[must_use]
pub fn silent_for(milliseconds: u64) -> String {
    format!("silent for {}", duration(milliseconds))
}

/// `1,870 behind`
#[must_use]
pub fn behind(lag: u64) -> String {
    format!("{} behind", grouped(lag))
}

/// Why a silent member says nothing, with how long if it was ever heard.
#[must_use]
pub fn silent(heard_ms: Option<u64>, why: &str) -> String {
    match (heard_ms, why) {
        (Some(milliseconds), "") => silent_for(milliseconds),
        (Some(milliseconds), why) => format!("{}: {why}", silent_for(milliseconds)),
        (None, "") => "never heard".to_owned(),
        (None, why) => format!("never heard: {why}"),
    }
}

/// A member that answers while its lag cannot be told.
#[must_use]
pub fn lag_not_known() -> String {
    "it answers; how far behind it is is not known".to_owned()
}

#[must_use]
pub fn nobody_knows_where() -> String {
    "nobody knows where it answers".to_owned()
}

#[must_use]
pub fn not_asked_yet() -> String {
    "not asked yet".to_owned()
}
