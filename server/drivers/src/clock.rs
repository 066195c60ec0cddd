//! The moment at which something was seen. Never runs backwards within one process: the wall
//! clock is read once, a monotonic clock carries on from there.

use std::{
    sync::OnceLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use quorate_domain::moment::Timestamp;

static START: OnceLock<(Instant, Timestamp)> = OnceLock::new();

/// The present moment.
#[must_use]
pub fn now() -> Timestamp {
    let (start, wall) = START.get_or_init(|| (Instant::now(), wall_clock()));
    let passed = start.elapsed().as_millis();
    wall.plus_ms(u64::try_from(passed).unwrap_or(u64::MAX))
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
