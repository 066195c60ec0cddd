//! Rules for those that come, rise, fall and go.

use super::{Checks, ReasonCode};
use crate::{
    action::Action,
    cluster::{Kind, MemberId, Role},
    foreseen,
    lag::is_growing,
    text,
    view::{MemberState, MemberView},
};

/// A learner the leader has not heard of for this long is not promoted, in milliseconds. Some
/// backends hear of a healthy follower every five seconds only.
const CONTACT_HOLDS_MS: u64 = 10_000;

impl Checks<'_> {
    pub(super) fn add_learner(&mut self, address: &str, id: Option<&MemberId>) {
        // Where membership itself is in doubt, adding is what settles it.
        let mut certain = self
            .view
            .members
            .iter()
            .filter(|member| !(member.answering && member.state == MemberState::Unconfirmed));
        let known = certain.find(|member| {
            id == Some(&member.id)
                || same_address(address, &member.address)
                || member
                    .api_address
                    .as_deref()
                    .is_some_and(|api| same_address(address, api))
        });
        if let Some(member) = known {
            let what = if id == Some(&member.id) {
                member.id.as_str()
            } else {
                address
            };
            self.refuse(ReasonCode::AlreadyMember, text::already_member(what));
        }
        // Whether adding is offered at all is asked without an address; then nothing is missing yet.
        if self.view.kind == Kind::Raftadmin && id.is_none() && !address.is_empty() {
            let text = text::id_not_given(self.view.backend());
            self.refuse(ReasonCode::IdNotGiven, text);
        }
        let mut learners = self.view.members.iter().filter(|member| !member.votes());
        if let Some(learner) = learners.next().filter(|_| self.view.kind == Kind::Etcd) {
            let text = text::learner_limit(&learner.name);
            self.warn(ReasonCode::LearnerLimit, text);
        }
        self.allow(
            ReasonCode::MajorityHolds,
            text::majority_untouched(&self.view.quorum),
        );
    }

    pub(super) fn promote(&mut self, id: &MemberId) {
        let Some(member) = self.known(id) else { return };
        if member.votes() {
            if !self.takes_back(member, Role::Voter) {
                let text = text::already_in_role(&member.name, true);
                self.refuse(ReasonCode::AlreadyVoter, text);
            }
            return;
        }
        self.wishes(member);
        self.catches_up(member);
        self.removed_then_added(member);
        self.voters_change();
    }

    pub(super) fn demote(&mut self, id: &MemberId) {
        let Some(member) = self.known(id) else { return };
        if !member.votes() {
            if !self.takes_back(member, Role::Learner) {
                let text = text::already_in_role(&member.name, false);
                self.refuse(ReasonCode::AlreadyLearner, text);
            }
            return;
        }
        self.wishes(member);
        self.gives_up_vote(member);
        self.removed_then_added(member);
        // The last step of a way down that a backend accepts without a word.
        if self.view.quorum.voters == 2 {
            self.refuse(ReasonCode::LastVoter, text::one_voter_left(&member.name));
        }
        self.voters_change();
    }

    pub(super) fn remove(&mut self, id: &MemberId) {
        let Some(member) = self.known(id) else { return };
        if !member.answering {
            let text = text::removes_silent(&member.name);
            self.warn(ReasonCode::RemovesSilentMember, text);
        }
        if member.votes() {
            self.wishes(member);
            self.gives_up_vote(member);
            self.voters_change();
        } else {
            self.allow(
                ReasonCode::MajorityHolds,
                text::majority_untouched(&self.view.quorum),
            );
        }
        let mut learners = self.view.members.iter().filter(|other| !other.votes());
        if !learners.any(|other| other.id != *id) {
            self.warn(ReasonCode::NoSpare, text::no_spare());
        }
    }

    /// The member answers nothing while it works, so the majority must hold without it.
    pub(super) fn defragment(&mut self, id: &MemberId) {
        let Some(member) = self.known(id) else { return };
        if !member.answering {
            self.refuse(ReasonCode::MemberNotSeen, text::not_taking_part(member));
            return;
        }
        let meanwhile = foreseen::quorum_in_absence(self.view, id);
        if !meanwhile.holds() {
            let text = text::quorum_lost_meanwhile(&member.name, &meanwhile);
            self.refuse(ReasonCode::QuorumWouldBeLost, text);
            return;
        }
        self.allow(
            ReasonCode::MajorityHolds,
            text::majority_holds_meanwhile(&meanwhile),
        );
        if self.view.is_led_by(id) {
            self.warn(ReasonCode::LeaderLast, text::leader_last(&member.name));
        }
    }

    /// The opposite of a wish the backend has not carried out takes it back.
    fn takes_back(&mut self, member: &MemberView, role: Role) -> bool {
        let Some(wanted) = member.wanted_role.filter(|wanted| *wanted != role) else {
            return false;
        };
        self.warn(
            ReasonCode::WishPending,
            text::takes_wish_back(&member.name, wanted),
        );
        true
    }

    /// Wishes not yet carried out change the voters behind the operator's back.
    fn wishes(&mut self, member: &MemberView) {
        let view = self.view;
        let removing = matches!(self.action, Action::Remove { .. });
        for other in &view.members {
            let Some(wanted) = other.wanted_role else {
                continue;
            };
            if other.id != member.id {
                let text = text::other_wish_is_pending(&other.name, wanted);
                self.refuse(ReasonCode::WishPending, text);
            } else if !removing {
                let text = text::wish_is_pending(&other.name, wanted, view.backend());
                self.refuse(ReasonCode::WishPending, text);
            }
        }
    }

    fn catches_up(&mut self, member: &MemberView) {
        let name = &member.name;
        let limit = self.view.thresholds.lag_promote;
        if member.state == MemberState::Unconfirmed {
            self.refuse(ReasonCode::MemberUnconfirmed, text::not_taking_part(member));
        } else if !member.answering {
            self.refuse(ReasonCode::MemberNotSeen, text::not_taking_part(member));
        } else if let Some(silent) = member.last_contact_ms.filter(|ms| *ms > CONTACT_HOLDS_MS) {
            self.refuse(
                ReasonCode::MemberNotSeen,
                text::out_of_contact(name, silent),
            );
        } else if let Some(text) = self.follows_another(member) {
            self.refuse(ReasonCode::MemberNotSeen, text);
        }
        match member.lag {
            None => self.refuse(ReasonCode::LagUnknown, text::lag_unknown(name)),
            Some(lag) if lag > limit => {
                self.refuse(
                    ReasonCode::TooFarBehind,
                    text::too_far_behind(name, lag, limit),
                );
            }
            Some(lag) => self.allow(ReasonCode::Level, text::level(lag, limit)),
        }
        if is_growing(&member.lag_history, member.lag) {
            self.warn(ReasonCode::LagGrowing, text::lag_growing(name));
        }
    }

    /// OpenZiti changes a role in two entries of its log: without the member in between. For a
    /// voter that is the very configuration that must hold afterwards too; what remains is that
    /// the second half fails, which a member that cannot be reached makes certain.
    fn removed_then_added(&mut self, member: &MemberView) {
        if self.view.kind != Kind::Openziti {
            return;
        }
        let backend = self.view.backend();
        if member.votes() && !member.answering {
            let text = text::silent_cannot_be_added_again(backend, &member.name);
            self.refuse(ReasonCode::MemberNotSeen, text);
        }
        let text = text::removed_then_added(backend, &member.name);
        self.warn(ReasonCode::RemovedThenAdded, text);
    }

    fn gives_up_vote(&mut self, member: &MemberView) {
        let view = self.view;
        if view.is_led_by(&member.id) {
            self.refuse(ReasonCode::IsLeader, text::transfer_first(&member.name));
        }
        if view.quorum.voters <= 1 {
            self.refuse(ReasonCode::LastVoter, text::last_voter(&member.name));
        }
        let Some(zone) = &member.zone else { return };
        let mut zone_fellows = view
            .members
            .iter()
            .filter(|other| other.id != member.id && other.votes())
            .filter(|other| other.zone.as_ref() == Some(zone));
        let zones_matter = view.members.iter().any(|other| {
            other
                .zone
                .as_ref()
                .is_some_and(|elsewhere| elsewhere != zone)
        });
        if zones_matter && zone_fellows.next().is_none() {
            let text = text::last_of_zone(&member.name, zone);
            self.warn(ReasonCode::LastVoterOfZone, text);
        }
    }
}

/// Addresses are the same with or without a slash at the end and in any case.
fn same_address(one: &str, other: &str) -> bool {
    let bare = |text: &str| text.trim().trim_end_matches('/').to_ascii_lowercase();
    !one.trim().is_empty() && bare(one) == bare(other)
}
