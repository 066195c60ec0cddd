//! Where an issuer's keys come from: a file or an address, kept at hand, read again in time.
//!
//! A key that is not known yet is asked for, but only so often: who sends made-up key names must
//! not make the console call its issuer for each. While the issuer cannot be reached, keys at hand
//! go on for some hours and not longer; a key that its issuer has taken back is gone with the next
//! reading.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use reqwest::{Client, redirect::Policy};
use tokio::sync::Mutex;
use url::{Host, Url};

use super::{
    Doubt,
    jwks::{self, Key},
};

/// Keys that are read one by one: how many are remembered.
const SINGLE_MOST: usize = 32;
const KID_MOST: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    File(PathBuf),
    Url(Url),
    /// Each key under its own name below this address, in PEM form (AWS).
    UrlByKey(Url),
}

/// How often is asked, and how long what was answered holds.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub refresh_after: Duration,
    pub at_least: Duration,
    pub gone_after: Duration,
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            refresh_after: Duration::from_secs(10 * 60),
            at_least: Duration::from_secs(10),
            gone_after: Duration::from_secs(6 * 60 * 60),
            answer: Duration::from_secs(5),
        }
    }
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Source(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    place: Place,
    patience: Patience,
    client: Client,
    at_hand: RwLock<Vec<(Key, Instant)>>,
    /// When was last asked; held while asking.
    asked: Mutex<Option<Instant>>,
}

impl Source {
    /// Reads a file at once, so that a wrong one stops the start; an address only when needed.
    ///
    /// # Errors
    /// What is wrong with the file, or with the system's TLS.
    pub fn new(place: Place, patience: Patience) -> Result<Self, String> {
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(patience.answer)
            // Asked minutes apart: no quiet connection is kept that the other end may be closing.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| format!("cannot ask for keys: {error}"))?;
        let mut at_hand = Vec::new();
        if let Place::File(path) = &place {
            let bytes = std::fs::read(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let keys = jwks::read(&bytes).map_err(|wrong| format!("{} {wrong}", path.display()))?;
            at_hand = dated(keys);
        }
        Ok(Self(Arc::new(Shared {
            place,
            patience,
            client,
            at_hand: RwLock::new(at_hand),
            asked: Mutex::new(None),
        })))
    }

    /// The keys of this name.
    ///
    /// # Errors
    /// `UnknownKey`, or `NoKeys` while none can be read.
    pub async fn find(&self, kid: &str) -> Result<Vec<Key>, Doubt> {
        if kid.is_empty() || kid.len() > KID_MOST || kid.contains(char::is_control) {
            return Err(Doubt::UnknownKey);
        }
        let patience = self.0.patience;
        let (found, age) = self.at_hand(kid);
        if !found.is_empty() && age.is_some_and(|age| age < patience.gone_after) {
            if age.is_some_and(|age| age >= patience.refresh_after) {
                let (source, kid) = (self.clone(), kid.to_owned());
                // Nobody waits for it: what is at hand still holds.
                tokio::spawn(async move { source.ask(&kid, patience.refresh_after).await });
            }
            return Ok(found);
        }
        self.ask(kid, patience.gone_after).await;
        let (found, age) = self.at_hand(kid);
        let holds = age.is_some_and(|age| age < patience.gone_after);
        match self.0.place {
            _ if !found.is_empty() && holds => Ok(found),
            Place::UrlByKey(_) => Err(Doubt::UnknownKey),
            _ if holds => Err(Doubt::UnknownKey),
            _ => Err(Doubt::NoKeys),
        }
    }

    /// Keys of this name, and the age of the oldest of them, or of the set if none has the name.
    fn at_hand(&self, kid: &str) -> (Vec<Key>, Option<Duration>) {
        let at_hand = self
            .0
            .at_hand
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let named: Vec<_> = at_hand.iter().filter(|(key, _)| key.kid == kid).collect();
        let oldest = match named.first() {
            Some((_, read)) => Some(read),
            None => at_hand.first().map(|(_, read)| read),
        };
        let age = oldest.map(Instant::elapsed);
        (named.into_iter().map(|(key, _)| key.clone()).collect(), age)
    }

    /// Reads the keys again, unless that was done a moment ago or somebody else just did.
    async fn ask(&self, kid: &str, younger_than: Duration) {
        let mut asked = self.0.asked.lock().await;
        let (found, age) = self.at_hand(kid);
        if !found.is_empty() && age.is_some_and(|age| age < younger_than) {
            return;
        }
        if asked.is_some_and(|at| at.elapsed() < self.0.patience.at_least) {
            return;
        }
        *asked = Some(Instant::now());
        match self.read(kid).await {
            Ok(keys) => self.keep(keys),
            Err(error) => {
                metrics::counter!("quorate_identity_keys_failures_total").increment(1);
                tracing::warn!("the sign-on proxy's keys cannot be read: {error}");
            }
        }
    }

    async fn read(&self, kid: &str) -> Result<Vec<Key>, String> {
        match &self.0.place {
            Place::File(path) => {
                let bytes = tokio::fs::read(path)
                    .await
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                jwks::read(&bytes)
            }
            Place::Url(url) => jwks::read(&self.fetch(url.clone()).await?),
            Place::UrlByKey(url) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
                if !kid.chars().all(plain) {
                    return Err("the key's name is none".to_owned());
                }
                let mut url = url.clone();
                let path = format!("{}/{kid}", url.path().trim_end_matches('/'));
                url.set_path(&path);
                let pem = String::from_utf8(self.fetch(url).await?).map_err(|_| "not a text")?;
                let key = Key::from_pem(kid, &pem).ok_or("not a key in PEM form")?;
                Ok(vec![key])
            }
        }
    }

    async fn fetch(&self, url: Url) -> Result<Vec<u8>, String> {
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let request = self.0.client.get(url).send();
        let mut response = request.await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("the answer was {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&part);
            if bytes.len() > jwks::LARGEST {
                return Err("the answer is too large".to_owned());
            }
        }
        Ok(bytes)
    }

    fn keep(&self, keys: Vec<Key>) {
        let mut at_hand = self
            .0
            .at_hand
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if !matches!(self.0.place, Place::UrlByKey(_)) {
            *at_hand = dated(keys);
            return;
        }
        at_hand.retain(|(old, _)| keys.iter().all(|new| new.kid != old.kid));
        at_hand.extend(dated(keys));
        let surplus = at_hand.len().saturating_sub(SINGLE_MOST);
        at_hand.drain(..surplus);
    }
}

/// Whether what is read there cannot be changed on its way: https, or this very machine.
#[must_use]
pub fn protected(url: &Url) -> bool {
    let here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    (url.scheme() == "https" || url.scheme() == "http" && here)
        && url.username().is_empty()
        && url.password().is_none()
}

fn dated(keys: Vec<Key>) -> Vec<(Key, Instant)> {
    let now = Instant::now();
    keys.into_iter().map(|key| (key, now)).collect()
}
