//! Starting → no leader → catching up → ready to serve, and what reads a node may answer.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    Unknown,
    Starting,
    NoLeader,
    CatchingUp,
    Ready,
}

/// The strongest read a node can answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    None,
    Stale,
    BoundedStaleness,
    Linearizable,
}
