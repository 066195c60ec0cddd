//! From the nodes' answers to one observation. Pure: everything it knows is in its arguments.

use std::collections::BTreeMap;

use quorate_domain::{
    cluster::{Kind, Member, MemberId, Membership, Term},
    moment::Timestamp,
    observation::{Answer, NodeReport, Observation, Progress, SelfReport},
};

use super::{
    answers::{Autopilot, HaNode, go_duration_ms, membership, raft_address},
    ask::Asked,
    directory::Directory,
    notes::notes,
    rights::Rights,
};
use crate::http::address_of;

/// Everything one look gathered.
pub(super) struct Gathered<'a> {
    pub configured: Kind,
    pub asked: &'a [Asked],
    /// What the leader's autopilot and high-availability list say, and who that leader is.
    pub autopilot: Option<&'a Autopilot>,
    pub rows: &'a [HaNode],
    pub directory: &'a Directory,
    pub rights: Option<&'a Rights>,
    pub remembered: Option<&'a Membership>,
    /// The cluster this console has been looking at so far.
    pub cluster_id: Option<&'a str>,
    /// Autopilot calls everybody unhealthy for some seconds after a leader change.
    pub leader_is_settled: bool,
    pub now: Timestamp,
}

/// The answering node that leads: by its own claim and its own configuration. Of several, the
/// one that most nodes name, then the one with the longest log.
pub(super) fn leading(asked: &[Asked]) -> Option<&Asked> {
    let claims = asked
        .iter()
        .filter(|node| node.answer == Answer::Answered && node.leads());
    claims.max_by_key(|claim| {
        let address = claim.own_entry().map(|own| own.address.as_str());
        let named = asked
            .iter()
            .filter_map(|node| node.words.as_ref())
            .filter(|words| Some(raft_address(&words.leader_cluster_address)) == address);
        (named.count(), claim.index())
    })
}

/// The membership that counts: the leader's; without one that of the most advanced voter.
pub(super) fn counting_membership(asked: &[Asked]) -> Option<Membership> {
    let witness = leading(asked).or_else(|| {
        let holders = asked.iter().filter(|node| node.servers.is_some());
        holders.max_by_key(|node| (node.own_entry().map(|own| own.voter), node.index()))
    });
    witness
        .and_then(|node| node.servers.as_deref())
        .map(membership)
}

/// The cluster that is looked at: the one known from before, else the one most nodes belong to.
pub(super) fn cluster_id(asked: &[Asked], known: Option<&str>) -> Option<String> {
    if let Some(known) = known {
        return Some(known.to_owned());
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for told in asked.iter().filter_map(told_cluster) {
        *counts.entry(told).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(id, _)| id.to_owned())
}

pub(super) fn told_cluster(node: &Asked) -> Option<&str> {
    node.health
        .as_ref()
        .and_then(|health| health.cluster_id.as_deref())
}

/// The answers of the one cluster that is looked at, without those of strangers.
pub(super) fn own<'a>(asked: &'a [Asked], cluster_id: Option<&str>) -> Vec<&'a Asked> {
    let stranger = |node: &&Asked| match (told_cluster(node), cluster_id) {
        (Some(told), Some(own)) => told != own,
        _ => false,
    };
    asked.iter().filter(|node| !stranger(node)).collect()
}

pub(super) fn picture(seen: &Gathered<'_>) -> Observation {
    let own: Vec<Asked> = own(seen.asked, seen.cluster_id)
        .into_iter()
        .cloned()
        .collect();
    let told = counting_membership(&own);
    let membership_remembered = told.is_none();
    let leader = leading(&own).and_then(|node| node.id().cloned());
    let membership = told.or_else(|| seen.remembered.cloned());
    let membership = membership.map(|found| dressed(found, seen));
    let nodes = reports(seen, &own, membership.as_ref(), leader.as_ref());
    let mut notes = notes(seen, &own, membership.as_ref(), leader.as_ref());
    notes.extend(seen.rights.iter().flat_map(|rights| rights.notes.clone()));
    Observation {
        kind: kind(seen, &own),
        program: None,
        version: version(&own),
        taken_at: seen.now,
        membership_remembered: membership_remembered && membership.is_some(),
        progress: progress(seen, leader.as_ref()),
        membership,
        nodes,
        notes,
        capabilities: seen
            .rights
            .map(|rights| rights.capabilities.clone())
            .unwrap_or_default(),
    }
}

