//! A person's passkeys: made, named, used, listed, removed. A new one needs a proof by an earlier
//! way; where there is none yet, as at first behind a sign-on proxy, the first one is taken as it
//! comes, and stands in the log. So that it stays the first, nobody takes away the last thing they
//! themselves could prove anything by.

use std::time::Instant;

use quorate_domain::{
    moment::Timestamp,
    permission::{Permission, allows},
};
use rand::{TryRngCore as _, rngs::OsRng};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    Assertion, Attestation, Deed, Evidence, Method, ProofId, Rules, Site, Verified, encoded,
    holder, webauthn,
};
use crate::{
    Control, ControlError, Operator, asserted::shown, audit::Draft, store::passkeys::StoredPasskey,
};

/// The most passkeys one person has.
const MOST: usize = 10;
const NAME_LONGEST: usize = 64;
/// How the names of questions begin under which passkeys are made, and of those that nothing was
/// proved for: they make a first passkey and no other.
const MAKE: &str = "make-";
const MAKE_FIRST: &str = "make-first-";

/// A passkey in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    pub id: String,
    pub name: String,
    /// Whose, as people read it.
    pub person: String,
    pub own: bool,
    pub created_at: Timestamp,
    pub last_used: Option<Timestamp>,
}

/// What a browser needs to have a passkey used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyChallenge {
    pub site: String,
    pub challenge: String,
    /// The person's keys.
    pub credentials: Vec<String>,
}

/// What a browser needs to have a passkey made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub site: String,
    pub challenge: String,
    /// The person, without telling who it is.
    pub user: String,
    pub user_name: String,
    pub name: String,
    /// Kinds of keys, by their COSE numbers.
    pub kinds: Vec<i32>,
    /// Keys that are there already: the same device is not taken twice.
    pub credentials: Vec<String>,
}

impl Control {
    /// One's own passkeys; everybody's for those who may administer.
    ///
    /// # Errors
    /// `Store`.
    pub async fn passkeys(&self, who: &Operator) -> Result<Vec<Passkey>, ControlError> {
        let all = allows(&who.grants, Permission::Administer, None);
        let names: std::collections::HashMap<String, String> = self
            .inner
            .store
            .accounts()
            .await?
            .into_iter()
            .map(|stored| (stored.account.id, stored.account.name))
            .collect();
        let own = who.key();
        let stored = match all {
            true => self.inner.store.passkeys().await?,
            false => self.inner.store.passkeys_of(&own).await?,
        };
        let listed = stored.into_iter().map(|stored| Passkey {
            own: stored.person == own,
            person: names
                .get(&stored.person)
                .cloned()
                .unwrap_or_else(|| shown(&stored.person)),
            id: stored.id,
            name: stored.name,
            created_at: stored.created_at,
            last_used: stored.last_used,
        });
        Ok(listed.collect())
    }

    /// Whether passkeys can be made at this console's address.
    #[must_use]
    pub fn passkeys_possible(&self) -> bool {
        self.rules().site.is_some()
    }

    /// Begins a new passkey: the name of the question under which it is made. Whoever has a way to
    /// prove something proves by it first.
    ///
    /// # Errors
    /// `StepUpNeeded`, `Invalid` (name, too many, none here), `NotSignedIn` without a session, `Store`.
    pub async fn passkey_begin(
        &self,
        who: &Operator,
        name: &str,
        proof: Option<&ProofId>,
    ) -> Result<String, ControlError> {
        self.site()?;
        let name = named(name)?;
        let keys = self.inner.store.passkeys_of(&who.key()).await?;
        if keys.len() >= MOST {
            return Err(ControlError::invalid(
                format!("you have {MOST} passkeys already"),
                "Remove one that you do not use any more.",
            ));
        }
        if keys.iter().any(|key| key.name == name) {
            return Err(ControlError::invalid(
                format!("you have a passkey named {name} already"),
                "Choose another name.",
            ));
        }
        let deed = Deed::Passkey { name };
        let unproved = self.ways(who).await?.is_empty();
        if !unproved {
            self.stepped_up(who, &deed, proof).await?;
        }
        let begins = match unproved && keys.is_empty() {
            true => MAKE_FIRST,
            false => MAKE,
        };
        let holder = holder(who).ok_or(ControlError::NotSignedIn)?;
        let id = crate::secrets::fresh(begins)?.reveal().to_owned();
        let ledger = &self.inner.step_up;
        ledger.ask(id.clone(), holder, deed, Instant::now());
        Ok(id)
    }

