//! Immutable ordered steps, what each should lead to, and the fingerprint of what was seen.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    action::{Action, Verb},
    approval::Needed,
    capability,
    cluster::{MemberId, Revision, Role, Term},
    health::Verdict,
    preflight::{self, Check, Level, ReasonCode},
    quorum::Quorum,
    text,
    view::{ClusterView, MemberState, MemberView},
};

mod command;
mod expectation;
mod picture;

pub use command::with_reason;
pub use expectation::met;

/// What every fingerprint of this shape begins with.
const FINGERPRINT: &str = "q1.";

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
#[serde(rename_all = "snake_case", tag = "expect", try_from = "Expected")]
pub enum Expectation {
    /// A member with this id (or, where the id is not known before, this address) has this role.
    MemberHasRole {
        member: Option<MemberId>,
        address: Option<String>,
        role: Role,
    },
    MemberGone {
        member: MemberId,
    },
    /// Another member than `from` leads; `to` where the target could be chosen.
    LeaderMoved {
        from: Option<MemberId>,
        to: Option<MemberId>,
    },
    /// The driver's own receipt is the proof (a verified snapshot).
    Receipt,
    /// The backend says that it is done, and the member answers again.
    MemberAnswers {
        member: MemberId,
    },
}

impl Expectation {
    /// Whether the cluster shows that the step was done, so that looking settles a lost answer.
    #[must_use]
    pub const fn leaves_a_trace(&self) -> bool {
        !matches!(self, Self::Receipt | Self::MemberAnswers { .. })
    }
}

/// An expectation as it is read: its kind beside all it may hold, which is much less code in the
/// browser than a tagged enum.
#[derive(Deserialize)]
struct Expected {
    expect: ExpectedKind,
    member: Option<MemberId>,
    address: Option<String>,
    role: Option<Role>,
    from: Option<MemberId>,
    to: Option<MemberId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ExpectedKind {
    MemberHasRole,
    MemberGone,
    LeaderMoved,
    Receipt,
    MemberAnswers,
}

impl TryFrom<Expected> for Expectation {
    type Error = &'static str;

    fn try_from(expected: Expected) -> Result<Self, Self::Error> {
        Ok(match expected.expect {
            ExpectedKind::MemberHasRole => Self::MemberHasRole {
                member: expected.member,
                address: expected.address,
                role: expected.role.ok_or("missing field `role`")?,
            },
            ExpectedKind::MemberGone => Self::MemberGone {
                member: expected.member.ok_or("missing field `member`")?,
            },
            ExpectedKind::LeaderMoved => Self::LeaderMoved {
                from: expected.from,
                to: expected.to,
            },
            ExpectedKind::Receipt => Self::Receipt,
            ExpectedKind::MemberAnswers => Self::MemberAnswers {
                member: expected.member.ok_or("missing field `member`")?,
            },
        })
    }
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
    /// Whose approval it needs. Pages are told in `steps` and `notes`.
    #[serde(default, skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Needed>,
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
    /// The change that was previewed. A fingerprint without one decides on nothing.
    pub action: Option<Action>,
    pub revision: Revision,
    pub leader: Option<MemberId>,
    pub term: Option<Term>,
    pub verdict: Verdict,
    /// Warnings and refusals that were shown.
    pub reasons: Vec<ReasonCode>,
}

impl Basis {
    #[must_use]
    pub fn of(view: &ClusterView, checks: &[Check]) -> Self {
        let mut reasons: Vec<ReasonCode> = checks
            .iter()
            // A trend comes and goes by itself; it must not undo a decision.
            .filter(|check| check.level > Level::Allow && check.code != ReasonCode::LagGrowing)
            .map(|check| check.code)
            .collect();
        reasons.sort();
        reasons.dedup();
        Self {
            action: None,
            revision: view
                .revision
                .clone()
                .unwrap_or_else(|| Revision(String::new())),
            leader: view.leader.member.clone(),
            term: view.leader.term,
            verdict: view.verdict,
            reasons,
        }
    }

    /// The same, for one change: what was previewed is all that may be done on it.
    #[must_use]
    pub fn on(self, action: &Action) -> Self {
        Self {
            action: Some(action.clone()),
            ..self
        }
    }

    /// Text form: `q1.` and URL-safe characters only.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{FINGERPRINT}{}", URL_SAFE_NO_PAD.encode(json))
    }

