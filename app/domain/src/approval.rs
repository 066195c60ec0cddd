//! Approval by other people: which changes need it, what an approval binds to, who may give one,
//! and what may happen in each state.
//!
//! Pure: no clock, no store. Who a person is behind an account or a token, the caller says: here a
//! person is a text that is the same for the same person and for nobody else.

use serde::{Deserialize, Serialize};

use crate::{
    action::{Action, Verb},
    audit::Actor,
    cluster::ClusterName,
    job::ChangeState,
    moment::Timestamp,
    plan::Basis,
    text,
};

/// One rule of the configuration: which changes need approval, by how many, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names, or `*`.
    pub clusters: Vec<String>,
    /// Only on clusters with one of these tags; empty: on all.
    pub tags: Vec<String>,
    pub actions: Vec<Verb>,
    /// By so many other people.
    pub approvals: u32,
    /// How long a request waits, in milliseconds.
    pub expires_after_ms: u64,
    /// How long after the last approval it may begin, in milliseconds.
    pub execute_within_ms: u64,
}

/// What all rules together ask of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    pub approvals: u32,
    pub expires_after_ms: u64,
    pub execute_within_ms: u64,
}

impl Rule {
    fn covers(&self, cluster: &ClusterName, tags: &[String], verb: Verb) -> bool {
        let named = self
            .clusters
            .iter()
            .any(|name| name == "*" || name == cluster.as_str());
        let tagged = self.tags.is_empty() || self.tags.iter().any(|tag| tags.contains(tag));
        named && tagged && self.actions.contains(&verb)
    }
}

/// What `verb` needs on this cluster: of several rules the strictest part of each; `None` if it
/// needs nobody's approval.
#[must_use]
pub fn demand(
    rules: &[Rule],
    cluster: &ClusterName,
    tags: &[String],
    verb: Verb,
) -> Option<Demand> {
    let asked = rules
        .iter()
        .filter(|rule| rule.approvals > 0 && rule.covers(cluster, tags, verb))
        .map(|rule| Demand {
            approvals: rule.approvals,
            expires_after_ms: rule.expires_after_ms,
            execute_within_ms: rule.execute_within_ms,
        });
    asked.reduce(|one, other| Demand {
        approvals: one.approvals.max(other.approvals),
        expires_after_ms: one.expires_after_ms.min(other.expires_after_ms),
        execute_within_ms: one.execute_within_ms.min(other.execute_within_ms),
    })
}

/// One person's word on a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    pub by: Actor,
    pub at: Timestamp,
    /// Empty where none was given.
    pub reason: String,
    /// Its audit entry.
    pub seq: u64,
}

/// How a change stands with those who must approve it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    pub needed: u32,
    /// While it waits: when the request ends. Once approved: when it must have begun.
    pub until: Timestamp,
    /// SHA-256 of what is approved, in hex: the request and what it was decided on.
    pub digest: String,
    /// The audit entry of the request.
    pub seq: Option<u64>,
    pub given: Vec<Given>,
    /// Who denied it, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Given>,
}

/// What a preview says of approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    pub needed: u32,
    /// Accounts, groups and people who may approve there, except who asks; cut after some.
    pub from: Vec<String>,
    pub expires_after_ms: u64,
}

/// Everything an approval is bound to. Whatever of it changes, the approval is for something else.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bound<'a> {
    pub change: &'a str,
    pub cluster: &'a ClusterName,
    pub group: Option<&'a str>,
    pub action: &'a Action,
    pub issuer: &'a str,
    pub subject: &'a str,
    pub reason: &'a str,
    pub ticket: Option<&'a str>,
    /// Membership, leader, term, verdict and warnings when it was asked for.
    pub basis: &'a Basis,
    pub needed: u32,
}

impl Bound<'_> {
    /// The one text that is hashed: fields in the order above, as JSON, after a line that says
    /// what it is.
    #[must_use]
    pub fn canonical(&self) -> String {
        let fields = serde_json::to_string(self).unwrap_or_default();
        format!("quorate change for approval, version 1\n{fields}")
    }
}

/// What became different since the change was asked for, one sentence each: whatever of it is not
/// empty makes every approval void. Beside what undoes a decision anywhere, a new term does.
#[must_use]
pub fn moved(then: &Basis, now: &Basis) -> Vec<String> {
    let mut moved = then.moved(now);
    if let (Some(was), Some(is)) = (then.term, now.term)
        && was != is
        && then.leader == now.leader
    {
        moved.push(text::moved_term(was.0, is.0));
    }
    moved
}

