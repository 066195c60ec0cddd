//! The console dies in the middle of a change: what is found after its restart.

use std::{path::Path, time::Duration};

use quorate_control::{Control, ControlError};
use quorate_domain::{
    action::Action,
    audit::{Entry, EntryKind, Outcome},
    job::{Change, ChangeState},
    permission::Duty,
};
use quorate_drivers::simulated::{Cluster, Fault};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::stage::{Stage, assert_ended, person, promote, settings, source, until};

/// A console on a runtime of its own, so that it can die at any moment.
struct Doomed {
    runtime: tokio::runtime::Runtime,
}

impl Doomed {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self { runtime }
    }

    /// Starts a console, submits, and waits until the backend was asked.
    async fn submits(&self, directory: &Path, cluster: &Cluster, action: Action) -> Change {
        let (settings, cluster) = (settings(directory, cluster), cluster.clone());
        let task = self.runtime.spawn(async move {
            let control = Control::start(settings).await.unwrap();
            let directory = tempfile::tempdir().unwrap();
            let ada = person("ada", Duty::Admin);
            let stage = Stage {
                control,
                cluster,
                directory,
                ada,
            };
            stage.settled().await;
            let change = stage.ask(&stage.ada, &action).await.unwrap();
            until("it was sent", || async {
                (!stage.cluster.sent().is_empty()).then_some(())
            })
            .await;
            change
        });
        task.await.unwrap()
    }

    /// As [`Doomed::submits`], but waits for the end, which the store does not take.
    async fn ends_unsaved(&self, directory: &Path, cluster: &Cluster, action: Action) -> Change {
        let (settings, cluster) = (settings(directory, cluster), cluster.clone());
        let path = directory.to_owned();
        let task = self.runtime.spawn(async move {
            let stage = Stage {
                control: Control::start(settings).await.unwrap(),
                cluster,
                directory: tempfile::tempdir().unwrap(),
                ada: person("ada", Duty::Admin),
            };
            stage.settled().await;
            let refuses = "CREATE TRIGGER full BEFORE UPDATE ON changes \
                           BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
            in_store(&path, refuses).await;
            let change = stage.ask(&stage.ada, &action).await.unwrap();
            stage.ended(&change).await
        });
        task.await.unwrap()
    }

    /// Every task ends where it stands.
    async fn dies(self) {
        let runtime = self.runtime;
        let end = move || runtime.shutdown_timeout(Duration::from_secs(5));
        tokio::task::spawn_blocking(end).await.unwrap();
    }
}

async fn started(stage: &Stage) -> Vec<Entry> {
    let entries = stage.entries().await.into_iter();
    entries.filter(|entry| entry.action == "started").collect()
}

#[tokio::test]
async fn a_change_left_open_is_looked_at_and_never_sent_again() {
    let cluster = Cluster::healthy(3, 1);
    let directory = tempfile::tempdir().unwrap();
    cluster.apply_after(Duration::from_secs(3_600));
    let doomed = Doomed::new();
    let change = doomed
        .submits(directory.path(), &cluster, promote("n4"))
        .await;
    doomed.dies().await;

    let stage = Stage::again(directory, cluster).await;
    let taken_up = stage
        .control
        .change(&stage.ada, &change.id.0)
        .await
        .unwrap();
    assert!(!taken_up.state.is_final());
    stage.cluster.carry_out();
    let change = stage.ended(&change).await;
    assert_ended(&change, ChangeState::Succeeded, &["n4 is a voter now"]);
    assert!(change.outcome.unwrap().contains("restart"));
    assert_eq!(stage.cluster.sent().len(), 1);
    let starts = started(&stage).await;
    assert!(starts[0].seen.is_null(), "nothing was before the first");
    assert_eq!(starts[1].seen["stopped"], false);
    assert!(
        starts[1].text.contains("was not stopped before"),
        "{}",
        starts[1].text
    );
    let story = stage.story().await;
    assert_eq!(story.len(), 2);
    assert_eq!(
        (story[0].kind, story[1].kind),
        (EntryKind::Intent, EntryKind::Outcome)
    );
    assert_eq!(story[1].intent_seq, Some(story[0].seq));
}

#[tokio::test]
async fn a_change_whose_answer_died_with_the_console_ends_unknown_if_nothing_shows_it() {
    let cluster = Cluster::healthy(3, 1);
    let directory = tempfile::tempdir().unwrap();
    cluster.next_change(Fault::Slow(Duration::from_secs(3_600)));
    let doomed = Doomed::new();
    let change = doomed
        .submits(directory.path(), &cluster, promote("n4"))
        .await;
    doomed.dies().await;

    let stage = Stage::again(directory, cluster).await;
    stage.control.rehearse_patience(Duration::from_secs(1));
    let change = stage.ended(&change).await;
    assert_ended(
        &change,
        ChangeState::Unknown,
        &["restarted", "not confirmed"],
    );
    assert_eq!(stage.cluster.sent().len(), 1);
    let last = stage.story().await.pop().unwrap();
    assert_eq!(
        (last.kind, last.outcome),
        (EntryKind::Outcome, Some(Outcome::Unknown))
    );
    // The place is free again.
    let again = stage.done(&promote("n4")).await;
    assert_ended(&again, ChangeState::Succeeded, &[]);
}

