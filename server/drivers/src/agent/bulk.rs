//! `GET groups`: a line a group, everything or what moved since a revision.

use std::{sync::Arc, time::Duration};

use quorate_domain::groups::{Line, News, Part};
use serde::Deserialize;
use url::Url;

use super::ask::{at, with_token};
use crate::{
    Secret,
    http::{Client, Wire},
    word::{maybe_word, word},
};

/// Ten thousand groups are 3 MB of it.
const BULK_LIMIT: usize = 16 * 1024 * 1024;

#[derive(Debug, Deserialize)]
pub(super) struct Bulk {
    #[serde(deserialize_with = "word")]
    pub revision: String,
    pub complete: bool,
    groups: Vec<Row>,
    #[serde(default)]
    gone: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Row {
    #[serde(deserialize_with = "word")]
    group: String,
    #[serde(deserialize_with = "word")]
    member: String,
    #[serde(deserialize_with = "word")]
    state: String,
    #[serde(default)]
    term: Option<u64>,
    #[serde(default, deserialize_with = "maybe_word")]
    leader: Option<String>,
    #[serde(default)]
    claims_leadership: bool,
    #[serde(default)]
    voters: u32,
    #[serde(default)]
    learners: u32,
    #[serde(default)]
    last_index: Option<u64>,
    #[serde(default)]
    fault: Option<String>,
}

impl Bulk {
    /// More than the one group that a program without groups has.
    pub fn has_many(&self, only: &str) -> bool {
        self.groups.iter().any(|row| row.group != only)
    }

    /// Whether every line is this member's own.
    pub fn is_of(&self, member: &str) -> bool {
        self.groups.iter().all(|row| row.member == member)
    }

    pub fn news(self) -> News {
        News {
            complete: self.complete,
            lines: self.groups.into_iter().map(Row::line).collect(),
            gone: self.gone,
        }
    }
}

impl Row {
    fn line(self) -> (String, Line) {
        let part = match self.state.as_str() {
            "leader" => Part::Leader,
            "follower" | "candidate" => Part::Follower,
            "learner" => Part::Learner,
            "witness" => Part::Witness,
            _ => Part::Absent,
        };
        let line = Line {
            part,
            term: self.term.unwrap_or(0),
            leader: self.leader.map(Arc::from),
            claims: self.claims_leadership && self.fault.is_none(),
            faulty: self.fault.is_some(),
            voters: self.voters,
            learners: self.learners,
            last_index: self.last_index,
        };
        (self.group, line)
    }
}

/// Everything, or what moved since `since` where the agent still knows that.
pub(super) async fn bulk(
    client: &Client,
    token: Option<&Secret>,
    origin: &Url,
    since: Option<&str>,
    wait: Duration,
) -> Result<Bulk, Wire> {
    let mut url = at(origin, "groups");
    if let Some(since) = since {
        url.query_pairs_mut().append_pair("since", since);
    }
    let call = client.get(&url).within(wait).at_most(BULK_LIMIT);
    with_token(call, token).json().await
}
