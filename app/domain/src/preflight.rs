//! (view, action) → allow, warn or refuse, each with reason codes on two axes.

use serde::{Deserialize, Serialize};

use crate::{action::Action, view::ClusterView};

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
    SnapshotAtFollower,
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

/// All checks for `action` on the cluster as `view` shows it, worst first.
#[must_use]
pub fn check(_view: &ClusterView, _action: &Action) -> Vec<Check> {
    todo!()
}

/// The worst level among `checks`.
#[must_use]
pub fn worst(checks: &[Check]) -> Level {
    checks.iter().map(|check| check.level).max().unwrap_or(Level::Allow)
}
