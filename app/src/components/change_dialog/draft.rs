//! What the operator has filled in so far, and why it cannot be confirmed yet. Pure.

use quorate_domain::{
    action::{Action, Verb},
    cluster::MemberId,
    preflight::Level,
};

use crate::words::actions as words;

/// The fields that make the action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    pub verb: Verb,
    /// The member the button belongs to; for a transfer the chosen target.
    pub member: Option<MemberId>,
    pub address: String,
    /// The id a newcomer is expected to have.
    pub id: String,
}

impl Aim {
    /// The fields as a button's action fills them.
    #[must_use]
    pub fn of(action: &Action) -> Self {
        let (address, id) = match action {
            Action::AddLearner { address, member } => (address.clone(), member.clone()),
            _ => (String::new(), None),
        };
        Self {
            verb: action.verb(),
            member: action.member().cloned(),
            address,
            id: id.map(|id| id.0).unwrap_or_default(),
        }
    }

    /// The action to preview; `None` while something of it is missing.
    #[must_use]
    pub fn action(&self) -> Option<Action> {
        let member = self.member.clone();
        Some(match self.verb {
            Verb::AddLearner => Action::AddLearner {
                address: given(&self.address)?,
                member: given(&self.id).map(MemberId),
            },
            Verb::Promote => Action::Promote { member: member? },
            Verb::Demote => Action::Demote { member: member? },
            Verb::Remove => Action::Remove { member: member? },
            Verb::Transfer => Action::Transfer { member },
            Verb::Snapshot => Action::Snapshot,
            Verb::Defragment => Action::Defragment { member: member? },
            Verb::CheckIntegrity => Action::CheckIntegrity,
        })
    }
}

/// A field without the blanks around it; `None` if nothing is left.
#[must_use]
pub fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Where the preview stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    /// The address is still missing.
    Asking,
    /// The address is there; what adding it would do has not been asked for.
    Unseen,
    Looking,
    /// The preview could not be made.
    Missing,
    /// Its worst check.
    There(Level),
}

/// Everything the confirm button depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draft<'a> {
    pub footing: Footing,
    pub moved: bool,
    pub sending: bool,
    pub reason: &'a str,
    pub ticket: &'a str,
    /// For a removal: the name to type, and what was typed.
    pub name: Option<(&'a str, &'a str)>,
}

impl Draft<'_> {
    /// The first thing that stands in the way, in words; `None` when it can be confirmed.
    #[must_use]
    pub fn why_not(&self) -> Option<&'static str> {
        match self.footing {
            Footing::Asking => return Some(words::WHY_ADDRESS),
            Footing::Unseen => return Some(words::WHY_UNSEEN),
            Footing::Looking => return Some(words::WHY_LOOKING),
            Footing::Missing => return Some(words::WHY_NO_PREVIEW),
            Footing::There(Level::Refuse) => return Some(words::WHY_REFUSED),
            Footing::There(Level::Allow | Level::Warn) => {}
        }
        let reason = self.reason.trim();
        let named = self.name.is_none_or(|(name, typed)| typed.trim() == name);
        if self.sending {
            Some(words::WHY_SENDING)
        } else if self.moved {
            Some(words::WHY_MOVED)
        } else if !named {
            Some(words::WHY_NAME)
        } else if reason.is_empty() {
            Some(words::WHY_REASON)
        } else if reason.chars().count() > words::REASON_LIMIT {
            Some(words::WHY_REASON_LONG)
        } else if self.ticket.trim().chars().count() > words::TICKET_LIMIT {
            Some(words::WHY_TICKET_LONG)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Draft<'static> = Draft {
        footing: Footing::There(Level::Warn),
        moved: false,
        sending: false,
        reason: "Third region goes live",
        ticket: "",
        name: None,
    };

    #[test]
    fn a_warned_change_with_a_reason_can_be_confirmed() {
        assert_eq!(READY.why_not(), None);
    }

    #[test]
    fn each_obstacle_is_named() {
        let long = "x".repeat(words::REASON_LIMIT + 1);
        let cases = [
            (
                Draft {
                    footing: Footing::Asking,
                    ..READY
                },
                words::WHY_ADDRESS,
            ),
            (
                Draft {
                    footing: Footing::Looking,
                    ..READY
                },
                words::WHY_LOOKING,
            ),
            (
                Draft {
                    footing: Footing::Missing,
                    ..READY
                },
                words::WHY_NO_PREVIEW,
            ),
            (
                Draft {
                    footing: Footing::There(Level::Refuse),
                    ..READY
                },
                words::WHY_REFUSED,
            ),
            (
                Draft {
                    moved: true,
                    ..READY
                },
                words::WHY_MOVED,
            ),
            (
                Draft {
                    sending: true,
                    ..READY
                },
                words::WHY_SENDING,
            ),
            (
                Draft {
                    reason: "  ",
                    ..READY
                },
                words::WHY_REASON,
            ),
            (
                Draft {
                    reason: &long,
                    ..READY
                },
                words::WHY_REASON_LONG,
            ),
            (
                Draft {
                    ticket: &long,
                    ..READY
                },
                words::WHY_TICKET_LONG,
            ),
            (
                Draft {
                    name: Some(("node-2", "node-")),
                    ..READY
                },
                words::WHY_NAME,
            ),
        ];
        for (draft, why) in cases {
            assert_eq!(draft.why_not(), Some(why));
        }
    }

    #[test]
    fn a_removal_is_confirmed_by_the_very_name() {
        assert_eq!(
            Draft {
                name: Some(("node-2", " node-2 ")),
                ..READY
            }
            .why_not(),
            None
        );
        assert!(
            Draft {
                name: Some(("node-2", "NODE-2")),
                ..READY
            }
            .why_not()
            .is_some()
        );
    }

    #[test]
    fn a_learner_is_added_only_at_an_address() {
        let aim = Aim::of(&Action::AddLearner {
            address: String::new(),
            member: None,
        });
        assert_eq!(aim.action(), None);
        let aim = Aim {
            address: " http://127.0.0.1:1 ".to_owned(),
            id: " ".to_owned(),
            ..aim
        };
        let there = Action::AddLearner {
            address: "http://127.0.0.1:1".to_owned(),
            member: None,
        };
        assert_eq!(aim.action(), Some(there));
    }

    #[test]
    fn a_transfer_needs_no_target() {
        let action = Action::Transfer { member: None };
        assert_eq!(Aim::of(&action).action(), Some(action));
    }
}
