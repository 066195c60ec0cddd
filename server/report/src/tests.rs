#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::as_conversions
)]

mod mapping;
mod reading;

use quorate_audit::{
    checkpoint::{Checkpoint, Signed},
    manifest::{File as Listed, hex},
    note::SigningKey,
    tree,
};
use quorate_domain::{
    audit::{EntryKind, Filter, Means, Outcome},
    moment::Timestamp,
};
use serde_json::{Value, json};

use self::reading::File;
use crate::{
    About, Bundle, CHANGES_MOST, Gathering, Language, OTHERS_MOST, pdf,
    typeface::{Style, Typefaces},
    words::Words,
};

/// An entry's bytes, of these fields beside the usual ones.
fn entry(seq: u64, fields: Value) -> Vec<u8> {
    let mut entry = json!({
        "seq": seq, "time": "2026-11-21T14:02:52.412Z", "kind": "access", "action": "sign_in",
        "actor": {"issuer": "local", "subject": "0193", "name": "ada", "means": "password"},
        "source": {"peer": "10.0.0.7", "user_agent": "a browser", "request_id": "r-1", "session": "5e55"},
        "text": "ada signed in by password.",
    });
    for (name, value) in fields.as_object().unwrap() {
        entry[name] = value.clone();
    }
    serde_json::to_vec(&entry).unwrap()
}

fn seen(members: &[(&str, &str)], leader: &str, tolerates: u64) -> Value {
    let members: Vec<Value> = members
        .iter()
        .map(|(id, role)| json!({"id": id, "role": role}))
        .collect();
    json!({"members": members, "leader": leader, "quorum": {"tolerates": tolerates}})
}

fn promotion(seq: u64) -> Vec<u8> {
    let before = [
        ("n1", "voter"),
        ("n2", "voter"),
        ("n3", "voter"),
        ("n4", "learner"),
    ];
    entry(
        seq,
        json!({
            "kind": "intent", "action": "promote", "cluster": "vault-eu", "member": "n4",
            "change": "0193-a", "reason": "capacity 扩容", "ticket": "OPS-7", "text": "Promote n4.",
            "seen": seen(&before, "n1", 1),
        }),
    )
}

fn promoted(seq: u64, intent: u64) -> Vec<u8> {
    let after = [
        ("n1", "voter"),
        ("n2", "voter"),
        ("n3", "voter"),
        ("n4", "voter"),
    ];
    entry(
        seq,
        json!({
            "kind": "outcome", "action": "promote", "cluster": "vault-eu", "member": "n4",
            "change": "0193-a", "intent_seq": intent, "outcome": "succeeded",
            "actor": {"issuer": "console", "subject": "console", "name": "Quorate", "means": "console"},
            "text": "Promote n4: it is a voter.", "seen": seen(&after, "n2", 1),
        }),
    )
}

fn refusal(seq: u64, text: &str) -> Vec<u8> {
    entry(
        seq,
        json!({"kind": "refusal", "action": "remove", "cluster": "vault-eu", "member": "n1",
            "outcome": "refused", "reason": text, "text": text}),
    )
}

fn failed(seq: u64) -> Vec<u8> {
    entry(
        seq,
        json!({"outcome": "failed", "text": "Sign-in as eve failed: name or password was wrong.",
            "actor": {"issuer": "none", "subject": "unauthenticated", "name": "eve", "means": "nobody"}}),
    )
}

fn gathered(entries: &[(Vec<u8>, bool)]) -> Gathering {
    let mut gathering = Gathering::default();
    for (bytes, shown) in entries {
        gathering.entry(bytes, *shown).unwrap();
    }
    gathering
}

fn made_in(language: Language, gathering: &Gathering, filter: &Filter) -> Vec<u8> {
    made_after(0, language, gathering, filter)
}

/// Of a log from whose beginning so many entries were removed.
fn made_after(removed: u64, language: Language, gathering: &Gathering, filter: &Filter) -> Vec<u8> {
    let key = SigningKey::of_seed("quorate.example/log", [7; 32]).unwrap();
    let checkpoint = Checkpoint {
        origin: "quorate.example/log".to_owned(),
        size: removed + gathering.shown + gathering.left_out,
        root: tree::leaf(b"all of it"),
    };
    let keys = [key];
    let note = checkpoint.sign(&keys).unwrap();
    let bundle = bundle();
    let about = About {
        language,
        filter,
        removed,
        conditions: &serde_json::to_string(&json!({"cluster": filter.cluster})).unwrap(),
        signed: &Signed::parse(&note).unwrap(),
        note: &note,
        keys: &keys.map(|key| key.public().clone()),
        bundle: &bundle,
    };
    pdf(gathering, &about).unwrap()
}

