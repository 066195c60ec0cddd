//! Where each member stands at `now`, worked out once and read by findings and rendering.

use std::collections::BTreeMap;

use crate::{
    cluster::{Member, MemberId, Membership},
    findings::apart_key,
    following::{self, Apart},
    health::{Memory, Override, Registration},
    lag,
    leader::{self, taking_part},
    moment::Timestamp,
    observation::{Answer, NodeReport, Note, Observation, SelfReport},
    quorum::{self, Quorum},
    view::{LagSource, Leader, LeaderStatus, MemberState},
};

/// How long an answer counts towards the quorum, in milliseconds: the longest time between two
/// looks at a cluster nobody watches (5 s) and two seconds for the look itself.
pub const ANSWER_HOLDS_MS: u64 = 7_000;

/// A voter that has not followed the agreed leader for this long is told of and no longer counted on,
/// in milliseconds.
const APART_HOLDS_MS: u64 = 2_000;

/// A cluster's standing at one moment.
pub(crate) struct Standing<'a> {
    pub registration: &'a Registration,
    pub observation: &'a Observation,
    pub memory: &'a Memory,
    pub now: Timestamp,
    pub leader: Leader,
    pub quorum: Quorum,
    pub members: Vec<MemberStanding<'a>>,
}

/// A member's standing at one moment.
pub(crate) struct MemberStanding<'a> {
    pub member: &'a Member,
    pub report: Option<&'a NodeReport>,
    pub answering: bool,
    /// Age of its last answer, in this look or an earlier one.
    pub age_ms: Option<u64>,
    /// How long it has said nothing, if it said nothing in the newest look.
    pub silent_ms: Option<u64>,
    pub lag: Option<(u64, LagSource)>,
    pub lagging: bool,
    /// How it stands apart from the agreed leader, if it votes and answers.
    pub apart: Option<Apart>,
    pub state: MemberState,
    pub manual: Option<&'a Override>,
}

impl<'a> Standing<'a> {
    pub(crate) fn new(
        registration: &'a Registration,
        observation: &'a Observation,
        memory: &'a Memory,
        overrides: &'a [Override],
        now: Timestamp,
    ) -> Self {
        let mut leader = leader::leader(observation, now);
        if leader.status == LeaderStatus::Agreed && leader.member == memory.leader {
            leader.since = memory.leader_since;
        }
        let mut standing = Self {
            registration,
            observation,
            memory,
            now,
            leader,
            quorum: Quorum::default(),
            members: Vec::new(),
        };
        if let Some(membership) = &observation.membership {
            standing.members = membership
                .members
                .iter()
                .map(|member| standing.member_standing(member, overrides))
                .collect();
            standing
                .members
                .sort_by_cached_key(|standing| natural(&standing.member.id));
            standing.quorum = standing.quorum_of(membership);
            standing.quorum.tolerates = standing.tolerates(membership);
        }
        standing
    }

    /// The look is too old for anything in it to be held true now.
    pub(crate) fn is_stale(&self) -> bool {
        self.age_ms() > ANSWER_HOLDS_MS
    }

    pub(crate) fn age_ms(&self) -> u64 {
        self.now.since(self.observation.taken_at)
    }

    /// What people call a member.
    pub(crate) fn name<'n>(&'n self, id: &'n MemberId) -> &'n str {
        self.member(id)
            .map_or(id.as_str(), |standing| standing.member.name.as_str())
    }

