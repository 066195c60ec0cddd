//! What an action would leave behind: voter sets and quorum after it, by simple bookkeeping.

use crate::{
    action::Action,
    cluster::MemberId,
    quorum::{Quorum, of_configs},
    view::ClusterView,
};

/// The quorum after `action`, if exactly those members answer that answer now.
pub(crate) fn quorum(view: &ClusterView, action: &Action) -> Quorum {
    of_configs(&configs(view, action), |id| answers(view, id))
}

/// The quorum after these members have lost their votes.
pub(crate) fn quorum_without(view: &ClusterView, gone: &MemberId) -> Quorum {
    of_configs(&without(&view.quorum.configs, gone), |id| answers(view, id))
}

/// The quorum while this member answers nothing.
pub(crate) fn quorum_in_absence(view: &ClusterView, away: &MemberId) -> Quorum {
    of_configs(&view.quorum.configs, |id| id != away && answers(view, id))
}

fn answers(view: &ClusterView, id: &MemberId) -> bool {
    view.member(id).is_some_and(|member| member.answering)
}

fn configs(view: &ClusterView, action: &Action) -> Vec<Vec<MemberId>> {
    let now = &view.quorum.configs;
    match action {
        Action::Promote { member } => now
            .iter()
            .map(|voters| {
                let mut voters = voters.clone();
                if !voters.contains(member) {
                    voters.push(member.clone());
                }
                voters
            })
            .collect(),
        Action::Demote { member } | Action::Remove { member } => without(now, member),
        Action::AddLearner { .. }
        | Action::Transfer { .. }
        | Action::Snapshot
        | Action::Defragment { .. }
        | Action::CheckIntegrity => now.clone(),
    }
}

fn without(configs: &[Vec<MemberId>], gone: &MemberId) -> Vec<Vec<MemberId>> {
    configs
        .iter()
        .map(|voters| {
            voters
                .iter()
                .filter(|voter| *voter != gone)
                .cloned()
                .collect()
        })
        .collect()
}
