//! Bundles that were tampered with, each in a way an attacker would choose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Cursor;

use crate::{
    bundle::{self, Bundle, Ending},
    checkpoint::{Checkpoint, Signed},
    note::{SigningKey, VerifierKey},
    report::Report,
    tree::{Frontier, leaf},
    verify::{self, Known},
};

const LOG: &str = "quorate-audit/test";

fn key(seed: u8) -> SigningKey {
    SigningKey::of_seed(LOG, [seed; 32]).unwrap()
}

fn public(seed: u8) -> VerifierKey {
    key(seed).public().clone()
}

/// Entry `seq`: every third an intent, the one after it its outcome.
fn entry(seq: u64) -> Vec<u8> {
    let (kind, intent) = match seq % 3 {
        1 => ("intent", "null".to_owned()),
        2 => ("outcome", (seq - 1).to_string()),
        _ => ("access", "null".to_owned()),
    };
    let second = seq % 60;
    format!(
        "{{\"seq\":{seq},\"time\":\"2026-11-21T14:{:02}:{second:02}.000Z\",\"kind\":\"{kind}\",\
         \"intent_seq\":{intent},\"text\":\"Promote node-{seq} to voter, for the new region\"}}",
        seq / 60 % 60
    )
    .into_bytes()
}

fn entries(count: u64) -> Vec<Vec<u8>> {
    (1..=count).map(entry).collect()
}

fn checkpoint(entries: &[Vec<u8>]) -> Checkpoint {
    let mut frontier = Frontier::default();
    for bytes in entries {
        frontier.append(leaf(bytes));
    }
    Checkpoint {
        origin: LOG.to_owned(),
        size: frontier.size(),
        root: frontier.root(),
    }
}

fn bundle_with(
    entries: &[Vec<u8>],
    shown: impl Fn(u64) -> bool,
    earlier: &[String],
    own: &[VerifierKey],
    signing: &[SigningKey],
) -> Vec<u8> {
    let mut bundle = Bundle::begin(Cursor::new(Vec::new()), Cursor::new(Vec::new())).unwrap();
    for (seq, bytes) in (1..).zip(entries) {
        bundle.entry(bytes, shown(seq)).unwrap();
    }
    let checkpoint = checkpoint(entries);
    let note = checkpoint.sign(signing).unwrap();
    let ending = Ending {
        checkpoint: &checkpoint,
        note: &note,
        earlier,
        keys: own,
        filter: "{}",
        signing,
    };
    bundle.finish(&ending).unwrap().0.into_inner()
}

fn bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    bundle_with(entries, |_| true, &[], &[public(1)], &[key(1)])
}

fn verify(bundle: &[u8], keys: &[VerifierKey], outside: &[Signed]) -> Result<Report, String> {
    verify::bundle(Cursor::new(bundle), Known { keys, outside }).map_err(|error| error.to_string())
}

fn holds(bundle: &[u8]) -> bool {
    verify(bundle, &[public(1)], &[]).is_ok_and(|report| report.holds())
}

/// The report of a verification that must fail.
#[track_caller]
fn fails(bundle: &[u8], outside: &[Signed], word: &str) {
    let report = verify(bundle, &[public(1)], outside).unwrap();
    assert!(!report.holds());
    let text = report.to_string();
    assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    assert!(text.ends_with("NOT PROVED"));
}

fn signed(entries: &[Vec<u8>], key: &SigningKey) -> Signed {
    let keys = std::slice::from_ref(key);
    Signed::parse(&checkpoint(entries).sign(keys).unwrap()).unwrap()
}

#[test]
fn a_bundle_is_proved_up_to_its_last_entry_by_the_key_given() {
    for count in [0, 1, 2, 255, 256, 257, 1_000] {
        let bytes = bundle(&entries(count));
        let report = verify(&bytes, &[public(1)], &[]).unwrap();
        assert!(report.holds(), "{report}");
        assert_eq!((report.size, report.shown), (count, count));
        assert_eq!(report.signers, [public(1).key().to_string()]);
        assert_eq!(
            bytes,
            bundle(&entries(count)),
            "the same log makes the same bytes"
        );
    }
}

#[test]
fn without_a_key_the_report_says_that_the_bundle_vouches_for_itself() {
    let report = verify(&bundle(&entries(3)), &[], &[]).unwrap();
    assert!(report.holds());
    assert!(report.to_string().contains("vouches for itself"));
}

#[test]
fn another_key_is_not_believed_even_with_the_same_name() {
    let whole = entries(20);
    let forged = bundle_with(&whole, |_| true, &[], &[public(2)], &[key(2)]);
    fails(&forged, &[], "none of the keys given");
}

#[test]
fn a_part_proves_the_places_of_its_records_and_does_not_claim_to_be_complete() {
    let whole = entries(700);
    let parts: [fn(u64) -> bool; 5] = [
        |seq| seq % 7 == 0,
        |seq| seq == 1,
        |seq| seq == 700,
        |seq| (300..=400).contains(&seq),
        |_| false,
    ];
    for shown in parts {
        let bytes = bundle_with(&whole, shown, &[], &[public(1)], &[key(1)]);
        let report = verify(&bytes, &[public(1)], &[]).unwrap();
        assert!(report.holds(), "{report}");
        assert_eq!(report.shown + report.hidden, 700);
        assert!(report.to_string().contains("is not proved"));
    }
}

