//! Local accounts: who may sign in, how, and with which grants.

use std::future::Future;

use quorate_domain::{
    audit::{Actor, Means, Outcome, Source},
    permission::{Duty, Grant, Permission, allows},
};
use quorate_drivers::Secret;
use uuid::Uuid;

use crate::{
    Account, Control, ControlError, Operator, audit::Draft, secrets,
    store::accounts::StoredAccount, wording,
};

/// How long a one-time link works, in milliseconds.
const LINK_LIFE_MS: u64 = 15 * 60_000;
pub(crate) const NAME_LONGEST: usize = 64;
const GRANTS_MOST: usize = 100;

impl Operator {
    /// Where the request came from, with the session's mark.
    pub(crate) fn source(&self) -> Source {
        let mut source = self.source.clone();
        if let Some(session) = &self.session {
            source.session = Some(session.chars().take(16).collect());
        }
        source
    }

    fn administers(&self) -> bool {
        allows(&self.grants, Permission::Administer, None)
    }
}

impl Control {
    /// # Errors
    /// `NotAllowed` for all but administrators.
    pub async fn accounts(&self, who: &Operator) -> Result<Vec<Account>, ControlError> {
        self.must_administer(who, "list_accounts").await?;
        let accounts = self.inner.store.accounts().await?;
        Ok(accounts.into_iter().map(|stored| stored.account).collect())
    }

    /// New account without password, and its one-time link secret (15 minutes, single use).
    ///
    /// # Errors
    /// `NotAllowed`, `Invalid` (name taken or not a name, no such role), `AuditUnavailable`.
    pub async fn account_create(
        &self,
        who: &Operator,
        name: &str,
        grants: Vec<Grant>,
    ) -> Result<(Account, Secret), ControlError> {
        self.must_administer(who, "account_created").await?;
        check_name(name)?;
        check_grants(&grants)?;
        if self.inner.store.account_named(name).await?.is_some() {
            return Err(ControlError::invalid(
                format!("there is an account named {name} already"),
                "Choose another name, or make a new one-time link for that account.",
            ));
        }
        let now = self.now();
        let account = Account {
            id: Uuid::now_v7().to_string(),
            name: name.to_owned(),
            grants,
            disabled: false,
            has_password: false,
            created_at: now,
            last_sign_in: None,
        };
        let secret = secrets::fresh("")?;
        let text = format!(
            "Account {name} was created: {}.",
            wording::grants(&account.grants)
        );
        let (control, added) = (self.clone(), account.clone());
        let hash = secrets::digest(secret.reveal());
        let expires_at = now.plus_ms(LINK_LIFE_MS);
        let draft = Draft::access(who, "account_created", text).of_account(name);
        self.recorded(draft, async move {
            control
                .inner
                .store
                .account_insert(&added, &hash, expires_at)
                .await
        })
        .await?;
        Ok((account, secret))
    }

    /// A new one-time link secret for an account; earlier ones stop working.
    ///
    /// # Errors
    /// `NotAllowed`, `NotFound`, `Invalid` (disabled), `AuditUnavailable`.
    pub async fn account_link(&self, who: &Operator, name: &str) -> Result<Secret, ControlError> {
        self.must_administer(who, "link_created").await?;
        let stored = self.account_named(name).await?;
        if stored.account.disabled {
            return Err(ControlError::invalid(
                format!("the account {name} is disabled"),
                "Enable it first.",
            ));
        }
        let secret = secrets::fresh("")?;
        let hash = secrets::digest(secret.reveal());
        let expires_at = self.now().plus_ms(LINK_LIFE_MS);
        let text = format!("A one-time sign-in link for {name} was made.");
        let control = self.clone();
        let draft = Draft::access(who, "link_created", text).of_account(name);
        self.recorded(draft, async move {
            control
                .inner
                .store
                .link_replace(&stored.account.id, &hash, expires_at)
                .await
        })
        .await?;
        Ok(secret)
    }

    /// Disabling ends the account's sessions and links; the tokens it made are refused for as long as
    /// it lasts.
    ///
    /// # Errors
    /// `NotAllowed`, `NotFound`, `Invalid` (the last administrator), `AuditUnavailable`.
    pub async fn account_disable(
        &self,
        who: &Operator,
        name: &str,
        disabled: bool,
    ) -> Result<(), ControlError> {
        let action = if disabled {
            "account_disabled"
        } else {
            "account_enabled"
        };
        self.must_administer(who, action).await?;
        let stored = self.account_named(name).await?;
        if stored.account.disabled == disabled {
            return Ok(());
        }
        if disabled {
            self.another_administrator(&stored.account).await?;
        }
        let state = if disabled {
            "disabled; its sessions were ended"
        } else {
            "enabled"
        };
        let text = format!("Account {name} was {state}.");
        let control = self.clone();
        let draft = Draft::access(who, action, text).of_account(name);
        self.recorded(draft, async move {
            let _settled = control.inner.moved.settled().await;
            control
                .inner
                .store
                .account_set_disabled(&stored.account.id, disabled)
                .await
        })
        .await
    }

