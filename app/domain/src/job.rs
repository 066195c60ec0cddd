//! A change as it runs: its state, its steps with times, what was seen before and after.

use serde::{Deserialize, Serialize};

use crate::{
    action::Action,
    approval::Approvals,
    audit::Actor,
    cluster::ClusterName,
    moment::Timestamp,
    plan::{Picture, Plan},
    preflight::Check,
};

/// UUID version 7, so ids sort by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeId(pub String);

impl std::fmt::Display for ChangeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeState {
    /// Other people have to approve it first; it takes no place on its cluster meanwhile.
    WaitingApproval,
    Queued,
    Running,
    Succeeded,
    Failed,
    Unknown,
    Cancelled,
    /// Somebody who had to approve it said no.
    Denied,
    /// Too few approved it in time, or it could not begin in time.
    Expired,
}

impl ChangeState {
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Failed
                | Self::Unknown
                | Self::Cancelled
                | Self::Denied
                | Self::Expired
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Pending,
    Running,
    Done,
    Failed,
    Unknown,
}

/// One line of a change's progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    pub lead: String,
    pub rest: String,
    pub state: StepState,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

/// One change, from request to outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub id: ChangeId,
    pub cluster: ClusterName,
    /// Where the cluster is a program of many groups: which of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    pub action: Action,
    /// "Promote n4 to voter"
    pub title: String,
    pub state: ChangeState,
    /// What it waits for while running, in words.
    pub waiting_for: Option<String>,
    /// How it ended, in words.
    pub outcome: Option<String>,
    pub requested_by: Actor,
    pub reason: String,
    pub ticket: Option<String>,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub steps: Vec<StepRecord>,
    pub checks: Vec<Check>,
    pub before: Picture,
    /// What was foreseen.
    pub after: Picture,
    /// What was seen at the end.
    pub seen: Option<Picture>,
    pub plan: Plan,
    /// What remains to be done by hand (stop the removed process…).
    pub notes: Vec<String>,
    /// Audit entries: intent and outcome.
    pub intent_seq: Option<u64>,
    pub outcome_seq: Option<u64>,
    /// For a snapshot: its id in the snapshot list.
    pub snapshot: Option<String>,
    /// Where others have to approve it: who has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
}
