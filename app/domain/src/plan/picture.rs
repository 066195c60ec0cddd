//! Before → after: what the two quorum rings of a change are drawn from.

use super::{Picture, PictureMember};
use crate::{
    action::Action,
    cluster::{MemberId, Role},
    foreseen,
    view::{ClusterView, MemberState},
};

pub(super) fn before(view: &ClusterView, action: &Action) -> Picture {
    Picture {
        quorum: view.quorum.clone(),
        members: members(view, action),
        leader: view.leader.member.clone(),
    }
}

pub(super) fn after(view: &ClusterView, action: &Action) -> Picture {
    let mut after = before(view, action);
    after.quorum = foreseen::quorum(view, action);
    match action {
        Action::AddLearner { address, member } => {
            after.members.push(newcomer(address, member.as_ref()));
        }
        Action::Promote { member } => after.set_role(member, Role::Voter),
        Action::Demote { member } => after.set_role(member, Role::Learner),
        Action::Remove { member } => after.members.retain(|other| other.id != *member),
        Action::Transfer { member } => after.leader.clone_from(member),
        Action::Snapshot | Action::Defragment { .. } | Action::CheckIntegrity => {}
    }
    after
}

impl Picture {
    fn set_role(&mut self, id: &MemberId, role: Role) {
        for member in self.members.iter_mut().filter(|member| member.id == *id) {
            member.role = role;
        }
    }
}

fn members(view: &ClusterView, action: &Action) -> Vec<PictureMember> {
    // Who leads is told beside the ring, which looks the same before and after.
    let moves_leadership = matches!(action, Action::Transfer { .. });
    view.members
        .iter()
        .map(|member| {
            let changed = !moves_leadership && action.member() == Some(&member.id);
            PictureMember::of(member, changed)
        })
        .collect()
}

fn newcomer(address: &str, id: Option<&MemberId>) -> PictureMember {
    let id = id.cloned().unwrap_or_else(|| MemberId::from(address));
    PictureMember {
        name: id.to_string(),
        id,
        role: Role::Learner,
        state: MemberState::Unknown,
        zone: None,
        changed: true,
    }
}
