//! Changes that other people have to approve: who may, what ends them, and that they survive.

use std::time::Duration;

use quorate_control::{Control, ControlError, Decision, Operator, Request, everywhere};
use quorate_domain::{
    action::{Action, Verb},
    approval::Rule,
    audit::{EntryKind, Outcome},
    job::{Change, ChangeState, StepState},
    permission::{Duty, Grant},
};
use quorate_drivers::simulated::{Cluster, Fault};

use crate::stage::{
    CLUSTER, Stage, assert_ended, demote, granted, person, promote, settings, source, until,
};

const HOUR_MS: u64 = 3_600_000;

pub fn rule(approvals: u32) -> Rule {
    Rule {
        clusters: vec!["*".to_owned()],
        tags: vec!["test".to_owned()],
        actions: vec![Verb::Promote, Verb::Remove],
        approvals,
        expires_after_ms: HOUR_MS,
        execute_within_ms: HOUR_MS,
    }
}

pub async fn stage(rule: Rule) -> Stage {
    let directory = tempfile::tempdir().unwrap();
    start(directory, Cluster::healthy(3, 1), rule).await
}

/// A console that asks for approval by `rule`, once a former one let go of its files.
async fn start(directory: tempfile::TempDir, cluster: Cluster, rule: Rule) -> Stage {
    // A look that is late must not look like a cluster that has become worse.
    cluster.status_timeout(Duration::from_millis(1_000));
    let control = until("the console starts", || async {
        let mut settings = settings(directory.path(), &cluster);
        settings.approvals.rules = vec![rule.clone()];
        match Control::start(settings).await {
            Ok(control) => Some(control),
            Err(ControlError::AlreadyRunning { .. }) => None,
            Err(other) => panic!("{other}"),
        }
    })
    .await;
    let stage = Stage {
        control,
        cluster,
        directory,
        ada: person("ada", Duty::Admin),
    };
    stage.settled().await;
    stage
}

fn approver(name: &str) -> Operator {
    person(name, Duty::Approver)
}

fn because(reason: &str) -> Decision {
    Decision {
        reason: reason.to_owned(),
        digest: None,
    }
}

/// What the caller asked for waits.
async fn asked(stage: &Stage) -> Change {
    let change = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
    assert_eq!(change.state, ChangeState::WaitingApproval);
    change
}

async fn approves(stage: &Stage, who: &Operator, change: &Change) -> Result<Change, ControlError> {
    let word = because("looked at it");
    stage.control.approve(who, &change.id.0, &word).await
}

async fn actions(stage: &Stage) -> Vec<String> {
    let entries = stage.entries().await.into_iter();
    let about = entries.filter(|entry| entry.change.is_some());
    about.map(|entry| entry.action).collect()
}

#[tokio::test]
async fn it_waits_without_the_clusters_place_and_runs_once_when_enough_have_approved() {
    let stage = stage(rule(2)).await;
    let (dana, erin) = (approver("dana"), approver("erin"));
    let change = asked(&stage).await;
    let approvals = change.approvals.clone().unwrap();
    assert_eq!((approvals.needed, approvals.given.len()), (2, 0));
    assert_eq!(change.steps[0].state, StepState::Running);
    assert_eq!(change.intent_seq, None, "nothing is about to be sent");
    // Its place is free: a snapshot of the same kind of rule does not need it, and neither is the
    // cluster shown as changing.
    let view = stage.control.view(&stage.ada, CLUSTER).await.unwrap();
    assert_eq!(view.running_change, None);
    assert_eq!(stage.control.running_changes(&stage.ada), 0);
    assert_eq!(stage.control.running_changes(&dana), 1, "it waits for her");

    let once = approves(&stage, &dana, &change).await.unwrap();
    assert_eq!(once.state, ChangeState::WaitingApproval);
    assert!(once.waiting_for.unwrap().contains("1 of 2"));
    assert_eq!(stage.control.running_changes(&dana), 0);
    assert!(stage.cluster.sent().is_empty());

    let twice = approves(&stage, &erin, &change).await.unwrap();
    assert_eq!(twice.id, change.id);
    let ended = stage.ended(&change).await;
    assert_ended(&ended, ChangeState::Succeeded, &["n4 is a voter now"]);
    assert_eq!(stage.cluster.sent().len(), 1);
    assert!(ended.steps.iter().all(|step| step.state == StepState::Done));
    assert_eq!(
        actions(&stage).await,
        [
            "approval_requested",
            "approved",
            "approved",
            "promote",
            "promote"
        ]
    );
    let story = stage.story().await;
    let intent = &story[0];
    assert_eq!(intent.kind, EntryKind::Intent);
    assert_eq!(intent.actor.name, "ada", "in the name of who asked");
    let words: Vec<(&str, &str)> = intent
        .approvals
        .iter()
        .map(|given| (given.by.name.as_str(), given.reason.as_str()))
        .collect();
    assert_eq!(words, [("dana", "looked at it"), ("erin", "looked at it")]);
    // Used once.
    let again = approves(&stage, &approver("finn"), &change).await;
    assert!(matches!(again, Err(ControlError::NotWaiting { .. })));
    assert_eq!(stage.cluster.sent().len(), 1);
}

