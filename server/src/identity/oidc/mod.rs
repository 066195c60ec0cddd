//! Mode `oidc`: the console is a client of one OpenID provider and signs people in there itself,
//! by the authorization code flow with PKCE.
//!
//! The provider is pinned by its issuer; all else is learned from its discovery document. A
//! sign-in belongs to the browser that began it and is good for one answer. Of what comes back
//! only who somebody is, their groups and the end of it are kept; tokens are dropped where they
//! are read. Knows nothing of sessions, pages or clusters.
//!
//! It stands on what checks signed assertions here anyway. A ready-made client would bring a second
//! set of signature code with it, and leave states, browsers and sign-outs to be judged all the same.

mod attempts;
mod discovery;
mod exchange;
mod id_token;
mod logout;

use std::time::{Duration, Instant};

use quorate_control::Departure;
use quorate_domain::{
    audit::{Actor, Means},
    permission::Grant,
};
use quorate_drivers::Secret;
use reqwest::{Client, redirect::Policy};
use serde::{Deserialize, Serialize};
use url::Url;

use self::{
    attempts::Attempts,
    discovery::Discovery,
    logout::{Recent, Replays},
};
use super::{Doubt, Expected, Known, Preset, Rules};

pub use attempts::{Attempt, Begun, cookie_suffix};

/// How long one answer of the provider is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long somebody may take at the provider.
const ATTEMPT_LIFE: Duration = Duration::from_secs(10 * 60);
/// Longest code that is passed on, in bytes.
const CODE_LONGEST: usize = 4 * 1024;

/// The console as the provider knows it.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Exactly as the provider writes it.
    pub issuer: String,
    pub client_id: String,
    /// `None`: a public client, which has PKCE alone.
    pub secret: Option<Secret>,
    pub scopes: Vec<String>,
    pub groups_claim: String,
    /// How far clocks may differ, in seconds.
    pub leeway: u64,
    /// What people call the provider.
    pub name: String,
    pub rules: Rules,
}

/// Why somebody is not signed in or not signed out. Its text goes into the audit log; what was
/// sent never does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Doubt(#[from] Doubt),
    #[error("the answer was not understood")]
    Malformed,
    #[error("the sign-in was not begun here, took too long, or its answer was used already")]
    UnknownState,
    #[error("the sign-in was begun in another browser")]
    OtherBrowser,
    #[error("the answer names another issuer")]
    OtherIssuer,
    #[error("the provider answered {0}")]
    Denied(String),
    #[error("the provider did not take the code ({0})")]
    Code(String),
    #[error("the provider could not be asked ({0})")]
    Unreachable(String),
    #[error("the token was made for another sign-in (nonce)")]
    Nonce,
    #[error("the token was made for another client (azp)")]
    Party,
    #[error("the token is of another kind")]
    Kind,
    #[error("the token of the sign-out was used already")]
    Replayed,
    #[error("they signed out at the provider while they were signing in here")]
    Left,
}

impl Refusal {
    /// What the sign-in page is told.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Denied(_) => "sign-on-denied",
            Self::UnknownState | Self::OtherBrowser | Self::Left => "sign-on-over",
            Self::Unreachable(_) | Self::Doubt(Doubt::NoKeys) => "sign-on-unreachable",
            _ => "sign-on-failed",
        }
    }
}

/// Where the provider sends people back to.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Answer {
    pub state: Option<String>,
    pub code: Option<String>,
    pub iss: Option<String>,
    pub error: Option<String>,
}

/// Somebody as the provider said at sign-in; kept with the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOn {
    pub issuer: String,
    pub subject: String,
    pub name: String,
    pub groups: Vec<String>,
    /// The session at the provider, where it says one.
    pub sid: Option<String>,
    /// The session here ends then, in seconds since 1970.
    pub until: u64,
}

impl SignedOn {
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.known().actor()
    }

    fn known(&self) -> Known {
        Known {
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            name: self.name.clone(),
            groups: self.groups.clone(),
            means: Means::Oidc,
            assurance: None,
            until: Some(self.until),
        }
    }
}

