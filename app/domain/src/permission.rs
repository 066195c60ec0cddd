//! Roles and grants per cluster and tag.

use serde::{Deserialize, Serialize};

use crate::{action::Verb, cluster::ClusterName};

/// A person's part in this console. (A member's part in a cluster is [`crate::cluster::Role`].)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    Viewer,
    Operator,
    Admin,
    Approver,
    Auditor,
}

impl Duty {
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Operator, Self::Admin, Self::Approver, Self::Auditor];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|duty| duty.as_str() == text)
    }
}

/// A role, and where it holds. `clusters` holds names or `*`; an empty `tags` means any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub role: Duty,
    pub clusters: Vec<String>,
    #[serde(default)]
    pub tags: Vec<String>,
}

impl Grant {
    /// The role on every cluster.
    #[must_use]
    pub fn everywhere(role: Duty) -> Self {
        Self { role, clusters: vec!["*".to_owned()], tags: Vec::new() }
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See clusters, changes, problems.
    View,
    /// Carry out this verb.
    Act(Verb),
    /// Set a member's state by hand.
    OverrideState,
    /// Download a snapshot's content.
    DownloadSnapshot,
    /// Accounts, tokens, sessions of others, configuration.
    Administer,
    /// Read the audit log.
    ReadAudit,
}

/// The roles that carry `permission`.
#[must_use]
pub const fn carried_by(permission: Permission) -> &'static [Duty] {
    match permission {
        Permission::View => &Duty::ALL,
        Permission::Act(Verb::AddLearner | Verb::Promote | Verb::Transfer | Verb::Snapshot) => {
            &[Duty::Operator, Duty::Admin]
        }
        Permission::Act(Verb::Demote | Verb::Remove)
        | Permission::OverrideState
        | Permission::DownloadSnapshot
        | Permission::Administer => &[Duty::Admin],
        Permission::ReadAudit => &[Duty::Admin, Duty::Auditor],
    }
}

/// Whether these grants allow `permission` on this cluster. `cluster: None` asks for a
/// permission that is about no cluster (accounts, the audit log as a whole): it needs a grant
/// on every cluster (`*`, no tags), except [`Permission::View`], which any grant gives.
#[must_use]
pub fn allows(
    _grants: &[Grant],
    _permission: Permission,
    _cluster: Option<(&ClusterName, &[String])>,
) -> bool {
    todo!()
}
