//! Asking one node who it is and how it sees its group. Changes nothing.

use std::time::Duration;

use quorate_domain::{
    cluster::MemberId,
    moment::Timestamp,
    observation::{Answer, SelfReport},
};
use url::Url;

use super::answers::{Identity, PROTOCOL, View};
use crate::{
    Secret, clock,
    http::{Call, Client, Wire, address_of},
};

/// The group's name where a program runs only one.
pub(super) const GROUP: &str = "default";

/// What came back from one address.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub url: Url,
    pub answer: Answer,
    pub at: Timestamp,
    pub identity: Option<Identity>,
    pub view: Option<View>,
}

impl Asked {
    pub fn silent(url: Url, why: &Wire) -> Self {
        Self {
            url,
            answer: why.answer(),
            at: clock::now(),
            identity: None,
            view: None,
        }
    }

    /// Who it says it is.
    pub fn member(&self) -> Option<MemberId> {
        self.view.as_ref().map(|view| MemberId(view.member.clone()))
    }

    pub fn cluster_id(&self) -> Option<&str> {
        self.identity.as_ref()?.cluster_id.as_deref()
    }

    pub fn address(&self) -> String {
        address_of(&self.url)
    }

    pub fn says(&self) -> Option<SelfReport> {
        let version = self
            .identity
            .as_ref()
            .and_then(|identity| identity.program.clone());
        self.view.as_ref().map(|view| view.says(version))
    }
}

/// `{origin}/quorate/agent/v1/{path}`
pub(super) fn at(origin: &Url, path: &str) -> Url {
    let mut url = origin.clone();
    url.set_path(&format!("/quorate/agent/v1/{path}"));
    url
}

/// `{origin}/quorate/agent/v1/groups/{group}` and what follows it. A group's name is the
/// program's own, and may hold anything.
pub(super) fn group_at(origin: &Url, group: &str, tail: Option<&str>) -> Url {
    let mut url = at(origin, "groups");
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(group).extend(tail);
    }
    url
}

pub(super) fn with_token(call: Call, token: Option<&Secret>) -> Call {
    match token {
        Some(token) => call.bearer(token),
        None => call,
    }
}

pub(super) async fn identity(
    client: &Client,
    token: Option<&Secret>,
    url: &Url,
    wait: Duration,
) -> Result<Identity, Wire> {
    let call = client.get(&at(url, "identity")).within(wait);
    let identity: Identity = with_token(call, token).json().await?;
    if identity.protocol == PROTOCOL {
        return Ok(identity);
    }
    let Identity { protocol, .. } = identity;
    Err(Wire::Shape(format!(
        "agent protocol version {protocol} instead of {PROTOCOL}"
    )))
}

/// Both calls at once, each bounded by `wait`.
pub(super) async fn ask(
    client: &Client,
    token: Option<&Secret>,
    url: Url,
    group: &str,
    wait: Duration,
) -> Asked {
    let group = group_at(&url, group, None);
    let view = async {
        let call = client.get(&group).within(wait);
        let view: Result<View, Wire> = with_token(call, token).json().await;
        (view, clock::now())
    };
    let (identity, (view, at)) = tokio::join!(identity(client, token, &url, wait), view);
    match (identity, view) {
        (Ok(identity), Ok(view)) => read(url, at, identity, view),
        (Err(why), _) | (_, Err(why)) => Asked::silent(url, &why),
    }
}

pub(super) fn read(url: Url, at: Timestamp, identity: Identity, view: View) -> Asked {
    if view.member.is_empty() || identity.member != view.member {
        let why = Wire::Shape("it gives itself no name, or two".to_owned());
        return Asked::silent(url, &why);
    }
    let answer = if view.outside() {
        Answer::NotStarted
    } else {
        Answer::Answered
    };
    Asked {
        url,
        answer,
        at,
        identity: Some(identity),
        view: Some(view),
    }
}
