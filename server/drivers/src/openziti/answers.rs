//! The shapes of a controller's answers, as far as they are read. Pure.

use std::collections::{BTreeMap, BTreeSet};

use quorate_domain::cluster::{Member, MemberId, Membership, Role};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::word::{maybe_word, word};

/// Most answers are wrapped; the rest of the wrapping is not read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Wrapped<T> {
    pub data: T,
}

/// A line of `cluster/list-members`: what the answering controller holds of one controller, be
/// it a member or only connected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    #[serde(deserialize_with = "word")]
    pub id: String,
    /// Where its control plane answers, `tls:host:port`; never its API.
    #[serde(deserialize_with = "word")]
    pub address: String,
    pub voter: bool,
    /// The answering controller's belief.
    pub leader: bool,
    #[serde(default, deserialize_with = "word")]
    pub version: String,
    /// Whether the answering controller has a channel to it.
    pub connected: bool,
    /// The answering controller's own mark, the same on every line.
    #[serde(default)]
    pub read_only: bool,
    #[serde(default)]
    pub preferred_leader: bool,
}

/// The same line as the inspection `connected-peers` words it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Peer {
    #[serde(deserialize_with = "word")]
    id: String,
    #[serde(deserialize_with = "word")]
    addr: String,
    is_voter: bool,
    is_leader: bool,
    #[serde(default, deserialize_with = "word")]
    version: String,
    is_connected: bool,
    #[serde(default)]
    is_preferred_leader: bool,
}

impl From<Peer> for Row {
    fn from(peer: Peer) -> Self {
        Self {
            id: peer.id,
            address: peer.addr,
            voter: peer.is_voter,
            leader: peer.is_leader,
            version: peer.version,
            connected: peer.is_connected,
            read_only: false,
            preferred_leader: peer.is_preferred_leader,
        }
    }
}

/// `inspections`: always 200; who did not answer in time is simply not among the values.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Inspected {
    #[serde(default)]
    pub values: Option<Vec<InspectedValue>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InspectedValue {
    #[serde(deserialize_with = "word")]
    pub app_id: String,
    #[serde(deserialize_with = "word")]
    pub name: String,
    pub value: Value,
}

/// The inspection `data-model-index`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct ModelIndex {
    pub index: u64,
    /// Indexes of different timelines cannot be compared.
    #[serde(default, deserialize_with = "maybe_word")]
    pub timeline: Option<String>,
}

impl Inspected {
    /// What `app` answered under `name`.
    pub fn value(&self, app: &str, name: &str) -> Option<&Value> {
        let values = self.values.as_deref().unwrap_or_default();
        values
            .iter()
            .find(|value| value.app_id == app && value.name == name)
            .map(|value| &value.value)
    }

    pub fn index(&self, app: &str) -> Option<ModelIndex> {
        serde_json::from_value(self.value(app, "data-model-index")?.clone()).ok()
    }

    pub fn rows(&self, app: &str) -> Option<Vec<Row>> {
        let peers: Vec<Peer> =
            serde_json::from_value(self.value(app, "connected-peers")?.clone()).ok()?;
        Some(peers.into_iter().map(Row::from).collect())
    }
}

/// A line of the management API's `controllers`: which API addresses a controller has announced.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Announced {
    #[serde(deserialize_with = "word")]
    pub id: String,
    #[serde(default)]
    pub api_addresses: Option<BTreeMap<String, Option<Vec<ApiAddress>>>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ApiAddress {
    #[serde(default, deserialize_with = "maybe_word")]
    pub url: Option<String>,
}

impl Announced {
    /// Where its fabric API answers, else its management API. Only by TLS: this is where the
    /// console's credentials go.
    pub fn origin(&self) -> Option<Url> {
        let addresses = self.api_addresses.as_ref()?;
        ["fabric", "edge-management"].iter().find_map(|api| {
            let listed = addresses.get(*api)?.as_deref()?;
            listed
                .iter()
                .find_map(|address| https_origin(address.url.as_deref()?))
        })
    }
}

fn https_origin(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    (plain && url.host().is_some()).then_some(url)
}

/// The management API's `version`, which needs no sign-in.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct VersionWords {
    #[serde(deserialize_with = "word")]
    pub version: String,
    #[serde(default)]
    pub capabilities: Option<Vec<String>>,
}

/// `authenticate` of the management API.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LegacySession {
    pub token: String,
    #[serde(default)]
    pub expiration_seconds: Option<u64>,
    #[serde(default)]
    pub auth_queries: Option<Vec<Value>>,
}

/// `database/snapshot`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct SnapshotMade {
    #[serde(deserialize_with = "word")]
    pub path: String,
}

/// `database/data-integrity-results`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Integrity {
    pub in_progress: bool,
    /// Of this check, or of the last one.
    #[serde(default, deserialize_with = "maybe_word")]
    pub start_time: Option<String>,
    #[serde(default)]
    pub too_many_errors: bool,
    #[serde(default, deserialize_with = "maybe_word")]
    pub error: Option<String>,
    #[serde(default)]
    pub results: Option<Vec<IntegrityResult>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct IntegrityResult {
    pub description: String,
    pub fixed: bool,
}

