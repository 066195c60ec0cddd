//! Mode `jwt-header`: the proxy signs who somebody is.
//!
//! Methods, issuer, audience and keys come from the configuration alone; what the assertion itself
//! says of where its key is to be found is not even read. What must be there must be there: an
//! assertion without an end is refused like one that has ended.

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD,
    },
};
use quorate_domain::audit::{Assurance, Means};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Doubt, GROUPS_MOST, Known, Presented, Preset, Source,
    jwks::{Algorithm, Key},
    plain,
};

/// Longest assertion, in bytes.
const LONGEST: usize = 16 * 1024;

/// AWS writes padding, and signs it.
const PADDED: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What an assertion must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub preset: Preset,
    /// The header it comes in.
    pub header: String,
    pub issuer: String,
    pub audience: String,
    /// The load balancer (ARN) that must have signed, on AWS.
    pub signer: Option<String>,
    /// A claim's name, or a path to it like `/realm_access/roles`.
    pub groups_claim: String,
    /// How far clocks may differ, in seconds.
    pub leeway: u64,
}

#[derive(Debug)]
pub struct Assertions {
    pub expected: Expected,
    pub keys: Source,
}

impl Assertions {
    pub(super) fn header(&self) -> &str {
        &self.expected.header
    }

    /// # Errors
    /// Why it is not believed.
    pub async fn known(&self, presented: &Presented, now: u64) -> Result<Option<Known>, Doubt> {
        let Some(text) = presented.one(&self.expected.header)? else {
            return Ok(None);
        };
        let Some(text) = self.bare(text) else {
            return Ok(None);
        };
        let token = Token::parse(text, self.expected.preset)?;
        let kid = token.head.kid.as_deref().ok_or(Doubt::UnknownKey)?;
        let algorithm = self.expected.algorithm(&token)?;
        let keys = self.keys.find(kid).await?;
        token.signed_by(&keys, algorithm)?;
        self.expected.person(&token, now).map(Some)
    }

    /// Without the scheme, where it comes in `Authorization`; our own tokens are none of these.
    fn bare<'a>(&self, text: &'a str) -> Option<&'a str> {
        if self.expected.header != "authorization" {
            return Some(text);
        }
        let (scheme, token) = text.split_once(' ')?;
        let foreign = scheme.eq_ignore_ascii_case("bearer") && !token.starts_with("qt_");
        foreign.then_some(token)
    }
}

/// The first part. Only what is judged; a method's name is compared, never followed.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    alg: String,
    pub(super) kid: Option<String>,
    /// What kind of token it says it is.
    pub(super) typ: Option<String>,
    /// Rules we would have to understand; we understand none.
    crit: Option<Value>,
    // On AWS these stand here instead of among the claims.
    iss: Option<String>,
    client: Option<String>,
    signer: Option<String>,
    exp: Option<Value>,
}

pub(super) struct Token<'a> {
    message: &'a str,
    pub(super) head: Head,
    claims: Value,
    signed: Vec<u8>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str, preset: Preset) -> Result<Self, Doubt> {
        if text.len() > LONGEST {
            return Err(Doubt::Malformed);
        }
        let decode = |part: &str| match preset {
            Preset::AwsAlb => PADDED.decode(part),
            _ => URL_SAFE_NO_PAD.decode(part),
        };
        let (message, signed) = text.rsplit_once('.').ok_or(Doubt::Malformed)?;
        let (head, claims) = message.split_once('.').ok_or(Doubt::Malformed)?;
        let head = decode(head).map_err(|_| Doubt::Malformed)?;
        let claims = decode(claims).map_err(|_| Doubt::Malformed)?;
        let signed = decode(signed).map_err(|_| Doubt::Malformed)?;
        let head: Head = serde_json::from_slice(&head).map_err(|_| Doubt::Malformed)?;
        let claims: Value = serde_json::from_slice(&claims).map_err(|_| Doubt::Malformed)?;
        if head.crit.is_some() || !claims.is_object() {
            return Err(Doubt::Malformed);
        }
        Ok(Self {
            message,
            head,
            claims,
            signed,
        })
    }

    pub(super) fn signed_by(&self, keys: &[Key], algorithm: Algorithm) -> Result<(), Doubt> {
        let message = self.message.as_bytes();
        let by = |key: &Key| key.verifies(algorithm, message, &self.signed);
        keys.iter().any(by).then_some(()).ok_or(Doubt::Signature)
    }

    pub(super) const fn claims(&self) -> &Value {
        &self.claims
    }

    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    fn is_for(&self, audience: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == audience),
            _ => false,
        }
    }
}

