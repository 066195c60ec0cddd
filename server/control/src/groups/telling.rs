//! What happens to groups that nobody looks at: their hosts' lines tell it, and it goes into each
//! group's own line of time. While a group is watched its watch tells, which knows more; where
//! one ends the other goes on, so that nothing is told twice or left out.

use quorate_domain::{cluster::ClusterName, moment::Timestamp};

use super::{Groups, PoisonError};
use crate::{Inner, watch::Watched};

/// After a look at a program.
pub(crate) fn tell(inner: &Inner, program: &Watched, now: Timestamp) {
    let Some(fleet) = program.wire.groups() else {
        return;
    };
    // No watch begins or ends until what is told here is on its way.
    let watched = program.groups.all();
    let happened = {
        let mut fleet = fleet.write().unwrap_or_else(PoisonError::into_inner);
        fleet.happened(
            inner.events.room(),
            |group| watched.contains_key(group),
            now,
        )
    };
    let name = program.name();
    let of = |group: &str| ClusterName(format!("{name}/{group}"));
    let happened = happened.into_iter();
    inner
        .events
        .add_all(happened.map(|(group, at, what)| (of(&group), at, what)));
}

impl Groups {
    /// From here on a group's hosts tell again, and begin with what its watch told last. One that
    /// has told nothing has taken nothing over.
    pub(super) fn hand_back(program: &Watched, group: &str, watch: &Watched, now: Timestamp) {
        let Some(fleet) = program.wire.groups() else {
            return;
        };
        let Some(leader) = watch.led() else { return };
        let leader = leader.as_ref().map(|(member, term)| (member, *term));
        let mut fleet = fleet.write().unwrap_or_else(PoisonError::into_inner);
        fleet.told_by_others(group, leader, now);
    }
}
