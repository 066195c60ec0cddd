//! Answers to a question: who may give which, what is wrong with them, and what a right one
//! becomes. Those by passkey are judged beside this.

use std::time::Instant;

use quorate_domain::audit::Means;
use quorate_drivers::Secret;
use serde_json::json;

use super::{
    ACTION, Ask, Asked, Deed, Evidence, FreshSignIn, Method, ProofId, Verified, about,
    evidence::fresh, ground, holder,
};
use crate::{Control, ControlError, Operator, audit::Draft, secrets};

impl Control {
    /// The question `ask`, for its page.
    ///
    /// # Errors
    /// `NotFound` for one that is over, used up, or another's; `Store`.
    pub async fn step_up_asked(&self, who: &Operator, ask: &str) -> Result<Asked, ControlError> {
        let found = self.put_to(who, ask)?;
        Ok(Asked {
            methods: self.ways(who).await?,
            deed: found.deed,
        })
    }

    /// Proves it by the account's password. Throttled as signing in is.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (not by this method), `SignInFailed`, `Throttled`, `Store`.
    pub async fn step_up_by_password(
        &self,
        who: &Operator,
        ask: &str,
        password: Secret,
    ) -> Result<Verified, ControlError> {
        let found = self.put_to(who, ask)?;
        self.must_be_a_way(who, Method::Password).await?;
        let stored = self.own_account(who).await?;
        let mut evidence = Evidence::of(Method::Password);
        evidence.ground = ground(&stored);
        let (name, address) = (stored.account.name, who.source.address().to_owned());
        let method = Some(Method::Password);
        if let Err(error) = self.throttled(&name, &address) {
            self.step_up_doubted(who, &found.deed, method, "too many attempts")
                .await;
            return Err(error);
        }
        self.take_try(ask)?;
        let verified = self
            .inner
            .passwords
            .verify(password, stored.password)
            .await?;
        if !verified.right {
            self.step_up_doubted(who, &found.deed, method, "the password was wrong")
                .await;
            return Err(ControlError::SignInFailed);
        }
        self.inner.throttle.succeeded(&name, &address);
        self.verified(who, ask, found, evidence)
    }

    /// Proves it by a fresh sign-in of the same person, of which the provider said this. Whose
    /// sign-in it was is for the caller to see.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (not by this method), `SignInFailed` (not fresh, or not strong enough),
    /// `Store`.
    pub async fn step_up_by_sign_in(
        &self,
        who: &Operator,
        ask: &str,
        said: FreshSignIn,
    ) -> Result<Verified, ControlError> {
        let found = self.put_to(who, ask)?;
        self.must_be_a_way(who, Method::SignIn).await?;
        self.take_try(ask)?;
        let now = u64::try_from(self.now().unix_ms() / 1_000).unwrap_or(0);
        if let Err(why) = fresh(&said, &self.rules().acr_values, now) {
            self.step_up_doubted(who, &found.deed, Some(Method::SignIn), why)
                .await;
            return Err(ControlError::SignInFailed);
        }
        let mut evidence = Evidence::of(Method::SignIn);
        evidence.auth_time = said.auth_time;
        evidence.acr = said.acr;
        self.verified(who, ask, found, evidence)
    }

    /// Records that an answer to `ask` proved nothing, for a reason seen elsewhere.
    pub async fn step_up_failed(&self, who: &Operator, ask: &str, method: Method, why: &str) {
        if let Ok(found) = self.put_to(who, ask) {
            self.step_up_doubted(who, &found.deed, Some(method), why)
                .await;
        }
    }

    /// What was verified becomes a proof, in the session that `who` has now. On record first.
    ///
    /// # Errors
    /// `NotSignedIn` for somebody else or without a session, `AuditUnavailable`.
    pub async fn step_up_proved(
        &self,
        who: &Operator,
        verified: Verified,
    ) -> Result<(ProofId, Deed), ControlError> {
        let holder = holder(who).filter(|holder| holder.person == verified.person);
        let holder = holder.ok_or(ControlError::NotSignedIn)?;
        let id = secrets::fresh("")?.reveal().to_owned();
        let mut evidence = verified.evidence;
        evidence.proof = secrets::digest(&id).chars().take(16).collect();
        let by = match (&evidence.key, evidence.method) {
            (Some(key), _) => format!("the passkey {key}"),
            (None, Method::SignIn) => "a fresh sign-in".to_owned(),
            (None, method) => method.as_str().to_owned(),
        };
        let name = &who.actor.name;
        let text = format!("{name} proved by {by}: {}.", verified.deed.words());
        let mut draft = Draft::access(who, ACTION, text);
        about(&mut draft, &verified.deed);
        draft.sent = json!({ "digest": secrets::hex(&verified.digest) });
        draft.seen = evidence.told();
        draft.received = std::mem::take(&mut evidence.signed);
        self.inner.audit.append(draft).await?;
        let ledger = &self.inner.step_up;
        ledger.prove(
            id.clone(),
            holder,
            verified.digest,
            evidence,
            Instant::now(),
        );
        Ok((ProofId(id), verified.deed))
    }

    /// What `who` can prove something by, the strongest first.
    pub(super) async fn ways(&self, who: &Operator) -> Result<Vec<Method>, ControlError> {
        let rules = self.rules();
        let mut ways = Vec::new();
        for method in Method::ALL {
            let is_one = rules.methods.contains(&method)
                && match method {
                    Method::Passkey => {
                        rules.site.is_some()
                            && !self.inner.store.passkeys_of(&who.key()).await?.is_empty()
                    }
                    Method::Password => {
                        matches!(who.actor.means, Means::Password | Means::SignInLink)
                            && self.has_password(who).await?
                    }
                    Method::SignIn => who.actor.means == Means::Oidc,
                };
            if is_one {
                ways.push(method);
            }
        }
        Ok(ways)
    }

    pub(super) async fn must_be_a_way(
        &self,
        who: &Operator,
        method: Method,
    ) -> Result<(), ControlError> {
        if self.ways(who).await?.contains(&method) {
            return Ok(());
        }
        Err(ControlError::invalid(
            format!("you cannot prove it by {}", method.as_str()),
            "Choose one of the ways the page offers.",
        ))
    }

    pub(super) fn put_to(&self, who: &Operator, ask: &str) -> Result<Ask, ControlError> {
        let found =
            holder(who).and_then(|holder| self.inner.step_up.asked(ask, &holder, Instant::now()));
        found.ok_or(ControlError::NotFound {
            what: "question",
            name: "it".to_owned(),
        })
    }

    pub(super) fn take_try(&self, ask: &str) -> Result<(), ControlError> {
        if self.inner.step_up.take_try(ask) {
            return Ok(());
        }
        Err(ControlError::NotFound {
            what: "question",
            name: "it any more: there were too many wrong answers".to_owned(),
        })
    }

    /// The first right answer is the last.
    pub(super) fn verified(
        &self,
        who: &Operator,
        ask: &str,
        found: Ask,
        evidence: Evidence,
    ) -> Result<Verified, ControlError> {
        if !self.inner.step_up.answered(ask) {
            return Err(ControlError::NotFound {
                what: "question",
                name: "it any more".to_owned(),
            });
        }
        Ok(Verified {
            deed: found.deed,
            digest: found.digest,
            person: who.key(),
            evidence,
        })
    }
}
