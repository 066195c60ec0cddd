//! What an action would leave behind: voter sets and quorum after it, by simple bookkeeping.

use crate::{
    action::Action,
    cluster::MemberId,
    following::{self, Apart},
    quorum::{Quorum, of_configs},
    view::{ClusterView, MemberView},
};

/// The quorum after `action`, if exactly those members answer and follow that do now.
pub(crate) fn quorum(view: &ClusterView, action: &Action) -> Quorum {
    judged(view, &configs(view, action), |_| true)
}

/// The quorum after these members have lost their votes.
pub(crate) fn quorum_without(view: &ClusterView, gone: &MemberId) -> Quorum {
    judged(view, &without(&view.quorum.configs, gone), |_| true)
}

/// The quorum while this member answers nothing.
pub(crate) fn quorum_in_absence(view: &ClusterView, away: &MemberId) -> Quorum {
    judged(view, &view.quorum.configs, |id| id != away)
}

/// Who answers is counted as answering; what may fail is counted among those that follow too.
fn judged(
    view: &ClusterView,
    configs: &[Vec<MemberId>],
    there: impl Fn(&MemberId) -> bool,
) -> Quorum {
    let answering = |id: &MemberId| view.member(id).filter(|m| m.answering && there(id));
    let follows = |m: &MemberView| !m.votes() || apart(view, m).is_none();
    let quorum = of_configs(configs, |id| answering(id).is_some());
    let tolerates = of_configs(configs, |id| answering(id).is_some_and(follows)).tolerates;
    Quorum {
        tolerates,
        ..quorum
    }
}

/// How a voter stands apart from the agreed leader, by its own word.
pub(crate) fn apart(view: &ClusterView, voter: &MemberView) -> Option<Apart> {
    let claimed = voter.claims_leadership.then_some(&voter.id);
    let named = voter.names_leader.as_ref().or(claimed);
    following::apart(&view.leader, &voter.id, named, voter.term)
}

/// Voters that answer and do not follow the agreed leader: no majority can count on them.
pub(crate) fn strays(view: &ClusterView) -> impl Iterator<Item = (&MemberView, Apart)> {
    let voters = view
        .members
        .iter()
        .filter(|member| member.votes() && member.answering);
    voters.filter_map(|member| apart(view, member).map(|apart| (member, apart)))
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