fn kind(seen: &Gathered<'_>, own: &[Asked]) -> Kind {
    if let Some(kind) = seen.rights.and_then(|rights| rights.kind) {
        return kind;
    }
    let mut health = own.iter().filter_map(|node| node.health.as_ref());
    if health.any(|health| health.enterprise.is_some()) {
        Kind::Vault
    } else {
        seen.configured
    }
}

fn version(own: &[Asked]) -> Option<String> {
    let told = |node: &Asked| {
        node.health
            .as_ref()
            .and_then(|health| health.version.clone())
    };
    leading(own)
        .and_then(told)
        .or_else(|| own.iter().find_map(told))
}

/// The membership with API addresses and wishes.
fn dressed(mut membership: Membership, seen: &Gathered<'_>) -> Membership {
    for member in &mut membership.members {
        member.api_address = seen.directory.url_of(member).map(|url| address_of(&url));
        let watched = seen
            .autopilot
            .and_then(|state| state.servers.get(member.id.as_str()));
        member.wanted_role = watched.and_then(|watched| watched.wish(member.role));
    }
    membership
}

fn reports(
    seen: &Gathered<'_>,
    own: &[Asked],
    membership: Option<&Membership>,
    leader: Option<&MemberId>,
) -> Vec<NodeReport> {
    let mut reports: BTreeMap<MemberId, NodeReport> = BTreeMap::new();
    let members: &[Member] = membership.map_or(&[], |membership| &membership.members);
    for node in own {
        let Some(id) = identity(seen, node, own, membership) else {
            continue;
        };
        let report = NodeReport {
            id: id.clone(),
            asked: Some(node.address()),
            answer: node.answer.clone(),
            at: node.at,
            says: node
                .words
                .is_some()
                .then(|| says(seen, node, &id, members, leader)),
        };
        // One node may be reached by two addresses; its better answer counts.
        match reports.get(&id) {
            Some(other) if other.answered() || !report.answered() => {}
            _ => {
                reports.insert(id, report);
            }
        }
    }
    for member in members {
        reports
            .entry(member.id.clone())
            .or_insert_with(|| unheard(seen, member, own));
    }
    reports.into_values().collect()
}

/// A member of which there is no answer of its own.
fn unheard(seen: &Gathered<'_>, member: &Member, own: &[Asked]) -> NodeReport {
    let url = seen.directory.url_of(member);
    let there = |node: &&Asked| Some(&node.url) == url.as_ref();
    let other = own.iter().find(there).and_then(|node| node.proven.as_ref());
    let answer = match (other, seen.asked.iter().find(there)) {
        (Some(other), _) => {
            Answer::Misread(format!("another node, {other}, answers at its address"))
        }
        (None, Some(_)) => Answer::Misread("another cluster answers at its address".to_owned()),
        (None, None) => Answer::NotAsked,
    };
    NodeReport {
        id: member.id.clone(),
        asked: url.as_ref().map(address_of),
        answer,
        at: seen.now,
        says: None,
    }
}

/// Under which id a node stands in the observation; `None` for what says nothing about the
/// cluster, such as a load balancer or a former member that is gone.
pub(super) fn identity(
    seen: &Gathered<'_>,
    node: &Asked,
    own: &[Asked],
    membership: Option<&Membership>,
) -> Option<MemberId> {
    let Some(membership) = membership else {
        return Some(
            node.id()
                .cloned()
                .unwrap_or_else(|| MemberId(node.address())),
        );
    };
    let by_book = || {
        let at = |member: &&Member| seen.directory.url_of(member).as_ref() == Some(&node.url);
        membership
            .members
            .iter()
            .find(at)
            .map(|member| member.id.clone())
    };
    if let Some(id) = node
        .proven
        .clone()
        .or_else(by_book)
        .or_else(|| node.expected.clone())
    {
        let gone = matches!(node.answer, Answer::Silent(_)) && membership.member(&id).is_none();
        return (!gone).then_some(id);
    }
    if let Some(id) = by_elimination(seen, node, own, membership) {
        return Some(id);
    }
    let address = seen.directory.raft_address_of(&node.url)?;
    let listed = seen
        .rows
        .iter()
        .any(|row| raft_address(&row.cluster_address) == address);
    let runs = node.answer == Answer::Answered;
    (listed && runs).then(|| former(seen, address))
}

