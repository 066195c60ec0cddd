//! Whether what was foreseen has come about. Only the cluster's own configuration, told while a
//! leader is agreed, counts as proof; that a request was accepted does not.

use super::Expectation;
use crate::{
    action::Action,
    cluster::{MemberId, Role},
    health::FindingCode,
    leader::CLAIM_HOLDS_MS,
    text,
    view::{ClusterView, LeaderStatus, MemberView},
};

pub(super) fn of(view: &ClusterView, action: &Action) -> Expectation {
    let role = |member: &MemberId, role| Expectation::MemberHasRole {
        member: Some(member.clone()),
        address: None,
        role,
    };
    match action {
        Action::AddLearner { address, member } => Expectation::MemberHasRole {
            member: member.clone(),
            address: Some(address.clone()),
            role: Role::Learner,
        },
        Action::Promote { member } => role(member, Role::Voter),
        Action::Demote { member } => role(member, Role::Learner),
        Action::Remove { member } => Expectation::MemberGone {
            member: member.clone(),
        },
        Action::Transfer { member } => Expectation::LeaderMoved {
            from: view.leader.member.clone(),
            to: member.clone(),
        },
        Action::Snapshot => Expectation::Receipt,
        Action::Defragment { member } => Expectation::MemberAnswers {
            member: member.clone(),
        },
        // Refused without an agreed leader.
        Action::CheckIntegrity => match &view.leader.member {
            Some(leader) => Expectation::MemberAnswers {
                member: leader.clone(),
            },
            None => Expectation::Receipt,
        },
    }
}

/// Whether `view` shows what `expectation` waits for; if not, why not yet, in a sentence.
///
/// # Errors
/// The reason why it is not there yet ("OpenBao has accepted it and not carried it out yet,
/// because: …").
pub fn met(expectation: &Expectation, view: &ClusterView) -> Result<(), String> {
    if *expectation == Expectation::Receipt {
        return Ok(());
    }
    believable(view)?;
    match expectation {
        Expectation::MemberHasRole {
            member,
            address,
            role,
        } => has_role(view, member.as_ref(), address.as_deref(), *role),
        Expectation::MemberGone { member } => match view.member(member) {
            Some(still) => Err(text::waits_for_departure(&still.name)),
            None => Ok(()),
        },
        Expectation::LeaderMoved { from, to } => moved(view, from.as_ref(), to.as_ref()),
        Expectation::Receipt => Ok(()),
        Expectation::MemberAnswers { member } => match view.member(member) {
            Some(member) if member.answering => Ok(()),
            Some(member) => Err(text::waits_for_answer(&member.name)),
            None => Err(text::waits_for_member(member.as_str())),
        },
    }
}

fn believable(view: &ClusterView) -> Result<(), String> {
    let age = view.age_ms.unwrap_or(u64::MAX);
    if age > CLAIM_HOLDS_MS {
        return Err(text::waits_for_look(age));
    }
    if view.leader.status != LeaderStatus::Agreed {
        return Err(text::waits_for_leader());
    }
    if view.quorum.is_joint() {
        return Err(text::waits_for_joint());
    }
    Ok(())
}

fn has_role(
    view: &ClusterView,
    id: Option<&MemberId>,
    address: Option<&str>,
    role: Role,
) -> Result<(), String> {
    let Some(member) = find(view, id, address) else {
        let what = id
            .map(MemberId::as_str)
            .or(address)
            .unwrap_or("the newcomer");
        return Err(text::waits_for_member(what));
    };
    match (member.role == role, member.wanted_role) {
        (true, None) => Ok(()),
        (false, None) if address.is_some() => {
            Err(text::came_out_otherwise(&member.name, member.role, role))
        }
        (false, None) => Err(text::waits_for_role(&member.name, member.role)),
        (false, Some(_)) | (true, Some(_)) => Err(text::waits_for_wish(
            view.backend(),
            hindrance(view, member).as_deref(),
        )),
    }
}

/// The newcomer by its id, or where that is not known by the address it was added under.
fn find<'a>(
    view: &'a ClusterView,
    id: Option<&MemberId>,
    address: Option<&str>,
) -> Option<&'a MemberView> {
    let bare = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
    let at = |member: &&MemberView| {
        address.map(bare).is_some_and(|wanted| {
            bare(&member.address) == wanted
                || member.api_address.as_deref().map(bare).as_ref() == Some(&wanted)
        })
    };
    match id {
        Some(id) => view.member(id),
        None => view.members.iter().find(at),
    }
}

/// Why a backend may hold back a wish it has accepted, as far as that can be seen.
fn hindrance(view: &ClusterView, member: &MemberView) -> Option<String> {
    if view.is_led_by(&member.id) {
        return Some(text::wish_waits_for_leader_to_move(&member.name));
    }
    if !member.answering {
        return Some(text::not_taking_part(member));
    }
    view.findings
        .iter()
        .find(|finding| finding.code == FindingCode::BackendUnhealthy)
        .map(|finding| finding.text.clone())
}

fn moved(view: &ClusterView, from: Option<&MemberId>, to: Option<&MemberId>) -> Result<(), String> {
    let Some(leader) = &view.leader.member else {
        return Err(text::waits_for_new_leader());
    };
    if from == Some(leader) {
        return Err(text::leader_did_not_move(view.name_of(leader)));
    }
    match to {
        Some(to) if to != leader => {
            Err(text::another_leads(view.name_of(leader), view.name_of(to)))
        }
        _ => Ok(()),
    }
}
