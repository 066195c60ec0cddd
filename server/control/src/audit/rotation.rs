//! Keys that sign the log: a new one beside the old, the old one retired, a lost one replaced.
//!
//! While two keys sign, each checkpoint ties the new key to the old one. A key that was lost
//! cannot vouch for its follower; whoever verifies is told so.

use quorate_audit::note::{SigningKey, VerifierKey};
use quorate_domain::permission::{Permission, allows};
use serde_json::json;
use tokio::sync::oneshot;

use super::{Draft, keys::KeyFile, reading, trouble::Trouble, writer::Order};
use crate::{Control, ControlError, Operator, store::checkpoints};

impl Control {
    /// The public keys that sign now, as people are given them.
    ///
    /// # Errors
    /// `NotAllowed` without administering, `AuditUnavailable`.
    pub async fn audit_signers(&self, who: &Operator) -> Result<Vec<String>, ControlError> {
        self.may_change_keys(who, "audit_key_list").await?;
        let keys = self.inner.audit.keys.read()?;
        Ok(keys.iter().map(|key| key.public().to_string()).collect())
    }

    /// Adds a key: from now on it signs beside the others. Gives its public half.
    ///
    /// # Errors
    /// `NotAllowed` without administering, `AuditUnavailable`.
    pub async fn audit_key_add(&self, who: &Operator) -> Result<String, ControlError> {
        self.may_change_keys(who, "audit_key_added").await?;
        let audit = &self.inner.audit;
        // Makes the first key of a new log, too.
        self.audit_key_ready(who).await?;
        let mut keys = audit.keys.read()?;
        let origin = keys.first().map(|key| key.public().key().name.clone());
        keys.push(KeyFile::fresh(&origin.ok_or(Trouble::KeyGone)?)?);
        let added = keys.last().map(|key| key.public().to_string());
        audit.keys.write(&keys)?;
        let public = added.ok_or(Trouble::KeyGone)?;
        self.recorded_key(
            who,
            "audit_key_added",
            "Added a key that signs the audit log.",
            &public,
        )
        .await?;
        Ok(public)
    }

    /// Retires a key, once it has signed together with those that stay.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for the only key, `NotAllowed`, `AuditUnavailable`.
    pub async fn audit_key_retire(&self, who: &Operator, id: &str) -> Result<(), ControlError> {
        self.may_change_keys(who, "audit_key_retired").await?;
        let audit = &self.inner.audit;
        let keys = audit.keys.read()?;
        let named = |key: &SigningKey| key.public().key().to_string() == id;
        let retired = keys.iter().find(|key| named(key));
        let retired = retired.map(|key| key.public().to_string());
        let retired = retired.ok_or_else(|| ControlError::not_found("signing key", id))?;
        if keys.len() == 1 {
            return Err(ControlError::invalid(
                "it is the only key that signs",
                "Add another one first, and keep both for a while.",
            ));
        }
        // The record of it, and with it the last checkpoint that both sign.
        self.recorded_key(
            who,
            "audit_key_retired",
            "Retired a key of the audit log.",
            &retired,
        )
        .await?;
        let left: Vec<SigningKey> = keys.into_iter().filter(|key| !named(key)).collect();
        audit.keys.write(&left)?;
        Ok(())
    }

    /// Replaces keys that were lost by a new one. Nothing vouches for it: it has to be given to
    /// whoever verifies.
    ///
    /// # Errors
    /// `Invalid` while there is a key, `NotAllowed`, `AuditUnavailable`.
    pub async fn audit_key_renew(&self, who: &Operator) -> Result<String, ControlError> {
        self.may_change_keys(who, "audit_key_renewed").await?;
        let audit = &self.inner.audit;
        if !audit.keys.read()?.is_empty() {
            return Err(ControlError::invalid(
                "there is a key that signs",
                "Add another one, then retire it.",
            ));
        }
        let newest = checkpoints::newest(&audit.read).await.map_err(reading)?;
        let origin = newest.and_then(|stored| stored.note.lines().next().map(str::to_owned));
        let key = KeyFile::fresh(&origin.ok_or_else(|| {
            ControlError::invalid("the log has no key yet", "The first one is made by itself.")
        })?)?;
        let public = key.public().clone();
        audit.keys.write(&[key])?;
        self.register(&public).await?;
        let public = public.to_string();
        let text = "Replaced the lost key of the audit log by a new one.";
        self.recorded_key(who, "audit_key_renewed", text, &public)
            .await?;
        Ok(public)
    }

    async fn may_change_keys(&self, who: &Operator, action: &str) -> Result<(), ControlError> {
        if allows(&who.grants, Permission::Administer, None) {
            return Ok(());
        }
        Err(self
            .not_allowed(who, Permission::Administer, action, None)
            .await)
    }

    async fn audit_key_ready(&self, who: &Operator) -> Result<(), ControlError> {
        let audit = &self.inner.audit;
        if !audit.keys.read()?.is_empty() || audit.checkpoint().await?.is_some() {
            return Ok(());
        }
        let draft = Draft::access(
            who,
            "audit_key_added",
            "Made the first key of the audit log.",
        );
        audit.append(draft).await.map(|_| ())
    }

    async fn recorded_key(
        &self,
        who: &Operator,
        action: &str,
        text: &str,
        public: &str,
    ) -> Result<(), ControlError> {
        let mut draft = Draft::access(who, action, text);
        draft.sent = json!({ "key": public });
        self.inner.audit.append(draft).await?;
        self.inner.audit.checkpoint().await.map(|_| ())
    }

    async fn register(&self, key: &VerifierKey) -> Result<(), ControlError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Register {
            key: key.clone(),
            reply,
        };
        self.inner
            .audit
            .give(order, answer)
            .await
            .map_err(ControlError::audit)
    }
}
