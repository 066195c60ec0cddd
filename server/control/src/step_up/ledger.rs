//! What is to be proved and what was: in memory, bounded, each good once, for one person in one
//! session, and for a short time. Knows neither methods nor the audit log.
//!
//! After a restart of the console whoever was about to prove something begins anew.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Deed, Evidence};

/// How long somebody may take to prove something: time to sign in elsewhere.
const ASK_LIFE: Duration = Duration::from_secs(10 * 60);
/// How long a proof is good.
pub(super) const PROOF_LIFE: Duration = Duration::from_secs(60);
/// Wrong tries at one question; then it is asked anew.
const TRIES: u8 = 5;
/// What is kept of all, and of one person.
const MOST: usize = 4_096;
const MOST_EACH: usize = 16;

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// As sessions are kept under.
    pub(super) person: String,
    /// Hash of the session's id.
    pub(super) session: String,
}

/// Something somebody was asked to prove.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) deed: Deed,
    pub(super) digest: [u8; 32],
    holder: Holder,
    began: Instant,
    /// What the newest challenge was made with.
    nonce: Option<[u8; 32]>,
    tries: u8,
}

/// Something somebody has proved.
#[derive(Clone, Debug)]
struct Kept {
    holder: Holder,
    digest: [u8; 32],
    evidence: Evidence,
    at: Instant,
}

/// Why a proof is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Doubt {
    #[error("the proof was used already, or never given")]
    Unknown,
    #[error("the proof is older than a minute")]
    Late,
    #[error("the proof is another person's")]
    OtherPerson,
    #[error("the proof was given in another session")]
    OtherSession,
    #[error("the proof was given for another action")]
    OtherDeed,
    #[error("what it was proved by was removed or changed since")]
    Gone,
}

#[derive(Default)]
pub(crate) struct Ledger {
    kept: Mutex<Both>,
}

#[derive(Default)]
struct Both {
    asks: HashMap<String, Ask>,
    proofs: HashMap<String, Kept>,
}

impl Ledger {
    fn both(&self) -> MutexGuard<'_, Both> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `id` is a fresh secret.
    pub(super) fn ask(&self, id: String, holder: Holder, deed: Deed, now: Instant) {
        let mut both = self.both();
        both.asks
            .retain(|_, ask| now.saturating_duration_since(ask.began) < ASK_LIFE);
        let each = both
            .asks
            .values()
            .filter(|ask| ask.holder.person == holder.person)
            .count();
        if each >= MOST_EACH {
            forget_oldest(&mut both.asks, Some(&holder.person));
        } else if both.asks.len() >= MOST {
            forget_oldest(&mut both.asks, None);
        }
        let ask = Ask {
            digest: deed.digest(),
            deed,
            holder,
            began: now,
            nonce: None,
            tries: 0,
        };
        both.asks.insert(id, ask);
    }

    /// The question `id`, if it was put to this holder and may still be answered.
    pub(super) fn asked(&self, id: &str, holder: &Holder, now: Instant) -> Option<Ask> {
        let both = self.both();
        let ask = both.asks.get(id)?;
        let open = now.saturating_duration_since(ask.began) < ASK_LIFE && ask.holder == *holder;
        open.then(|| ask.clone())
    }

    /// A new challenge is made with `nonce`; earlier ones are void.
    pub(super) fn challenged(&self, id: &str, nonce: [u8; 32]) {
        if let Some(ask) = self.both().asks.get_mut(id) {
            ask.nonce = Some(nonce);
        }
    }

    /// What the newest challenge was made with, once.
    pub(super) fn take_nonce(&self, id: &str) -> Option<[u8; 32]> {
        self.both().asks.get_mut(id)?.nonce.take()
    }

    /// One try is taken; false once there are no more.
    pub(super) fn take_try(&self, id: &str) -> bool {
        let mut both = self.both();
        let Some(ask) = both.asks.get_mut(id) else {
            return false;
        };
        ask.tries = ask.tries.saturating_add(1);
        if ask.tries > TRIES {
            both.asks.remove(id);
            return false;
        }
        true
    }

    /// The question is answered; true for the first who says so.
    pub(super) fn answered(&self, id: &str) -> bool {
        self.both().asks.remove(id).is_some()
    }

    /// `id` is a fresh secret.
    pub(super) fn prove(
        &self,
        id: String,
        holder: Holder,
        digest: [u8; 32],
        evidence: Evidence,
        now: Instant,
    ) {
        let mut both = self.both();
        both.proofs
            .retain(|_, kept| now.saturating_duration_since(kept.at) < PROOF_LIFE);
        let kept = Kept {
            holder,
            digest,
            evidence,
            at: now,
        };
        both.proofs.insert(id, kept);
    }

    /// Used up by this, whatever comes of it.
    pub(super) fn spend(
        &self,
        id: &str,
        holder: &Holder,
        digest: &[u8; 32],
        now: Instant,
    ) -> Result<Evidence, Doubt> {
        let kept = self.both().proofs.remove(id).ok_or(Doubt::Unknown)?;
        if now.saturating_duration_since(kept.at) >= PROOF_LIFE {
            Err(Doubt::Late)
        } else if kept.holder.person != holder.person {
            Err(Doubt::OtherPerson)
        } else if kept.holder.session != holder.session {
            Err(Doubt::OtherSession)
        } else if kept.digest != *digest {
            Err(Doubt::OtherDeed)
        } else {
            Ok(kept.evidence)
        }
    }
}

