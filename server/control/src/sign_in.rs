//! Signing in and out, one's own password, and who a session stands for.

use quorate_domain::audit::{Actor, EntryKind, Means, Outcome, Source};
use quorate_drivers::Secret;

use crate::{
    Account, Control, ControlError, Operator,
    accounts::{NAME_LONGEST, check_name},
    audit::{Draft, nobody},
    passwords, secrets,
    store::accounts::StoredAccount,
};

impl Control {
    /// One's own password. `current` is needed if there is one. Ends one's other sessions.
    ///
    /// # Errors
    /// `NotSignedIn` for tokens, `SignInFailed` (wrong current password), `Throttled`,
    /// `Invalid` (not acceptable, with what is), `AuditUnavailable`.
    pub async fn password_set(
        &self,
        who: &Operator,
        current: Option<Secret>,
        new: Secret,
    ) -> Result<(), ControlError> {
        let stored = self.own_account(who).await?;
        let account = stored.account;
        // A one-time link is how an administrator lets somebody in who has forgotten it.
        let forgotten = who.actor.means == Means::SignInLink;
        if let Some(password) = stored.password.filter(|_| !forgotten) {
            let address = who.source.address().to_owned();
            self.throttled(&account.name, &address)?;
            let given = current.ok_or(ControlError::SignInFailed)?;
            if !self
                .inner
                .passwords
                .verify(given, Some(password))
                .await?
                .right
            {
                let mut draft =
                    Draft::refusal(who, "password_set", "The current password was wrong.");
                draft.kind = EntryKind::Access;
                draft.outcome = Some(Outcome::Failed);
                self.refused(draft).await;
                return Err(ControlError::SignInFailed);
            }
            self.inner.throttle.succeeded(&account.name, &address);
        }
        passwords::acceptable(&new, &account.name)?;
        let hash = self.inner.passwords.hash(new).await?;
        let text = format!(
            "{} set a new password; other sessions were ended.",
            account.name
        );
        let (control, keep) = (self.clone(), who.session.clone());
        let draft = Draft::access(who, "password_set", text).of_account(&account.name);
        self.recorded(draft, async move {
            let _settled = control.inner.moved.settled().await;
            control
                .inner
                .store
                .password_set(&account.id, &hash, keep.as_deref())
                .await
        })
        .await
    }

    /// Whether the signed-in account has a password yet.
    ///
    /// # Errors
    /// `NotSignedIn` for tokens and for accounts that are gone.
    pub async fn has_password(&self, who: &Operator) -> Result<bool, ControlError> {
        Ok(self.own_account(who).await?.account.has_password)
    }

    /// Throttled per account and address; the same work and answer for unknown names.
    ///
    /// # Errors
    /// `SignInFailed`, `Throttled`, `AuditUnavailable`.
    pub async fn sign_in(
        &self,
        name: &str,
        password: Secret,
        source: &Source,
    ) -> Result<Account, ControlError> {
        let name: String = name.trim().chars().take(NAME_LONGEST + 1).collect();
        let address = source.address();
        if let Err(error) = self.throttled(&name, address) {
            self.sign_in_failed(&name, "too many attempts", source)
                .await;
            return Err(error);
        }
        let found = self.inner.store.account_named(&name).await?;
        let hash = found.as_ref().and_then(|stored| stored.password.clone());
        let verified = self.inner.passwords.verify(password, hash.clone()).await?;
        let known = found.filter(|stored| verified.right && !stored.account.disabled);
        let Some(stored) = known else {
            self.sign_in_failed(&name, "name or password was wrong", source)
                .await;
            return Err(ControlError::SignInFailed);
        };
        if let (Some(new), Some(old)) = (verified.renewed, hash) {
            self.inner
                .store
                .password_rehashed(&stored.account.id, &old, &new)
                .await?;
        }
        self.inner.throttle.succeeded(&name, address);
        self.signed_in(stored.account, Means::Password, source)
            .await
    }