    /// Holds at once, for sessions that are open too.
    ///
    /// # Errors
    /// `NotAllowed`, `NotFound`, `Invalid` (the last administrator), `AuditUnavailable`.
    pub async fn account_grants(
        &self,
        who: &Operator,
        name: &str,
        grants: Vec<Grant>,
    ) -> Result<(), ControlError> {
        self.must_administer(who, "account_grants").await?;
        check_grants(&grants)?;
        let stored = self.account_named(name).await?;
        if !allows(&grants, Permission::Administer, None) {
            self.another_administrator(&stored.account).await?;
        }
        let text = format!(
            "Account {name} has {} now (before: {}).",
            wording::grants(&grants),
            wording::grants(&stored.account.grants)
        );
        let control = self.clone();
        let draft = Draft::access(who, "account_grants", text).of_account(name);
        self.recorded(draft, async move {
            control
                .inner
                .store
                .account_set_grants(&stored.account.id, &grants)
                .await
        })
        .await
    }

    /// The operator for `quorate user …` and `quorate token …`: whoever may write the data
    /// directory.
    #[must_use]
    pub fn command_line_operator(&self) -> Operator {
        let person = ["SUDO_USER", "USER", "LOGNAME"]
            .iter()
            .find_map(|variable| std::env::var(variable).ok().filter(|name| !name.is_empty()));
        Operator {
            actor: Actor {
                issuer: "machine".to_owned(),
                subject: "command-line".to_owned(),
                name: person.unwrap_or_else(|| "command line".to_owned()),
                means: Means::CommandLine,
            },
            grants: crate::everywhere(&[Duty::Admin]),
            source: Source::default(),
            session: None,
        }
    }

    /// The entry first; if the act then fails, a second entry says so. Runs to its end even if
    /// the caller goes away.
    pub(crate) async fn recorded<T: Send + 'static>(
        &self,
        draft: Draft,
        act: impl Future<Output = Result<T, ControlError>> + Send + 'static,
    ) -> Result<T, ControlError> {
        let control = self.clone();
        let both = async move {
            let entry = control.inner.audit.append(draft.clone()).await?;
            let done = act.await;
            if let Err(error) = &done {
                let mut failed = draft;
                failed.intent_seq = Some(entry.seq);
                failed.outcome = Some(Outcome::Failed);
                failed.text = format!("Not done: {error}.");
                control.refused(failed).await;
            }
            done
        };
        tokio::spawn(both)
            .await
            .unwrap_or(Err(ControlError::Internal {
                doing: "changing what the store holds",
            }))
    }

    pub(crate) async fn must_administer(
        &self,
        who: &Operator,
        action: &str,
    ) -> Result<(), ControlError> {
        if who.administers() {
            return Ok(());
        }
        Err(self
            .not_allowed(who, Permission::Administer, action, None)
            .await)
    }

    async fn account_named(&self, name: &str) -> Result<StoredAccount, ControlError> {
        let found = self.inner.store.account_named(name).await?;
        found.ok_or_else(|| ControlError::not_found("account", name))
    }

    /// Whoever takes an administrator away must leave another one who can sign in.
    async fn another_administrator(&self, taken: &Account) -> Result<(), ControlError> {
        if taken.disabled || !allows(&taken.grants, Permission::Administer, None) {
            return Ok(());
        }
        let left = self
            .inner
            .store
            .accounts()
            .await?
            .into_iter()
            .any(|stored| {
                let account = stored.account;
                account.id != taken.id
                    && !account.disabled
                    && allows(&account.grants, Permission::Administer, None)
            });
        if left {
            return Ok(());
        }
        Err(ControlError::invalid(
            "this is the last administrator",
            "Give another account the role admin on every cluster first.",
        ))
    }
}

/// Names of accounts and tokens: `a-z`, `0-9`, `.`, `_` and `-`, at most 64 of them.
pub(crate) fn check_name(name: &str) -> Result<(), ControlError> {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
    };
    if (1..=NAME_LONGEST).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(ControlError::invalid(
        "a name is 1 to 64 of the characters a to z, 0 to 9, dot, underscore and hyphen",
        "Choose another name.",
    ))
}

/// Each grant names at least one cluster; lists stay small.
pub(crate) fn check_grants(grants: &[Grant]) -> Result<(), ControlError> {
    let good = |text: &String| {
        !text.is_empty() && text.len() <= 256 && !text.chars().any(crate::escape::steers)
    };
    let sound = grants.len() <= GRANTS_MOST
        && grants.iter().all(|grant| {
            (1..=GRANTS_MOST).contains(&grant.clusters.len())
                && grant.tags.len() <= GRANTS_MOST
                && grant.clusters.iter().chain(&grant.tags).all(good)
        });
    if sound {
        return Ok(());
    }
    Err(ControlError::invalid(
        "a grant names no cluster, or too many",
        "Name the clusters it holds for, or `*` for all of them.",
    ))
}
