//! How often somebody may try: failed sign-ins, and entries written on behalf of strangers.
//!
//! In memory only. Outsiders can slow an account's owner down by a few seconds, never lock
//! them out: who signed in from a peer before is not slowed by what others try.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use quorate_domain::moment::Timestamp;

/// Failures are forgotten after this long without another, in milliseconds.
const FORGET_AFTER_MS: u64 = 15 * 60_000;
/// What is kept of strangers is bounded.
const KEPT_MOST: usize = 10_000;

/// Limits of one kind of counter.
struct Limits {
    free: u32,
    most_ms: u64,
}

/// One account from one peer: the usual guessing.
const PAIR: Limits = Limits {
    free: 4,
    most_ms: 15 * 60_000,
};
/// One peer, whatever the account: guessing names.
const PEER: Limits = Limits {
    free: 15,
    most_ms: 15 * 60_000,
};
/// One account, whatever the peer: guessing from many places. Short, as it hits the owner too.
const ACCOUNT: Limits = Limits {
    free: 15,
    most_ms: 10_000,
};

#[derive(Clone, Copy, Default)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Failures {
    /// Milliseconds still to wait: doubling from one second once the free tries are used up.
    fn wait(self, limits: &Limits, now: Timestamp) -> u64 {
        if self.count < limits.free || now.since(self.last) > FORGET_AFTER_MS {
            return 0;
        }
        let doublings = (self.count - limits.free).min(20);
        let delay = (1_000_u64 << doublings).min(limits.most_ms);
        self.last.plus_ms(delay).since(now)
    }
}

#[derive(Default)]
struct Counters {
    pairs: HashMap<(String, String), Failures>,
    peers: HashMap<String, Failures>,
    accounts: HashMap<String, Failures>,
    /// Account and peer of successful sign-ins, and in which order they came.
    known: HashSet<(String, String)>,
    known_order: VecDeque<(String, String)>,
}

impl Counters {
    fn know(&mut self, pair: (String, String)) {
        if !self.known.insert(pair.clone()) {
            return;
        }
        self.known_order.push_back(pair);
        if self.known_order.len() > KEPT_MOST
            && let Some(oldest) = self.known_order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Throttles sign-ins per account and peer.
#[derive(Default)]
pub(crate) struct SignInThrottle {
    counters: Mutex<Counters>,
}

impl SignInThrottle {
    /// Takes one try, or says how many seconds to wait. A try counts as failed until
    /// [`SignInThrottle::succeeded`], so that many at once cannot slip through.
    pub(crate) fn take(&self, account: &str, peer: &str, now: Timestamp) -> Result<(), u64> {
        let network = network(peer);
        let peer = network.as_str();
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = (account.to_owned(), peer.to_owned());
        let mut wait = counters
            .pairs
            .get(&pair)
            .map_or(0, |failures| failures.wait(&PAIR, now));
        let peers = counters
            .peers
            .get(peer)
            .map_or(0, |failures| failures.wait(&PEER, now));
        wait = wait.max(peers);
        if !counters.known.contains(&pair) {
            let all = counters
                .accounts
                .get(account)
                .map_or(0, |failures| failures.wait(&ACCOUNT, now));
            wait = wait.max(all);
        }
        if wait > 0 {
            return Err(wait.div_ceil(1_000));
        }
        count(&mut counters.pairs, pair, now);
        count(&mut counters.peers, peer.to_owned(), now);
        count(&mut counters.accounts, account.to_owned(), now);
        Ok(())
    }

    pub(crate) fn succeeded(&self, account: &str, peer: &str) {
        let network = network(peer);
        let peer = network.as_str();
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = (account.to_owned(), peer.to_owned());
        counters.pairs.remove(&pair);
        take_back(&mut counters.peers, peer);
        take_back(&mut counters.accounts, account);
        counters.know(pair);
    }
}

fn count<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Failures>, key: K, now: Timestamp) {
    if map.len() >= KEPT_MOST {
        map.retain(|_, failures| now.since(failures.last) <= FORGET_AFTER_MS);
        if map.len() >= KEPT_MOST {
            keep_the_worse_half(map);
        }
    }
    let failures = map.entry(key).or_default();
    if now.since(failures.last) > FORGET_AFTER_MS {
        failures.count = 0;
    }
    failures.count = failures.count.saturating_add(1);
    failures.last = now;
}

/// Whoever tries with ever new names and addresses pushes out such tries, not who is slowed for good
/// reason.
fn keep_the_worse_half<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Failures>) {
    let mut all: Vec<(u32, Timestamp)> = map.values().map(|it| (it.count, it.last)).collect();
    all.sort_unstable();
    let Some(&median) = all.get(all.len() / 2) else {
        return;
    };
    map.retain(|_, failures| (failures.count, failures.last) > median);
}

