//! Step-up: before something dangerous a person proves that it is them, and here. One proof is good
//! for one request of one person in one session, once, for a minute.
//!
//! A use case asks for it by [`Control::stepped_up`]. Whoever has no proof is told the name of a
//! question ([`ControlError::StepUpNeeded`]); where it is put, and how a browser answers it, is
//! not known here.

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_domain::{
    audit::{Means, Outcome},
    job::Change,
};
use serde_json::json;

use crate::{
    Control, ControlError, Operator, audit::Draft, secrets, store::accounts::StoredAccount,
};

mod answers;
mod deed;
mod evidence;
mod ledger;
mod passkeys;
pub mod rehearsal;
mod rules;
mod webauthn;

pub use deed::Deed;
pub(crate) use evidence::Evidence;
pub use evidence::FreshSignIn;
pub(crate) use ledger::Ledger;
use ledger::{Ask, Doubt, Holder};
pub use passkeys::{Offer, Passkey, PasskeyChallenge};
pub use rules::{Method, Rules};
pub use webauthn::{Assertion, Attestation, Site};

/// What it is called in the log.
const ACTION: &str = "step_up";

/// The name of a proof. A secret of the session it was given in.
#[derive(Clone, PartialEq, Eq)]
pub struct ProofId(String);

impl std::fmt::Debug for ProofId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofId")
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
        let doubt = match ledger.spend(&proof.0, &holder, &deed.digest(), now) {
            Ok(evidence) if self.still_stands(who, &evidence).await? => return Ok(Some(evidence)),
            Ok(_) => Doubt::Gone,
            Err(doubt) => doubt,
        };
        self.step_up_doubted(who, deed, None, &doubt.to_string())
            .await;
        Err(self.ask(holder, deed)?)
    }

    /// Whether what it was proved by is still there: a minute is long enough to take a stolen
    /// passkey away, or to set another password.
    ///
    /// # Errors
    /// `NotSignedIn` where the account was disabled since, `Store`.
    async fn still_stands(
        &self,
        who: &Operator,
        evidence: &Evidence,
    ) -> Result<bool, ControlError> {
        let account = match who.actor.means {
            Means::Password | Means::SignInLink => Some(self.own_account(who).await?),
            _ => None,
        };
        let now = match (evidence.method, &evidence.ground) {
            (Method::SignIn, _) => return Ok(true),
            (_, None) => return Ok(false),
            (Method::Passkey, Some(id)) => {
                let key = self.inner.store.passkey(id).await?;
                key.filter(|key| key.person == who.key()).map(|key| key.id)
            }
            (Method::Password, Some(_)) => account.as_ref().and_then(ground),
        };
        Ok(now == evidence.ground)
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

/// What a proof by password stands on.
fn ground(stored: &StoredAccount) -> Option<String> {
    stored.password.as_deref().map(secrets::digest)
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

/// Bytes as they stand in pages and records.
fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
