//! What fuzzing reaches of passkeys: all that a browser and a device bring, read and judged for one
//! question. Tells only whether it would be believed, so that nobody can be let in by it.

use super::{
    Assertion, Attestation, Site,
    webauthn::{Doubt, challenge, made, used},
};

const DIGEST: [u8; 32] = [1; 32];
const NONCE: [u8; 32] = [5; 32];
/// How often the passkey was used before.
const KNOWN: u32 = 7;
const IDENTIFIER_LONGEST: usize = 1_023;

/// Whether a passkey would be taken (first byte even) or its use be believed (odd). Each part that
/// follows is two bytes of its length, the higher one first, and the part: what the browser says,
/// what the device says; of a use also the public key, and all the rest is the signature.
#[must_use]
pub fn judged(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else {
        return false;
    };
    let (client_data, rest) = part(rest);
    let (authenticator_data, rest) = part(rest);
    if kind & 1 == 0 {
        return makes(&Attestation {
            client_data: client_data.to_vec(),
            authenticator_data: authenticator_data.to_vec(),
        });
    }
    let (key, signature) = part(rest);
    let assertion = Assertion {
        credential: Vec::new(),
        client_data: client_data.to_vec(),
        authenticator_data: authenticator_data.to_vec(),
        signature: signature.to_vec(),
    };
    uses(key, &assertion)
}

fn makes(attestation: &Attestation) -> bool {
    let Ok(found) = made(&site(), &asked(), attestation) else {
        return false;
    };
    let length = found.credential.len();
    assert!((1..=IDENTIFIER_LONGEST).contains(&length), "{length} bytes");
    let other = made(&site(), &another(), attestation);
    assert_eq!(other, Err(Doubt::Challenge), "good for another question");
    // What is kept of it is a key, and one that nothing has signed with yet.
    let unsigned = Assertion {
        credential: found.credential,
        client_data: attestation.client_data.clone(),
        authenticator_data: attestation.authenticator_data.clone(),
        signature: Vec::new(),
    };
    let used = used(&site(), &asked(), &found.key, KNOWN, &unsigned);
    assert_eq!(used, Err(Doubt::Kind), "made and used are the same");
    true
}

fn uses(key: &[u8], assertion: &Assertion) -> bool {
    let Ok(counter) = used(&site(), &asked(), key, KNOWN, assertion) else {
        return false;
    };
    assert!(counter > KNOWN, "the counter stands at {counter}");
    let other = used(&site(), &another(), key, KNOWN, assertion);
    assert_eq!(other, Err(Doubt::Challenge), "good for another question");
    true
}

fn asked() -> [u8; 32] {
    challenge(&DIGEST, &NONCE)
}

fn another() -> [u8; 32] {
    challenge(&[2; 32], &NONCE)
}

fn site() -> Site {
    Site {
        origin: "https://raft.example".to_owned(),
        id: "raft.example".to_owned(),
    }
}

/// The part at the beginning of `bytes`, as long as it says or as there is, and what follows.
fn part(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return (&[], &[]);
    };
    let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
    rest.split_at(length)
}
