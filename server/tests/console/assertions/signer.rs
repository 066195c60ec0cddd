//! A key of an issuer that signs what a test wants signed.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};

/// A key of an issuer, and what it signs.
pub struct Signer {
    pub kid: String,
    pair: EcdsaKeyPair,
}

impl Signer {
    pub fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let method = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(method, &random).unwrap();
        Self {
            kid: kid.to_owned(),
            pair: EcdsaKeyPair::from_pkcs8(method, document.as_ref(), &random).unwrap(),
        }
    }

    pub fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub fn jwk(&self) -> Value {
        let encoded = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
                "x": encoded(&self.point()[1..33]), "y": encoded(&self.point()[33..]) })
    }

    pub fn pem(&self) -> String {
        let head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
        let head: Vec<u8> = (0..head.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&head[at..at + 2], 16).unwrap())
            .collect();
        let body = STANDARD.encode([&head, self.point()].concat());
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n",
            &body[..64],
            &body[64..]
        )
    }

    pub fn over(&self, message: &str) -> Vec<u8> {
        let signed = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        signed.unwrap().as_ref().to_vec()
    }

    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": "ES256", "kid": self.kid }), claims)
    }

    pub fn token_with(&self, head: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(head), part(claims));
        let signed = URL_SAFE_NO_PAD.encode(self.over(&message));
        format!("{message}.{signed}")
    }

    /// As AWS writes it: with padding everywhere, and the padding signed.
    pub fn padded(&self, head: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE.encode(value.to_string());
        let message = format!("{}.{}", part(head), part(claims));
        let signed = URL_SAFE.encode(self.over(&message));
        format!("{message}.{signed}")
    }
}

pub fn claims(now: u64) -> Value {
    json!({ "iss": "issuer", "aud": "console", "sub": "4711", "email": "anna@example.com",
            "groups": ["ops"], "iat": now, "exp": now + 300 })
}
