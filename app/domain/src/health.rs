//! From observations to a closed list of findings with codes; thresholds, hysteresis, overrides,
//! and the verdict. Everything is judged at `now`, so an old look never passes for a fresh one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    cluster::{MemberId, Thresholds},
    moment::Timestamp,
    observation::Observation,
};

/// The answer to "may it lose another node?"
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// Something is wrong, or tolerance is reduced.
    AtRisk,
    /// At least one voter answers, fewer than a majority.
    NoQuorum,
    /// No voter answers.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warn,
    Bad,
}

/// What can be wrong with a cluster. Codes are stable: people alert on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingCode {
    NoQuorum,
    NobodyAnswers,
    NoLeader,
    LeaderDisputed,
    LeaderUnknown,
    MemberUnreachable,
    MemberSealed,
    MemberNotStarted,
    MemberMisread,
    MemberDenied,
    MemberFault,
    MemberLagging,
    MemberUnconfirmed,
    ToleranceNone,
    EvenVoters,
    JointConfiguration,
    WishPending,
    RemovedStillRunning,
    ViewsDiffer,
    BackendUnhealthy,
    PlainHttp,
    MissingPermission,
    CredentialExpires,
    TwoClusters,
    MembershipRemembered,
    OverrideActive,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub code: FindingCode,
    pub member: Option<MemberId>,
    pub since: Timestamp,
    pub severity: Severity,
    /// One sentence: what is wrong.
    pub text: String,
    /// One sentence: what to do about it.
    pub hint: Option<String>,
}

/// A state set by hand: it hides a finding's alarm, not the finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub member: MemberId,
    pub reason: String,
    pub by: String,
    pub until: Timestamp,
}

/// What is known of a cluster beyond the newest look: enough to judge trends and silence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// When each member last answered, and the last figures it gave.
    pub last_answer: BTreeMap<MemberId, Timestamp>,
    pub last_applied: BTreeMap<MemberId, u64>,
    pub last_index: BTreeMap<MemberId, u64>,
    /// Members now held to be lagging, with the moment it began (hysteresis).
    pub lagging_since: BTreeMap<MemberId, Timestamp>,
    /// Lag samples, newest last, at most [`LAG_SAMPLES`] a member, thinned to one per 10 s.
    pub lag_history: BTreeMap<MemberId, Vec<(Timestamp, u64)>>,
    /// (at, tolerates) whenever tolerance changed.
    pub tolerance_history: Vec<(Timestamp, i64)>,
    /// When each present finding began.
    pub finding_since: BTreeMap<String, Timestamp>,
    pub leader: Option<MemberId>,
    pub leader_since: Option<Timestamp>,
    pub instances: BTreeMap<MemberId, String>,
    /// When a member's instance (process or data) was last seen to change.
    pub restarted_at: BTreeMap<MemberId, Timestamp>,
}

/// 15 minutes at one sample each 10 s.
pub const LAG_SAMPLES: usize = 90;

/// Everything the console knows of one cluster: the input of every rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterState {
    pub registration: Registration,
    pub observation: Option<Observation>,
    pub memory: Memory,
    pub overrides: Vec<Override>,
    /// The change that holds the cluster's slot, if one runs.
    pub running_change: Option<crate::job::ChangeId>,
}

/// What the configuration says of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    pub name: crate::cluster::ClusterName,
    pub kind: crate::cluster::Kind,
    pub tags: Vec<String>,
    pub zones: BTreeMap<String, String>,
    pub thresholds: Thresholds,
    pub read_only: bool,
}

/// Folds a new look into what is remembered. Pure: `(previous, observation, now) -> next`.
#[must_use]
pub fn remember(_previous: Memory, _registration: &Registration, _seen: &Observation, _now: Timestamp) -> Memory {
    todo!()
}