/// Where a change that needs approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Too few have approved.
    Waiting,
    /// All have, and it has not begun.
    Approved,
    /// It has begun: the approvals are used up.
    Begun,
    Denied,
    Expired,
    /// The cluster moved, or a rule refuses it now: the approvals are worth nothing.
    Void,
    /// Taken back by who asked for it.
    Withdrawn,
}

/// What may happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// One approves, and more are needed.
    Approve,
    /// The last one needed approves.
    ApproveLast,
    Deny,
    Withdraw,
    Expire,
    MakeVoid,
    Begin,
    /// An approval counts no more: its giver may not approve any longer.
    Lapse,
}

impl Stage {
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Approved,
        Self::Begun,
        Self::Denied,
        Self::Expired,
        Self::Void,
        Self::Withdrawn,
    ];

    /// Where it stands after `act`; `None` if that cannot happen there.
    #[must_use]
    pub const fn after(self, act: Act) -> Option<Self> {
        match (self, act) {
            (Self::Waiting, Act::Approve) => Some(Self::Waiting),
            (Self::Waiting, Act::ApproveLast) => Some(Self::Approved),
            (Self::Waiting, Act::Deny) => Some(Self::Denied),
            (Self::Waiting | Self::Approved, Act::Lapse) => Some(Self::Waiting),
            (Self::Waiting | Self::Approved, Act::Withdraw) => Some(Self::Withdrawn),
            (Self::Waiting | Self::Approved, Act::Expire) => Some(Self::Expired),
            (Self::Waiting | Self::Approved, Act::MakeVoid) => Some(Self::Void),
            (Self::Approved, Act::Begin) => Some(Self::Begun),
            _ => None,
        }
    }

    /// Of a change that needs approval. One that has ended is told as [`Self::Begun`] where it ran.
    #[must_use]
    pub const fn of(state: ChangeState) -> Self {
        match state {
            ChangeState::WaitingApproval => Self::Waiting,
            ChangeState::Queued => Self::Approved,
            ChangeState::Denied => Self::Denied,
            ChangeState::Expired => Self::Expired,
            ChangeState::Cancelled => Self::Void,
            ChangeState::Running
            | ChangeState::Succeeded
            | ChangeState::Failed
            | ChangeState::Unknown => Self::Begun,
        }
    }

    /// How the change is shown there.
    #[must_use]
    pub const fn shown(self) -> ChangeState {
        match self {
            Self::Waiting => ChangeState::WaitingApproval,
            Self::Approved => ChangeState::Queued,
            Self::Begun => ChangeState::Running,
            Self::Denied => ChangeState::Denied,
            Self::Expired => ChangeState::Expired,
            Self::Void | Self::Withdrawn => ChangeState::Cancelled,
        }
    }
}

/// Why somebody who holds the right to approve may not say this about this change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Objection {
    /// It does not wait for anybody (any more).
    NotWaiting,
    TooLate,
    /// They asked for it, by whatever account or token.
    OwnRequest,
    /// One person fills one place.
    AlreadyApproved,
}

/// What is judged when somebody approves or denies.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    pub stage: Stage,
    pub until: Timestamp,
    /// The person who asked.
    pub requester: &'a str,
    /// The people who approved.
    pub approved: &'a [String],
}

impl Desk<'_> {
    /// Why `person` may not approve it at `now`.
    #[must_use]
    pub fn against_approving(&self, person: &str, now: Timestamp) -> Option<Objection> {
        self.against_deciding(person, now).or_else(|| {
            let again = self.approved.iter().any(|approved| approved == person);
            again.then_some(Objection::AlreadyApproved)
        })
    }

    /// Why `person` may not deny it at `now`. Who has approved may still deny.
    #[must_use]
    pub fn against_deciding(&self, person: &str, now: Timestamp) -> Option<Objection> {
        if self.stage.after(Act::Deny).is_none() {
            return Some(Objection::NotWaiting);
        }
        if self.until <= now {
            return Some(Objection::TooLate);
        }
        (self.requester == person).then_some(Objection::OwnRequest)
    }
}

#[cfg(test)]
mod tests;
