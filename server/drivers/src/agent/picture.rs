//! Puts the answers of one look together. Pure but for the book, which learns.

use std::collections::BTreeMap;

use quorate_domain::{
    cluster::{Kind, Member, MemberId, Membership, Revision},
    observation::{Answer, NodeReport, Note, Observation},
};
use url::Url;

use super::{
    ask::Asked,
    book::{Book, best},
};
use crate::{clock, http};

pub(super) fn picture(book: &mut Book, asked: &BTreeMap<Url, Asked>) -> Observation {
    let (ours, strangers): (Vec<&Asked>, Vec<&Asked>) =
        asked.values().partition(|asked| book.ours(asked));
    let witness = best(ours.iter().copied());
    let told = witness.and_then(|asked| asked.view.as_ref()?.membership());
    if let (Some(membership), Some(witness)) = (&told, witness) {
        book.learn_membership(membership.clone(), &witness.url);
    }
    let membership = book.membership.clone();
    let leader =
        witness.filter(|asked| asked.view.as_ref().is_some_and(super::answers::View::leads));
    let mut notes = notes_on_addresses(asked, &strangers);
    notes.extend(differing(book, &ours, leader));
    let nodes = match &membership {
        Some(membership) => {
            notes.extend(removed(membership, &ours));
            reports(book, membership, asked)
        }
        None => asked.values().map(report_by_address).collect(),
    };
    Observation {
        kind: Kind::Agent,
        program: book.program.clone(),
        version: book.version.clone(),
        taken_at: clock::now(),
        membership_remembered: told.is_none() && membership.is_some(),
        membership,
        nodes,
        progress: leader
            .and_then(|asked| asked.view.as_ref())
            .map(super::answers::View::progress)
            .unwrap_or_default(),
        notes,
        capabilities: book.capabilities.clone(),
    }
}

/// One report for each member, then one for each other node of this cluster that answered.
fn reports(book: &Book, membership: &Membership, asked: &BTreeMap<Url, Asked>) -> Vec<NodeReport> {
    let mut reports: Vec<NodeReport> = membership
        .members
        .iter()
        .map(|member| report(book, member, asked))
        .collect();
    for other in asked.values().filter(|other| book.ours(other)) {
        let Some(id) = other.member() else { continue };
        if reports.iter().all(|report| report.id != id) {
            reports.push(told_by(id, other));
        }
    }
    reports
}

fn report(book: &Book, member: &Member, asked: &BTreeMap<Url, Asked>) -> NodeReport {
    let is_it = |asked: &&Asked| asked.member().as_ref() == Some(&member.id) && book.ours(asked);
    let at_its_place = book.place(&member.id).and_then(|place| asked.get(place));
    // At its own place first: two processes may say they are the same member.
    let found = at_its_place
        .filter(is_it)
        .or_else(|| asked.values().find(is_it));
    match (found, at_its_place) {
        (Some(found), _) => told_by(member.id.clone(), found),
        (None, Some(other)) => NodeReport {
            id: member.id.clone(),
            asked: Some(other.address()),
            answer: somebody_else(book, other),
            at: other.at,
            says: None,
        },
        (None, None) => NodeReport {
            id: member.id.clone(),
            asked: None,
            answer: Answer::NotAsked,
            at: clock::now(),
            says: None,
        },
    }
}

fn told_by(id: MemberId, asked: &Asked) -> NodeReport {
    NodeReport {
        id,
        asked: Some(asked.address()),
        answer: asked.answer.clone(),
        at: asked.at,
        says: asked.says(),
    }
}

/// Why the answer from a member's place is not that member's.
fn somebody_else(book: &Book, other: &Asked) -> Answer {
    match other.member() {
        Some(_) if !book.ours(other) => {
            Answer::Misread("a node of another cluster answers there".to_owned())
        }
        Some(id) => Answer::Misread(format!("{id} answers there")),
        None => other.answer.clone(),
    }
}

/// While nobody's membership is known, all there is to show is who was asked.
fn report_by_address(asked: &Asked) -> NodeReport {
    let id = asked.member().unwrap_or_else(|| MemberId(asked.address()));
    told_by(id, asked)
}

fn notes_on_addresses(asked: &BTreeMap<Url, Asked>, strangers: &[&Asked]) -> Vec<Note> {
    let mut notes: Vec<Note> = asked.keys().filter_map(http::plain_http).collect();
    for answer in asked.values() {
        if let Answer::Misread(why) = &answer.answer {
            notes.push(Note::Misread {
                address: answer.address(),
                why: why.clone(),
            });
        }
    }
    if !strangers.is_empty() {
        let addresses = strangers.iter().map(|asked| asked.address()).collect();
        notes.push(Note::TwoClusters { addresses });
    }
    notes
}

/// Nodes that are no members and hold a past of this cluster.
fn removed(membership: &Membership, ours: &[&Asked]) -> Vec<Note> {
    let running = |asked: &&Asked| {
        let id = asked.member()?;
        let past = asked.view.as_ref().is_some_and(|view| !view.outside());
        let note = Note::RemovedStillRunning {
            member: id.clone(),
            address: asked.address(),
        };
        (past && membership.member(&id).is_none()).then_some(note)
    };
    ours.iter().filter_map(running).collect()
}

/// Who holds another membership than the leader. An entry takes a moment to travel, so only who
/// held the same wrong one at the last look too is named.
fn differing(book: &mut Book, ours: &[&Asked], leader: Option<&Asked>) -> Option<Note> {
    let revision = |asked: &Asked| Some(Revision(asked.view.as_ref()?.membership.revision.clone()));
    let right = revision(leader?)?;
    let members = book.membership.as_ref()?;
    let differ = ours.iter().filter_map(|asked| {
        let (id, held) = (asked.member()?, revision(asked)?);
        (held != right && members.member(&id).is_some()).then_some((id, held))
    });
    let differ: BTreeMap<MemberId, Revision> = differ.collect();
    let before = std::mem::replace(&mut book.differed, differ.clone());
    let lasting = differ
        .into_iter()
        .filter(|(id, held)| before.get(id) == Some(held));
    let members: Vec<MemberId> = lasting.map(|(id, _)| id).collect();
    (!members.is_empty()).then_some(Note::ViewsDiffer { members })
}
