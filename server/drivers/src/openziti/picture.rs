//! From the controllers' answers to one observation. Pure: everything it knows is in its
//! arguments.

use std::collections::BTreeMap;

use quorate_domain::{
    action::Verb,
    capability::Capability,
    cluster::{Kind, Member, MemberId, Membership},
    moment::Timestamp,
    observation::{Answer, NodeReport, Observation, Progress, SelfReport},
};

use super::{
    answers::{Row, membership},
    ask::Asked,
    directory::Directory,
    notes::notes,
    standing::{Known, Standing, standing},
};
use crate::http::address_of;

/// Everything one look gathered.
pub(super) struct Gathered<'a> {
    pub asked: &'a [Asked],
    pub directory: &'a Directory,
    pub remembered: Option<&'a Membership>,
    pub known: &'a Known,
    /// The network this console has been looking at so far, by the controllers' certificates.
    pub domain: Option<&'a str>,
    /// Members whose role was being changed and who are not there: id and address.
    pub outside: &'a [(MemberId, String)],
    /// What the last integrity check found, in words.
    pub integrity: Option<&'a str>,
    pub now: Timestamp,
}

/// The membership that counts, and who in it is in doubt.
#[derive(Clone, Debug)]
pub(super) struct Counting {
    pub membership: Membership,
    pub doubtful: Vec<MemberId>,
    /// Listed, connected, and no members: id and control address.
    pub strangers: Vec<(String, String)>,
}

