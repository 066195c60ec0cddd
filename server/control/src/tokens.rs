//! API tokens: `qt_…`, shown once, kept as a digest, bounded in time and in grants.

use std::time::Duration;

use quorate_domain::{
    audit::{Actor, Means, Source},
    permission::{Duty, Grant, Permission, allows},
};
use quorate_drivers::Secret;
use uuid::Uuid;

use crate::{
    Control, ControlError, Operator, Token,
    accounts::{check_grants, check_name},
    audit::Draft,
    secrets,
    store::tokens::StoredToken,
    wording,
};

const PREFIX: &str = "qt_";
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// How coarse "last used" is, in milliseconds: reads must not write each time.
const USE_NOTED_EVERY_MS: u64 = 60_000;

impl Control {
    /// All tokens for administrators, else those `who` made; each with what it holds now.
    ///
    /// # Errors
    /// `Store`.
    pub async fn tokens(&self, who: &Operator) -> Result<Vec<Token>, ControlError> {
        let all = allows(&who.grants, Permission::Administer, None);
        let stored = self.inner.store.tokens().await?;
        let mine = stored
            .into_iter()
            .filter(|stored| all || stored.creator == who.key());
        let mut shown = Vec::new();
        for stored in mine {
            shown.push(self.as_held(stored).await?);
        }
        Ok(shown)
    }

    /// One that was revoked is shown as it was.
    async fn as_held(&self, stored: StoredToken) -> Result<Token, ControlError> {
        if stored.token.revoked {
            return Ok(stored.token);
        }
        let held = self.handed_on(&stored).await?.unwrap_or_default();
        let mut token = stored.token;
        token.cut = held != token.grants;
        token.grants = held;
        Ok(token)
    }

    /// The token's secret (`qt_…`) is shown once. Nobody can hand on more than they hold.
    ///
    /// # Errors
    /// `NotAllowed`, `Invalid` (name, grants or life), `AuditUnavailable`.
    pub async fn token_create(
        &self,
        who: &Operator,
        name: &str,
        grants: Vec<Grant>,
        life: Duration,
    ) -> Result<(Token, Secret), ControlError> {
        let may = grants.iter().all(|wanted| may_hand_on(&who.grants, wanted));
        // Who administers nothing makes no token, not even one that may do nothing.
        let administers = who.grants.iter().any(|grant| grant.role == Duty::Admin);
        if !(administers && may) {
            let permission = Permission::Administer;
            return Err(self
                .not_allowed(who, permission, "token_created", None)
                .await);
        }
        check_name(name)?;
        check_grants(&grants)?;
        check_life(life)?;
        let taken = self.inner.store.token_named(name).await?;
        if taken.is_some_and(|stored| stored.token.name == name && !stored.token.revoked) {
            return Err(ControlError::invalid(
                format!("there is a token named {name} already"),
                "Choose another name, or revoke that token first.",
            ));
        }
        let now = self.now();
        let token = Token {
            id: Uuid::now_v7().to_string(),
            name: name.to_owned(),
            grants,
            created_at: now,
            expires_at: now.plus_ms(u64::try_from(life.as_millis()).unwrap_or(u64::MAX)),
            last_used: None,
            revoked: false,
            cut: false,
        };
        let secret = secrets::fresh(PREFIX)?;
        let text = format!(
            "Token {name} was created until {}: {}.",
            token.expires_at.day(),
            wording::grants(&token.grants)
        );
        let hash = secrets::digest(secret.reveal());
        let (control, added, creator) = (self.clone(), token.clone(), who.key());
        self.recorded(Draft::access(who, "token_created", text), async move {
            control
                .inner
                .store
                .token_insert(&added, &hash, &creator)
                .await
        })
        .await?;
        Ok((token, secret))
    }

    /// # Errors
    /// `NotAllowed` for others' tokens without administering, `NotFound`, `AuditUnavailable`.
    pub async fn token_revoke(&self, who: &Operator, id_or_name: &str) -> Result<(), ControlError> {
        let found = self.inner.store.token_named(id_or_name).await?;
        let own = found
            .as_ref()
            .is_some_and(|stored| stored.creator == who.key());
        if !own {
            self.must_administer(who, "token_revoked").await?;
        }
        let stored = found.ok_or_else(|| ControlError::not_found("token", id_or_name))?;
        if stored.token.revoked {
            return Ok(());
        }
        let text = format!("Token {} was revoked.", stored.token.name);
        let control = self.clone();
        self.recorded(Draft::access(who, "token_revoked", text), async move {
            let now = control.now();
            control
                .inner
                .store
                .token_revoke(&stored.token.id, now)
                .await
        })
        .await
    }