fn bundle() -> Bundle {
    Bundle {
        name: "quorate-audit-5.tar".to_owned(),
        bytes: 12_345,
        sha256: [0xab; 32],
        files: vec![Listed {
            name: "records.jsonl".to_owned(),
            bytes: 4_321,
            sha256: [0xcd; 32],
        }],
    }
}

/// Its text, with lines joined: where a line breaks is no matter.
fn text_of(bytes: &[u8]) -> String {
    let text = File::read(bytes).text();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn some() -> Gathering {
    gathered(&[
        (
            entry(
                1,
                json!({"kind": "console", "action": "started", "text": "Started."}),
            ),
            true,
        ),
        (promotion(2), true),
        (promoted(3, 2), true),
        (refusal(4, "Refused: it leads."), true),
        (failed(5), true),
    ])
}

#[test]
fn a_report_says_what_was_looked_at_what_changed_and_how_to_check_it() {
    let bytes = made_in(Language::English, &some(), &Filter::default());
    let text = text_of(&bytes);
    for said in [
        "Audit report",
        "All 5 entries of the log, from the first to entry 5.",
        "Every entry from 1 to 5 was looked at, in order and without a gap, and none was left out.",
        "Whatever was written after entry 5 is not in this report",
        "Counted in the summary and not listed one by one: 1.",
        "n4: learner → voter",
        "voters 3 → 4",
        "leader n1 → n2",
        "capacity 扩容",
        "Ticket: OPS-7",
        "Approvals: none is on record for any change in this report.",
        "Refused: it leads.",
        "Sign-in as eve failed",
        "complete, in order and unchanged",
        "quorate audit verify quorate-audit-5.tar --key keys.txt",
        "Page 1 of",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    // Digests stand whole, on one line: they are compared by eye or copied.
    let whole = File::read(&bytes).text();
    for digest in [[0xab; 32], [0xcd; 32]] {
        assert!(whole.contains(&hex(&digest)));
    }
    assert!(
        whole.contains("\n— quorate.example/log "),
        "the note's signature"
    );
}

#[test]
fn who_approved_stands_beside_the_change_and_one_by_one() {
    let mut change: Value = serde_json::from_slice(&promotion(4)).unwrap();
    change["approvals"] = json!([
        {"by": {"issuer": "local", "subject": "0194", "name": "dana", "means": "password"},
            "at": "2026-11-21T14:01:07.000Z", "reason": "looked at it 同意", "seq": 2},
        {"by": {"issuer": "https://sso.example", "subject": "77-e", "name": "erin", "means": "oidc"},
            "at": "2026-11-21T14:02:09.000Z", "reason": "", "seq": 3},
    ]);
    let change = serde_json::to_vec(&change).unwrap();
    let word = |seq| entry(seq, json!({"kind": "console", "action": "approved"}));
    let gathering = gathered(&[
        (entry(1, json!({})), true),
        (word(2), true),
        (word(3), true),
        (change, true),
        (promoted(5, 4), true),
    ]);
    assert_eq!(gathering.changes[0].approvals, ["dana", "erin (77-e)"]);
    assert_eq!((gathering.approved.len(), gathering.approved_all), (2, 2));
    let text = text_of(&made_in(Language::English, &gathering, &Filter::default()));
    for said in [
        "What other people said to the changes above",
        "dana",
        "erin (77-e)",
        "looked at it 同意",
        "14:01:07",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    assert!(!text.contains("none is on record"), "{text}");
    // Of one that began before these entries, nobody can say so either.
    let later = gathered(&[(promotion(2), false), (promoted(3, 2), true)]);
    let text = text_of(&made_in(Language::English, &later, &Filter::default()));
    assert!(!text.contains("none is on record"), "{text}");
}

#[test]
fn a_part_says_how_much_was_left_out_and_why() {
    let filter = Filter {
        cluster: Some("vault-eu".to_owned()),
        from: Timestamp::parse("2026-11-01T00:00:00Z"),
        kinds: vec![EntryKind::Intent],
        outcome: Some(Outcome::Succeeded),
        ..Filter::default()
    };
    let gathering = gathered(&[
        (entry(1, json!({})), false),
        (promotion(2), true),
        (promoted(3, 2), false),
        (refusal(4, "no"), false),
    ]);
    let text = text_of(&made_in(Language::English, &gathering, &filter));
    for said in [
        "1 of the first 4 entries of the log: those that meet the conditions.",
        "3 were left out because they do not meet the conditions.",
        "Entries that name no cluster, as sign-ins",
        "from 2026-11-01 00:00:00 UTC on",
        "cluster: vault-eu",
        // The outcome's entry is left out; the change's row tells it all the same, and says so.
        "Outcomes of these changes that do not meet the conditions themselves, because the console writes them or they came later: 1.",
        "its entry does not meet the conditions",
        "is proved by a bundle of the whole log only",
        "--from '2026-11-01T00:00:00.000Z' --cluster 'vault-eu' --kind 'intent' --outcome 'succeeded'",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}

#[test]
fn the_same_entries_make_the_same_bytes() {
    let one = made_in(Language::English, &some(), &Filter::default());
    assert!(one == made_in(Language::English, &some(), &Filter::default()));
    assert!(one != made_in(Language::Chinese, &some(), &Filter::default()));
}

/// The trailer's name of the file.
fn id(bytes: &[u8]) -> Vec<u8> {
    let found = bytes.windows(3).rposition(|three| three == b"/ID");
    let rest = &bytes[found.expect("an id")..];
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
    rest[..end].to_vec()
}

#[test]
fn two_files_have_two_ids_though_checkpoint_and_conditions_are_the_same() {
    let of = |text: &str| gathered(&[(promotion(1), true), (refusal(2, text), true)]);
    let made = |text: &str| made_in(Language::English, &of(text), &Filter::default());
    // As after somebody was erased.
    let (named, erased) = (made("Refused: ada leads."), made("Refused: it leads."));
    assert_ne!(id(&named), id(&erased));
    assert_eq!(id(&named), id(&made("Refused: ada leads.")));
}

/// PDF/A-2u, as far as its parts can be looked at one by one.
#[test]
fn a_report_is_a_file_for_archives() {
    for language in Language::ALL {
        let file = File::read(&made_in(language, &some(), &Filter::default()));
        let (said, profile) = file.for_archives();
        for part in [
            "<pdfaid:part>2</pdfaid:part>",
            "<pdfaid:conformance>U</pdfaid:conformance>",
            "<pdf:Producer>Quorate</pdf:Producer>",
            "quorate.example/log</rdf:li>",
        ] {
            assert!(said.contains(part), "{part} {said}");
        }
        assert_eq!(&profile[36..40], b"acsp");
        assert!(file.has_all_fonts());
    }
}

#[test]
fn a_report_of_a_shortened_log_says_where_it_begins_and_claims_nothing_before() {
    let everything = Filter::default();
    let bytes = made_after(512, Language::English, &some(), &everything);
    let text = text_of(&bytes);
    assert!(
        text.contains("entries 1 to 512 were removed by the rules of retention"),
        "{text}"
    );
    assert!(
        text.contains("Every entry from 513 to 517 was looked at"),
        "{text}"
    );
    assert!(
        text.contains("All entries that the log still has, from entry 513 to 517."),
        "{text}"
    );
    assert!(!text.contains("Every entry from 1 to"), "{text}");
    let bytes = made_after(512, Language::Chinese, &some(), &everything);
    let text = text_of(&bytes).replace(' ', "");
    assert!(text.contains("第513条到第517条均已按顺序"), "{text}");
}

#[test]
fn an_empty_part_is_a_report_too() {
    let gathering = gathered(&[(entry(1, json!({})), false)]);
    let text = text_of(&made_in(Language::English, &gathering, &Filter::default()));
    assert!(text.contains("No change of a cluster is among these entries."));
    assert!(text.contains("No refusal is among these entries."));
    assert!(text.contains("No failed sign-in is among these entries."));
}

#[test]
fn a_report_in_chinese_needs_no_replacement_for_its_own_words() {
    let bytes = made_in(Language::Chinese, &some(), &Filter::default());
    let text: String = text_of(&bytes).replace(' ', "");
    for said in [
        "审计报告",
        "第1条到第5条均已按顺序逐条查看",
        "学习成员→投票成员",
        "如何核验本报告",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    assert!(!text.contains("码位显示"), "{text}");
}

#[test]
fn the_fonts_hold_every_label() {
    let mut faces = Typefaces::new().unwrap();
    for language in Language::ALL {
        let words = Words(language);
        let mut labels: Vec<String> = words.labels().into_iter().map(str::to_owned).collect();
        labels.extend(EntryKind::ALL.map(|it| words.kind(it).to_owned()));
        for outcome in [
            Outcome::Succeeded,
            Outcome::Failed,
            Outcome::Refused,
            Outcome::Unknown,
        ] {
            labels.push(words.ended(outcome).to_owned());
        }
        for means in [Means::Password, Means::JwtHeader, Means::TrustedHeader] {
            labels.push(words.means(means).to_owned());
        }
        for action in [
            "add_learner",
            "transfer",
            "defragment",
            "check_integrity",
            "override_lifted",
        ] {
            labels.push(words.action(action));
        }
        for text in [
            words.left_out(1, 9, 1),
            words.after_it(9),
            words.outside(2),
            words.counted_only(2),
            words.capped("x", 1, 2),
            words.cut(1),
            words.all_are_here(1, 9),
            words.removed(512),
            words.sentence_of_rest(1, 9),
            words.began_before(2),
            words.more_members(3),
            words.without_cluster().to_owned(),
        ] {
            labels.push(text);
        }
        for label in labels {
            for style in [Style::Regular, Style::Bold, Style::Mono] {
                faces.glyphs(&label, style);
                assert_eq!(faces.uncovered, 0, "{label}");
            }
        }
    }
}

#[test]
fn whatever_people_write_is_shown_and_breaks_nothing() {
    let long = "x".repeat(10_000);
    let steering = "\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}\u{0}\u{1b}[31m\r\n\t\u{7f}";
    let garbage = [
        long.as_str(),
        steering,
        "👩‍💻 e\u{301} שלום مرحبا ไทย हिन्दी 日本語 한국어 \u{10ffff}",
        "=cmd|' /C calc'!A0 (unbalanced \\ ) >> endobj endstream",
        "",
        " ",
        "\\u{202e}",
    ];
    let entries: Vec<(Vec<u8>, bool)> = garbage
        .iter()
        .zip(1..)
        .flat_map(|(text, seq)| {
            let change = entry(
                seq * 10,
                json!({
                    "kind": "intent", "action": text, "cluster": text, "member": text, "reason": text,
                    "ticket": text, "text": text, "seen": seen(&[(text, text)], text, 0),
                    "actor": {"issuer": text, "subject": text, "name": text, "means": "token"},
                }),
            );
            let ended = entry(
                seq * 10 + 1,
                json!({"kind": "outcome", "action": text, "intent_seq": seq * 10, "outcome": "unknown",
                    "text": text, "cluster": text, "seen": seen(&[("other", text)], "", 3)}),
            );
            [(change, true), (ended, true), (refusal(seq * 10 + 2, text), true)]
        })
        .collect();
    let filter = Filter {
        cluster: Some(garbage.concat()),
        actor: Some("it's \u{202e} 😀".to_owned()),
        ..Filter::default()
    };
    for language in Language::ALL {
        let bytes = made_in(language, &gathered(&entries), &filter);
        let text = File::read(&bytes).text();
        assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}'));
        assert!(text.contains("\\u{202e}gnp.exe"), "{text}");
        assert!(text.contains("\\u{1f469}"));
        assert!(text.contains("日本"));
        let said = match language {
            Language::English => "are shown by their code points",
            Language::Chinese => "码位显示",
        };
        assert!(
            text_of(&bytes)
                .replace(' ', "")
                .contains(&said.replace(' ', ""))
        );
    }
}

#[test]
fn long_logs_are_capped_and_the_report_says_so() {
    let mut gathering = Gathering::default();
    let most = u64::try_from(CHANGES_MOST).unwrap();
    for change in 0..most + 20 {
        let seq = change * 2 + 1;
        gathering.entry(&promotion(seq), true).unwrap();
        gathering.entry(&promoted(seq + 1, seq), true).unwrap();
    }
    for seq in 0..OTHERS_MOST + 3 {
        let seq = 2 * (most + 20) + 1 + u64::try_from(seq).unwrap();
        gathering.entry(&refusal(seq, "no"), true).unwrap();
    }
    assert_eq!(gathering.changes.len(), CHANGES_MOST);
    assert_eq!(gathering.changes_all, most + 20);
    assert_eq!(gathering.outcomes[0], most + 20);
    assert_eq!(gathering.open, 0);
    assert_eq!(gathering.refusals.len(), OTHERS_MOST);
    // Only few of them are laid out here: what the report says of the rest is what counts.
    gathering.changes.truncate(3);
    gathering.refusals.truncate(3);
    let text = text_of(&made_in(Language::English, &gathering, &Filter::default()));
    assert!(text.contains("Changes: the table shows the first 3 of 2,020. The bundle holds all."));
    assert!(text.contains("Refusals: the table shows the first 3 of 503. The bundle holds all."));
}