    /// Uses up a one-time link.
    ///
    /// # Errors
    /// `SignInFailed` (used up, expired, never made), `Throttled`, `AuditUnavailable`.
    pub async fn sign_in_by_link(
        &self,
        secret: Secret,
        source: &Source,
    ) -> Result<Account, ControlError> {
        let address = source.address();
        self.throttled("(link)", address)?;
        let hash = secrets::digest(secret.reveal());
        let found = self.inner.store.link_account(&hash, self.now()).await?;
        let used = match &found {
            Some(_) => self.inner.store.link_use_up(&hash, self.now()).await?,
            None => false,
        };
        let Some(stored) = found.filter(|_| used) else {
            self.sign_in_failed(
                "(link)",
                "the link was used up, expired or never made",
                source,
            )
            .await;
            return Err(ControlError::SignInFailed);
        };
        self.inner.throttle.succeeded("(link)", address);
        self.signed_in(stored.account, Means::SignInLink, source)
            .await
    }

    /// Records that `who` signed out; the session itself is ended by its store.
    ///
    /// # Errors
    /// `AuditUnavailable`; the session is to be ended all the same.
    pub async fn signed_out(&self, who: &Operator) -> Result<(), ControlError> {
        let text = format!("{} signed out.", who.actor.name);
        self.inner
            .audit
            .append(Draft::access(who, "sign_out", text))
            .await
            .map(|_| ())
    }

    /// The operator of a session's account id as it stands now; `None` if disabled or gone. `means`
    /// is how that session began.
    ///
    /// # Errors
    /// `Store`.
    pub async fn operator(
        &self,
        account: &str,
        means: Means,
        session_hash: &str,
        source: Source,
    ) -> Result<Option<Operator>, ControlError> {
        let found = self.inner.store.account(account).await?;
        Ok(found
            .filter(|stored| !stored.account.disabled)
            .map(|stored| Operator {
                actor: actor(&stored.account, means),
                grants: stored.account.grants,
                source,
                session: Some(session_hash.to_owned()),
            }))
    }

    async fn signed_in(
        &self,
        mut account: Account,
        means: Means,
        source: &Source,
    ) -> Result<Account, ControlError> {
        let by = if means == Means::SignInLink {
            "a one-time link"
        } else {
            "password"
        };
        let mut draft = Draft::new(
            EntryKind::Access,
            "sign_in",
            actor(&account, means),
            source.clone(),
            format!("{} signed in by {by}.", account.name),
        );
        draft.outcome = Some(Outcome::Succeeded);
        self.inner.audit.append(draft).await?;
        let now = self.now();
        self.inner.store.account_signed_in(&account.id, now).await?;
        account.last_sign_in = Some(now);
        Ok(account)
    }

    async fn sign_in_failed(&self, name: &str, why: &str, source: &Source) {
        metrics::counter!("quorate_sign_in_failures_total").increment(1);
        if !self.inner.flood.admits("sign_in", source.address()) {
            metrics::counter!("quorate_audit_suppressed_total").increment(1);
            return;
        }
        // What was typed as a name may be a password typed into the wrong field.
        let shown = if check_name(name).is_ok() || name == "(link)" {
            name
        } else {
            "(not a name)"
        };
        let mut draft = Draft::new(
            EntryKind::Access,
            "sign_in",
            nobody(shown),
            source.clone(),
            format!("Sign-in as {shown} failed: {why}."),
        );
        draft.outcome = Some(Outcome::Failed);
        self.refused(draft).await;
    }

    pub(crate) fn throttled(&self, account: &str, address: &str) -> Result<(), ControlError> {
        self.inner
            .throttle
            .take(account, address, self.now())
            .map_err(|seconds| ControlError::Throttled { seconds })
    }

    pub(crate) async fn own_account(&self, who: &Operator) -> Result<StoredAccount, ControlError> {
        let by_session = matches!(who.actor.means, Means::Password | Means::SignInLink);
        let found = if by_session {
            self.inner.store.account(&who.actor.subject).await?
        } else {
            None
        };
        found
            .filter(|stored| !stored.account.disabled)
            .ok_or(ControlError::NotSignedIn)
    }
}

fn actor(account: &Account, means: Means) -> Actor {
    Actor {
        issuer: "local".to_owned(),
        subject: account.id.clone(),
        name: account.name.clone(),
        means,
    }
}
