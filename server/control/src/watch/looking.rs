//! The loop: when the next look is due, and one look.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use quorate_domain::{health::Verdict, moment::Timestamp, observation::Observation};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{LOOK_DEADLINE, Watched, judging::fold, keeping};
use crate::Inner;

const LOOK_GRACE: Duration = Duration::from_millis(300);
/// From the begin of one look to the begin of the next.
const FAST: Duration = Duration::from_millis(450);
const SLOW: Duration = Duration::from_millis(4_500);
/// However often a backend pushes.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

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