#[tokio::test]
async fn an_open_intent_whose_change_is_lost_is_closed_as_unknown_with_what_is_seen() {
    let cluster = Cluster::healthy(3, 1);
    let directory = tempfile::tempdir().unwrap();
    cluster.apply_after(Duration::from_millis(50));
    let doomed = Doomed::new();
    doomed
        .submits(directory.path(), &cluster, promote("n4"))
        .await;
    doomed.dies().await;
    // The store is lost, the audit log is not.
    for ending in ["", "-wal", "-shm"] {
        let _absent = std::fs::remove_file(directory.path().join(format!("quorate.db{ending}")));
    }
    // In case the outcome was recorded before the death, there is nothing to close.
    let stage = Stage::again(directory, cluster).await;
    let closed = until("the intent is closed", || async {
        stage
            .story()
            .await
            .into_iter()
            .find(|entry| entry.kind == EntryKind::Outcome)
    })
    .await;
    assert_eq!(closed.intent_seq, Some(stage.story().await[0].seq));
    assert!(closed.text.contains("n4 is a voter now"), "{}", closed.text);
    assert_eq!(stage.cluster.sent().len(), 1);
}

#[tokio::test]
async fn an_outcome_on_record_is_not_recorded_again_where_the_store_does_not_have_it() {
    let cluster = Cluster::healthy(3, 1);
    let directory = tempfile::tempdir().unwrap();
    let doomed = Doomed::new();
    let change = doomed
        .ends_unsaved(directory.path(), &cluster, promote("n4"))
        .await;
    doomed.dies().await;
    in_store(directory.path(), "DROP TRIGGER full").await;

    let stage = Stage::again(directory, cluster).await;
    let again = stage.ended(&change).await;
    assert_ended(&again, ChangeState::Succeeded, &["n4 is a voter now"]);
    let story = stage.story().await;
    let [_, outcome] = story.as_slice() else {
        panic!("two entries: {story:#?}")
    };
    assert_eq!(again.outcome_seq, Some(outcome.seq));
    assert_eq!(again.outcome, change.outcome);
    assert_eq!(stage.cluster.sent().len(), 1);
    // The place is free again.
    let next = stage.done(&crate::stage::demote("n4")).await;
    assert_ended(&next, ChangeState::Succeeded, &[]);
}

async fn in_store(directory: &Path, statement: &'static str) {
    let url = format!("sqlite://{}", directory.join("quorate.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    connection.execute(statement).await.unwrap();
}

#[tokio::test]
async fn two_consoles_cannot_work_in_one_directory() {
    let stage = Stage::small().await;
    let second = Control::start(settings(stage.directory.path(), &stage.cluster)).await;
    assert!(matches!(second, Err(ControlError::AlreadyRunning { .. })));
}

#[tokio::test]
async fn stopping_waits_for_records_and_what_happened_survives() {
    let stage = Stage::small().await;
    let change = stage.done(&promote("n4")).await;
    stage.cluster.kill("n3");
    stage
        .sees(|view| {
            view.findings
                .iter()
                .any(|f| f.member.as_ref().is_some_and(|m| m.as_str() == "n3"))
        })
        .await;
    // More than is at hand: asked of the store.
    until("the election is in the store", || async {
        let events = stage.control.events(&stage.ada, None, 201).await.unwrap();
        events
            .iter()
            .any(|event| {
                matches!(
                    event.what,
                    quorate_domain::event::Happening::LeaderAgreed { .. }
                )
            })
            .then_some(())
    })
    .await;
    stage.control.stop().await;
    let Stage {
        control,
        cluster,
        directory,
        ada,
    } = stage;
    drop(control);
    let _unused = ada;
    let stage = Stage::again(directory, cluster).await;
    let kept = stage
        .control
        .change(&stage.ada, &change.id.0)
        .await
        .unwrap();
    assert_eq!(kept.state, ChangeState::Succeeded);
    let actions: Vec<String> = stage
        .entries()
        .await
        .into_iter()
        .map(|entry| entry.action)
        .collect();
    assert_eq!(
        actions.iter().filter(|action| *action == "started").count(),
        2
    );
    assert_eq!(
        actions.iter().filter(|action| *action == "stopped").count(),
        1
    );
    let again = started(&stage).await.pop().unwrap();
    assert_eq!(again.seen["stopped"], true);
    assert_eq!(again.seen["last_entry"], again.seq - 1);
    stage.settled().await;
    let events = stage.control.events(&stage.ada, None, 100).await.unwrap();
    let elections = events.iter().filter(|event| {
        matches!(
            event.what,
            quorate_domain::event::Happening::LeaderAgreed { .. }
        )
    });
    assert_eq!(
        elections.count(),
        1,
        "a restart is no election: {events:#?}"
    );
}

#[tokio::test]
async fn the_membership_is_remembered_for_the_time_when_nobody_answers() {
    let stage = Stage::small().await;
    stage.control.stop().await;
    let Stage {
        control,
        cluster,
        directory,
        ada,
    } = stage;
    drop(control);
    let _unused = (ada, source("10.0.0.1"));
    for id in ["n1", "n2", "n3", "n4"] {
        cluster.kill(id);
    }
    let stage = Stage::again(directory, cluster).await;
    let view = stage.sees(|view| view.observed_at.is_some()).await;
    assert_eq!(view.members.len(), 4);
    assert_eq!(view.verdict, quorate_domain::health::Verdict::Unknown);
}