#[tokio::test]
async fn a_preview_says_how_many_must_approve_and_who_may() {
    let stage = stage(rule(2)).await;
    let machine = stage.control.command_line_operator();
    for (name, duty) in [("dana", Duty::Approver), ("vera", Duty::Viewer)] {
        let made = stage
            .control
            .account_create(&machine, name, everywhere(&[duty]));
        made.await.unwrap();
    }
    let action = promote("n4");
    let preview = stage.control.preview(&stage.ada, CLUSTER, &action);
    let preview = preview.await.unwrap();
    let needed = preview.approvals.unwrap();
    assert_eq!(needed.needed, 2);
    assert_eq!(needed.from, ["dana"]);
    assert!(preview.notes.iter().any(|note| note.contains("dana")));
    assert!(preview.steps[0].rest.contains("2 other people"));
    // What no rule names needs nobody.
    let action = Action::Snapshot;
    let preview = stage.control.preview(&stage.ada, CLUSTER, &action).await;
    assert_eq!(preview.unwrap().approvals, None);
    assert_ended(&stage.done(&action).await, ChangeState::Succeeded, &[]);
}

/// One person may satisfy two factors of Vault's control groups; GitHub lets who asks approve, unless
/// told otherwise.
#[tokio::test]
async fn who_asked_never_counts_and_one_person_counts_once_by_whatever_token() {
    let stage = stage(rule(2)).await;
    let both = |name: &str| granted(name, everywhere(&[Duty::Admin, Duty::Approver]));
    let (ada, dana) = (both("ada"), both("dana"));
    let change = stage.ask(&ada, &promote("n4")).await.unwrap();
    let mut elsewhere = ada.clone();
    elsewhere.session = Some("another session".to_owned());
    for who in [&ada, &elsewhere, &token(&stage, &ada, "adas").await] {
        let answer = approves(&stage, who, &change).await;
        assert!(
            matches!(answer, Err(ControlError::OwnRequest)),
            "{answer:?}"
        );
        let answer = stage.control.deny(who, &change.id.0, &because("no")).await;
        assert!(
            matches!(answer, Err(ControlError::OwnRequest)),
            "{answer:?}"
        );
    }
    approves(&stage, &dana, &change).await.unwrap();
    for who in [&dana, &token(&stage, &dana, "danas").await] {
        let answer = approves(&stage, who, &change).await;
        assert!(
            matches!(answer, Err(ControlError::AlreadyApproved)),
            "{answer:?}"
        );
    }
    let refusals = stage.story().await;
    assert_eq!(refusals.len(), 8);
    assert!(
        refusals
            .iter()
            .all(|entry| entry.kind == EntryKind::Refusal && entry.change.is_some())
    );
    assert!(stage.cluster.sent().is_empty());
}

