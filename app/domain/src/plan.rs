//! Immutable ordered steps, what each should lead to, and the fingerprint of what was seen.

use serde::{Deserialize, Serialize};

use crate::{
    action::Action,
    cluster::{MemberId, Revision, Role, Term},
    health::Verdict,
    preflight::{Check, ReasonCode},
    quorum::Quorum,
    view::{ClusterView, MemberState},
};

/// One request to a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub action: Action,
    /// The membership it was decided on; backends with compare-and-set get it.
    pub revision: Revision,
    /// The leader it was decided on.
    pub leader: Option<MemberId>,
    /// The target's Raft address from the configuration, never from the operator.
    pub address: Option<String>,
}

/// What must be seen before a step counts as done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "expect")]
pub enum Expectation {
    /// A member with this id (or, where the id is not known before, this address) has this role.
    MemberHasRole { member: Option<MemberId>, address: Option<String>, role: Role },
    MemberGone { member: MemberId },
    /// Another member than `from` leads; `to` where the target could be chosen.
    LeaderMoved { from: Option<MemberId>, to: Option<MemberId> },
    /// The driver's own receipt is the proof (a verified snapshot).
    Receipt,
}

/// A picture of a membership for "before → after": what the quorum ring is drawn from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    pub quorum: Quorum,
    pub members: Vec<PictureMember>,
    pub leader: Option<MemberId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureMember {
    pub id: MemberId,
    pub name: String,
    pub role: Role,
    pub state: MemberState,
    pub zone: Option<String>,
    /// What the change touches is drawn in the accent colour.
    pub changed: bool,
}

/// What a change would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    pub action: Action,
    /// "Promote n4 to voter in vault-eu"
    pub title: String,
    pub before: Picture,
    pub after: Picture,
    /// Worst first.
    pub checks: Vec<Check>,
    /// What will be done, in words: a verb in front, the rest after it.
    pub steps: Vec<StepText>,
    /// For example what to do with the removed process.
    pub notes: Vec<String>,
    /// The same thing as a command.
    pub command: String,
    pub revision: Revision,
    pub fingerprint: String,
    /// Age of what it was decided on, in milliseconds.
    pub age_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepText {
    /// "Ask OpenBao", "Wait", "Check".
    pub lead: String,
    pub rest: String,
}

/// An action made ready to be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub step: Step,
    pub expectation: Expectation,
    /// How long to look for the expected result, in milliseconds.
    pub patience_ms: u64,
}

/// What an operator saw when deciding. It travels as an opaque `fingerprint`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    pub revision: Revision,
    pub leader: Option<MemberId>,
    pub term: Option<Term>,
    pub verdict: Verdict,
    /// Warnings and refusals that were shown.
    pub reasons: Vec<ReasonCode>,
}

impl Basis {
    #[must_use]
    pub fn of(_view: &ClusterView, _checks: &[Check]) -> Self {
        todo!()
    }

    /// Text form: `q1.` and URL-safe characters only.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        todo!()
    }

    /// `None` if `fingerprint` was not made by [`Basis::fingerprint`].
    #[must_use]
    pub fn parse(_fingerprint: &str) -> Option<Self> {
        todo!()
    }

    /// What became different in a way that matters, one sentence each; empty if nothing did.
    #[must_use]
    pub fn moved(&self, _now: &Self) -> Vec<String> {
        todo!()
    }
}

/// Before → after with checks and steps; changes nothing.
#[must_use]
pub fn preview(_view: &ClusterView, _action: &Action) -> Preview {
    todo!()
}

/// The steps of an action that preflight does not refuse.
#[must_use]
pub fn plan(_view: &ClusterView, _action: &Action) -> Plan {
    todo!()
}

/// Whether `view` shows what `expectation` waits for; if not, what it waits for, in words.
///
/// # Errors
/// The reason why it is not there yet ("accepted; OpenBao has not carried it out because …").
pub fn met(_expectation: &Expectation, _view: &ClusterView) -> Result<(), String> {
    todo!()
}
