//! The protocol's answers, as far as they are read. Unknown fields are let pass; a field of
//! another type than agreed makes the answer unreadable as a whole.

use std::collections::BTreeMap;

use quorate_domain::{
    action::Verb,
    capability::Capability,
    cluster::{Member, MemberId, Membership, Revision, Role, Term},
    observation::{Progress, SelfReport},
};
use serde::{Deserialize, Deserializer};

use crate::word::{Listed, each_once, maybe_sentence, maybe_word, sentence, word};

/// The protocol version spoken here.
pub(super) const PROTOCOL: u32 = 1;

/// `GET identity`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Identity {
    pub protocol: u32,
    #[serde(deserialize_with = "word")]
    pub implementation: String,
    #[serde(default, deserialize_with = "maybe_word")]
    pub library_version: Option<String>,
    #[serde(default, deserialize_with = "maybe_word")]
    pub program: Option<String>,
    #[serde(default, deserialize_with = "maybe_word")]
    pub cluster_id: Option<String>,
    #[serde(deserialize_with = "word")]
    pub member: String,
    #[serde(default)]
    pub rights: Vec<String>,
    #[serde(default)]
    pub capabilities: Vec<Can>,
}

/// A capability as an agent writes it; actions of later versions are let pass.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Can {
    action: String,
    supported: bool,
    #[serde(default = "yes")]
    target: bool,
    #[serde(default, deserialize_with = "maybe_sentence")]
    note: Option<String>,
}

const fn yes() -> bool {
    true
}

impl Identity {
    pub fn capabilities(&self) -> Vec<Capability> {
        let known = |can: &Can| {
            let action = Verb::ALL
                .into_iter()
                .find(|verb| verb.as_str() == can.action)?;
            let Can {
                supported,
                target,
                note,
                ..
            } = can.clone();
            Some(Capability {
                action,
                supported,
                note,
                target,
            })
        };
        self.capabilities.iter().filter_map(known).collect()
    }
}

/// `GET groups/{group}`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct View {
    #[serde(deserialize_with = "word")]
    pub member: String,
    #[serde(default, deserialize_with = "maybe_word")]
    pub instance: Option<String>,
    #[serde(deserialize_with = "word")]
    pub state: String,
    pub term: Option<u64>,
    #[serde(default, deserialize_with = "maybe_word")]
    pub leader: Option<String>,
    #[serde(default)]
    pub claims_leadership: bool,
    pub quorum_evidence_ms: Option<u64>,
    pub election_timeout_ms: Option<u64>,
    pub last_index: Option<u64>,
    pub commit_index: Option<u64>,
    pub applied_index: Option<u64>,
    pub voter: Option<bool>,
    pub membership: Configuration,
    #[serde(default)]
    pub progress: BTreeMap<String, Heard>,
    #[serde(default, deserialize_with = "maybe_sentence")]
    pub fault: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Configuration {
    #[serde(deserialize_with = "word")]
    pub revision: String,
    #[serde(deserialize_with = "each_once")]
    pub members: Vec<Line>,
    #[serde(default, deserialize_with = "voter_sets")]
    pub configs: Vec<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    #[serde(deserialize_with = "word")]
    pub id: String,
    #[serde(default, deserialize_with = "maybe_word")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "word")]
    pub address: String,
    #[serde(default, deserialize_with = "maybe_word")]
    pub agent_address: Option<String>,
    pub role: Role,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Heard {
    pub matched_index: Option<u64>,
    pub last_contact_ms: Option<u64>,
}

impl Listed for Line {
    type Id<'a> = &'a str;

    fn listed_as(&self) -> &str {
        &self.id
    }
}

fn voter_sets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    struct Set(#[serde(deserialize_with = "each_once")] Vec<String>);
    let sets = Vec::<Set>::deserialize(deserializer)?;
    Ok(sets.into_iter().map(|Set(voters)| voters).collect())
}

impl View {
    /// Runs and belongs to no cluster.
    pub fn outside(&self) -> bool {
        self.state == "outside"
    }

    /// It says it leads, its core runs, and a majority followed it within an election timeout.
    pub fn leads(&self) -> bool {
        let fresh = match (self.quorum_evidence_ms, self.election_timeout_ms) {
            (Some(age), Some(limit)) => age < limit,
            // An agent whose library does not tell is taken at its word.
            (None, None) => true,
            _ => false,
        };
        self.claims_leadership && self.fault.is_none() && fresh
    }

    pub fn says(&self, version: Option<String>) -> SelfReport {
        SelfReport {
            claims_leadership: self.claims_leadership && self.fault.is_none(),
            quorum_evidence_ms: self.quorum_evidence_ms,
            election_timeout_ms: self.election_timeout_ms,
            names_leader: self.leader.clone().map(MemberId),
            term: self.term.map(Term),
            last_index: self.last_index,
            commit_index: self.commit_index,
            applied_index: self.applied_index,
            voter_by_own_account: self.voter,
            revision: Some(Revision(self.membership.revision.clone())),
            instance: self.instance.clone(),
            fault: self.fault.clone(),
            version,
        }
    }

    /// The membership it holds; `None` for a node that holds none.
    pub fn membership(&self) -> Option<Membership> {
        if self.membership.members.is_empty() {
            return None;
        }
        let member = |line: &Line| Member {
            id: MemberId(line.id.clone()),
            name: line.name.clone().unwrap_or_else(|| line.id.clone()),
            address: line.address.clone(),
            api_address: line.agent_address.clone(),
            zone: None,
            role: line.role,
            wanted_role: None,
        };
        let members: Vec<Member> = self.membership.members.iter().map(member).collect();
        let told = &self.membership.configs;
        let configs = told
            .iter()
            .map(|set| set.iter().cloned().map(MemberId).collect())
            .collect();
        let simple = Membership::simple(members);
        Some(Membership {
            configs: if told.is_empty() {
                simple.configs
            } else {
                configs
            },
            revision: Revision(self.membership.revision.clone()),
            members: simple.members,
        })
    }

    pub fn progress(&self) -> BTreeMap<MemberId, Progress> {
        let progress = |heard: &Heard| Progress {
            last_index: heard.matched_index,
            last_contact_ms: heard.last_contact_ms,
            healthy: None,
        };
        let heard = self.progress.iter();
        heard
            .map(|(id, heard)| (MemberId(id.clone()), progress(heard)))
            .collect()
    }
}

/// `200` to `POST groups/{group}/changes`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Receipt {
    pub member: Option<String>,
    pub snapshot: Option<Mark>,
    pub note: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Mark {
    pub term: u64,
    pub index: u64,
}

/// Any other status: a problem with a code.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Problem {
    #[serde(deserialize_with = "sentence")]
    pub code: String,
    #[serde(default, deserialize_with = "sentence")]
    pub detail: String,
    pub leader: Option<Hint>,
}

/// Only the name is taken from an answer; where that member is, is looked up at home.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Hint {
    #[serde(deserialize_with = "word")]
    pub member: String,
}
