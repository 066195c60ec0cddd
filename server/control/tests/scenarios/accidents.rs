//! Accidents in which control decides, staged on the simulated cluster.

use std::time::Duration;

use quorate_control::{ControlError, Request};
use quorate_domain::{
    audit::{EntryKind, Outcome},
    job::ChangeState,
    preflight::ReasonCode,
};
use quorate_drivers::simulated::{Cluster, Fault};

use crate::stage::{CLUSTER, Stage, assert_ended, demote, person, promote, remove, until};

/// Leadership moves between look and call: the backend answers yes and never does it.
#[tokio::test]
async fn accident_15_a_demote_that_was_accepted_and_not_carried_out_is_told_as_that() {
    let stage = Stage::of(Cluster::healthy(5, 0)).await;
    stage.cluster.next_change(Fault::Forget);
    let change = stage.ask(&stage.ada, &demote("n3")).await.unwrap();
    until("it was sent", || async {
        (!stage.cluster.sent().is_empty()).then_some(())
    })
    .await;
    stage.cluster.elect("n3");
    let by_n3 = |leader: &quorate_domain::cluster::MemberId| leader.as_str() == "n3";
    stage
        .sees(|view| view.leader.member.as_ref().is_some_and(by_n3))
        .await;
    stage.control.rehearse_patience(Duration::from_secs(1));
    let change = stage.ended(&change).await;
    assert_ended(
        &change,
        ChangeState::Unknown,
        &["Accepted", "not confirmed within", "n3"],
    );
    assert!(
        change
            .outcome
            .unwrap()
            .contains("Leadership moved from n1 to n3")
    );
    assert_eq!(
        stage.story().await.last().unwrap().outcome,
        Some(Outcome::Unknown)
    );
    assert!(
        stage.cluster.members().contains(&("n3".to_owned(), true)),
        "still a voter"
    );
}

/// The leader itself is never demoted.
#[tokio::test]
async fn accident_15_demoting_the_leader_is_refused() {
    let stage = Stage::of(Cluster::healthy(5, 0)).await;
    let error = stage.ask(&stage.ada, &demote("n1")).await.unwrap_err();
    assert!(
        matches!(&error, ControlError::Refused { checks }
            if checks.iter().any(|check| check.code == ReasonCode::IsLeader)),
        "{error}"
    );
    assert!(stage.cluster.sent().is_empty());
}

/// Accepted and not done for long: waiting, then unknown, never failed and never done.
#[tokio::test]
async fn accident_17_a_promotion_that_does_not_come_waits_and_ends_unknown() {
    let stage = Stage::small().await;
    stage.cluster.apply_after(Duration::from_secs(3_600));
    let change = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
    until("it waits", || async {
        let now = stage
            .control
            .change(&stage.ada, &change.id.0)
            .await
            .unwrap();
        (now.state == ChangeState::Running)
            .then_some(now.waiting_for)
            .flatten()
    })
    .await;
    stage.control.rehearse_patience(Duration::from_secs(1));
    let change = stage.ended(&change).await;
    assert_ended(
        &change,
        ChangeState::Unknown,
        &["Accepted", "not confirmed within 1 s"],
    );
    assert_eq!(stage.cluster.sent().len(), 1, "never sent again");
}

/// Removing somebody who is not there is no success, although the backend says yes.
#[tokio::test]
async fn accident_18_removing_an_unknown_member_or_twice_is_refused() {
    let stage = Stage::small().await;
    let view = stage.settled().await;
    let request = Request {
        revision: view.revision.map(|revision| revision.to_string()),
        fingerprint: None,
        ..stage.decided(&stage.ada, &remove("n4")).await
    };
    let unknown = stage
        .control
        .submit(&stage.ada, CLUSTER, &remove("n77"), &request)
        .await
        .unwrap_err();
    assert!(
        matches!(unknown, ControlError::NotFound { .. }),
        "{unknown}"
    );
    let removed = stage.done(&remove("n4")).await;
    assert_ended(
        &removed,
        ChangeState::Succeeded,
        &["n4 is no longer a member"],
    );
    let twice = stage
        .control
        .submit(&stage.ada, CLUSTER, &remove("n4"), &request)
        .await
        .unwrap_err();
    assert!(matches!(twice, ControlError::NotFound { .. }), "{twice}");
    assert_eq!(stage.cluster.sent().len(), 1);
    let refusals = stage
        .story()
        .await
        .iter()
        .filter(|e| e.kind == EntryKind::Refusal)
        .count();
    assert_eq!(refusals, 2);
}

