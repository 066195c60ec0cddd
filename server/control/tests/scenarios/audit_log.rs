//! The audit log: closed when it fails, gapless, never changed.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use quorate_control::{Control, ControlError};
use quorate_domain::{
    audit::{Entry, EntryKind, Filter, Outcome},
    job::ChangeState,
    permission::{Duty, Grant},
};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::stage::{CLUSTER, Stage, assert_ended, demote, granted, person, promote, source, until};

/// A real "database or disk is full" from SQLite, for long entries and then for short ones.
pub async fn fill_up(stage: &Stage) {
    stage.control.rehearse_full_audit(1).await.unwrap();
    for length in [1_500, 1] {
        let mut full = false;
        for number in 0..200 {
            let (action, peer) = (
                format!("filling_{number}"),
                source(&format!("peer {number}")),
            );
            let text = "x".repeat(length);
            match stage.control.record_refusal(&action, &text, &peer).await {
                Ok(()) => {}
                Err(ControlError::AuditUnavailable { source }) => {
                    assert!(source.to_string().contains("full"), "{source}");
                    full = true;
                    break;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(full, "the log never filled up");
    }
}

/// A full disk under the log: vault#18943.
#[tokio::test]
async fn nothing_is_sent_when_the_audit_log_is_full_and_reading_goes_on() {
    let stage = Stage::small().await;
    let request = stage.decided(&stage.ada, &promote("n4")).await;
    fill_up(&stage).await;

    let submitted = stage
        .control
        .submit(&stage.ada, CLUSTER, &promote("n4"), &request)
        .await;
    let error = submitted.unwrap_err();
    assert_eq!(error.problem().code, "audit-unavailable");
    assert_eq!(error.problem().status, 503);
    assert!(stage.cluster.sent().is_empty());
    assert!(stage.control.ready().await.is_err());

    let view = stage.settled().await;
    assert_eq!(view.running_change, None);
    assert!(!stage.entries().await.is_empty());
    let changes = stage
        .control
        .changes(&stage.ada, None, None, 10)
        .await
        .unwrap();
    assert!(
        changes.items.is_empty(),
        "a change that was never sent never was"
    );
    let created = stage
        .control
        .account_create(&stage.ada, "bob", Vec::new())
        .await;
    assert!(matches!(
        created,
        Err(ControlError::AuditUnavailable { .. })
    ));
    assert!(stage.control.accounts(&stage.ada).await.unwrap().is_empty());

    // Room again: the same request goes through, and no number was lost.
    stage.control.rehearse_full_audit(1_000_000).await.unwrap();
    stage.control.ready().await.unwrap();
    let change = stage
        .control
        .submit(&stage.ada, CLUSTER, &promote("n4"), &request)
        .await
        .unwrap();
    assert_ended(&stage.ended(&change).await, ChangeState::Succeeded, &[]);
    assert_gapless(&stage.entries().await);
}

/// One audit device that hangs blocks OpenBao whole (its documentation of audit devices says so).
/// Here a log that does not answer blocks changes, each for some seconds, and nothing else.
#[tokio::test]
async fn a_log_that_does_not_answer_refuses_changes_in_time_and_reading_goes_on() {
    let stage = Stage::small().await;
    let mut holder = open(stage.directory.path()).await;
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    let refused = stage.ask(&stage.ada, &promote("n4")).await.unwrap_err();
    assert_eq!(refused.problem().code, "audit-unavailable");
    assert!(stage.cluster.sent().is_empty());
    let machine = stage.control.command_line_operator();
    let shown = stage.control.audit_standing(&machine).await.unwrap();
    assert!(shown.trouble.is_some());
    assert!(!stage.entries().await.is_empty(), "reading goes on");

    holder.execute("ROLLBACK").await.unwrap();
    stage.done(&promote("n4")).await;
    let intents = stage.entries().await;
    let intents = intents.iter().filter(|it| it.kind == EntryKind::Intent);
    assert_eq!(intents.count(), 1, "what was refused was not written later");
    let shown = stage.control.audit_standing(&machine).await.unwrap();
    assert_eq!(shown.trouble, None);
}

/// Makes the store refuse one kind of statement on changes, as a full disk does.
async fn store_refuses(stage: &Stage, statement: &str) {
    let trigger = format!(
        "CREATE TRIGGER full BEFORE {statement} ON changes \
         BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    );
    in_store(stage, &trigger).await;
}

async fn in_store(stage: &Stage, statement: &str) {
    let file = stage.directory.path().join("quorate.db");
    let url = format!("sqlite://{}", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    connection
        .execute(sqlx::AssertSqlSafe(statement.to_owned()))
        .await
        .unwrap();
}

#[tokio::test]
async fn nothing_is_sent_when_the_store_is_full() {
    let stage = Stage::small().await;
    let request = stage.decided(&stage.ada, &promote("n4")).await;
    store_refuses(&stage, "INSERT").await;
    let action = promote("n4");
    let submit = || stage.control.submit(&stage.ada, CLUSTER, &action, &request);
    let error = submit().await.unwrap_err();
    assert_eq!(error.problem().code, "audit-unavailable");
    assert!(stage.cluster.sent().is_empty());
    in_store(&stage, "DROP TRIGGER full").await;
    let change = submit().await.unwrap();
    assert_ended(&stage.ended(&change).await, ChangeState::Succeeded, &[]);
}

#[tokio::test]
async fn a_change_that_could_not_be_taken_back_gives_its_place_free_once_there_is_room() {
    let stage = Stage::small().await;
    let request = stage.decided(&stage.ada, &promote("n4")).await;
    fill_up(&stage).await;
    store_refuses(&stage, "DELETE").await;
    let action = promote("n4");
    let submit = || stage.control.submit(&stage.ada, CLUSTER, &action, &request);
    let error = submit().await.unwrap_err();
    assert_eq!(error.problem().code, "audit-unavailable");
    stage.control.rehearse_full_audit(1_000_000).await.unwrap();
    in_store(&stage, "DROP TRIGGER full").await;
    let change = until("the place is free again", || async { submit().await.ok() }).await;
    assert_ended(&stage.ended(&change).await, ChangeState::Succeeded, &[]);
}

#[tokio::test]
async fn a_change_whose_end_could_not_be_saved_gives_its_place_free_once_there_is_room() {
    let stage = Stage::small().await;
    store_refuses(&stage, "UPDATE").await;
    let change = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
    assert_ended(&stage.ended(&change).await, ChangeState::Succeeded, &[]);
    in_store(&stage, "DROP TRIGGER full").await;
    let change = until("the place is free again", || async {
        stage.ask(&stage.ada, &demote("n4")).await.ok()
    })
    .await;
    assert_ended(&stage.ended(&change).await, ChangeState::Succeeded, &[]);
}

#[tokio::test]
async fn numbers_are_gapless_under_sixty_four_writers_and_a_second_process() {
    let stage = Stage::small().await;
    let beside = Control::offline(stage.directory.path().to_owned())
        .await
        .unwrap();
    let writers = (0..64).map(|number| {
        let control = if number % 8 == 0 {
            beside.clone()
        } else {
            stage.control.clone()
        };
        tokio::spawn(async move {
            for round in 0..4 {
                let peer = source(&format!("10.1.{number}.{round}"));
                control
                    .record_refusal("forged_origin", "Refused.", &peer)
                    .await
                    .unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let entries = stage.entries().await;
    assert!(entries.len() >= 256);
    assert_gapless(&entries);
    assert_eq!(
        stage.control.audit_size(&stage.ada).await.unwrap(),
        u64::try_from(entries.len()).unwrap()
    );
    assert!(entries.is_sorted_by_key(|entry| entry.seq));
}

/// AU-9: what writes the log may insert and read, and nothing else.
#[tokio::test]
async fn entries_cannot_be_changed_removed_replaced_or_skipped() {
    let stage = Stage::small().await;
    let (row, bytes) = stage.control.audit_entry(&stage.ada, 1).await.unwrap();
    let mut raw = open(stage.directory.path()).await;
    for attack in [
        "UPDATE entries SET bytes = x'00' WHERE seq = 1",
        "UPDATE entries SET seq = 77 WHERE seq = 1",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO entries (seq, bytes, time, kind, action, actor, actor_name)
         VALUES (1, x'00', 0, 'intent', '', '', '')",
        "INSERT INTO entries (seq, bytes, time, kind, action, actor, actor_name)
         VALUES (99, x'00', 0, 'intent', '', '', '')",
        "INSERT INTO entries (bytes, time, kind, action, actor, actor_name)
         SELECT bytes, time, kind, action, actor, actor_name FROM entries WHERE seq = 77",
    ] {
        let tried = sqlx::raw_sql(sqlx::AssertSqlSafe(attack))
            .execute(&mut raw)
            .await;
        assert!(
            tried.map_or(true, |done| done.rows_affected() == 0),
            "{attack}"
        );
    }
    let (same_row, same_bytes) = stage.control.audit_entry(&stage.ada, 1).await.unwrap();
    assert_eq!((row, &bytes), (same_row, &same_bytes));
}

#[tokio::test]
async fn an_entry_has_its_own_id_and_an_outcome_says_how_long_it_took() {
    let stage = Stage::small().await;
    stage.done(&promote("n4")).await;
    let entries = stage.entries().await;
    let ids: std::collections::BTreeSet<_> = entries.iter().map(|it| it.id.clone()).collect();
    assert_eq!(ids.len(), entries.len());
    for entry in &entries {
        let id = uuid::Uuid::parse_str(entry.id.as_deref().unwrap()).unwrap();
        assert_eq!(id.get_version_num(), 7);
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        let millis = i64::try_from(seconds * 1_000 + u64::from(nanos / 1_000_000)).unwrap();
        assert_eq!(millis, entry.time.unix_ms(), "the id begins with the time");
        assert_eq!(entry.schema, Some(3));
        let outcome = entry.kind == EntryKind::Outcome;
        assert_eq!(entry.took_ms.is_some(), outcome, "{}", entry.text);
    }
    let of = |kind| entries.iter().find(|it| it.kind == kind).unwrap();
    let (intent, outcome) = (of(EntryKind::Intent), of(EntryKind::Outcome));
    let apart = outcome.running_ms.unwrap() - intent.running_ms.unwrap();
    assert_eq!(outcome.took_ms, Some(apart));
}

#[tokio::test]
async fn a_start_tells_its_configuration_and_that_it_is_another_than_before() {
    let stage = Stage::small().await;
    stage.control.stop().await;
    let (directory, cluster) = (stage.directory, stage.cluster);
    drop(stage.control);
    for (version, another) in [("aa", false), ("aa", false), ("bb", true), ("bb", false)] {
        let control = until("the former console let go of its files", || async {
            let mut settings = crate::stage::settings(directory.path(), &cluster);
            settings.configuration = Some(version.to_owned());
            Control::start(settings).await.ok()
        })
        .await;
        let who = control.command_line_operator();
        let filter = Filter {
            kinds: vec![EntryKind::Console],
            ..Filter::default()
        };
        let all = control.audit(&who, &filter, 0, 100).await.unwrap().items;
        let started = all.iter().rfind(|it| it.action == "started").unwrap();
        assert_eq!(started.seen["configuration"], version);
        let says = started.text.contains("Its configuration is another");
        assert_eq!(says, another, "{}", started.text);
        control.stop().await;
        drop(control);
    }
}

#[tokio::test]
async fn the_stored_bytes_are_what_is_returned() {
    let stage = Stage::small().await;
    stage.done(&promote("n4")).await;
    let mut raw = open(stage.directory.path()).await;
    let stored: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, bytes FROM entries ORDER BY seq")
        .fetch_all(&mut raw)
        .await
        .unwrap();
    let listed = stage.entries().await;
    let people = quorate_control::audit_people(stage.directory.path()).await;
    let people = people.unwrap();
    assert_eq!(stored.len(), listed.len());
    for ((seq, bytes), entry) in stored.iter().zip(&listed) {
        let (_, text) = stage
            .control
            .audit_entry(&stage.ada, u64::try_from(*seq).unwrap())
            .await
            .unwrap();
        assert_eq!(text.as_bytes(), bytes);
        let mut read = serde_json::from_slice::<Entry>(bytes).unwrap();
        people.open(&mut read);
        assert_eq!(&read, entry);
    }
}

#[tokio::test]
async fn rows_join_intent_and_outcome_newest_first_and_filters_narrow() {
    let stage = Stage::small().await;
    let change = stage.done(&promote("n4")).await;
    let filter = Filter {
        change: Some(change.id.0.clone()),
        ..Filter::default()
    };
    let page = stage
        .control
        .audit_rows(&stage.ada, &filter, None, 10)
        .await
        .unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].entry.kind, EntryKind::Intent);
    let outcome = page.items[0].outcome.as_ref().unwrap();
    assert_eq!(outcome.outcome, Some(Outcome::Succeeded));

    let (row, _) = stage
        .control
        .audit_entry(&stage.ada, outcome.seq)
        .await
        .unwrap();
    assert_eq!(
        row.entry.seq, page.items[0].entry.seq,
        "an outcome's page shows its intent"
    );

    for (filter, expected) in [
        (
            Filter {
                outcome: Some(Outcome::Succeeded),
                ..filter.clone()
            },
            1,
        ),
        (
            Filter {
                outcome: Some(Outcome::Failed),
                ..filter.clone()
            },
            0,
        ),
        (
            Filter {
                actor: Some("ada".to_owned()),
                ..filter.clone()
            },
            1,
        ),
        (
            Filter {
                actor: Some("bob".to_owned()),
                ..filter.clone()
            },
            0,
        ),
        (
            Filter {
                cluster: Some("green".to_owned()),
                ..Filter::default()
            },
            0,
        ),
        (
            Filter {
                kinds: vec![EntryKind::Refusal],
                ..Filter::default()
            },
            0,
        ),
        (
            Filter {
                kinds: vec![EntryKind::Outcome],
                ..Filter::default()
            },
            1,
        ),
    ] {
        let page = stage
            .control
            .audit_rows(&stage.ada, &filter, None, 10)
            .await
            .unwrap();
        assert_eq!(page.items.len(), expected, "{filter:?}");
    }
    let first = stage
        .control
        .audit_rows(&stage.ada, &Filter::default(), None, 1)
        .await
        .unwrap();
    let before = first.next.unwrap().parse().unwrap();
    let second = stage
        .control
        .audit_rows(&stage.ada, &Filter::default(), Some(before), 1)
        .await
        .unwrap();
    assert!(second.items[0].entry.seq < first.items[0].entry.seq);
}

#[tokio::test]
async fn only_those_who_may_read_the_log() {
    let stage = Stage::small().await;
    let everything = Filter::default();
    for who in [person("eve", Duty::Viewer), person("bob", Duty::Operator)] {
        let read = stage.control.audit(&who, &everything, 0, 10).await;
        assert!(matches!(read, Err(ControlError::NotAllowed { .. })));
        assert!(stage.control.audit_size(&who).await.is_err());
    }
    let auditor = person("cyd", Duty::Auditor);
    assert!(
        stage
            .control
            .audit(&auditor, &everything, 0, 10)
            .await
            .is_ok()
    );
    let grant = Grant {
        role: Duty::Auditor,
        clusters: vec![CLUSTER.to_owned()],
        tags: Vec::new(),
    };
    let of_one = granted("dan", vec![grant]);
    assert!(
        stage
            .control
            .audit(&of_one, &everything, 0, 10)
            .await
            .is_err()
    );
    let only = Filter {
        cluster: Some(CLUSTER.to_owned()),
        ..Filter::default()
    };
    assert!(stage.control.audit(&of_one, &only, 0, 10).await.is_ok());
}

/// Lines and terminals steered by what strangers write: ASVS 16.4.1.
#[tokio::test]
async fn what_strangers_write_is_capped_and_escaped() {
    let stage = Stage::small().await;
    let mut peer = source("10.0.0.66");
    peer.user_agent = Some(format!("\u{1b}[2J{}", "a".repeat(5_000)));
    let text = format!("line\nfeed \u{202e}gnp.exe {}", "b".repeat(9_000));
    stage
        .control
        .record_refusal("forged_origin", &text, &peer)
        .await
        .unwrap();
    let entry = stage.entries().await.pop().unwrap();
    assert!(!entry.text.contains('\n') && !entry.text.contains('\u{202e}'));
    assert!(entry.text.chars().count() < 2_100);
    assert!(entry.source.user_agent.unwrap().chars().count() < 300);
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let control = Control::offline(data.clone()).await.unwrap();
    control.ready().await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = std::fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files.iter().filter(|file| file.is_file()) {
        assert_eq!(mode(file), 0o600, "{file:?}");
    }
}

fn assert_gapless(entries: &[Entry]) {
    for (expected, entry) in (1..).zip(entries) {
        assert_eq!(entry.seq, expected);
    }
}

async fn open(directory: &Path) -> SqliteConnection {
    let address = format!("sqlite://{}/quorate-audit.db", directory.display());
    SqliteConnection::connect(&address).await.unwrap()
}
