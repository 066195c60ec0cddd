//! Passkeys as WebAuthn (level 2) defines them: what an authenticator says when a key is made and
//! when it is used, judged for this console's address. Knows no persons, no store and no clock.
//!
//! Only what this console asks for is read: no attestation, and keys in the one form authenticators
//! must write them in (canonical CBOR). The challenge is not a mere number but made of the very
//! action, so that the signature speaks of it; ready-made libraries draw theirs by chance. All
//! arithmetic is `ring`'s.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::{Host, Url};

/// Begins what a challenge is made of.
const LABEL: &[u8] = b"quorate passkey challenge, version 1\n";
/// Somebody touched it; it knows whom it serves; a new key is told; more is told.
const PRESENT: u8 = 0b0000_0001;
const VERIFIED: u8 = 0b0000_0100;
const KEY_TOLD: u8 = 0b0100_0000;
const MORE_TOLD: u8 = 0b1000_0000;
/// Digest, flags, counter.
const HEAD: usize = 32 + 1 + 4;
const IDENTIFIER_LONGEST: usize = 1_023;
/// Longest answer that is read, in bytes.
pub(super) const LARGEST: usize = 8 * 1024;

/// The address passkeys of this console are made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Scheme, host and port, as browsers write it.
    pub origin: String,
    /// The host's name.
    pub id: String,
}

impl Site {
    /// `None` where browsers know no passkeys: at a bare IP address, or without https elsewhere
    /// than on this machine.
    #[must_use]
    pub fn of(external: &Url) -> Option<Self> {
        let Some(Host::Domain(name)) = external.host() else {
            return None;
        };
        let here = name == "localhost" || name.ends_with(".localhost");
        (external.scheme() == "https" || here && external.scheme() == "http").then(|| Self {
            origin: external.origin().ascii_serialization(),
            id: name.to_owned(),
        })
    }
}

/// What a browser brings after a passkey was used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assertion {
    pub credential: Vec<u8>,
    pub client_data: Vec<u8>,
    pub authenticator_data: Vec<u8>,
    pub signature: Vec<u8>,
}

/// What a browser brings after a passkey was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attestation {
    pub client_data: Vec<u8>,
    pub authenticator_data: Vec<u8>,
}

/// A key that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) credential: Vec<u8>,
    /// As the authenticator writes it (COSE).
    pub(super) key: Vec<u8>,
    pub(super) counter: u32,
}

/// Why a passkey proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Doubt {
    #[error("the passkey's answer was not understood")]
    Malformed,
    #[error("the passkey's answer is to another question")]
    Kind,
    #[error("the passkey was used for another action, or an earlier question")]
    Challenge,
    #[error("the passkey was used at another address")]
    Origin,
    #[error("the passkey was used inside a page of another site")]
    Framed,
    #[error("the passkey is another site's")]
    Site,
    #[error("nobody touched the passkey's device")]
    Absent,
    #[error("the passkey's device did not verify its user")]
    Unverified,
    #[error("the passkey's key is of a kind that is not taken")]
    Key,
    #[error("the passkey's signature is wrong")]
    Signature,
    #[error("the passkey's counter went back: there may be a copy of it")]
    Counter,
}

#[derive(Deserialize)]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
    #[serde(default, rename = "topOrigin")]
    top_origin: Option<String>,
}

/// The challenge for an action: whoever signs it has signed the action's digest.
pub(super) fn challenge(digest: &[u8; 32], nonce: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(LABEL);
    hash.update(digest);
    hash.update(nonce);
    hash.finalize().into()
}

/// The key that was made for this challenge.
pub(super) fn made(
    site: &Site,
    challenge: &[u8; 32],
    attestation: &Attestation,
) -> Result<Made, Doubt> {
    said(site, "webauthn.create", challenge, &attestation.client_data)?;
    let told = Told::read(&attestation.authenticator_data)?;
    told.judge(site)?;
    if told.flags & KEY_TOLD == 0 {
        return Err(Doubt::Malformed);
    }
    // 16 bytes say which model it is; nobody asks.
    let rest = told.rest.get(16..).ok_or(Doubt::Malformed)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(Doubt::Malformed)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if !(1..=IDENTIFIER_LONGEST).contains(&length) {
        return Err(Doubt::Malformed);
    }
    let (credential, rest) = rest.split_at_checked(length).ok_or(Doubt::Malformed)?;
    let (key, after) = Key::read(rest)?;
    if !after.is_empty() && told.flags & MORE_TOLD == 0 {
        return Err(Doubt::Malformed);
    }
    // A key that cannot be used later is refused now.
    key.usable()?;
    let key = rest.get(..rest.len() - after.len());
    Ok(Made {
        credential: credential.to_vec(),
        key: key.ok_or(Doubt::Malformed)?.to_vec(),
        counter: told.counter,
    })
}

