//! Signing in: sessions of the console at the controllers, made once and renewed early.
//!
//! A session by the older way is good at the one controller that gave it; a token by OIDC is good
//! at every member. A refused sign-in is not tried again for a while: repeating it would lock the
//! identity.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use reqwest::header::HeaderName;
use serde_json::json;
use url::Url;

use super::{
    answers::{LegacySession, Problem, VersionWords, Wrapped},
    oidc,
    version::Version,
};
use crate::{
    Login, Secret,
    http::{Call, Client, Reply, Wire},
};

/// The header of a session made by the older way.
const ZT_SESSION: HeaderName = HeaderName::from_static("zt-session");
/// How long a refusal is believed.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// How long a failure of the network is believed.
const FAILED_FOR: Duration = Duration::from_secs(2);
/// One sign-in by OIDC is six calls, and checking a password is slow on purpose.
const WHOLE_SIGN_IN: Duration = Duration::from_secs(15);
/// What a session lasts where the controller does not tell.
const USUAL_LIFE: u64 = 1_800;

/// How the console says who it is.
#[derive(Clone, Debug)]
pub(super) enum Credentials {
    Password(Login),
    /// The client certificate of the connection itself.
    Certificate,
    Missing,
}

/// One session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub way: Way,
    pub token: Secret,
    /// Renews it, where there is such a thing.
    pub refresh: Option<Secret>,
    /// The controller that gave it.
    pub given_by: Url,
    pub made: Instant,
    pub life: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Legacy,
    Oidc,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignInError {
    #[error("no username with password and no client certificate is configured")]
    Missing,
    #[error("{0}")]
    Wire(Wire),
    #[error("the sign-in is refused: {0}")]
    Refused(String),
    #[error("the identity has a second factor, which a console cannot give")]
    SecondFactor,
    #[error("what answers is no OpenZiti controller")]
    NotOpenziti,
    #[error("it runs {0}; clusters are supported from 1.4 on")]
    TooOld(String),
    #[error("a password is not sent by plain HTTP")]
    NotTls,
    #[error("another controller or address is named for the sign-in")]
    Elsewhere,
}

impl SignInError {
    /// Whether trying again soon is of no use, or does harm.
    const fn stands(&self) -> bool {
        !matches!(self, Self::Wire(_))
    }
}

impl Session {
    /// Puts the session on a request.
    pub fn sign(&self, call: Call) -> Call {
        match self.way {
            Way::Legacy => call.secret_header(ZT_SESSION, &self.token),
            Way::Oidc => call.bearer(&self.token),
        }
    }

    fn has_ended(&self) -> bool {
        self.made.elapsed() >= self.life
    }

    /// Sessions of the older way live on while they are used; tokens are renewed at half.
    fn is_due(&self) -> bool {
        self.way == Way::Oidc && self.made.elapsed() >= self.life / 2
    }
}

type Attempt = Shared<BoxFuture<'static, Result<Session, SignInError>>>;

/// A sign-in under way or done, and the renewal of what it gave.
struct Entry {
    attempt: Attempt,
    begun: Instant,
    renewal: Option<(Attempt, Instant)>,
}

/// All sessions of one cluster.
#[derive(Clone)]
pub(super) struct Sessions {
    client: Client,
    credentials: Credentials,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    entries: BTreeMap<Url, Entry>,
    /// Where a token of another member is not taken, and until when that is believed.
    alone: BTreeMap<Url, Instant>,
    /// Where signing in anew did not help.
    in_vain: BTreeMap<Url, Instant>,
}

impl Sessions {
    pub fn new(client: Client, credentials: Credentials) -> Self {
        Self {
            client,
            credentials,
            book: Arc::default(),
        }
    }

    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A session that `url` should take. Signing in goes on when the caller gives up waiting.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn session(&self, url: &Url) -> Result<Session, SignInError> {
        let attempt = self.attempt(url);
        attempt.await
    }

