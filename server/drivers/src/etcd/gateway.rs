//! One call through the JSON gateway: its path, the token as etcd wants it, and a deadline that
//! etcd knows of too, for without one some calls are never answered.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::failure::Failure;
use crate::{
    Secret,
    http::{Call, Client, Wire},
};

const DEADLINE: HeaderName = HeaderName::from_static("grpc-timeout");

/// Why a call brought nothing to read.
#[derive(Clone, Debug)]
pub(super) enum Missed {
    /// No complete answer, or one of another shape.
    Wire(Wire),
    /// etcd's own words.
    Failed(Failure),
}

impl Missed {
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Wire(_) => None,
        }
    }
}

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wire(why) => why.fmt(f),
            Self::Failed(failure) => f.write_str(&failure.text),
        }
    }
}

/// `{origin}/v3/{path}`
pub(super) fn at(origin: &Url, path: &str) -> Url {
    page(origin, &format!("v3/{path}"))
}

/// `{origin}/{path}`
pub(super) fn page(origin: &Url, path: &str) -> Url {
    let mut url = origin.clone();
    url.set_path(path);
    url
}

/// The token as it is: with `Bearer` before it etcd 3.4 does not know it.
pub(super) fn with_token(call: Call, token: Option<&Secret>) -> Call {
    match token {
        Some(token) => call.secret_header(AUTHORIZATION, token),
        None => call,
    }
}

/// Tells etcd to give up after `wait`, in whole milliseconds.
pub(super) fn with_deadline(call: Call, wait: Duration) -> Call {
    // At most eight digits are allowed.
    let milliseconds = wait.as_millis().clamp(1, 99_999_999);
    match HeaderValue::from_str(&format!("{milliseconds}m")) {
        Ok(value) => call.header(DEADLINE, value),
        Err(_) => call,
    }
}

/// A read; etcd wants all of them as POST.
pub(super) async fn read<T: DeserializeOwned>(
    client: &Client,
    token: Option<&Secret>,
    url: &Url,
    body: &Value,
    wait: Duration,
) -> Result<T, Missed> {
    let call = with_deadline(client.ask(url, body).within(wait), wait);
    let reply = with_token(call, token).send().await.map_err(Missed::Wire)?;
    if let Some(wire @ (Wire::Redirected(_) | Wire::NeedsTls)) = reply.problem() {
        return Err(Missed::Wire(wire));
    }
    match Failure::of(&reply) {
        // A page where JSON belongs: something else, or another port of it.
        Some(failure) if failure.code.is_none() || failure.code == Some(12) => {
            Err(match reply.problem() {
                Some(wire) if Failure::read(&reply.body).is_none() => Missed::Wire(wire),
                _ => Missed::Failed(failure),
            })
        }
        Some(failure) => Err(Missed::Failed(failure)),
        None => reply.json().map_err(Missed::Wire),
    }
}
