//! The light write load: whoever leads writes a little, so that there is something to see.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::{
    machine::Machine,
    types::{Command, Raft},
};

/// How often a portion is written.
const TICK: Duration = Duration::from_millis(50);
/// The most that is written in one portion.
const PORTION: u64 = 2_000;
/// The load goes round these many keys, so that the state stays small.
const KEYS: u64 = 1_000;

/// Writes until the node ends.
pub async fn run(raft: Raft, machine: Machine) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last, mut owed_us, mut number) = (Instant::now(), 0_u64, 0_u64);
    loop {
        ticks.tick().await;
        let passed = u64::try_from(last.elapsed().as_micros()).unwrap_or(0);
        last = Instant::now();
        if !raft.is_leader() {
            owed_us = 0;
            continue;
        }
        // Writes owed, in millionths.
        owed_us = owed_us.saturating_add(passed.saturating_mul(machine.load().into()));
        let count = (owed_us / 1_000_000).min(PORTION);
        owed_us %= 1_000_000;
        let writes = (0..count).map(|offset| {
            let at = number.wrapping_add(offset);
            raft.client_write(Command::Set {
                key: format!("load-{:03}", at % KEYS),
                value: at.to_string(),
            })
        });
        // What fails here is nobody's loss: no one asked for these writes.
        let _ = timeout(Duration::from_secs(2), join_all(writes)).await;
        number = number.wrapping_add(count);
    }
}