fn former(seen: &Gathered<'_>, address: &str) -> MemberId {
    seen.directory
        .former(address)
        .cloned()
        .unwrap_or_else(|| MemberId::from(address))
}

/// The one member whose address nobody knows must be the one seed that nobody could place.
fn by_elimination(
    seen: &Gathered<'_>,
    node: &Asked,
    own: &[Asked],
    membership: &Membership,
) -> Option<MemberId> {
    let placed = |node: &&Asked| node.id().is_some() || node.answer == Answer::Answered;
    let mut homeless = membership.members.iter().filter(|member| {
        seen.directory.url_of(member).is_none()
            && !own.iter().any(|other| other.id() == Some(&member.id))
    });
    let mut strays = own.iter().filter(|other| !placed(other));
    let (only, none) = (homeless.next()?, homeless.next());
    let (stray, second) = (strays.next()?, strays.next());
    let fits = none.is_none() && second.is_none() && stray.url == node.url;
    fits.then(|| only.id.clone())
}

fn says(
    seen: &Gathered<'_>,
    node: &Asked,
    id: &MemberId,
    members: &[Member],
    leader: Option<&MemberId>,
) -> SelfReport {
    let words = node.words.clone().unwrap_or_default();
    let own = node.own_servers().map(|servers| {
        let entry = servers.iter().find(|server| server.node_id == id.as_str());
        (
            entry.is_some_and(|entry| entry.voter),
            entry.is_some_and(|entry| entry.leader),
        )
    });
    let claims = words.is_self && own.is_some_and(|(_, leads)| leads);
    let named = || {
        let address = raft_address(&words.leader_cluster_address);
        let of = |member: &&Member| {
            member.address == address
                || member.api_address.as_deref() == Some(words.leader_address.as_str())
        };
        members.iter().find(of).map(|member| member.id.clone())
    };
    SelfReport {
        claims_leadership: claims,
        names_leader: if words.is_self {
            Some(id.clone())
        } else {
            named()
        },
        term: (leader == Some(id)).then(|| term(seen, id)).flatten(),
        last_index: words.raft_committed_index,
        commit_index: words.raft_committed_index,
        applied_index: words.raft_applied_index,
        voter_by_own_account: own.map(|(votes, _)| votes),
        revision: node
            .own_servers()
            .map(|servers| membership(servers).revision),
        version: node
            .health
            .as_ref()
            .and_then(|health| health.version.clone()),
        ..SelfReport::default()
    }
}

/// Only autopilot tells terms, and only at the leader can its word be taken for the node's own.
fn term(seen: &Gathered<'_>, leader: &MemberId) -> Option<Term> {
    let state = seen
        .autopilot
        .filter(|state| state.leader == leader.as_str())?;
    let term = state.servers.get(leader.as_str())?.last_term;
    (term > 0).then_some(Term(term))
}

fn progress(seen: &Gathered<'_>, leader: Option<&MemberId>) -> BTreeMap<MemberId, Progress> {
    let state = seen
        .autopilot
        .filter(|state| leader.is_some_and(|leader| state.leader == leader.as_str()));
    let Some(state) = state else {
        return BTreeMap::new();
    };
    let of = |watched: &super::answers::Watched| Progress {
        // 0 until it has echoed to the present leader.
        last_index: (watched.last_index > 0).then_some(watched.last_index),
        last_contact_ms: go_duration_ms(&watched.last_contact),
        healthy: Some(watched.healthy),
    };
    state
        .servers
        .iter()
        .map(|(id, watched)| (MemberId::from(id.as_str()), of(watched)))
        .collect()
}
