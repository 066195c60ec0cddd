//! Majorities, tolerance and joint configurations: the arithmetic all other rules stand on.
//! Knows nothing of health or time; who answers is a parameter.

use serde::{Deserialize, Serialize};

use crate::cluster::{MemberId, Membership};

/// The smallest number of voters that is more than half of `voters`. 0 for none.
#[must_use]
pub const fn majority(voters: u32) -> u32 {
    if voters == 0 { 0 } else { voters / 2 + 1 }
}

/// A cluster's quorum in numbers. For a joint configuration the tightest set decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    pub voters: u32,
    pub answering: u32,
    pub majority: u32,
    /// How many more of the answering voters may fail before the majority is lost;
    /// negative when it is lost already. `None` when nobody's membership is known.
    pub tolerates: Option<i64>,
    pub configs: Vec<Vec<MemberId>>,
}

/// The quorum of `membership` if exactly the voters for which `answers` holds answer.
#[must_use]
pub fn quorum(membership: &Membership, answers: impl Fn(&MemberId) -> bool) -> Quorum {
    of_configs(&membership.configs, answers)
}

/// The quorum of a set of configurations that must each reach a majority. The figures are those
/// of the tightest one; of several equally tight ones, those of the last (the one to come).
#[must_use]
pub fn of_configs(configs: &[Vec<MemberId>], answers: impl Fn(&MemberId) -> bool) -> Quorum {
    let tightest = configs
        .iter()
        .filter(|voters| !voters.is_empty())
        .map(|voters| {
            let total = count(voters.len());
            let answering = count(voters.iter().filter(|id| answers(id)).count());
            (
                i64::from(answering) - i64::from(majority(total)),
                total,
                answering,
            )
        })
        .rev()
        .min_by_key(|(tolerates, ..)| *tolerates);
    let configs = configs.to_vec();
    match tightest {
        None => Quorum {
            configs,
            ..Quorum::default()
        },
        Some((tolerates, voters, answering)) => Quorum {
            voters,
            answering,
            majority: majority(voters),
            tolerates: Some(tolerates),
            configs,
        },
    }
}

impl Quorum {
    /// Enough voters answer in every configuration.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.tolerates.is_some_and(|tolerates| tolerates >= 0)
    }

    /// Two voter sets must agree: a change is under way, or stuck.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        self.configs.len() > 1
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &str) -> Vec<MemberId> {
        names.split_whitespace().map(MemberId::from).collect()
    }

    #[test]
    fn a_majority_is_more_than_half() {
        let table = [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 2),
            (4, 3),
            (5, 3),
            (6, 4),
            (7, 4),
        ];
        for (voters, needed) in table {
            assert_eq!(majority(voters), needed, "{voters} voters");
        }
    }

    #[test]
    fn tolerance_counts_answering_voters_only() {
        // voters, answering, how many more may fail
        let table = [
            ("a", "a", 0),
            ("a b", "a b", 0),
            ("a b", "a", -1),
            ("a b c", "a b c", 1),
            ("a b c", "a c", 0),
            ("a b c", "b", -1),
            ("a b c d", "a b c d", 1),
            ("a b c d e", "a b c d", 1),
            ("a b c d e", "", -3),
        ];
        for (voters, answering, tolerates) in table {
            let answering = ids(answering);
            let found = of_configs(&[ids(voters)], |id| answering.contains(id));
            assert_eq!(found.tolerates, Some(tolerates), "{voters}: {answering:?}");
            assert_eq!(found.holds(), tolerates >= 0);
        }
    }

    #[test]
    fn the_tightest_configuration_decides_while_two_must_agree() {
        let configs = [ids("1 2 3"), ids("1 2 3 9 10 11")];
        let found = of_configs(&configs, |id| ids("1 2 3").contains(id));
        assert_eq!((found.voters, found.answering, found.majority), (6, 3, 4));
        assert_eq!(found.tolerates, Some(-1));
        assert!(found.is_joint());
    }

    #[test]
    fn without_a_known_configuration_tolerance_is_unknown() {
        assert_eq!(of_configs(&[], |_| true).tolerates, None);
        assert_eq!(of_configs(&[Vec::new()], |_| true).tolerates, None);
        assert!(!of_configs(&[], |_| true).holds());
    }
}
