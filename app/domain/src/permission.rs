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
    pub const ALL: [Self; 5] = [
        Self::Viewer,
        Self::Operator,
        Self::Admin,
        Self::Approver,
        Self::Auditor,
    ];

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
        Self {
            role,
            clusters: vec!["*".to_owned()],
            tags: Vec::new(),
        }
    }

    /// Whether it holds on a cluster of this name with these tags.
    #[must_use]
    pub fn covers(&self, name: &ClusterName, tags: &[String]) -> bool {
        let named = self
            .clusters
            .iter()
            .any(|pattern| pattern == "*" || pattern == name.as_str());
        let tagged = self.tags.is_empty() || self.tags.iter().any(|tag| tags.contains(tag));
        named && tagged
    }

    fn covers_everything(&self) -> bool {
        self.tags.is_empty() && self.clusters.iter().any(|pattern| pattern == "*")
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
    /// Approve or deny what others ask for.
    Approve,
}

/// The roles that carry `permission`.
#[must_use]
pub const fn carried_by(permission: Permission) -> &'static [Duty] {
    match permission {
        Permission::View => &Duty::ALL,
        Permission::Act(
            Verb::AddLearner
            | Verb::Promote
            | Verb::Transfer
            | Verb::Snapshot
            | Verb::Defragment
            | Verb::CheckIntegrity,
        ) => &[Duty::Operator, Duty::Admin],
        Permission::Act(Verb::Demote | Verb::Remove)
        | Permission::OverrideState
        | Permission::DownloadSnapshot
        | Permission::Administer => &[Duty::Admin],
        Permission::ReadAudit => &[Duty::Admin, Duty::Auditor],
        Permission::Approve => &[Duty::Approver],
    }
}

/// Whether these grants allow `permission` on this cluster. `cluster: None` asks for a
/// permission that is about no cluster (accounts, the audit log as a whole): it needs a grant
/// on every cluster (`*`, no tags), except [`Permission::View`], which any grant gives.
#[must_use]
pub fn allows(
    grants: &[Grant],
    permission: Permission,
    cluster: Option<(&ClusterName, &[String])>,
) -> bool {
    let carriers = carried_by(permission);
    grants
        .iter()
        .filter(|grant| carriers.contains(&grant.role))
        .any(|grant| match cluster {
            Some((name, tags)) => grant.covers(name, tags),
            None => permission == Permission::View || grant.covers_everything(),
        })
}

/// Why `permission` is not given, naming the roles that would give it; `None` if it is given.
#[must_use]
pub fn missing(
    grants: &[Grant],
    permission: Permission,
    cluster: Option<(&ClusterName, &[String])>,
) -> Option<String> {
    if allows(grants, permission, cluster) {
        return None;
    }
    let needed: Vec<&str> = carried_by(permission)
        .iter()
        .map(|duty| duty.as_str())
        .collect();
    let held: Vec<&str> = Duty::ALL
        .into_iter()
        .filter(|duty| {
            grants
                .iter()
                .filter(|grant| grant.role == *duty)
                .any(|grant| match cluster {
                    Some((name, tags)) => grant.covers(name, tags),
                    None => true,
                })
        })
        .map(Duty::as_str)
        .collect();
    Some(crate::text::role_missing(
        &needed,
        &held,
        cluster.map(|(name, _)| name.as_str()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(grants: &[Grant], permission: Permission) -> bool {
        let tags = ["prod".to_owned()];
        allows(
            grants,
            permission,
            Some((&ClusterName::from("vault-eu"), &tags)),
        )
    }

    #[test]
    fn each_role_carries_exactly_its_column() {
        use Permission::{
            Act, Administer, Approve, DownloadSnapshot, OverrideState, ReadAudit, View,
        };
        // permission, then viewer, operator, admin, approver, auditor
        let table = [
            (View, [true, true, true, true, true]),
            (Act(Verb::AddLearner), [false, true, true, false, false]),
            (Act(Verb::Promote), [false, true, true, false, false]),
            (Act(Verb::Transfer), [false, true, true, false, false]),
            (Act(Verb::Snapshot), [false, true, true, false, false]),
            (Act(Verb::Defragment), [false, true, true, false, false]),
            (Act(Verb::CheckIntegrity), [false, true, true, false, false]),
            (Act(Verb::Demote), [false, false, true, false, false]),
            (Act(Verb::Remove), [false, false, true, false, false]),
            (OverrideState, [false, false, true, false, false]),
            (DownloadSnapshot, [false, false, true, false, false]),
            (Administer, [false, false, true, false, false]),
            (ReadAudit, [false, false, true, false, true]),
            (Approve, [false, false, false, true, false]),
        ];
        for (permission, row) in table {
            for (duty, expected) in Duty::ALL.into_iter().zip(row) {
                let grants = [Grant::everywhere(duty)];
                assert_eq!(
                    allowed(&grants, permission),
                    expected,
                    "{duty:?} {permission:?}"
                );
                assert_eq!(
                    missing(&grants, permission, None).is_none(),
                    expected,
                    "{duty:?} {permission:?} in words"
                );
            }
        }
    }

    #[test]
    fn a_grant_holds_only_where_it_says() {
        let grant = |clusters: &str, tags: &str| Grant {
            role: Duty::Operator,
            clusters: clusters.split_whitespace().map(str::to_owned).collect(),
            tags: tags.split_whitespace().map(str::to_owned).collect(),
        };
        let table = [
            (grant("*", ""), true),
            (grant("vault-eu", ""), true),
            (grant("vault-us vault-eu", ""), true),
            (grant("vault-us", ""), false),
            (grant("", ""), false),
            (grant("*", "prod"), true),
            (grant("*", "test prod"), true),
            (grant("*", "test"), false),
            (grant("vault-eu", "test"), false),
        ];
        for (grant, expected) in table {
            let grants = [grant];
            assert_eq!(
                allowed(&grants, Permission::Act(Verb::Promote)),
                expected,
                "{grants:?}"
            );
        }
    }

    #[test]
    fn what_is_about_no_cluster_needs_a_grant_on_all() {
        let everywhere = [Grant::everywhere(Duty::Admin)];
        let one = [Grant {
            role: Duty::Admin,
            clusters: vec!["vault-eu".to_owned()],
            tags: Vec::new(),
        }];
        assert!(allows(&everywhere, Permission::Administer, None));
        assert!(!allows(&one, Permission::Administer, None));
        assert!(allows(&one, Permission::View, None));
        assert!(!allows(&[], Permission::View, None));
    }

    #[test]
    fn what_is_missing_is_said_with_the_roles_that_would_do() {
        let name = ClusterName::from("vault-eu");
        let viewer = [Grant::everywhere(Duty::Viewer)];
        let place = Some((&name, [].as_slice()));
        assert_eq!(
            missing(&viewer, Permission::Act(Verb::Promote), place).as_deref(),
            Some("This needs the role operator or admin on vault-eu; you are viewer.")
        );
        assert_eq!(
            missing(&[], Permission::Administer, None).as_deref(),
            Some("This needs the role admin on every cluster; you have no role here.")
        );
    }
}
