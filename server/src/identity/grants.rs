//! Roles by group: an explicit table, exact names, nothing for those it does not name.

use quorate_domain::permission::Grant;

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
    fn is_about(&self, known: &Known) -> bool {
        match self {
            Self::Group(group) => known.groups.contains(group),
            Self::User(subject) => *subject == known.subject,
        }
    }
}

impl Rules {
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
