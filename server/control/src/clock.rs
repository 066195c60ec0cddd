//! The console's clock: wall time that never runs backwards.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use quorate_domain::moment::Timestamp;

use crate::Control;

/// How far the wall clock may run ahead before it is followed, in milliseconds.
const FOLLOW_AFTER_MS: i64 = 1_000;

/// Wall time at the start plus a monotonic clock.
///
/// A wall clock set back is ignored: ages and the order of audit entries hold. One that is more
/// than a second ahead is followed, because a monotonic clock stands still while a machine
/// sleeps, and sessions and tokens must end in wall time.
pub(crate) struct Clock {
    started: Instant,
    /// Wall milliseconds at `started`; only ever grows.
    base: AtomicI64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            base: AtomicI64::new(wall()),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at(wall())
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

fn wall() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
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
    use super::*;

    #[test]
    fn a_wall_clock_set_back_is_ignored() {
        let clock = Clock::new();
        let before = clock.now();
        assert!(clock.at(wall() - 3_600_000) >= before);
    }

    #[test]
    fn a_wall_clock_far_ahead_is_followed_and_kept() {
        let clock = Clock::new();
        let ahead = wall() + 3_600_000;
        assert_eq!(clock.at(ahead).unix_ms(), ahead);
        assert!(clock.now().unix_ms() >= ahead);
    }
}