/// A try that turned out right was no failure.
fn take_back(map: &mut HashMap<String, Failures>, key: &str) {
    if let Some(failures) = map.get_mut(key) {
        failures.count = failures.count.saturating_sub(1);
    }
}

/// Whoever has one address of the newer family has all of its network.
fn network(peer: &str) -> String {
    match peer.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("{:x}/64", u128::from(address) >> 64),
        Err(_) => peer.to_owned(),
    }
}

/// Entries written for requests without a believable identity, in a minute.
const FLOOD_EACH: u32 = 60;
const FLOOD_ALL: u32 = 600;

#[derive(Default)]
struct Minute {
    began: Option<std::time::Instant>,
    all: u32,
    each: HashMap<(String, String), u32>,
}

/// Bounds what strangers can make the console write.
#[derive(Default)]
pub(crate) struct Flood {
    minute: Mutex<Minute>,
}

impl Flood {
    pub(crate) fn admits(&self, action: &str, peer: &str) -> bool {
        let network = network(peer);
        let peer = network.as_str();
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute
            .began
            .is_none_or(|began| began.elapsed().as_secs() >= 60)
        {
            *minute = Minute {
                began: Some(std::time::Instant::now()),
                ..Minute::default()
            };
        }
        if minute.all >= FLOOD_ALL {
            return false;
        }
        let each = minute
            .each
            .entry((action.to_owned(), peer.to_owned()))
            .or_default();
        *each = each.saturating_add(1);
        let admitted = *each <= FLOOD_EACH;
        if admitted {
            minute.all += 1;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_000_000).plus_ms(seconds * 1_000)
    }

    #[test]
    fn delays_grow_with_each_failure_and_end() {
        let throttle = SignInThrottle::default();
        for _ in 0..4 {
            assert_eq!(throttle.take("ada", "10.0.0.1", at(0)), Ok(()));
        }
        assert_eq!(throttle.take("ada", "10.0.0.1", at(0)), Err(1));
        assert_eq!(throttle.take("ada", "10.0.0.1", at(1)), Ok(()));
        assert_eq!(throttle.take("ada", "10.0.0.1", at(1)), Err(2));
        assert_eq!(throttle.take("ada", "10.0.0.1", at(2_000)), Ok(()));
    }

    #[test]
    fn success_forgets_failures_of_the_pair() {
        let throttle = SignInThrottle::default();
        for _ in 0..50 {
            assert_eq!(throttle.take("ada", "10.0.0.1", at(0)), Ok(()));
            throttle.succeeded("ada", "10.0.0.1");
        }
    }

    #[test]
    fn an_owner_known_from_a_peer_is_not_locked_out_by_others() {
        let throttle = SignInThrottle::default();
        assert_eq!(throttle.take("ada", "10.0.0.1", at(0)), Ok(()));
        throttle.succeeded("ada", "10.0.0.1");
        for peer in 0..40 {
            let _answer = throttle.take("ada", &format!("10.9.0.{peer}"), at(1));
        }
        assert!(throttle.take("ada", "10.8.0.1", at(1)).is_err());
        assert_eq!(throttle.take("ada", "10.0.0.1", at(1)), Ok(()));
    }

    #[test]
    fn a_peer_that_tries_many_names_is_slowed() {
        let throttle = SignInThrottle::default();
        for name in 0..15 {
            assert_eq!(
                throttle.take(&format!("n{name}"), "10.0.0.1", at(0)),
                Ok(())
            );
        }
        assert!(throttle.take("another", "10.0.0.1", at(0)).is_err());
    }

    #[test]
    fn what_is_kept_of_strangers_is_bounded_and_forgets_who_tried_most_last() {
        let throttle = SignInThrottle::default();
        while throttle.take("ada", "10.0.0.1", at(0)).is_ok() {}
        for stranger in 0..KEPT_MOST * 3 {
            let address = format!("10.{}.{}.9", 1 + stranger / 250 % 250, stranger % 250);
            let _answer = throttle.take(&format!("n{stranger}"), &address, at(0));
            throttle.succeeded(&format!("k{stranger}"), &address);
        }
        assert!(throttle.take("ada", "10.0.0.1", at(0)).is_err());
        let counters = throttle
            .counters
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for kept in [
            counters.pairs.len(),
            counters.peers.len(),
            counters.accounts.len(),
            counters.known.len(),
            counters.known_order.len(),
        ] {
            assert!(kept <= KEPT_MOST, "{kept}");
        }
    }

    #[test]
    fn strangers_cannot_write_without_end() {
        let flood = Flood::default();
        let admitted = (0..1_000)
            .filter(|_| flood.admits("sign_in", "10.0.0.1"))
            .count();
        assert_eq!(admitted, 60);
        assert!(flood.admits("sign_in", "10.0.0.2"));
    }
}
