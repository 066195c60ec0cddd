//! How long a look waits for each address.
//!
//! A frozen node takes the call and never answers. Waiting for it in full at every look would
//! make everything else on the page late, a new leader first of all; so an address that let the
//! last call run out is waited for briefly, and in full only every few seconds, for nodes that
//! are slow and not gone.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use url::Url;

/// What an address gets that let the last call run out.
const BRIEF: Duration = Duration::from_millis(250);
/// How often it gets the full time all the same.
const IN_FULL: Duration = Duration::from_secs(4);

/// Which addresses let their last call run out, and when each was last waited for in full.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    overdue: Mutex<HashMap<Url, Instant>>,
}

impl Patience {
    /// How long to wait for `url` in a look that begins at `now`, at most `full`.
    pub(crate) fn with(&self, url: &Url, full: Duration, now: Instant) -> Duration {
        let mut overdue = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        match overdue.get_mut(url) {
            Some(waited) if now.saturating_duration_since(*waited) < IN_FULL => full.min(BRIEF),
            Some(waited) => {
                *waited = now;
                full
            }
            None => full,
        }
    }

    /// How long to wait for `url` beside a look, which alone waits for it in full.
    pub(crate) fn beside(&self, url: &Url, full: Duration) -> Duration {
        let overdue = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        if overdue.contains_key(url) {
            full.min(BRIEF)
        } else {
            full
        }
    }

    /// Whether the call to `url` ran out of time, in a look that began at `now`.
    pub(crate) fn learn(&self, url: &Url, ran_out: bool, now: Instant) {
        let mut overdue = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        if ran_out {
            overdue.entry(url.clone()).or_insert(now);
        } else {
            overdue.remove(url);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const FULL: Duration = Duration::from_secs(1);

    #[test]
    fn whoever_let_a_call_run_out_is_waited_for_briefly_and_at_times_in_full() {
        let patience = Patience::default();
        let url: Url = "http://127.0.0.1:1".parse().unwrap();
        let start = Instant::now();
        assert_eq!(patience.with(&url, FULL, start), FULL);
        patience.learn(&url, true, start);
        assert_eq!(patience.with(&url, FULL, start + BRIEF), BRIEF);
        assert_eq!(patience.with(&url, FULL, start + IN_FULL), FULL);
        patience.learn(&url, true, start + IN_FULL);
        assert_eq!(patience.with(&url, FULL, start + IN_FULL + BRIEF), BRIEF);
    }

    #[test]
    fn beside_a_look_nobody_is_waited_for_in_full_who_let_a_call_run_out() {
        let patience = Patience::default();
        let url: Url = "http://127.0.0.1:1".parse().unwrap();
        let start = Instant::now();
        assert_eq!(patience.beside(&url, FULL), FULL);
        patience.learn(&url, true, start);
        assert_eq!(patience.beside(&url, FULL), BRIEF);
        assert_eq!(patience.with(&url, FULL, start + IN_FULL), FULL);
    }

    #[test]
    fn an_answer_restores_full_patience() {
        let patience = Patience::default();
        let url: Url = "http://127.0.0.1:1".parse().unwrap();
        let start = Instant::now();
        patience.learn(&url, true, start);
        patience.learn(&url, false, start);
        assert_eq!(patience.with(&url, FULL, start), FULL);
    }
}
