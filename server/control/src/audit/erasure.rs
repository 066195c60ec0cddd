//! A person erased from the log: the keys are destroyed under which it seals what names them. The
//! entries, their hashes and proofs stay; so do the issuer and the subject where that names nobody.

use tokio::sync::oneshot;

use super::{
    Draft,
    writer::{Erasure, Order},
};
use crate::{Control, ControlError, Operator, store::people::Whom};
use quorate_domain::permission::{Permission, allows};

const REASON_LEAST: usize = 3;

impl Control {
    /// Erases somebody by their stable id, under whatever names, or by a name. It cannot be undone.
    /// On record with the reason and the ids of the keys, and without naming them again; in the
    /// same transaction.
    ///
    /// # Errors
    /// `NotFound` if nothing is sealed under such a key, `Invalid` unless exactly one of the two
    /// and a reason are given, `NotAllowed` without administering, `AuditUnavailable`.
    pub async fn audit_erase(
        &self,
        who: &Operator,
        (subject, name): (Option<&str>, Option<&str>),
        reason: &str,
    ) -> Result<Erasure, ControlError> {
        if !allows(&who.grants, Permission::Administer, None) {
            let action = "audit_person_erased";
            return Err(self
                .not_allowed(who, Permission::Administer, action, None)
                .await);
        }
        let (whom, word) = match (subject, name) {
            (Some(subject), None) => (Whom::Subject(subject.to_owned()), subject),
            (None, Some(name)) => (Whom::Name(name.to_owned()), name),
            _ => {
                return Err(ControlError::invalid(
                    "exactly one person is erased at a time",
                    "Name them by their subject or by their name.",
                ));
            }
        };
        let reason = reason.trim();
        if reason.chars().count() < REASON_LEAST {
            return Err(ControlError::invalid(
                "an erasure needs a reason",
                "Say who asked for it and on which ground, without naming the person.",
            ));
        }
        let text = "Destroyed the keys of a person: what names them in the log is unreadable.";
        let mut draft = Draft::access(who, "audit_person_erased", text);
        draft.reason = Some(reason.to_owned());
        let erased = self.erase(whom, draft).await?;
        erased.ok_or_else(|| ControlError::not_found("person in the log", word))
    }

    async fn erase(&self, whom: Whom, draft: Draft) -> Result<Option<Erasure>, ControlError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Erase {
            whom,
            draft: Box::new(draft),
            reply,
        };
        let given = self.inner.audit.give(order, answer).await;
        given.map_err(ControlError::audit)
    }
}
