//! A passkey's device and the browser in front of it, for tests: does what is asked of it, and can be
//! told to do it wrongly.
#![allow(dead_code, clippy::unwrap_used)]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// What is said of a page and a touch. As a rule: the right page, touched, its user verified.
#[derive(Clone, Debug)]
pub struct Said {
    pub kind: Option<&'static str>,
    pub origin: String,
    pub site: String,
    pub cross_origin: Option<bool>,
    pub present: bool,
    pub verified: bool,
}

impl Said {
    /// On the page at `origin`, for the host named `site`.
    pub fn at(origin: &str, site: &str) -> Self {
        Self {
            kind: None,
            origin: origin.to_owned(),
            site: site.to_owned(),
            cross_origin: Some(false),
            present: true,
            verified: true,
        }
    }
}

pub struct Authenticator {
    pair: EcdsaKeyPair,
    pub credential: Vec<u8>,
    pub counter: u32,
    /// By how much it counts; some never do.
    pub step: u32,
}

/// Client data, authenticator data, and for a use the signature.
pub struct Answer {
    pub client_data: Vec<u8>,
    pub authenticator_data: Vec<u8>,
    pub signature: Vec<u8>,
}

impl Authenticator {
    pub fn new(credential: &[u8]) -> Self {
        let chance = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &chance).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &chance).unwrap();
        Self {
            pair,
            credential: credential.to_vec(),
            counter: 0,
            step: 1,
        }
    }

    /// `challenge` is URL-safe text, as pages hold it.
    pub fn makes(&mut self, challenge: &str, said: &Said) -> Answer {
        let mut data = self.head(said, 0b0100_0000);
        data.extend_from_slice(&[7; 16]);
        let length = u16::try_from(self.credential.len()).unwrap();
        data.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(&self.credential);
        data.extend_from_slice(&self.key());
        Answer {
            client_data: client_data("webauthn.create", challenge, said),
            authenticator_data: data,
            signature: Vec::new(),
        }
    }

    pub fn signs(&mut self, challenge: &str, said: &Said) -> Answer {
        self.counter += self.step;
        let data = self.head(said, 0);
        let client_data = client_data("webauthn.get", challenge, said);
        let mut message = data.clone();
        message.extend_from_slice(&Sha256::digest(&client_data));
        let signature = self.pair.sign(&SystemRandom::new(), &message).unwrap();
        Answer {
            client_data,
            authenticator_data: data,
            signature: signature.as_ref().to_vec(),
        }
    }

    fn head(&self, said: &Said, more: u8) -> Vec<u8> {
        let mut data = Sha256::digest(said.site.as_bytes()).to_vec();
        data.push(u8::from(said.present) | u8::from(said.verified) << 2 | more);
        data.extend_from_slice(&self.counter.to_be_bytes());
        data
    }

    /// The public key as authenticators write it.
    pub fn key(&self) -> Vec<u8> {
        let point = &self.pair.public_key().as_ref()[1..];
        let mut key = vec![0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32];
        key.extend_from_slice(&point[..32]);
        key.extend_from_slice(&[0x22, 0x58, 32]);
        key.extend_from_slice(&point[32..]);
        key
    }
}

fn client_data(kind: &str, challenge: &str, said: &Said) -> Vec<u8> {
    let mut data = json!({
        "type": said.kind.unwrap_or(kind), "challenge": challenge, "origin": said.origin,
    });
    if let Some(cross_origin) = said.cross_origin {
        data["crossOrigin"] = cross_origin.into();
    }
    data.to_string().into_bytes()
}

pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
