//! Asking one node: where it stands, what it holds, whom it names. Three calls at once, each
//! bounded; none of them changes anything.

use std::time::Duration;

use quorate_domain::{cluster::MemberId, moment::Timestamp, observation::Answer};
use reqwest::header::{HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use url::Url;

use super::answers::{Configuration, Health, LeaderWords, Server, Wrapped, errors};
use crate::{
    Secret, clock,
    http::{Call, Client, Reply, Wire, address_of},
};

/// The header in which OpenBao wants its token.
pub(super) const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");

/// The header by which a node proves who it is, where its configuration lets it.
const NODE_ID: &str = "x-vault-raft-node-id";

/// Has a standby of Vault answer by itself, which has no list of its own to show: it would ask the
/// leader, and be as silent as that.
const ALONE: HeaderName = HeaderName::from_static("x-vault-no-request-forwarding");

/// What one node answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub url: Url,
    /// Who was expected there.
    pub expected: Option<MemberId>,
    /// Who the header says answers there.
    pub proven: Option<MemberId>,
    pub answer: Answer,
    pub at: Timestamp,
    pub words: Option<LeaderWords>,
    pub health: Option<Health>,
    /// The Raft configuration it told: its own copy, unless that is `relayed`.
    pub servers: Option<Vec<Server>>,
    /// Another node, the leader, answered for it.
    pub relayed: bool,
}

impl Asked {
    /// Who it is, as far as is known.
    pub fn id(&self) -> Option<&MemberId> {
        self.proven.as_ref().or(self.expected.as_ref())
    }

    /// Its own copy of the configuration.
    pub fn own_servers(&self) -> Option<&[Server]> {
        self.servers.as_deref().filter(|_| !self.relayed)
    }

    /// Its entry in its own configuration.
    pub fn own_entry(&self) -> Option<&Server> {
        let id = self.id()?;
        self.own_servers()?
            .iter()
            .find(|server| server.node_id == id.as_str())
    }

    /// It claims to lead, and its own configuration has it as the leader: without the second
    /// the claim is that of a removed node that runs on.
    pub fn leads(&self) -> bool {
        let claims = self.words.as_ref().is_some_and(|words| words.is_self);
        match (claims, &self.servers) {
            (true, Some(_)) => self.own_entry().is_some_and(|own| own.leader),
            _ => false,
        }
    }

    /// Its last log index.
    pub fn index(&self) -> Option<u64> {
        self.words
            .as_ref()
            .and_then(|words| words.raft_committed_index)
    }

    pub fn address(&self) -> String {
        address_of(&self.url)
    }

    /// A node of which nothing came in time.
    pub fn silent(url: Url, expected: Option<MemberId>, why: &Wire) -> Self {
        Self {
            url,
            expected,
            proven: None,
            answer: why.answer(),
            at: clock::now(),
            words: None,
            health: None,
            servers: None,
            relayed: false,
        }
    }
}

/// `{origin}/v1/{path}`
pub(super) fn at(origin: &Url, path: &str) -> Url {
    let mut url = origin.clone();
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    url.set_path(&format!("/v1/{path}"));
    url.set_query(query);
    url
}

/// Adds the token, where there is one.
pub(super) fn with_token(call: Call, token: Option<&Secret>) -> Call {
    match token {
        Some(token) => call.secret_header(TOKEN, token),
        None => call,
    }
}

/// Asks the node at `url` for its health, its leader and its configuration; `alone`: for nothing
/// that it would have to ask the leader for.
pub(super) async fn ask(
    client: &Client,
    token: Option<&Secret>,
    url: Url,
    expected: Option<MemberId>,
    wait: Duration,
    alone: bool,
) -> Asked {
    let open = |path: &str| client.get(&at(&url, path)).within(wait).send();
    let configuration = with_token(
        client.get(&at(&url, "sys/storage/raft/configuration")),
        token,
    )
    .within(wait);
    let configuration = match alone {
        true => configuration.header(ALONE, HeaderValue::from_static("true")),
        false => configuration,
    };
    let (health, words, configuration) =
        tokio::join!(open("sys/health"), open("sys/leader"), configuration.send());
    let health = match health {
        Ok(health) => health,
        Err(why) => return Asked::silent(url, expected, &why),
    };
    let mut asked = Asked::silent(url, expected, &Wire::Broken);
    asked.proven = health.header(NODE_ID).map(MemberId::from);
    asked.at = clock::now();
    asked.answer = match fill(&mut asked, &health, words, configuration, alone) {
        Ok(answer) => answer,
        Err(why) => why.answer(),
    };
    asked
}

/// Reads the three answers. Health decides first: a locked node answers 503 to all else.
fn fill(
    asked: &mut Asked,
    health: &Reply,
    words: Result<Reply, Wire>,
    configuration: Result<Reply, Wire>,
    alone: bool,
) -> Result<Answer, Wire> {
    let health = health_of(health)?;
    asked.health = Some(health.clone());
    if !health.initialized {
        return Ok(Answer::NotStarted);
    }
    if health.sealed {
        return Ok(Answer::Sealed);
    }
    asked.words = Some(words?.success()?.json()?);
    let configuration = configuration?;
    if alone && is_the_leaders(&configuration) {
        return Ok(Answer::Answered);
    }
    let told: Configuration = logical(&configuration)?;
    asked.servers = Some(told.config.servers);
    let by = configuration.header(NODE_ID).map(MemberId::from);
    asked.relayed = by.is_some() && asked.proven.is_some() && by != asked.proven;
    Ok(Answer::Answered)
}

/// What a standby of Vault says that was not to ask the leader: where that is, or that there is none.
fn is_the_leaders(reply: &Reply) -> bool {
    let none = |text: String| text.contains("node not active");
    matches!(reply.problem(), Some(Wire::Redirected(_)))
        || (reply.status == 500 && errors(&reply.body).is_some_and(none))
}

/// Health's status is a code for load balancers; its body is what counts.
fn health_of(reply: &Reply) -> Result<Health, Wire> {
    if let Some(problem @ (Wire::Redirected(_) | Wire::Denied { .. })) = reply.problem() {
        return Err(problem);
    }
    match reply.json() {
        Ok(health) => Ok(health),
        Err(shape) => Err(reply.problem().unwrap_or(shape)),
    }
}

/// The `data` of a successful answer of a logical endpoint.
pub(super) fn logical<T: DeserializeOwned>(reply: &Reply) -> Result<T, Wire> {
    if let Some(problem) = reply.problem() {
        return Err(problem);
    }
    let wrapped: Wrapped<T> = reply.json()?;
    Ok(wrapped.data)
}
