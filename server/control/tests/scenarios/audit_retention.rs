//! Entries that were removed for their age: what is left proves all that it did.

use std::sync::Arc;

use quorate_audit::{checkpoint::Signed, verify};
use quorate_control::{Control, ControlError, Format, Outside, OutsideFile, Retention};
use quorate_domain::{
    audit::{EntryKind, Filter},
    moment::Timestamp,
    permission::Duty,
};

use crate::{
    audit_signed::{attack, bundle, export, keys, outside, standing, verified, with_entries},
    stage::{Stage, person, promote, until},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn policy() -> Retention {
    Retention {
        keep_days: 400,
        archive_dir: None,
    }
}

/// When everything that is on record now is too old.
fn later(control: &Control) -> Timestamp {
    control.now().plus_ms(401 * DAY_MS)
}

async fn removed(stage: &Stage, policy: &Retention) -> Option<u64> {
    let control = &stage.control;
    let machine = control.command_line_operator();
    control.audit_signed(&machine).await.unwrap();
    let removed = control.audit_remove_old(policy, later(control)).await;
    removed.unwrap()
}

/// Waits until the copy outside has so many entries.
async fn reaching(stage: &Stage, size: u64) {
    until("the copy has caught up", || async {
        let now = standing(&stage.control).await;
        let copy = now.copies.first();
        copy.is_some_and(|it| it.reaches >= size).then_some(())
    })
    .await;
}

async fn first(stage: &Stage) -> u64 {
    stage.entries().await.first().unwrap().seq
}

#[tokio::test]
async fn old_entries_go_and_their_hashes_prove_the_rest_and_older_checkpoints() {
    let elsewhere = tempfile::tempdir().unwrap();
    let (file, places) = outside(elsewhere.path());
    let stage = with_entries(300).await;
    stage.control.audit_copies(places).await.unwrap();
    let machine = stage.control.command_line_operator();
    stage.control.audit_signed(&machine).await.unwrap();
    reaching(&stage, 301).await;
    for number in 0..300 {
        let text = format!("entry {number}");
        let written = stage.control.rehearse_entry(&text, Default::default());
        written.await.unwrap();
    }
    // Nothing is old; and then all is, to the last whole block that a copy reaches.
    let now = stage.control.now();
    assert_eq!(
        stage
            .control
            .audit_remove_old(&policy(), now)
            .await
            .unwrap(),
        None
    );
    stage.control.audit_signed(&machine).await.unwrap();
    reaching(&stage, 601).await;
    assert_eq!(removed(&stage, &policy()).await, Some(512));
    assert_eq!(removed(&stage, &policy()).await, None);

    assert_eq!(first(&stage).await, 513);
    let entries = stage.entries().await;
    let told = entries
        .iter()
        .find(|entry| entry.action == "audit_entries_removed");
    let told = told.unwrap();
    assert_eq!(
        (told.kind, told.sent["upto"].as_u64()),
        (EntryKind::Console, Some(512))
    );
    assert_eq!(
        (told.sent["from"].as_u64(), told.sent["count"].as_u64()),
        (Some(1), Some(512))
    );
    let public = keys(&stage.control).await;
    for seq in [513, 600] {
        let (proof, entry) = stage.control.audit_proof(&stage.ada, seq).await.unwrap();
        let proof = quorate_audit::tlog_proof::TlogProof::parse(&proof).unwrap();
        assert!(proof.check(&entry, &public).is_ok(), "{seq}");
    }
    let gone = stage.control.audit_proof(&stage.ada, 5).await;
    assert!(matches!(gone, Err(ControlError::NotFound { .. })));
    let part = export(&stage, Format::Bundle, &Filter::default(), None).await;
    let report = bundle(&part, &public);
    assert!(report.holds(), "{report}");
    assert_eq!(
        report.removed.as_ref().map(|it| (it.upto, it.entry)),
        Some((512, told.seq))
    );
    // A part of what is left says nothing of removal, and is proved.
    let refusals = Filter {
        kinds: vec![EntryKind::Console],
        ..Filter::default()
    };
    let report = bundle(
        &export(&stage, Format::Bundle, &refusals, None).await,
        &public,
    );
    assert!(report.holds(), "{report}");
    // And a bundle up to before the removal was on record.
    let before = export(&stage, Format::Bundle, &Filter::default(), Some(301)).await;
    assert!(bundle(&before, &public).holds());

    // Another run of the console takes the log up, holds it against the copies, and finds it whole.
    stage.control.stop().await;
    let kept = Signed::all(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(kept.iter().any(|signed| signed.checkpoint.size < 400));
    let report = verified(stage.directory.path(), &public, &kept).await;
    assert!(report.holds(), "{report}");
    assert!(
        report
            .to_string()
            .contains("entries 1 to 512 were removed by policy"),
        "{report}"
    );
    let (directory, cluster) = (stage.directory, stage.cluster);
    drop(stage.control);
    let stage = Stage::again(directory, cluster).await;
    stage
        .control
        .audit_copies(outside(elsewhere.path()).1)
        .await
        .unwrap();
    stage.settled().await;
    stage.done(&promote("n4")).await;
    assert_eq!(standing(&stage.control).await.trouble, None);
    stage.control.stop().await;

    // What was removed cannot be made another: its hashes are under every root.
    let forged = "UPDATE leaves SET hashes = zeroblob(8192) WHERE block = 0";
    attack(stage.directory.path(), forged).await;
    assert!(!verified(stage.directory.path(), &public, &[]).await.holds());
}

#[tokio::test]
async fn more_than_was_said_cannot_be_removed() {
    let stage = with_entries(600).await;
    assert_eq!(removed(&stage, &policy()).await, Some(512));
    stage.control.stop().await;
    let public = keys(&stage.control).await;
    let path = stage.directory.path();
    let address = format!("sqlite://{}/quorate-audit.db", path.display());
    let mut raw = <sqlx::SqliteConnection as sqlx::Connection>::connect(&address)
        .await
        .unwrap();
    let mut tried = 0;
    for statement in [
        "DELETE FROM entries WHERE seq = 513",
        "DELETE FROM removals",
        "DELETE FROM leaves",
        "UPDATE leaves SET hashes = zeroblob(8192)",
    ] {
        assert!(
            sqlx::raw_sql(statement).execute(&mut raw).await.is_err(),
            "{statement}"
        );
        tried += 1;
    }
    assert_eq!(tried, 4);
    drop(raw);
    // With the guards away, and the record of it with them.
    attack(path, "DELETE FROM entries WHERE seq <= 520").await;
    let report = verified(path, &public, &[]).await;
    assert!(!report.holds(), "{report}");
}

#[tokio::test]
async fn a_hold_keeps_its_entries_until_it_is_released() {
    let stage = with_entries(600).await;
    let control = &stage.control;
    let vera = person("vera", Duty::Viewer);
    let refused = control.audit_hold_add(&vera, (None, None), "case 12").await;
    assert!(matches!(refused, Err(ControlError::NotAllowed { .. })));
    let now = control.now();
    let backwards = control.audit_hold_add(&stage.ada, (Some(now), Some(now)), "case 12");
    assert!(matches!(backwards.await, Err(ControlError::Invalid { .. })));
    let hold = control
        .audit_hold_add(&stage.ada, (None, None), "case 12")
        .await
        .unwrap();
    assert_eq!(
        control.audit_holds(&stage.ada).await.unwrap(),
        std::slice::from_ref(&hold)
    );
    assert_eq!(removed(&stage, &policy()).await, None);
    control
        .audit_hold_release(&stage.ada, &hold.id, "closed")
        .await
        .unwrap();
    let gone = control
        .audit_hold_release(&stage.ada, &hold.id, "closed")
        .await;
    assert!(matches!(gone, Err(ControlError::NotFound { .. })));
    assert_eq!(removed(&stage, &policy()).await, Some(512));
    let actions: Vec<String> = stage
        .entries()
        .await
        .into_iter()
        .map(|it| it.action)
        .collect();
    for action in ["audit_hold_added", "audit_hold_released"] {
        assert!(actions.iter().any(|it| it == action), "{actions:?}");
    }
}

#[tokio::test]
async fn what_no_copy_reaches_stays() {
    let elsewhere = tempfile::tempdir().unwrap();
    let missing = elsewhere.path().join("missing").join("file");
    let place: Arc<dyn Outside> = Arc::new(OutsideFile::new(missing));
    let stage = with_entries(600).await;
    stage.control.audit_copies(vec![place]).await.unwrap();
    assert_eq!(
        removed(&stage, &policy()).await,
        None,
        "it was copied nowhere"
    );
}

#[tokio::test]
async fn what_is_removed_lies_in_the_archive_first() {
    let stage = with_entries(300).await;
    let folder = tempfile::tempdir().unwrap();
    let policy = Retention {
        archive_dir: Some(folder.path().join("missing")),
        ..policy()
    };
    let machine = stage.control.command_line_operator();
    stage.control.audit_signed(&machine).await.unwrap();
    let when = later(&stage.control);
    let refused = stage.control.audit_remove_old(&policy, when).await;
    assert!(
        matches!(refused, Err(ControlError::File { .. })),
        "{refused:?}"
    );
    assert_eq!(first(&stage).await, 1, "nothing goes without it");
    let policy = Retention {
        archive_dir: Some(folder.path().to_owned()),
        ..policy
    };
    assert_eq!(removed(&stage, &policy).await, Some(256));
    let entries = stage.entries().await;
    let told = entries
        .iter()
        .find(|it| it.action == "audit_entries_removed")
        .unwrap();
    let name = told.sent["archive"].as_str().unwrap();
    let bytes = std::fs::read(folder.path().join(name)).unwrap();
    let report = bundle(&bytes, &keys(&stage.control).await);
    assert!(report.holds(), "{report}");
    assert!(report.shown >= 256);
    // No key goes along: who is erased later is erased there, too.
    let mut opened = Vec::new();
    let none = quorate_audit::personal::People::default();
    verify::read(std::io::Cursor::new(&bytes), &none, &mut opened).unwrap();
    assert!(!String::from_utf8(opened).unwrap().contains("10.7.0.1"));
    let people = quorate_control::audit_people(stage.directory.path())
        .await
        .unwrap();
    let mut opened = Vec::new();
    verify::read(std::io::Cursor::new(&bytes), &people, &mut opened).unwrap();
    assert!(String::from_utf8(opened).unwrap().contains("10.7.0.1"));
}
