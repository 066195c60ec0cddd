//! What every action needs: the right to change, a look to judge by, an agreed leader, a working
//! majority, and nobody else changing.

use super::{Checks, ReasonCode};
use crate::{
    action::Action, capability, health::FindingCode, leader::CLAIM_HOLDS_MS, text,
    view::LeaderStatus,
};

impl Checks<'_> {
    /// Refusals that stand whatever the action is about. False if there is nothing to judge by.
    pub(super) fn gate(&mut self) -> bool {
        if self.view.read_only {
            self.refuse(ReasonCode::ReadOnly, text::read_only());
        }
        if self.view.observed_at.is_none() {
            self.refuse(ReasonCode::NotSeenYet, text::not_seen_yet());
            return false;
        }
        self.support();
        self.leadership();
        if self.action.takes_the_slot() {
            self.others();
        }
        true
    }

    fn support(&mut self) {
        let capability = capability::of(&self.view.capabilities, self.action.verb());
        if !capability.is_some_and(|capability| capability.supported) {
            let note = capability.and_then(|capability| capability.note.as_deref());
            self.refuse(
                ReasonCode::NotSupported,
                text::not_supported(self.view.backend(), note),
            );
        }
    }

    fn leadership(&mut self) {
        let view = self.view;
        if view.leader.status != LeaderStatus::Agreed {
            match view.age_ms.filter(|age| *age > CLAIM_HOLDS_MS) {
                Some(age) => self.refuse(ReasonCode::LookTooOld, text::look_too_old(age)),
                None => self.refuse(ReasonCode::NoAgreedLeader, text::no_agreed_leader()),
            }
        }
        if !view.quorum.holds() {
            self.refuse(
                ReasonCode::NoQuorum,
                text::change_without_quorum(&view.quorum),
            );
        }
    }

    fn others(&mut self) {
        let view = self.view;
        if view.running_change.is_some() {
            self.refuse(ReasonCode::ChangeRunning, text::change_running());
        }
        if view.quorum.is_joint() {
            self.refuse(ReasonCode::JointConfiguration, text::change_while_joint());
        }
        self.differing_views();
        if let Some(unhealthy) = view
            .findings
            .iter()
            .find(|finding| finding.code == FindingCode::BackendUnhealthy)
        {
            let text = text::backend_holds_unhealthy(view.kind, &unhealthy.text);
            self.warn(ReasonCode::BackendUnhealthy, text);
        }
    }

    /// A voter that holds another membership makes a change of voters a guess, unless it is the
    /// very member that is to go. Other differences are worth a word only.
    fn differing_views(&mut self) {
        let view = self.view;
        let target = self.action.member();
        let differing = view
            .findings
            .iter()
            .filter(|finding| finding.code == FindingCode::ViewsDiffer)
            .filter_map(|finding| view.member(finding.member.as_ref()?));
        let (mut grave, mut light) = (Vec::new(), Vec::new());
        for member in differing {
            let matters = member.votes() && target != Some(&member.id);
            if matters { &mut grave } else { &mut light }.push(member.name.as_str());
        }
        if !grave.is_empty() {
            self.refuse(
                ReasonCode::ViewsDiffer,
                text::change_while_views_differ(&grave),
            );
        }
        if !light.is_empty() {
            self.warn(
                ReasonCode::ViewsDiffer,
                text::change_while_views_differ(&light),
            );
        }
    }

    /// What was checked and holds, said so that it can be read.
    pub(super) fn holds(&mut self) {
        let view = self.view;
        if let Some(leader) = view
            .leader
            .member
            .as_ref()
            .filter(|_| view.leader.status == LeaderStatus::Agreed)
        {
            let naming = view.leader.votes.get(leader).map_or(0, Vec::len);
            let heard = view.member(leader).and_then(|member| member.age_ms);
            let text = text::leader_agreed(naming, view.quorum.voters, heard);
            self.allow(ReasonCode::LeaderAgreed, text);
        }
        let alone = view.running_change.is_none() && !matches!(self.action, Action::Snapshot);
        if alone {
            self.allow(ReasonCode::NoOtherChange, text::no_other_change());
        }
    }
}