    /// What the browser needs to make the passkey begun as `id`; each call makes the one before void.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Store`.
    pub async fn passkey_offer(&self, who: &Operator, id: &str) -> Result<Offer, ControlError> {
        let (name, digest) = self.begun(who, id)?;
        let site = self.site()?;
        let nonce = nonce()?;
        self.inner.step_up.challenged(id, nonce);
        let key = who.key();
        let keys = self.inner.store.passkeys_of(&key).await?;
        Ok(Offer {
            site: site.id,
            challenge: encoded(&webauthn::challenge(&digest, &nonce)),
            user: encoded(&Sha256::digest(key.as_bytes())),
            user_name: who.actor.name.clone(),
            name,
            kinds: webauthn::KINDS.to_vec(),
            credentials: keys.into_iter().map(|key| key.credential).collect(),
        })
    }

    /// The passkey begun as `id` was made.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (what was brought is not believed), `AuditUnavailable`, `Store`.
    pub async fn passkey_add(
        &self,
        who: &Operator,
        id: &str,
        attestation: &Attestation,
    ) -> Result<(), ControlError> {
        let (name, digest) = self.begun(who, id)?;
        let site = self.site()?;
        let nonce = self.inner.step_up.take_nonce(id);
        self.take_try(id)?;
        let made = nonce
            .ok_or(webauthn::Doubt::Challenge)
            .map(|nonce| webauthn::challenge(&digest, &nonce))
            .and_then(|challenge| webauthn::made(&site, &challenge, attestation));
        let made = match made {
            Ok(made) => made,
            Err(doubt) => return Err(self.not_added(who, &name, doubt).await),
        };
        if !self.inner.step_up.answered(id) {
            return Err(over());
        }
        let stored = StoredPasskey {
            id: Uuid::now_v7().to_string(),
            credential: encoded(&made.credential),
            person: who.key(),
            name,
            key: made.key,
            counter: made.counter,
            created_at: self.now(),
            last_used: None,
        };
        let text = format!("{} added the passkey {}.", who.actor.name, stored.name);
        let mut draft = Draft::access(who, "passkey_added", text);
        draft.sent = json!({ "passkey": stored.name, "credential": stored.credential });
        draft.received = json!({ "public_key": encoded(&stored.key) });
        let most = if id.starts_with(MAKE_FIRST) { 1 } else { MOST };
        let control = self.clone();
        self.recorded(draft, async move {
            if control.inner.store.passkey_insert(&stored, most).await? {
                return Ok(());
            }
            Err(ControlError::invalid(
                "there is such a passkey already, or there are too many",
                "Use the one that is there, or another device.",
            ))
        })
        .await
    }

    /// Removes one's own passkey; anybody's for those who may administer. One's own last one stays
    /// where there is nothing else to prove oneself by: with it gone, whoever holds the session would
    /// add another as the first.
    ///
    /// # Errors
    /// `NotAllowed`, `NotFound`, `Invalid` (the last one), `AuditUnavailable`, `Store`.
    pub async fn passkey_remove(&self, who: &Operator, id: &str) -> Result<(), ControlError> {
        let found = self.inner.store.passkey(id).await?;
        let own = found.as_ref().is_some_and(|key| key.person == who.key());
        if !own {
            self.must_administer(who, "passkey_removed").await?;
        }
        let key = found.ok_or_else(|| ControlError::not_found("passkey", id))?;
        let keep_one = own && self.ways(who).await? == [Method::Passkey];
        if keep_one && self.inner.store.passkeys_of(&key.person).await?.len() == 1 {
            return Err(self.last_one(who, &key.name).await);
        }
        let whose = match own {
            true => "their own".to_owned(),
            false => shown(&key.person),
        };
        let name = &who.actor.name;
        let text = format!("{name} removed the passkey {} ({whose}).", key.name);
        let draft = Draft::access(who, "passkey_removed", text);
        let mut draft = match own {
            true => draft,
            false => draft.naming(&whose),
        };
        draft.sent = json!({ "passkey": key.name, "credential": key.credential });
        let control = self.clone();
        self.recorded(draft, async move {
            let store = &control.inner.store;
            if store.passkey_remove(&key.id, keep_one).await? || !keep_one {
                return Ok(());
            }
            Err(stays())
        })
        .await
    }

    async fn last_one(&self, who: &Operator, name: &str) -> ControlError {
        let text = format!(
            "Refused: the passkey {name} is the last thing {} could prove anything by.",
            who.actor.name
        );
        self.refused(Draft::refusal(who, "passkey_removed", text))
            .await;
        stays()
    }

