//! What happened: one line of time per cluster, made of elections, findings, changes, snapshots.

use serde::{Deserialize, Serialize};

use crate::{
    cluster::{ClusterName, MemberId, Term},
    health::{FindingCode, Severity},
    job::{ChangeId, ChangeState},
    moment::Timestamp,
};

/// One line of "What happened".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: u64,
    pub at: Timestamp,
    pub cluster: ClusterName,
    #[serde(flatten)]
    pub what: Happening,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Happening {
    LeaderAgreed {
        member: MemberId,
        term: Option<Term>,
    },
    LeaderLost {
        member: MemberId,
    },
    FindingRaised {
        code: FindingCode,
        member: Option<MemberId>,
        severity: Severity,
        text: String,
    },
    FindingCleared {
        code: FindingCode,
        member: Option<MemberId>,
        text: String,
    },
    MembershipChanged {
        text: String,
    },
    Change {
        /// `id` on the wire is the event's own.
        #[serde(rename = "change")]
        id: ChangeId,
        state: ChangeState,
        text: String,
        actor: String,
        ticket: Option<String>,
    },
}
