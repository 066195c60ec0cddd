//! The protocol's shapes. Unknown fields are ignored on reading, unknown values are `null`.
//!
//! Ages are milliseconds counted on the node that answers; no wall-clock time travels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The protocol version this crate speaks.
pub const PROTOCOL: u32 = 1;

/// Who answers here, and what it can do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    pub protocol: u32,
    /// `openraft`
    pub implementation: String,
    pub library_version: String,
    pub agent_version: String,
    /// Name and version of the host program.
    pub program: String,
    pub cluster_id: Option<String>,
    pub member: String,
    /// Changes when the node's process or data is replaced.
    pub instance: String,
    /// What the caller's credential may do: `read`, `change`.
    pub rights: Vec<String>,
    pub capabilities: Vec<Capability>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    pub action: Verb,
    pub supported: bool,
    /// Whether the action may name its target.
    pub target: bool,
    pub note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    AddLearner,
    Promote,
    Demote,
    Remove,
    Transfer,
    Snapshot,
}

/// What a node is to its group at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Leader,
    Follower,
    Candidate,
    Learner,
    /// Runs and belongs to no cluster yet.
    Outside,
    /// The Raft core does not run any more, although the process answers.
    Stopped,
}

/// A node's own view of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    pub group: String,
    pub member: String,
    pub instance: String,
    pub state: State,
    pub term: u64,
    /// Whom it names as leader.
    pub leader: Option<String>,
    /// It leads as far as it knows, its core runs, and a majority has followed it.
    pub claims_leadership: bool,
    /// On the leader: age of its newest evidence that a majority follows it.
    pub quorum_evidence_ms: Option<u64>,
    /// The longest election timeout: how old that evidence may be.
    pub election_timeout_ms: u64,
    pub heartbeat_interval_ms: u64,
    pub last_index: Option<u64>,
    pub commit_index: Option<u64>,
    pub applied_index: Option<u64>,
    pub snapshot: Option<Mark>,
    /// Whether its own configuration has it as a voter.
    pub voter: bool,
    pub membership: Membership,
    /// On the leader: what it knows of each other member.
    pub progress: BTreeMap<String, Progress>,
    /// Why the node cannot go on, found by calling the core, never by its metrics.
    pub fault: Option<String>,
    /// Ids that were members once and are never to be used again.
    pub burned: Vec<String>,
}

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub term: u64,
    pub index: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Compare-and-set token: changes exactly when the membership does.
    pub revision: String,
    /// Whether this membership is known to be committed.
    pub committed: bool,
    pub members: Vec<Member>,
    /// The voter sets that must each reach a majority; two while a change is under way.
    pub configs: Vec<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: String,
    pub name: String,
    /// Raft address.
    pub address: String,
    pub agent_address: Option<String>,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Voter,
    Learner,
    Witness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The last entry known to be in the member's log.
    pub matched_index: Option<u64>,
    /// Since its last acknowledgement; `null` if it never gave one to this leader.
    pub last_contact_ms: Option<u64>,
}

/// The bulk state: what changed since a revision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Groups {
    pub revision: String,
    /// Whether `groups` is everything, not only what changed.
    pub complete: bool,
    pub groups: Vec<GroupSummary>,
    /// Groups that were here at the revision asked for and are not any more.
    pub gone: Vec<String>,
}

/// A group in the bulk state. Indexes alone do not make a new revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSummary {
    pub group: String,
    pub member: String,
    pub state: State,
    pub term: u64,
    pub leader: Option<String>,
    pub claims_leadership: bool,
    pub membership_revision: String,
    pub voters: u32,
    pub learners: u32,
    pub last_index: Option<u64>,
    pub commit_index: Option<u64>,
    pub fault: Option<String>,
}

impl GroupSummary {
    /// Equal for two summaries exactly when nothing but indexes differs.
    #[must_use]
    pub fn revision(&self) -> String {
        let Self {
            state,
            term,
            leader,
            membership_revision,
            fault,
            ..
        } = self;
        let leader = leader.as_deref().unwrap_or("-");
        let stopped = if fault.is_some() { "!" } else { "" };
        format!("{state:?}.{term}.{leader}.{membership_revision}{stopped}")
    }
}

/// A change asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeRequest {
    pub action: Verb,
    #[serde(default)]
    pub member: Option<String>,
    /// For `add_learner`: where the newcomer answers.
    #[serde(default)]
    pub address: Option<String>,
    /// The membership's revision it was decided on; needed for all but `snapshot`.
    #[serde(default)]
    pub expected_revision: Option<String>,
}

/// A change done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub action: Verb,
    pub member: Option<String>,
    pub outcome: Outcome,
    /// The membership's revision afterwards.
    pub revision: String,
    /// Who leads afterwards, as this node sees it.
    pub leader: Option<String>,
    pub term: u64,
    pub snapshot: Option<Mark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    /// Leadership moved, but to somebody else than was asked for.
    Other,
}

/// Where the leader is, for whoever asked the wrong node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderHint {
    pub member: String,
    pub agent_address: Option<String>,
}
