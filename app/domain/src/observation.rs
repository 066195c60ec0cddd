//! What one look saw, node by node: who answered, and what it says of itself and of others.
//!
//! A half-dead cluster is data here, never an error.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    capability::Capability,
    cluster::{Kind, MemberId, Membership, Revision, Term},
    moment::Timestamp,
};

/// One look at a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The kind found there (OpenBao or Vault is only known by looking).
    pub kind: Kind,
    /// The program, where it is not plain from the kind: `openraft` behind an agent.
    pub program: Option<String>,
    pub version: Option<String>,
    /// When the look ended.
    pub taken_at: Timestamp,
    /// The membership as the best witness tells it: the leader's own answer,
    /// else that of the voter with the highest term and index, else what is remembered.
    pub membership: Option<Membership>,
    /// True if nobody told the membership in this look: it is from memory.
    pub membership_remembered: bool,
    /// One report for each member asked, and for any other node that answered.
    pub nodes: Vec<NodeReport>,
    /// What the node claiming to lead says of the others.
    pub progress: BTreeMap<MemberId, Progress>,
    /// Facts about the backend that are nobody's own state.
    pub notes: Vec<Note>,
    pub capabilities: Vec<Capability>,
}

/// What one node answered in one look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeReport {
    pub id: MemberId,
    /// Where it was asked; `None` if nobody knows where it answers.
    pub asked: Option<String>,
    pub answer: Answer,
    /// When the answer came, or the wait for it ended.
    pub at: Timestamp,
    pub says: Option<SelfReport>,
}

impl NodeReport {
    /// Something came from it that can be believed to be its own word, if only "sealed" or "no".
    #[must_use]
    pub const fn was_heard(&self) -> bool {
        matches!(
            self.answer,
            Answer::Answered | Answer::Sealed | Answer::NotStarted | Answer::Denied(_)
        )
    }

    /// It answered and takes part.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.answer == Answer::Answered
    }
}

/// How a node answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer", content = "why")]
pub enum Answer {
    Answered,
    /// Runs, is locked, takes no part until unsealed.
    Sealed,
    /// Runs, was never initialised or started as a member.
    NotStarted,
    /// Nothing came: refused, unreachable, or no answer in time. The text says which.
    Silent(String),
    /// Something came that could not be believed: not JSON, too large, wrong shape,
    /// a certificate that is not trusted, a redirect elsewhere.
    Misread(String),
    /// It answered, and did not let us look (401, 403).
    Denied(String),
    /// Nobody knows where it answers, so nobody asked.
    NotAsked,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SelfReport {
    pub claims_leadership: bool,
    /// Age of its newest evidence that a majority follows it, where it tells.
    pub quorum_evidence_ms: Option<u64>,
    /// The longest such evidence may be old: the backend's election timeout.
    pub election_timeout_ms: Option<u64>,
    /// Whom it names as leader (itself, when it leads).
    pub names_leader: Option<MemberId>,
    pub term: Option<Term>,
    pub last_index: Option<u64>,
    pub commit_index: Option<u64>,
    pub applied_index: Option<u64>,
    /// Whether its own configuration has it as a voter; `None` where it does not tell.
    pub voter_by_own_account: Option<bool>,
    /// The revision of the membership it holds itself.
    pub revision: Option<Revision>,
    /// Identity of the process or its data: changes when it is replaced.
    pub instance: Option<String>,
    /// The process says it cannot go on although it answers (a stopped Raft core).
    pub fault: Option<String>,
    pub version: Option<String>,
}

/// What the leader says of one member; where it tells nothing, the member itself of its contact
/// with the leader.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub last_index: Option<u64>,
    pub last_contact_ms: Option<u64>,
    /// The backend's own opinion, where it has one.
    pub healthy: Option<bool>,
}

/// A fact worth a finding that the driver met on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum Note {
    /// Reached by plain HTTP beyond loopback.
    PlainHttp { address: String },
    /// The program asks nobody who they are: whoever reaches it may change it, or end it.
    NoAuthentication,
    /// Not in the membership, still running.
    RemovedStillRunning { member: MemberId, address: String },
    /// These nodes hold another membership than the leader.
    ViewsDiffer { members: Vec<MemberId> },
    /// The backend's own health opinion is negative although nothing else is wrong.
    BackendUnhealthy { text: String },
    /// A right that the console's own credential lacks.
    MissingPermission { what: String },
    /// The console's own credential ends.
    CredentialExpires { at: Timestamp },
    /// The seeds lead to different clusters.
    TwoClusters { addresses: Vec<String> },
    /// The program has raised an alarm of its own about one member, in the program's word for it
    /// (etcd: `NOSPACE`, `CORRUPT`).
    Alarm { member: MemberId, alarm: String },
    /// DNS or a catalogue named among the seeds does not tell where members are.
    SourceFailed {
        /// As configured.
        source: String,
        /// In words that end a sentence, without its full stop.
        why: String,
        hint: String,
        /// Addresses of its last good answer that stay in use.
        kept: u64,
    },
    /// An answer had the wrong shape or size.
    Misread { address: String, why: String },
    /// Listed as a learner, and it may be no member at all but only connected.
    MaybeNoMember { member: MemberId },
    /// A change of its role is carried out as removing and adding, and stopped in between.
    LeftOutside {
        member: MemberId,
        /// Where it can be added again.
        address: String,
    },
}
