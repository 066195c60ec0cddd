//! Right uses of a passkey, and each wrong one by itself. What each stands for: Web Authentication
//! level 2, 7.1 and 7.2.
#![allow(clippy::unwrap_used)]

use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};

use super::*;

#[path = "../../../tests/support/authenticator.rs"]
mod authenticator;

use authenticator::{Answer, Authenticator, Said, text};

const ORIGIN: &str = "https://raft.example";
const HOST: &str = "raft.example";
const NONCE: [u8; 32] = [5; 32];

/// What is wrong with a use, and for what it is refused.
type Wrong = (fn(&mut Said), Doubt);
/// The same of a making, where what is signed may be cut as well.
type WrongMaking = (fn(&mut Said), fn(&mut Vec<u8>), Doubt);

fn site() -> Site {
    Site {
        origin: ORIGIN.to_owned(),
        id: HOST.to_owned(),
    }
}

fn here() -> Said {
    Said::at(ORIGIN, HOST)
}

fn asked(digest: [u8; 32]) -> [u8; 32] {
    challenge(&digest, &NONCE)
}

fn attestation(answer: Answer) -> Attestation {
    Attestation {
        client_data: answer.client_data,
        authenticator_data: answer.authenticator_data,
    }
}

fn assertion(device: &Authenticator, answer: Answer) -> Assertion {
    Assertion {
        credential: device.credential.clone(),
        client_data: answer.client_data,
        authenticator_data: answer.authenticator_data,
        signature: answer.signature,
    }
}

/// What comes of a use of a new device for action 1, said like this.
fn use_of(change: impl FnOnce(&mut Said)) -> Result<u32, Doubt> {
    let mut device = Authenticator::new(b"c-1");
    let mut said = here();
    change(&mut said);
    let answer = device.signs(&text(&asked([1; 32])), &said);
    let assertion = assertion(&device, answer);
    used(&site(), &asked([1; 32]), &device.key(), 0, &assertion)
}

#[test]
fn a_key_is_made_and_used() {
    let mut device = Authenticator::new(b"c-1");
    let answer = device.makes(&text(&asked([1; 32])), &here());
    let made = made(&site(), &asked([1; 32]), &attestation(answer)).unwrap();
    assert_eq!(made.credential, b"c-1");
    assert_eq!(made.key, device.key());
    let answer = device.signs(&text(&asked([2; 32])), &here());
    let assertion = assertion(&device, answer);
    let counter = used(
        &site(),
        &asked([2; 32]),
        &made.key,
        made.counter,
        &assertion,
    );
    assert_eq!(counter, Ok(1));
}

#[test]
fn each_wrong_use_is_refused_for_its_own_reason() {
    assert_eq!(use_of(|_| {}), Ok(1));
    assert_eq!(use_of(|said| said.cross_origin = None), Ok(1));
    let cases: [Wrong; 8] = [
        (|said| said.kind = Some("webauthn.create"), Doubt::Kind),
        (
            |said| said.origin = "https://evil.example".to_owned(),
            Doubt::Origin,
        ),
        (
            |said| said.origin = "https://raft.example:8443".to_owned(),
            Doubt::Origin,
        ),
        (
            |said| said.origin = "http://raft.example".to_owned(),
            Doubt::Origin,
        ),
        (|said| said.cross_origin = Some(true), Doubt::Framed),
        (|said| said.site = "evil.example".to_owned(), Doubt::Site),
        (|said| said.present = false, Doubt::Absent),
        (|said| said.verified = false, Doubt::Unverified),
    ];
    for (change, doubt) in cases {
        assert_eq!(use_of(change), Err(doubt));
    }
}

#[test]
fn what_was_signed_for_one_action_is_good_for_no_other() {
    let mut device = Authenticator::new(b"c-1");
    let answer = device.signs(&text(&asked([1; 32])), &here());
    let assertion = assertion(&device, answer);
    for other in [challenge(&[2; 32], &NONCE), challenge(&[1; 32], &[6; 32])] {
        let found = used(&site(), &other, &device.key(), 0, &assertion);
        assert_eq!(found, Err(Doubt::Challenge));
    }
}

#[test]
fn another_key_or_any_changed_bit_is_a_wrong_signature() {
    let mut device = Authenticator::new(b"c-1");
    let answer = device.signs(&text(&asked([1; 32])), &here());
    let right = assertion(&device, answer);
    let judge = |key: &[u8], it: &Assertion| used(&site(), &asked([1; 32]), key, 0, it);
    let others = Authenticator::new(b"c-1").key();
    assert_eq!(judge(&others, &right), Err(Doubt::Signature));
    let mut wrong = right.clone();
    // The counter's last bit; the digest of the client's data is signed as well.
    *wrong.authenticator_data.last_mut().unwrap() ^= 2;
    assert_eq!(judge(&device.key(), &wrong), Err(Doubt::Signature));
    let mut wrong = right.clone();
    wrong.client_data.push(b' ');
    assert_eq!(judge(&device.key(), &wrong), Err(Doubt::Signature));
    let mut wrong = right;
    wrong.signature.clear();
    assert_eq!(judge(&device.key(), &wrong), Err(Doubt::Signature));
}

