//! One watch loop a cluster: looks often while somebody looks, a change runs or something is
//! wrong, seldom otherwise; remembers what it saw, and tells what happened.
//!
//! Only the loop looks. Whoever needs a look that is newer asks for one and waits for it.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use futures::FutureExt as _;
use quorate_domain::{
    cluster::{ClusterName, Membership},
    event::Happening,
    health::{ClusterState, Memory, Override, Registration, Verdict, remember},
    job::ChangeId,
    moment::Timestamp,
    observation::Observation,
    view::{ClusterView, render},
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    ControlError, Inner,
    clusters::JoinRule,
    groups::Groups,
    store::{Store, events::Remembered},
    wire::Wire,
    wording,
};

mod keeping;
mod places;
mod seen;
mod showing;

pub(crate) use places::KeptPlaces;
pub(crate) use seen::Seen;

/// The whole of one look, status calls included.
pub(crate) const LOOK_DEADLINE: Duration = Duration::from_millis(1_200);
const LOOK_GRACE: Duration = Duration::from_millis(300);
/// From the begin of one look to the begin of the next.
const FAST: Duration = Duration::from_millis(450);
const SLOW: Duration = Duration::from_millis(4_500);
/// However often a backend pushes.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
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

/// Looks until the console stops.
pub(crate) async fn run(inner: Arc<Inner>, watched: Arc<Watched>) {
    run_until(&inner, &watched, std::future::pending()).await;
}

/// Looks until the console stops or `unwanted` is over, and keeps what was seen. A slow disk
/// holds up no look.
pub(crate) async fn run_until(
    inner: &Arc<Inner>,
    watched: &Arc<Watched>,
    unwanted: impl Future<Output = ()>,
) {
    let ended = CancellationToken::new();
    let keeping = keeping::keep(watched, &inner.store, &ended);
    let looking = async {
        tokio::select! {
            () = look_on(inner, watched) => {}
            () = unwanted => {}
        }
        ended.cancel();
    };
    tokio::join!(looking, keeping);
}

/// The loop, until the console stops. A look that fails is reported and followed by another.
async fn look_on(inner: &Arc<Inner>, watched: &Arc<Watched>) {
    let mut pushes = watched.wire.pushes();
    loop {
        let began = Instant::now();
        let look = AssertUnwindSafe(look(inner, watched, began)).catch_unwind();
        if look.await.is_err() {
            tracing::error!(cluster = %watched.name(), "judging a look panicked");
            tokio::time::sleep(FAST).await;
        }
        let pause = pause(inner, watched);
        tokio::select! {
            () = inner.stopping.cancelled() => return,
            () = tokio::time::sleep_until(began + pause) => {}
            () = watched.nudge.notified() => {}
            () = pushed(&mut pushes) => {}
        }
        tokio::select! {
            () = inner.stopping.cancelled() => return,
            () = tokio::time::sleep_until(began + BETWEEN_LOOKS) => {}
        }
    }
}

/// Returns when the backend pushed something; never, where it does not push.
async fn pushed(pushes: &mut Option<watch::Receiver<u64>>) {
    if let Some(receiver) = pushes {
        if receiver.changed().await.is_ok() {
            return;
        }
        *pushes = None;
    }
    std::future::pending().await
}

/// How long from the begin of a look to the next, with a little jitter so that many clusters
/// are not looked at in one breath.
fn pause(inner: &Inner, watched: &Watched) -> Duration {
    let wrong = {
        let seen = watched.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref()
            .is_none_or(|seen| seen.verdict != Some(Verdict::Ok))
    };
    let busy = watched.running_change().is_some();
    let watching = inner.tick.receiver_count() > 0 || watched.somebody_looks();
    let base = if wrong || busy || watching {
        FAST
    } else {
        SLOW
    };
    base.mul_f64(rand::random_range(0.9..1.0))
}

async fn look(inner: &Arc<Inner>, watched: &Arc<Watched>, began: Instant) {
    let name = watched.name().0.clone();
    let began_at = inner.clock.now();
    let observed = watched.wire.observe(LOOK_DEADLINE, LOOK_GRACE).await;
    metrics::counter!("quorate_looks_total", "cluster" => name.clone()).increment(1);
    metrics::histogram!("quorate_look_seconds", "cluster" => name)
        .record(began.elapsed().as_secs_f64());
    if let Some(mut observation) = observed {
        let now = inner.clock.now();
        on_our_clock(&mut observation, began_at, now);
        if !watched.hears_hosts()
            && let Some(places) = watched.whereabouts.recalled(&observation)
        {
            let count = places.len();
            tracing::info!(cluster = %watched.name(), count, "no seed tells who the members are; asking where they were");
            watched.wire.recall(&places);
            watched.nudge.notify_one();
        }
        fold(inner, watched, observation, now);
        watched.looked.send_replace(Some(began));
    }
    watched.tick();
    inner.tick();
}