    fn attempt(&self, url: &Url) -> Attempt {
        let mut book = self.book();
        let alone = book
            .alone
            .get(url)
            .is_some_and(|since| since.elapsed() < REFUSED_FOR);
        if let Some(entry) = book.entries.get_mut(url) {
            entry.settle(&self.client);
            if entry.holds() {
                return entry.attempt.clone();
            }
        }
        if !alone && let Some(shared) = book.shared(&self.client) {
            return shared;
        }
        let attempt = start(sign_in(
            self.client.clone(),
            self.credentials.clone(),
            url.clone(),
        ));
        let entry = Entry {
            attempt: attempt.clone(),
            begun: Instant::now(),
            renewal: None,
        };
        book.entries.insert(url.clone(), entry);
        attempt
    }

    /// `url` did not take `session`. True if signing in anew may help.
    pub fn reject(&self, url: &Url, session: &Session) -> bool {
        let mut book = self.book();
        let in_vain = book
            .in_vain
            .get(url)
            .is_some_and(|since| since.elapsed() < REFUSED_FOR);
        if in_vain {
            return false;
        }
        if session.given_by == *url {
            let is_it = |entry: &mut Entry| matches!(entry.attempt.peek(), Some(Ok(held)) if held.token == session.token);
            if book.entries.get_mut(url).is_some_and(is_it) {
                book.entries.remove(url);
            }
        } else {
            book.alone.insert(url.clone(), Instant::now());
        }
        true
    }

    /// A fresh session was not taken either: it is the right that is missing.
    pub fn was_in_vain(&self, url: &Url) {
        self.book().in_vain.insert(url.clone(), Instant::now());
    }

    pub fn was_good(&self, url: &Url) {
        self.book().in_vain.remove(url);
    }

    /// Forgets every refusal, for somebody who has just changed something and asks again.
    pub fn forget_refusals(&self) {
        let mut book = self.book();
        book.alone.clear();
        book.in_vain.clear();
        book.entries
            .retain(|_, entry| matches!(entry.attempt.peek(), None | Some(Ok(_))));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// A token that every member takes.
    fn shared(&mut self, client: &Client) -> Option<Attempt> {
        self.entries.values_mut().find_map(|entry| {
            entry.settle(client);
            let good =
                matches!(entry.attempt.peek(), Some(Ok(session)) if session.way == Way::Oidc);
            (good && entry.holds()).then(|| entry.attempt.clone())
        })
    }
}

impl Entry {
    /// Takes over a renewal that has come, and begins one that is due.
    fn settle(&mut self, client: &Client) {
        if let Some((renewal, begun)) = &self.renewal {
            match renewal.peek() {
                Some(Ok(_)) => {
                    self.attempt = renewal.clone();
                    self.renewal = None;
                }
                Some(Err(_)) if begun.elapsed() > FAILED_FOR => self.renewal = None,
                _ => {}
            }
        }
        let Some(Ok(session)) = self.attempt.peek() else {
            return;
        };
        if self.renewal.is_none()
            && session.is_due()
            && let Some(refresh) = session.refresh.clone()
        {
            let renewing = oidc::renew(client.clone(), session.given_by.clone(), refresh);
            self.renewal = Some((start(renewing), Instant::now()));
        }
    }

