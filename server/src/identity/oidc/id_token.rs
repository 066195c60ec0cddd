//! An ID token: who signed in, for this console, at this very sign-in.

use quorate_drivers::Secret;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::{Refusal, SignedOn};
use crate::identity::{
    Doubt, Expected, Preset, Source,
    assertion::{Token, name},
    plain,
};

/// What a token said that is believed.
pub struct Judged {
    pub person: SignedOn,
    /// Whether it said anything of groups.
    pub says_groups: bool,
    /// Whether it said a name beside the subject.
    says_name: bool,
    /// When the person was there, in seconds since 1970.
    pub auth_time: Option<u64>,
    /// How strongly they were recognised.
    pub acr: Option<String>,
}

pub async fn judge(
    text: &Secret,
    expected: &Expected,
    keys: &Source,
    nonce: &str,
    now: u64,
) -> Result<Judged, Refusal> {
    let token = signed(text.reveal(), expected, keys).await?;
    let known = expected.person(&token, now)?;
    // Logout tokens of the same provider are for the same audience.
    let plain_type = token.head.typ.as_deref().is_none_or(|typ| typ == "JWT");
    if !plain_type || token.claim("events").is_some() {
        return Err(Refusal::Kind);
    }
    if token.claim("iat").is_none() {
        return Err(Doubt::Incomplete.into());
    }
    let given = token.text("nonce").unwrap_or_default();
    let same: bool = given.as_bytes().ct_eq(nonce.as_bytes()).into();
    if !same {
        return Err(Refusal::Nonce);
    }
    party(&token, &expected.audience)?;
    let sid = token.text("sid").filter(|sid| plain(sid));
    Ok(Judged {
        says_groups: expected.groups(token.claims())?.is_some(),
        says_name: name(token.claims()).is_some(),
        auth_time: token.claim("auth_time").and_then(Value::as_u64),
        acr: token
            .text("acr")
            .filter(|acr| plain(acr))
            .map(str::to_owned),
        person: SignedOn {
            issuer: known.issuer,
            subject: known.subject,
            name: known.name,
            groups: known.groups,
            sid: sid.map(str::to_owned),
            until: known.until.ok_or(Doubt::Incomplete)?,
        },
    })
}

/// A token whose signature is one of the provider's.
pub async fn signed<'a>(
    text: &'a str,
    expected: &Expected,
    keys: &Source,
) -> Result<Token<'a>, Doubt> {
    let token = Token::parse(text, Preset::Generic)?;
    let kid = token.head.kid.as_deref().ok_or(Doubt::UnknownKey)?;
    let algorithm = expected.algorithm(&token)?;
    let keys = keys.find(kid).await?;
    token.signed_by(&keys, algorithm)?;
    Ok(token)
}

/// For us alone; or for others as well, but then asked for by us.
fn party(token: &Token<'_>, client: &str) -> Result<(), Refusal> {
    let alone = match token.claim("aud") {
        Some(Value::Array(several)) => several.len() == 1,
        _ => true,
    };
    match token.claim("azp") {
        Some(Value::String(party)) if party == client => Ok(()),
        None if alone => Ok(()),
        _ => Err(Refusal::Party),
    }
}

impl Judged {
    /// What the provider says where it keeps what a thin token leaves out.
    pub fn add(&mut self, claims: &Value, expected: &Expected) -> Result<(), Refusal> {
        let subject = claims.get("sub").and_then(Value::as_str);
        if subject != Some(self.person.subject.as_str()) {
            return Err(Refusal::Doubt(Doubt::Subject));
        }
        self.person.groups = expected.groups(claims)?.unwrap_or_default();
        if let Some(name) = name(claims).filter(|_| !self.says_name) {
            self.person.name = name.to_owned();
        }
        Ok(())
    }
}