/// Drivers read the wall clock, which may be set while the console runs. A look ended between
/// its begin and now by our clock; where the driver's says otherwise, all its times are moved.
fn on_our_clock(observation: &mut Observation, began: Timestamp, now: Timestamp) {
    let taken = observation.taken_at;
    if (began.minus_ms(100)..=now.plus_ms(5)).contains(&taken) {
        return;
    }
    let shift =
        |at: Timestamp| Timestamp::from_unix_ms(at.unix_ms() - taken.unix_ms() + now.unix_ms());
    observation.taken_at = now;
    for node in &mut observation.nodes {
        node.at = shift(node.at);
    }
}

fn fold(inner: &Arc<Inner>, watched: &Watched, mut seen: Observation, now: Timestamp) {
    let fleet = watched.wire.groups();
    let elsewhere = match &fleet {
        None => watched.whereabouts.learn(&seen, now),
        Some(fleet) => {
            let fleet = fleet.read().unwrap_or_else(PoisonError::into_inner);
            watched.whereabouts.learn_hosts(&fleet, now)
        }
    };
    let membership = match seen.membership.clone() {
        Some(membership) if !seen.membership_remembered => Some(membership),
        told => {
            if told.is_none() {
                seen.membership = watched.membership();
                seen.membership_remembered = seen.membership.is_some();
            }
            None
        }
    };
    if let Some(fleet) = &fleet {
        let mut fleet = fleet.write().unwrap_or_else(PoisonError::into_inner);
        fleet.warn_from(watched.registration.thresholds.lag_warn);
    }
    let view = {
        let mut state = watched
            .state
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        watched.keeping.drop_overrides(ended_overrides(
            &mut state.overrides,
            membership.as_ref(),
            now,
        ));
        let previous = std::mem::take(&mut state.memory);
        state.memory = remember(
            previous,
            &watched.registration,
            &seen,
            &state.overrides,
            now,
        );
        state.observation = Some(seen);
        render(&state, now)
    };
    let view = watched.dress(view, now);
    if watched.group.is_none() {
        gauges(&view);
    }
    tell(inner, watched, &view, membership, elsewhere, now);
}

/// Takes out what was set by hand and is over: its time, or its member. One who joins later under
/// an old id must not inherit it. A membership nobody told in this look proves nothing.
fn ended_overrides(
    overrides: &mut Vec<Override>,
    told: Option<&Membership>,
    now: Timestamp,
) -> Vec<Override> {
    let is_over = |set: &mut Override| {
        set.until <= now || told.is_some_and(|told| told.member(&set.member).is_none())
    };
    overrides.extract_if(.., is_over).collect()
}

/// What changed since the last look, as events; and what to remember over a restart. Of a group
/// this is told in its own line of time alone: a program has thousands.
fn tell(
    inner: &Arc<Inner>,
    watched: &Watched,
    view: &ClusterView,
    membership: Option<Membership>,
    elsewhere: bool,
    now: Timestamp,
) {
    let mut happened = Vec::new();
    let old = watched.membership();
    let moved = membership
        .as_ref()
        .is_some_and(|new| old.as_ref() != Some(new));
    if let (Some(old), Some(new)) = (&old, &membership)
        && let Some(text) = wording::membership_changed(old, new)
    {
        happened.push(Happening::MembershipChanged { text });
    }
    let seen = Seen::of(view);
    let before = watched
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if let Some(before) = &before {
        happened.extend(before.until(&seen));
    } else {
        happened.extend(Seen::default().until(&seen));
    }
    if before.as_ref() == Some(&seen) && !moved && !elsewhere {
        return;
    }
    *watched.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen.clone());
    if let Some(new) = &membership {
        *watched
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(new.clone());
    }
    inner.events.add(&watched.key(), now, happened);
    // Where a group's hosts are is known of its program.
    let places = watched.whereabouts.keep(now);
    let places = places.filter(|_| watched.group.is_none());
    watched.keeping.keep(watched.membership(), seen, places);
}

fn gauges(view: &ClusterView) {
    let verdict = match view.verdict {
        Verdict::Ok => 0.0,
        Verdict::AtRisk => 1.0,
        Verdict::NoQuorum => 2.0,
        Verdict::Unknown => 3.0,
    };
    metrics::gauge!("quorate_cluster_verdict", "cluster" => view.name.0.clone()).set(verdict);
    let bad = u32::try_from(view.findings.len()).unwrap_or(u32::MAX);
    metrics::gauge!("quorate_cluster_findings", "cluster" => view.name.0.clone())
        .set(f64::from(bad));
}
