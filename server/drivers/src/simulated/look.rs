//! What one look at the simulated cluster sees.

use std::collections::BTreeMap;

use quorate_domain::{
    action::{Action, Verb},
    capability::Capability,
    cluster::{Kind, Member, MemberId, Membership, Role, Term},
    observation::{Answer, NodeReport, Note, Observation, Progress, SelfReport},
};
use tokio::time::Instant;

use super::raft::{Node, Running, World};
use crate::clock;

pub(super) fn look(world: &World) -> Observation {
    let nodes: Vec<NodeReport> = world
        .nodes
        .iter()
        .filter_map(|(id, node)| report(world, id, node))
        .collect();
    let witness = nodes
        .iter()
        .filter(|report| report.answered())
        .max_by_key(|report| rank(report))
        .map(|report| report.id.clone());
    let membership = witness.and_then(|id| world.nodes.get(&id)).map(|node| {
        let members = node.members.iter().cloned();
        Membership::simple(members.map(|member| wish(world, member)).collect())
    });
    let notes = notes(world, &nodes, membership.as_ref());
    Observation {
        kind: Kind::Simulated,
        program: None,
        version: Some("1".to_owned()),
        taken_at: clock::now(),
        membership,
        membership_remembered: false,
        progress: progress(world, &nodes),
        nodes,
        notes,
        capabilities: capabilities(world),
    }
}

/// The leader's word before any other, then the most advanced.
fn rank(report: &NodeReport) -> (bool, Option<Term>, Option<u64>) {
    let says = report.says.as_ref();
    let term = says.and_then(|says| says.term);
    (
        says.is_some_and(|says| says.claims_leadership && says.voter_by_own_account == Some(true)),
        term,
        says.and_then(|says| says.last_index),
    )
}

/// `None` for a node that nobody knows of: a spare.
fn report(world: &World, id: &MemberId, node: &Node) -> Option<NodeReport> {
    let known = world
        .nodes
        .values()
        .any(|other| other.members.iter().any(|each| each.id == *id));
    if !known && node.members.is_empty() {
        return None;
    }
    let answer = answer(node);
    let says = (answer == Answer::Answered).then(|| says(world, id, node));
    Some(NodeReport {
        id: id.clone(),
        asked: Some(format!("http://{}", node.address)),
        answer,
        at: clock::now(),
        says,
    })
}

fn answer(node: &Node) -> Answer {
    if node.hidden || node.running == Running::Frozen {
        return Answer::Silent("no complete answer in time".to_owned());
    }
    if node.running == Running::Killed {
        return Answer::Silent("nothing listens there (connection refused)".to_owned());
    }
    if let Some(why) = &node.misread {
        return Answer::Misread(why.clone());
    }
    if let Some(why) = &node.denied {
        return Answer::Denied(why.clone());
    }
    if node.running == Running::Sealed {
        return Answer::Sealed;
    }
    if node.members.is_empty() {
        Answer::NotStarted
    } else {
        Answer::Answered
    }
}

fn says(world: &World, id: &MemberId, node: &Node) -> SelfReport {
    let claims = node.leads || node.lie.is_some();
    let heard = Instant::now().saturating_duration_since(node.heard);
    let evidence = if node.lie.is_some() {
        0
    } else {
        milliseconds(heard)
    };
    let named = if claims {
        Some(id.clone())
    } else {
        node.names_leader.clone()
    };
    SelfReport {
        claims_leadership: claims,
        quorum_evidence_ms: claims.then_some(evidence),
        election_timeout_ms: Some(milliseconds(world.election_timeout)),
        names_leader: named,
        term: Some(Term(node.lie.unwrap_or(node.term))),
        last_index: Some(node.last_index),
        commit_index: Some(node.last_index),
        applied_index: Some(node.applied_index),
        voter_by_own_account: Some(
            node.members
                .iter()
                .any(|member| member.id == *id && member.role.votes()),
        ),
        revision: Some(Membership::hash(&node.members)),
        instance: Some(format!("{id}-{}", node.instance)),
        fault: node.fault.clone(),
        version: Some("1".to_owned()),
    }
}

fn wish(world: &World, mut member: Member) -> Member {
    for pending in &world.pending {
        match &pending.action {
            Action::Promote { member: id } if *id == member.id => {
                member.wanted_role = Some(Role::Voter);
            }
            Action::Demote { member: id } if *id == member.id => {
                member.wanted_role = Some(Role::Learner);
            }
            _ => {}
        }
    }
    member
}

fn progress(world: &World, nodes: &[NodeReport]) -> BTreeMap<MemberId, Progress> {
    let leader = nodes.iter().find(|report| {
        report
            .says
            .as_ref()
            .is_some_and(|says| says.claims_leadership)
    });
    let Some(leader) = leader.and_then(|report| world.nodes.get(&report.id)) else {
        return BTreeMap::new();
    };
    let now = Instant::now();
    leader
        .members
        .iter()
        .filter_map(|member| Some((member.id.clone(), world.nodes.get(&member.id)?)))
        .map(|(id, node)| {
            let reached = node.running == Running::Up && node.side == leader.side;
            let contact = milliseconds(now.saturating_duration_since(node.heard));
            let progress = Progress {
                last_index: Some(node.last_index),
                last_contact_ms: Some(contact),
                healthy: Some(reached),
            };
            (id, progress)
        })
        .collect()
}

fn notes(world: &World, nodes: &[NodeReport], membership: Option<&Membership>) -> Vec<Note> {
    let Some(membership) = membership else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    let mut differing = Vec::new();
    for report in nodes.iter().filter(|report| report.answered()) {
        let revision = report.says.as_ref().and_then(|says| says.revision.clone());
        if membership.member(&report.id).is_none() {
            let address = world.nodes.get(&report.id).map(|node| node.address.clone());
            notes.push(Note::RemovedStillRunning {
                member: report.id.clone(),
                address: address.unwrap_or_default(),
            });
        } else if revision.as_ref() != Some(&membership.revision) {
            differing.push(report.id.clone());
        }
    }
    if !differing.is_empty() {
        notes.push(Note::ViewsDiffer { members: differing });
    }
    notes
}

fn capabilities(world: &World) -> Vec<Capability> {
    let capability = |action| Capability {
        action,
        supported: true,
        note: None,
        target: action != Verb::Transfer || !world.chooses_leader,
    };
    Verb::USUAL.into_iter().map(capability).collect()
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
