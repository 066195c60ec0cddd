//! What has to be proved before, and by what. Knows neither persons nor proofs.

use quorate_domain::action::Verb;

use super::{Deed, Site};

/// By what somebody proves that it is them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    Passkey,
    /// The account's password, where this console keeps it.
    Password,
    /// A fresh sign-in at the OpenID provider.
    SignIn,
}

impl Method {
    pub const ALL: [Self; 3] = [Self::Passkey, Self::Password, Self::SignIn];

    /// As configuration and records write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Password => "password",
            Self::SignIn => "sign-in",
        }
    }
}

/// What has to be proved before, and by what. Without rules nothing has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub verbs: Vec<Verb>,
    /// Whether approving another person's change is among it.
    pub approvals: bool,
    pub methods: Vec<Method>,
    /// API tokens, which can prove nothing, may do it all the same.
    pub tokens: bool,
    /// What a fresh sign-in must say of how it was done (`acr`); empty: nothing.
    pub acr_values: Vec<String>,
    /// `None`: browsers know no passkeys at this console's address.
    pub site: Option<Site>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            verbs: Vec::new(),
            approvals: false,
            methods: Method::ALL.to_vec(),
            tokens: false,
            acr_values: Vec::new(),
            site: None,
        }
    }
}

impl Rules {
    pub(super) fn guard(&self, deed: &Deed) -> bool {
        match deed {
            Deed::Change { action, .. } => self.verbs.contains(&action.verb()),
            Deed::Approve { .. } => self.approvals,
            // Whoever could add a passkey without a proof had one for all that follows; and nobody
            // brings back what was erased.
            Deed::Passkey { .. } | Deed::Erase { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_needs_no_proof_but_a_new_passkey_always_does() {
        let change = |verb: Verb| {
            let member = || "n3".into();
            let action = match verb {
                Verb::Remove => quorate_domain::action::Action::Remove { member: member() },
                _ => quorate_domain::action::Action::Promote { member: member() },
            };
            Deed::Change {
                cluster: "blue".into(),
                action,
                request: Box::default(),
            }
        };
        let rules = Rules {
            verbs: vec![Verb::Remove],
            ..Rules::default()
        };
        assert!(rules.guard(&change(Verb::Remove)));
        assert!(!rules.guard(&change(Verb::Promote)));
        assert!(!Rules::default().guard(&change(Verb::Remove)));
        let added = Deed::Passkey {
            name: "laptop".to_owned(),
        };
        assert!(Rules::default().guard(&added));
    }
}
