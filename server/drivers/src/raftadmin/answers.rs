//! What raftadmin's answers mean. Pure. Text and numbers are a peer's: a figure that cannot be
//! one makes the answer unreadable, a figure that means "not known" is none.

use std::collections::BTreeSet;

use quorate_domain::cluster::{Member, MemberId, Membership, Role};

use super::messages::{GetConfigurationResponse, NONVOTER, STAGING, Server, StatsResponse, VOTER};
use crate::{http::Wire, word::is_word};

/// The state of one node's Raft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Follower,
    Candidate,
    Leader,
    Shutdown,
}

/// What a node says of itself, in one answer: all of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stats {
    pub state: State,
    pub term: u64,
    pub last_index: u64,
    /// `None` while a node that has a log has not been told yet how far it is committed.
    pub commit_index: Option<u64>,
    /// What the state machine has applied. The library counts what it has handed over, so `None`
    /// while some of that is still waiting there.
    pub applied_index: Option<u64>,
    /// Time since a follower heard from its leader; `None` if never, and on the leader itself.
    pub last_contact_ms: Option<u64>,
    pub snapshot_index: u64,
    pub snapshot_term: u64,
}

impl Stats {
    pub fn leads(&self) -> bool {
        self.state == State::Leader
    }

    /// # Errors
    /// If a figure is missing or is none.
    pub fn read(told: &StatsResponse) -> Result<Self, Wire> {
        let text = |key: &str| told.stats.get(key).map(String::as_str);
        let wrong = |key: &str| Wire::Shape(format!("`{key}` of its Stats"));
        let number = |key: &'static str| {
            text(key)
                .and_then(|text| text.parse::<u64>().ok())
                .ok_or_else(|| wrong(key))
        };
        let state = match text("state") {
            Some("Follower") => State::Follower,
            Some("Candidate") => State::Candidate,
            Some("Leader") => State::Leader,
            Some("Shutdown") => State::Shutdown,
            _ => return Err(wrong("state")),
        };
        let last_index = number("last_log_index")?;
        let commit = number("commit_index")?;
        let applied = number("applied_index")?;
        let waiting = number("fsm_pending")?;
        Ok(Self {
            state,
            term: number("term")?,
            last_index,
            commit_index: (commit > 0 || last_index == 0).then_some(commit),
            applied_index: (waiting == 0).then_some(applied),
            last_contact_ms: match text("last_contact") {
                None | Some("never") => None,
                Some(_) if state == State::Leader => None,
                Some(text) => Some(milliseconds(text).ok_or_else(|| wrong("last_contact"))?),
            },
            snapshot_index: number("last_snapshot_index")?,
            snapshot_term: number("last_snapshot_term")?,
        })
    }
}

/// A duration as Go writes it: `0`, `52.361267ms`, `1m2.5s`.
fn milliseconds(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut left = text;
    let mut sum = std::time::Duration::ZERO;
    while !left.is_empty() {
        let end = left.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = left[..end].parse().ok()?;
        let rest = &left[end..];
        let next = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let seconds = match &rest[..next] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "µs" | "us" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let part = std::time::Duration::try_from_secs_f64(amount * seconds).ok()?;
        sum = sum.checked_add(part)?;
        left = &rest[next..];
    }
    u64::try_from(sum.as_millis()).ok()
}

/// The configuration a node holds; empty for one that belongs to no cluster yet.
///
/// # Errors
/// If it holds what cannot be an id, an address or a suffrage, or a member twice.
pub(super) fn configuration(told: &GetConfigurationResponse) -> Result<Membership, Wire> {
    let members: Vec<Member> = told.servers.iter().map(member).collect::<Result<_, _>>()?;
    let ids: BTreeSet<&MemberId> = members.iter().map(|member| &member.id).collect();
    let addresses: BTreeSet<&str> = members.iter().map(|it| it.address.as_str()).collect();
    if ids.len() < members.len() || addresses.len() < members.len() {
        let why = "its configuration holds an id or an address twice";
        return Err(Wire::Shape(why.to_owned()));
    }
    Ok(Membership::simple(members))
}

