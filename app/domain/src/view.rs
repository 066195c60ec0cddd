//! What a reader is shown of a cluster: the JSON of REST, of the event stream and of the page.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    action::Verb,
    capability::Capability,
    cluster::{ClusterName, Kind, MemberId, Revision, Role, Term, Thresholds},
    groups::GroupsView,
    health::{Finding, Override, Verdict},
    job::ChangeId,
    moment::Timestamp,
    preflight::{Level, ReasonCode},
    quorum::Quorum,
    readiness::{Readiness, Reads},
};

pub use crate::render::{render, summary};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaderStatus {
    Agreed,
    Disputed,
    None,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    pub status: LeaderStatus,
    /// Only when agreed.
    pub member: Option<MemberId>,
    pub term: Option<Term>,
    /// Who is named by whom, voters only.
    pub votes: BTreeMap<MemberId, Vec<MemberId>>,
    pub since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    InStep,
    CatchingUp,
    Unreachable,
    NotStarted,
    Sealed,
    Unconfirmed,
    Removed,
    Unknown,
}

/// Where a lag figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LagSource {
    /// The member's own index against the leader's, both asked in this look.
    #[serde(rename = "self")]
    Own,
    /// The leader's word about the member.
    Leader,
}

/// What may be done with a member (or the cluster), and if not, why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionVerdict {
    pub action: Verb,
    pub verdict: Level,
    pub reasons: Vec<ReasonCode>,
    /// The sentence of the worst reason; `None` when allowed.
    pub text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberView {
    pub id: MemberId,
    pub name: String,
    pub address: String,
    pub api_address: Option<String>,
    pub zone: Option<String>,
    pub role: Role,
    pub wanted_role: Option<Role>,
    pub state: MemberState,
    /// What it said or why it said nothing, in words; `None` when in step.
    pub state_text: Option<String>,
    #[serde(rename = "override")]
    pub manual: Option<Override>,
    pub term: Option<Term>,
    pub last_index: Option<u64>,
    pub applied_index: Option<u64>,
    pub lag: Option<u64>,
    pub lag_source: Option<LagSource>,
    /// Age of the leader's last contact with it, as the leader tells; its own word where the
    /// leader tells nothing.
    pub last_contact_ms: Option<u64>,
    /// Age of its own last answer; `None` if it never answered.
    pub age_ms: Option<u64>,
    pub answering: bool,
    pub readiness: Readiness,
    pub reads: Reads,
    pub names_leader: Option<MemberId>,
    pub claims_leadership: bool,
    pub instance: Option<String>,
    pub findings: Vec<String>,
    pub actions: Vec<ActionVerdict>,
    /// Lag over the last 15 minutes, oldest first.
    pub lag_history: Vec<u64>,
    /// The process was seen to (re)start this long ago.
    pub restarted_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    pub name: ClusterName,
    pub kind: Kind,
    /// "OpenBao 2.7.2", "openraft 0.10.0-alpha.37"
    pub title: String,
    pub version: Option<String>,
    pub tags: Vec<String>,
    pub revision: Option<Revision>,
    pub observed_at: Option<Timestamp>,
    pub age_ms: Option<u64>,
    pub sentence: String,
    /// "bao-eu1-a has led for 3 d 4 h; the 4 voters that answer name it."
    pub leader_sentence: String,
    pub verdict: Verdict,
    pub leader: Leader,
    pub quorum: Quorum,
    pub members: Vec<MemberView>,
    /// Most urgent first.
    pub findings: Vec<Finding>,
    pub capabilities: Vec<Capability>,
    /// Actions on the cluster as a whole: add a learner, take a snapshot.
    pub actions: Vec<ActionVerdict>,
    pub worst_lag: Option<u64>,
    pub running_change: Option<ChangeId>,
    pub thresholds: Thresholds,
    pub read_only: bool,
    /// (moment, failures tolerated) for the last 24 h, oldest first.
    pub tolerance_history: Vec<(Timestamp, i64)>,
    /// The group this is the view of, in a program that runs many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The groups of a program that runs many; leader, quorum and members are nobody's then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupsView>,
}

