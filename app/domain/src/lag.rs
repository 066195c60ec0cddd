//! How far a member is behind the leader, and whose word that is. Unknown stays unknown.

use crate::{
    cluster::MemberId,
    leader::{claimant, taking_part},
    observation::{Observation, SelfReport},
    view::LagSource,
};

/// Entries `id` is behind the leader of the same look. The member's own figures come first: the
/// leader's are seconds old on some backends. What is neither stored nor applied counts, so the
/// larger of the two differences is taken: a member that has the log but does not apply it is
/// behind. Samples are taken one after the other, so a negative difference is 0.
#[must_use]
pub fn lag(observation: &Observation, id: &MemberId) -> Option<(u64, LagSource)> {
    let leader = claimant(observation)?;
    let leading = leader.says.as_ref()?;
    if leader.id == *id {
        return Some((0, LagSource::Own));
    }
    let own = observation
        .nodes
        .iter()
        .find(|node| node.id == *id)
        .and_then(taking_part);
    own.and_then(|says| own_lag(leading, says))
        .map(|lag| (lag, LagSource::Own))
        .or_else(|| {
            let acknowledged = observation.progress.get(id)?.last_index?;
            Some((
                last(leading)?.saturating_sub(acknowledged),
                LagSource::Leader,
            ))
        })
}

fn own_lag(leading: &SelfReport, own: &SelfReport) -> Option<u64> {
    let behind = |ahead: Option<u64>, at: Option<u64>| Some(ahead?.saturating_sub(at?));
    let stored = behind(last(leading), own.last_index);
    let applied = behind(leading.commit_index.or(last(leading)), own.applied_index);
    stored.max(applied)
}

fn last(says: &SelfReport) -> Option<u64> {
    says.last_index.or(says.commit_index).or(says.applied_index)
}

/// A trend: the last three samples and the present figure rise without a break. Too short a
/// history is no trend.
#[must_use]
pub fn is_growing(history: &[u64], lag: Option<u64>) -> bool {
    let recent: Vec<u64> = history.iter().rev().take(3).rev().copied().collect();
    recent.len() == 3
        && recent.is_sorted_by(|earlier, later| earlier < later)
        && lag.is_some_and(|lag| recent.last().is_some_and(|last| lag >= *last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;

    #[test]
    fn lag_is_the_members_own_word_first_then_the_leaders_and_else_unknown() {
        let id = MemberId::from("n2");
        let base = || Stage::voters(3).indexes("n1", 100, 100);
        let table = [
            (
                "level",
                base().indexes("n2", 100, 100),
                Some((0, LagSource::Own)),
            ),
            (
                "behind",
                base().indexes("n2", 90, 90),
                Some((10, LagSource::Own)),
            ),
            (
                "stored but not applied",
                base().indexes("n2", 100, 9),
                Some((91, LagSource::Own)),
            ),
            (
                "ahead of an older sample",
                base().indexes("n2", 103, 103),
                Some((0, LagSource::Own)),
            ),
            (
                "only applied told",
                base().applied_only("n2", 60),
                Some((40, LagSource::Own)),
            ),
            (
                "silent, leader tells",
                base().silent("n2").progress("n2", 70),
                Some((30, LagSource::Leader)),
            ),
            ("silent, nobody tells", base().silent("n2"), None),
            (
                "nobody leads",
                base().silent("n1").indexes("n2", 100, 100),
                None,
            ),
        ];
        for (name, stage, expected) in table {
            assert_eq!(lag(&stage.observation(), &id), expected, "{name}");
        }
    }
}
