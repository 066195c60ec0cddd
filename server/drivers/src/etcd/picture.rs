//! From the members' answers to one observation. Pure: everything it knows is in its arguments.

use std::collections::{BTreeMap, BTreeSet};

use quorate_domain::{
    capability::Capability,
    cluster::{Kind, Member, MemberId, Membership, Term},
    moment::Timestamp,
    observation::{Answer, NodeReport, Note, Observation, Progress, SelfReport},
};
use url::Url;

use super::{
    answers::{Listed, Status, member_id, membership},
    ask::Asked,
    directory::Directory,
    notes::notes,
};
use crate::http::address_of;

/// Everything one look gathered.
pub(super) struct Gathered<'a> {
    pub asked: &'a [Asked],
    /// How far each member has acknowledged, in the leader's words.
    pub matched: &'a BTreeMap<MemberId, u64>,
    /// How long ago the leader has heard a learner, in milliseconds.
    pub contact: &'a BTreeMap<MemberId, u64>,
    pub directory: &'a Directory,
    pub remembered: Option<&'a Membership>,
    /// The cluster this console has been looking at so far.
    pub cluster_id: Option<u64>,
    pub capabilities: Vec<Capability>,
    /// What is wrong with the console's own access.
    pub access: Option<Note>,
    pub now: Timestamp,
}

/// The answering member that leads by its own claim. Of several the one that most members name,
/// then the one in the highest term: any member can make up a term, none the others' words.
pub(super) fn leading<'a>(asked: &[&'a Asked]) -> Option<&'a Asked> {
    let claims = asked
        .iter()
        .filter(|node| node.answer == Answer::Answered && node.leads());
    claims
        .max_by_key(|claim| {
            let status = claim.status.as_ref();
            let id = status.map(|status| status.header.member_id);
            let naming = asked
                .iter()
                .filter(|node| node.status.as_ref().map(|status| status.leader) == id);
            (naming.count(), status.map(|status| status.term))
        })
        .copied()
}

/// Whose list counts: the leader's; without one that of the most advanced voter.
pub(super) fn witness<'a>(asked: &[&'a Asked]) -> Option<&'a Asked> {
    let holds = |node: &&'a Asked| node.list.is_some() && node.status.is_some();
    leading(asked).filter(holds).or_else(|| {
        asked
            .iter()
            .copied()
            .filter(holds)
            .max_by_key(|node| position(node.status.as_ref()))
    })
}

fn position(status: Option<&Status>) -> Option<(u64, u64)> {
    status.map(|status| (status.term, status.commit_index))
}

/// The cluster that is looked at: the one known from before, else the one most members belong to.
pub(super) fn cluster_id(asked: &[Asked], known: Option<u64>) -> Option<u64> {
    if known.is_some() {
        return known;
    }
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for told in asked.iter().filter_map(Asked::cluster_id) {
        *counts.entry(told).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(id, _)| id)
}

/// The answers of the one cluster that is looked at, without those of strangers.
pub(super) fn own(asked: &[Asked], cluster_id: Option<u64>) -> Vec<&Asked> {
    let stranger = |node: &&Asked| match (node.cluster_id(), cluster_id) {
        (Some(told), Some(own)) => told != own,
        _ => false,
    };
    asked.iter().filter(|node| !stranger(node)).collect()
}

pub(super) fn picture(seen: &Gathered<'_>) -> Observation {
    let own = own(seen.asked, seen.cluster_id);
    let list = witness(&own).and_then(|node| node.list.as_deref());
    let membership = list
        .map(membership)
        .or_else(|| seen.remembered.cloned())
        .map(|found| dressed(found, seen.directory));
    let mut notes = notes(seen, &own, membership.as_ref());
    notes.extend(seen.access.clone());
    Observation {
        kind: Kind::Etcd,
        program: None,
        version: version(&own),
        taken_at: seen.now,
        membership_remembered: list.is_none() && membership.is_some(),
        nodes: reports(seen, &own, membership.as_ref(), list),
        progress: progress(seen, list),
        membership,
        notes,
        capabilities: seen.capabilities.clone(),
    }
}

fn version(own: &[&Asked]) -> Option<String> {
    let told = |node: &Asked| node.status.as_ref().map(|status| status.version.clone());
    leading(own)
        .and_then(told)
        .or_else(|| own.iter().find_map(|node| told(node)))
}

/// The membership with client addresses.
fn dressed(mut membership: Membership, directory: &Directory) -> Membership {
    for member in &mut membership.members {
        member.api_address = directory.url_of(member).map(|url| address_of(&url));
    }
    membership
}