fn forget_oldest(asks: &mut HashMap<String, Ask>, person: Option<&str>) {
    let oldest = asks
        .iter()
        .filter(|(_, ask)| person.is_none_or(|person| ask.holder.person == person))
        .min_by_key(|(_, ask)| ask.began)
        .map(|(id, _)| id.clone());
    if let Some(oldest) = oldest {
        asks.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::step_up::Method;

    fn holder(person: &str, session: &str) -> Holder {
        Holder {
            person: person.to_owned(),
            session: session.to_owned(),
        }
    }

    fn deed(name: &str) -> Deed {
        Deed::Passkey {
            name: name.to_owned(),
        }
    }

    fn proved(at: Instant) -> (Ledger, [u8; 32]) {
        let ledger = Ledger::default();
        let digest = deed("a").digest();
        let evidence = Evidence::of(Method::Password);
        ledger.prove("p".to_owned(), holder("ada", "s"), digest, evidence, at);
        (ledger, digest)
    }

    #[test]
    fn a_proof_is_good_once() {
        let now = Instant::now();
        let (ledger, digest) = proved(now);
        let ada = holder("ada", "s");
        let spent = ledger.spend("p", &ada, &digest, now).unwrap();
        assert_eq!(spent.method, Method::Password);
        let again = ledger.spend("p", &ada, &digest, now);
        assert_eq!(again.unwrap_err(), Doubt::Unknown);
    }

    #[test]
    fn a_proof_is_good_for_one_minute() {
        let now = Instant::now();
        let ada = holder("ada", "s");
        let (ledger, digest) = proved(now);
        let just = now + PROOF_LIFE.saturating_sub(Duration::from_millis(1));
        assert!(ledger.spend("p", &ada, &digest, just).is_ok());
        let (ledger, digest) = proved(now);
        let late = ledger.spend("p", &ada, &digest, now + PROOF_LIFE);
        assert_eq!(late.unwrap_err(), Doubt::Late);
    }

    #[test]
    fn a_proof_is_good_for_its_person_its_session_and_its_action_alone() {
        let now = Instant::now();
        let other = deed("b").digest();
        for (who, digest, doubt) in [
            (holder("eve", "s"), None, Doubt::OtherPerson),
            (holder("ada", "t"), None, Doubt::OtherSession),
            (holder("ada", "s"), Some(other), Doubt::OtherDeed),
        ] {
            let (ledger, right) = proved(now);
            let digest = digest.unwrap_or(right);
            assert_eq!(ledger.spend("p", &who, &digest, now).unwrap_err(), doubt);
            // Who tried it wrongly has used it up.
            let after = ledger.spend("p", &holder("ada", "s"), &right, now);
            assert_eq!(after.unwrap_err(), Doubt::Unknown);
        }
    }

    #[test]
    fn a_question_is_for_one_person_in_one_session_and_ends() {
        let ledger = Ledger::default();
        let now = Instant::now();
        let ada = holder("ada", "s");
        ledger.ask("q".to_owned(), ada.clone(), deed("a"), now);
        assert_eq!(ledger.asked("q", &ada, now).unwrap().deed, deed("a"));
        assert!(ledger.asked("q", &holder("eve", "s"), now).is_none());
        assert!(ledger.asked("q", &holder("ada", "t"), now).is_none());
        assert!(ledger.asked("q", &ada, now + ASK_LIFE).is_none());
        assert!(ledger.answered("q"));
        assert!(!ledger.answered("q"));
        assert!(ledger.asked("q", &ada, now).is_none());
    }

    #[test]
    fn a_challenge_is_good_once_and_voids_the_one_before() {
        let ledger = Ledger::default();
        ledger.ask(
            "q".to_owned(),
            holder("ada", "s"),
            deed("a"),
            Instant::now(),
        );
        assert!(ledger.take_nonce("q").is_none());
        ledger.challenged("q", [1; 32]);
        ledger.challenged("q", [2; 32]);
        assert_eq!(ledger.take_nonce("q"), Some([2; 32]));
        assert!(ledger.take_nonce("q").is_none());
    }

    #[test]
    fn wrong_tries_end() {
        let ledger = Ledger::default();
        let ada = holder("ada", "s");
        ledger.ask("q".to_owned(), ada.clone(), deed("a"), Instant::now());
        assert!((0..TRIES).all(|_| ledger.take_try("q")));
        assert!(!ledger.take_try("q"));
        assert!(ledger.asked("q", &ada, Instant::now()).is_none());
    }

    #[test]
    fn one_person_cannot_fill_it() {
        let ledger = Ledger::default();
        let now = Instant::now();
        let ada = holder("ada", "s");
        ledger.ask("bobs".to_owned(), holder("bob", "t"), deed("a"), now);
        for number in 0..100 {
            let at = now + Duration::from_millis(number);
            ledger.ask(format!("q{number}"), ada.clone(), deed("a"), at);
        }
        assert_eq!(ledger.both().asks.len(), MOST_EACH + 1);
        assert!(ledger.asked("bobs", &holder("bob", "t"), now).is_some());
        assert!(ledger.asked("q99", &ada, now).is_some());
    }
}
