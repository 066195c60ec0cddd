//! A person erased from the log: the keys are destroyed under which it seals what names them. The
//! entries, their hashes and proofs stay; so do the issuer and the subject where that names nobody.

use quorate_domain::permission::{Permission, allows};
use serde_json::json;
use tokio::sync::oneshot;

use super::{
    Draft, reading,
    writer::{Erased, Erasure, Order},
};
use crate::{
    Control, ControlError, Operator, secrets,
    step_up::{Deed, ProofId},
    store::people::{self, Whom},
};

/// What it is called in the log.
const ACTION: &str = "audit_person_erased";
const REASON_LEAST: usize = 3;

/// What an erasure would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasurePreview {
    /// Whose keys would be destroyed: issuer, subject, name.
    pub people: Vec<(String, String, String)>,
    /// Entries in which something would be unreadable.
    pub entries: u64,
    /// The first of them that somebody holds: as long as there is one, nothing is erased.
    pub held: Option<u64>,
}

impl ErasurePreview {
    /// Whether a reason is long enough to be one. Blanks around it do not count.
    #[must_use]
    pub fn is_reason(text: &str) -> bool {
        text.trim().chars().count() >= REASON_LEAST
    }
}

impl Control {
    /// Erases somebody by their stable id, under whatever names, or by a name. It cannot be undone.
    /// On record with the reason and the ids of the keys, and without naming them again; in the
    /// same transaction. Nothing is erased while a hold is on an entry that names them.
    ///
    /// # Errors
    /// `NotFound` if nothing is sealed under such a key, `Invalid` unless exactly one of the two
    /// and a reason are given, and where a hold stands against it; `NotAllowed` without
    /// administering, `StepUpNeeded`, `AuditUnavailable`.
    pub async fn audit_erase(
        &self,
        who: &Operator,
        (subject, name): (Option<&str>, Option<&str>),
        reason: &str,
    ) -> Result<Erasure, ControlError> {
        let deed = Deed::Erase {
            subject: subject.map(str::to_owned),
            name: name.map(str::to_owned),
            reason: reason.trim().to_owned(),
            salt: secrets::fresh("")?.reveal().to_owned(),
        };
        self.erase_with(who, &deed, None).await
    }

    /// Does what was asked for, once it is proved who asks.
    ///
    /// # Errors
    /// As [`Control::audit_erase`]; `Internal` for another deed.
    pub async fn audit_erase_proved(
        &self,
        who: &Operator,
        proof: ProofId,
        deed: &Deed,
    ) -> Result<Erasure, ControlError> {
        self.erase_with(who, deed, Some(&proof)).await
    }

    /// What erasing them would do; changes nothing.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `NotAllowed` as [`Control::audit_erase`]; `Store`.
    pub async fn audit_erase_preview(
        &self,
        who: &Operator,
        (subject, name): (Option<&str>, Option<&str>),
    ) -> Result<ErasurePreview, ControlError> {
        self.may_erase(who).await?;
        let (whom, word) = one(subject, name)?;
        let ids = self.sealed_under(&whom, word).await?;
        let read = &self.inner.audit.read;
        let named = people::named(read, &ids).await.map_err(reading)?;
        Ok(ErasurePreview {
            people: named
                .into_iter()
                .map(|it| (it.issuer, it.subject, it.name))
                .collect(),
            entries: people::entries_under(read, &ids).await.map_err(reading)?,
            held: self.held_under(&ids).await?,
        })
    }

