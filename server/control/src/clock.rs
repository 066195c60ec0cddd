//! The console's clock: wall time that never runs backwards.

use std::{
    path::Path,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use quorate_domain::moment::Timestamp;

use crate::{Control, audit::Draft};

/// How far the wall clock may run ahead before it is followed, in milliseconds.
const FOLLOW_AFTER_MS: i64 = 1_000;

/// Touched by systemd's time daemon whenever it agrees with a server (systemd-timesyncd.service(8)).
/// Of other daemons nothing can be read without asking the kernel, which no safe interface does.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";
/// Three of the longest pauses that this daemon makes between two questions, 2,048 s each.
const SYNCHRONIZED_MOST: Duration = Duration::from_secs(3 * 2_048);

/// Wall time at the start plus a monotonic clock.
///
/// A wall clock set back is ignored: ages and the order of audit entries hold. One that is more
/// than a second ahead is followed, because a monotonic clock stands still while a machine
/// sleeps, and sessions and tokens must end in wall time.
pub(crate) struct Clock {
    started: Instant,
    /// Wall milliseconds at `started`; only ever grows.
    base: AtomicI64,
    /// How far the wall clock stood from where it should, when that was last told.
    told: AtomicI64,
    first: i64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let first = wall();
        Self {
            started: Instant::now(),
            base: AtomicI64::new(first),
            told: AtomicI64::new(0),
            first,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at(wall())
    }

    /// Milliseconds since this clock began, whatever the wall clock says.
    pub(crate) fn running_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the machine's clock agreed with a time server lately; `None` where that cannot be
    /// told.
    pub(crate) fn synced(&self) -> Option<bool> {
        synced_by(Path::new(SYNCHRONIZED), SystemTime::now())
    }

    /// By how many milliseconds the wall clock was set since this was last asked: more than a
    /// second, or none. A machine that slept tells as one whose clock was set ahead.
    pub(crate) fn jumped(&self) -> Option<i64> {
        self.jumped_to(wall())
    }

    fn jumped_to(&self, wall: i64) -> Option<i64> {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let away = wall.saturating_sub(self.first).saturating_sub(elapsed);
        let by = away.saturating_sub(self.told.load(Ordering::Relaxed));
        (by.saturating_abs() > FOLLOW_AFTER_MS).then(|| {
            self.told.store(away, Ordering::Relaxed);
            by
        })
    }

    fn at(&self, wall: i64) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let ours = self.base.load(Ordering::Relaxed).saturating_add(elapsed);
        if wall.saturating_sub(ours) <= FOLLOW_AFTER_MS {
            return Timestamp::from_unix_ms(ours);
        }
        self.base
            .fetch_max(wall.saturating_sub(elapsed), Ordering::Relaxed);
        Timestamp::from_unix_ms(wall)
    }
}

/// A file of a time to come was touched before the clock was set back: the two do not agree.
fn synced_by(file: &Path, now: SystemTime) -> Option<bool> {
    let touched = std::fs::metadata(file).ok()?.modified().ok()?;
    let age = now.duration_since(touched);
    Some(age.is_ok_and(|age| age <= SYNCHRONIZED_MOST))
}

fn wall() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

/// How often the wall clock is held against the monotonic one.
const CLOCK_EVERY: Duration = Duration::from_secs(5);

/// A wall clock that was set is on record: times before and after it do not compare.
pub(crate) async fn watch(control: Control) {
    loop {
        tokio::select! {
            () = control.inner.stopping.cancelled() => return,
            () = tokio::time::sleep(CLOCK_EVERY) => {}
        }
        let Some(by) = control.inner.clock.jumped() else {
            continue;
        };
        let seconds = by / 1_000;
        let text = format!("This machine's clock was set by {seconds} s, or it slept.");
        let mut draft = Draft::console("clock_set", text);
        draft.seen = serde_json::json!({ "by_ms": by });
        if let Err(error) = control.inner.audit.append(draft).await {
            tracing::error!(%error, "that the clock was set could not be recorded");
        }
    }
}

impl Control {
    /// Never runs backwards: wall clock at start plus a monotonic clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_wall_clock_set_back_is_ignored() {
        let clock = Clock::new();
        let before = clock.now();
        assert!(clock.at(wall() - 3_600_000) >= before);
    }

    #[test]
    fn a_wall_clock_that_is_set_is_told_once() {
        let clock = Clock::new();
        assert_eq!(clock.jumped(), None);
        let back = clock.jumped_to(wall() - 3_600_000).unwrap();
        assert!((-3_600_100..=-3_599_900).contains(&back), "{back}");
        assert_eq!(clock.jumped_to(wall() - 3_600_000), None);
        assert!(clock.jumped().unwrap() > 3_599_900);
    }

    #[test]
    fn a_clock_is_in_step_while_its_daemon_says_so_and_unknown_without_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("synchronized");
        let now = SystemTime::now();
        assert_eq!(synced_by(&file, now), None);
        std::fs::write(&file, b"").unwrap();
        let touched = std::fs::metadata(&file).unwrap().modified().unwrap();
        let later = |seconds| synced_by(&file, touched + Duration::from_secs(seconds));
        assert_eq!(later(0), Some(true));
        assert_eq!(later(6_144), Some(true));
        assert_eq!(later(6_145), Some(false));
        let before = touched - Duration::from_secs(1);
        assert_eq!(synced_by(&file, before), Some(false));
    }

    #[test]
    fn a_wall_clock_far_ahead_is_followed_and_kept() {
        let clock = Clock::new();
        let ahead = wall() + 3_600_000;
        assert_eq!(clock.at(ahead).unix_ms(), ahead);
        assert!(clock.now().unix_ms() >= ahead);
    }
}