/// An answer's `error`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Problem {
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    cause: Option<Value>,
    #[serde(default, rename = "causeMessage")]
    cause_message: Option<String>,
}

impl Problem {
    /// The first JSON document of a body: a controller that cannot read its own configuration
    /// answers with two.
    pub fn of(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Envelope {
            error: Problem,
        }
        let mut documents = serde_json::Deserializer::from_slice(body).into_iter::<Envelope>();
        Some(documents.next()?.ok()?.error)
    }

    /// What it says went wrong, the innermost words first known, cut to a line.
    pub fn text(&self) -> String {
        let cause = self.cause.as_ref();
        let inner = cause.and_then(|cause| {
            let text = |key: &str| cause.get(key).and_then(Value::as_str);
            text("message")
                .or_else(|| text("reason"))
                .or_else(|| cause.as_str())
        });
        let told = inner
            .filter(|text| !text.is_empty())
            .or(self.cause_message.as_deref())
            .filter(|text| !text.is_empty())
            .unwrap_or(&self.message);
        let words: Vec<&str> = told.split_whitespace().collect();
        words.join(" ").chars().take(300).collect()
    }
}

impl Row {
    pub const fn role(&self) -> Role {
        if self.voter {
            Role::Voter
        } else {
            Role::Learner
        }
    }
}

/// The membership these lines spell out, of several for one controller the first: who was there
/// twice would count twice. API addresses come later.
pub(super) fn membership<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Membership {
    let member = |row: &Row| Member {
        id: MemberId::from(row.id.as_str()),
        name: row.id.clone(),
        address: row.address.clone(),
        api_address: None,
        zone: None,
        role: row.role(),
        wanted_role: None,
    };
    let mut seen = BTreeSet::new();
    let once = rows.into_iter().filter(|row| seen.insert(row.id.as_str()));
    Membership::simple(once.map(member).collect())
}

/// The host of `tls:host:port`, brackets kept.
pub(super) fn host_of(address: &str) -> Option<&str> {
    let rest = address.split_once(':').map_or(address, |(_, rest)| rest);
    let (host, port) = rest.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then_some(host)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn of_two_documents_in_one_body_the_first_counts() {
        let body =
            br#"{"error":{"code":"UNHANDLED","message":"no configuration"},"meta":{}}{"data":[]}"#;
        let problem = Problem::of(body).unwrap();
        assert_eq!(
            (problem.code.as_str(), problem.text().as_str()),
            ("UNHANDLED", "no configuration")
        );
    }

    #[test]
    fn who_is_listed_twice_is_one_member() {
        let line = r#"{"id":"c1","address":"tls:h:1","voter":true,"leader":true,"connected":true}"#;
        let rows: Vec<Row> = serde_json::from_str(&format!("[{line},{line}]")).unwrap();
        let told = membership(&rows);
        assert_eq!(
            (told.members.len(), told.configs),
            (1, vec![vec!["c1".into()]])
        );
    }

    #[test]
    fn the_innermost_cause_is_what_is_said() {
        let body =
            br#"{"error":{"code":"INVALID_FIELD","message":"The field contains an invalid value",
            "cause":{"code":"UNHANDLED","message":"add peer failed:\n leadership lost"}}}"#;
        assert_eq!(
            Problem::of(body).unwrap().text(),
            "add peer failed: leadership lost"
        );
    }

    #[test]
    fn api_addresses_may_be_missing_empty_or_by_plain_http() {
        let origin = |text: &str| {
            let line = format!(r#"{{"id":"c1","apiAddresses":{text}}}"#);
            serde_json::from_str::<Announced>(&line).unwrap().origin()
        };
        assert_eq!(origin("null"), None);
        assert_eq!(origin(r#"{"fabric":[]}"#), None);
        assert_eq!(
            origin(r#"{"fabric":[{"url":"http://10.0.0.1:1280/fabric/v1"}]}"#),
            None
        );
        let good = origin(r#"{"fabric":[{"url":"https://10.0.0.1:1280/fabric/v1"}]}"#);
        assert_eq!(good.unwrap().as_str(), "https://10.0.0.1:1280/");
        let management = origin(
            r#"{"fabric":null,"edge-management":[{"url":"https://c1:1280/edge/management/v1"}]}"#,
        );
        assert_eq!(management.unwrap().as_str(), "https://c1:1280/");
    }

    #[test]
    fn control_addresses_have_a_host() {
        assert_eq!(host_of("tls:ctrl1.example:6262"), Some("ctrl1.example"));
        assert_eq!(host_of("tls:[fd00::1]:6262"), Some("[fd00::1]"));
        assert_eq!(host_of("tls:6262"), None);
    }
}