    /// What the browser needs to answer `ask` by a passkey; `None` where that is no way. Each call
    /// makes the challenge before void.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn step_up_challenge(
        &self,
        who: &Operator,
        ask: &str,
    ) -> Result<Option<PasskeyChallenge>, ControlError> {
        let found = self.put_to(who, ask)?;
        let Some(site) = self.rules().site else {
            return Ok(None);
        };
        if !self.ways(who).await?.contains(&Method::Passkey) {
            return Ok(None);
        }
        let nonce = nonce()?;
        self.inner.step_up.challenged(ask, nonce);
        let keys = self.inner.store.passkeys_of(&who.key()).await?;
        Ok(Some(PasskeyChallenge {
            site: site.id,
            challenge: encoded(&webauthn::challenge(&found.digest, &nonce)),
            credentials: keys.into_iter().map(|key| key.credential).collect(),
        }))
    }

    /// Proves it by a passkey that has signed the challenge made for `ask`.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (not by this method), `SignInFailed` (it proves nothing; the log says
    /// why), `Store`.
    pub async fn step_up_by_passkey(
        &self,
        who: &Operator,
        ask: &str,
        assertion: &Assertion,
    ) -> Result<Verified, ControlError> {
        let found = self.put_to(who, ask)?;
        self.must_be_a_way(who, Method::Passkey).await?;
        let site = self.site()?;
        // Used up by the answer, whatever it is.
        let nonce = self.inner.step_up.take_nonce(ask);
        self.take_try(ask)?;
        let keys = self.inner.store.passkeys_of(&who.key()).await?;
        let credential = encoded(&assertion.credential);
        let judged = match (
            nonce,
            keys.into_iter().find(|key| key.credential == credential),
        ) {
            (None, _) => Err(webauthn::Doubt::Challenge.to_string()),
            (_, None) => Err("the passkey is none of theirs".to_owned()),
            (Some(nonce), Some(key)) => {
                let challenge = webauthn::challenge(&found.digest, &nonce);
                webauthn::used(&site, &challenge, &key.key, key.counter, assertion)
                    .map(|counter| (nonce, key, counter))
                    .map_err(|doubt| doubt.to_string())
            }
        };
        let method = Some(Method::Passkey);
        let (nonce, key, counter) = match judged {
            Ok(judged) => judged,
            Err(why) => {
                self.step_up_doubted(who, &found.deed, method, &why).await;
                return Err(ControlError::SignInFailed);
            }
        };
        let (id, before) = (&key.id, key.counter);
        let store = &self.inner.store;
        if !store.passkey_used(id, before, counter, self.now()).await? {
            let why = "the passkey was removed or used elsewhere at the same time";
            self.step_up_doubted(who, &found.deed, method, why).await;
            return Err(ControlError::SignInFailed);
        }
        let mut evidence = Evidence::of(Method::Passkey);
        evidence.signed = json!({
            "credential": key.credential, "public_key": encoded(&key.key),
            "nonce": encoded(&nonce), "client_data": encoded(&assertion.client_data),
            "authenticator_data": encoded(&assertion.authenticator_data),
            "signature": encoded(&assertion.signature),
        });
        evidence.ground = Some(key.id);
        evidence.key = Some(key.name);
        self.verified(who, ask, found, evidence)
    }

    fn begun(&self, who: &Operator, id: &str) -> Result<(String, [u8; 32]), ControlError> {
        let found = self.put_to(who, id)?;
        match found.deed {
            // A question that waits for a proof is none yet.
            Deed::Passkey { name } if id.starts_with(MAKE) => Ok((name, found.digest)),
            _ => Err(over()),
        }
    }

    async fn not_added(&self, who: &Operator, name: &str, doubt: webauthn::Doubt) -> ControlError {
        let text = format!("The passkey {name} was not added: {doubt}.");
        let mut draft = Draft::access(who, "passkey_added", text);
        draft.outcome = Some(quorate_domain::audit::Outcome::Failed);
        if self
            .inner
            .flood
            .admits("passkey_added", who.source.address())
        {
            self.refused(draft).await;
        }
        ControlError::invalid(
            format!("the passkey was not added: {doubt}"),
            "Begin anew; the device must verify you, by a PIN or a finger.",
        )
    }

    fn site(&self) -> Result<Site, ControlError> {
        let Rules { site, .. } = self.rules();
        site.ok_or_else(|| {
            ControlError::invalid(
                "browsers know no passkeys at this console's address",
                "They need https and a name: see `server.external_url`.",
            )
        })
    }
}

fn stays() -> ControlError {
    ControlError::invalid(
        "it is the last thing you could prove anything by",
        "Add another passkey first, or have an administrator remove this one.",
    )
}

fn over() -> ControlError {
    ControlError::NotFound {
        what: "question",
        name: "it any more".to_owned(),
    }
}

fn named(name: &str) -> Result<String, ControlError> {
    let name = name.trim();
    let sound = (1..=NAME_LONGEST).contains(&name.chars().count())
        && !name.chars().any(crate::escape::steers);
    if sound {
        return Ok(name.to_owned());
    }
    Err(ControlError::invalid(
        format!("a passkey's name has 1 to {NAME_LONGEST} characters"),
        "Say which device it is on.",
    ))
}

fn nonce() -> Result<[u8; 32], ControlError> {
    let mut bytes = [0_u8; 32];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| ControlError::Internal {
            doing: "asking the system for random bytes",
        })?;
    Ok(bytes)
}