/// A token with the role approver, made by `who`.
async fn token(stage: &Stage, who: &Operator, name: &str) -> Operator {
    let life = Duration::from_secs(3_600);
    let grants = everywhere(&[Duty::Approver]);
    let made = stage.control.token_create(who, name, grants, life).await;
    let (_token, secret) = made.unwrap();
    let by = stage.control.operator_by_token(&secret, source("10.0.0.2"));
    by.await.unwrap()
}

#[tokio::test]
async fn only_approvers_of_that_cluster_decide_and_each_refusal_is_on_record() {
    let stage = stage(rule(1)).await;
    let change = asked(&stage).await;
    let elsewhere = Grant {
        role: Duty::Approver,
        clusters: vec!["green".to_owned()],
        tags: Vec::new(),
    };
    let here = Grant::everywhere(Duty::Viewer);
    let mut others = vec![granted("gus", vec![elsewhere.clone(), here])];
    let duties = Duty::ALL.into_iter().filter(|it| *it != Duty::Approver);
    others.extend(duties.map(|duty| person(duty.as_str(), duty)));
    for who in &others {
        let approved = approves(&stage, who, &change).await;
        assert!(matches!(approved, Err(ControlError::NotAllowed { .. })));
        let denied = stage.control.deny(who, &change.id.0, &because("no")).await;
        assert!(matches!(denied, Err(ControlError::NotAllowed { .. })));
    }
    let story = stage.story().await;
    assert_eq!(story.len(), 2 * others.len());
    assert!(
        story
            .iter()
            .all(|entry| entry.outcome == Some(Outcome::Refused))
    );
    // Who may not see the cluster is not told that there is something.
    let blind = granted("ida", vec![elsewhere]);
    let answer = approves(&stage, &blind, &change).await;
    assert!(matches!(answer, Err(ControlError::NotFound { .. })));
}

#[tokio::test]
async fn a_denial_is_final_and_needs_a_reason() {
    let stage = stage(rule(2)).await;
    let (dana, erin) = (approver("dana"), approver("erin"));
    let change = asked(&stage).await;
    approves(&stage, &dana, &change).await.unwrap();
    let id = &change.id.0;
    let silent = stage.control.deny(&dana, id, &because("  ")).await;
    assert!(matches!(silent, Err(ControlError::Invalid { .. })));
    // Who has approved may think better of it.
    let no = because("not tonight");
    let denied = stage.control.deny(&dana, id, &no).await.unwrap();
    assert_ended(&denied, ChangeState::Denied, &["dana", "not tonight"]);
    assert_eq!(denied.approvals.unwrap().denied.unwrap().by.name, "dana");
    for answer in [
        approves(&stage, &erin, &change).await,
        stage.control.deny(&erin, id, &because("too")).await,
        stage.control.cancel(&stage.ada, id, &because("")).await,
    ] {
        let state = ChangeState::Denied;
        assert!(
            matches!(answer, Err(ControlError::NotWaiting { state: is }) if is == state),
            "{answer:?}"
        );
    }
    assert!(stage.cluster.sent().is_empty());
    // The cluster is as free as before.
    let next = asked(&stage).await;
    assert_ne!(next.id, change.id);
}

#[tokio::test]
async fn too_few_in_time_and_it_expires() {
    let mut soon = rule(1);
    soon.expires_after_ms = 500;
    let stage = stage(soon).await;
    let change = asked(&stage).await;
    let ended = stage.ended(&change).await;
    assert_ended(&ended, ChangeState::Expired, &["0 of 1"]);
    let late = approves(&stage, &approver("dana"), &change).await;
    assert!(matches!(
        late,
        Err(ControlError::NotWaiting {
            state: ChangeState::Expired
        })
    ));
    assert!(stage.cluster.sent().is_empty());
    let actions = actions(&stage).await;
    assert_eq!(
        actions,
        ["approval_requested", "approval_expired", "approve"]
    );
}

