//! The checks openraft does not make: what may be asked of the core at all.
//!
//! Pure rules on the leader's own view. openraft promotes a learner that is dead, moves
//! leadership to nobody, and writes an entry for a change that changes nothing; each rule here
//! stands in front of one of those.

use std::collections::BTreeSet;

use crate::{
    Refusal,
    view::leader_hint,
    wire::{GroupView, Role, State, Verb},
};

/// How many heartbeat intervals an acknowledgement may be old to count as an answer.
const FRESH_INTERVALS: u64 = 3;

/// What the rules measure by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub promote_lag: u64,
    pub transfer_lag: u64,
    /// How long ago the change was asked for. Only who has answered since then answers now: a
    /// node that died a moment before still looks fresh.
    pub asked_ms: u64,
}

/// What holds for every change: this node leads, with a quorum behind it, and nothing runs.
pub(crate) fn leading(view: &GroupView, expected_revision: Option<&str>) -> Result<(), Refusal> {
    if let Some(fault) = &view.fault {
        return Err(Refusal::stopped(fault));
    }
    if view.state != State::Leader {
        return Err(Refusal::not_leader(leader_hint(view)));
    }
    if view
        .quorum_evidence_ms
        .is_none_or(|age| age > view.election_timeout_ms)
    {
        return Err(Refusal::no_quorum());
    }
    let revision = view.membership.revision.as_str();
    if expected_revision.is_some_and(|expected| expected != revision) {
        return Err(Refusal::moved(revision));
    }
    if view.membership.configs.len() > 1 {
        return Err(Refusal::in_progress(
            "A joint configuration is in force; one change at a time.",
        ));
    }
    if !view.membership.committed {
        return Err(Refusal::in_progress(
            "The last membership change is not committed yet.",
        ));
    }
    Ok(())
}

/// Whether `verb` on `member` would change something, and cost no quorum.
pub(crate) fn allows(
    view: &GroupView,
    verb: Verb,
    member: &str,
    limits: Limits,
) -> Result<(), Refusal> {
    match verb {
        Verb::AddLearner => may_add(view, member),
        Verb::Promote => may_promote(view, member, limits),
        Verb::Demote => may_demote(view, member, limits),
        Verb::Remove => may_remove(view, member, limits),
        Verb::Transfer => may_transfer(view, member, limits),
        Verb::Snapshot => Ok(()),
    }
}

fn may_add(view: &GroupView, member: &str) -> Result<(), Refusal> {
    if role(view, member).is_some() {
        return Err(Refusal::rule(
            "already-member",
            format!("{member} is a member already."),
        ));
    }
    if view.burned.iter().any(|burned| burned == member) {
        let text = format!("{member} was a member once; an id is never used again.");
        return Err(Refusal::rule("id-burned", text));
    }
    Ok(())
}

fn may_promote(view: &GroupView, member: &str, limits: Limits) -> Result<(), Refusal> {
    match role(view, member) {
        None => return Err(unknown(member)),
        Some(Role::Learner) => {}
        Some(_) => {
            return Err(Refusal::rule(
                "already-voter",
                format!("{member} votes already."),
            ));
        }
    }
    heard(view, member, limits)?;
    level(view, member, limits.promote_lag)?;
    let mut voters = voters(view);
    voters.insert(member);
    majority_answers(view, &voters, limits)
}

fn may_demote(view: &GroupView, member: &str, limits: Limits) -> Result<(), Refusal> {
    match role(view, member) {
        None => return Err(unknown(member)),
        Some(Role::Learner) => {
            return Err(Refusal::rule(
                "not-a-voter",
                format!("{member} does not vote."),
            ));
        }
        Some(_) => {}
    }
    may_leave(view, member, limits)
}

fn may_remove(view: &GroupView, member: &str, limits: Limits) -> Result<(), Refusal> {
    match role(view, member) {
        None => Err(unknown(member)),
        Some(Role::Learner) => Ok(()),
        Some(_) => may_leave(view, member, limits),
    }
}

fn may_leave(view: &GroupView, member: &str, limits: Limits) -> Result<(), Refusal> {
    if member == view.member {
        let text = format!("{member} leads; hand leadership to another voter first.");
        return Err(Refusal::rule("is-leader", text));
    }
    let mut voters = voters(view);
    voters.remove(member);
    if voters.is_empty() {
        return Err(Refusal::rule(
            "last-voter",
            format!("{member} is the last voter."),
        ));
    }
    majority_answers(view, &voters, limits)
}

fn may_transfer(view: &GroupView, member: &str, limits: Limits) -> Result<(), Refusal> {
    match role(view, member) {
        None => return Err(unknown(member)),
        Some(Role::Voter) => {}
        Some(_) => {
            let text = format!("{member} does not vote and cannot lead.");
            return Err(Refusal::rule("not-a-voter", text));
        }
    }
    if member == view.member {
        return Err(Refusal::rule(
            "already-leader",
            format!("{member} leads already."),
        ));
    }
    heard(view, member, limits)?;
    level(view, member, limits.transfer_lag)
}

fn unknown(member: &str) -> Refusal {
    Refusal::rule(
        "member-unknown",
        format!("{member} is no member of this group."),
    )
}

fn role(view: &GroupView, member: &str) -> Option<Role> {
    view.membership
        .members
        .iter()
        .find(|m| m.id == member)
        .map(|m| m.role)
}

fn voters(view: &GroupView) -> BTreeSet<&str> {
    let members = view.membership.members.iter();
    members
        .filter(|m| m.role != Role::Learner)
        .map(|m| m.id.as_str())
        .collect()
}

fn answers(view: &GroupView, member: &str, limits: Limits) -> bool {
    let fresh = view.heartbeat_interval_ms.saturating_mul(FRESH_INTERVALS);
    let limit = fresh.min(limits.asked_ms);
    let contact = || view.progress.get(member)?.last_contact_ms;
    member == view.member || contact().is_some_and(|age| age < limit)
}

fn heard(view: &GroupView, member: &str, limits: Limits) -> Result<(), Refusal> {
    if answers(view, member, limits) {
        return Ok(());
    }
    let contact = view
        .progress
        .get(member)
        .and_then(|progress| progress.last_contact_ms);
    let text = match contact {
        Some(age) => format!("{member} has not answered the leader for {age} ms."),
        None => format!("{member} has never answered this leader."),
    };
    Err(Refusal::rule("not-heard", text))
}

fn level(view: &GroupView, member: &str, limit: u64) -> Result<(), Refusal> {
    let matched = view
        .progress
        .get(member)
        .and_then(|progress| progress.matched_index);
    let (Some(matched), Some(last)) = (matched, view.last_index) else {
        let text = format!("Nothing of the log is known to be at {member}.");
        return Err(Refusal::rule("not-level", text));
    };
    let lag = last.saturating_sub(matched);
    if lag <= limit {
        return Ok(());
    }
    let text = format!("{member} is {lag} entries behind; at most {limit} are allowed.");
    Err(Refusal::rule("not-level", text))
}

fn majority_answers(
    view: &GroupView,
    voters: &BTreeSet<&str>,
    limits: Limits,
) -> Result<(), Refusal> {
    let answering = voters
        .iter()
        .filter(|member| answers(view, member, limits))
        .count();
    let majority = voters.len() / 2 + 1;
    if answering >= majority {
        return Ok(());
    }
    let text = format!(
        "Afterwards {} would vote and {answering} answer; {majority} are needed.",
        voters.len()
    );
    Err(Refusal::rule("majority-at-risk", text))
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