impl Expected {
    pub(super) fn algorithm(&self, token: &Token<'_>) -> Result<Algorithm, Doubt> {
        Algorithm::parse(&token.head.alg)
            .filter(|algorithm| self.preset.facts().algorithms.contains(algorithm))
            .ok_or(Doubt::Algorithm)
    }

    /// What a token says whose signature is right.
    pub(super) fn person(&self, token: &Token<'_>, now: u64) -> Result<Known, Doubt> {
        let exp = if self.preset == Preset::AwsAlb {
            self.on_aws(token)?;
            token.head.exp.as_ref()
        } else {
            self.elsewhere(token)?;
            token.claims.get("exp")
        };
        let end = exp.and_then(seconds).ok_or(Doubt::Incomplete)?;
        let until = end.saturating_add(self.leeway);
        if now >= until {
            return Err(Doubt::Expired);
        }
        for begin in ["nbf", "iat"] {
            if let Some(begin) = token.claims.get(begin) {
                let begin = seconds(begin).ok_or(Doubt::Malformed)?;
                if begin > now.saturating_add(self.leeway) {
                    return Err(Doubt::NotYet);
                }
            }
        }
        let subject = token.text("sub").ok_or(Doubt::Incomplete)?;
        if !plain(subject) {
            return Err(Doubt::Malformed);
        }
        Ok(Known {
            issuer: self.issuer.clone(),
            subject: subject.to_owned(),
            name: name(&token.claims).unwrap_or(subject).to_owned(),
            groups: self.groups(&token.claims)?.unwrap_or_default(),
            means: Means::JwtHeader,
            assurance: Some(Assurance::Signed),
            until: Some(until),
        })
    }

    fn on_aws(&self, token: &Token<'_>) -> Result<(), Doubt> {
        let head = &token.head;
        if head.signer.is_none() || head.signer != self.signer {
            return Err(Doubt::Signer);
        }
        if head.iss.as_deref() != Some(self.issuer.as_str()) {
            return Err(Doubt::Issuer);
        }
        if head.client.as_deref() != Some(self.audience.as_str()) {
            return Err(Doubt::Audience);
        }
        Ok(())
    }

    pub(super) fn elsewhere(&self, token: &Token<'_>) -> Result<(), Doubt> {
        if token.text("iss") != Some(self.issuer.as_str()) {
            return Err(Doubt::Issuer);
        }
        if !token.is_for(&self.audience) {
            return Err(Doubt::Audience);
        }
        Ok(())
    }

    /// A list of texts, or one text, which is one group whatever characters are in it; `None` if
    /// nothing is said of groups.
    pub(super) fn groups(&self, claims: &Value) -> Result<Option<Vec<String>>, Doubt> {
        let claim = if self.groups_claim.starts_with('/') {
            claims.pointer(&self.groups_claim)
        } else {
            claims.get(&self.groups_claim)
        };
        let groups: Vec<&str> = match claim {
            // Kept elsewhere (OpenID Connect Core 5.6.2) is not the same as none.
            None if claims
                .get("_claim_names")
                .is_some_and(|names| names.get(&self.groups_claim).is_some()) =>
            {
                return Err(Doubt::Incomplete);
            }
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several
                .iter()
                .map(|group| group.as_str().ok_or(Doubt::Malformed))
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(Doubt::Malformed),
        };
        if groups.len() > GROUPS_MOST || !groups.iter().all(|group| plain(group)) {
            return Err(Doubt::Malformed);
        }
        Ok(Some(groups.into_iter().map(str::to_owned).collect()))
    }
}

/// What people call somebody of whom these claims are.
pub(super) fn name(claims: &Value) -> Option<&str> {
    ["email", "preferred_username", "name"]
        .into_iter()
        .filter_map(|claim| claims.get(claim)?.as_str())
        .find(|name| plain(name))
}

/// A moment in whole seconds since 1970; fractions are cut off.
pub(super) fn seconds(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else {
        return None;
    };
    let text = number.to_string();
    let (whole, _) = text.split_once('.').unwrap_or((&text, ""));
    if text.contains(['e', 'E']) {
        return None;
    }
    whole.parse().ok()
}
