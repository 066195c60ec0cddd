//! The shapes of etcd's answers, as far as they are read. Pure.
//!
//! The gateway writes 64-bit numbers as decimal texts and leaves out what is zero; ids are
//! decimal there and hexadecimal everywhere people meet them, so hexadecimal is what becomes a
//! member's id.

use std::collections::BTreeMap;

use quorate_domain::cluster::{Member, MemberId, Membership, Role};
use serde::{Deserialize, Deserializer, de::Error};

use crate::word::{self, each_once, word};

/// Stands before most answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Header {
    #[serde(default, deserialize_with = "number")]
    pub cluster_id: u64,
    #[serde(default, deserialize_with = "number")]
    pub member_id: u64,
}

/// `maintenance/status`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Status {
    pub header: Header,
    #[serde(deserialize_with = "word")]
    pub version: String,
    /// 0: it knows of none.
    #[serde(default, deserialize_with = "number")]
    pub leader: u64,
    /// In truth the member's commit index.
    #[serde(default, rename = "raftIndex", deserialize_with = "number")]
    pub commit_index: u64,
    #[serde(default, rename = "raftTerm", deserialize_with = "number")]
    pub term: u64,
    #[serde(default, rename = "raftAppliedIndex", deserialize_with = "number")]
    pub applied_index: u64,
    #[serde(default, rename = "isLearner")]
    pub is_learner: bool,
    #[serde(default)]
    pub errors: Vec<Line>,
}

/// A line of free text that can stand on a page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Line(#[serde(deserialize_with = "word")] pub String);

/// `cluster/member/list`, and what every change of the membership answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Members {
    #[serde(default, deserialize_with = "each_once")]
    pub members: Vec<Listed>,
    /// The newcomer, after `cluster/member/add`.
    pub member: Option<Listed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Listed {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub id: u64,
    /// Empty until the member has started for the first time.
    #[serde(default, deserialize_with = "word")]
    pub name: String,
    #[serde(default, rename = "peerURLs")]
    pub peer_urls: Vec<Line>,
    #[serde(default, rename = "clientURLs")]
    pub client_urls: Vec<Line>,
    #[serde(default, rename = "isLearner")]
    pub is_learner: bool,
}

/// `auth/authenticate`
#[derive(Deserialize)]
pub(super) struct Authenticated {
    pub token: String,
}

/// `auth/user/get`
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct User {
    #[serde(default)]
    pub roles: Vec<Line>,
}

/// `GET /version`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Version {
    #[serde(deserialize_with = "word")]
    pub etcdserver: String,
}

/// `GET /debug/vars`, of which only this is read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Variables {
    #[serde(rename = "raft.status")]
    pub raft: RaftStatus,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct RaftStatus {
    #[serde(deserialize_with = "word")]
    pub id: String,
    #[serde(default, rename = "raftState", deserialize_with = "word")]
    pub state: String,
    #[serde(default)]
    pub progress: BTreeMap<String, Followed>,
}

/// What the leader holds of one member. Its `state` says nothing of health: a frozen member goes
/// on being replicated to.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Followed {
    #[serde(rename = "match")]
    pub matched: u64,
}

/// One of a member's alarms, as `status` tells them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alarm {
    pub member: MemberId,
    pub kind: String,
}

impl Status {
    /// It says that it leads.
    pub const fn leads(&self) -> bool {
        self.leader != 0 && self.leader == self.header.member_id
    }

    /// `memberID:15441602875288709779 alarm:NOSPACE` among the errors.
    pub fn alarms(&self) -> impl Iterator<Item = Alarm> {
        self.errors.iter().filter_map(|line| {
            let field = |name: &str| {
                line.0
                    .split_whitespace()
                    .find_map(|it| it.strip_prefix(name))
            };
            let member: u64 = field("memberID:")?.parse().ok()?;
            Some(Alarm {
                member: member_id(member),
                kind: field("alarm:")?.to_owned(),
            })
        })
    }
}

impl word::Listed for Listed {
    type Id<'a> = u64;

    fn listed_as(&self) -> u64 {
        self.id
    }
}

impl Listed {
    /// It has started at least once; before that it has no name and answers nowhere.
    pub fn has_started(&self) -> bool {
        !self.name.is_empty() || !self.client_urls.is_empty()
    }

    /// Its peer addresses in one line, sorted.
    pub fn address(&self) -> String {
        let mut urls: Vec<&str> = self.peer_urls.iter().map(|url| url.0.as_str()).collect();
        urls.sort_unstable();
        urls.join(",")
    }

