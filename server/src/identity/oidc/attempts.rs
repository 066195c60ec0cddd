//! Sign-ins under way: each bound to the browser that began it, good for one answer and for some
//! minutes. What proves it (nonce, PKCE verifier) never leaves the console before it is needed.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Refusal;

/// Strangers can begin sign-ins; so many are remembered, then the oldest is forgotten.
const MOST: usize = 16_384;
/// And so many of them from one address: whoever begins more pushes out their own. Generous, since a
/// whole company may come from one.
const SHARE: usize = MOST / 16;
/// Bytes of chance in a state, nonce, verifier and cookie.
const CHANCE: usize = 32;

/// What somebody is sent away with.
#[derive(Clone)]
pub struct Begun {
    /// Address at the provider.
    pub location: String,
    pub state: String,
    /// The browser brings it back as a cookie; see [`cookie_suffix`].
    pub browser: String,
}

/// What is remembered meanwhile.
#[derive(Clone)]
pub struct Attempt {
    pub nonce: String,
    pub verifier: String,
    /// Where they wanted to, within the console.
    pub next: String,
    /// The question that a fresh sign-in of somebody who is signed in already answers.
    pub step_up: Option<String>,
    browser: [u8; 32],
    pub began: Instant,
}

impl Attempt {
    /// The PKCE challenge (S256).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }
}

pub struct Attempts {
    life: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_state: HashMap<String, Attempt>,
    /// States by age, with where they were begun; those answered meanwhile are still among them.
    order: VecDeque<Begin>,
    /// How many of `order` each place has.
    shares: HashMap<String, usize>,
}

struct Begin {
    at: Instant,
    state: String,
    from: String,
}

impl Kept {
    fn forget(&mut self, begin: &Begin) {
        self.by_state.remove(&begin.state);
        if let Some(share) = self.shares.get_mut(&begin.from) {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(&begin.from);
            }
        }
    }

    /// The oldest of one place.
    fn forget_one_of(&mut self, from: &str) {
        let oldest = self.order.iter().position(|begin| begin.from == from);
        if let Some(begin) = oldest.and_then(|at| self.order.remove(at)) {
            self.forget(&begin);
        }
    }
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attempts")
    }
}

impl Attempts {
    pub fn new(life: Duration) -> Self {
        Self {
            life,
            kept: Mutex::default(),
        }
    }

    pub fn begin(&self, next: &str) -> (Attempt, Begun) {
        let browser = chance();
        let attempt = Attempt {
            nonce: chance(),
            verifier: chance(),
            next: next.to_owned(),
            step_up: None,
            browser: Sha256::digest(browser.as_bytes()).into(),
            began: Instant::now(),
        };
        let begun = Begun {
            location: String::new(),
            state: chance(),
            browser,
        };
        (attempt, begun)
    }

    /// `address` is where it was begun.
    pub fn keep(&self, state: &str, attempt: Attempt, address: &str) {
        let from = place(address);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.shares.get(&from).is_some_and(|share| *share >= SHARE) {
            kept.forget_one_of(&from);
        }
        *kept.shares.entry(from.clone()).or_default() += 1;
        kept.order.push_back(Begin {
            at: attempt.began,
            state: state.to_owned(),
            from,
        });
        kept.by_state.insert(state.to_owned(), attempt);
        while let Some(oldest) = kept.order.front()
            && (kept.order.len() > MOST || oldest.at.elapsed() >= self.life)
        {
            if let Some(begin) = kept.order.pop_front() {
                kept.forget(&begin);
            }
        }
    }

    /// The attempt of this state, once.
    pub fn take(&self, state: &str, browser: Option<&str>) -> Result<Attempt, Refusal> {
        let found = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.by_state.remove(state)
        };
        let attempt = found
            .filter(|attempt| attempt.began.elapsed() < self.life)
            .ok_or(Refusal::UnknownState)?;
        let browser = Sha256::digest(browser.unwrap_or_default().as_bytes());
        let same: bool = browser.as_slice().ct_eq(&attempt.browser).into();
        same.then_some(attempt).ok_or(Refusal::OtherBrowser)
    }
}

