//! Who leads. The console never guesses: `agreed` needs the leader's own fresh claim and the
//! words of a majority of voters. Followers go on naming a dead leader for seconds, so their
//! words alone are never enough; learners' words never count.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cluster::{MemberId, Membership, Term},
    moment::Timestamp,
    observation::{NodeReport, Observation, SelfReport},
    quorum,
    view::{Leader, LeaderStatus},
};

/// How old an answer may be for its claim or its word on who leads to count, in milliseconds.
pub const CLAIM_HOLDS_MS: u64 = 2_000;

/// Who leads by `observation`, judged at `now`. `since` is left open: one look cannot know it.
#[must_use]
pub fn leader(observation: &Observation, now: Timestamp) -> Leader {
    let Some(membership) = &observation.membership else {
        return Leader {
            status: LeaderStatus::Unknown,
            member: None,
            term: None,
            votes: BTreeMap::new(),
            since: None,
        };
    };
    let voices = voices(observation, membership, now);
    let claims = claims(observation, now);
    let votes = votes(&voices);
    let (status, agreed) = judge(membership, &voices, &claims, &votes);
    let term = match agreed {
        Some(claim) => claim.says.term,
        None => voices.values().filter_map(|says| says.term).max(),
    };
    Leader {
        status,
        member: agreed.map(|claim| claim.id.clone()),
        term,
        votes,
        since: None,
    }
}

/// The one member that validly claimed to lead in this look, judged when the look ended: the
/// reference for lag. `None` if nobody or several did.
#[must_use]
pub fn claimant(observation: &Observation) -> Option<&NodeReport> {
    let claims = claims(observation, observation.taken_at);
    let ids: BTreeSet<&MemberId> = claims.iter().map(|claim| claim.id).collect();
    let mut ids = ids.into_iter();
    let only = ids.next().filter(|_| ids.next().is_none())?;
    observation
        .nodes
        .iter()
        .find(|node| node.id == *only && taking_part(node).is_some())
}

/// What a node says, if it answered and its Raft goes on.
pub(crate) fn taking_part(node: &NodeReport) -> Option<&SelfReport> {
    node.says
        .as_ref()
        .filter(|says| node.answered() && says.fault.is_none())
}

fn fresh(node: &NodeReport, now: Timestamp) -> Option<&SelfReport> {
    taking_part(node).filter(|_| now.since(node.at) <= CLAIM_HOLDS_MS)
}

/// Fresh words of voters, by voter.
type Voices<'a> = BTreeMap<&'a MemberId, &'a SelfReport>;

struct Claim<'a> {
    id: &'a MemberId,
    says: &'a SelfReport,
}

fn is_voter(membership: &Membership, id: &MemberId) -> bool {
    membership.configs.iter().flatten().any(|voter| voter == id)
}

fn voices<'a>(observation: &'a Observation, membership: &Membership, now: Timestamp) -> Voices<'a> {
    observation
        .nodes
        .iter()
        .filter(|node| is_voter(membership, &node.id))
        .filter_map(|node| fresh(node, now).map(|says| (&node.id, says)))
        .collect()
}

/// Claims that count: fresh, with evidence of a following where it is told, by a voter of its
/// own configuration, in a term no voter has passed. One per member.
fn claims(observation: &Observation, now: Timestamp) -> Vec<Claim<'_>> {
    let Some(membership) = &observation.membership else {
        return Vec::new();
    };
    let passed = highest_term(observation, membership);
    let found: BTreeMap<&MemberId, &SelfReport> = observation
        .nodes
        .iter()
        .filter_map(|node| fresh(node, now).map(|says| (&node.id, says)))
        .filter(|(id, says)| {
            says.claims_leadership
                && is_followed(says)
                && says
                    .voter_by_own_account
                    .unwrap_or_else(|| is_voter(membership, id))
                && says
                    .term
                    .is_none_or(|term| passed.is_none_or(|passed| term >= passed))
        })
        .collect();
    found
        .into_iter()
        .map(|(id, says)| Claim { id, says })
        .collect()
}

