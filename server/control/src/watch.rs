//! One watch loop a cluster: looks often while somebody looks, a change runs or something is
//! wrong, seldom otherwise; remembers what it saw, and tells what happened.
//!
//! Only the loop looks. Whoever needs a look that is newer asks for one and waits for it.

use std::{
    sync::{Mutex, PoisonError, RwLock},
    time::Duration,
};

use quorate_domain::{
    cluster::{ClusterName, Membership},
    health::{ClusterState, Memory, Registration},
    job::ChangeId,
    moment::Timestamp,
    view::{ClusterView, render},
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    ControlError,
    clusters::JoinRule,
    events::Led,
    groups::Groups,
    store::{Store, events::Remembered},
    wire::Wire,
};

mod judging;
mod keeping;
mod looking;
mod places;
mod seen;
mod showing;

pub(crate) use looking::{run, run_until};
pub(crate) use places::KeptPlaces;
pub(crate) use seen::Seen;

/// The whole of one look, status calls included.
pub(crate) const LOOK_DEADLINE: Duration = Duration::from_millis(1_200);
/// A read keeps the watch fast for this long.
const INTEREST: Duration = Duration::from_secs(10);
/// A look older than this is renewed before it is shown.
pub(crate) const FRESH_MS: u64 = 1_000;
/// How long a use case waits for a look that begins after it asked: one under way, and its own.
pub(crate) const LOOK_WAIT: Duration = Duration::from_millis(3_200);

/// A cluster under watch.
pub(crate) struct Watched {
    pub(crate) registration: Registration,
    pub(crate) wire: Wire,
    pub(crate) join_allowed: Vec<JoinRule>,
    /// Held from the look a change is decided on until it runs: the second decides after it.
    pub(crate) deciding: tokio::sync::Mutex<()>,
    /// The snapshot being taken; it does not take the cluster's place for changes.
    pub(crate) snapshotting: Mutex<Option<ChangeId>>,
    pub(crate) state: RwLock<ClusterState>,
    seen: Mutex<Option<Seen>>,
    remembered: Mutex<Option<Membership>>,
    whereabouts: places::Whereabouts,
    keeping: keeping::Keeping,
    /// The group it is, of a program of many.
    pub(crate) group: Option<String>,
    /// Those of its groups that somebody looks at.
    pub(crate) groups: Groups,
    /// Of a group: another has taken its place among those that are watched.
    pub(crate) parted: CancellationToken,
    tick: watch::Sender<u64>,
    /// When the newest finished look began.
    looked: watch::Sender<Option<Instant>>,
    nudge: Notify,
    asked: Mutex<Option<Instant>>,
}

impl Watched {
    pub(crate) fn new(
        registration: Registration,
        wire: Wire,
        join_allowed: Vec<JoinRule>,
        known: Remembered,
    ) -> Self {
        let whereabouts = places::Whereabouts::of(wire.seeds(), known.places);
        let memory = Memory {
            membership_told_at: whereabouts.told_at(),
            ..Memory::default()
        };
        let state = ClusterState {
            registration: registration.clone(),
            observation: None,
            memory,
            overrides: Vec::new(),
            running_change: None,
        };
        Self {
            registration,
            wire,
            join_allowed,
            deciding: tokio::sync::Mutex::new(()),
            snapshotting: Mutex::new(None),
            state: RwLock::new(state),
            seen: Mutex::new(known.seen),
            remembered: Mutex::new(known.membership),
            whereabouts,
            keeping: keeping::Keeping::new(),
            group: None,
            groups: Groups::default(),
            parted: CancellationToken::new(),
            tick: watch::Sender::new(0),
            looked: watch::Sender::new(None),
            nudge: Notify::new(),
            asked: Mutex::new(None),
        }
    }

    /// Under which name the store has it: the cluster's, or `cluster/group` for one of many.
    pub(crate) fn key(&self) -> ClusterName {
        match &self.group {
            None => self.name().clone(),
            Some(group) => ClusterName(format!("{}/{group}", self.name())),
        }
    }

