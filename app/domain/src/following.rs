//! Whether a voter that answers follows the agreed leader. One that is cut off from the others goes
//! on answering this console, and in a quiet cluster it is level for ever: only its own word tells
//! that it stands for no majority.

use crate::{
    cluster::{MemberId, Term},
    view::Leader,
};

/// How a voter that answers stands apart from the agreed leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Apart {
    /// It knows no leader.
    FollowsNobody,
    /// It names this one.
    Names(MemberId),
    OtherTerm {
        told: Term,
        leader: Term,
    },
}

/// Why `voter` does not follow the agreed leader, where one is agreed. Voters of such a backend do
/// name a leader, so one that names nobody has lost it; terms count where both are told.
pub(crate) fn apart(
    leader: &Leader,
    voter: &MemberId,
    named: Option<&MemberId>,
    term: Option<Term>,
) -> Option<Apart> {
    let agreed = leader.member.as_ref().filter(|agreed| *agreed != voter)?;
    match named {
        None => Some(Apart::FollowsNobody),
        Some(named) if named != agreed => Some(Apart::Names(named.clone())),
        Some(_) => {
            let (told, leader) = (term?, leader.term?);
            (told != leader).then_some(Apart::OtherTerm { told, leader })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::view::LeaderStatus;

    fn leader(member: Option<&str>, term: Option<u64>) -> Leader {
        Leader {
            status: LeaderStatus::Agreed,
            member: member.map(MemberId::from),
            term: term.map(Term),
            votes: BTreeMap::new(),
            since: None,
        }
    }

    #[test]
    fn a_voter_stands_apart_by_its_own_word_alone() {
        let (b, c) = (MemberId::from("b"), MemberId::from("c"));
        let a = leader(Some("a"), Some(7));
        let told = |named: Option<&str>, term: Option<u64>| {
            let named = named.map(MemberId::from);
            apart(&a, &b, named.as_ref(), term.map(Term))
        };
        assert_eq!(told(Some("a"), Some(7)), None);
        assert_eq!(told(Some("a"), None), None);
        assert_eq!(told(None, Some(7)), Some(Apart::FollowsNobody));
        assert_eq!(told(Some("c"), Some(7)), Some(Apart::Names(c)));
        assert_eq!(
            told(Some("a"), Some(6)),
            Some(Apart::OtherTerm {
                told: Term(6),
                leader: Term(7)
            })
        );
        assert_eq!(apart(&a, &MemberId::from("a"), None, Some(Term(7))), None);
        assert_eq!(apart(&leader(None, Some(7)), &b, None, Some(Term(6))), None);
        let quiet = leader(Some("a"), None);
        let a = MemberId::from("a");
        assert_eq!(apart(&quiet, &b, Some(&a), Some(Term(6))), None);
    }
}