    fn member(&self) -> Member {
        let id = member_id(self.id);
        Member {
            name: if self.name.is_empty() {
                id.0.clone()
            } else {
                self.name.clone()
            },
            id,
            address: self.address(),
            api_address: None,
            zone: None,
            role: if self.is_learner {
                Role::Learner
            } else {
                Role::Voter
            },
            wanted_role: None,
        }
    }
}

/// As `etcdctl` and the logs write it.
pub(super) fn member_id(id: u64) -> MemberId {
    MemberId(format!("{id:x}"))
}

/// The decimal text the gateway wants; `None` for what cannot be an id of etcd.
pub(super) fn decimal(id: &MemberId) -> Option<String> {
    u64::from_str_radix(id.as_str(), 16)
        .ok()
        .map(|id| id.to_string())
}

/// The membership a member's own list spells out. API addresses come later.
pub(super) fn membership(list: &[Listed]) -> Membership {
    Membership::simple(list.iter().map(Listed::member).collect())
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Plain(u64),
    }
    match Written::deserialize(deserializer)? {
        Written::Plain(number) => Ok(number),
        Written::Text(text) => text
            .parse()
            .map_err(|_| D::Error::custom("not a number of 64 bits")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn status(text: &str) -> Result<Status, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn numbers_are_texts_and_what_is_zero_is_left_out() {
        let told = status(
            r#"{"header":{"cluster_id":"7","member_id":"18446744073709551615"},"version":"3.4.23","raftIndex":"9"}"#,
        )
        .unwrap();
        assert_eq!(told.header.member_id, u64::MAX);
        assert_eq!((told.leader, told.commit_index, told.term), (0, 9, 0));
        assert!(!told.leads() && !told.is_learner);
    }

    #[test]
    fn absurd_numbers_make_an_answer_unreadable() {
        for bad in ["\"-1\"", "\"18446744073709551616\"", "\"9e9\"", "-4", "{}"] {
            let text = format!(r#"{{"header":{{}},"version":"3.4.23","raftIndex":{bad}}}"#);
            assert!(status(&text).is_err(), "{bad}");
        }
        assert!(status(r#"{"version":"3.4.23"}"#).is_err());
    }

    #[test]
    fn alarms_stand_among_the_errors_of_status() {
        let told = status(
            r#"{"header":{},"version":"3.4.23","errors":["etcdserver: no leader","memberID:15441602875288709779 alarm:NOSPACE "]}"#,
        )
        .unwrap();
        let alarms: Vec<Alarm> = told.alarms().collect();
        assert_eq!(alarms.len(), 1);
        let alarm = alarms.first().unwrap();
        assert_eq!(alarm.member.as_str(), "d64b9800803bea93");
        assert_eq!(alarm.kind, "NOSPACE");
    }

    #[test]
    fn a_list_that_has_a_member_twice_is_unreadable() {
        let told = |ids: [u64; 2]| {
            let lines = ids.map(|id| format!(r#"{{"ID":"{id}"}}"#)).join(",");
            serde_json::from_str::<Members>(&format!(r#"{{"members":[{lines}]}}"#))
        };
        assert_eq!(told([10, 11]).unwrap().members.len(), 2);
        assert!(told([10, 10]).is_err());
    }

    #[test]
    fn ids_go_there_and_back() {
        let id = member_id(15_441_602_875_288_709_779);
        assert_eq!(decimal(&id).as_deref(), Some("15441602875288709779"));
        assert_eq!(decimal(&"nobody".into()), None);
    }

    #[test]
    fn a_member_that_never_started_has_neither_name_nor_client_address() {
        let text = r#"{"members":[{"ID":"10","peerURLs":["http://b:1","http://a:1"],"isLearner":true},
            {"ID":"11","name":"m1","peerURLs":["http://c:1"],"clientURLs":["http://c:2"]}]}"#;
        let told: Members = serde_json::from_str(text).unwrap();
        let started: Vec<bool> = told.members.iter().map(Listed::has_started).collect();
        assert_eq!(started, [false, true]);
        let membership = membership(&told.members);
        let newcomer = membership.member(&"a".into()).unwrap();
        assert_eq!(newcomer.address, "http://a:1,http://b:1");
        assert_eq!(
            (newcomer.name.as_str(), newcomer.role),
            ("a", Role::Learner)
        );
    }
}
