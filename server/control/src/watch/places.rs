//! Where members answered last: kept over a restart, and asked when nobody else tells who the
//! members are.

use std::sync::{Mutex, MutexGuard, PoisonError};

use quorate_domain::{groups::Fleet, moment::Timestamp, observation::Observation};
use quorate_drivers::discovery::Places;
use serde::{Deserialize, Serialize};
use url::Url;

/// How often the store learns that nothing has changed, in milliseconds: "last known from" is
/// exact to this.
const KEPT_EVERY_MS: u64 = 60_000;

/// What the store holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptPlaces {
    /// As configured then. With others it may be another cluster, and these addresses must not be
    /// sent its credentials.
    pub(crate) seeds: Vec<String>,
    /// When somebody last told who the members are.
    pub(crate) told_at: Timestamp,
    pub(crate) places: Places,
}

/// What is known now, and whether the driver was told what an earlier life knew.
#[derive(Default)]
pub(super) struct Whereabouts {
    seeds: Vec<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    places: Places,
    told_at: Option<Timestamp>,
    /// When the store was last given this.
    kept_at: Option<Timestamp>,
    recalled: bool,
}

impl Whereabouts {
    /// From what was kept, if that holds for the same seeds.
    pub(super) fn of(seeds: Vec<String>, kept: Option<KeptPlaces>) -> Self {
        let kept = kept.filter(|kept| kept.seeds == seeds);
        let mut state = State::default();
        if let Some(kept) = kept {
            state.told_at = Some(kept.told_at);
            state.places = kept.places;
        }
        Self {
            seeds,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When somebody last told who the members are, this console process or the one before.
    pub(super) fn told_at(&self) -> Option<Timestamp> {
        self.state().told_at
    }

    /// Where to ask after a look in which nobody told anything; once.
    pub(super) fn recalled(&self, seen: &Observation) -> Option<Vec<Url>> {
        let mut state = self.state();
        if seen.membership.is_some() || state.recalled {
            return None;
        }
        state.recalled = true;
        let urls = state.places.urls();
        (!urls.is_empty()).then_some(urls)
    }

    /// Learns from a look. Whether the store should know.
    pub(super) fn learn(&self, seen: &Observation, now: Timestamp) -> bool {
        self.learn_by(now, |places| places.learn(seen))
    }

    /// Learns where the hosts of a program of many groups answer. Whether the store should know.
    pub(super) fn learn_hosts(&self, fleet: &Fleet, now: Timestamp) -> bool {
        self.learn_by(now, |places| places.learn_hosts(fleet))
    }

    fn learn_by(&self, now: Timestamp, learn: impl FnOnce(&mut Places) -> bool) -> bool {
        let mut state = self.state();
        let before = state.places.clone();
        if !learn(&mut state.places) {
            return false;
        }
        state.told_at = Some(now);
        let old = state
            .kept_at
            .is_none_or(|at| now.since(at) >= KEPT_EVERY_MS);
        old || before != state.places
    }

    /// For the store, which takes it now.
    pub(super) fn keep(&self, now: Timestamp) -> Option<KeptPlaces> {
        let mut state = self.state();
        let told_at = state.told_at?;
        state.kept_at = Some(now);
        Some(KeptPlaces {
            seeds: self.seeds.clone(),
            told_at,
            places: state.places.clone(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use quorate_domain::{groups::News, observation::Answer};

    use super::*;

    #[test]
    fn where_hosts_of_many_groups_answer_is_kept_and_a_silent_one_stays_where_it_was() {
        let at = Timestamp::from_unix_ms;
        let seeds = vec!["http://10.0.0.9:1".to_owned()];
        let whereabouts = Whereabouts::of(seeds.clone(), None);
        let mut fleet = Fleet::new(1_000);
        fleet.miss("a", "http://10.0.0.1:1", at(1), Answer::NotAsked);
        assert!(!whereabouts.learn_hosts(&fleet, at(1)), "nobody answered");
        for (host, address) in [("a", "http://10.0.0.1:1"), ("b", "http://10.0.0.2:1")] {
            fleet.hear(host, address, at(2), News::default());
        }
        assert!(whereabouts.learn_hosts(&fleet, at(2)));
        let silent = || Answer::Silent("refused".to_owned());
        fleet.miss("b", "http://10.0.0.2:1", at(3), silent());
        fleet.hear("a", "http://10.0.0.3:1", at(3), News::default());
        assert!(whereabouts.learn_hosts(&fleet, at(3)), "one has moved");
        let kept = whereabouts.keep(at(3)).unwrap();
        let urls: Vec<String> = kept.places.urls().iter().map(Url::to_string).collect();
        assert_eq!(urls, ["http://10.0.0.2:1/", "http://10.0.0.3:1/"]);

        // The next life asks there while nobody tells anything, if its seeds are the same.
        let other = Whereabouts::of(vec!["http://10.0.0.8:1".to_owned()], Some(kept.clone()));
        assert!(other.told_at().is_none());
        let next = Whereabouts::of(seeds, Some(kept));
        let nothing = observation();
        assert_eq!(next.recalled(&nothing).unwrap().len(), 2);
        assert!(next.recalled(&nothing).is_none(), "once");
    }

    fn observation() -> Observation {
        Observation {
            kind: quorate_domain::cluster::Kind::Agent,
            program: None,
            version: None,
            taken_at: Timestamp::from_unix_ms(1),
            membership: None,
            membership_remembered: false,
            nodes: Vec::new(),
            progress: std::collections::BTreeMap::new(),
            notes: Vec::new(),
            capabilities: Vec::new(),
        }
    }
}