fn reports(
    seen: &Gathered<'_>,
    own: &[&Asked],
    membership: Option<&Membership>,
    list: Option<&[Listed]>,
) -> Vec<NodeReport> {
    let members: &[Member] = membership.map_or(&[], |membership| &membership.members);
    let mut reports: BTreeMap<MemberId, NodeReport> = BTreeMap::new();
    for node in own {
        let Some(id) = identity(node, membership) else {
            continue;
        };
        let report = NodeReport {
            id: id.clone(),
            asked: Some(node.address()),
            answer: node.answer.clone(),
            at: node.at,
            says: node.status.as_ref().map(|status| says(node, status)),
        };
        // One member may be reached by several addresses; its better answer counts.
        match reports.get(&id) {
            Some(other) if other.answered() || !report.answered() => {}
            _ => {
                reports.insert(id, report);
            }
        }
    }
    for member in members {
        let started = list
            .and_then(|list| list.iter().find(|listed| member_id(listed.id) == member.id))
            .is_none_or(Listed::has_started);
        let report = || unheard(seen, member, started);
        let entry = reports.entry(member.id.clone());
        let present = entry.or_insert_with(report);
        if !started && !present.answered() {
            *present = unheard(seen, member, false);
        }
    }
    reports.into_values().collect()
}

/// A member of which there is no answer of its own.
fn unheard(seen: &Gathered<'_>, member: &Member, started: bool) -> NodeReport {
    let url = seen.directory.url_of(member);
    let there = |node: &&Asked| Some(&node.url) == url.as_ref();
    let answer = match seen.asked.iter().find(there) {
        _ if !started => Answer::NotStarted,
        Some(other) if other.cluster_id() == seen.cluster_id => {
            let other = other.proven().unwrap_or_else(|| MemberId::from("nobody"));
            Answer::Misread(format!("another member, {other}, answers at its address"))
        }
        Some(_) => Answer::Misread("another cluster answers at its address".to_owned()),
        None => Answer::NotAsked,
    };
    NodeReport {
        id: member.id.clone(),
        asked: url.as_ref().map(address_of).filter(|_| started),
        answer,
        at: seen.now,
        says: None,
    }
}

/// Under which id an address stands in the observation; `None` for what says nothing about the
/// cluster, such as the address of a former member that is gone.
pub(super) fn identity(node: &Asked, membership: Option<&Membership>) -> Option<MemberId> {
    let Some(membership) = membership else {
        return Some(node.id().unwrap_or_else(|| MemberId(node.address())));
    };
    let id = node.id()?;
    let speaks = node.proven().is_some();
    (speaks || membership.member(&id).is_some()).then_some(id)
}

fn says(node: &Asked, status: &Status) -> SelfReport {
    SelfReport {
        claims_leadership: status.leads(),
        names_leader: (status.leader != 0).then(|| member_id(status.leader)),
        // The term of a member that knows no leader is that of its own campaign. Cut off from the
        // others, etcd 3.4 raises it without end while the others' leader goes on.
        term: (status.term > 0 && status.leader != 0).then_some(Term(status.term)),
        // etcd tells what is committed, not what is only stored.
        last_index: Some(status.commit_index),
        commit_index: Some(status.commit_index),
        applied_index: Some(status.applied_index),
        voter_by_own_account: Some(!status.is_learner),
        revision: node.list.as_deref().map(|list| membership(list).revision),
        version: Some(status.version.clone()),
        ..SelfReport::default()
    }
}

/// The leader's word on members that have started; of the others it holds a 0.
fn progress(seen: &Gathered<'_>, list: Option<&[Listed]>) -> BTreeMap<MemberId, Progress> {
    let started = |id: &MemberId| {
        list.is_some_and(|list| {
            let mut rows = list.iter();
            rows.any(|listed| member_id(listed.id) == *id && listed.has_started())
        })
    };
    let told: BTreeSet<&MemberId> = seen.matched.keys().chain(seen.contact.keys()).collect();
    let rows = told.into_iter().filter(|id| started(id));
    rows.map(|id| {
        let progress = Progress {
            last_index: seen.matched.get(id).copied(),
            last_contact_ms: seen.contact.get(id).copied(),
            ..Progress::default()
        };
        (id.clone(), progress)
    })
    .collect()
}

/// Voters beside the leader that are level with it, for what need not burden the leader.
pub(super) fn level(own: &[&Asked]) -> Vec<(MemberId, Url)> {
    let Some(commit) = leading(own).and_then(|node| Some(node.status.as_ref()?.commit_index))
    else {
        return Vec::new();
    };
    own.iter()
        .filter(|node| node.answer == Answer::Answered && !node.leads())
        .filter_map(|node| {
            let status = node.status.as_ref()?;
            let near = commit.saturating_sub(status.applied_index) <= 10;
            (near && !status.is_learner)
                .then(|| (member_id(status.header.member_id), node.url.clone()))
        })
        .collect()
}