    pub(crate) fn member(&self, id: &MemberId) -> Option<&MemberStanding<'a>> {
        self.members
            .iter()
            .find(|standing| standing.member.id == *id)
    }

    pub(crate) fn zone(&self, member: &'a Member) -> Option<&'a str> {
        let zones = &self.registration.zones;
        member
            .zone
            .as_ref()
            .or_else(|| zones.get(member.id.as_str()))
            .or_else(|| zones.get(&member.name))
            .map(String::as_str)
    }

    fn quorum_of(&self, membership: &Membership) -> Quorum {
        let answering: BTreeMap<&MemberId, bool> = self
            .observation
            .nodes
            .iter()
            .map(|node| (&node.id, answers(node, self.now)))
            .collect();
        quorum::quorum(membership, |id| answering.get(id).copied().unwrap_or(false))
    }

    /// How many more may fail: a voter that answers and has not followed the leader for a while is
    /// lost to the majority already.
    fn tolerates(&self, membership: &Membership) -> Option<i64> {
        let counted = |id: &MemberId| {
            self.member(id).is_some_and(|voter| {
                voter.answering && !(voter.apart.is_some() && self.apart_for_long(id))
            })
        };
        quorum::quorum(membership, counted).tolerates
    }

    /// Around an election the words of one look are from different moments.
    pub(crate) fn apart_for_long(&self, id: &MemberId) -> bool {
        let since = self.memory.finding_since.get(&apart_key(id));
        since.is_some_and(|since| self.now.since(*since) >= APART_HOLDS_MS)
    }

    fn apart(&self, member: &Member, report: Option<&NodeReport>) -> Option<Apart> {
        let says = report.filter(|node| answers(node, self.now))?.says.as_ref();
        let says = says.filter(|_| member.role.votes())?;
        let named = leader::named(&member.id, says);
        following::apart(&self.leader, &member.id, named, says.term)
    }

    fn member_standing(&self, member: &'a Member, overrides: &'a [Override]) -> MemberStanding<'a> {
        let report = self
            .observation
            .nodes
            .iter()
            .find(|node| node.id == member.id);
        let lag = lag::lag(self.observation, &member.id);
        let mut standing = MemberStanding {
            member,
            report,
            answering: report.is_some_and(|node| answers(node, self.now)),
            age_ms: self.age_of_answer(member, report),
            silent_ms: self.silence(member, report),
            lag,
            lagging: self.is_lagging(member, lag),
            apart: self.apart(member, report),
            state: MemberState::Unknown,
            manual: overrides
                .iter()
                .find(|o| o.member == member.id && o.until > self.now),
        };
        standing.state = self.state_of(&standing);
        standing
    }

    fn age_of_answer(&self, member: &Member, report: Option<&NodeReport>) -> Option<u64> {
        let in_this_look = report.filter(|node| node.was_heard()).map(|node| node.at);
        in_this_look
            .or_else(|| self.memory.last_answer.get(&member.id).copied())
            .map(|at| self.now.since(at))
    }

    fn silence(&self, member: &Member, report: Option<&NodeReport>) -> Option<u64> {
        let silent = report.filter(|node| matches!(node.answer, Answer::Silent(_)))?;
        let heard = self.memory.last_answer.get(&member.id);
        let began = heard
            .or_else(|| self.memory.silent_since.get(&member.id))
            .unwrap_or(&silent.at);
        Some(self.now.since(*began))
    }

    fn is_lagging(&self, member: &Member, lag: Option<(u64, LagSource)>) -> bool {
        lag.is_some_and(|(lag, _)| lag > self.registration.thresholds.lag_warn)
            || self.memory.lagging_since.contains_key(&member.id)
    }

    fn maybe_no_member(&self, id: &MemberId) -> bool {
        let mut notes = self.observation.notes.iter();
        notes.any(|note| matches!(note, Note::MaybeNoMember { member } if member == id))
    }

    fn state_of(&self, standing: &MemberStanding<'_>) -> MemberState {
        let Some(report) = standing.report else {
            return MemberState::Unknown;
        };
        if self.is_stale() {
            return MemberState::Unknown;
        }
        match &report.answer {
            Answer::Answered if self.maybe_no_member(&report.id) => MemberState::Unconfirmed,
            Answer::Silent(_) => MemberState::Unreachable,
            Answer::Sealed => MemberState::Sealed,
            Answer::NotStarted => MemberState::NotStarted,
            Answer::NotAsked => MemberState::Unconfirmed,
            Answer::Misread(_) | Answer::Denied(_) => MemberState::Unknown,
            Answer::Answered if fault(report).is_some() => MemberState::Unreachable,
            Answer::Answered if standing.lagging => MemberState::CatchingUp,
            // How far behind it is cannot be known: nobody leads, or nobody tells.
            Answer::Answered if standing.lag.is_none() => MemberState::Unknown,
            Answer::Answered => MemberState::InStep,
        }
    }
}

impl MemberStanding<'_> {
    /// What it said in the newest look, if it takes part.
    pub(crate) fn says(&self) -> Option<&SelfReport> {
        self.report.and_then(taking_part)
    }

    pub(crate) fn fault(&self) -> Option<&str> {
        self.report.and_then(fault)
    }
}

fn fault(report: &NodeReport) -> Option<&str> {
    report
        .says
        .as_ref()
        .filter(|_| report.answered())?
        .fault
        .as_deref()
}

fn answers(node: &NodeReport, now: Timestamp) -> bool {
    let takes_part = node.answered() && fault(node).is_none();
    takes_part && now.since(node.at) <= ANSWER_HOLDS_MS
}

/// Sorts `node-2` before `node-10`.
fn natural(id: &MemberId) -> (String, u64, String) {
    let text = id.as_str();
    let head = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = text
        .get(head.len()..)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    (head.to_owned(), number, text.to_owned())
}
