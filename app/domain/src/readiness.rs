//! Starting → no leader → catching up → ready to serve, and what reads a node may answer.

use serde::{Deserialize, Serialize};

use crate::observation::Answer;

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

/// What a node's readiness is judged by. A node's own commit minus its own applied index is no
/// part of it: that difference is 0 on an empty node.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Its answer in the newest look, if it is young enough to count.
    pub answer: Option<&'a Answer>,
    /// Its Raft goes on.
    pub alive: bool,
    pub leads: bool,
    pub names_a_leader: bool,
    pub lag: Option<u64>,
    /// Held to be lagging, hysteresis included.
    pub lagging: bool,
}

/// How far a node has come.
#[must_use]
pub fn readiness(evidence: Evidence<'_>) -> Readiness {
    match evidence.answer {
        Some(Answer::Sealed | Answer::NotStarted) => Readiness::Starting,
        Some(Answer::Answered) if !evidence.alive => Readiness::Unknown,
        Some(Answer::Answered) if !evidence.names_a_leader && !evidence.leads => {
            Readiness::NoLeader
        }
        Some(Answer::Answered) if evidence.lagging => Readiness::CatchingUp,
        Some(Answer::Answered) if evidence.lag.is_some() => Readiness::Ready,
        _ => Readiness::Unknown,
    }
}

/// The strongest read a node of this readiness may answer. Only the agreed leader answers
/// linearizable reads on every backend; a node whose lag is not known promises nothing.
#[must_use]
pub const fn reads(readiness: Readiness, is_agreed_leader: bool) -> Reads {
    match readiness {
        Readiness::Ready if is_agreed_leader => Reads::Linearizable,
        Readiness::Ready => Reads::BoundedStaleness,
        Readiness::CatchingUp | Readiness::NoLeader => Reads::Stale,
        Readiness::Starting | Readiness::Unknown => Reads::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_passes_from_starting_to_ready() {
        let level = Evidence {
            answer: Some(&Answer::Answered),
            alive: true,
            leads: false,
            names_a_leader: true,
            lag: Some(3),
            lagging: false,
        };
        let table = [
            (
                Evidence {
                    answer: Some(&Answer::Sealed),
                    ..level
                },
                Readiness::Starting,
                Reads::None,
            ),
            (
                Evidence {
                    answer: Some(&Answer::NotStarted),
                    ..level
                },
                Readiness::Starting,
                Reads::None,
            ),
            (
                Evidence {
                    names_a_leader: false,
                    ..level
                },
                Readiness::NoLeader,
                Reads::Stale,
            ),
            (
                Evidence {
                    lagging: true,
                    ..level
                },
                Readiness::CatchingUp,
                Reads::Stale,
            ),
            (level, Readiness::Ready, Reads::BoundedStaleness),
            (
                Evidence { lag: None, ..level },
                Readiness::Unknown,
                Reads::None,
            ),
            (
                Evidence {
                    alive: false,
                    ..level
                },
                Readiness::Unknown,
                Reads::None,
            ),
            (
                Evidence {
                    answer: None,
                    ..level
                },
                Readiness::Unknown,
                Reads::None,
            ),
        ];
        for (evidence, expected, may_read) in table {
            assert_eq!(readiness(evidence), expected, "{evidence:?}");
            assert_eq!(reads(expected, false), may_read, "{evidence:?}");
        }
        assert_eq!(reads(Readiness::Ready, true), Reads::Linearizable);
    }
}
