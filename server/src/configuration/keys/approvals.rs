//! The keys of `[[approvals]]`.

use super::{Holds, Key, key};

pub const EXPIRES_AFTER_MS: u64 = 3_600_000;
pub const EXECUTE_WITHIN_MS: u64 = 300_000;

pub const APPROVAL: &[Key] = &[
    key(
        "actions",
        Holds::Texts,
        None,
        "[\"remove\", \"demote\"]",
        "Which actions need approval, as REST names them; \"*\" is all of them.",
    ),
    key(
        "approvals",
        Holds::Number,
        Some("1"),
        "",
        "By how many other people with the role approver: 1 to 10.",
    ),
    key(
        "clusters",
        Holds::Texts,
        Some("[\"*\"]"),
        "",
        "Where: names of clusters, or \"*\".",
    ),
    key(
        "tags",
        Holds::Texts,
        Some("[]"),
        "",
        "Only on clusters with one of these tags; empty: on all.",
    ),
    key(
        "expires_after_ms",
        Holds::Number,
        Some("3600000"),
        "",
        "How long a request waits before it expires: 1000 to 2592000000 (30 days).",
    ),
    key(
        "execute_within_ms",
        Holds::Number,
        Some("300000"),
        "",
        "How long after the last approval the change may begin: 1000 to 86400000.",
    ),
];
