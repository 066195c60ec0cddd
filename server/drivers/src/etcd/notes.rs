//! Facts about the cluster that are nobody's own state: what is worth a finding. Pure.

use std::collections::BTreeSet;

use quorate_domain::{
    cluster::{MemberId, Membership},
    observation::{Answer, Note},
};

use super::{
    answers::{Alarm, Status, membership},
    ask::Asked,
    picture::{Gathered, identity},
};
use crate::http::plain_http;

/// All notes of one look.
pub(super) fn notes(
    seen: &Gathered<'_>,
    own: &[&Asked],
    membership: Option<&Membership>,
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
    notes.extend(two_clusters(seen));
    notes.extend(alarms(own));
    if let Some(membership) = membership {
        notes.extend(removed(own, membership));
        let members: Vec<MemberId> = differing_members(own, membership).into_iter().collect();
        if !members.is_empty() {
            notes.push(Note::ViewsDiffer { members });
        }
    }
    notes
}

fn two_clusters(seen: &Gathered<'_>) -> Option<Note> {
    let told: BTreeSet<u64> = seen.asked.iter().filter_map(Asked::cluster_id).collect();
    let strange = told.iter().any(|told| Some(*told) != seen.cluster_id);
    let addresses = || {
        let telling = seen.asked.iter().filter(|node| node.cluster_id().is_some());
        telling.map(Asked::address).collect()
    };
    (strange && seen.cluster_id.is_some()).then(|| Note::TwoClusters {
        addresses: addresses(),
    })
}

/// Every member tells all alarms it has applied; each is told once.
fn alarms(own: &[&Asked]) -> impl Iterator<Item = Note> {
    let told: BTreeSet<Alarm> = own
        .iter()
        .filter_map(|node| node.status.as_ref())
        .flat_map(Status::alarms)
        .collect();
    told.into_iter().map(|alarm| Note::Alarm {
        member: alarm.member,
        alarm: alarm.kind,
    })
}

/// Members that run and belong to the cluster by their own account, and are in its list no more.
fn removed(own: &[&Asked], membership: &Membership) -> Vec<Note> {
    let outside = own
        .iter()
        .filter(|node| node.answer == Answer::Answered)
        .filter_map(|node| {
            let id = identity(node, Some(membership))?;
            let gone = membership.member(&id).is_none();
            gone.then(|| Note::RemovedStillRunning {
                member: id,
                address: node.address(),
            })
        });
    outside.collect()
}

/// Members whose own list is another than the one that counts.
pub(super) fn differing_members(own: &[&Asked], counting: &Membership) -> BTreeSet<MemberId> {
    own.iter()
        .filter(|node| node.answer == Answer::Answered)
        .filter_map(|node| Some((node.id()?, node.list.as_deref()?)))
        .filter(|(id, _)| counting.member(id).is_some())
        .filter(|(_, list)| membership(list).revision != counting.revision)
        .map(|(id, _)| id)
        .collect()
}
