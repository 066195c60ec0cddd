//! All actions: their names, what they need, how dangerous they are.

use serde::{Deserialize, Serialize};

use crate::cluster::MemberId;

/// What an operator asks for. On the wire: `{"action":"promote","member":"n4"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", try_from = "Asked")]
pub enum Action {
    AddLearner {
        /// The newcomer's API address on OpenBao, its peer address on etcd, its Raft or agent
        /// address elsewhere.
        address: String,
        /// The id it is expected to have, optional where the backend tells.
        #[serde(skip_serializing_if = "Option::is_none")]
        member: Option<MemberId>,
    },
    Promote {
        member: MemberId,
    },
    Demote {
        member: MemberId,
    },
    Remove {
        member: MemberId,
    },
    Transfer {
        /// Optional where the backend chooses.
        #[serde(skip_serializing_if = "Option::is_none")]
        member: Option<MemberId>,
    },
    Snapshot,
    /// Has one member write its store anew without gaps; it answers nothing meanwhile.
    Defragment {
        member: MemberId,
    },
    /// Has the leader look through its data for what is inconsistent, and repair none of it.
    CheckIntegrity,
}

/// An action as it is read: the verb beside all an action may hold, which is much less code in the
/// browser than a tagged enum.
#[derive(Deserialize)]
struct Asked {
    action: Verb,
    address: Option<String>,
    member: Option<MemberId>,
}

impl TryFrom<Asked> for Action {
    type Error = &'static str;

    fn try_from(asked: Asked) -> Result<Self, Self::Error> {
        let member = asked.member;
        let named = member.clone().ok_or("missing field `member`");
        Ok(match asked.action {
            Verb::AddLearner => Self::AddLearner {
                address: asked.address.ok_or("missing field `address`")?,
                member,
            },
            Verb::Promote => Self::Promote { member: named? },
            Verb::Demote => Self::Demote { member: named? },
            Verb::Remove => Self::Remove { member: named? },
            Verb::Transfer => Self::Transfer { member },
            Verb::Snapshot => Self::Snapshot,
            Verb::Defragment => Self::Defragment { member: named? },
            Verb::CheckIntegrity => Self::CheckIntegrity,
        })
    }
}

/// The action's name without its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    AddLearner,
    Promote,
    Demote,
    Remove,
    Transfer,
    Snapshot,
    Defragment,
    CheckIntegrity,
}

impl Verb {
    pub const ALL: [Self; 8] = [
        Self::AddLearner,
        Self::Promote,
        Self::Demote,
        Self::Remove,
        Self::Transfer,
        Self::Snapshot,
        Self::Defragment,
        Self::CheckIntegrity,
    ];

    /// What every driver speaks of, if only to say why it cannot; the others are offered only
    /// where they mean something.
    pub const USUAL: [Self; 6] = [
        Self::AddLearner,
        Self::Promote,
        Self::Demote,
        Self::Remove,
        Self::Transfer,
        Self::Snapshot,
    ];

    /// The name in REST, audit entries and the command line's JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddLearner => "add_learner",
            Self::Promote => "promote",
            Self::Demote => "demote",
            Self::Remove => "remove",
            Self::Transfer => "transfer",
            Self::Snapshot => "snapshot",
            Self::Defragment => "defragment",
            Self::CheckIntegrity => "check_integrity",
        }
    }
}

impl Action {
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::AddLearner { .. } => Verb::AddLearner,
            Self::Promote { .. } => Verb::Promote,
            Self::Demote { .. } => Verb::Demote,
            Self::Remove { .. } => Verb::Remove,
            Self::Transfer { .. } => Verb::Transfer,
            Self::Snapshot => Verb::Snapshot,
            Self::Defragment { .. } => Verb::Defragment,
            Self::CheckIntegrity => Verb::CheckIntegrity,
        }
    }

    /// The member it is about, where it names one.
    #[must_use]
    pub const fn member(&self) -> Option<&MemberId> {
        match self {
            Self::AddLearner { member, .. } | Self::Transfer { member } => member.as_ref(),
            Self::Promote { member }
            | Self::Demote { member }
            | Self::Remove { member }
            | Self::Defragment { member } => Some(member),
            Self::Snapshot | Self::CheckIntegrity => None,
        }
    }

    /// Whether it takes the cluster's one place for running changes.
    #[must_use]
    pub const fn takes_the_slot(&self) -> bool {
        !matches!(self, Self::Snapshot)
    }

    /// Removing a member asks for its name to be typed; nothing else does.
    #[must_use]
    pub const fn asks_for_name(&self) -> bool {
        matches!(self, Self::Remove { .. })
    }
}
