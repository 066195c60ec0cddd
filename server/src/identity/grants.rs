//! Roles by group: an explicit table, exact names, nothing for those it does not name.

use quorate_domain::permission::Grant;
use sha2::{Digest as _, Sha256};

use super::Known;

/// Who gets a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    Group(String),
    /// A subject as the issuer writes it.
    User(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub given: Vec<(Rule, Grant)>,
    /// Whoever is in one of these groups, or is one of these subjects, may do nothing: this
    /// outranks whatever else they are in.
    pub denied: Vec<Rule>,
}

impl Rule {
    fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Group(group) => ("group", group),
            Self::User(subject) => ("user", subject),
        }
    }

    fn is_about(&self, known: &Known) -> bool {
        match self {
            Self::Group(group) => known.groups.contains(group),
            Self::User(subject) => *subject == known.subject,
        }
    }
}

impl Rules {
    /// The beginning of the digest of what the table says, the same for the same table.
    #[must_use]
    pub fn version(&self) -> String {
        let mut hasher = Sha256::new();
        let mut line = |words: &[&str]| {
            for word in words {
                hasher.update(word.len().to_be_bytes());
                hasher.update(word);
            }
            hasher.update([b'\n']);
        };
        for (rule, grant) in &self.given {
            let (kind, name) = rule.words();
            line(&["given", kind, name, grant.role.as_str()]);
            line(
                &grant
                    .clusters
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>(),
            );
            line(&grant.tags.iter().map(String::as_str).collect::<Vec<_>>());
        }
        for rule in &self.denied {
            let (kind, name) = rule.words();
            line(&["denied", kind, name]);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[must_use]
    pub fn grants(&self, known: &Known) -> Vec<Grant> {
        if self.denied.iter().any(|rule| rule.is_about(known)) {
            return Vec::new();
        }
        let mut grants: Vec<Grant> = Vec::new();
        for (rule, grant) in &self.given {
            if rule.is_about(known) && !grants.contains(grant) {
                grants.push(grant.clone());
            }
        }
        grants
    }
}

#[cfg(test)]
mod tests {
    use quorate_domain::permission::Duty;

    use super::*;

    #[test]
    fn the_version_of_a_table_moves_with_whatever_it_says() {
        let table = |name: &str, role, denied: &[&str]| Rules {
            given: vec![(Rule::Group(name.to_owned()), Grant::everywhere(role))],
            denied: denied
                .iter()
                .map(|name| Rule::User((*name).to_owned()))
                .collect(),
        };
        let first = table("ops", Duty::Operator, &[]).version();
        assert_eq!(first, table("ops", Duty::Operator, &[]).version());
        assert_eq!(first.len(), 16);
        for other in [
            table("op", Duty::Operator, &[]),
            table("ops", Duty::Admin, &[]),
            table("ops", Duty::Operator, &["eve"]),
            Rules::default(),
        ] {
            assert_ne!(first, other.version());
        }
    }
}
