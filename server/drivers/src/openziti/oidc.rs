//! Signing in by OpenID Connect: the authorization code flow with a proof key, in which the
//! controller itself is the provider. All steps are taken at one controller.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng;
use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::sign_in::{Credentials, Session, SignInError, Way, refused};
use crate::{
    Secret,
    http::{Call, Client, Reply, Wire},
};

/// Nothing listens there: the code is taken from the redirect, which is not followed.
const CALLBACK: &str = "http://localhost:8080/auth/callback";
const CLIENT: &str = "native";
const REQUEST_ID: &str = "auth-request-id";
const SECOND_FACTOR: &str = "totp-required";
const STEP: Duration = Duration::from_secs(5);
const HOPS: usize = 6;
/// What an access token lasts where the controller does not tell, in seconds.
const USUAL_LIFE: u64 = 1_800;

#[derive(Deserialize)]
struct Offer {
    authorization_endpoint: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// One way through the steps.
struct Flow<'a> {
    client: &'a Client,
    url: &'a Url,
    state: String,
    verifier: String,
}

/// Where one hop led.
enum Hop {
    /// The answer that is no redirect.
    Page(Reply),
    /// The end of the way, not followed.
    Callback(Url),
}

/// Signs in at `url`.
pub(super) async fn sign_in(
    client: &Client,
    credentials: &Credentials,
    url: &Url,
) -> Result<Session, SignInError> {
    let offer = offer(client, url).await?;
    let flow = Flow {
        client,
        url,
        state: random(),
        verifier: random(),
    };
    let request = flow.begin(&offer).await?;
    let callback = flow.prove(credentials, &request).await?;
    let code = flow.code(&callback)?;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("code", code.as_str()),
        ("code_verifier", flow.verifier.as_str()),
        ("redirect_uri", CALLBACK),
    ];
    tokens(client, url, &offer, &fields).await
}

/// A new token for the old one's refresh token.
pub(super) async fn renew(
    client: Client,
    url: Url,
    refresh: Secret,
) -> Result<Session, SignInError> {
    let offer = offer(&client, &url).await?;
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT),
        ("refresh_token", refresh.reveal()),
    ];
    let mut session = tokens(&client, &url, &offer, &fields).await?;
    session.refresh = session.refresh.or(Some(refresh));
    Ok(session)
}

async fn offer(client: &Client, url: &Url) -> Result<Offer, SignInError> {
    let place = at(url, "/oidc/.well-known/openid-configuration");
    let reply = as_json(client.get(&place)).within(STEP).send().await;
    let reply = reply.map_err(SignInError::Wire)?;
    refused(&reply)?;
    reply.json().map_err(|_| SignInError::NotOpenziti)
}

async fn tokens(
    client: &Client,
    url: &Url,
    offer: &Offer,
    fields: &[(&str, &str)],
) -> Result<Session, SignInError> {
    let place = here(url, &offer.token_endpoint)?;
    let call = as_json(client.ask_form(&place, fields)).within(STEP);
    let reply = call.send().await.map_err(SignInError::Wire)?;
    refused(&reply)?;
    let tokens: Tokens = reply.json().map_err(|_| SignInError::NotOpenziti)?;
    Ok(Session {
        way: Way::Oidc,
        token: Secret::new(tokens.access_token),
        refresh: tokens.refresh_token.map(Secret::new),
        given_by: url.clone(),
        made: Instant::now(),
        life: Duration::from_secs(tokens.expires_in.unwrap_or(USUAL_LIFE)),
    })
}