#[test]
fn a_counter_must_grow_unless_there_is_none() {
    for (known, told, result) in [
        (0, 0, Ok(0)),
        (0, 1, Ok(1)),
        (7, 8, Ok(8)),
        (7, 7, Err(Doubt::Counter)),
        (7, 6, Err(Doubt::Counter)),
        (7, 0, Err(Doubt::Counter)),
    ] {
        let mut device = Authenticator::new(b"c-1");
        (device.counter, device.step) = (told, 0);
        let answer = device.signs(&text(&asked([1; 32])), &here());
        let assertion = assertion(&device, answer);
        let found = used(&site(), &asked([1; 32]), &device.key(), known, &assertion);
        assert_eq!(found, result, "{known} then {told}");
    }
}

#[test]
fn what_is_cut_off_or_too_long_is_not_understood() {
    let mut device = Authenticator::new(b"c-1");
    let answer = device.signs(&text(&asked([1; 32])), &here());
    let right = assertion(&device, answer);
    for length in 0..HEAD {
        let mut wrong = right.clone();
        wrong.authenticator_data.truncate(length);
        let found = used(&site(), &asked([1; 32]), &device.key(), 0, &wrong);
        assert_eq!(found, Err(Doubt::Malformed), "{length}");
    }
    let mut long = right.clone();
    long.client_data = vec![b' '; LARGEST + 1];
    let found = used(&site(), &asked([1; 32]), &device.key(), 0, &long);
    assert_eq!(found, Err(Doubt::Malformed));
    let mut wrong = right;
    wrong.client_data = b"[]".to_vec();
    let found = used(&site(), &asked([1; 32]), &device.key(), 0, &wrong);
    assert_eq!(found, Err(Doubt::Malformed));
}

#[test]
fn a_key_that_was_made_wrongly_is_not_taken() {
    let asked = asked([1; 32]);
    let mut device = Authenticator::new(b"c-1");
    let mut making = |change: fn(&mut Said), cut: fn(&mut Vec<u8>)| {
        let mut said = here();
        change(&mut said);
        let mut answer = device.makes(&text(&asked), &said);
        cut(&mut answer.authenticator_data);
        made(&site(), &asked, &attestation(answer)).map(|made| made.credential)
    };
    assert!(making(|_| {}, |_| {}).is_ok());
    let cases: [WrongMaking; 8] = [
        (|said| said.kind = Some("webauthn.get"), |_| {}, Doubt::Kind),
        (|said| said.origin.push('x'), |_| {}, Doubt::Origin),
        (|said| said.verified = false, |_| {}, Doubt::Unverified),
        (|_| {}, |data| data.truncate(HEAD), Doubt::Malformed),
        (|_| {}, |data| data.push(0), Doubt::Malformed),
        (
            |_| {},
            |data| {
                data.pop();
            },
            Doubt::Key,
        ),
        // The identifier claims to be longer than all there is.
        (|_| {}, |data| data[HEAD + 16] = 0x03, Doubt::Malformed),
        (|_| {}, |data| data[32] &= 0b1011_1111, Doubt::Malformed),
    ];
    for (change, cut, doubt) in cases {
        assert_eq!(making(change, cut), Err(doubt));
    }
    // What more is told may follow where the flags say so.
    let more: fn(&mut Vec<u8>) = |data| {
        data[32] |= 0b1000_0000;
        data.push(0xa0);
    };
    assert!(making(|_| {}, more).is_ok());
}

#[test]
fn the_other_kinds_of_keys_are_read() {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let mut key = vec![0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32];
    key.extend_from_slice(pair.public_key().as_ref());
    let (read, after) = Key::read(&key).unwrap();
    assert!(after.is_empty());
    assert_eq!(read.verify(b"it", pair.sign(b"it").as_ref()), Ok(()));
    let wrong = read.verify(b"it", pair.sign(b"that").as_ref());
    assert_eq!(wrong, Err(Doubt::Signature));

    for (bytes, usable) in [(128_u16, false), (256, true), (512, true), (513, false)] {
        let mut key = vec![0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59];
        key.extend_from_slice(&bytes.to_be_bytes());
        key.extend(std::iter::repeat_n(0xc1, usize::from(bytes)));
        key.extend_from_slice(&[0x21, 0x43, 1, 0, 1]);
        let (read, _) = Key::read(&key).unwrap();
        assert_eq!(read.usable().is_ok(), usable, "{bytes}");
        assert_eq!(read.verify(b"it", b"x"), Err(Doubt::Signature));
    }
    for nothing in [&[][..], &[0xa5, 1, 2], &[0xff; 80]] {
        assert!(matches!(Key::read(nothing), Err(Doubt::Key)));
    }
}

#[test]
fn passkeys_are_made_for_names_by_https_or_on_this_machine() {
    let site = |text: &str| Site::of(&Url::parse(text).unwrap());
    assert_eq!(
        site("https://raft.example:8443/quorate/"),
        Some(Site {
            origin: "https://raft.example:8443".to_owned(),
            id: "raft.example".to_owned()
        })
    );
    assert!(site("http://localhost:7878/").is_some());
    for none in [
        "http://raft.example/",
        "https://10.0.0.1/",
        "http://127.0.0.1:7878/",
        "https://[::1]/",
    ] {
        assert_eq!(site(none), None, "{none}");
    }
}
