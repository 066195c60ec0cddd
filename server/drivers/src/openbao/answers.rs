//! The shapes of OpenBao's answers, as far as they are read. Pure.

use std::collections::BTreeMap;

use quorate_domain::{
    cluster::{Member, MemberId, Membership, Role},
    moment::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::word::{Listed, each_once, maybe_word, word};

/// Logical endpoints wrap what they say.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Wrapped<T> {
    pub data: T,
}

/// `sys/leader`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaderWords {
    #[serde(default)]
    pub ha_enabled: bool,
    #[serde(default)]
    pub is_self: bool,
    pub active_time: Option<String>,
    #[serde(default, deserialize_with = "word")]
    pub leader_address: String,
    #[serde(default, deserialize_with = "word")]
    pub leader_cluster_address: String,
    /// In truth the node's last log index.
    pub raft_committed_index: Option<u64>,
    pub raft_applied_index: Option<u64>,
}

/// `sys/health`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Health {
    pub initialized: bool,
    pub sealed: bool,
    #[serde(default, deserialize_with = "maybe_word")]
    pub version: Option<String>,
    #[serde(default, deserialize_with = "maybe_word")]
    pub cluster_id: Option<String>,
    /// Only Vault tells this.
    pub enterprise: Option<bool>,
}

/// `sys/seal-status`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct SealStatus {
    #[serde(rename = "type")]
    pub seal: String,
    pub initialized: bool,
    pub storage_type: Option<String>,
}

/// `sys/storage/raft/configuration`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Configuration {
    pub config: Servers,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Servers {
    #[serde(deserialize_with = "each_once")]
    pub servers: Vec<Server>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Server {
    #[serde(deserialize_with = "word")]
    pub node_id: String,
    #[serde(deserialize_with = "word")]
    pub address: String,
    #[serde(default)]
    pub leader: bool,
    #[serde(default)]
    pub voter: bool,
}

/// `sys/storage/raft/autopilot/state`
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Autopilot {
    #[serde(default)]
    pub healthy: bool,
    #[serde(default)]
    pub leader: String,
    #[serde(default)]
    pub servers: BTreeMap<String, Watched>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Watched {
    #[serde(default)]
    pub last_contact: String,
    #[serde(default)]
    pub last_term: u64,
    #[serde(default)]
    pub last_index: u64,
    #[serde(default)]
    pub healthy: bool,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub node_type: String,
}

/// `sys/ha-status`
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct HaStatus {
    #[serde(default)]
    pub nodes: Vec<HaNode>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct HaNode {
    #[serde(default, deserialize_with = "word")]
    pub api_address: String,
    #[serde(default, deserialize_with = "word")]
    pub cluster_address: String,
}

/// `auth/token/lookup-self`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct TokenWords {
    pub expire_time: Option<String>,
    #[serde(default)]
    pub renewable: bool,
    #[serde(default)]
    pub ttl: u64,
    #[serde(default)]
    pub creation_ttl: u64,
}

impl TokenWords {
    /// When it ends by the console's own clock; the program's may be another.
    pub fn ends(&self, now: Timestamp) -> Option<Timestamp> {
        self.expire_time.as_ref()?;
        Some(now.plus_ms(self.ttl.saturating_mul(1_000)))
    }
}

/// `…?help=1`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Help {
    #[serde(default)]
    pub openapi: Value,
}

impl Help {
    /// The program's name for itself.
    pub fn title(&self) -> Option<&str> {
        self.openapi.pointer("/info/title").and_then(Value::as_str)
    }
}

impl Listed for Server {
    type Id<'a> = &'a str;

    fn listed_as(&self) -> &str {
        &self.node_id
    }
}

impl Server {
    pub const fn role(&self) -> Role {
        if self.voter {
            Role::Voter
        } else {
            Role::Learner
        }
    }
}

impl Watched {
    /// What autopilot wants this server to be, if it has not happened yet. Both its own words
    /// must differ: its picture is up to two seconds old, and one of them alone may lag.
    pub fn wish(&self, role: Role) -> Option<Role> {
        let wanted = match self.node_type.as_str() {
            "voter" => Role::Voter,
            "non-voter" => Role::Learner,
            _ => return None,
        };
        let seen = match self.status.as_str() {
            "leader" | "voter" => Role::Voter,
            "non-voter" => Role::Learner,
            _ => return None,
        };
        (wanted != seen && wanted != role).then_some(wanted)
    }
}

/// The membership a node's own configuration spells out. API addresses and wishes come later.
pub(super) fn membership(servers: &[Server]) -> Membership {
    let member = |server: &Server| Member {
        id: MemberId::from(server.node_id.as_str()),
        name: server.node_id.clone(),
        address: server.address.clone(),
        api_address: None,
        zone: None,
        role: server.role(),
        wanted_role: None,
    };
    Membership::simple(servers.iter().map(member).collect())
}

/// `https://127.0.0.1:9211` as the Raft configuration writes it: without the scheme.
pub(super) fn raft_address(cluster_address: &str) -> &str {
    cluster_address
        .split_once("://")
        .map_or(cluster_address, |(_, rest)| rest)
}

/// The texts of an `{"errors":[…]}` answer, on one line.
pub(super) fn errors(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    let told: Errors = serde_json::from_slice(body).ok()?;
    let words: Vec<&str> = told
        .errors
        .iter()
        .flat_map(|text| text.split_whitespace())
        .collect();
    let line = words.join(" ");
    let line = line.strip_prefix("1 error occurred: * ").unwrap_or(&line);
    Some(line.chars().take(300).collect())
}

/// Milliseconds of a duration as Go prints it: `0s`, `516.49595ms`, `1m28.299s`, `24h0m0s`.
pub(super) fn go_duration_ms(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, tail) = rest.split_at(end);
        let unit_end = tail
            .find(|letter: char| letter.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_end);
        let scale: u128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        nanoseconds = nanoseconds.checked_add(scaled(number, scale)?)?;
        rest = next;
    }
    if text.is_empty() {
        return None;
    }
    u64::try_from(nanoseconds / 1_000_000).ok()
}