    /// `None` if `fingerprint` was not made by [`Basis::fingerprint`].
    #[must_use]
    pub fn parse(fingerprint: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD
            .decode(fingerprint.strip_prefix(FINGERPRINT)?)
            .ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// What became different in a way that matters, one sentence each; empty if nothing did.
    #[must_use]
    pub fn moved(&self, now: &Self) -> Vec<String> {
        let mut moved = Vec::new();
        if self.revision != now.revision {
            moved.push(text::moved_membership(
                self.revision.as_str(),
                now.revision.as_str(),
            ));
        }
        if self.leader != now.leader {
            let word = |leader: &Option<MemberId>| leader.as_ref().map(ToString::to_string);
            let (was, is) = (word(&self.leader), word(&now.leader));
            moved.push(text::moved_leader(was.as_deref(), is.as_deref()));
        }
        if now.verdict > self.verdict {
            moved.push(text::moved_verdict(self.verdict, now.verdict));
        }
        let new: Vec<ReasonCode> = now
            .reasons
            .iter()
            .filter(|code| !self.reasons.contains(code))
            .copied()
            .collect();
        if !new.is_empty() {
            moved.push(text::moved_reasons(&new));
        }
        moved
    }
}

impl PictureMember {
    /// A member as it is drawn.
    #[must_use]
    pub fn of(member: &MemberView, changed: bool) -> Self {
        Self {
            id: member.id.clone(),
            name: member.name.clone(),
            role: member.role,
            state: member.state,
            zone: member.zone.clone(),
            changed,
        }
    }
}

/// Before → after with checks and steps; changes nothing.
#[must_use]
pub fn preview(view: &ClusterView, action: &Action) -> Preview {
    let checks = preflight::check(view, action);
    let basis = Basis::of(view, &checks).on(action);
    let may_choose =
        capability::of(&view.capabilities, Verb::Transfer).is_some_and(|transfer| transfer.target);
    Preview {
        action: action.clone(),
        title: text::change_title(view, action),
        before: picture::before(view, action),
        after: picture::after(view, action),
        checks,
        steps: steps(view, action),
        notes: notes(view, action, may_choose),
        command: command::line(view, action),
        revision: basis.revision.clone(),
        fingerprint: basis.fingerprint(),
        age_ms: view.age_ms.unwrap_or(0),
        approvals: None,
    }
}

/// What is worth knowing, with what the backend itself says of such an action.
fn notes(view: &ClusterView, action: &Action, may_choose: bool) -> Vec<String> {
    let mut notes = text::notes(view, action, may_choose);
    let particular = capability::of(&view.capabilities, action.verb())
        .filter(|capability| capability.supported && capability.target)
        .and_then(|capability| capability.note.clone());
    notes.extend(particular.filter(|note| !notes.contains(note)));
    notes
}

fn steps(view: &ClusterView, action: &Action) -> Vec<StepText> {
    let step = |lead: &str, rest: String| StepText {
        lead: lead.to_owned(),
        rest,
    };
    vec![
        step(&text::ask(view.backend()), text::request(view, action)),
        step(text::WAIT, text::waiting(view, action, patience_ms(action))),
        step(text::CHECK, text::final_check(view, action)),
    ]
}

/// How long to look for the expected result, in milliseconds.
const fn patience_ms(action: &Action) -> u64 {
    match action {
        Action::AddLearner { .. } | Action::Promote { .. } | Action::Demote { .. } => 60_000,
        Action::Remove { .. } => 30_000,
        Action::Transfer { .. } => 15_000,
        Action::Snapshot | Action::Defragment { .. } | Action::CheckIntegrity => 600_000,
    }
}

/// The steps of an action that preflight does not refuse.
#[must_use]
pub fn plan(view: &ClusterView, action: &Action) -> Plan {
    let target = action.member().and_then(|id| view.member(id));
    Plan {
        step: Step {
            action: action.clone(),
            revision: view
                .revision
                .clone()
                .unwrap_or_else(|| Revision(String::new())),
            leader: view.leader.member.clone(),
            address: target.map(|member| member.address.clone()),
        },
        expectation: expectation::of(view, action),
        patience_ms: patience_ms(action),
    }
}

#[cfg(test)]
mod tests;
