//! What accepted changes do to the simulated cluster's membership and leadership.

use quorate_domain::{
    action::Action,
    cluster::{Member, MemberId, Role},
};
use tokio::time::Instant;

use super::raft::{Node, Pending, Running, World, member};

impl World {
    pub(super) fn carry_out(&mut self, now: Instant) {
        if self.leader().is_none() {
            return;
        }
        let due = |pending: &Pending| pending.due.is_some_and(|due| due <= now);
        let (ripe, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(due);
        self.pending = rest;
        for pending in ripe {
            self.change_membership(&pending.action);
        }
    }

    /// What `action` does to the leader's membership (and to leadership), at once.
    pub(super) fn change_membership(&mut self, action: &Action) {
        let Some(leader) = self.leader() else { return };
        match action {
            Action::AddLearner { address, .. } => {
                let spare = self.nodes.iter().find(|(_, node)| node.address == *address);
                if let Some((id, _)) = spare.map(|(id, node)| (id.clone(), node.clone())) {
                    let newcomer = member(&id, address, Role::Learner);
                    self.rewrite(&leader, |members| {
                        if !members.iter().any(|member| member.id == newcomer.id) {
                            members.push(newcomer.clone());
                        }
                    });
                }
            }
            Action::Promote { member } => self.set_role(&leader, member, Role::Voter),
            Action::Demote { member } => self.set_role(&leader, member, Role::Learner),
            Action::Remove { member } => {
                self.rewrite(&leader, |members| members.retain(|each| each.id != *member));
                if *member == leader {
                    self.abdicate(&leader);
                }
            }
            Action::Transfer { member } => self.transfer(&leader, member.as_ref()),
            Action::Snapshot | Action::Defragment { .. } | Action::CheckIntegrity => {}
        }
        self.replicate();
    }

    fn set_role(&mut self, leader: &MemberId, id: &MemberId, role: Role) {
        self.rewrite(leader, |members| {
            for each in members.iter_mut().filter(|each| each.id == *id) {
                each.role = role;
            }
        });
        if leader == id && !role.votes() {
            self.abdicate(leader);
        }
    }

    fn rewrite(&mut self, leader: &MemberId, edit: impl FnOnce(&mut Vec<Member>)) {
        self.node(leader.as_str(), |node| {
            edit(&mut node.members);
            node.last_index += 1;
        });
        // The entry reaches the others before a leader that wrote itself out goes.
        self.replicate();
    }

    fn abdicate(&mut self, leader: &MemberId) {
        let now = Instant::now();
        self.node(leader.as_str(), |node| {
            node.leads = false;
            node.names_leader = None;
        });
        self.nodes.values_mut().for_each(|node| node.heard = now);
    }

    fn transfer(&mut self, leader: &MemberId, target: Option<&MemberId>) {
        let up = |node: &Node| node.running == Running::Up;
        let chosen = match target {
            Some(id) if !self.chooses_leader => Some(id.clone()),
            _ => {
                let others = self
                    .nodes
                    .iter()
                    .filter(|(id, node)| *id != leader && node.votes(id));
                others
                    .filter(|(_, node)| up(node))
                    .map(|(id, _)| id.clone())
                    .next()
            }
        };
        if let Some(id) = chosen {
            self.elect(&id);
        }
    }
}
