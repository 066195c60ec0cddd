//! Programs that run many Raft groups: what each host says of each group in a line, which class
//! each group is of, and what the hosts sum up to.
//!
//! Lines are counted, not named: who the voters of a group are is read only when somebody looks
//! at that group. So a class is judged by how many voters there are, who reports, and whom they
//! name; a claim to lead counts by the same rule as everywhere (a majority of the voters names
//! it in its term).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{cluster::MemberId, health::Verdict, quorum::majority};

mod fleet;
mod order;
mod telling;

pub use fleet::{Fleet, Happened, Host, News};
pub use telling::dress;

/// What is wrong with a group; the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Voters answer, and fewer than a majority.
    NoQuorum,
    /// A majority answers, and two lead, or voters name different leaders.
    LeaderDisputed,
    /// A majority answers, and nobody leads.
    NoLeader,
    /// Too few hosts answer to say anything.
    Unknown,
    /// It is led, and a voter does not report: fewer may fail than its membership allows.
    ReducedTolerance,
    /// It is led, all voters report, and a replica says that it cannot go on.
    Fault,
    /// It is led, and a replica has not even reached what the leader had a while ago.
    Lagging,
    Ok,
}

impl Class {
    pub const ALL: [Self; 8] = [
        Self::NoQuorum,
        Self::LeaderDisputed,
        Self::NoLeader,
        Self::Unknown,
        Self::ReducedTolerance,
        Self::Fault,
        Self::Lagging,
        Self::Ok,
    ];

    /// The name in REST and in addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoQuorum => "no_quorum",
            Self::LeaderDisputed => "leader_disputed",
            Self::NoLeader => "no_leader",
            Self::Unknown => "unknown",
            Self::ReducedTolerance => "reduced_tolerance",
            Self::Fault => "fault",
            Self::Lagging => "lagging",
            Self::Ok => "ok",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }

    /// What one group of this class makes of the whole program.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::NoQuorum => Verdict::NoQuorum,
            Self::Ok => Verdict::Ok,
            _ => Verdict::AtRisk,
        }
    }
}

/// What a replica is to its group at the moment, as its host says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Leader,
    /// Follower or candidate.
    Follower,
    Learner,
    Witness,
    /// It does not run, or is no member.
    Absent,
}

impl Part {
    #[must_use]
    pub const fn votes(self) -> bool {
        matches!(self, Self::Leader | Self::Follower | Self::Witness)
    }
}

/// One host's line about one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub part: Part,
    pub term: u64,
    /// The host it names as leader.
    pub leader: Option<std::sync::Arc<str>>,
    pub claims: bool,
    /// It says that it cannot go on.
    pub faulty: bool,
    pub voters: u32,
    pub learners: u32,
    /// Of its own log.
    pub last_index: Option<u64>,
}

/// A line with the host that told it.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    pub host: &'a str,
    /// The host answered in the newest look; else the line is from memory.
    pub answers: bool,
    pub line: &'a Line,
}

/// What is known of one group: a row of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRow {
    pub group: String,
    pub class: Class,
    /// Only when agreed.
    pub leader: Option<MemberId>,
    pub term: Option<u64>,
    /// `None` while no host has told.
    pub voters: Option<u32>,
    /// Voters that report and can go on.
    pub answering: u32,
    pub learners: Option<u32>,
    /// Entries the furthest replica is behind what the leader had at the last full reading.
    pub lag: Option<u64>,
    /// Age of the oldest word this rests on; `None` where that was not asked for.
    #[serde(default)]
    pub age_ms: Option<u64>,
}

/// How a host answered the newest look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    Answering,
    Unreachable,
    Misread,
    Denied,
}

/// A host of the program. What is not known of one that does not answer is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostView {
    pub id: MemberId,
    pub address: String,
    pub state: HostState,
    /// Why it is not known what it runs now.
    pub text: Option<String>,
    /// Groups it told of when it last answered.
    pub groups: u32,
    pub leads: Option<u32>,
    /// Groups it votes in, those it leads included.
    pub votes: Option<u32>,
    pub learns: Option<u32>,
    pub age_ms: Option<u64>,
}

