//! What this program replicates, in openraft's terms.

use openraft::alias::{EntryOf, LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf, VoteOf};
use serde::{Deserialize, Serialize};

openraft::declare_raft_types!(
    /// The program's Raft types: `u64` ids, an address as node.
    pub TypeConfig: D = Command, R = Reply
);

pub type Raft = openraft::Raft<TypeConfig, crate::Machine>;
pub type Entry = EntryOf<TypeConfig>;
pub type LogId = LogIdOf<TypeConfig>;
pub type Vote = VoteOf<TypeConfig>;
pub type StoredMembership = StoredMembershipOf<TypeConfig>;
pub type SnapshotMeta = SnapshotMetaOf<TypeConfig>;
pub type Snapshot = SnapshotOf<TypeConfig, Vec<u8>>;

/// What a log entry asks the state machine to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Set {
        key: String,
        value: String,
    },
    /// How many writes a second the leader makes by itself.
    Load {
        per_second: u32,
    },
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Set { key, .. } => write!(f, "set {key}"),
            Self::Load { per_second } => write!(f, "load {per_second}/s"),
        }
    }
}

/// What applying an entry answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The value that was there before.
    pub previous: Option<String>,
}

/// A member's id as people read it.
#[must_use]
pub fn member_of(id: u64) -> String {
    format!("node-{id}")
}

/// The inverse of [`member_of`]; nothing else is an id.
#[must_use]
pub fn id_of(member: &str) -> Option<u64> {
    let id = member.strip_prefix("node-")?.parse().ok()?;
    (member == member_of(id)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_members_name_leads_back_to_its_id_and_nothing_else_does() {
        assert_eq!(id_of(&member_of(17)), Some(17));
        for wrong in ["17", "node-", "node-01", "node--1", "Node-1", "node-1 "] {
            assert_eq!(id_of(wrong), None, "{wrong}");
        }
    }
}