#[tokio::test]
async fn approved_and_hindered_for_too_long_it_expires_as_well() {
    let mut at_once = rule(1);
    at_once.execute_within_ms = 500;
    let stage = stage(at_once).await;
    let change = asked(&stage).await;
    // Another change, which needs nobody, takes the cluster's place and keeps it: its answer does
    // not come.
    let long = Duration::from_secs(3_600);
    stage.cluster.next_change(Fault::Slow(long));
    let other = stage.ask(&stage.ada, &demote("n3")).await.unwrap();
    until("it was sent", || async {
        (!stage.cluster.sent().is_empty()).then_some(())
    })
    .await;
    let approved = approves(&stage, &approver("dana"), &change).await.unwrap();
    assert_ne!(approved.state, ChangeState::Running);
    let ended = stage.ended(&change).await;
    assert_ended(&ended, ChangeState::Expired, &["could not begin in time"]);
    assert_eq!(stage.cluster.sent().len(), 1);
    let other = stage.control.change(&stage.ada, &other.id.0).await;
    assert_eq!(other.unwrap().state, ChangeState::Running);
}

#[tokio::test]
async fn a_cluster_that_moved_makes_every_approval_void() {
    let stage = stage(rule(2)).await;
    let change = asked(&stage).await;
    approves(&stage, &approver("dana"), &change).await.unwrap();
    stage.cluster.elect("n2");
    stage
        .sees(|view| {
            let leader = view.leader.member.as_ref();
            leader.is_some_and(|leader| leader.as_str() == "n2")
        })
        .await;
    let answer = approves(&stage, &approver("erin"), &change).await;
    let Err(ControlError::Moved { moved }) = answer else {
        panic!("{answer:?}")
    };
    assert!(moved[0].contains("n2"), "{moved:?}");
    let ended = stage.ended(&change).await;
    assert_ended(&ended, ChangeState::Cancelled, &["Void", "n2"]);
    assert!(stage.cluster.sent().is_empty());
    let last = stage.story().await.pop().unwrap();
    assert_eq!(
        (last.action.as_str(), last.kind),
        ("approval_void", EntryKind::Refusal)
    );
}

#[tokio::test]
async fn what_waits_survives_a_restart_with_the_approvals_it_has() {
    let first = stage(rule(2)).await;
    let kept = asked(&first).await;
    approves(&first, &approver("dana"), &kept).await.unwrap();
    let denied = asked(&first).await;
    let id = &denied.id.0;
    let (dana, no) = (approver("dana"), because("no"));
    first.control.deny(&dana, id, &no).await.unwrap();
    first.control.stop().await;
    let Stage {
        control,
        cluster,
        directory,
        ..
    } = first;
    drop(control);

    let second = start(directory, cluster, rule(2)).await;
    let found = second.control.change(&second.ada, &kept.id.0).await;
    let found = found.unwrap();
    assert_eq!(found.state, ChangeState::WaitingApproval);
    assert_eq!(found.approvals.as_ref().unwrap().given.len(), 1);
    let again = approves(&second, &approver("dana"), &kept).await;
    assert!(matches!(again, Err(ControlError::AlreadyApproved)));
    let over = approves(&second, &approver("erin"), &denied).await;
    assert!(matches!(over, Err(ControlError::NotWaiting { .. })));
    approves(&second, &approver("erin"), &kept).await.unwrap();
    let ended = second.ended(&kept).await;
    assert_ended(&ended, ChangeState::Succeeded, &["n4 is a voter now"]);
    assert_eq!(second.cluster.sent().len(), 1);
}

#[tokio::test]
async fn rules_that_ask_for_more_than_they_did_make_it_void() {
    let first = stage(rule(1)).await;
    let change = asked(&first).await;
    first.control.stop().await;
    let Stage {
        control,
        cluster,
        directory,
        ..
    } = first;
    drop(control);

    let second = start(directory, cluster, rule(2)).await;
    let last = approves(&second, &approver("dana"), &change).await;
    assert_ended(
        &last.unwrap(),
        ChangeState::Cancelled,
        &["Void", "The rules ask for 2 approvals now."],
    );
    assert!(second.cluster.sent().is_empty());
}

