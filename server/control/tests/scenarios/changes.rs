//! What becomes of a change.

use std::time::Duration;

use quorate_control::{ControlError, Request};
use quorate_domain::{
    action::Action,
    audit::{EntryKind, Origin, Outcome},
    cluster::Role,
    event::Happening,
    job::{ChangeState, StepState},
    permission::{Duty, Grant},
    preflight::ReasonCode,
};
use quorate_drivers::simulated::{Cluster, Fault};

use crate::stage::{
    CLUSTER, Stage, assert_ended, demote, granted, person, promote, remove, settings, transfer,
    until,
};

#[tokio::test]
async fn a_learner_is_promoted_confirmed_by_looking_and_recorded() {
    let stage = Stage::small().await;
    let change = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
    assert!(
        change.intent_seq.is_some(),
        "the intent is durable before the answer"
    );

    let change = stage.ended(&change).await;
    assert_ended(&change, ChangeState::Succeeded, &["n4", "voter"]);
    assert!(
        change
            .steps
            .iter()
            .all(|step| step.state == StepState::Done && step.ended_at.is_some())
    );
    let view = stage.control.view_now(&stage.ada, CLUSTER).unwrap();
    let member = view
        .members
        .iter()
        .find(|member| member.id.as_str() == "n4")
        .unwrap();
    assert_eq!(
        member.role,
        Role::Voter,
        "a final state is seen in the next view"
    );
    assert_eq!(view.running_change, None);

    let story = stage.story().await;
    let [intent, outcome] = story.as_slice() else {
        panic!("two entries: {story:#?}")
    };
    assert_eq!(
        (intent.kind, outcome.kind),
        (EntryKind::Intent, EntryKind::Outcome)
    );
    assert_eq!(outcome.intent_seq, Some(intent.seq));
    assert_eq!(outcome.outcome, Some(Outcome::Succeeded));
    assert_eq!(intent.actor.name, "ada");
    assert_eq!(
        (intent.origin, outcome.origin),
        (Some(Origin::Person), Some(Origin::Console))
    );
    assert_eq!(intent.grants, stage.ada.grants);
    assert!(intent.running_ms.unwrap() <= outcome.running_ms.unwrap());
    assert_eq!(
        intent.reason.as_deref(),
        Some("capacity for the new region")
    );
    assert_eq!(intent.ticket.as_deref(), Some("OPS-7"));
    assert_eq!(intent.seen["leader"], "n1");
    assert_eq!(intent.sent["action"]["action"], "promote");
    assert!(!outcome.received.is_null());
    assert_eq!(change.outcome_seq, Some(outcome.seq));

    until("all of it is told", || async {
        let events = stage.control.events(&stage.ada, Some(CLUSTER), 30).await;
        let events = events.unwrap();
        let told = |wanted: ChangeState| {
            events.iter().any(
                |event| matches!(&event.what, Happening::Change { state, .. } if *state == wanted),
            )
        };
        let mut membership = events
            .iter()
            .filter(|event| matches!(&event.what, Happening::MembershipChanged { .. }));
        let all = told(ChangeState::Running) && told(ChangeState::Succeeded);
        (all && membership.next().is_some()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_new_learner_joins_from_an_allowed_address_only() {
    let stage = Stage::small().await;
    let address = stage.cluster.spare("n9");
    let joined = stage
        .done(&Action::AddLearner {
            address,
            member: Some("n9".into()),
        })
        .await;
    assert_ended(&joined, ChangeState::Succeeded, &["n9", "learner"]);

    let elsewhere = Action::AddLearner {
        address: "192.168.0.1:7000".to_owned(),
        member: None,
    };
    let error = stage
        .control
        .preview(&stage.ada, CLUSTER, &elsewhere)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ControlError::AddressNotAllowed { .. }),
        "{error}"
    );
    let view = stage.settled().await;
    let request = Request {
        revision: Some(view.revision.unwrap().0),
        reason: "more room".to_owned(),
        ..Request::default()
    };
    let sent = stage.cluster.sent().len();
    let error = stage
        .control
        .submit(&stage.ada, CLUSTER, &elsewhere, &request)
        .await
        .unwrap_err();
    assert_eq!(error.problem().code, "address-not-allowed");
    assert_eq!(stage.cluster.sent().len(), sent);
    assert_eq!(stage.story().await.last().unwrap().kind, EntryKind::Refusal);
}

#[tokio::test]
async fn demoting_the_leader_is_refused_and_nothing_is_sent() {
    let stage = Stage::small().await;
    let error = stage.ask(&stage.ada, &demote("n1")).await.unwrap_err();
    let ControlError::Refused { checks } = &error else {
        panic!("{error}")
    };
    assert!(
        checks
            .iter()
            .any(|check| check.code == ReasonCode::IsLeader),
        "{checks:#?}"
    );
    assert!(stage.cluster.sent().is_empty());
    let story = stage.story().await;
    assert_eq!(story.len(), 1);
    assert_eq!(story[0].kind, EntryKind::Refusal);
    assert_eq!(story[0].outcome, Some(Outcome::Refused));
    assert!(!story[0].seen["checks"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_backend_that_says_no_ends_the_change_as_failed() {
    let stage = Stage::small().await;
    let (code, text) = ("busy".to_owned(), "try later".to_owned());
    stage.cluster.next_change(Fault::Refuse { code, text });
    let change = stage.done(&promote("n4")).await;
    assert_ended(
        &change,
        ChangeState::Failed,
        &["refused", "try later", "busy"],
    );
    assert_eq!(change.steps[0].state, StepState::Failed);
    assert_eq!(
        stage.story().await.last().unwrap().outcome,
        Some(Outcome::Failed)
    );
}

#[tokio::test]
async fn the_leader_dies_while_leadership_is_transferred() {
    let stage = Stage::of(Cluster::healthy(5, 0)).await;
    stage.cluster.apply_after(Duration::from_secs(3_600));
    let change = stage.ask(&stage.ada, &transfer("n2")).await.unwrap();
    until("it was sent", || async {
        (!stage.cluster.sent().is_empty()).then_some(())
    })
    .await;
    stage.cluster.kill("n1");
    stage.cluster.elect("n3");
    stage
        .sees(|view| {
            view.leader
                .member
                .as_ref()
                .is_some_and(|leader| leader.as_str() == "n3")
        })
        .await;
    stage.control.rehearse_patience(Duration::ZERO);
    let change = stage.ended(&change).await;
    // Somebody else leads than was asked for: told as it is, whichever way the rule names it.
    assert_ne!(change.state, ChangeState::Succeeded, "{:?}", change.outcome);
    assert!(change.outcome.unwrap().contains("n3"));
}

#[tokio::test]
async fn what_was_accepted_and_is_not_done_waits_and_says_why() {
    let stage = Stage::small().await;
    stage.cluster.apply_after(Duration::from_secs(3_600));
    let change = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
    let waiting = until("it waits", || async {
        let now = stage
            .control
            .change(&stage.ada, &change.id.0)
            .await
            .unwrap();
        now.waiting_for.clone().map(|_| now)
    })
    .await;
    assert_eq!(waiting.state, ChangeState::Running);
    assert_eq!(stage.control.running_changes(&stage.ada), 1);
    stage.cluster.carry_out();
    assert_ended(
        &stage.ended(&change).await,
        ChangeState::Succeeded,
        &["voter"],
    );
    assert_eq!(stage.control.running_changes(&stage.ada), 0);
}

#[tokio::test]
async fn two_changes_never_run_at_once_and_a_snapshot_takes_no_place() {
    let stage = Stage::of(Cluster::healthy(3, 2)).await;
    stage.cluster.apply_after(Duration::from_secs(3_600));
    let first = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
    let error = stage.ask(&stage.ada, &promote("n5")).await.unwrap_err();
    // The change that runs is a new reason against it, or was one when it was decided on.
    assert!(matches!(error.problem().status, 409 | 422), "{error}");
    until("the first was sent", || async {
        (!stage.cluster.sent().is_empty()).then_some(())
    })
    .await;
    assert_eq!(stage.cluster.sent().len(), 1);
    let snapshot = stage.done(&Action::Snapshot).await;
    assert_ended(&snapshot, ChangeState::Succeeded, &["snapshot"]);
    stage.cluster.carry_out();
    assert_ended(&stage.ended(&first).await, ChangeState::Succeeded, &[]);
}

#[tokio::test]
async fn two_snapshots_at_once_are_refused() {
    let stage = Stage::small().await;
    stage.cluster.next_change(Fault::Held);
    let first = stage.ask(&stage.ada, &Action::Snapshot).await.unwrap();
    let error = stage.ask(&stage.ada, &Action::Snapshot).await.unwrap_err();
    assert!(matches!(&error, ControlError::Refused { .. }), "{error}");
    stage.cluster.carry_out();
    let first = stage.ended(&first).await;
    assert_ended(&first, ChangeState::Succeeded, &["verified"]);

    let listed = stage.control.snapshots(&stage.ada).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(Some(&listed[0].id), first.snapshot.as_ref());
    assert!(listed[0].here);
    let file = stage
        .control
        .snapshot_file(&stage.ada, &listed[0].id)
        .await
        .unwrap();
    assert_eq!(
        Some(std::fs::metadata(&file).unwrap().len()),
        listed[0].bytes
    );
    let last = stage.entries().await.pop().unwrap();
    assert_eq!(
        (last.action.as_str(), last.kind),
        ("snapshot_downloaded", EntryKind::Access)
    );

    std::fs::write(&file, b"something else").unwrap();
    let error = stage
        .control
        .snapshot_file(&stage.ada, &listed[0].id)
        .await
        .unwrap_err();
    assert!(matches!(error, ControlError::Invalid { .. }), "{error}");
}

#[tokio::test]
async fn a_repeat_with_the_same_key_returns_the_first_answer() {
    let stage = Stage::small().await;
    let mut request = stage.decided(&stage.ada, &promote("n4")).await;
    request.idempotency_key = Some("once".to_owned());
    let submit = || {
        stage
            .control
            .submit(&stage.ada, CLUSTER, &ACTION_PROMOTE, &request)
    };
    let first = submit().await.unwrap();
    let again = submit().await.unwrap();
    assert_eq!(first.id, again.id);
    stage.ended(&first).await;
    assert_eq!(
        submit().await.unwrap().id,
        first.id,
        "also when the cluster has moved since"
    );
    assert_eq!(stage.cluster.sent().len(), 1);

    let mut other = request.clone();
    other.reason = "something else".to_owned();
    let error = stage
        .control
        .submit(&stage.ada, CLUSTER, &ACTION_PROMOTE, &other)
        .await
        .unwrap_err();
    assert!(matches!(error, ControlError::KeyReused), "{error}");
    assert_eq!(stage.story().await.len(), 2);
}

#[tokio::test]
async fn the_same_key_many_times_at_once_sends_once() {
    let stage = Stage::small().await;
    let mut request = stage.decided(&stage.ada, &promote("n4")).await;
    request.idempotency_key = Some("once".to_owned());
    let submits = (0..8).map(|_| {
        stage
            .control
            .submit(&stage.ada, CLUSTER, &ACTION_PROMOTE, &request)
    });
    let answers = futures::future::join_all(submits).await;
    let first = answers[0].as_ref().unwrap().id.clone();
    for answer in &answers {
        assert_eq!(answer.as_ref().unwrap().id, first);
    }
    stage.ended(answers[0].as_ref().unwrap()).await;
    assert_eq!(stage.cluster.sent().len(), 1);
}

static ACTION_PROMOTE: std::sync::LazyLock<Action> = std::sync::LazyLock::new(|| promote("n4"));

#[tokio::test]
async fn a_read_only_console_changes_nothing() {
    let cluster = Cluster::healthy(3, 1);
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(directory.path(), &cluster);
    settings.read_only = true;
    let control = quorate_control::Control::start(settings).await.unwrap();
    let stage = Stage {
        control,
        cluster,
        directory,
        ada: person("ada", Duty::Admin),
    };
    stage.settled().await;
    let error = stage.ask(&stage.ada, &promote("n4")).await.unwrap_err();
    let ControlError::Refused { checks } = &error else {
        panic!("{error}")
    };
    assert!(
        checks
            .iter()
            .any(|check| check.code == ReasonCode::ReadOnly),
        "{checks:#?}"
    );
    assert!(stage.cluster.sent().is_empty());
}

#[tokio::test]
async fn permission_is_asked_first_and_holds_per_cluster_and_tag() {
    let stage = Stage::small().await;
    let on = |role, cluster: &str, tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        granted(
            "bob",
            vec![Grant {
                role,
                clusters: vec![cluster.to_owned()],
                tags,
            }],
        )
    };
    let nonsense = Request::default();
    for who in [
        person("eve", Duty::Viewer),
        person("eve", Duty::Auditor),
        on(Duty::Operator, "green", &[]),
        on(Duty::Operator, "*", &["prod"]),
        granted("nobody", Vec::new()),
    ] {
        let error = stage
            .control
            .submit(&who, CLUSTER, &promote("n4"), &nonsense)
            .await
            .unwrap_err();
        assert!(
            matches!(error, ControlError::NotAllowed { .. }),
            "{who:?}: {error}"
        );
    }
    let operator = on(Duty::Operator, "*", &["test"]);
    let error = stage
        .control
        .submit(&operator, CLUSTER, &remove("n4"), &nonsense)
        .await
        .unwrap_err();
    assert!(matches!(error, ControlError::NotAllowed { .. }), "{error}");
    assert_eq!(stage.story().await.len(), 6, "each refusal is a record");
    assert!(stage.cluster.sent().is_empty());

    let action = remove("n4");
    let asked = stage.decided(&stage.ada, &action).await;
    let refused = stage.control.submit(&operator, CLUSTER, &action, &asked);
    refused.await.unwrap_err();
    let story = stage.story().await;
    let told = |entry: &quorate_domain::audit::Entry| {
        (
            entry.member.as_ref().map(ToString::to_string),
            entry.reason.clone(),
            entry.ticket.clone(),
        )
    };
    assert!(
        story.iter().map(told).any(|told| told
            == (
                Some("n4".to_owned()),
                Some(asked.reason.clone()),
                asked.ticket.clone()
            )),
        "{story:#?}"
    );

    let change = stage.ask(&operator, &promote("n4")).await.unwrap();
    assert_ended(&stage.ended(&change).await, ChangeState::Succeeded, &[]);
    for stranger in [
        on(Duty::Viewer, "green", &[]),
        granted("nobody", Vec::new()),
    ] {
        assert!(stage.control.view_now(&stranger, CLUSTER).is_err());
        assert!(stage.control.change(&stranger, &change.id.0).await.is_err());
        assert!(stage.control.fleet(&stranger).is_empty());
    }
}

#[tokio::test]
async fn malformed_requests_are_told_what_is_wrong_and_leave_no_trace() {
    let stage = Stage::small().await;
    let good = stage.decided(&stage.ada, &promote("n4")).await;
    let with = |edit: fn(&mut Request)| {
        let mut request = good.clone();
        edit(&mut request);
        request
    };
    for (request, words) in [
        (
            with(|request| request.reason = "  \n ".to_owned()),
            "reason is missing",
        ),
        (
            with(|request| request.reason = "x".repeat(501)),
            "501 characters",
        ),
        (
            with(|request| request.ticket = Some("x".repeat(65))),
            "more than 64",
        ),
        (
            with(|request| request.fingerprint = None),
            "neither revision nor fingerprint",
        ),
        (
            with(|request| request.fingerprint = Some("q1.nonsense".to_owned())),
            "fingerprint",
        ),
        (
            with(|request| request.idempotency_key = Some("a b".to_owned())),
            "Idempotency-Key",
        ),
    ] {
        let submitted = stage
            .control
            .submit(&stage.ada, CLUSTER, &promote("n4"), &request)
            .await;
        let error = submitted.unwrap_err();
        assert_eq!(error.problem().status, 400, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let other = stage
        .control
        .submit(&stage.ada, CLUSTER, &transfer("n2"), &good)
        .await
        .unwrap_err();
    assert_eq!(other.problem().status, 400, "{other}");
    assert!(other.to_string().contains("another change"), "{other}");
    for action in [promote(""), promote("a\nb"), promote(&"x".repeat(300))] {
        let submitted = stage
            .control
            .submit(&stage.ada, CLUSTER, &action, &good)
            .await;
        assert_eq!(submitted.unwrap_err().problem().status, 400);
    }
    let unknown = stage
        .control
        .submit(&stage.ada, "green", &promote("n4"), &good)
        .await;
    assert_eq!(unknown.unwrap_err().problem().status, 404);
    assert!(stage.story().await.is_empty());
    assert!(stage.cluster.sent().is_empty());
}