/// The network that is looked at: the one known from before, else the one most belong to.
pub(super) fn domain(asked: &[Asked], known: Option<&str>) -> Option<String> {
    if let Some(known) = known {
        return Some(known.to_owned());
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for proven in asked.iter().filter_map(|node| node.proven.as_ref()) {
        *counts.entry(&proven.domain).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(domain, _)| domain.to_owned())
}

/// The answers of the one network that is looked at.
pub(super) fn own(asked: &[Asked], domain: Option<&str>) -> Vec<Asked> {
    let stranger = |node: &&Asked| match (&node.proven, domain) {
        (Some(proven), Some(own)) => proven.domain != own,
        _ => false,
    };
    asked
        .iter()
        .filter(|node| !stranger(node))
        .cloned()
        .collect()
}

/// The controller that leads by its own belief. Of several, the one most others name, then the
/// one that is furthest.
pub(super) fn leading(asked: &[Asked]) -> Option<&Asked> {
    let claims = asked.iter().filter(|node| node.leads());
    claims.max_by_key(|claim| {
        let id = claim.id().map(MemberId::as_str);
        let named = asked.iter().filter(|node| node.names() == id);
        (named.count(), claim.index())
    })
}

/// The membership that counts: the leader's; without one that of the most advanced voter.
pub(super) fn counting(asked: &[Asked], known: &Known) -> Option<Counting> {
    let witness = leading(asked).or_else(|| {
        let holders = asked.iter().filter(|node| node.own_row().is_some());
        holders.max_by_key(|node| (node.own_row().map(|own| own.voter), node.index()))
    })?;
    let mut counting = Counting {
        membership: membership([]),
        doubtful: Vec::new(),
        strangers: Vec::new(),
    };
    let mut members: Vec<&Row> = Vec::new();
    for row in witness.rows.iter().flatten() {
        match standing(row, witness, asked, known) {
            Standing::Member => members.push(row),
            Standing::Doubtful => {
                members.push(row);
                counting.doubtful.push(MemberId::from(row.id.as_str()));
            }
            Standing::Stranger => counting
                .strangers
                .push((row.id.clone(), row.address.clone())),
        }
    }
    counting.membership = membership(members);
    Some(counting)
}

/// The membership one controller holds, without those who are only connected to it.
pub(super) fn held(node: &Asked, counting: &Membership) -> Option<Membership> {
    let rows = node.rows.as_ref()?;
    let is_member = |row: &&Row| {
        let id = MemberId::from(row.id.as_str());
        row.voter || !row.connected || counting.member(&id).is_some()
    };
    Some(membership(rows.iter().filter(is_member)))
}

pub(super) fn picture(seen: &Gathered<'_>) -> Observation {
    let own = own(seen.asked, seen.domain);
    let counting = counting(&own, seen.known);
    let membership_remembered = counting.is_none() && seen.remembered.is_some();
    let told = counting.as_ref().map(|counting| &counting.membership);
    let membership = told
        .or(seen.remembered)
        .cloned()
        .map(|found| dressed(found, seen));
    let nodes = reports(seen, &own, membership.as_ref());
    let notes = notes(seen, &own, counting.as_ref());
    Observation {
        kind: Kind::Openziti,
        program: None,
        version: version(&own),
        taken_at: seen.now,
        membership_remembered,
        progress: progress(&own),
        nodes,
        notes,
        capabilities: capabilities(&own),
        membership,
    }
}

fn version(own: &[Asked]) -> Option<String> {
    let told = |node: &Asked| {
        node.own_row()
            .map(|row| row.version.trim_start_matches('v').to_owned())
    };
    leading(own)
        .and_then(told)
        .or_else(|| own.iter().find_map(told))
        .filter(|version| !version.is_empty())
}

fn dressed(mut membership: Membership, seen: &Gathered<'_>) -> Membership {
    for member in &mut membership.members {
        member.api_address = seen.directory.url_of(member).map(|url| address_of(&url));
    }
    membership
}

fn reports(seen: &Gathered<'_>, own: &[Asked], membership: Option<&Membership>) -> Vec<NodeReport> {
    let mut reports: BTreeMap<MemberId, NodeReport> = BTreeMap::new();
    let timeline = leading(own).and_then(|leader| leader.index.as_ref()?.timeline.clone());
    for node in own {
        let Some(id) = identity(seen, node, membership) else {
            continue;
        };
        let report = NodeReport {
            id: id.clone(),
            asked: (!node.passed_on).then(|| node.address()),
            answer: node.answer.clone(),
            at: node.at,
            says: node
                .rows
                .is_some()
                .then(|| says(node, &id, membership, timeline.as_deref())),
        };
        // One controller may be reached by two addresses; its better answer counts.
        match reports.get(&id) {
            Some(other) if other.answered() || !report.answered() => {}
            _ => {
                reports.insert(id, report);
            }
        }
    }
    let members: &[Member] = membership.map_or(&[], |membership| &membership.members);
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
        (Some(other), _) => Answer::Misread(format!(
            "another controller, {}, answers at its address",
            other.id
        )),
        (None, Some(_)) => Answer::Misread("another network answers at its address".to_owned()),
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

/// Under which id a controller stands in the observation; `None` for what says nothing about the
/// cluster: a seed that is gone, or somebody who is no member.
pub(super) fn identity(
    seen: &Gathered<'_>,
    node: &Asked,
    membership: Option<&Membership>,
) -> Option<MemberId> {
    let Some(membership) = membership else {
        let known = node.id().cloned();
        return Some(known.unwrap_or_else(|| MemberId(node.address())));
    };
    let by_book = || {
        let at = |member: &&Member| seen.directory.url_of(member).as_ref() == Some(&node.url);
        let found = membership.members.iter().find(at)?;
        Some(found.id.clone())
    };
    let proven = node.proven.as_ref().map(|proven| proven.id.clone());
    let id = proven
        .or_else(|| node.expected.clone())
        .or_else(by_book)
        .or_else(|| by_elimination(seen, node, membership))?;
    membership.member(&id).is_some().then_some(id)
}

/// The one member of whom no address is known must be the one seed that nobody could place.
fn by_elimination(seen: &Gathered<'_>, node: &Asked, membership: &Membership) -> Option<MemberId> {
    let unplaced = |other: &&Asked| other.id().is_none();
    let mut homeless = membership.members.iter().filter(|member| {
        let answers = seen
            .asked
            .iter()
            .any(|other| other.id() == Some(&member.id));
        seen.directory.url_of(member).is_none() && !answers
    });
    let mut strays = seen.asked.iter().filter(unplaced);
    let (only, none) = (homeless.next()?, homeless.next());
    let (stray, second) = (strays.next()?, strays.next());
    let fits = none.is_none() && second.is_none() && stray.url == node.url;
    fits.then(|| only.id.clone())
}

fn says(
    node: &Asked,
    id: &MemberId,
    membership: Option<&Membership>,
    timeline: Option<&str>,
) -> SelfReport {
    let row = node.row(id);
    let comparable = node
        .index
        .as_ref()
        .filter(|index| timeline.is_none() || index.timeline.as_deref() == timeline);
    let known = |name: &str| {
        let found = membership?.member(&MemberId::from(name))?;
        Some(found.id.clone())
    };
    SelfReport {
        claims_leadership: row.is_some_and(|row| row.leader),
        names_leader: node.names().and_then(known),
        applied_index: comparable.map(|index| index.index),
        voter_by_own_account: Some(row.is_some_and(|row| row.voter)),
        revision: membership
            .and_then(|membership| held(node, membership))
            .map(|held| held.revision),
        version: row
            .map(|row| row.version.clone())
            .filter(|version| !version.is_empty()),
        ..SelfReport::default()
    }
}

/// Whether the leader has a channel to each of the others; followers up to 2.0 show healthy
/// followers as not connected.
fn progress(own: &[Asked]) -> BTreeMap<MemberId, Progress> {
    let Some(leader) = leading(own) else {
        return BTreeMap::new();
    };
    let of = |row: &Row| Progress {
        healthy: Some(row.connected),
        ..Progress::default()
    };
    leader
        .rows
        .iter()
        .flatten()
        .map(|row| (MemberId::from(row.id.as_str()), of(row)))
        .collect()
}

fn capabilities(own: &[Asked]) -> Vec<Capability> {
    Verb::USUAL
        .into_iter()
        .chain([Verb::CheckIntegrity])
        .map(|action| Capability {
            action,
            supported: is_offered(action),
            note: particular(action, own),
            target: true,
        })
        .collect()
}

const fn is_offered(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::AddLearner
            | Verb::Promote
            | Verb::Demote
            | Verb::Remove
            | Verb::Transfer
            | Verb::Snapshot
            | Verb::CheckIntegrity
    )
}

/// What is particular about an action at this cluster.
fn particular(verb: Verb, own: &[Asked]) -> Option<String> {
    let leader = leading(own);
    match verb {
        Verb::AddLearner => Some(
            "Give the control address as the new controller advertises it, tls:host:port. It must \
             run, trust the same root, and belong to no other cluster."
                .to_owned(),
        ),
        Verb::Promote | Verb::Transfer => {
            let coarse = leader.is_some_and(|leader| {
                !leader
                    .version()
                    .is_some_and(super::version::Version::tells_applied_index)
            });
            let coarse = coarse.then_some(
                "Before 2.1 the index told is that of the data routers get; it stands still while \
                 other entries replicate, so \"level\" says less than elsewhere.",
            );
            let preferred = preferred(own).filter(|_| verb == Verb::Transfer);
            let words: Vec<String> = preferred
                .into_iter()
                .chain(coarse.map(str::to_owned))
                .collect();
            (!words.is_empty()).then(|| words.join(" "))
        }
        Verb::Snapshot => Some(
            "It stays on the leader's own disk, beside its database; once a minute at most."
                .to_owned(),
        ),
        _ => (!is_offered(verb)).then(|| "OpenZiti has no call for it".to_owned()),
    }
}

/// Preferred leaders take leadership back by themselves.
fn preferred(own: &[Asked]) -> Option<String> {
    let rows = leading(own)?.rows.iter().flatten();
    let names: Vec<&str> = rows
        .filter(|row| row.preferred_leader && row.voter && row.connected)
        .map(|row| row.id.as_str())
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "{} is preferred: any other leader hands over to it after about ten seconds.",
            names.join(" or ")
        )
    })
}