    /// The operator behind a bearer token, or `NotSignedIn`. Its roles are those that whoever made it
    /// could still hand on.
    ///
    /// # Errors
    /// `NotSignedIn` (unknown, expired, revoked, its maker's account disabled), `Store`.
    pub async fn operator_by_token(
        &self,
        secret: &Secret,
        source: Source,
    ) -> Result<Operator, ControlError> {
        // No other bearer value is ever taken for one of ours.
        if !secret.reveal().starts_with(PREFIX) || secret.reveal().len() > 128 {
            return Err(ControlError::NotSignedIn);
        }
        let now = self.now();
        let found = self
            .inner
            .store
            .token_by_hash(&secrets::digest(secret.reveal()))
            .await?;
        let live = found.filter(|stored| !stored.token.revoked && stored.token.expires_at > now);
        let live = live.ok_or(ControlError::NotSignedIn)?;
        let grants = self.handed_on(&live).await?;
        let grants = grants.ok_or(ControlError::NotSignedIn)?;
        let token = live.token;
        if token
            .last_used
            .is_none_or(|last| now.since(last) > USE_NOTED_EVERY_MS)
        {
            // Being able to read does not depend on being able to write.
            if let Err(error) = self.inner.store.token_used(&token.id, now).await {
                tracing::warn!(%error, "the use of a token could not be noted");
            }
        }
        Ok(Operator {
            actor: Actor {
                issuer: "local".to_owned(),
                subject: token.id,
                name: token.name,
                means: Means::Token,
            },
            grants,
            source,
            session: None,
        })
    }

    /// What a token holds now: of its roles those that whoever made it could still hand on; `None`
    /// once that account is disabled. Of who is no account of this console (whoever made it at the
    /// console's own machine, and people behind a sign-on) nobody can tell: its roles are its own.
    pub(crate) async fn handed_on(
        &self,
        stored: &StoredToken,
    ) -> Result<Option<Vec<Grant>>, ControlError> {
        let grants = stored.token.grants.clone();
        Ok(match self.inner.store.account(&stored.creator).await? {
            None => Some(grants),
            Some(maker) if maker.account.disabled => None,
            Some(maker) => Some(still_held(&maker.account.grants, grants)),
        })
    }
}

/// Administrators of everything may hand on anything; administrators of some clusters what
/// they hold themselves.
fn may_hand_on(held: &[Grant], wanted: &Grant) -> bool {
    if allows(held, Permission::Administer, None) {
        return true;
    }
    held.iter().any(|grant| grant.role == Duty::Admin) && covered(held, wanted)
}

/// Of these roles what `maker` may still hand on, cluster by cluster.
fn still_held(maker: &[Grant], mut grants: Vec<Grant>) -> Vec<Grant> {
    for grant in &mut grants {
        let (role, tags) = (grant.role, grant.tags.clone());
        grant.clusters.retain(|cluster| {
            let there = Grant {
                role,
                clusters: vec![cluster.clone()],
                tags: tags.clone(),
            };
            may_hand_on(maker, &there)
        });
    }
    grants.retain(|grant| !grant.clusters.is_empty());
    grants
}

fn covered(held: &[Grant], wanted: &Grant) -> bool {
    wanted.clusters.iter().all(|cluster| {
        held.iter().any(|grant| {
            let role = grant.role == wanted.role || grant.role == Duty::Admin && below(wanted.role);
            let place = grant
                .clusters
                .iter()
                .any(|name| name == "*" || name == cluster);
            let tags = grant.tags.is_empty()
                || (!wanted.tags.is_empty()
                    && wanted.tags.iter().all(|tag| grant.tags.contains(tag)));
            role && place && tags
        })
    })
}

/// Roles whose every permission an admin has as well.
const fn below(role: Duty) -> bool {
    matches!(role, Duty::Viewer | Duty::Operator | Duty::Auditor)
}

fn check_life(life: Duration) -> Result<(), ControlError> {
    if (SHORTEST_LIFE..=LONGEST_LIFE).contains(&life) {
        return Ok(());
    }
    Err(ControlError::invalid(
        "a token lives for at least a minute and at most 366 days",
        "Give a life between the two; make a new token when it ends.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(role: Duty, cluster: &str, tags: &[&str]) -> Grant {
        Grant {
            role,
            clusters: vec![cluster.to_owned()],
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        }
    }

    #[test]
    fn nobody_hands_on_more_than_they_hold() {
        let held = [
            grant(Duty::Admin, "blue", &[]),
            grant(Duty::Admin, "*", &["test"]),
        ];
        for (wanted, expected) in [
            (grant(Duty::Operator, "blue", &[]), true),
            (grant(Duty::Admin, "blue", &["prod"]), true),
            (grant(Duty::Approver, "blue", &[]), false),
            (grant(Duty::Viewer, "green", &[]), false),
            (grant(Duty::Viewer, "green", &["test"]), true),
            (grant(Duty::Viewer, "green", &["test", "prod"]), false),
            (grant(Duty::Viewer, "*", &[]), false),
        ] {
            assert_eq!(covered(&held, &wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn a_token_keeps_of_its_roles_what_its_maker_could_still_hand_on() {
        let both = Grant {
            role: Duty::Operator,
            clusters: vec!["blue".to_owned(), "green".to_owned()],
            tags: Vec::new(),
        };
        let approver = grant(Duty::Approver, "*", &[]);
        let grants = || vec![both.clone(), approver.clone()];
        let root = [grant(Duty::Admin, "*", &[])];
        assert_eq!(still_held(&root, grants()), grants());
        let of_blue = [grant(Duty::Admin, "blue", &[])];
        let left = still_held(&of_blue, grants());
        assert_eq!(left, [grant(Duty::Operator, "blue", &[])]);
        for nothing in [
            vec![],
            vec![grant(Duty::Operator, "*", &[])],
            vec![grant(Duty::Approver, "*", &[])],
        ] {
            assert_eq!(still_held(&nothing, grants()), [], "{nothing:?}");
        }
        let may_approve = [grant(Duty::Admin, "blue", &[]), approver.clone()];
        assert!(still_held(&may_approve, grants()).contains(&approver));
    }
}
