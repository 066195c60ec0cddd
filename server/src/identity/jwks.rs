//! Public keys of an issuer, and signatures checked with them. Only asymmetric methods exist here,
//! so neither `none` nor a public key taken for a shared secret can ever be asked for.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

/// Largest set of keys that is read, in bytes.
pub const LARGEST: usize = 256 * 1024;
const KEYS_MOST: usize = 64;
/// What stands before the point of a P-256 key in its PEM form.
const P256_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Es256,
    Es384,
    Ed25519,
}

impl Algorithm {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::Ed25519,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// One key, bound to its name and, where the set says so, to its method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub kid: String,
    algorithm: Option<Algorithm>,
    material: Material,
}

impl Key {
    /// Whether `signature` over `message` was made with this key by this method.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signed: &[u8]) -> bool {
        if self.algorithm.is_some_and(|bound| bound != algorithm) {
            return false;
        }
        let rsa = |parameters: &RsaParameters, n: &[u8], e: &[u8]| {
            let key = RsaPublicKeyComponents { n, e };
            key.verify(parameters, message, signed).is_ok()
        };
        let plain = |method: &'static dyn signature::VerificationAlgorithm, point: &[u8]| {
            let key = UnparsedPublicKey::new(method, point);
            key.verify(message, signed).is_ok()
        };
        match (algorithm, &self.material) {
            (Algorithm::Rs256, Material::Rsa { n, e }) => {
                rsa(&signature::RSA_PKCS1_2048_8192_SHA256, n, e)
            }
            (Algorithm::Rs384, Material::Rsa { n, e }) => {
                rsa(&signature::RSA_PKCS1_2048_8192_SHA384, n, e)
            }
            (Algorithm::Rs512, Material::Rsa { n, e }) => {
                rsa(&signature::RSA_PKCS1_2048_8192_SHA512, n, e)
            }
            (Algorithm::Ps256, Material::Rsa { n, e }) => {
                rsa(&signature::RSA_PSS_2048_8192_SHA256, n, e)
            }
            (Algorithm::Es256, Material::P256(point)) => {
                plain(&signature::ECDSA_P256_SHA256_FIXED, point)
            }
            (Algorithm::Es384, Material::P384(point)) => {
                plain(&signature::ECDSA_P384_SHA384_FIXED, point)
            }
            (Algorithm::Ed25519, Material::Ed25519(point)) => plain(&signature::ED25519, point),
            _ => false,
        }
    }

    /// A P-256 key in PEM form, as AWS publishes each of them under its own address.
    #[must_use]
    pub fn from_pem(kid: &str, pem: &str) -> Option<Self> {
        let body = pem
            .trim()
            .strip_prefix("-----BEGIN PUBLIC KEY-----")?
            .strip_suffix("-----END PUBLIC KEY-----")?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = base64::engine::general_purpose::STANDARD
            .decode(body)
            .ok()?;
        let point = der.strip_prefix(&P256_HEAD)?;
        (point.len() == 65 && point.first() == Some(&4)).then(|| Self {
            kid: kid.to_owned(),
            algorithm: Some(Algorithm::Es256),
            material: Material::P256(point.to_vec()),
        })
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can check signatures here; others are passed over.
///
/// # Errors
/// What is wrong, in words, if it is no set, holds too many keys, or none that can be used.
pub fn read(bytes: &[u8]) -> Result<Vec<Key>, String> {
    if bytes.len() > LARGEST {
        return Err("is too large".to_owned());
    }
    let set: Set =
        serde_json::from_slice(bytes).map_err(|_| "is not a set of keys (JWKS)".to_owned())?;
    if set.keys.len() > KEYS_MOST {
        return Err("holds too many keys".to_owned());
    }
    let keys: Vec<Key> = set.keys.into_iter().filter_map(one).collect();
    if keys.is_empty() {
        return Err("holds no key that can check signatures".to_owned());
    }
    Ok(keys)
}

fn one(value: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    if jwk.r#use.as_deref().is_some_and(|use_| use_ != "sig") {
        return None;
    }
    let algorithm = match &jwk.alg {
        Some(alg) => Some(Algorithm::parse(alg)?),
        None => None,
    };
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    let point = |length: usize| {
        let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
        (x.len() == length && y.len() == length).then(|| [&[4], &*x, &*y].concat())
    };
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => Material::Rsa {
            n: bytes(&jwk.n)?,
            e: bytes(&jwk.e)?,
        },
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&jwk.x)?),
        _ => return None,
    };
    Some(Key {
        kid: jwk.kid?,
        algorithm,
        material,
    })
}
