//! What a cluster is: its members, their roles, and the membership they agreed on.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

text_id!(
    /// The name a cluster is registered under in this console.
    ClusterName
);
text_id!(
    /// A member's id as its backend writes it.
    MemberId
);
text_id!(
    /// Identity of a membership: the backend's own compare-and-set token, or
    /// [`Membership::hash`] where there is none.
    Revision
);

/// A Raft term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term(pub u64);

impl std::fmt::Display for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which system a cluster runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Agent,
    Openbao,
    Vault,
    Etcd,
    Openziti,
    Raftadmin,
    Simulated,
}

impl Kind {
    /// The name as people write it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Openbao => "OpenBao",
            Self::Vault => "Vault",
            Self::Etcd => "etcd",
            Self::Openziti => "OpenZiti",
            Self::Raftadmin => "raftadmin",
            Self::Simulated => "Simulated",
        }
    }
}

/// A member's part in elections. Leading is not a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Voter,
    Learner,
    Witness,
}

impl Role {
    /// Voters and witnesses count towards the majority.
    #[must_use]
    pub const fn votes(self) -> bool {
        matches!(self, Self::Voter | Self::Witness)
    }
}

/// One line of a membership list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: MemberId,
    /// What people call it; the id where the backend has no name.
    pub name: String,
    /// Raft (peer) address.
    pub address: String,
    /// Where its API or agent answers, if the cluster tells or a pattern says so.
    pub api_address: Option<String>,
    pub zone: Option<String>,
    pub role: Role,
    /// A wish the backend has accepted and not yet carried out.
    pub wanted_role: Option<Role>,
}

/// The membership of one cluster (or group) as one node reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub members: Vec<Member>,
    /// The voter sets that must each reach a majority: one normally, two while a
    /// joint change is under way.
    pub configs: Vec<Vec<MemberId>>,
    pub revision: Revision,
}

impl Membership {
    /// A simple (not joint) membership, with [`Membership::hash`] as its revision.
    #[must_use]
    pub fn simple(mut members: Vec<Member>) -> Self {
        members.sort_by(|a, b| a.id.cmp(&b.id));
        let voters = members
            .iter()
            .filter(|m| m.role.votes())
            .map(|m| m.id.clone())
            .collect();
        let revision = Self::hash(&members);
        Self {
            members,
            configs: vec![voters],
            revision,
        }
    }

    /// SHA-256 over the sorted (id, address, role) lines, as 16 hex digits; the
    /// leader and wishes are no part of it.
    #[must_use]
    pub fn hash(members: &[Member]) -> Revision {
        let mut lines: Vec<String> = members
            .iter()
            .map(|m| format!("{}\t{}\t{:?}\n", m.id, m.address, m.role))
            .collect();
        lines.sort();
        let digest = Sha256::digest(lines.concat().as_bytes());
        Revision(
            digest
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    #[must_use]
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    /// All that vote in any of the configurations.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.role.votes())
    }
}

/// Limits above which a figure becomes a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Entries behind the leader from which a member counts as catching up.
    pub lag_warn: u64,
    /// Entries behind the leader up to which a learner may be promoted.
    pub lag_promote: u64,
    /// Silence after which it is a finding of its own, in milliseconds.
    pub silent_after_ms: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            lag_warn: 1_000,
            lag_promote: 100,
            silent_after_ms: 5_000,
        }
    }
}
