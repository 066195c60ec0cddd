//! From the nodes' answers to one observation. Pure but for the memory, which learns.

use std::collections::BTreeMap;

use quorate_domain::{
    cluster::{Kind, Member, MemberId, Membership, Revision, Term},
    observation::{Answer, NodeReport, Note, Observation, Progress, SelfReport},
};

use super::{
    answers::State,
    ask::{Asked, Words},
    capability::capabilities,
    memory::{Memory, witness},
    places::Place,
};
use crate::{
    clock,
    http::{address_of, plain_http},
};

pub(super) fn picture(memory: &mut Memory, asked: &[Asked]) -> Observation {
    let told = witness(memory, asked).is_some();
    let membership = memory
        .membership
        .clone()
        .map(|found| dressed(found, memory));
    let nodes = match &membership {
        Some(membership) => reports(memory, membership, asked),
        None => asked.iter().map(report_by_address).collect(),
    };
    let mut notes = notes(memory, asked);
    if let Some(membership) = &membership {
        notes.extend(removed(membership, &nodes));
        notes.extend(differing(memory, membership, asked, &nodes));
    }
    Observation {
        kind: Kind::Raftadmin,
        // Neither the program nor its version is told by anybody.
        program: None,
        version: None,
        taken_at: clock::now(),
        membership_remembered: !told && membership.is_some(),
        progress: progress(asked, &nodes),
        membership,
        nodes,
        notes,
        capabilities: capabilities(),
    }
}

/// The membership with the addresses of raftadmin.
fn dressed(mut membership: Membership, memory: &Memory) -> Membership {
    let places = memory.places.of_members(&membership);
    for member in &mut membership.members {
        let url = places.get(&member.id).and_then(Place::url);
        member.api_address = url.map(address_of);
    }
    membership
}

/// One report for each member, then one for each former member that still runs.
fn reports(memory: &Memory, membership: &Membership, asked: &[Asked]) -> Vec<NodeReport> {
    let places = memory.places.of_members(membership);
    let members = membership.members.iter();
    let mut reports: Vec<NodeReport> = members
        .map(|member| report(memory, member, places.get(&member.id), membership, asked))
        .collect();
    for (id, url) in &memory.former {
        let found = asked.iter().find(|one| one.url == *url);
        if let Some((one, words)) = found.and_then(|one| Some((one, one.inside()?))) {
            reports.push(told_by(id.clone(), one, Some(words), membership));
        }
    }
    reports
}

fn report(
    memory: &Memory,
    member: &Member,
    place: Option<&Place>,
    membership: &Membership,
    asked: &[Asked],
) -> NodeReport {
    let nobody = |asked: Option<String>, answer: Answer| NodeReport {
        id: member.id.clone(),
        asked,
        answer,
        at: clock::now(),
        says: None,
    };
    let found = place
        .and_then(Place::url)
        .and_then(|url| asked.iter().find(|one| one.url == *url))
        // Whoever leads says so with its own Raft address, wherever it was reached.
        .filter(|one| one.words.is_some())
        .or_else(|| asked.iter().find(|one| leads_as(one, member)))
        .or_else(|| {
            let url = place.and_then(Place::url)?;
            asked.iter().find(|one| one.url == *url)
        });
    match (found, place) {
        (Some(one), _) => match &one.words {
            Some(words) if !memory.ours(words) => {
                let why = "a node of another cluster answers there";
                nobody(Some(one.address()), Answer::Misread(why.to_owned()))
            }
            words => told_by(member.id.clone(), one, words.as_ref(), membership),
        },
        (None, Some(Place::Shared(url))) => {
            let why = "api_address_pattern gives several members this address";
            nobody(Some(address_of(url)), Answer::Misread(why.to_owned()))
        }
        (None, _) => nobody(None, Answer::NotAsked),
    }
}

fn leads_as(one: &Asked, member: &Member) -> bool {
    let from = one.inside().and_then(Words::leads_from);
    from == Some(member.address.as_str())
}

fn told_by(
    id: MemberId,
    one: &Asked,
    words: Option<&Words>,
    membership: &Membership,
) -> NodeReport {
    NodeReport {
        asked: Some(one.address()),
        answer: one.answer.clone(),
        at: one.at,
        says: words.map(|words| says(&id, words, membership)),
        id,
    }
}