impl Flow<'_> {
    /// Asks for authorization; the login page names the request in a header.
    async fn begin(&self, offer: &Offer) -> Result<String, SignInError> {
        let mut place = here(self.url, &offer.authorization_endpoint)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()));
        place
            .query_pairs_mut()
            .append_pair("client_id", CLIENT)
            .append_pair("response_type", "code")
            .append_pair("scope", "openid offline_access")
            .append_pair("state", &self.state)
            .append_pair("nonce", &random())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("redirect_uri", CALLBACK);
        let first = as_json(self.client.get(&place)).within(STEP).send().await;
        match self.follow(first.map_err(SignInError::Wire)?).await? {
            Hop::Page(page) => {
                refused(&page)?;
                let request = page.header(REQUEST_ID).map(str::to_owned);
                request.ok_or(SignInError::NotOpenziti)
            }
            Hop::Callback(_) => Err(SignInError::NotOpenziti),
        }
    }

    /// Gives the credentials for the request.
    async fn prove(&self, credentials: &Credentials, request: &str) -> Result<Url, SignInError> {
        let (method, mut fields) = match credentials {
            // The path that all versions know; some take it for a form of their own.
            Credentials::Password(login) => (
                "username",
                vec![
                    ("username", login.username.as_str()),
                    ("password", login.password.reveal()),
                ],
            ),
            Credentials::Certificate => ("cert", Vec::new()),
            Credentials::Missing => return Err(SignInError::Missing),
        };
        fields.push(("id", request));
        let place = at(self.url, &format!("/oidc/login/{method}"));
        let first = as_json(self.client.ask_form(&place, &fields))
            .within(STEP)
            .send();
        match self.follow(first.await.map_err(SignInError::Wire)?).await? {
            Hop::Callback(callback) => Ok(callback),
            Hop::Page(page) if page.status == 400 => Err(not_taken()),
            Hop::Page(page) => {
                refused(&page)?;
                // A page after a proof asks for one more, or is the form again.
                Err(if asks_for_more(&page) {
                    SignInError::SecondFactor
                } else {
                    not_taken()
                })
            }
        }
    }

    /// Follows redirects at this controller, until one leads to the callback.
    async fn follow(&self, first: Reply) -> Result<Hop, SignInError> {
        let mut reply = first;
        for _ in 0..HOPS {
            if !(300..400).contains(&reply.status) {
                return Ok(Hop::Page(reply));
            }
            let target = reply.header("location").ok_or(SignInError::NotOpenziti)?;
            if target.starts_with(CALLBACK) {
                let callback = Url::parse(target).map_err(|_| SignInError::NotOpenziti)?;
                return Ok(Hop::Callback(callback));
            }
            let place = self
                .url
                .join(target)
                .map_err(|_| SignInError::NotOpenziti)?;
            if place.origin() != self.url.origin() {
                return Err(SignInError::Elsewhere);
            }
            let next = as_json(self.client.get(&place)).within(STEP).send().await;
            reply = next.map_err(SignInError::Wire)?;
        }
        Err(SignInError::Wire(Wire::Redirected("itself".to_owned())))
    }

    fn code(&self, callback: &Url) -> Result<String, SignInError> {
        let field = |name: &str| {
            callback
                .query_pairs()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        if field("state").as_deref() != Some(self.state.as_str()) {
            return Err(SignInError::Elsewhere);
        }
        field("code").ok_or_else(|| {
            let why = field("error_description").or_else(|| field("error"));
            SignInError::Refused(why.unwrap_or_else(|| "no code was given".to_owned()))
        })
    }
}

fn not_taken() -> SignInError {
    SignInError::Refused("the credentials are not taken".to_owned())
}

fn asks_for_more(page: &Reply) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Queries {
        auth_queries: Vec<serde_json::Value>,
    }
    let queries: Option<Queries> = page.json().ok();
    page.header(SECOND_FACTOR).is_some()
        || queries.is_some_and(|queries| !queries.auth_queries.is_empty())
}

/// Without this some versions cannot settle on how to answer.
fn as_json(call: Call) -> Call {
    call.header(ACCEPT, HeaderValue::from_static("application/json"))
}

/// The path of an endpoint the controller names, at the controller that is being asked: it may
/// name itself by another of its addresses.
fn here(url: &Url, endpoint: &str) -> Result<Url, SignInError> {
    let named = Url::parse(endpoint).map_err(|_| SignInError::NotOpenziti)?;
    Ok(at(url, named.path()))
}

fn at(url: &Url, path: &str) -> Url {
    let mut place = url.clone();
    place.set_path(path);
    place
}

/// 256 bits nobody can guess, as text.
fn random() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
