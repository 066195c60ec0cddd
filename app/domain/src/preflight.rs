//! (view, action) → allow, warn or refuse, each with reason codes on two axes.

use serde::{Deserialize, Serialize};

use crate::{
    action::Action,
    cluster::{Kind, MemberId},
    text,
    view::{ClusterView, MemberView},
};

mod effect;
mod gate;
mod membership;
mod transfer;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Allow,
    Warn,
    Refuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    Availability,
    Durability,
}

/// Every rule a change can meet. Codes are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    // Refusals.
    ReadOnly,
    NotSupported,
    NotSeenYet,
    LookTooOld,
    NoAgreedLeader,
    NoQuorum,
    ChangeRunning,
    JointConfiguration,
    ViewsDiffer,
    MemberUnknown,
    MemberUnconfirmed,
    AlreadyMember,
    AlreadyVoter,
    AlreadyLearner,
    IsLeader,
    LastVoter,
    QuorumWouldBeLost,
    MemberNotSeen,
    TooFarBehind,
    LagUnknown,
    WishPending,
    TargetIsLeader,
    TargetNotVoter,
    TargetNotNamed,
    TargetCannotBeChosen,
    TargetNotSeen,
    TargetLagging,
    TargetJustRestarted,
    NoOtherVoter,
    IdNotGiven,
    // Warnings.
    ToleranceFalls,
    NoTolerance,
    EvenVoters,
    LastVoterOfZone,
    NoSpare,
    LagGrowing,
    TargetChosenByBackend,
    RemovesSilentMember,
    BackendUnhealthy,
    RemovedThenAdded,
    SnapshotAtFollower,
    LeaderLast,
    LearnerLimit,
    /// Beside a lost majority a refusal.
    MemberApart,
    // What was checked and holds.
    LeaderAgreed,
    NoOtherChange,
    Level,
    MajorityHolds,
}

/// One checked rule with its sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub code: ReasonCode,
    pub level: Level,
    pub axis: Axis,
    pub text: String,
}

impl ReasonCode {
    /// What the rule protects: that the cluster goes on answering, or that nothing is lost.
    #[must_use]
    pub const fn axis(self) -> Axis {
        match self {
            Self::LastVoterOfZone | Self::NoSpare | Self::RemovesSilentMember | Self::LastVoter => {
                Axis::Durability
            }
            _ => Axis::Availability,
        }
    }
}

/// All checks for `action` on the cluster as `view` shows it, worst first.
#[must_use]
pub fn check(view: &ClusterView, action: &Action) -> Vec<Check> {
    let mut checks = Checks {
        view,
        action,
        list: Vec::new(),
    };
    if checks.gate() {
        match action {
            Action::AddLearner { address, member } => checks.add_learner(address, member.as_ref()),
            Action::Promote { member } => checks.promote(member),
            Action::Demote { member } => checks.demote(member),
            Action::Remove { member } => checks.remove(member),
            Action::Transfer { member } => checks.transfer(member.as_ref()),
            Action::Snapshot | Action::CheckIntegrity => {}
            Action::Defragment { member } => checks.defragment(member),
        }
        checks.holds();
    }
    checks
        .list
        .sort_by_key(|check| std::cmp::Reverse(check.level));
    checks.list
}

/// Checks in the making.
struct Checks<'a> {
    view: &'a ClusterView,
    action: &'a Action,
    list: Vec<Check>,
}

impl<'a> Checks<'a> {
    /// The member in the view, or a refusal.
    fn known<'v>(&mut self, id: &MemberId) -> Option<&'v MemberView>
    where
        'a: 'v,
    {
        let found = self.view.member(id);
        if found.is_none() {
            self.refuse(ReasonCode::MemberUnknown, text::member_unknown(id.as_str()));
        }
        found
    }

    /// A member that follows somebody else cannot be judged by the agreed leader's figures.
    fn follows_another(&self, member: &MemberView) -> Option<String> {
        let leader = self.view.leader.member.as_ref()?;
        // OpenZiti's leader tells of no contact; a member that it has lost follows nobody.
        if self.view.kind == Kind::Openziti && member.answering && member.names_leader.is_none() {
            return Some(text::follows_nobody(&member.name));
        }
        let named = member
            .names_leader
            .as_ref()
            .filter(|named| *named != leader)?;
        Some(text::follows_another(
            &member.name,
            self.view.name_of(named),
        ))
    }

    fn refuse(&mut self, code: ReasonCode, text: String) {
        self.push(Level::Refuse, code, text);
    }

    fn warn(&mut self, code: ReasonCode, text: String) {
        self.push(Level::Warn, code, text);
    }

    fn allow(&mut self, code: ReasonCode, text: String) {
        self.push(Level::Allow, code, text);
    }

    fn push(&mut self, level: Level, code: ReasonCode, text: String) {
        self.list.push(Check {
            code,
            level,
            axis: code.axis(),
            text,
        });
    }
}

/// The worst level among `checks`.
#[must_use]
pub fn worst(checks: &[Check]) -> Level {
    checks
        .iter()
        .map(|check| check.level)
        .max()
        .unwrap_or(Level::Allow)
}

#[cfg(test)]
mod tests;