#[test]
fn an_outside_copy_finds_that_the_newest_entries_were_cut_off() {
    let whole = entries(100);
    let outside = [signed(&whole, &key(1))];
    let cut = bundle(&whole[..90]);
    assert!(holds(&cut), "nothing else can find it");
    fails(&cut, &outside, "the newest 10 are missing");
    let report = verify(&bundle(&whole), &[public(1)], &outside).unwrap();
    assert!(report.holds());
    assert!(
        report
            .to_string()
            .contains("agree, the newest at entry 100")
    );
}

#[test]
fn a_log_that_was_written_anew_is_not_the_one_the_outside_copy_knows() {
    let whole = entries(100);
    let outside = [signed(&whole[..60], &key(1))];
    let mut replaced = whole.clone();
    replaced[41] = String::from_utf8(entry(42))
        .unwrap()
        .replace("Promote", "Retired")
        .into();
    // Signed with the right key, by somebody who holds it.
    fails(
        &bundle(&replaced),
        &outside,
        "the outside copy for entry 60",
    );
    let mut moved = whole.clone();
    moved.swap(10, 11);
    fails(
        &bundle(&moved),
        &outside,
        "entry 12 stands where entry 11 belongs",
    );
    let mut without = whole.clone();
    without.remove(20);
    fails(
        &bundle(&without),
        &outside,
        "entry 22 stands where entry 21 belongs",
    );
    let mut twice = whole;
    twice.insert(20, entry(20));
    fails(&bundle(&twice), &outside, "stands where");
}

#[test]
fn a_second_log_of_the_same_name_is_not_taken_for_this_one() {
    let whole = entries(50);
    let bytes = bundle(&whole);
    // The same name, another key.
    let second = [signed(&whole[..30], &key(9))];
    fails(&bytes, &second, "is not of this log");
    // The same name and the same key, other entries.
    let mut others = entries(30);
    others[0] = String::from_utf8(entry(1))
        .unwrap()
        .replace("node", "host")
        .into();
    fails(
        &bytes,
        &[signed(&others, &key(1))],
        "the outside copy for entry 30",
    );
    // Another name, the same key.
    let elsewhere = Checkpoint {
        origin: "quorate-audit/other".to_owned(),
        ..checkpoint(&whole)
    };
    let elsewhere = Signed::parse(&elsewhere.sign(&[key(1)]).unwrap()).unwrap();
    fails(&bytes, &[elsewhere], "of another log");
}

#[test]
fn what_was_changed_in_the_file_alone_is_found_and_placed() {
    let bytes = bundle(&entries(1_000));
    let at = |text: &str| {
        bytes
            .windows(text.len())
            .position(|it| it == text.as_bytes())
            .unwrap()
    };
    let mut changed = bytes.clone();
    changed[at("node-600 ") + 5] = b'7';
    fails(&changed, &[], "among the entries 513 to 768");
    fails(
        &changed,
        &[],
        "records.jsonl is not the file that the manifest names",
    );
}

#[test]
fn an_outcome_without_its_intent_is_found() {
    let mut whole = entries(9);
    whole[4] = String::from_utf8(entry(5))
        .unwrap()
        .replace(":4,", ":3,")
        .into();
    fails(&bundle(&whole), &[], "answers entry 3, which is no intent");
}

#[test]
fn a_new_key_is_believed_when_the_old_one_vouched_for_it() {
    let whole = entries(40);
    let both = checkpoint(&whole[..25]).sign(&[key(1), key(2)]).unwrap();
    let own = [public(1), public(2)];
    let bytes = bundle_with(&whole, |_| true, &[both], &own, &[key(2)]);
    let report = verify(&bytes, &[public(1)], &[]).unwrap();
    assert!(report.holds(), "{report}");
    assert!(
        report
            .to_string()
            .contains("vouched for by the key before it, at entry 25")
    );
    // Without that checkpoint nobody vouches for it.
    let alone = bundle_with(&whole, |_| true, &[], &own, &[key(2)]);
    fails(&alone, &[], "none of the keys given");
}

#[test]
fn what_is_no_bundle_is_refused_without_a_panic() {
    let bytes = bundle(&entries(5));
    for cut in (0..bytes.len()).step_by(97) {
        assert!(!holds(&bytes[..cut]));
    }
    assert!(!holds(b""));
    assert!(!holds(&[0; 4_096]));
}

/// A number generator that needs no seed from outside: the places are the same in every run.
struct Places(u64);

impl Places {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below).unwrap()).unwrap()
    }
}

#[test]
fn every_single_bit_of_a_small_bundle_counts() {
    let bytes = bundle_with(&entries(3), |seq| seq != 2, &[], &[public(1)], &[key(1)]);
    let slow = std::env::var_os("QUORATE_TEST_SLOW").is_some();
    let mut changed = bytes.clone();
    for bit in (0..bytes.len() * 8).step_by(if slow { 1 } else { 61 }) {
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!holds(&changed), "bit {bit}");
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(holds(&changed));
}

#[test]
fn a_changed_bit_at_random_places_of_a_thousand_entries_is_found() {
    let slow = std::env::var_os("QUORATE_TEST_SLOW").is_some();
    let tries = if slow { 10_000 } else { 300 };
    let own = [public(1), public(2)];
    let bytes = bundle_with(&entries(1_000), |_| true, &[], &own, &[key(1), key(2)]);
    let mut changed = bytes.clone();
    let mut places = Places(0x9e37_79b9_7f4a_7c15);
    for _ in 0..tries {
        let (at, bit) = (places.next(bytes.len()), places.next(8));
        changed[at] ^= 1 << bit;
        assert!(!holds(&changed), "byte {at}, bit {bit}");
        changed[at] ^= 1 << bit;
    }
    assert!(holds(&changed));
    assert_eq!(bundle::MEMBERS.len(), 7);
}
