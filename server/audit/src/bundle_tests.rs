//! Bundles that were tampered with, each in a way an attacker would choose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Cursor;

use crate::{
    bundle::{self, Bundle, Ending},
    checkpoint::{Checkpoint, Signed},
    note::{SigningKey, VerifierKey},
    personal::{Binding, People, PersonKey, Personal},
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

fn person(seed: u8) -> PersonKey {
    PersonKey::of_bytes(&[seed; 32]).unwrap()
}

/// Two people; the third was erased.
fn people() -> People {
    let mut people = People::default();
    people.add(person(1));
    people.add(person(2));
    people
}

/// The same entries, each naming one of three people in a sealed part.
fn sealed_entries(count: u64) -> Vec<Vec<u8>> {
    let seal = |seq: u64| {
        let personal = Personal {
            name: Some(format!("person {}", seq % 3)),
            peer: Some("10.0.0.7".to_owned()),
            ..Personal::default()
        };
        let key = person(u8::try_from(seq % 3).unwrap() + 1);
        let part = key.seal(&personal, &Binding::default()).unwrap();
        let mut bytes = entry(seq);
        bytes.pop();
        bytes.extend_from_slice(
            format!(
                ",\"action\":\"promote\",\"actor\":{{\"issuer\":\"local\",\"subject\":\"s{}\",\
                 \"name\":\"\",\"means\":\"token\"}},\"sealed\":[\"{part}\"]}}",
                seq % 3
            )
            .as_bytes(),
        );
        bytes
    };
    (1..=count).map(seal).collect()
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
    bundle_of(entries, shown, 0, earlier, own, signing)
}

/// The same; the bytes of the first `removed` entries are gone.
fn bundle_of(
    entries: &[Vec<u8>],
    shown: impl Fn(u64) -> bool,
    removed: u64,
    earlier: &[String],
    own: &[VerifierKey],
    signing: &[SigningKey],
) -> Vec<u8> {
    let cuts = earlier.iter().map(|note| Signed::parse(note).unwrap());
    let cuts = cuts.map(|signed| signed.checkpoint.size).collect();
    let bundle = Bundle::begin(Cursor::new(Vec::new()), Cursor::new(Vec::new())).unwrap();
    let mut bundle = bundle.with_cuts(cuts);
    for (seq, bytes) in (1..).zip(entries) {
        match seq <= removed {
            true => bundle.removed(leaf(bytes)),
            false => bundle.entry(bytes, shown(seq)).unwrap(),
        }
    }
    let checkpoint = checkpoint(entries);
    let note = checkpoint.sign(signing).unwrap();
    let ending = Ending {
        checkpoint: &checkpoint,
        note: &note,
        earlier,
        keys: own,
        people: &people(),
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

/// c2sp.org/signed-note: a name alone is no key.
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

/// brandonrc/mobula#59.
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

/// Changed, moved, left out and twice, and signed anew with the right key: RFC 6962, section 3.
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

/// c2sp.org/tlog-checkpoint: a log's name and its key are one.
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
    // With every member: sealed parts and their keys, entries that were removed and their hashes.
    let mut whole = sealed_entries(1_000);
    whole[999] = removal(1_000, 256, &whole[..256]);
    let bytes = bundle_of(&whole, |_| true, 256, &[], &own, &[key(1), key(2)]);
    let mut changed = bytes.clone();
    let mut places = Places(0x9e37_79b9_7f4a_7c15);
    for _ in 0..tries {
        let (at, bit) = (places.next(bytes.len()), places.next(8));
        changed[at] ^= 1 << bit;
        assert!(!holds(&changed), "byte {at}, bit {bit}");
        changed[at] ^= 1 << bit;
    }
    assert!(holds(&changed));
    assert_eq!(bundle::MEMBERS.len(), 8);
}

/// The entry that says that the first `upto` were removed.
fn removal(seq: u64, upto: u64, removed: &[Vec<u8>]) -> Vec<u8> {
    format!(
        "{{\"seq\":{seq},\"time\":\"2026-12-24T14:00:00.000Z\",\"kind\":\"console\",\
         \"action\":\"audit_entries_removed\",\"actor\":{{\"issuer\":\"console\",\
         \"subject\":\"console\",\"name\":\"Quorate\",\"means\":\"console\"}},\"text\":\"\",\
         \"sent\":{{\"upto\":{upto},\"root\":\"{}\"}}}}",
        checkpoint(removed).root
    )
    .into_bytes()
}

#[test]
fn removed_entries_leave_their_hashes_and_the_rest_is_proved() {
    let mut whole = entries(700);
    whole[639] = removal(640, 512, &whole[..512]);
    let with = |whole: &[Vec<u8>], removed| {
        bundle_of(whole, |_| true, removed, &[], &[public(1)], &[key(1)])
    };
    let bytes = with(&whole, 512);
    let report = verify(&bytes, &[public(1)], &[]).unwrap();
    let text = report.to_string();
    assert!(report.holds(), "{text}");
    assert!(
        text.contains("entries 1 to 512 were removed by policy on 2026-12-24"),
        "{text}"
    );
    assert!(text.contains("(entry 640); their hashes remain"), "{text}");
    assert!(text.contains("proved     entries 513 to 700"), "{text}");
    // A copy outside from after it is over the removed ones, too; an older one is not to be checked.
    let (old, late) = (
        signed(&whole[..100], &key(1)),
        signed(&whole[..600], &key(1)),
    );
    let both = [old.clone(), late];
    let report = verify(&bytes, &[public(1)], &both).unwrap();
    assert!(report.holds(), "{report}");
    assert!(
        report
            .to_string()
            .contains("ends among entries that are removed"),
        "{report}"
    );
    fails(&bytes, &[old], "cannot be checked");

    // More is gone than was said, or something in between, or nobody said it.
    let report = verify(&with(&whole, 520), &[public(1)], &[]).unwrap();
    assert_eq!(report.removed, None);
    assert!(report.to_string().contains("is not proved"), "{report}");
    let report = verify(&with(&entries(700), 512), &[public(1)], &[]).unwrap();
    assert_eq!(report.removed, None);
    let hole = bundle_of(&whole, |seq| seq != 600, 512, &[], &[public(1)], &[key(1)]);
    assert_eq!(verify(&hole, &[public(1)], &[]).unwrap().removed, None);
    whole[639] = removal(640, 512, &whole[..511]);
    fails(&with(&whole, 512), &[], "tells another root");
    whole[639] = removal(640, 700, &whole[..512]);
    fails(&with(&whole, 512), &[], "and not of which");
}

#[test]
fn a_part_of_a_log_whose_key_was_replaced_is_proved() {
    let whole = entries(40);
    let both = checkpoint(&whole[..25]).sign(&[key(1), key(2)]).unwrap();
    let own = [public(1), public(2)];
    for shown in [|seq| seq == 3, |seq| seq > 30, |_| false] {
        let bytes = bundle_with(&whole, shown, std::slice::from_ref(&both), &own, &[key(2)]);
        let report = verify(&bytes, &[public(1)], &[]).unwrap();
        assert!(report.holds(), "{report}");
    }
}

#[test]
fn who_is_named_is_shown_where_the_key_goes_along_and_nowhere_else() {
    let bytes = bundle(&sealed_entries(30));
    let report = verify(&bytes, &[public(1)], &[]).unwrap();
    assert!(report.holds(), "{report}");
    assert_eq!(report.erased, 10, "one of three has no key");
    let mut opened = Vec::new();
    verify::read(Cursor::new(&bytes), &People::default(), &mut opened).unwrap();
    let opened = String::from_utf8(opened).unwrap();
    assert_eq!(opened.matches("\"name\":\"person 0\"").count(), 10);
    assert_eq!(opened.matches("\"name\":\"(erased)\"").count(), 10);
    assert!(!opened.contains("person 2"));

    let mut missing = People::default();
    missing.add(person(3));
    let mut all = Vec::new();
    verify::read(Cursor::new(&bytes), &missing, &mut all).unwrap();
    assert!(String::from_utf8(all).unwrap().contains("person 2"));

    // A bundle that shows one person's entries gives no other's key away.
    let part = bundle_with(
        &sealed_entries(30),
        |seq| seq % 3 == 0,
        &[],
        &[public(1)],
        &[key(1)],
    );
    let has = |id: &str| part.windows(id.len()).any(|it| it == id.as_bytes());
    assert!(has(person(1).id()) && !has(&people().text(|id| id == person(2).id())));
}

#[test]
fn what_does_not_open_under_its_own_key_is_found() {
    let mut whole = sealed_entries(9);
    let other = String::from_utf8(whole[1].clone()).unwrap();
    // The right key's name, and a box that another key closed.
    whole[1] = other.replace(person(3).id(), person(2).id()).into();
    fails(&bundle(&whole), &[], "does not open under the key");
    whole[1] = other.replace(person(3).id(), "x").into();
    fails(&bundle(&whole), &[], "sealed in no way that is known");
}

/// The key is the right one, and the box another entry's of the same person.
#[test]
fn a_box_of_another_entry_is_found() {
    let key = person(1);
    let bound = |seq: u64, box_of: u64| {
        let personal = Personal {
            name: Some("person 1".to_owned()),
            ..Personal::default()
        };
        let binding = Binding::new(Some(3), box_of, &format!("id-{box_of}"));
        let part = key.seal(&personal, &binding).unwrap();
        let mut bytes = entry(seq);
        bytes.pop();
        let more = format!(",\"schema\":3,\"id\":\"id-{seq}\",\"sealed\":[\"{part}\"]}}");
        bytes.extend_from_slice(more.as_bytes());
        bytes
    };
    let sound: Vec<Vec<u8>> = (1..=6).map(|seq| bound(seq, seq)).collect();
    let report = verify(&bundle(&sound), &[public(1)], &[]).unwrap();
    assert!(report.holds(), "{report}");
    let mut swapped = sound;
    (swapped[2], swapped[5]) = (bound(3, 6), bound(6, 3));
    fails(&bundle(&swapped), &[], "what entry 3 has sealed");
    fails(&bundle(&swapped), &[], "what entry 6 has sealed");
}

#[test]
fn a_bundle_from_before_anything_was_sealed_is_read() {
    let former = include_bytes!("../../../fuzz/corpus/bundle/whole");
    let report = verify::bundle(Cursor::new(former), Known::default()).unwrap();
    assert!(report.holds(), "{report}");
    assert_eq!(report.shown, report.size);
}
