//! From observations to a closed list of findings with codes; thresholds, hysteresis, overrides,
//! and the verdict. Everything is judged at `now`, so an old look never passes for a fresh one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    cluster::{MemberId, Term, Thresholds},
    findings,
    lag::lag,
    leader::taking_part,
    moment::Timestamp,
    observation::{Answer, NodeReport, Observation},
    standing::Standing,
    view::LeaderStatus,
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

/// What can be wrong with a cluster, and (`audit-…`) with the console itself. Codes are stable:
/// people alert on them.
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
    MemberApart,
    MemberUnconfirmed,
    ToleranceNone,
    EvenVoters,
    JointConfiguration,
    WishPending,
    RemovedStillRunning,
    LeftOutside,
    ViewsDiffer,
    BackendUnhealthy,
    BackendAlarm,
    PlainHttp,
    NoAuthentication,
    MissingPermission,
    CredentialExpires,
    TwoClusters,
    SourceFailed,
    MembershipRemembered,
    OverrideActive,
    AuditRefuses,
    AuditCopyBehind,
    AuditCopyFails,
    AuditReportFails,
}

impl FindingCode {
    /// The code in REST, metrics and alerts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoQuorum => "no-quorum",
            Self::NobodyAnswers => "nobody-answers",
            Self::NoLeader => "no-leader",
            Self::LeaderDisputed => "leader-disputed",
            Self::LeaderUnknown => "leader-unknown",
            Self::MemberUnreachable => "member-unreachable",
            Self::MemberSealed => "member-sealed",
            Self::MemberNotStarted => "member-not-started",
            Self::MemberMisread => "member-misread",
            Self::MemberDenied => "member-denied",
            Self::MemberFault => "member-fault",
            Self::MemberLagging => "member-lagging",
            Self::MemberApart => "member-apart",
            Self::MemberUnconfirmed => "member-unconfirmed",
            Self::ToleranceNone => "tolerance-none",
            Self::EvenVoters => "even-voters",
            Self::JointConfiguration => "joint-configuration",
            Self::WishPending => "wish-pending",
            Self::RemovedStillRunning => "removed-still-running",
            Self::LeftOutside => "left-outside",
            Self::ViewsDiffer => "views-differ",
            Self::BackendUnhealthy => "backend-unhealthy",
            Self::BackendAlarm => "backend-alarm",
            Self::PlainHttp => "plain-http",
            Self::NoAuthentication => "no-authentication",
            Self::MissingPermission => "missing-permission",
            Self::CredentialExpires => "credential-expires",
            Self::TwoClusters => "two-clusters",
            Self::SourceFailed => "source-failed",
            Self::MembershipRemembered => "membership-remembered",
            Self::OverrideActive => "override-active",
            Self::AuditRefuses => "audit-refuses",
            Self::AuditCopyBehind => "audit-copy-behind",
            Self::AuditCopyFails => "audit-copy-fails",
            Self::AuditReportFails => "audit-report-fails",
        }
    }

    /// Whether it speaks about the cluster's own state. The rest is about this console and its access
    /// to it, about what is left to tidy up, or a remark; none of that makes a cluster less
    /// available, so none of it moves the verdict.
    #[must_use]
    pub const fn weighs(self) -> bool {
        !matches!(
            self,
            Self::PlainHttp
                | Self::NoAuthentication
                | Self::MissingPermission
                | Self::CredentialExpires
                | Self::SourceFailed
                | Self::RemovedStillRunning
                | Self::EvenVoters
                | Self::OverrideActive
                | Self::AuditRefuses
                | Self::AuditCopyBehind
                | Self::AuditCopyFails
                | Self::AuditReportFails
        )
    }
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
    /// When `leader` was seen to take over; `None` for one that led already when first seen.
    pub leader_since: Option<Timestamp>,
    /// Since when `leader` is seen to lead, whether it led before or not.
    #[serde(default)]
    pub leader_seen_since: Option<Timestamp>,
    /// The term in which `leader` was last agreed, where terms are told.
    #[serde(default)]
    pub leader_term: Option<Term>,
    /// Since when a member gave no answer, look after look.
    #[serde(default)]
    pub silent_since: BTreeMap<MemberId, Timestamp>,
    pub instances: BTreeMap<MemberId, String>,
    /// When a member's instance (process or data) was last seen to change.
    pub restarted_at: BTreeMap<MemberId, Timestamp>,
    /// When somebody last told who the members are.
    #[serde(default)]
    pub membership_told_at: Option<Timestamp>,
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

/// Time between two lag samples, in milliseconds.
const LAG_SAMPLE_EVERY_MS: u64 = 10_000;

/// How far back tolerance is remembered, in milliseconds.
const TOLERANCE_KEPT_MS: u64 = 24 * 3_600_000;