/// A sign-in that was completed.
#[derive(Clone, Debug)]
pub struct Completed {
    pub person: SignedOn,
    /// When the provider saw the person, in seconds since 1970, and how; where it says so.
    pub auth_time: Option<u64>,
    pub acr: Option<String>,
    /// How far clocks may differ, in seconds.
    pub leeway: u64,
}

/// The mode as it runs.
#[derive(Debug)]
pub struct Oidc {
    registration: Registration,
    expected: Expected,
    client: Client,
    discovery: Discovery,
    attempts: Attempts,
    replays: Replays,
    recent: Recent,
}

impl Oidc {
    /// Asks the provider nothing yet: the console starts while it is away.
    ///
    /// # Errors
    /// In words, if the issuer is no address, or the system's TLS cannot be used.
    pub fn new(registration: Registration) -> Result<Self, String> {
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            // Sign-ins are seconds apart, which is when servers hang up on quiet connections: a code
            // sent on one that is being closed is lost, and with it the sign-in.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| format!("cannot ask the provider: {error}"))?;
        Ok(Self {
            expected: Expected {
                preset: Preset::Generic,
                header: String::new(),
                issuer: registration.issuer.clone(),
                audience: registration.client_id.clone(),
                signer: None,
                groups_claim: registration.groups_claim.clone(),
                leeway: registration.leeway,
            },
            discovery: Discovery::new(&registration.issuer, client.clone())?,
            client,
            registration,
            attempts: Attempts::new(ATTEMPT_LIFE),
            replays: Replays::default(),
            recent: Recent::new(ATTEMPT_LIFE),
        })
    }

