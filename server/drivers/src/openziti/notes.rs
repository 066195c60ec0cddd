//! Facts about the cluster that are nobody's own state: what is worth a finding. Pure.

use std::collections::{BTreeMap, BTreeSet};

use quorate_domain::{
    cluster::{MemberId, Membership},
    observation::{Answer, Note},
};

use super::{
    ask::Asked,
    picture::{Counting, Gathered, held, identity},
};
use crate::http::plain_http;

/// All notes of one look.
pub(super) fn notes(seen: &Gathered<'_>, own: &[Asked], counting: Option<&Counting>) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for node in seen.asked {
        notes.extend(plain_http(&node.url));
    }
    notes.extend(misread(seen, own, counting));
    notes.extend(two_networks(seen));
    if let Some(counting) = counting {
        notes.extend(counting.doubtful.iter().map(|member| Note::MaybeNoMember {
            member: member.clone(),
        }));
        notes.extend(apart(own, &counting.membership));
        notes.extend(still_running(seen, counting));
        notes.extend(differing(own, &counting.membership));
        notes.extend(left_outside(seen, &counting.membership));
    }
    notes.extend(builds(own));
    notes.extend(seen.integrity.map(|text| Note::BackendUnhealthy {
        text: text.to_owned(),
    }));
    notes
}

/// What could not be read and is nobody's that is known.
fn misread(seen: &Gathered<'_>, own: &[Asked], counting: Option<&Counting>) -> Vec<Note> {
    let membership = counting
        .map(|counting| &counting.membership)
        .or(seen.remembered);
    let nobodys = own
        .iter()
        .filter(|node| membership.is_none() || identity(seen, node, membership).is_none());
    nobodys
        .filter_map(|node| match &node.answer {
            Answer::Misread(why) => Some(Note::Misread {
                address: node.address(),
                why: why.clone(),
            }),
            _ => None,
        })
        .collect()
}

fn two_networks(seen: &Gathered<'_>) -> Option<Note> {
    let told = || {
        seen.asked
            .iter()
            .filter_map(|node| Some((node, node.proven.as_ref()?)))
    };
    let strange = told().any(|(_, proven)| Some(proven.domain.as_str()) != seen.domain);
    (strange && seen.domain.is_some()).then(|| Note::TwoClusters {
        addresses: told().map(|(node, _)| node.address()).collect(),
    })
}

/// Controllers of the same network that vote in a cluster of their own, begun beside this one.
fn apart(own: &[Asked], membership: &Membership) -> Option<Note> {
    let voters = |node: &Asked| -> Vec<MemberId> {
        let rows = node.rows.iter().flatten().filter(|row| row.voter);
        rows.map(|row| MemberId::from(row.id.as_str())).collect()
    };
    let elsewhere = |node: &&Asked| {
        let voters = voters(node);
        !voters.is_empty() && voters.iter().all(|id| membership.member(id).is_none())
    };
    let addresses: Vec<String> = own.iter().filter(elsewhere).map(Asked::address).collect();
    (!addresses.is_empty()).then_some(Note::TwoClusters { addresses })
}

/// Former members that are still connected.
fn still_running(seen: &Gathered<'_>, counting: &Counting) -> Vec<Note> {
    let former = |id: &str| {
        let waits = seen
            .outside
            .iter()
            .any(|(outside, _)| outside.as_str() == id);
        seen.known.gone.contains(id) && !waits
    };
    let strangers = counting.strangers.iter();
    strangers
        .filter(|(id, _)| former(id))
        .map(|(id, address)| Note::RemovedStillRunning {
            member: MemberId::from(id.as_str()),
            address: address.clone(),
        })
        .collect()
}

fn differing(own: &[Asked], membership: &Membership) -> Option<Note> {
    let members: Vec<MemberId> = differing_members(own, membership).into_iter().collect();
    (!members.is_empty()).then_some(Note::ViewsDiffer { members })
}

/// Members whose own configuration is another than the one that counts.
pub(super) fn differing_members(own: &[Asked], counting: &Membership) -> BTreeSet<MemberId> {
    let differs =
        |node: &&Asked| held(node, counting).is_some_and(|held| held.revision != counting.revision);
    own.iter()
        .filter(|node| node.answer == Answer::Answered)
        .filter(differs)
        .filter_map(|node| node.id().filter(|id| counting.member(id).is_some()))
        .cloned()
        .collect()
}

fn left_outside(seen: &Gathered<'_>, membership: &Membership) -> Vec<Note> {
    let outside = seen.outside.iter();
    outside
        .filter(|(id, _)| membership.member(id).is_none())
        .map(|(member, address)| Note::LeftOutside {
            member: member.clone(),
            address: address.clone(),
        })
        .collect()
}

/// Members that run different builds make the whole cluster refuse to write its model.
fn builds(own: &[Asked]) -> Option<Note> {
    let mut builds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in own.iter().filter_map(Asked::own_row) {
        if !row.version.is_empty() {
            builds.entry(&row.version).or_default().push(&row.id);
        }
    }
    let listed: Vec<String> = builds
        .iter()
        .map(|(version, ids)| format!("{version} on {}", ids.join(", ")))
        .collect();
    let read_only = own
        .iter()
        .filter_map(Asked::own_row)
        .any(|row| row.read_only);
    let text = match (builds.len() > 1, read_only) {
        (true, _) => format!(
            "The members run different builds ({}): until all run the same, OpenZiti's model can \
             only be read.",
            listed.join("; ")
        ),
        (false, true) => "The controllers say that their model can only be read now.".to_owned(),
        (false, false) => return None,
    };
    Some(Note::BackendUnhealthy { text })
}