/// The highest term any voter told in this look. Terms never fall, so an old word still ends an
/// older claim.
fn highest_term(observation: &Observation, membership: &Membership) -> Option<Term> {
    observation
        .nodes
        .iter()
        .filter(|node| is_voter(membership, &node.id))
        .filter_map(|node| taking_part(node)?.term)
        .max()
}

fn is_followed(says: &SelfReport) -> bool {
    let longest = says.election_timeout_ms.unwrap_or(CLAIM_HOLDS_MS);
    says.quorum_evidence_ms.is_none_or(|age| age < longest)
}

/// Why the one member that is named does not pass for the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It does not answer.
    Silent,
    /// A voter has told a higher term than its own.
    Superseded,
    /// It answers and does not say that it leads.
    NoClaim,
    /// Its proof that a majority follows it is older than an election timeout.
    Unproven,
    /// It claims to lead; too few voters name it.
    TooFew,
}

/// Why `named` does not pass for the leader, where it does not.
pub(crate) fn doubt(observation: &Observation, named: &MemberId, now: Timestamp) -> Doubt {
    let mut nodes = observation.nodes.iter().filter(|node| node.id == *named);
    let Some(says) = nodes.find_map(|node| fresh(node, now)) else {
        return Doubt::Silent;
    };
    let passed = observation
        .membership
        .as_ref()
        .and_then(|membership| highest_term(observation, membership));
    if says
        .term
        .is_some_and(|term| passed.is_some_and(|passed| term < passed))
    {
        return Doubt::Superseded;
    }
    match (says.claims_leadership, is_followed(says)) {
        (false, _) => Doubt::NoClaim,
        (true, false) => Doubt::Unproven,
        (true, true) => Doubt::TooFew,
    }
}

/// Whom a voter names; one that claims to lead names itself.
pub(crate) fn named<'a>(id: &'a MemberId, says: &'a SelfReport) -> Option<&'a MemberId> {
    says.names_leader
        .as_ref()
        .or(says.claims_leadership.then_some(id))
}

fn votes(voices: &Voices<'_>) -> BTreeMap<MemberId, Vec<MemberId>> {
    let mut votes: BTreeMap<MemberId, Vec<MemberId>> = BTreeMap::new();
    for (id, says) in voices {
        if let Some(name) = named(id, says) {
            votes.entry(name.clone()).or_default().push((*id).clone());
        }
    }
    votes
}

fn judge<'a>(
    membership: &Membership,
    voices: &Voices<'_>,
    claims: &'a [Claim<'a>],
    votes: &BTreeMap<MemberId, Vec<MemberId>>,
) -> (LeaderStatus, Option<&'a Claim<'a>>) {
    match claims {
        [_, _, ..] => return (LeaderStatus::Disputed, None),
        [claim] if is_backed(membership, voices, claim) => {
            return (LeaderStatus::Agreed, Some(claim));
        }
        _ => {}
    }
    let status = if !quorum::quorum(membership, |id| voices.contains_key(id)).holds() {
        LeaderStatus::Unknown
    } else if votes.len() > 1 {
        LeaderStatus::Disputed
    } else {
        LeaderStatus::None
    };
    (status, None)
}

/// A majority of the voters of every configuration, itself included, names it in its term.
fn is_backed(membership: &Membership, voices: &Voices<'_>, claim: &Claim<'_>) -> bool {
    let names_it = |id: &MemberId| {
        voices.get(id).is_some_and(|says| {
            named(id, says) == Some(claim.id)
                && (says.term.is_none()
                    || claim.says.term.is_none()
                    || says.term == claim.says.term)
        })
    };
    is_voter(membership, claim.id)
        && names_it(claim.id)
        && quorum::quorum(membership, names_it).holds()
}

#[cfg(test)]
mod tests;