    /// What people call the provider.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.registration.name
    }

    /// The table that gives roles.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.registration.rules
    }

    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.registration.issuer
    }

    /// Whether the provider can be asked now.
    ///
    /// # Errors
    /// Why not.
    pub async fn diagnose(&self) -> Result<(), Refusal> {
        self.discovery.provider().await.map(|_| ())
    }

    /// Where a browser at `address` goes to sign in, and what it keeps until it comes back to
    /// `redirect`.
    ///
    /// # Errors
    /// `Unreachable`, `OtherIssuer`.
    pub async fn begin(&self, redirect: &str, next: &str, address: &str) -> Result<Begun, Refusal> {
        let (attempt, begun) = self.attempts.begin(next);
        self.away(redirect, (attempt, begun), address, &[]).await
    }

    /// As [`Self::begin`] for somebody who is signed in: the provider must ask them anew, and say
    /// when it did. `ask` is the question that it answers.
    ///
    /// # Errors
    /// As there.
    pub async fn begin_fresh(
        &self,
        redirect: &str,
        ask: &str,
        acr_values: &[String],
    ) -> Result<Begun, Refusal> {
        let (mut attempt, begun) = self.attempts.begin("/");
        attempt.step_up = Some(ask.to_owned());
        // Strangers cannot begin these: they have one share together.
        self.away(redirect, (attempt, begun), "", acr_values).await
    }

    async fn away(
        &self,
        redirect: &str,
        (attempt, mut begun): (Attempt, Begun),
        address: &str,
        acr_values: &[String],
    ) -> Result<Begun, Refusal> {
        let provider = self.discovery.provider().await?;
        let mut url = provider.authorization.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.registration.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", &self.registration.scopes.join(" "))
            .append_pair("state", &begun.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        if attempt.step_up.is_some() {
            url.query_pairs_mut()
                .append_pair("prompt", "login")
                .append_pair("max_age", "0");
        }
        if !acr_values.is_empty() {
            url.query_pairs_mut()
                .append_pair("acr_values", &acr_values.join(" "));
        }
        begun.location = url.into();
        self.attempts.keep(&begun.state, attempt, address);
        Ok(begun)
    }

    /// The sign-in that this answers. `browser` is what the browser kept. The state is used up,
    /// whatever comes of it.
    ///
    /// # Errors
    /// `UnknownState`, `OtherBrowser`.
    pub fn answered(&self, answer: &Answer, browser: Option<&str>) -> Result<Attempt, Refusal> {
        let state = answer.state.as_deref().ok_or(Refusal::UnknownState)?;
        self.attempts.take(state, browser)
    }

    /// Who came back to this sign-in.
    ///
    /// # Errors
    /// Why nobody is signed in.
    pub async fn complete(
        &self,
        answer: &Answer,
        attempt: &Attempt,
        redirect: &str,
        now: u64,
    ) -> Result<Completed, Refusal> {
        let provider = self.discovery.provider().await?;
        let issuer = answer.iss.as_deref();
        if issuer.is_some_and(|issuer| issuer != self.registration.issuer)
            || issuer.is_none() && provider.names_itself
        {
            return Err(Refusal::OtherIssuer);
        }
        if let Some(error) = &answer.error {
            return Err(Refusal::Denied(exchange::plain_code(error)));
        }
        let code = answer
            .code
            .as_deref()
            .filter(|code| code.len() <= CODE_LONGEST);
        let code = code.ok_or(Refusal::Malformed)?;
        let tokens = exchange::redeem(
            &self.client,
            &provider,
            &self.registration,
            code,
            &attempt.verifier,
            redirect,
        )
        .await?;
        let judged = id_token::judge(
            &tokens.id_token,
            &self.expected,
            &provider.keys,
            &attempt.nonce,
            now,
        );
        let mut judged = judged.await?;
        // Thin ID tokens: groups and names are asked for where the provider keeps them.
        if !judged.says_groups
            && let (Some(place), Some(access)) = (&provider.userinfo, &tokens.access_token)
        {
            let claims = exchange::userinfo(&self.client, place, access).await?;
            judged.add(&claims, &self.expected)?;
        }
        Ok(Completed {
            person: judged.person,
            auth_time: judged.auth_time,
            acr: judged.acr,
            leeway: self.registration.leeway,
        })
    }

    /// Whether the provider said that this person, or their session there, has left since then. To
    /// be asked once their session here is stored: a sign-out that comes later finds it.
    #[must_use]
    pub fn has_left(&self, person: &SignedOn, since: Instant) -> bool {
        self.recent.has_left(person, since)
    }

    /// Whether what was said at sign-in still counts: said by this provider, and not over.
    #[must_use]
    pub fn holds(&self, person: &SignedOn, now: u64) -> bool {
        person.issuer == self.registration.issuer && now < person.until
    }

    /// What somebody may do, from their groups and the table as it is now.
    #[must_use]
    pub fn grants(&self, person: &SignedOn) -> Vec<Grant> {
        self.registration.rules.grants(&person.known())
    }

    /// Where a browser goes to sign out at the provider as well, to come back to `redirect`;
    /// `None` where the provider offers none. No token stands in it.
    pub async fn leaving(&self, redirect: &str) -> Option<Url> {
        let mut url = self.discovery.provider().await.ok()?.end_session.clone()?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.registration.client_id)
            .append_pair("post_logout_redirect_uri", redirect);
        Some(url)
    }

    /// Whose sessions a token of a back-channel sign-out ends. It is used up by this; see
    /// [`Self::not_done`].
    ///
    /// # Errors
    /// Why it is not believed.
    pub async fn departure(&self, token: &str, now: u64) -> Result<Left, Refusal> {
        let provider = self.discovery.provider().await?;
        let left = logout::judge(token, &self.expected, &provider.keys, now).await?;
        self.replays.admit(&left, now)?;
        // Before any session is ended: who is signing in right now has none yet.
        self.recent.note(&left.departure);
        Ok(left)
    }

    /// The sign-out could not be carried out: the same token may come again.
    pub fn not_done(&self, left: &Left) {
        self.replays.forget(left);
    }
}

/// What a token of a back-channel sign-out says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub departure: Departure,
    jti: String,
    /// It may not be used then any more, in seconds since 1970.
    until: u64,
}
