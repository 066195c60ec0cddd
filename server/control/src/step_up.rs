//! Step-up: before something dangerous a person proves that it is them, and here. One proof is good
//! for one request of one person in one session, once, for a minute.
//!
//! A use case asks for it by [`Control::stepped_up`]. Whoever has no proof is told the name of a
//! question ([`ControlError::StepUpNeeded`]); where it is put, and how a browser answers it, is
//! not known here.

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_domain::{
    action::Verb,
    audit::{Means, Outcome},
    job::Change,
};
use quorate_drivers::Secret;
use serde_json::{Value, json};

use crate::{Control, ControlError, Operator, audit::Draft, secrets};

mod deed;
mod ledger;
mod passkeys;
mod webauthn;

pub use deed::Deed;
pub(crate) use ledger::Ledger;
use ledger::{Ask, Holder};
pub use passkeys::{Offer, Passkey, PasskeyChallenge};
pub use webauthn::{Assertion, Attestation, Site};

/// What it is called in the log.
const ACTION: &str = "step_up";

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
    fn guard(&self, deed: &Deed) -> bool {
        match deed {
            Deed::Change { action, .. } => self.verbs.contains(&action.verb()),
            Deed::Approve { .. } => self.approvals,
            // Whoever could add a passkey without a proof had one for all that follows; and nobody
            // brings back what was erased.
            Deed::Passkey { .. } | Deed::Erase { .. } => true,
        }
    }
}

/// The name of a proof. A secret of the session it was given in.
#[derive(Clone, PartialEq, Eq)]
pub struct ProofId(String);

impl std::fmt::Debug for ProofId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofId")
    }
}

/// What a proof rests on, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) method: Method,
    /// Beginning of the proof's digest: it names the proof in all its records.
    pub(crate) proof: String,
    /// The passkey's name.
    pub(crate) key: Option<String>,
    /// What the provider said of a fresh sign-in; seconds since 1970.
    pub(crate) auth_time: Option<u64>,
    pub(crate) acr: Option<String>,
    /// What the passkey signed, for whoever wants to check it again.
    pub(crate) signed: Value,
}

impl Evidence {
    pub(crate) fn of(method: Method) -> Self {
        Self {
            method,
            proof: String::new(),
            key: None,
            auth_time: None,
            acr: None,
            signed: Value::Null,
        }
    }

    /// As the record of what was done with it says.
    pub(crate) fn told(&self) -> Value {
        let mut told = json!({ "proof": self.proof, "method": self.method.as_str() });
        for (name, value) in [
            ("passkey", self.key.clone().map(Value::from)),
            ("auth_time", self.auth_time.map(Value::from)),
            ("acr", self.acr.clone().map(Value::from)),
        ] {
            if let (Some(told), Some(value)) = (told.as_object_mut(), value) {
                told.insert(name.to_owned(), value);
            }
        }
        told
    }
}

/// A question as its page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub deed: Deed,
    /// What this person can answer by, the strongest first; may be none.
    pub methods: Vec<Method>,
}

/// Somebody has just proved it. Becomes a proof in [`Control::step_up_proved`], once their session
/// has a new id.
#[derive(Debug)]
pub struct Verified {
    deed: Deed,
    digest: [u8; 32],
    person: String,
    evidence: Evidence,
}

/// What a provider said of a fresh sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FreshSignIn {
    /// When the person was there, in seconds since 1970.
    pub auth_time: Option<u64>,
    pub acr: Option<String>,
    /// When the provider was asked for it, in seconds since 1970.
    pub asked_at: u64,
    /// How far clocks may differ, in seconds.
    pub leeway: u64,
}

impl Control {
    /// Sets what has to be proved from now on.
    pub fn step_up_rules(&self, rules: Rules) {
        *self
            .inner
            .step_up_rules
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = rules;
    }

    /// What a fresh sign-in must say of how it was done.
    #[must_use]
    pub fn step_up_acr_values(&self) -> Vec<String> {
        self.rules().acr_values
    }

