//! What a proof rests on, as it is recorded, and what a fresh sign-in must have been.

use serde_json::{Value, json};

use super::Method;

/// What a proof rests on, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) method: Method,
    /// What it was proved by, as it was then: the passkey's id, the digest of the password's hash.
    pub(crate) ground: Option<String>,
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
            ground: None,
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

/// How old a sign-in may be that is called fresh, in seconds, and never older than the question to
/// the provider: one began, and typed something.
const FRESH_FOR: u64 = 5 * 60;

pub(super) fn fresh(
    said: &FreshSignIn,
    acr_values: &[String],
    now: u64,
) -> Result<(), &'static str> {
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
}