/// Sign-ins begun side by side in one browser have cookies of their own, named by their state
/// without telling it.
#[must_use]
pub fn cookie_suffix(state: &str) -> String {
    let digest = Sha256::digest(state.as_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whoever has one address of the newer family has all of its network.
fn place(address: &str) -> String {
    match address.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("{:x}/64", u128::from(address) >> 64),
        Err(_) => address.to_owned(),
    }
}

fn chance() -> String {
    let mut bytes = [0_u8; CHANCE];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(life: Duration) -> (Attempts, Begun) {
        let attempts = Attempts::new(life);
        let (attempt, begun) = attempts.begin("/access");
        attempts.keep(&begun.state, attempt, "10.0.0.1");
        (attempts, begun)
    }

    #[test]
    fn a_state_is_good_once_and_in_its_own_browser() {
        let (attempts, begun) = attempts(Duration::from_secs(600));
        let taken = attempts.take(&begun.state, Some(&begun.browser));
        assert_eq!(taken.map(|attempt| attempt.next), Ok("/access".to_owned()));
        let again = attempts.take(&begun.state, Some(&begun.browser));
        assert_eq!(again.map(|_| ()), Err(Refusal::UnknownState));
        for browser in [None, Some(""), Some("another")] {
            let (attempt, begun) = attempts.begin("/");
            attempts.keep(&begun.state, attempt, "10.0.0.1");
            let taken = attempts.take(&begun.state, browser).map(|_| ());
            assert_eq!(taken, Err(Refusal::OtherBrowser));
            // What was tried elsewhere is used up here too.
            let taken = attempts
                .take(&begun.state, Some(&begun.browser))
                .map(|_| ());
            assert_eq!(taken, Err(Refusal::UnknownState));
        }
    }

    #[test]
    fn a_state_is_over_after_its_life() {
        let (attempts, begun) = attempts(Duration::ZERO);
        let taken = attempts.take(&begun.state, Some(&begun.browser));
        assert_eq!(taken.map(|_| ()), Err(Refusal::UnknownState));
    }

    #[test]
    fn strangers_who_begin_many_do_not_fill_the_memory() {
        let (attempts, _) = attempts(Duration::from_secs(600));
        let (attempt, _) = attempts.begin("/");
        for number in 0..MOST + 10 {
            let address = format!("10.0.{}.{}", number / 250 % 250, number % 250);
            attempts.keep(&number.to_string(), attempt.clone(), &address);
        }
        let kept = attempts.kept.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((kept.by_state.len(), kept.order.len()), (MOST, MOST));
        assert_eq!(kept.shares.values().sum::<usize>(), MOST);
    }

    #[test]
    fn whoever_begins_many_pushes_out_their_own_and_nobody_elses() {
        let (attempts, begun) = attempts(Duration::from_secs(600));
        let (attempt, _) = attempts.begin("/");
        for number in 0..SHARE * 3 {
            let address = format!("2001:db8::{:x}", number % 1_000);
            attempts.keep(&number.to_string(), attempt.clone(), &address);
        }
        let count = attempts
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .order
            .len();
        assert_eq!(count, SHARE + 1, "one network of the newer family is one");
        let first = attempts.take("0", None).map(|_| ());
        assert_eq!(first, Err(Refusal::UnknownState));
        assert!(attempts.take(&begun.state, Some(&begun.browser)).is_ok());
    }

    #[test]
    fn what_was_begun_leaves_nothing_behind_once_it_is_over() {
        let attempts = Attempts::new(Duration::ZERO);
        let (attempt, _) = attempts.begin("/");
        for number in 0..100 {
            attempts.keep(&number.to_string(), attempt.clone(), &number.to_string());
        }
        let kept = attempts.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = (kept.by_state.len(), kept.order.len(), kept.shares.len());
        assert_eq!(sizes, (0, 0, 0));
    }

    /// The example of RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_standards() {
        let (attempts, _) = attempts(Duration::from_secs(600));
        let (mut attempt, _) = attempts.begin("/");
        attempt.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(attempt.challenge(), challenge);
    }
}