    pub(crate) fn rules(&self) -> Rules {
        self.inner
            .step_up_rules
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// The one check of use cases: nothing where the rules ask for no proof of this deed; what the
    /// proof rests on where there is one, which is used up by this.
    ///
    /// # Errors
    /// `StepUpNeeded`, with a question for those who can answer one; `Store`.
    pub(crate) async fn stepped_up(
        &self,
        who: &Operator,
        deed: &Deed,
        proof: Option<&ProofId>,
    ) -> Result<Option<Evidence>, ControlError> {
        let rules = self.rules();
        if !rules.guard(deed) {
            return Ok(None);
        }
        match who.actor.means {
            // Whoever may write the data directory needs none of this; at the socket for
            // emergencies the link that was made there is the proof.
            Means::CommandLine | Means::Console | Means::BreakGlass => return Ok(None),
            Means::Token if rules.tokens => return Ok(None),
            Means::Token | Means::Nobody => {
                return Err(self.cannot_prove(who, deed, "an API token cannot").await);
            }
            _ => {}
        }
        let Some(holder) = holder(who) else {
            return Err(self.cannot_prove(who, deed, "there is no session").await);
        };
        let Some(proof) = proof else {
            return Err(self.ask(holder, deed)?);
        };
        let (ledger, now) = (&self.inner.step_up, Instant::now());
        match ledger.spend(&proof.0, &holder, &deed.digest(), now) {
            Ok(evidence) => Ok(Some(evidence)),
            Err(doubt) => {
                self.step_up_doubted(who, deed, None, &doubt.to_string())
                    .await;
                Err(self.ask(holder, deed)?)
            }
        }
    }

    /// Whether this person would be asked for a proof of it.
    pub(crate) fn asks_for_proof(&self, who: &Operator, deed: &Deed) -> bool {
        let exempt = matches!(
            who.actor.means,
            Means::CommandLine | Means::Console | Means::BreakGlass
        );
        let rules = self.rules();
        rules.guard(deed) && !exempt && !(rules.tokens && who.actor.means == Means::Token)
    }

    fn ask(&self, holder: Holder, deed: &Deed) -> Result<ControlError, ControlError> {
        let id = secrets::fresh("")?.reveal().to_owned();
        let ledger = &self.inner.step_up;
        ledger.ask(id.clone(), holder, deed.clone(), Instant::now());
        Ok(ControlError::StepUpNeeded { ask: Some(id) })
    }

    async fn cannot_prove(&self, who: &Operator, deed: &Deed, why: &str) -> ControlError {
        let text = format!(
            "Refused: to {} somebody has to prove that they are there, and {why}.",
            deed.words()
        );
        let mut draft = Draft::refusal(who, verb_of(deed), text);
        about(&mut draft, deed);
        self.refused(draft).await;
        ControlError::StepUpNeeded { ask: None }
    }

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
        self.verified(who, ask, found, Evidence::of(Method::Password))
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

    /// As [`Control::submit`], with a proof for this very request. The proof is used up by this.
    ///
    /// # Errors
    /// As there; `StepUpNeeded` with a new question where the proof is none.
    pub async fn submit_proved(
        &self,
        who: &Operator,
        proof: ProofId,
        deed: &Deed,
    ) -> Result<Change, ControlError> {
        let Deed::Change {
            cluster,
            action,
            request,
        } = deed
        else {
            return Err(ControlError::Internal {
                doing: "submitting what is no change",
            });
        };
        self.submit_with(who, cluster.as_str(), action, request, Some(proof))
            .await
    }

    /// What `who` can prove something by, the strongest first.
    async fn ways(&self, who: &Operator) -> Result<Vec<Method>, ControlError> {
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

    async fn must_be_a_way(&self, who: &Operator, method: Method) -> Result<(), ControlError> {
        if self.ways(who).await?.contains(&method) {
            return Ok(());
        }
        Err(ControlError::invalid(
            format!("you cannot prove it by {}", method.as_str()),
            "Choose one of the ways the page offers.",
        ))
    }

    fn put_to(&self, who: &Operator, ask: &str) -> Result<Ask, ControlError> {
        let found =
            holder(who).and_then(|holder| self.inner.step_up.asked(ask, &holder, Instant::now()));
        found.ok_or(ControlError::NotFound {
            what: "question",
            name: "it".to_owned(),
        })
    }

    fn take_try(&self, ask: &str) -> Result<(), ControlError> {
        if self.inner.step_up.take_try(ask) {
            return Ok(());
        }
        Err(ControlError::NotFound {
            what: "question",
            name: "it any more: there were too many wrong answers".to_owned(),
        })
    }

    /// The first right answer is the last.
    fn verified(
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

    async fn step_up_doubted(
        &self,
        who: &Operator,
        deed: &Deed,
        method: Option<Method>,
        why: &str,
    ) {
        metrics::counter!("quorate_step_up_failures_total").increment(1);
        if !self.inner.flood.admits(ACTION, who.source.address()) {
            metrics::counter!("quorate_audit_suppressed_total").increment(1);
            return;
        }
        let name = &who.actor.name;
        let text = format!("{name} did not prove it ({why}): {}.", deed.words());
        let mut draft = Draft::access(who, ACTION, text);
        draft.outcome = Some(Outcome::Failed);
        about(&mut draft, deed);
        draft.sent = json!({ "digest": secrets::hex(&deed.digest()) });
        draft.seen = json!({ "method": method.map(Method::as_str) });
        self.refused(draft).await;
    }
}

/// `None` without a session.
fn holder(who: &Operator) -> Option<Holder> {
    Some(Holder {
        person: who.key(),
        session: who.session.clone()?,
    })
}

fn verb_of(deed: &Deed) -> &'static str {
    match deed {
        Deed::Change { action, .. } => action.verb().as_str(),
        Deed::Approve { .. } => "approve",
        Deed::Passkey { .. } => "passkey_added",
        Deed::Erase { .. } => "audit_person_erased",
    }
}

/// What the record is about.
fn about(draft: &mut Draft, deed: &Deed) {
    match deed {
        Deed::Change {
            cluster,
            action,
            request,
        } => {
            draft.cluster = Some(cluster.clone());
            draft.group.clone_from(&request.group);
            draft.member = action.member().cloned();
            draft.reason = Some(request.reason.clone());
            draft.ticket.clone_from(&request.ticket);
        }
        Deed::Approve { change, .. } => draft.change = Some(change.clone()),
        Deed::Passkey { .. } => {}
        Deed::Erase { reason, .. } => draft.reason = Some(reason.clone()),
    }
}

/// How old a sign-in may be that is called fresh, in seconds, and never older than the question to
/// the provider: one began, and typed something.
const FRESH_FOR: u64 = 5 * 60;

fn fresh(said: &FreshSignIn, acr_values: &[String], now: u64) -> Result<(), &'static str> {
    let Some(auth_time) = said.auth_time else {
        return Err("the provider did not say when the person was there (auth_time)");
    };
    // The browser carries the question there: whoever holds it can leave out that somebody is to be
    // asked anew, and be let in again by the sign-in of a moment ago.
    let since = said.asked_at.max(now.saturating_sub(FRESH_FOR));
    if auth_time.saturating_add(said.leeway) < since {
        return Err("the provider took an earlier sign-in (auth_time)");
    }
    if auth_time > now.saturating_add(said.leeway) {
        return Err("the provider's sign-in lies in the future (auth_time)");
    }
    let strong = |acr: &String| acr_values.contains(acr);
    if !acr_values.is_empty() && !said.acr.as_ref().is_some_and(strong) {
        return Err("the sign-in was not of the strength that is asked for (acr)");
    }
    Ok(())
}

/// Bytes as they stand in pages and records.
fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sign_in_of_just_now_and_of_the_asked_strength_is_fresh() {
        let now = 1_000_000;
        let said = |auth_time: Option<u64>, acr: Option<&str>| FreshSignIn {
            auth_time,
            acr: acr.map(str::to_owned),
            asked_at: now - FRESH_FOR,
            leeway: 30,
        };
        let asked_now = |auth_time: u64| FreshSignIn {
            asked_at: now,
            ..said(Some(auth_time), None)
        };
        assert!(fresh(&asked_now(now - 30), &[], now).is_ok());
        assert!(fresh(&asked_now(now - 31), &[], now).is_err());
        let gold = ["gold".to_owned()];
        assert!(fresh(&said(Some(now), None), &[], now).is_ok());
        assert!(fresh(&said(Some(now - FRESH_FOR), None), &[], now).is_ok());
        assert!(fresh(&said(Some(now + 30), Some("gold")), &gold, now).is_ok());
        for (wrong, acr_values) in [
            (said(None, None), &[][..]),
            (said(Some(now - FRESH_FOR - 31), None), &[]),
            (said(Some(now + 31), None), &[]),
            (said(Some(now), None), &gold),
            (said(Some(now), Some("silver")), &gold),
        ] {
            assert!(fresh(&wrong, acr_values, now).is_err(), "{wrong:?}");
        }
    }

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