#[tokio::test]
async fn the_word_of_somebody_whose_account_is_disabled_counts_no_more() {
    let stage = stage(rule(2)).await;
    let dana = hired(&stage, "dana").await;
    let change = asked(&stage).await;
    approves(&stage, &dana, &change).await.unwrap();
    let machine = stage.control.command_line_operator();
    let off = stage.control.account_disable(&machine, "dana", true);
    off.await.unwrap();
    let answer = approves(&stage, &dana, &change).await;
    assert!(matches!(answer, Err(ControlError::NotAllowed { .. })));
    let one = approves(&stage, &approver("erin"), &change).await.unwrap();
    assert_eq!(one.state, ChangeState::WaitingApproval);
    let names: Vec<String> = one
        .approvals
        .unwrap()
        .given
        .into_iter()
        .map(|given| given.by.name)
        .collect();
    assert_eq!(names, ["erin"]);
    assert!(
        actions(&stage)
            .await
            .contains(&"approval_lapsed".to_owned())
    );
    approves(&stage, &approver("finn"), &change).await.unwrap();
    let ended = stage.ended(&change).await;
    assert_ended(&ended, ChangeState::Succeeded, &[]);
}

/// An account of this console with the role approver, signed in.
async fn hired(stage: &Stage, name: &str) -> Operator {
    let machine = stage.control.command_line_operator();
    let grants = everywhere(&[Duty::Approver]);
    let made = stage.control.account_create(&machine, name, grants.clone());
    let (account, _link) = made.await.unwrap();
    let mut who = granted(name, grants);
    who.actor.subject = account.id;
    who
}

#[tokio::test]
async fn of_two_last_approvals_at_once_one_is_the_last() {
    let stage = stage(rule(1)).await;
    let change = asked(&stage).await;
    let (dana, erin) = (approver("dana"), approver("erin"));
    let (one, other) = tokio::join!(
        approves(&stage, &dana, &change),
        approves(&stage, &erin, &change)
    );
    let refused = match (one, other) {
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => error,
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, ControlError::NotWaiting { .. }));
    let ended = stage.ended(&change).await;
    assert_ended(&ended, ChangeState::Succeeded, &[]);
    assert_eq!(stage.cluster.sent().len(), 1);
    let intent = stage.story().await.into_iter();
    let intents: Vec<_> = intent
        .filter(|entry| entry.kind == EntryKind::Intent)
        .collect();
    assert_eq!(intents.len(), 1);
    assert_eq!(intents[0].approvals.len(), 1);
}

#[tokio::test]
async fn who_asked_takes_it_back_and_a_repeat_of_the_request_finds_the_same_change() {
    let stage = stage(rule(1)).await;
    let decided = stage.decided(&stage.ada, &promote("n4")).await;
    let request = Request {
        idempotency_key: Some("k-1".to_owned()),
        ..decided
    };
    let action = promote("n4");
    let ask = || {
        let control = &stage.control;
        control.submit(&stage.ada, CLUSTER, &action, &request)
    };
    let change = ask().await.unwrap();
    assert_eq!(ask().await.unwrap().id, change.id);
    let operator = person("olga", Duty::Operator);
    let answer = stage
        .control
        .cancel(&operator, &change.id.0, &because(""))
        .await;
    assert!(matches!(answer, Err(ControlError::NotAllowed { .. })));
    let taken = stage
        .control
        .cancel(&stage.ada, &change.id.0, &because("not needed"))
        .await
        .unwrap();
    assert_ended(&taken, ChangeState::Cancelled, &["ada"]);
    assert!(stage.cluster.sent().is_empty());
}

#[tokio::test]
async fn an_approval_is_of_what_was_shown() {
    let stage = stage(rule(1)).await;
    let change = asked(&stage).await;
    let dana = approver("dana");
    let seen = |digest: &str| Decision {
        reason: String::new(),
        digest: Some(digest.to_owned()),
    };
    let id = &change.id.0;
    let other = stage.control.approve(&dana, id, &seen("00")).await;
    assert!(matches!(other, Err(ControlError::Invalid { .. })));
    let digest = change.approvals.clone().unwrap().digest;
    stage
        .control
        .approve(&dana, id, &seen(&digest))
        .await
        .unwrap();
    let ended = stage.ended(&change).await;
    assert_ended(&ended, ChangeState::Succeeded, &[]);
}
