//! Facts about the backend that are nobody's own state: what is worth a finding. Pure.

use std::collections::BTreeSet;

use quorate_domain::{
    cluster::{MemberId, Membership},
    observation::{Answer, Note},
};

use super::{
    answers::{go_duration_ms, membership},
    ask::Asked,
    picture::{Gathered, identity, told_cluster},
};
use crate::http::plain_http;

/// All notes of one look.
pub(super) fn notes(
    seen: &Gathered<'_>,
    own: &[Asked],
    membership: Option<&Membership>,
    leader: Option<&MemberId>,
) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for node in seen.asked {
        notes.extend(plain_http(&node.url));
        if let Answer::Misread(why) = &node.answer {
            notes.push(Note::Misread {
                address: node.address(),
                why: why.clone(),
            });
        }
    }
    notes.extend(two_clusters(seen.asked, seen.cluster_id));
    if let Some(membership) = membership {
        notes.extend(removed(seen, own, membership));
        notes.extend(differing(own, membership));
        notes.extend(unhealthy(seen, own, membership, leader));
    }
    notes
}

fn two_clusters(asked: &[Asked], cluster_id: Option<&str>) -> Option<Note> {
    let told: BTreeSet<&str> = asked.iter().filter_map(told_cluster).collect();
    let strange = told.iter().any(|told| Some(*told) != cluster_id);
    let addresses = || {
        asked
            .iter()
            .filter(|node| told_cluster(node).is_some())
            .map(Asked::address)
            .collect()
    };
    (strange && cluster_id.is_some()).then(|| Note::TwoClusters {
        addresses: addresses(),
    })
}

/// Nodes that run and belong to the cluster by their own account, and are in its list no more.
fn removed(seen: &Gathered<'_>, own: &[Asked], membership: &Membership) -> Vec<Note> {
    let outside = own
        .iter()
        .filter(|node| node.answer == Answer::Answered)
        .filter_map(|node| {
            let id = identity(seen, node, own, Some(membership))?;
            let gone = membership.member(&id).is_none();
            gone.then(|| Note::RemovedStillRunning {
                member: id,
                address: node.address(),
            })
        });
    outside.collect()
}

fn differing(own: &[Asked], membership: &Membership) -> Option<Note> {
    let members: Vec<MemberId> = differing_members(own, membership).into_iter().collect();
    (!members.is_empty()).then_some(Note::ViewsDiffer { members })
}

/// Members whose own configuration is another than the one that counts.
pub(super) fn differing_members(own: &[Asked], counting: &Membership) -> BTreeSet<MemberId> {
    let nodes = own.iter().filter(|node| node.answer == Answer::Answered);
    nodes
        .filter_map(|node| Some((node.id()?, node.own_servers()?)))
        .filter(|(id, _)| counting.member(id).is_some())
        .filter(|(_, servers)| membership(servers).revision != counting.revision)
        .map(|(id, _)| id.clone())
        .collect()
}

/// Autopilot's bad opinion, when nothing else explains it. Its figures are seconds old, so under
/// load it calls healthy followers unhealthy; then the setting to look at is named.
fn unhealthy(
    seen: &Gathered<'_>,
    own: &[Asked],
    membership: &Membership,
    leader: Option<&MemberId>,
) -> Option<Note> {
    let state = seen.autopilot?;
    let all_answer = membership.members.iter().all(|member| {
        own.iter()
            .any(|node| node.id() == Some(&member.id) && node.answer == Answer::Answered)
    });
    if state.healthy || !seen.leader_is_settled || !all_answer || leader.is_none() {
        return None;
    }
    let bad: Vec<&str> = state
        .servers
        .iter()
        .filter(|(_, watched)| !watched.healthy)
        .map(|(id, _)| id.as_str())
        .collect();
    let silent = state.servers.values().any(|watched| {
        go_duration_ms(&watched.last_contact).is_some_and(|contact| contact > 10_000)
    });
    let who = if bad.is_empty() {
        "the cluster".to_owned()
    } else {
        bad.join(", ")
    };
    let why = if silent {
        "the leader has not heard from them for more than 10 s"
    } else {
        "their own indexes are level, so this is most likely max_trailing_logs, which is too \
         small for the present rate of writes"
    };
    Some(Note::BackendUnhealthy {
        text: format!("Autopilot calls {who} unhealthy: {why}."),
    })
}