    async fn erase_with(
        &self,
        who: &Operator,
        deed: &Deed,
        proof: Option<&ProofId>,
    ) -> Result<Erasure, ControlError> {
        let Deed::Erase {
            subject,
            name,
            reason,
            ..
        } = deed
        else {
            return Err(ControlError::Internal {
                doing: "erasing by what is no erasure",
            });
        };
        self.may_erase(who).await?;
        let (whom, word) = one(subject.as_deref(), name.as_deref())?;
        if !ErasurePreview::is_reason(reason) {
            return Err(ControlError::invalid(
                "an erasure needs a reason",
                "Say who asked for it and on which ground, without naming the person.",
            ));
        }
        let ids = self.sealed_under(&whom, word).await?;
        if self.held_under(&ids).await?.is_some() {
            return Err(held());
        }
        let proved = self.stepped_up(who, deed, proof).await?;
        let text = "Destroyed the keys of a person: what names them in the log is unreadable.";
        let mut draft = Draft::access(who, ACTION, text);
        draft.reason = Some(reason.clone());
        if let Some(proved) = proved {
            draft.seen = json!({ "step_up": proved.told() });
        }
        match self.erase(whom, draft).await? {
            Erased::Done(erasure) => Ok(erasure),
            Erased::Nobody => Err(ControlError::not_found("person in the log", word)),
            Erased::Held => Err(held()),
        }
    }

    async fn may_erase(&self, who: &Operator) -> Result<(), ControlError> {
        if allows(&who.grants, Permission::Administer, None) {
            return Ok(());
        }
        let needed = Permission::Administer;
        Err(self.not_allowed(who, needed, ACTION, None).await)
    }

    /// Ids of the keys that would be destroyed; at least one.
    async fn sealed_under(&self, whom: &Whom, word: &str) -> Result<Vec<String>, ControlError> {
        let ids = people::ids(&self.inner.audit.read, whom).await;
        let ids = ids.map_err(reading)?;
        match ids.is_empty() {
            true => Err(ControlError::not_found("person in the log", word)),
            false => Ok(ids),
        }
    }

    /// The first entry under these keys that somebody holds.
    async fn held_under(&self, ids: &[String]) -> Result<Option<u64>, ControlError> {
        let connection = self.inner.audit.read.acquire().await;
        let mut connection = connection.map_err(reading)?;
        let held = people::held_under(&mut connection, ids).await;
        held.map_err(reading)
    }

    /// Looks for holds again, where nobody puts one there meanwhile.
    async fn erase(&self, whom: Whom, draft: Draft) -> Result<Erased, ControlError> {
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

fn held() -> ControlError {
    ControlError::invalid(
        "a hold is on entries that name this person",
        "Whoever put it there may release it (`quorate audit hold list` names it).",
    )
}

/// Whom exactly one of the two names.
fn one<'a>(
    subject: Option<&'a str>,
    name: Option<&'a str>,
) -> Result<(Whom, &'a str), ControlError> {
    match (subject, name) {
        (Some(subject), None) => Ok((Whom::Subject(subject.to_owned()), subject)),
        (None, Some(name)) => Ok((Whom::Name(name.to_owned()), name)),
        _ => Err(ControlError::invalid(
            "exactly one person is erased at a time",
            "Name them by their subject or by their name.",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_hold_that_comes_after_it_was_looked_wins() {
        let directory = tempfile::tempdir().unwrap();
        let control = Control::offline(directory.path().to_owned()).await.unwrap();
        let machine = control.command_line_operator();
        let made = control.account_create(&machine, "carlotta", Vec::new());
        made.await.unwrap();
        let hold = control.audit_hold_add(&machine, (None, None), "case 12");
        let hold = hold.await.unwrap();
        let whom = || Whom::Name("carlotta".to_owned());
        let draft = || Draft::access(&machine, ACTION, "Destroyed.");
        let held = control.erase(whom(), draft()).await.unwrap();
        assert!(matches!(held, Erased::Held));
        assert!(control.sealed_under(&whom(), "carlotta").await.is_ok());
        let released = control.audit_hold_release(&machine, &hold.id, "closed");
        released.await.unwrap();
        let erased = control.erase(whom(), draft()).await.unwrap();
        assert!(matches!(erased, Erased::Done(Erasure { keys: 1, .. })));
        let again = control.erase(whom(), draft()).await.unwrap();
        assert!(matches!(again, Erased::Nobody));
    }
}
