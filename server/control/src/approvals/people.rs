//! Who the person is behind an account or a token, who may approve, and whether a word that was
//! given still counts.

use quorate_domain::{
    audit::{Actor, Means},
    permission::{Grant, Permission, allows},
};

use super::NAMES_MOST;
use crate::{Control, ControlError, Operator, asserted, watch::Watched};

/// What tokens made at the console's own machine are kept under: of those nobody can tell who
/// holds them, so each is a person of its own.
const MACHINE: &str = "command-line";

impl Control {
    /// One text for one person: a token is whoever made it.
    pub(crate) async fn person(&self, actor: &Actor) -> Result<String, ControlError> {
        let own = format!("{}\n{}", actor.issuer, asserted::key(actor));
        if actor.means != Means::Token {
            return Ok(own);
        }
        let stored = self.inner.store.token_named(&actor.subject).await?;
        let creator = stored
            .filter(|stored| stored.token.id == actor.subject)
            .map(|stored| stored.creator)
            .filter(|creator| creator != MACHINE);
        Ok(match creator {
            // An issuer's subject is kept as two lines, a local account's id as one.
            Some(creator) => match creator.split_once('\n') {
                Some((_, issuer)) => format!("{issuer}\n{creator}"),
                None => format!("local\n{creator}"),
            },
            None => own,
        })
    }

    /// What the actor may do now; `None` where only a sign-on elsewhere could say.
    pub(super) async fn grants_now(
        &self,
        actor: &Actor,
    ) -> Result<Option<Vec<Grant>>, ControlError> {
        match actor.means {
            Means::Password | Means::SignInLink => self.account_grants_now(&actor.subject).await,
            Means::Token => {
                let stored = self.inner.store.token_named(&actor.subject).await?;
                let now = self.now();
                let live = stored.filter(|stored| {
                    let token = &stored.token;
                    token.id == actor.subject && !token.revoked && token.expires_at > now
                });
                let Some(live) = live else {
                    return Ok(Some(Vec::new()));
                };
                Ok(Some(self.handed_on(&live).await?.unwrap_or_default()))
            }
            _ => Ok(None),
        }
    }

    async fn account_grants_now(&self, id: &str) -> Result<Option<Vec<Grant>>, ControlError> {
        // Somebody signed in whom no account stands for is not of this store: as signed in.
        let Some(stored) = self.inner.store.account(id).await? else {
            return Ok(None);
        };
        let account = stored.account;
        Ok(Some(match account.disabled {
            true => Vec::new(),
            false => account.grants,
        }))
    }

    /// Whether `actor` may approve on this cluster now, as far as this console can tell.
    pub(super) async fn still_approves(
        &self,
        actor: &Actor,
        watched: &Watched,
    ) -> Result<bool, ControlError> {
        let grants = self.grants_now(actor).await?;
        let place = Some(watched.place());
        Ok(grants.is_none_or(|grants| allows(&grants, Permission::Approve, place)))
    }

    /// Who may approve there beside `who`, in words; the first of them only.
    pub(super) async fn approvers(
        &self,
        who: &Operator,
        watched: &Watched,
    ) -> Result<Vec<String>, ControlError> {
        let place = || Some(watched.place());
        let may = |grants: &[Grant]| allows(grants, Permission::Approve, place());
        let accounts = self.inner.store.accounts().await?.into_iter();
        let accounts = accounts
            .map(|stored| stored.account)
            .filter(|account| !account.disabled && account.id != who.actor.subject)
            .filter(|account| may(&account.grants))
            .map(|account| account.name);
        let (me, now) = (self.person(&who.actor).await?, self.now());
        let mut tokens = Vec::new();
        for stored in self.inner.store.tokens().await? {
            let token = &stored.token;
            let live = !token.revoked && token.expires_at > now && may(&token.grants);
            let mine = me.ends_with(&stored.creator) || token.id == who.actor.subject;
            if !live || mine {
                continue;
            }
            let held = self.handed_on(&stored).await?;
            if held.is_some_and(|grants| may(&grants)) {
                tokens.push(format!("the token {}", token.name));
            }
        }
        let granted = self.inner.approvals.granted.iter();
        let granted = granted
            .filter(|(_, grant)| may(std::slice::from_ref(grant)))
            .map(|(whom, _)| whom.clone());
        Ok(granted
            .chain(accounts)
            .chain(tokens)
            .take(NAMES_MOST)
            .collect())
    }
}
