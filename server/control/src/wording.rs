//! The sentences of the use cases: what audit entries, changes and events say in words.

use quorate_domain::{
    cluster::{ClusterName, Membership, Role},
    job::ChangeState,
    permission::{Grant, Permission, carried_by},
};

/// "operator or admin"
pub(crate) fn roles(permission: Permission) -> String {
    let names: Vec<&str> = carried_by(permission)
        .iter()
        .map(|role| role.as_str())
        .collect();
    names.join(" or ")
}

pub(crate) fn not_allowed(action: &str, cluster: Option<&ClusterName>, needs: &str) -> String {
    match cluster {
        Some(cluster) => format!("{action} on {cluster} was not allowed: it needs {needs}."),
        None => format!("{action} was not allowed: it needs {needs}."),
    }
}

/// "admin on all clusters; operator on vault-eu, vault-us with tag prod"
pub(crate) fn grants(grants: &[Grant]) -> String {
    if grants.is_empty() {
        return "no role".to_owned();
    }
    let texts: Vec<String> = grants
        .iter()
        .map(|grant| {
            let clusters = match grant.clusters.as_slice() {
                [all] if all == "*" => "all clusters".to_owned(),
                some => some.join(", "),
            };
            let tags = if grant.tags.is_empty() {
                String::new()
            } else {
                format!(" with tag {}", grant.tags.join(", "))
            };
            format!("{} on {clusters}{tags}", grant.role.as_str())
        })
        .collect();
    texts.join("; ")
}

/// How a change stands, as the rest of a sentence.
pub(crate) const fn change_state(state: ChangeState) -> &'static str {
    match state {
        ChangeState::WaitingApproval => "waiting",
        ChangeState::Queued => "approved and about to begin",
        ChangeState::Running => "running",
        ChangeState::Succeeded => "done",
        ChangeState::Failed => "over, and failed",
        ChangeState::Unknown => "over, its outcome unknown",
        ChangeState::Cancelled => "cancelled",
        ChangeState::Denied => "denied",
        ChangeState::Expired => "expired",
    }
}

pub(crate) const fn role(role: Role) -> &'static str {
    match role {
        Role::Voter => "a voter",
        Role::Learner => "a learner",
        Role::Witness => "a witness",
    }
}

/// What is different in a membership, one sentence for all of it; `None` if nothing that
/// matters is.
pub(crate) fn membership_changed(before: &Membership, after: &Membership) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for member in &after.members {
        match before.member(&member.id) {
            None => parts.push(format!("{} joined as {}", member.name, role(member.role))),
            Some(old) if old.role != member.role => {
                parts.push(format!("{} is {} now", member.name, role(member.role)));
            }
            Some(old) if old.address != member.address => {
                parts.push(format!("{} moved to {}", member.name, member.address));
            }
            Some(_) => {}
        }
    }
    for member in &before.members {
        if after.member(&member.id).is_none() {
            parts.push(format!("{} is no longer a member", member.name));
        }
    }
    // Names stay as they are; a sentence that begins with no name begins with a capital.
    let first = parts.is_empty();
    if before.configs.len() < 2 && after.configs.len() > 1 {
        let article = if first { "A" } else { "a" };
        parts.push(format!("{article} joint configuration began"));
    } else if before.configs.len() > 1 && after.configs.len() < 2 {
        let article = if first { "The" } else { "the" };
        parts.push(format!("{article} joint configuration ended"));
    }
    (!parts.is_empty()).then(|| format!("{}.", parts.join("; ")))
}

/// Milliseconds as people read them: "800 ms", "60 s", "5 min".
pub(crate) fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..120_000 => format!("{} s", milliseconds / 1_000),
        _ => format!("{} min", milliseconds / 60_000),
    }
}

/// `text` as the rest of a sentence: without its full stop.
pub(crate) fn clause(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use quorate_domain::cluster::Revision;

    use super::*;

    #[test]
    fn a_joint_configuration_alone_begins_a_sentence() {
        let with = |configs: usize| Membership {
            revision: Revision(String::new()),
            configs: vec![Vec::new(); configs],
            members: Vec::new(),
        };
        assert_eq!(
            membership_changed(&with(1), &with(2)).as_deref(),
            Some("A joint configuration began.")
        );
        assert_eq!(
            membership_changed(&with(2), &with(1)).as_deref(),
            Some("The joint configuration ended.")
        );
    }
}