/// A fleet row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterSummary {
    pub name: ClusterName,
    pub kind: Kind,
    pub title: String,
    pub version: Option<String>,
    pub tags: Vec<String>,
    pub zones: Vec<String>,
    pub sentence: String,
    pub verdict: Verdict,
    pub leader: Leader,
    pub quorum: Quorum,
    pub worst_lag: Option<u64>,
    pub findings: Vec<Finding>,
    pub age_ms: Option<u64>,
    /// What the small ring is drawn from.
    pub members: Vec<crate::plan::PictureMember>,
    pub lag_history: Vec<u64>,
}

/// All that is wrong, of all clusters and (without one) of the console itself: worst first, equally
/// bad ones longest first.
#[must_use]
pub fn worst_first(
    fleet: &[ClusterSummary],
    console: &[Finding],
) -> Vec<(Option<ClusterName>, Finding)> {
    let of_clusters = fleet.iter().flat_map(|cluster| {
        let findings = cluster.findings.iter();
        findings.map(|finding| (Some(cluster.name.clone()), finding.clone()))
    });
    let own = console.iter().map(|finding| (None, finding.clone()));
    let mut all: Vec<_> = own.chain(of_clusters).collect();
    all.sort_by(|(_, a), (_, b)| b.severity.cmp(&a.severity).then(a.since.cmp(&b.since)));
    all
}

/// A majority answers, and no leader is confirmed. A look that is merely too old to say so does
/// not count.
#[must_use]
pub const fn is_leaderless(status: LeaderStatus) -> bool {
    matches!(status, LeaderStatus::None | LeaderStatus::Disputed)
}

/// Whether a cluster counts as a problem: in the fleet's sentence, in its filter, for the rail's
/// alarm.
#[must_use]
pub fn needs_a_look(cluster: &ClusterSummary) -> bool {
    cluster.verdict != Verdict::Ok
}

impl MemberView {
    /// Age of its own last answer; `None` if it never gave one, or was not started, whatever answered
    /// at its address before.
    #[must_use]
    pub fn answered_ms(&self) -> Option<u64> {
        self.age_ms
            .filter(|_| self.state != MemberState::NotStarted)
    }

    /// Counts towards the majority.
    #[must_use]
    pub fn votes(&self) -> bool {
        self.role.votes()
    }
}

impl ClusterView {
    #[must_use]
    pub fn member(&self, id: &MemberId) -> Option<&MemberView> {
        self.members.iter().find(|member| member.id == *id)
    }

    /// What people call a member; the id for one that is not in the list.
    #[must_use]
    pub fn name_of<'a>(&'a self, id: &'a MemberId) -> &'a str {
        self.member(id)
            .map_or(id.as_str(), |member| member.name.as_str())
    }

    /// Whether this member leads by agreement.
    #[must_use]
    pub fn is_led_by(&self, id: &MemberId) -> bool {
        self.leader.status == LeaderStatus::Agreed && self.leader.member.as_ref() == Some(id)
    }

    /// What this is the view of: the cluster's name, or `cluster/group` for one group of a program
    /// of many. A cluster's name holds no slash.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.group {
            None => self.name.to_string(),
            Some(group) => format!("{}/{group}", self.name),
        }
    }

    /// Whether `place` names what this is the view of.
    #[must_use]
    pub fn is_of(&self, place: &str) -> bool {
        let (name, group) = match place.split_once('/') {
            Some((name, group)) => (name, Some(group)),
            None => (place, None),
        };
        self.name.as_str() == name && self.group.as_deref() == group
    }

    /// The program, as people write it: the title without its version.
    #[must_use]
    pub fn backend(&self) -> &str {
        self.version
            .as_deref()
            .and_then(|version| self.title.strip_suffix(version))
            .map_or(self.title.as_str(), str::trim_end)
    }
}