/// Folds a new look into what is remembered. Pure: `(previous, observation, overrides, now) -> next`.
#[must_use]
pub fn remember(
    previous: Memory,
    registration: &Registration,
    seen: &Observation,
    overrides: &[Override],
    now: Timestamp,
) -> Memory {
    let mut next = previous;
    if seen.membership.is_some() && !seen.membership_remembered {
        next.membership_told_at = Some(seen.taken_at);
    }
    for node in &seen.nodes {
        next.hear(node);
    }
    next.forget_strangers(seen);
    next.weigh_lag(&registration.thresholds, seen);
    let standing = Standing::new(registration, seen, &next, overrides, now);
    let leader = standing.leader.clone();
    let tolerates = standing.quorum.tolerates;
    let present = findings::begun(&standing);
    next.follow_leader(leader, now);
    next.record_tolerance(tolerates, now);
    next.finding_since = present;
    next
}

impl Memory {
    fn hear(&mut self, node: &NodeReport) {
        let id = node.id.clone();
        if matches!(node.answer, Answer::Silent(_)) {
            self.silent_since.entry(id).or_insert(node.at);
            return;
        }
        if let Some(says) = taking_part(node) {
            self.notice_restart(id.clone(), node.at, says.instance.as_deref());
            if let Some(index) = says.last_index {
                self.last_index.insert(id.clone(), index);
            }
            if let Some(index) = says.applied_index {
                self.last_applied.insert(id.clone(), index);
            }
        }
        if node.was_heard() {
            self.silent_since.remove(&id);
            self.last_answer.insert(id, node.at);
        }
    }

    /// A restart shows as another instance; where the backend tells none, as a return from
    /// silence.
    fn notice_restart(&mut self, id: MemberId, at: Timestamp, instance: Option<&str>) {
        let restarted = match (self.instances.get(&id), instance) {
            (Some(known), Some(told)) => known != told,
            (None, Some(_)) => false,
            (_, None) => self.silent_since.contains_key(&id),
        };
        if let Some(told) = instance {
            self.instances.insert(id.clone(), told.to_owned());
        }
        if restarted {
            self.restarted_at.insert(id, at);
        }
    }

    /// What is known of nodes that are no longer members is of no use; a new member under an old
    /// id must not inherit it.
    fn forget_strangers(&mut self, seen: &Observation) {
        let Some(membership) = seen
            .membership
            .as_ref()
            .filter(|_| !seen.membership_remembered)
        else {
            return;
        };
        let stays = |id: &MemberId| membership.member(id).is_some();
        self.last_answer.retain(|id, _| stays(id));
        self.last_applied.retain(|id, _| stays(id));
        self.last_index.retain(|id, _| stays(id));
        self.lagging_since.retain(|id, _| stays(id));
        self.lag_history.retain(|id, _| stays(id));
        self.instances.retain(|id, _| stays(id));
        self.restarted_at.retain(|id, _| stays(id));
        self.silent_since.retain(|id, _| stays(id));
    }

    fn weigh_lag(&mut self, thresholds: &Thresholds, seen: &Observation) {
        let Some(membership) = &seen.membership else {
            return;
        };
        for member in &membership.members {
            let Some((lag, _)) = lag(seen, &member.id) else {
                continue;
            };
            let lagging = self.lagging_since.contains_key(&member.id);
            if is_lagging(lagging, lag, thresholds) {
                self.lagging_since
                    .entry(member.id.clone())
                    .or_insert(seen.taken_at);
            } else {
                self.lagging_since.remove(&member.id);
            }
            let samples = self.lag_history.entry(member.id.clone()).or_default();
            sample(samples, seen.taken_at, lag);
        }
    }

    fn follow_leader(&mut self, leader: crate::view::Leader, now: Timestamp) {
        if leader.status != LeaderStatus::Agreed {
            return;
        }
        let same = self.leader == leader.member && self.leader_term == leader.term;
        // The first leader seen has led for nobody knows how long.
        if !same {
            self.leader_since = self.leader.is_some().then_some(now);
            self.leader_seen_since = Some(now);
        }
        self.leader = leader.member;
        self.leader_term = leader.term;
    }

    fn record_tolerance(&mut self, tolerates: Option<i64>, now: Timestamp) {
        let Some(tolerates) = tolerates else { return };
        let history = &mut self.tolerance_history;
        if history.last().is_none_or(|(_, last)| *last != tolerates) {
            history.push((now, tolerates));
        }
        // The sample that was current when the window began stays: it is its first value.
        let began = now.minus_ms(TOLERANCE_KEPT_MS);
        let older = history.iter().take_while(|(at, _)| *at < began).count();
        history.drain(..older.saturating_sub(1));
    }
}

/// Hysteresis: lagging begins above `lag_warn` and ends at half of it or less.
#[must_use]
pub const fn is_lagging(was: bool, lag: u64, thresholds: &Thresholds) -> bool {
    if was {
        lag > thresholds.lag_warn / 2
    } else {
        lag > thresholds.lag_warn
    }
}

fn sample(samples: &mut Vec<(Timestamp, u64)>, at: Timestamp, lag: u64) {
    let due = samples
        .last()
        .is_none_or(|(last, _)| at.since(*last) >= LAG_SAMPLE_EVERY_MS);
    if due {
        samples.push((at, lag));
    }
    let surplus = samples.len().saturating_sub(LAG_SAMPLES);
    samples.drain(..surplus);
}

#[cfg(test)]
mod tests;