/// The change happened, its answer was lost: found by looking.
#[tokio::test]
async fn accident_39_a_lost_answer_is_settled_by_looking() {
    let stage = Stage::small().await;
    stage.cluster.next_change(Fault::LoseAnswer);
    let change = stage.done(&promote("n4")).await;
    assert_ended(
        &change,
        ChangeState::Succeeded,
        &["answer was lost", "n4 is a voter now"],
    );
    assert_eq!(stage.cluster.sent().len(), 1, "never sent twice");
    assert_eq!(
        stage.story().await.last().unwrap().outcome,
        Some(Outcome::Succeeded)
    );
}

/// The request was lost on its way: nobody can know, and nobody guesses.
#[tokio::test]
async fn accident_39_a_lost_request_ends_unknown() {
    let stage = Stage::small().await;
    stage
        .control
        .rehearse_patience(Duration::from_millis(1_200));
    stage.cluster.next_change(Fault::LoseRequest);
    let change = stage.done(&promote("n4")).await;
    assert_ended(
        &change,
        ChangeState::Unknown,
        &["answer was lost", "not confirmed within"],
    );
    assert_eq!(stage.cluster.sent().len(), 1, "never sent twice");
    assert_eq!(
        stage.story().await.last().unwrap().outcome,
        Some(Outcome::Unknown)
    );
}

/// Two people decide on the same sight; the second is told what moved.
#[tokio::test]
async fn accident_40_of_two_people_at_once_the_second_is_told_what_moved() {
    let stage = Stage::of(Cluster::healthy(3, 2)).await;
    let bob = person("bob", quorate_domain::permission::Duty::Operator);
    let hers = stage.decided(&stage.ada, &promote("n4")).await;
    let his = stage.decided(&bob, &promote("n5")).await;
    let (promote_hers, promote_his) = (promote("n4"), promote("n5"));
    let (first, second) = tokio::join!(
        stage
            .control
            .submit(&stage.ada, CLUSTER, &promote_hers, &hers),
        stage.control.submit(&bob, CLUSTER, &promote_his, &his),
    );
    let (change, refused) = match (first, second) {
        (Ok(change), Err(refused)) | (Err(refused), Ok(change)) => (change, refused),
        (first, second) => panic!("exactly one of both: {first:?} {second:?}"),
    };
    assert!(matches!(refused.problem().status, 409 | 422), "{refused}");
    stage.ended(&change).await;
    assert_eq!(stage.cluster.sent().len(), 1);
    let refusals = stage
        .story()
        .await
        .iter()
        .filter(|e| e.kind == EntryKind::Refusal)
        .count();
    assert_eq!(refusals, 1);
}

/// The dialog stays open over lunch while somebody else changes the cluster.
#[tokio::test]
async fn accident_40_a_dialog_left_open_over_lunch_is_refused_with_what_moved() {
    let stage = Stage::of(Cluster::healthy(3, 2)).await;
    let before_lunch = stage.decided(&stage.ada, &promote("n4")).await;
    let revision = stage.settled().await.revision.unwrap();
    stage.done(&promote("n5")).await;
    let by_revision = Request {
        revision: Some(revision.0),
        fingerprint: None,
        ..before_lunch.clone()
    };
    for request in [before_lunch, by_revision] {
        let submitted = stage
            .control
            .submit(&stage.ada, CLUSTER, &promote("n4"), &request)
            .await;
        let error = submitted.unwrap_err();
        let ControlError::Moved { moved } = &error else {
            panic!("{error}")
        };
        assert!(!moved.is_empty());
        assert_eq!(error.problem().status, 409);
        assert_eq!(&error.problem().moved, moved);
    }
    assert_eq!(stage.cluster.sent().len(), 1);
    assert!(!stage.cluster.members().contains(&("n4".to_owned(), true)));
}

/// Another leader by the time of the click: told, not acted on.
#[tokio::test]
async fn accident_40_another_leader_since_the_preview_is_refused() {
    let stage = Stage::small().await;
    let request = stage.decided(&stage.ada, &promote("n4")).await;
    stage.cluster.elect("n2");
    stage
        .sees(|view| {
            view.leader
                .member
                .as_ref()
                .is_some_and(|leader| leader.as_str() == "n2")
        })
        .await;
    let submitted = stage
        .control
        .submit(&stage.ada, CLUSTER, &promote("n4"), &request)
        .await;
    let error = submitted.unwrap_err();
    let ControlError::Moved { moved } = &error else {
        panic!("{error}")
    };
    assert!(moved.iter().any(|text| text.contains("n2")), "{moved:?}");
    assert!(stage.cluster.sent().is_empty());
}