fn member(server: &Server) -> Result<Member, Wire> {
    let wrong = |what: &str| Err(Wire::Shape(format!("{what} in its configuration")));
    if server.id.is_empty() || !is_word(&server.id) {
        return wrong("an id that is none");
    }
    if server.address.is_empty() || !is_word(&server.address) {
        return wrong("an address that is none");
    }
    let role = match server.suffrage {
        VOTER => Role::Voter,
        NONVOTER | STAGING => Role::Learner,
        _ => return wrong("an unknown suffrage"),
    };
    Ok(Member {
        id: MemberId(server.id.clone()),
        name: server.id.clone(),
        address: server.address.clone(),
        api_address: None,
        zone: None,
        role,
        wanted_role: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn told(changes: &[(&str, &str)]) -> StatsResponse {
        let usual = [
            ("state", "Follower"),
            ("term", "3"),
            ("last_log_index", "2502"),
            ("commit_index", "2502"),
            ("applied_index", "2502"),
            ("fsm_pending", "0"),
            ("last_contact", "52.361267ms"),
            ("last_snapshot_index", "0"),
            ("last_snapshot_term", "0"),
        ];
        let pairs = usual.iter().chain(changes);
        let pairs = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        StatsResponse {
            stats: pairs.collect(),
        }
    }

    #[test]
    fn figures_that_mean_not_known_are_none() {
        let usual = Stats::read(&told(&[])).unwrap();
        assert_eq!(usual.last_contact_ms, Some(52));
        assert_eq!(
            (usual.commit_index, usual.applied_index),
            (Some(2502), Some(2502))
        );
        let restarted = told(&[("commit_index", "0"), ("applied_index", "0")]);
        let restarted = Stats::read(&restarted).unwrap();
        assert_eq!(
            (restarted.commit_index, restarted.applied_index),
            (None, Some(0))
        );
        let busy = Stats::read(&told(&[("fsm_pending", "3")])).unwrap();
        assert_eq!(busy.applied_index, None);
        for never in [
            told(&[("last_contact", "never")]),
            told(&[("state", "Leader"), ("last_contact", "0")]),
        ] {
            assert_eq!(Stats::read(&never).unwrap().last_contact_ms, None);
        }
    }

    #[test]
    fn figures_that_are_none_make_the_answer_unreadable() {
        for bad in [
            ("state", "King"),
            ("term", "-1"),
            ("term", "18446744073709551616"),
            ("last_log_index", ""),
            ("commit_index", "1e3"),
            ("last_contact", "soon"),
            ("last_contact", "99999999999999999999999h"),
            ("last_contact", "-5s"),
        ] {
            assert!(Stats::read(&told(&[bad])).is_err(), "{bad:?}");
        }
        assert!(Stats::read(&StatsResponse::default()).is_err());
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("850µs", Some(0)),
            ("2.499488595s", Some(2499)),
            ("1m2.5s", Some(62_500)),
            ("1h0m1s", Some(3_601_000)),
            ("", Some(0)),
            ("s", None),
            ("5", None),
            ("5 s", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }

    fn server(id: &str, address: &str, suffrage: i32) -> Server {
        Server {
            suffrage,
            id: id.to_owned(),
            address: address.to_owned(),
        }
    }

    #[test]
    fn a_configuration_is_a_membership_or_unreadable() {
        let of = |servers: Vec<Server>| configuration(&GetConfigurationResponse { servers });
        let good = of(vec![
            server("b", "10.0.0.2:1", NONVOTER),
            server("a", "10.0.0.1:1", VOTER),
            server("c", "10.0.0.3:1", STAGING),
        ])
        .unwrap();
        let roles: Vec<_> = good.members.iter().map(|it| it.role).collect();
        assert_eq!(roles, [Role::Voter, Role::Learner, Role::Learner]);
        assert!(of(Vec::new()).unwrap().members.is_empty());
        for bad in [
            vec![server("", "x:1", VOTER)],
            vec![server("a", "", VOTER)],
            vec![server("a", "x:1", 7)],
            vec![server("a\u{202e}", "x:1", VOTER)],
            vec![server("a", "x:1", VOTER), server("a", "y:1", VOTER)],
            vec![server("a", "x:1", VOTER), server("b", "x:1", VOTER)],
        ] {
            assert!(of(bad.clone()).is_err(), "{bad:?}");
        }
    }
}
