//! Somebody who is erased from the log: what named them is unreadable, and every proof stays.

use std::{io::Cursor, path::Path};

use quorate_audit::{personal::People, table, verify};
use quorate_control::{Control, ControlError, Format, Operator, verify_log};
use quorate_domain::{
    audit::{ERASED, Entry, Filter, SCHEMA},
    permission::Duty,
};
use quorate_drivers::Secret;

use crate::{
    audit_signed::{bundle, export, keys, verified},
    stage::{Stage, person, promote, source, until},
    step_up::{ask_of, by_password, hired, moved_to},
};

const NAME: &str = "adelheid.quitzow";
const REASON: &str = "asked for by letter 7";

fn adelheid() -> Operator {
    let mut who = person(NAME, Duty::Admin);
    who.actor.subject = "account-4711".to_owned();
    who.source.user_agent = Some("Adelheids browser".to_owned());
    who
}

async fn erased(control: &Control, subject: &str) -> Result<usize, ControlError> {
    let machine = control.command_line_operator();
    let whom = (Some(subject), None);
    let erased = control.audit_erase(&machine, whom, REASON).await?;
    Ok(erased.keys)
}

/// Whether these words stand anywhere in the log's files.
fn stands_in(directory: &Path, word: &str) -> bool {
    ["quorate-audit.db", "quorate-audit.db-wal"]
        .iter()
        .filter_map(|name| std::fs::read(directory.join(name)).ok())
        .any(|bytes| bytes.windows(word.len()).any(|it| it == word.as_bytes()))
}

fn of<'a>(entries: &'a [Entry], action: &str) -> &'a Entry {
    entries.iter().find(|entry| entry.action == action).unwrap()
}

#[tokio::test]
async fn what_named_somebody_is_unreadable_and_every_proof_stays() {
    let stage = Stage::small().await;
    let (control, who) = (&stage.control, adelheid());
    let change = stage.ask(&who, &promote("n4")).await.unwrap();
    stage.ended(&change).await;
    control
        .account_create(&who, "carlotta", Vec::new())
        .await
        .unwrap();
    let from = source("10.9.8.7");
    let wrong = control.sign_in(NAME, Secret::new("not this one"), &from);
    assert!(wrong.await.is_err());

    // Before: everybody who may read sees who it was, and nothing of it stands in the entries.
    let entries = stage.entries().await;
    let intent = of(&entries, "promote");
    assert_eq!(intent.actor.name, NAME);
    assert_eq!(intent.source.peer.as_deref(), Some("10.0.9.9"));
    assert!(intent.sealed.is_empty());
    assert_eq!(
        (intent.schema, intent.category.as_deref()),
        (Some(SCHEMA), Some("change"))
    );
    let lines = export(&stage, Format::Jsonl, &Filter::default(), None).await;
    let lines = String::from_utf8(lines).unwrap();
    for word in [NAME, "Adelheids", "10.0.9.9", "10.9.8.7", "carlotta"] {
        assert!(!lines.contains(word), "{word}");
    }
    let before = export(&stage, Format::Bundle, &Filter::default(), None).await;
    let public = keys(control).await;
    assert_eq!(bundle(&before, &public).erased, 0);
    let by_name = Filter {
        actor: Some(NAME.to_owned()),
        ..Filter::default()
    };
    let rows = control.audit_rows(&stage.ada, &by_name, None, 50).await;
    assert_eq!(
        rows.unwrap().items.len(),
        3,
        "change, account, failed sign-in"
    );

    let vera = person("vera", Duty::Viewer);
    let refused = control.audit_erase(&vera, (Some("account-4711"), None), REASON);
    assert!(matches!(
        refused.await,
        Err(ControlError::NotAllowed { .. })
    ));
    let nameless = control.audit_erase(&stage.ada, (None, None), REASON);
    assert!(matches!(nameless.await, Err(ControlError::Invalid { .. })));
    // The key of the account, and that of the name as it was typed.
    assert_eq!(erased(control, "account-4711").await.unwrap(), 2);
    let again = erased(control, "account-4711").await;
    assert!(matches!(again, Err(ControlError::NotFound { .. })));

    let entries = stage.entries().await;
    let intent = of(&entries, "promote");
    assert_eq!(
        (intent.actor.name.as_str(), &intent.source.peer),
        (ERASED, &None)
    );
    assert_eq!(intent.actor.subject, "account-4711");
    assert_eq!(
        intent.reason.as_deref(),
        Some("capacity for the new region")
    );
    assert_eq!(of(&entries, "sign_in").actor.name, ERASED);
    // Somebody else's account, which they made, is still named.
    let created = of(&entries, "account_created");
    assert_eq!(
        (created.actor.name.as_str(), &created.sent["account"]),
        (ERASED, &"carlotta".into())
    );
    assert!(created.text.contains("carlotta"));
    // That somebody was not allowed to is on record under the same name, before it.
    let record = entries
        .iter()
        .rfind(|entry| entry.action == "audit_person_erased")
        .unwrap();
    assert_eq!(record.reason.as_deref(), Some(REASON));
    assert_eq!(record.sent["keys"].as_array().unwrap().len(), 2);

    let after = export(&stage, Format::Bundle, &Filter::default(), None).await;
    let report = bundle(&after, &public);
    assert!(report.holds(), "{report}");
    // The change, the account, the failed sign-in, and that the log was read by this name.
    let sealed: Vec<_> = entries
        .iter()
        .filter(|entry| !entry.sealed.is_empty())
        .map(|entry| entry.action.as_str())
        .collect();
    assert_eq!(
        sealed,
        ["promote", "account_created", "sign_in", "audit_read"]
    );
    assert_eq!(report.erased, 4, "{report}");
    let mut opened = Vec::new();
    verify::read(Cursor::new(&after), &People::default(), &mut opened).unwrap();
    let opened = String::from_utf8(opened).unwrap();
    assert!(!opened.contains(NAME), "{opened}");
    assert!(opened.contains("carlotta"), "{opened}");
    let csv = export(&stage, Format::Csv, &Filter::default(), None).await;
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.starts_with(table::HEADER), "{csv}");
    assert!(!csv.contains(NAME), "{csv}");
    assert!(csv.contains(ERASED), "{csv}");
    // What was given out before is out of reach, and proved as it was.
    assert!(bundle(&before, &public).holds());
    // Nor does it stand in the log's files, as soon as nobody's reading is in the way.
    let directory = stage.directory.path();
    for word in [NAME, "Adelheids", "10.9.8.7"] {
        until(&format!("{word} is nowhere"), || async {
            (!stands_in(directory, word)).then_some(())
        })
        .await;
    }
    control.stop().await;
    assert!(verified(directory, &public, &[]).await.holds());
}

