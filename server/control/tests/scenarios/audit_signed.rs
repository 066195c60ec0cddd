//! The audit log as it is signed, by which keys and with what outside; and what an attacker tries.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use quorate_audit::{
    checkpoint::Signed,
    note::{VerifierKey, verifier_keys},
    report::Report,
    verify::{self, Known},
};
use quorate_control::{Control, ControlError, Export, Format, Outside, OutsideFile, verify_log};
use quorate_domain::{
    audit::{EntryKind, Filter, Standing},
    permission::Duty,
};
use sqlx::{Connection as _, SqliteConnection};

use crate::stage::{Stage, person, promote, source, until};

/// A console with `more` entries in its log beside those of its start.
pub async fn with_entries(more: u32) -> Stage {
    let stage = Stage::small().await;
    let writers = (0..more).map(|number| {
        let control = stage.control.clone();
        tokio::spawn(async move {
            let peer = source(&format!("10.7.{}.{}", number / 250, number % 250));
            let refused = control.record_refusal("forged_origin", "=1+1 refused", &peer);
            refused.await.unwrap();
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    stage
}

pub async fn keys(control: &Control) -> Vec<VerifierKey> {
    let who = control.command_line_operator();
    verifier_keys(&control.audit_signers(&who).await.unwrap().join("\n")).unwrap()
}

pub async fn verified(directory: &Path, keys: &[VerifierKey], outside: &[Signed]) -> Report {
    verify_log(directory, Known { keys, outside })
        .await
        .unwrap()
}

/// The bytes of an export.
pub async fn export(stage: &Stage, format: Format, filter: &Filter, upto: Option<u64>) -> Vec<u8> {
    bytes(&mut made(stage, format, filter, upto).await)
}

pub async fn made(stage: &Stage, format: Format, filter: &Filter, upto: Option<u64>) -> Export {
    let exported = stage.control.audit_export(&stage.ada, format, filter, upto);
    exported.await.unwrap()
}

pub fn bytes(export: &mut Export) -> Vec<u8> {
    let mut bytes = Vec::new();
    export.content.read_to_end(&mut bytes).unwrap();
    assert_eq!(u64::try_from(bytes.len()).unwrap(), export.bytes);
    bytes
}

pub fn bundle(bytes: &[u8], keys: &[VerifierKey]) -> Report {
    let known = Known { keys, outside: &[] };
    verify::bundle(std::io::Cursor::new(bytes), known).unwrap()
}

/// As somebody who can write to the disk: without the log's own guards.
pub async fn attack(directory: &Path, statements: &str) {
    let address = format!("sqlite://{}/quorate-audit.db", directory.display());
    let mut raw = SqliteConnection::connect(&address).await.unwrap();
    let triggers: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            .fetch_all(&mut raw)
            .await
            .unwrap();
    let mut all: String = triggers
        .iter()
        .map(|name| format!("DROP TRIGGER {name};"))
        .collect();
    all.push_str(statements);
    sqlx::raw_sql(sqlx::AssertSqlSafe(all))
        .execute(&mut raw)
        .await
        .unwrap();
    raw.close().await.unwrap();
}

pub async fn standing(control: &Control) -> Standing {
    let who = control.command_line_operator();
    control.audit_standing(&who).await.unwrap()
}

#[tokio::test]
async fn the_log_is_signed_while_it_runs_and_when_it_stops() {
    let stage = with_entries(300).await;
    let signed = until("everything is signed", || async {
        let now = standing(&stage.control).await;
        (now.signed == now.entries).then_some(now)
    })
    .await;
    assert_eq!(signed.entries, 301);
    assert_eq!(signed.trouble, None);
    let keys = keys(&stage.control).await;
    assert_eq!(signed.keys, [keys[0].key().to_string()]);
    assert_eq!(signed.log.as_deref(), Some(keys[0].key().name.as_str()));
    stage.control.stop().await;

    let report = verified(stage.directory.path(), &keys, &[]).await;
    assert!(report.holds(), "{report}");
    assert_eq!(
        (report.size, report.unsigned),
        (302, 0),
        "the stop is signed, too"
    );
    let other =
        VerifierKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    let report = verified(stage.directory.path(), &[other.unwrap()], &[]).await;
    assert!(!report.holds());
}

/// Entries changed, removed, moved, and all checkpoints gone: AU-9(3).
#[tokio::test]
async fn what_an_attacker_does_to_the_file_is_found_and_nothing_is_sent_any_more() {
    for (statements, words) in [
        ("UPDATE entries SET bytes = CAST(replace(bytes, '=1+1', '=9+9') AS BLOB) WHERE seq = 270", "is not that of these"),
        ("DELETE FROM entries WHERE seq > 290", "are missing"),
        ("DELETE FROM entries WHERE seq = 280", "stands where"),
        (
            "UPDATE entries SET seq = 9999 WHERE seq = 285; UPDATE entries SET seq = 285 WHERE seq = 286;
             UPDATE entries SET seq = 286 WHERE seq = 9999",
            "stands where",
        ),
        ("DELETE FROM checkpoints; UPDATE entries SET bytes = x'7b7d' WHERE seq = 3", "nothing in this log was ever signed"),
    ] {
        let stage = with_entries(300).await;
        stage.control.stop().await;
        let keys = keys(&stage.control).await;
        attack(stage.directory.path(), statements).await;
        let report = verified(stage.directory.path(), &keys, &[]).await;
        assert!(!report.holds(), "{statements}");
        assert!(report.to_string().contains(words), "{report}");
    }
}

#[tokio::test]
async fn a_console_does_not_write_to_a_log_that_is_not_what_was_signed() {
    for (statements, words) in [
        (
            "DELETE FROM entries WHERE seq > 20",
            "the newest are missing",
        ),
        (
            "UPDATE entries SET bytes = CAST(replace(bytes, '=1+1', '=9+9') AS BLOB) WHERE seq = 30",
            "the log was changed",
        ),
    ] {
        let stage = with_entries(40).await;
        stage.control.stop().await;
        let (directory, cluster) = (stage.directory, stage.cluster);
        drop(stage.control);
        attack(directory.path(), statements).await;
        let stage = Stage::again(directory, cluster).await;
        stage.settled().await;
        let refused = stage.ask(&stage.ada, &promote("n4")).await.unwrap_err();
        let problem = refused.problem();
        assert_eq!(problem.code, "audit-unavailable");
        assert!(problem.hint.contains(words), "{problem:?}");
        assert!(stage.cluster.sent().is_empty());
        assert!(stage.control.ready().await.is_err());
        let shown = standing(&stage.control).await.trouble.unwrap();
        assert!(shown.contains(words), "{shown}");
        assert!(!stage.entries().await.is_empty(), "reading goes on");
        stage.control.stop().await;
    }
}

#[tokio::test]
async fn an_entry_changed_while_the_console_runs_stops_it_at_the_next_start_at_the_latest() {
    let stage = with_entries(600).await;
    stage.control.stop().await;
    let (directory, cluster) = (stage.directory, stage.cluster);
    drop(stage.control);
    // Far below the newest checkpoint's last block, where only reading all finds it.
    let statement =
        "UPDATE entries SET bytes = CAST(replace(bytes, '=1+1', '=9+9') AS BLOB) WHERE seq = 9";
    attack(directory.path(), statement).await;
    let Stage {
        control,
        directory: _kept,
        ..
    } = Stage::again(directory, cluster).await;
    let trouble = until("the change is found", || async {
        standing(&control).await.trouble
    })
    .await;
    assert!(trouble.contains("the log was changed"), "{trouble}");
    let ready = control.ready().await;
    assert!(matches!(ready, Err(ControlError::AuditUnavailable { .. })));
    control.stop().await;
}

/// A log that was deleted went on taking entries by its open descriptor: vault#31718.
#[tokio::test]
async fn a_file_that_was_replaced_or_removed_takes_no_entries() {
    let stage = with_entries(3).await;
    let file = stage.directory.path().join("quorate-audit.db");
    std::fs::rename(&file, stage.directory.path().join("elsewhere.db")).unwrap();
    let refused = stage.ask(&stage.ada, &promote("n4")).await.unwrap_err();
    assert!(
        refused.problem().hint.contains("replaced or removed"),
        "{refused:?}"
    );
    std::fs::write(&file, b"").unwrap();
    assert!(stage.ask(&stage.ada, &promote("n4")).await.is_err());
    assert!(stage.cluster.sent().is_empty());
}

pub fn outside(directory: &Path) -> (PathBuf, Vec<Arc<dyn Outside>>) {
    let file = directory.join("outside.checkpoints");
    let place: Arc<dyn Outside> = Arc::new(OutsideFile::new(file.clone()));
    (file, vec![place])
}

/// The newest entries cut off, with their checkpoints: brandonrc/mobula#59.
#[tokio::test]
async fn a_copy_outside_reaches_the_last_entry_and_finds_what_was_cut_off() {
    let elsewhere = tempfile::tempdir().unwrap();
    let (file, places) = outside(elsewhere.path());
    let stage = with_entries(20).await;
    stage.control.audit_copies(places).await.unwrap();
    let now = until("the copy has caught up", || async {
        let now = standing(&stage.control).await;
        now.copies
            .first()
            .is_some_and(|it| it.behind == 0 && it.reaches == 21)
            .then_some(now)
    })
    .await;
    assert!(!now.copies[0].alarm);
    stage.control.stop().await;
    let keys = keys(&stage.control).await;
    let kept = Signed::all(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(kept.last().unwrap().checkpoint.size, 22, "the stop, too");
    assert!(verified(stage.directory.path(), &keys, &kept).await.holds());

    // The attacker removes the newest entries and every checkpoint over them.
    let (directory, cluster) = (stage.directory, stage.cluster);
    drop(stage.control);
    let cut = "DELETE FROM entries WHERE seq > 1; DELETE FROM checkpoints WHERE size > 1;
               DELETE FROM copies";
    attack(directory.path(), cut).await;
    assert!(
        verified(directory.path(), &keys, &[]).await.holds(),
        "nothing in here can tell"
    );
    let report = verified(directory.path(), &keys, &kept).await;
    assert!(report.to_string().contains("are missing"), "{report}");

    // The console itself finds it at its start, and at every start after it: nothing is put behind
    // what proves it.
    let before = std::fs::read_to_string(&file).unwrap();
    let (mut directory, mut cluster) = (directory, cluster);
    for _ in 0..2 {
        let stage = Stage::again(directory, cluster).await;
        let control = stage.control;
        (directory, cluster) = (stage.directory, stage.cluster);
        control
            .audit_copies(outside(elsewhere.path()).1)
            .await
            .unwrap();
        let trouble = standing(&control).await.trouble.unwrap();
        assert!(trouble.contains("it reaches entry 22"), "{trouble}");
        assert!(control.ready().await.is_err());
        control.stop().await;
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    }
}

#[tokio::test]
async fn a_copy_that_fails_is_on_record_and_behind() {
    let elsewhere = tempfile::tempdir().unwrap();
    let place: Arc<dyn Outside> = Arc::new(OutsideFile::new(
        elsewhere.path().join("missing").join("file"),
    ));
    let stage = with_entries(2).await;
    stage.control.audit_copies(vec![place]).await.unwrap();
    let now = until("it is behind", || async {
        let now = standing(&stage.control).await;
        now.copies
            .first()
            .is_some_and(|it| it.error.is_some())
            .then_some(now)
    })
    .await;
    assert!(now.copies[0].behind > 0);
    let recorded = until("it is on record", || async {
        let entries = stage.entries().await;
        entries
            .into_iter()
            .find(|entry| entry.action == "audit_copy_failed")
    })
    .await;
    assert_eq!(recorded.kind, EntryKind::Console);
    // The console works on; the copy is behind, not the log.
    assert!(stage.ask(&stage.ada, &promote("n4")).await.is_ok());
}

#[tokio::test]
async fn copies_of_another_log_are_not_mistaken_for_this_one() {
    let elsewhere = tempfile::tempdir().unwrap();
    let (file, places) = outside(elsewhere.path());
    let other = with_entries(1).await;
    other.control.audit_copies(places).await.unwrap();
    other.control.stop().await;
    let stage = with_entries(1).await;
    stage
        .control
        .audit_copies(outside(elsewhere.path()).1)
        .await
        .unwrap();
    // Found by holding it against the log, before the first copy; nothing is copied there.
    for _ in 0..2 {
        let now = standing(&stage.control).await;
        let error = now.copies[0].error.clone().unwrap_or_default();
        assert!(error.contains("another log"), "{error}");
        assert_eq!(now.trouble, None);
        stage.control.stop().await;
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    let logs: std::collections::BTreeSet<String> = Signed::all(&kept)
        .unwrap()
        .into_iter()
        .map(|signed| signed.checkpoint.origin)
        .collect();
    assert_eq!(logs.len(), 1, "{kept}");
}

#[tokio::test]
async fn a_new_key_follows_the_old_one_and_the_old_one_vouches_for_it() {
    let stage = with_entries(3).await;
    let control = &stage.control;
    let machine = control.command_line_operator();
    let old = keys(control).await;
    assert!(matches!(
        control
            .audit_key_retire(&machine, &old[0].key().to_string())
            .await,
        Err(ControlError::Invalid { .. })
    ));
    let added = control.audit_key_add(&machine).await.unwrap();
    assert_eq!(keys(control).await.len(), 2);
    control
        .audit_key_retire(&machine, &old[0].key().to_string())
        .await
        .unwrap();
    stage.done(&promote("n4")).await;
    let new = keys(control).await;
    assert_eq!(new[0].to_string(), added);
    let bytes = export(&stage, Format::Bundle, &Filter::default(), None).await;
    let report = bundle(&bytes, &old);
    assert!(report.holds(), "{report}");
    assert_eq!(report.signers, [new[0].key().to_string()]);
    assert!(report.to_string().contains("vouched for"), "{report}");
    assert!(bundle(&bytes, &new).holds());
    let actions: Vec<String> = stage
        .entries()
        .await
        .into_iter()
        .map(|it| it.action)
        .collect();
    for action in ["audit_key_added", "audit_key_retired"] {
        assert!(actions.iter().any(|it| it == action), "{actions:?}");
    }
    let bob = person("bob", Duty::Operator);
    assert!(control.audit_key_add(&bob).await.is_err());
    control.stop().await;
    assert!(verified(stage.directory.path(), &old, &[]).await.holds());
}

#[tokio::test]
async fn without_its_key_the_log_takes_nothing_until_a_new_one_is_made_on_purpose() {
    let stage = with_entries(3).await;
    stage.control.stop().await;
    let old = keys(&stage.control).await;
    let (directory, cluster) = (stage.directory, stage.cluster);
    drop(stage.control);
    std::fs::remove_file(directory.path().join("audit.key")).unwrap();
    let Stage {
        control, directory, ..
    } = Stage::again(directory, cluster).await;
    let trouble = standing(&control).await.trouble.unwrap();
    assert!(trouble.contains("audit.key"), "{trouble}");
    assert!(
        !directory.path().join("audit.key").exists(),
        "no key is made in secret"
    );
    let machine = control.command_line_operator();
    control.audit_key_renew(&machine).await.unwrap();
    control.stop().await;
    let new = keys(&control).await;
    assert!(verified(directory.path(), &new, &[]).await.holds());
    let report = verified(directory.path(), &old, &[]).await;
    assert!(!report.holds(), "nobody vouches for the new key");
}

#[tokio::test]
async fn a_log_from_before_there_was_a_tree_gets_one() {
    let stage = with_entries(300).await;
    stage.control.stop().await;
    let (directory, cluster) = (stage.directory, stage.cluster);
    drop(stage.control);
    let before = "DROP TABLE blocks; DROP TABLE checkpoints; DROP TABLE keys; DROP TABLE copies;
                  DROP TABLE people; DROP TABLE removals; DROP TABLE leaves; DROP TABLE holds;
                  PRAGMA user_version = 1";
    attack(directory.path(), before).await;
    std::fs::remove_file(directory.path().join("audit.key")).unwrap();
    let Stage {
        control, directory, ..
    } = Stage::again(directory, cluster).await;
    control.stop().await;
    let report = verified(directory.path(), &keys(&control).await, &[]).await;
    assert!(report.holds(), "{report}");
    assert_eq!(report.size, 304);
}