    /// Takes in what was known of a group when somebody last looked at it. A cluster begins with
    /// that.
    pub(crate) async fn recollect(&self, store: &Store) -> Result<(), ControlError> {
        let known = store.remembered(&self.key()).await?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = known.seen;
        *self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = known.membership;
        self.load_overrides(store).await
    }

    /// One group of a program of many: registered as that is, seen by a driver of its own.
    pub(crate) fn of_group(program: &Self, group: &str, wire: Wire) -> Self {
        let (registration, rules) = (program.registration.clone(), program.join_allowed.clone());
        Self {
            group: Some(group.to_owned()),
            ..Self::new(registration, wire, rules, Remembered::default())
        }
    }

    pub(crate) fn name(&self) -> &ClusterName {
        &self.registration.name
    }

    /// Name and tags: what grants are judged by.
    pub(crate) fn place(&self) -> (&ClusterName, &[String]) {
        (&self.registration.name, &self.registration.tags)
    }

    /// What is known, as it stands at `now`.
    pub(crate) fn view(&self, now: Timestamp) -> ClusterView {
        let view = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            render(&state, now)
        };
        self.dress(view, now)
    }

    /// Age of the newest look in milliseconds; `None` before the first.
    pub(crate) fn age(&self, now: Timestamp) -> Option<u64> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state
            .observation
            .as_ref()
            .map(|look| now.since(look.taken_at))
    }

    /// The membership as last seen, by whatever console process.
    pub(crate) fn membership(&self) -> Option<Membership> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn running_change(&self) -> Option<ChangeId> {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .running_change
            .clone()
    }

    pub(crate) fn set_running_change(&self, change: Option<ChangeId>) {
        self.state
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .running_change = change;
        self.nudge.notify_one();
    }

    /// Looks anew and waits for it. False if no look that began after now ended in `wait`.
    pub(crate) async fn look(&self, wait: Duration) -> bool {
        let now = Instant::now();
        let mut looked = self.looked.subscribe();
        self.nudge.notify_one();
        let newer = looked.wait_for(|began| began.is_some_and(|began| began >= now));
        matches!(tokio::time::timeout(wait, newer).await, Ok(Ok(_)))
    }

    /// Waits for the next look to end, whenever it began, but not longer than `most`.
    pub(crate) async fn next_look(&self, most: Duration) {
        let mut looked = self.looked.subscribe();
        looked.borrow_and_update();
        let _late_or_ended = tokio::time::timeout(most, looked.changed()).await;
    }

    /// Somebody looks at this cluster.
    pub(crate) fn interest(&self) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let known = asked.is_some_and(|at| at.elapsed() < INTEREST);
        *asked = Some(Instant::now());
        drop(asked);
        if !known {
            self.nudge.notify_one();
        }
    }

    /// Who leads by the last look that was told of; `None` if there was none.
    pub(crate) fn led(&self) -> Option<Led> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().map(|seen| seen.led().clone())
    }

    /// Who led was told until now by others.
    pub(crate) fn goes_on_from(&self, led: Led) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get_or_insert_default().led_by(led);
    }

    /// Somebody looks at it, or something runs on it.
    pub(crate) fn is_wanted(&self) -> bool {
        let snapshot = self
            .snapshotting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        snapshot || self.somebody_looks() || self.running_change().is_some()
    }

    /// A program of many groups of which a host answers: who its members are is no question then.
    fn hears_hosts(&self) -> bool {
        self.wire.groups().is_some_and(|fleet| {
            let fleet = fleet.read().unwrap_or_else(PoisonError::into_inner);
            fleet.hosts().any(quorate_domain::groups::Host::answers)
        })
    }

    /// Since when nobody has asked for it; `None` while a stream follows it or something runs.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let snapshot = self
            .snapshotting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if snapshot || self.tick.receiver_count() > 0 || self.running_change().is_some() {
            return None;
        }
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn somebody_looks(&self) -> bool {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        self.tick.receiver_count() > 0 || asked.is_some_and(|at| at.elapsed() < INTEREST)
    }

    pub(crate) fn tick(&self) {
        self.tick
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}