    /// Under way, good, or failed so shortly ago that trying again is of no use.
    fn holds(&self) -> bool {
        match self.attempt.peek() {
            None => true,
            Some(Ok(session)) => !session.has_ended(),
            Some(Err(why)) => {
                let believed = if why.stands() {
                    REFUSED_FOR
                } else {
                    FAILED_FOR
                };
                self.begun.elapsed() < believed
            }
        }
    }
}

/// Runs on by itself: a look that ends must not end a sign-in that is nearly done.
fn start(signing: impl Future<Output = Result<Session, SignInError>> + Send + 'static) -> Attempt {
    let bounded = tokio::time::timeout(WHOLE_SIGN_IN, signing);
    let whole = bounded
        .map(|outcome| outcome.unwrap_or(Err(SignInError::Wire(Wire::TimedOut(WHOLE_SIGN_IN)))));
    let attempt = whole.boxed().shared();
    // Whoever looks at it later finds it done although nobody waited for it.
    tokio::spawn(attempt.clone().map(drop));
    attempt
}

/// Signs in at `url`, by OIDC where it is offered.
async fn sign_in(
    client: Client,
    credentials: Credentials,
    url: Url,
) -> Result<Session, SignInError> {
    let words = version(&client, &url, WHOLE_SIGN_IN / 3).await?;
    if Version::parse(&words.version).is_some_and(Version::is_too_old) {
        return Err(SignInError::TooOld(words.version));
    }
    if matches!(credentials, Credentials::Missing) {
        return Err(SignInError::Missing);
    }
    if url.scheme() != "https" {
        return Err(SignInError::NotTls);
    }
    let capabilities = words.capabilities.unwrap_or_default();
    if capabilities.iter().any(|it| it == "OIDC_AUTH") {
        match oidc::sign_in(&client, &credentials, &url).await {
            // Offered, and not under the address the console uses: the older way is there too.
            Err(SignInError::NotOpenziti | SignInError::Elsewhere) => {}
            outcome => return outcome,
        }
    }
    legacy(&client, &credentials, &url).await
}

/// What the controller at `url` calls itself; needs no sign-in.
pub(super) async fn version(
    client: &Client,
    url: &Url,
    wait: Duration,
) -> Result<VersionWords, SignInError> {
    let mut place = url.clone();
    place.set_path("/edge/management/v1/version");
    let reply = client.get(&place).within(wait).send().await;
    let reply = reply.map_err(SignInError::Wire)?;
    if let Some(problem) = reply.problem() {
        return Err(match problem {
            Wire::NeedsTls | Wire::Redirected(_) => SignInError::Wire(problem),
            Wire::Status { status, .. } if status >= 500 => SignInError::Wire(problem),
            _ => SignInError::NotOpenziti,
        });
    }
    let words: Result<Wrapped<VersionWords>, Wire> = reply.json();
    words
        .map(|words| words.data)
        .map_err(|_| SignInError::NotOpenziti)
}

async fn legacy(
    client: &Client,
    credentials: &Credentials,
    url: &Url,
) -> Result<Session, SignInError> {
    let (method, body) = match credentials {
        Credentials::Password(login) => (
            "password",
            json!({ "username": login.username, "password": login.password.reveal() }),
        ),
        Credentials::Certificate => ("cert", json!({})),
        Credentials::Missing => return Err(SignInError::Missing),
    };
    let mut place = url.clone();
    place.set_path("/edge/management/v1/authenticate");
    place.set_query(Some(&format!("method={method}")));
    let call = client.ask(&place, &body).within(WHOLE_SIGN_IN / 2);
    let reply = call.send().await.map_err(SignInError::Wire)?;
    refused(&reply)?;
    let session: Wrapped<LegacySession> = reply.json().map_err(|_| SignInError::NotOpenziti)?;
    let session = session.data;
    if session
        .auth_queries
        .is_some_and(|queries| !queries.is_empty())
    {
        return Err(SignInError::SecondFactor);
    }
    Ok(Session {
        way: Way::Legacy,
        token: Secret::new(session.token),
        refresh: None,
        given_by: url.clone(),
        made: Instant::now(),
        life: Duration::from_secs(session.expiration_seconds.unwrap_or(USUAL_LIFE)),
    })
}

/// Tells a refusal of the credentials from everything else that is no success.
pub(super) fn refused(reply: &Reply) -> Result<(), SignInError> {
    match reply.problem() {
        None => Ok(()),
        Some(Wire::Denied { .. }) => {
            let told = Problem::of(&reply.body).map(|problem| problem.text());
            let told = told.filter(|text| !text.is_empty());
            Err(SignInError::Refused(
                told.unwrap_or_else(|| "no reason given".to_owned()),
            ))
        }
        Some(Wire::Status { status: 404, .. }) => Err(SignInError::NotOpenziti),
        Some(problem) => Err(SignInError::Wire(problem)),
    }
}
