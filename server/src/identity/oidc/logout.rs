//! A token of a back-channel sign-out: the provider says that somebody has left.
//!
//! It must be what only such a token is (the event, no nonce), of a moment ago, and new.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use quorate_control::Departure;
use serde_json::Value;

use super::{Left, Refusal, SignedOn, id_token::signed};
use crate::identity::{
    Doubt, Expected, Source,
    assertion::{Token, seconds},
    plain,
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// What it may call itself; older providers say nothing.
const TYPES: [&str; 3] = ["logout+jwt", "application/logout+jwt", "jwt"];
/// A token lives no longer here, whatever it says, in seconds.
const LIFE_MOST: u64 = 60 * 60;
/// So many tokens are remembered; all of them are the provider's own.
const MOST: usize = 100_000;

pub async fn judge(
    text: &str,
    expected: &Expected,
    keys: &Source,
    now: u64,
) -> Result<Left, Refusal> {
    let token = signed(text, expected, keys).await?;
    expected.elsewhere(&token)?;
    kind(&token)?;
    let moment = |claim: &str| {
        token
            .claim(claim)
            .and_then(seconds)
            .ok_or(Doubt::Incomplete)
    };
    let (issued, end) = (moment("iat")?, moment("exp")?);
    if issued > now.saturating_add(expected.leeway) {
        return Err(Doubt::NotYet.into());
    }
    let until = end.min(issued.saturating_add(LIFE_MOST));
    let until = until.saturating_add(expected.leeway);
    if now >= until {
        return Err(Doubt::Expired.into());
    }
    let text = |claim: &str| match token.claim(claim) {
        None => Ok(None),
        Some(Value::String(text)) if plain(text) => Ok(Some(text.clone())),
        Some(_) => Err(Doubt::Malformed),
    };
    let (subject, sid) = (text("sub")?, text("sid")?);
    if subject.is_none() && sid.is_none() {
        return Err(Doubt::Incomplete.into());
    }
    Ok(Left {
        departure: Departure {
            issuer: expected.issuer.clone(),
            subject,
            sid,
        },
        jti: text("jti")?.ok_or(Doubt::Incomplete)?,
        until,
    })
}

fn kind(token: &Token<'_>) -> Result<(), Refusal> {
    let typed = token.head.typ.as_deref();
    let typed = typed.is_none_or(|typ| TYPES.iter().any(|known| typ.eq_ignore_ascii_case(known)));
    let event = token.claim("events").and_then(|events| events.get(EVENT));
    let event = event.is_some_and(Value::is_object);
    if typed && event && token.claim("nonce").is_none() {
        Ok(())
    } else {
        Err(Refusal::Kind)
    }
}

/// The tokens that were used, until they are over.
#[derive(Debug, Default)]
pub struct Replays(Mutex<HashMap<String, u64>>);

impl Replays {
    pub fn admit(&self, left: &Left, now: u64) -> Result<(), Refusal> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MOST {
            used.retain(|_, until| now < *until);
        }
        if used.contains_key(&left.jti) || used.len() >= MOST {
            return Err(Refusal::Replayed);
        }
        used.insert(left.jti.clone(), left.until);
        Ok(())
    }

    pub fn forget(&self, left: &Left) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.remove(&left.jti);
    }
}

/// Who left a moment ago, for as long as a sign-in that was begun before may take.
#[derive(Debug)]
pub struct Recent {
    life: Duration,
    left: Mutex<VecDeque<(Instant, Departure)>>,
}

impl Recent {
    pub fn new(life: Duration) -> Self {
        Self {
            life,
            left: Mutex::default(),
        }
    }

    pub fn note(&self, departure: &Departure) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((at, _)) = left.front()
            && (left.len() >= MOST || at.elapsed() >= self.life)
        {
            left.pop_front();
        }
        left.push_back((Instant::now(), departure.clone()));
    }

    /// Whether one of them is this person, and left after `since`.
    pub fn has_left(&self, person: &SignedOn, since: Instant) -> bool {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.iter()
            .rev()
            .take_while(|(at, _)| *at >= since)
            .any(|(_, gone)| gone.is_of(&person.issuer, &person.subject, person.sid.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departure(subject: Option<&str>, sid: Option<&str>) -> Departure {
        Departure {
            issuer: "https://id".to_owned(),
            subject: subject.map(str::to_owned),
            sid: sid.map(str::to_owned),
        }
    }

    fn anna() -> SignedOn {
        SignedOn {
            issuer: "https://id".to_owned(),
            subject: "anna".to_owned(),
            name: "Anna".to_owned(),
            groups: Vec::new(),
            sid: Some("s1".to_owned()),
            until: 0,
        }
    }

    #[test]
    fn who_left_while_signing_in_is_known_and_nobody_else() {
        let recent = Recent::new(Duration::from_secs(600));
        let before = Instant::now();
        recent.note(&departure(Some("bob"), None));
        recent.note(&departure(Some("anna"), Some("s2")));
        assert!(!recent.has_left(&anna(), before));
        recent.note(&departure(None, Some("s1")));
        assert!(recent.has_left(&anna(), before));
        let later = Instant::now() + Duration::from_secs(1);
        assert!(!recent.has_left(&anna(), later), "begun after they left");
    }

    #[test]
    fn who_left_is_forgotten_after_a_while() {
        let recent = Recent::new(Duration::ZERO);
        for _ in 0..10 {
            recent.note(&departure(Some("anna"), None));
        }
        let kept = recent.left.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(kept.len(), 1);
    }
}
