//! Rules for moving leadership. A failed transfer costs one or two election timeouts without
//! writes, so the target must be able to take over at once.

use super::{Checks, ReasonCode};
use crate::{
    action::Verb,
    capability,
    cluster::{MemberId, Role},
    foreseen, text,
    view::MemberView,
};

/// A voter that came back this recently may not know the newest entries yet, in milliseconds.
const RESTART_GRACE_MS: u64 = 10_000;

/// A target the leader has not heard of for this long is cut off, in milliseconds.
const CONTACT_HOLDS_MS: u64 = 2_000;

impl Checks<'_> {
    pub(super) fn transfer(&mut self, target: Option<&MemberId>) {
        self.successors();
        let may_choose = capability::of(&self.view.capabilities, Verb::Transfer)
            .is_some_and(|transfer| transfer.target);
        match (target, may_choose) {
            (Some(target), true) => self.target(target),
            (Some(target), false) => {
                let text = text::target_cannot_be_chosen(self.view.backend());
                self.refuse(ReasonCode::TargetCannotBeChosen, text);
                self.target(target);
            }
            (None, true) => self.refuse(ReasonCode::TargetNotNamed, text::target_not_named()),
            (None, false) => {
                let text = text::target_cannot_be_chosen(self.view.backend());
                self.warn(ReasonCode::TargetChosenByBackend, text);
            }
        }
        self.leaders_wish();
        self.allow(
            ReasonCode::MajorityHolds,
            text::majority_untouched(&self.view.quorum),
        );
    }

    fn target(&mut self, id: &MemberId) {
        let Some(member) = self.known(id) else { return };
        let name = &member.name;
        if self.view.is_led_by(id) {
            self.refuse(ReasonCode::TargetIsLeader, text::target_is_leader(name));
            return;
        }
        if member.role != Role::Voter {
            self.refuse(ReasonCode::TargetNotVoter, text::target_not_voter(name));
        }
        if !member.answering {
            self.refuse(ReasonCode::TargetNotSeen, text::not_taking_part(member));
            return;
        }
        self.keeps_up(member);
    }

    fn keeps_up(&mut self, member: &MemberView) {
        let name = &member.name;
        let limit = self.view.thresholds.lag_promote;
        match member.lag {
            None => self.refuse(ReasonCode::LagUnknown, text::lag_unknown(name)),
            Some(lag) if lag > limit => {
                self.refuse(
                    ReasonCode::TargetLagging,
                    text::too_far_behind(name, lag, limit),
                );
            }
            Some(lag) => self.allow(ReasonCode::Level, text::level(lag, limit)),
        }
        if let Some(silent) = member.last_contact_ms.filter(|ms| *ms > CONTACT_HOLDS_MS) {
            self.refuse(
                ReasonCode::TargetLagging,
                text::out_of_contact(name, silent),
            );
        }
        if let Some(text) = self.does_not_follow(member) {
            self.refuse(ReasonCode::TargetNotSeen, text);
        }
        if let Some(ago) = member.restarted_ms.filter(|ms| *ms < RESTART_GRACE_MS) {
            self.refuse(
                ReasonCode::TargetJustRestarted,
                text::target_just_restarted(name, ago),
            );
        }
    }

    fn does_not_follow(&self, member: &MemberView) -> Option<String> {
        let apart = foreseen::apart(self.view, member)?;
        Some(text::apart(&member.name, &apart, |id| {
            self.view.name_of(id)
        }))
    }

    fn successors(&mut self) {
        let view = self.view;
        let somebody = view.members.iter().any(|member| {
            member.role == Role::Voter && member.answering && !view.is_led_by(&member.id)
        });
        if !somebody {
            self.refuse(ReasonCode::NoOtherVoter, text::no_other_voter());
        }
    }

    /// A leader that is wanted as a learner loses its vote once it no longer leads.
    fn leaders_wish(&mut self) {
        let view = self.view;
        let leader = view.leader.member.as_ref().and_then(|id| view.member(id));
        let Some(leader) = leader.filter(|member| member.wanted_role == Some(Role::Learner)) else {
            return;
        };
        self.warn(
            ReasonCode::WishPending,
            text::wish_follows_transfer(&leader.name),
        );
        let after = foreseen::quorum_without(view, &leader.id);
        if !after.holds() {
            self.refuse(
                ReasonCode::QuorumWouldBeLost,
                text::quorum_would_be_lost(&after),
            );
        }
    }
}