/// The counter that the key has now. `key` and `counter` are those known so far.
pub(super) fn used(
    site: &Site,
    challenge: &[u8; 32],
    key: &[u8],
    counter: u32,
    assertion: &Assertion,
) -> Result<u32, Doubt> {
    said(site, "webauthn.get", challenge, &assertion.client_data)?;
    let told = Told::read(&assertion.authenticator_data)?;
    told.judge(site)?;
    let (key, _) = Key::read(key)?;
    let mut message = assertion.authenticator_data.clone();
    message.extend_from_slice(&Sha256::digest(&assertion.client_data));
    key.verify(&message, &assertion.signature)?;
    // Many keep no counter and say 0 for ever.
    let grown = told.counter > counter || told.counter == 0 && counter == 0;
    grown.then_some(told.counter).ok_or(Doubt::Counter)
}

/// What the browser says it was asked, and where.
fn said(site: &Site, kind: &str, challenge: &[u8; 32], data: &[u8]) -> Result<(), Doubt> {
    if data.len() > LARGEST {
        return Err(Doubt::Malformed);
    }
    let data: ClientData = serde_json::from_slice(data).map_err(|_| Doubt::Malformed)?;
    if data.r#type != kind {
        return Err(Doubt::Kind);
    }
    let expected = URL_SAFE_NO_PAD.encode(challenge);
    let same: bool = data.challenge.as_bytes().ct_eq(expected.as_bytes()).into();
    if !same {
        return Err(Doubt::Challenge);
    }
    if data.origin != site.origin {
        return Err(Doubt::Origin);
    }
    if data.cross_origin || data.top_origin.is_some() {
        return Err(Doubt::Framed);
    }
    Ok(())
}

/// What the authenticator itself says.
struct Told<'a> {
    site: &'a [u8],
    flags: u8,
    counter: u32,
    rest: &'a [u8],
}

impl<'a> Told<'a> {
    fn read(data: &'a [u8]) -> Result<Self, Doubt> {
        if data.len() > LARGEST {
            return Err(Doubt::Malformed);
        }
        let (head, rest) = data.split_at_checked(HEAD).ok_or(Doubt::Malformed)?;
        let (site, head) = head.split_at(32);
        let (flags, counter) = head.split_first().ok_or(Doubt::Malformed)?;
        let counter = counter.try_into().map_err(|_| Doubt::Malformed)?;
        Ok(Self {
            site,
            flags: *flags,
            counter: u32::from_be_bytes(counter),
            rest,
        })
    }

    fn judge(&self, site: &Site) -> Result<(), Doubt> {
        if self.site != Sha256::digest(site.id.as_bytes()).as_slice() {
            return Err(Doubt::Site);
        }
        if self.flags & PRESENT == 0 {
            return Err(Doubt::Absent);
        }
        if self.flags & VERIFIED == 0 {
            return Err(Doubt::Unverified);
        }
        Ok(())
    }
}

/// The kinds of keys this console asks for, by their COSE numbers: -7, -8 and -257.
pub(super) const KINDS: [i32; 3] = [-7, -8, -257];

enum Key<'a> {
    /// ECDSA on P-256 with SHA-256: the two coordinates.
    P256(&'a [u8], &'a [u8]),
    Ed25519(&'a [u8]),
    /// RSASSA-PKCS1-v1_5 with SHA-256: the modulus.
    Rsa(&'a [u8]),
}

impl<'a> Key<'a> {
    /// The key at the beginning of `bytes`, and what follows.
    fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Doubt> {
        const P256: &[u8] = &[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32];
        const THEN_Y: &[u8] = &[0x22, 0x58, 32];
        const ED25519: &[u8] = &[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32];
        const RSA: &[u8] = &[0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59];
        const THEN_E: &[u8] = &[0x21, 0x43, 1, 0, 1];
        let take = |bytes: &'a [u8], length: usize| bytes.split_at_checked(length);
        let read = || {
            if let Some(rest) = bytes.strip_prefix(P256) {
                let (x, rest) = take(rest, 32)?;
                let (y, rest) = take(rest.strip_prefix(THEN_Y)?, 32)?;
                return Some((Self::P256(x, y), rest));
            }
            if let Some(rest) = bytes.strip_prefix(ED25519) {
                let (key, rest) = take(rest, 32)?;
                return Some((Self::Ed25519(key), rest));
            }
            let (length, rest) = bytes.strip_prefix(RSA)?.split_first_chunk::<2>()?;
            let (modulus, rest) = take(rest, usize::from(u16::from_be_bytes(*length)))?;
            Some((Self::Rsa(modulus), rest.strip_prefix(THEN_E)?))
        };
        read().ok_or(Doubt::Key)
    }

    /// 2048 to 4096 bits.
    fn usable(&self) -> Result<(), Doubt> {
        match self {
            Self::Rsa(modulus) if !(256..=512).contains(&modulus.len()) => Err(Doubt::Key),
            _ => Ok(()),
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Doubt> {
        let verified = match self {
            Self::P256(x, y) => {
                let point = [&[4], *x, *y].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Self::Rsa(modulus) => {
                let e: &[u8] = &[1, 0, 1];
                let key = RsaPublicKeyComponents { n: *modulus, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.map_err(|_| Doubt::Signature)
    }
}

#[cfg(test)]
mod tests;
