//! Where members answered last: kept over a restart, and asked when nobody else tells who the
//! members are.

use std::sync::{Mutex, MutexGuard, PoisonError};

use quorate_domain::{moment::Timestamp, observation::Observation};
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
        let mut state = self.state();
        let before = state.places.clone();
        if !state.places.learn(seen) {
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
