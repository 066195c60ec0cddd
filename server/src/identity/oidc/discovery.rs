//! What a provider says of itself, read below its pinned issuer and kept for a while.
//!
//! The document must name that very issuer, and everything in it must be as protected as the issuer
//! is. While the provider is away, what it said before goes on for a day.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Client;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::{Refusal, exchange};
use crate::identity::{Patience, Place, Source, protected};

const READ_AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);
const GONE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Strangers can begin sign-ins: a provider that is away is not asked for each.
const AT_LEAST: Duration = Duration::from_secs(2);

/// The provider, as far as it is needed.
#[derive(Debug)]
pub struct Provider {
    pub authorization: Url,
    pub token: Url,
    pub userinfo: Option<Url>,
    pub end_session: Option<Url>,
    pub keys: Source,
    jwks: Url,
    /// It puts its issuer into every answer (RFC 9207).
    pub names_itself: bool,
    /// It takes the client's secret in the body only.
    pub secret_in_body: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Debug)]
pub struct Discovery {
    issuer: String,
    address: Url,
    client: Client,
    /// Held while asking.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<(Arc<Provider>, Instant)>,
    asked: Option<Instant>,
    failure: Option<Refusal>,
}

impl Discovery {
    /// # Errors
    /// If the issuer is no address, or one that anybody on the way could answer for.
    pub fn new(issuer: &str, client: Client) -> Result<Self, String> {
        let text = issuer.trim_end_matches('/');
        let address = Url::parse(&format!("{text}/.well-known/openid-configuration"))
            .ok()
            .filter(protected)
            .ok_or("the issuer is not a protected address")?;
        Ok(Self {
            issuer: issuer.to_owned(),
            address,
            client,
            state: Mutex::default(),
        })
    }

    /// # Errors
    /// `Unreachable`, `OtherIssuer`, or `Malformed` if the document cannot be used.
    pub async fn provider(&self) -> Result<Arc<Provider>, Refusal> {
        let mut state = self.state.lock().await;
        let known = state.known.clone();
        if let Some((provider, read)) = &known
            && read.elapsed() < READ_AGAIN_AFTER
        {
            return Ok(Arc::clone(provider));
        }
        let before = known.filter(|(_, read)| read.elapsed() < GONE_AFTER);
        let before = before.map(|(provider, _)| provider);
        if state.asked.is_some_and(|at| at.elapsed() < AT_LEAST)
            && let Some(failure) = &state.failure
        {
            return before.ok_or(failure.clone());
        }
        state.asked = Some(Instant::now());
        match self.read(before.as_deref()).await {
            Ok(provider) => {
                let provider = Arc::new(provider);
                state.known = Some((Arc::clone(&provider), Instant::now()));
                state.failure = None;
                Ok(provider)
            }
            Err(failure) => {
                tracing::warn!("the OpenID provider's own description is not usable: {failure}");
                // The pause begins now: waiting for no answer took longer than it lasts.
                state.asked = Some(Instant::now());
                state.failure = Some(failure.clone());
                before.ok_or(failure)
            }
        }
    }

    async fn read(&self, before: Option<&Provider>) -> Result<Provider, Refusal> {
        let request = self.client.get(self.address.clone());
        let (status, bytes) = exchange::answer(request).await?;
        if !status.is_success() {
            return Err(Refusal::Unreachable(format!("discovery: {status}")));
        }
        let document: Document = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)?;
        if document.issuer != self.issuer {
            return Err(Refusal::OtherIssuer);
        }
        let jwks = self.place(&document.jwks_uri)?;
        let keys = match before.filter(|before| before.jwks == jwks) {
            Some(before) => before.keys.clone(),
            None => Source::new(Place::Url(jwks.clone()), Patience::default())
                .map_err(Refusal::Unreachable)?,
        };
        let optional = |text: &Option<String>| text.as_deref().map(|text| self.place(text));
        Ok(Provider {
            authorization: self.place(&document.authorization_endpoint)?,
            token: self.place(&document.token_endpoint)?,
            userinfo: optional(&document.userinfo_endpoint).transpose()?,
            end_session: optional(&document.end_session_endpoint).transpose()?,
            keys,
            jwks,
            names_itself: document.authorization_response_iss_parameter_supported,
            secret_in_body: in_body(document.token_endpoint_auth_methods_supported.as_deref()),
        })
    }

    /// An address of the document; none of a protected issuer is unprotected.
    fn place(&self, text: &str) -> Result<Url, Refusal> {
        let url = Url::parse(text).ok().filter(protected);
        url.filter(|url| url.scheme() == "https" || self.address.scheme() == "http")
            .ok_or(Refusal::Malformed)
    }
}

/// What the provider does not say is the standard's: the secret by HTTP's own means.
fn in_body(methods: Option<&[String]>) -> bool {
    let takes = |name: &str| methods.is_none_or(|all| all.iter().any(|one| one == name));
    !takes("client_secret_basic") && takes("client_secret_post")
}
