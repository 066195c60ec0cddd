//! Majorities, tolerance, joint configurations, zones; before → after of any membership.

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
pub fn quorum(_membership: &Membership, _answers: impl Fn(&MemberId) -> bool) -> Quorum {
    todo!()
}