#[tokio::test]
async fn who_comes_again_after_an_erasure_is_named_from_then_on() {
    let stage = Stage::small().await;
    let who = adelheid();
    let change = stage.ask(&who, &promote("n4")).await.unwrap();
    stage.ended(&change).await;
    // By a command beside the running console, which has the key at hand.
    let beside = Control::offline(stage.directory.path().to_owned())
        .await
        .unwrap();
    assert_eq!(erased(&beside, "account-4711").await.unwrap(), 1);
    stage
        .control
        .account_create(&who, "carlotta", Vec::new())
        .await
        .unwrap();
    let entries = stage.entries().await;
    assert_eq!(of(&entries, "promote").actor.name, ERASED);
    assert_eq!(of(&entries, "account_created").actor.name, NAME);
    let directory = stage.directory.path();
    let report = verify_log(directory, verify::Known::default())
        .await
        .unwrap();
    assert!(report.faults().is_empty(), "{report}");
    assert_eq!(report.erased, 1);
}

#[tokio::test]
async fn an_account_is_erased_by_its_name_where_others_tell_of_it() {
    let stage = Stage::small().await;
    let control = &stage.control;
    control
        .account_create(&stage.ada, "carlotta", Vec::new())
        .await
        .unwrap();
    let machine = control.command_line_operator();
    let keys = control.audit_erase(&machine, (None, Some("carlotta")), REASON);
    assert_eq!(keys.await.unwrap().keys, 1);
    let entries = stage.entries().await;
    let created = of(&entries, "account_created");
    assert_eq!(created.actor.name, "ada");
    assert!(
        created.text.starts_with("Account (name) was created"),
        "{}",
        created.text
    );
    assert!(created.sent["account"].is_null());
}

#[tokio::test]
async fn who_erases_by_the_page_sees_what_it_does_and_proves_who_it_is_and_a_hold_stands_against_it()
 {
    let stage = Stage::small().await;
    let control = &stage.control;
    let ada = hired(control, "ada", "s-1").await;
    let machine = control.command_line_operator();
    let made = control.account_create(&machine, "carlotta", Vec::new());
    made.await.unwrap();
    let whom = (None, Some("carlotta"));
    let found = control.audit_erase_preview(&ada, whom).await.unwrap();
    assert_eq!(
        (found.people.len(), found.entries, found.held),
        (1, 1, None)
    );
    assert_eq!(found.people[0].2, "carlotta");

    let hold = control.audit_hold_add(&machine, (None, None), "case 12");
    let hold = hold.await.unwrap();
    let held = control.audit_erase_preview(&ada, whom).await.unwrap().held;
    let first = of(&stage.entries().await, "account_created").seq;
    assert!(held.is_some_and(|seq| seq >= first), "{held:?}");
    for who in [&ada, &machine] {
        let refused = control.audit_erase(who, whom, REASON).await;
        assert!(matches!(refused, Err(ControlError::Invalid { .. })));
    }
    let released = control.audit_hold_release(&machine, &hold.id, "closed");
    released.await.unwrap();

    let ask = ask_of(control.audit_erase(&ada, whom, REASON).await);
    let asked = control.step_up_asked(&ada, &ask).await.unwrap();
    assert!(!asked.deed.words().contains("carlotta"));
    let again = control.audit_erase_preview(&ada, whom).await.unwrap();
    assert_eq!(again.people, found.people, "nothing is erased yet");
    let verified = by_password(&stage, &ada, &ask).await;
    let after = moved_to(&ada, "s-2");
    let (proof, deed) = control.step_up_proved(&after, verified).await.unwrap();
    let erased = control
        .audit_erase_proved(&after, proof.clone(), &deed)
        .await;
    assert_eq!(erased.unwrap().keys, 1);
    let gone = control.audit_erase_proved(&after, proof, &deed).await;
    assert!(matches!(gone, Err(ControlError::NotFound { .. })));

    let entries = stage.entries().await;
    let told = of(&entries, "audit_person_erased");
    assert_eq!(told.actor.name, "ada");
    assert_eq!(told.seen["step_up"]["method"], "password");
    let all = serde_json::to_string(&entries).unwrap();
    assert!(!all.contains("carlotta"), "{all}");
}