/// While nobody's membership is known, all there is to show is who was asked.
fn report_by_address(one: &Asked) -> NodeReport {
    NodeReport {
        id: MemberId(one.address()),
        asked: Some(one.address()),
        answer: one.answer.clone(),
        at: one.at,
        says: None,
    }
}

fn says(id: &MemberId, words: &Words, membership: &Membership) -> SelfReport {
    let own = &words.configuration;
    let stats = &words.stats;
    let stopped = "its Raft has been shut down; only a restart of its process brings it back";
    let belongs = !own.members.is_empty();
    SelfReport {
        claims_leadership: words.leads_from().is_some(),
        names_leader: words.leader.as_ref().map(|address| {
            let named = |of: &Membership| {
                let mut members = of.members.iter();
                members
                    .find(|it| it.address == *address)
                    .map(|it| it.id.clone())
            };
            named(own)
                .or_else(|| named(membership))
                .unwrap_or_else(|| MemberId(address.clone()))
        }),
        term: (stats.term > 0).then_some(Term(stats.term)),
        last_index: Some(stats.last_index),
        commit_index: stats.commit_index,
        applied_index: stats.applied_index,
        voter_by_own_account: belongs.then(|| own.member(id).is_some_and(|it| it.role.votes())),
        revision: belongs.then(|| own.revision.clone()),
        fault: (stats.state == State::Shutdown).then(|| stopped.to_owned()),
        ..SelfReport::default()
    }
}

/// raftadmin's leader tells nothing of the others; how long ago it was heard, each follower says.
fn progress(asked: &[Asked], nodes: &[NodeReport]) -> BTreeMap<MemberId, Progress> {
    let heard = nodes.iter().filter_map(|node| {
        let says = node.says.as_ref().filter(|_| node.answered())?;
        says.names_leader.as_ref()?;
        let one = asked
            .iter()
            .find(|one| node.asked.as_ref() == Some(&one.address()))?;
        let progress = Progress {
            last_contact_ms: Some(one.words.as_ref()?.stats.last_contact_ms?),
            ..Progress::default()
        };
        Some((node.id.clone(), progress))
    });
    heard.collect()
}

fn notes(memory: &Memory, asked: &[Asked]) -> Vec<Note> {
    let mut notes: Vec<Note> = asked
        .iter()
        .filter_map(|one| plain_http(&one.url))
        .collect();
    for one in asked {
        if let Answer::Misread(why) = &one.answer {
            notes.push(Note::Misread {
                address: one.address(),
                why: why.clone(),
            });
        }
    }
    let strange = |one: &Asked| one.words.as_ref().is_some_and(|words| !memory.ours(words));
    if asked.iter().any(strange) {
        let telling = asked.iter().filter(|one| one.inside().is_some());
        notes.push(Note::TwoClusters {
            addresses: telling.map(Asked::address).collect(),
        });
    }
    if asked.iter().any(|one| one.words.is_some()) {
        notes.push(Note::NoAuthentication);
    }
    notes
}

fn removed(membership: &Membership, nodes: &[NodeReport]) -> Vec<Note> {
    let outside = nodes
        .iter()
        .filter(|node| node.answered() && membership.member(&node.id).is_none());
    outside
        .filter_map(|node| {
            Some(Note::RemovedStillRunning {
                member: node.id.clone(),
                address: node.asked.clone()?,
            })
        })
        .collect()
}

/// Who holds another membership than the leader. An entry takes a moment to travel, so only who
/// held the same wrong one at the last look too is named.
fn differing(
    memory: &mut Memory,
    membership: &Membership,
    asked: &[Asked],
    nodes: &[NodeReport],
) -> Option<Note> {
    let led = witness(memory, asked).is_some_and(|words| words.leads_from().is_some());
    let held = nodes.iter().filter_map(|node| {
        let revision = node.says.as_ref()?.revision.clone()?;
        let differs = revision != membership.revision && membership.member(&node.id).is_some();
        (differs && led).then(|| (node.id.clone(), revision))
    });
    let held: BTreeMap<MemberId, Revision> = held.collect();
    let before = std::mem::replace(&mut memory.differed, held.clone());
    let lasting = held
        .into_iter()
        .filter(|(id, revision)| before.get(id) == Some(revision));
    let members: Vec<MemberId> = lasting.map(|(id, _)| id).collect();
    (!members.is_empty()).then_some(Note::ViewsDiffer { members })
}
