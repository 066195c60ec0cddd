//! What a change of voters does to the majority.

use super::{Checks, Level, ReasonCode};
use crate::{foreseen, text};

impl Checks<'_> {
    /// Refuses what loses the majority, warns of what costs tolerance.
    pub(super) fn voters_change(&mut self) {
        let before = &self.view.quorum;
        let after = foreseen::quorum(self.view, self.action);
        if after.voters == 0 {
            // The last voter goes; that is refused in its own words.
            return;
        }
        if !after.holds() {
            self.refuse(
                ReasonCode::QuorumWouldBeLost,
                text::quorum_would_be_lost(&after),
            );
            self.strays(Level::Refuse);
            return;
        }
        self.allow(ReasonCode::MajorityHolds, text::majority_holds(&after));
        let (was, is) = (before.tolerates.unwrap_or(0), after.tolerates.unwrap_or(0));
        if is < was {
            self.warn(ReasonCode::ToleranceFalls, text::tolerance_falls(was, is));
        }
        if is == 0 {
            self.warn(ReasonCode::NoTolerance, text::none_may_fail());
        }
        if after.voters.is_multiple_of(2) {
            self.warn(ReasonCode::EvenVoters, text::even_number());
        }
        self.strays(Level::Warn);
    }

    /// Says who answers and is not counted all the same.
    fn strays(&mut self, level: Level) {
        let view = self.view;
        let gone = self.action.member();
        let strays = foreseen::strays(view).filter(|(member, _)| gone != Some(&member.id));
        for (member, apart) in strays {
            let why = text::apart(&member.name, &apart, |id| view.name_of(id));
            self.push(level, ReasonCode::MemberApart, text::not_counted(&why));
        }
    }
}