/// A program of many groups at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupsView {
    pub total: u32,
    pub hosts: Vec<HostView>,
    /// How many groups are of each class; every class is there.
    pub classes: BTreeMap<Class, u32>,
}

/// A group's class and who leads it, by the lines about it. `lag` is what the readings before
/// came to, `lag_warn` from where it is a problem.
#[must_use]
pub fn judge(group: &str, words: &[Word<'_>], lag: Option<u64>, lag_warn: u64) -> GroupRow {
    let membership = newest(words);
    let alive: Vec<&Word<'_>> = words
        .iter()
        .filter(|word| word.answers && word.line.part.votes() && !word.line.faulty)
        .collect();
    let voters = membership.map(|line| line.voters).filter(|it| *it > 0);
    let answering = count(alive.len()).min(voters.unwrap_or(u32::MAX));
    let (leading, leader) = lead(&alive, voters.unwrap_or(0));
    let class = match voters {
        None => Class::Unknown,
        Some(voters) if answering < majority(voters) => short_of(words, voters, answering),
        Some(_) if leading != Class::Ok => leading,
        Some(voters) if answering < voters => Class::ReducedTolerance,
        Some(_) if words.iter().any(|it| it.answers && it.line.faulty) => Class::Fault,
        Some(_) if lag.is_some_and(|lag| lag >= lag_warn) => Class::Lagging,
        Some(_) => Class::Ok,
    };
    let told = class > Class::Unknown;
    GroupRow {
        group: group.to_owned(),
        class,
        leader: leader.filter(|_| told).map(MemberId::from),
        term: alive.iter().map(|word| word.line.term).max(),
        voters,
        answering,
        learners: membership.map(|line| line.learners),
        lag: lag.filter(|_| told),
        age_ms: None,
    }
}

/// The line whose count of voters holds: of those that answer, else of all, the one in the
/// highest term, a leader's before others.
fn newest<'a>(words: &[Word<'a>]) -> Option<&'a Line> {
    let rank = |word: &&Word<'a>| (word.answers, word.line.term, word.line.claims);
    let told = words.iter().filter(|word| word.line.voters > 0);
    told.max_by_key(rank).map(|word| word.line)
}

/// Fewer than a majority report. Whether the others are gone or were never asked is not the same:
/// only hosts that were asked and did not answer, or answered that they cannot go on, are missing.
fn short_of(words: &[Word<'_>], voters: u32, answering: u32) -> Class {
    let known = count(
        words
            .iter()
            .filter(|it| it.line.part != Part::Learner)
            .count(),
    );
    let never_asked = voters.saturating_sub(known);
    if answering == 0 || answering + never_asked >= majority(voters) {
        Class::Unknown
    } else {
        Class::NoQuorum
    }
}

/// `Ok` with the leader, or what is wrong with the lead.
fn lead<'a>(alive: &[&Word<'a>], voters: u32) -> (Class, Option<&'a str>) {
    let top = alive.iter().map(|word| word.line.term).max();
    let newest: Vec<_> = alive
        .iter()
        .filter(|it| Some(it.line.term) == top)
        .collect();
    let mut claims = newest.iter().filter(|word| word.line.claims);
    let (first, second) = (claims.next(), claims.next());
    let names = |host: &str| {
        let naming = newest.iter().filter(|word| {
            let named = word.line.leader.as_deref();
            word.host == host || named == Some(host)
        });
        count(naming.count())
    };
    match (first, second) {
        (Some(_), Some(_)) => (Class::LeaderDisputed, None),
        (Some(claim), None) if names(claim.host) >= majority(voters) => {
            (Class::Ok, Some(claim.host))
        }
        (Some(claim), None) => {
            let other = newest.iter().any(|word| {
                let named = word.line.leader.as_deref();
                named.is_some_and(|named| named != claim.host)
            });
            let class = if other {
                Class::LeaderDisputed
            } else {
                Class::NoLeader
            };
            (class, None)
        }
        (None, _) => (Class::NoLeader, None),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
