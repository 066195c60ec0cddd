//! The keys of `[snapshots]`.

use super::{Holds, Key, key};

pub const SNAPSHOTS: &[Key] = &[
    key(
        "keep",
        Holds::Number,
        Some("10"),
        "",
        "How many snapshots of a cluster stay; the oldest are removed, the newest never is.",
    ),
    key(
        "keep_mb",
        Holds::Number,
        Some("10240"),
        "",
        "How much all snapshots of a cluster may take, in megabytes.",
    ),
];