/// A decimal number times a scale, rounded down; no floats, so nothing is lost on the way.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = &fraction[..fraction.len().min(18)];
    let whole: u128 = whole.parse().ok()?;
    let mut value = whole.checked_mul(scale)?;
    if !fraction.is_empty() {
        let digits = u32::try_from(fraction.len()).ok()?;
        value += fraction.parse::<u128>().ok()?.checked_mul(scale)? / 10_u128.pow(digits);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go_are_read() {
        let cases = [
            ("0s", Some(0)),
            ("516.49595ms", Some(516)),
            ("1.265166634s", Some(1265)),
            ("1m28.299s", Some(88_299)),
            ("24h0m0s", Some(86_400_000)),
            ("12µs", Some(0)),
            ("", None),
            ("5", None),
            ("5 parsecs", None),
            ("1.2.3s", None),
        ];
        for (text, expected) in cases {
            assert_eq!(go_duration_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn a_wish_is_one_only_when_both_words_of_autopilot_say_so() {
        let watched = |status: &str, node_type: &str| Watched {
            status: status.to_owned(),
            node_type: node_type.to_owned(),
            ..Watched::default()
        };
        assert_eq!(
            watched("non-voter", "voter").wish(Role::Learner),
            Some(Role::Voter)
        );
        assert_eq!(
            watched("leader", "non-voter").wish(Role::Voter),
            Some(Role::Learner)
        );
        // Carried out already; autopilot's picture is old.
        assert_eq!(watched("non-voter", "voter").wish(Role::Voter), None);
        assert_eq!(watched("voter", "voter").wish(Role::Learner), None);
    }

    #[test]
    fn error_texts_lose_their_frame() {
        let body = br#"{"errors":["1 error occurred:\n\t* server zz not found in raft configuration\n\n"]}"#;
        assert_eq!(
            errors(body).as_deref(),
            Some("server zz not found in raft configuration")
        );
    }

    #[test]
    fn when_a_token_ends_is_told_by_our_clock_whatever_the_programs_says() {
        let now = Timestamp::from_unix_ms(1_000_000);
        let ends = |told: &str| {
            let life = serde_json::from_str::<TokenWords>(told);
            life.map(|life| life.ends(now))
                .map_err(|why| why.to_string())
        };
        let hours_off = r#"{"expire_time":"2031-01-01T00:00:00Z","ttl":60}"#;
        assert_eq!(ends(hours_off), Ok(Some(now.plus_ms(60_000))));
        assert_eq!(ends(r#"{"expire_time":null,"ttl":0}"#), Ok(None));
        let far = format!(r#"{{"expire_time":"x","ttl":{}}}"#, u64::MAX);
        assert!(ends(&far) > Ok(Some(now)));
    }

    #[test]
    fn an_id_that_cannot_stand_on_a_page_makes_the_configuration_unreadable() {
        let told = |id: &str| {
            let text = format!(r#"{{"node_id":"{id}","address":"127.0.0.1:8201"}}"#);
            serde_json::from_str::<Server>(&text)
        };
        assert!(told("bao-eu1-a").is_ok());
        assert!(told("n1\\u202e").is_err());
        assert!(told(&"n".repeat(10_000)).is_err());
    }
}
