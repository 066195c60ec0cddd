//! Controllers that are dead, frozen, cut off, slow or lying, and what is told of them.

use std::time::Duration;

use quorate_domain::{
    action::Action,
    cluster::Role,
    observation::{Answer, Note},
    preflight::ReasonCode,
    view::LeaderStatus,
};
use quorate_drivers::Applied;

use crate::{
    openziti_stand_in::{Shape, Trap},
    stage::{
        Stage, add, allowed, demote, promote, refused_by, remove, report, role, transfer, view_of,
    },
};

#[tokio::test]
async fn a_dead_follower_is_silent_and_the_others_go_on() {
    let mut stage = Stage::set(Shape::default()).await;
    stage.cluster.kill("n3").await;
    let newcomer = stage.cluster.address("n5");
    let added = stage.apply(add(newcomer)).await;
    assert!(matches!(added, Applied::Accepted(_)), "{added:?}");
    let seen = stage
        .seen("n5 is a learner", |seen| {
            role(seen, "n5") == Some(Role::Learner)
        })
        .await;
    assert!(matches!(report(&seen, "n3").answer, Answer::Silent(_)));
    assert_eq!(view_of(seen).leader.status, LeaderStatus::Agreed);
    // Four voters of which three answer: allowed, and n3 cannot be demoted.
    assert!(allowed(&stage.checks(&promote("n5")).await));
    let checks = stage.checks(&demote("n3")).await;
    assert!(refused_by(&checks, ReasonCode::MemberNotSeen), "{checks:?}");
    let gone = stage.apply(remove("n3")).await;
    assert!(matches!(gone, Applied::Accepted(_)), "{gone:?}");
    assert_eq!(stage.cluster.votes("n3"), None);
    stage
        .seen("n3 is gone", |seen| role(seen, "n3").is_none())
        .await;
    stage.cluster.start_again("n3").await;
}

#[tokio::test]
async fn a_dead_leader_is_followed_by_another_that_is_agreed() {
    let mut stage = Stage::set(Shape::default()).await;
    stage.cluster.kill("n1").await;
    let seen = stage
        .seen("another leads", |seen| {
            view_of(seen.clone()).leader.status == LeaderStatus::Agreed
        })
        .await;
    let leader = view_of(seen).leader.member.unwrap();
    assert_eq!(Some(leader.0.clone()), stage.cluster.leader());
    assert_ne!(leader.as_str(), "n1");
    // The seed is dead, and the rest is known from the cluster.
    let moved = stage
        .apply(transfer(if leader.as_str() == "n2" { "n3" } else { "n2" }))
        .await;
    assert!(matches!(moved, Applied::Accepted(_)), "{moved:?}");
    stage.cluster.start_again("n1").await;
    stage
        .seen("n1 follows again", |seen| report(seen, "n1").answered())
        .await;
}

#[tokio::test]
async fn a_frozen_leader_makes_the_outcome_unknown_and_the_next_look_tells() {
    let stage = Stage::with(Shape::default(), |connection| {
        connection.change_timeout = Duration::from_millis(400);
    })
    .await;
    let newcomer = stage.cluster.address("n5");
    let view = stage.view().await;
    let step = quorate_domain::plan::plan(&view, &add(newcomer)).step;
    // It answers the question whether it leads, and freezes over the change.
    stage.cluster.world.state().node_mut("n1").slow = Duration::from_millis(250);
    let place = quorate_drivers::SnapshotPlace {
        file: "/nonexistent/x".into(),
    };
    let (outcome, ()) = tokio::join!(stage.driver.apply(&step, &place), async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        stage.cluster.freeze("n1");
    });
    assert!(matches!(outcome, Applied::Unknown { .. }), "{outcome:?}");
    let seen = stage
        .seen("another leads", |seen| {
            view_of(seen.clone())
                .leader
                .member
                .is_some_and(|leader| leader.as_str() != "n1")
        })
        .await;
    assert_eq!(
        role(&seen, "n5").is_some(),
        stage.cluster.votes("n5").is_some()
    );
    stage.cluster.thaw("n1");
}

#[tokio::test]
async fn a_leader_cut_off_is_not_believed_for_long() {
    let stage = Stage::set(Shape::default()).await;
    stage.cluster.cut_off(&["n1"]);
    let seen = stage
        .seen("the majority agrees on another", |seen| {
            view_of(seen.clone())
                .leader
                .member
                .is_some_and(|leader| leader.as_str() != "n1")
        })
        .await;
    // It answers, and follows nobody.
    assert!(report(&seen, "n1").answered());
    assert_eq!(
        report(&seen, "n1").says.as_ref().unwrap().names_leader,
        None
    );
    let leader = stage.cluster.leader().unwrap();
    let checks = stage.checks(&transfer("n1")).await;
    assert!(!allowed(&checks), "{leader}: {checks:?}");
    stage.cluster.cut_off(&[]);
    stage
        .seen("n1 follows", |seen| {
            let says = report(seen, "n1").says.as_ref();
            says.is_some_and(|says| says.names_leader.is_some())
        })
        .await;
}

#[tokio::test]
async fn without_a_majority_nobody_leads_and_nothing_is_sent() {
    let mut stage = Stage::set(Shape::default()).await;
    stage.cluster.kill("n2").await;
    stage.cluster.kill("n3").await;
    stage
        .seen("nobody leads", |seen| {
            report(seen, "n1")
                .says
                .as_ref()
                .is_some_and(|says| !says.claims_leadership)
        })
        .await;
    let before = stage.cluster.calls("n1", "remove-member");
    let outcome = stage.apply(remove("n4")).await;
    assert!(matches!(outcome, Applied::Refused { .. }), "{outcome:?}");
    assert_eq!(stage.cluster.calls("n1", "remove-member"), before);
    let checks = stage.checks(&remove("n4")).await;
    assert!(refused_by(&checks, ReasonCode::NoQuorum), "{checks:?}");
}

#[tokio::test]
async fn two_that_say_that_they_lead_are_a_dispute() {
    let stage = Stage::set(Shape::default()).await;
    stage.cluster.world.state().node_mut("n2").lies = Some("n2".to_owned());
    let view = stage.view().await;
    assert_eq!(view.leader.status, LeaderStatus::Disputed);
    let checks = stage.checks(&promote("n4")).await;
    assert!(
        refused_by(&checks, ReasonCode::NoAgreedLeader),
        "{checks:?}"
    );
}

#[tokio::test]
async fn a_slow_controller_answers_and_a_very_slow_one_is_silent() {
    let stage = Stage::set(Shape::default()).await;
    stage.cluster.world.state().node_mut("n3").slow = Duration::from_millis(100);
    assert!(report(&stage.look().await, "n3").answered());
    stage.cluster.world.state().node_mut("n3").slow = Duration::from_secs(5);
    let began = std::time::Instant::now();
    let seen = stage.look().await;
    assert!(began.elapsed() < Duration::from_millis(4_500));
    assert!(matches!(report(&seen, "n3").answer, Answer::Silent(_)));
}

#[tokio::test]
async fn a_learner_whose_log_stands_still_is_not_promoted() {
    let stage = Stage::set(Shape::of_2_1()).await;
    {
        let mut state = stage.cluster.world.state();
        state.node_mut("n4").held = true;
        state.log += 5_000;
        state.spread();
    }
    let checks = stage.checks(&promote("n4")).await;
    assert!(refused_by(&checks, ReasonCode::TooFarBehind), "{checks:?}");
}

#[tokio::test]
async fn where_no_address_is_announced_the_leader_passes_the_questions_on() {
    let stage = Stage::with(Shape::of_2_1(), |_| {}).await;
    stage.cluster.world.state().node_mut("n3").announces = false;
    let anew = quorate_drivers::connect(stage.cluster.connection(&["n1"])).unwrap();
    anew.observe(crate::stage::DEADLINE).await;
    let seen = anew.observe(crate::stage::DEADLINE).await;
    let n3 = report(&seen, "n3");
    assert!(n3.answered() && n3.asked.is_none(), "{n3:?}");
    assert_eq!(n3.says.as_ref().unwrap().names_leader, Some("n1".into()));
    assert_eq!(view_of(seen).leader.status, LeaderStatus::Agreed);
    // And once it is not connected either, it is simply absent.
    stage.cluster.cut_off(&["n3"]);
    let seen = anew.observe(crate::stage::DEADLINE).await;
    assert_eq!(report(&seen, "n3").answer, Answer::NotAsked);
}

#[tokio::test]
async fn members_of_different_builds_are_a_finding_and_not_dead() {
    let stage = Stage::set(Shape::default()).await;
    stage.cluster.world.state().node_mut("n3").version = "v2.0.2".to_owned();
    let seen = stage.look().await;
    let told = |note: &Note| matches!(note, Note::BackendUnhealthy { text } if text.contains("v2.0.2 on n3"));
    assert!(seen.notes.iter().any(told), "{:?}", seen.notes);
    assert!(report(&seen, "n3").answered());
}

#[tokio::test]
async fn a_preferred_leader_takes_leadership_back_and_that_is_said_before() {
    let stage = Stage::set(Shape::of_2_1()).await;
    stage.cluster.world.state().node_mut("n1").preferred = true;
    let view = stage.view().await;
    let note = quorate_domain::plan::preview(&view, &transfer("n2")).notes;
    assert!(
        note.iter().any(|note| note.contains("n1 is preferred")),
        "{note:?}"
    );
    let moved = stage.apply(transfer("n2")).await;
    assert!(matches!(moved, Applied::Accepted(_)), "{moved:?}");
    assert_eq!(stage.cluster.leader().as_deref(), Some("n2"));
    stage
        .cluster
        .until("n1 leads again", |state| {
            state.leader.as_deref() == Some("n1")
        })
        .await;
}

#[tokio::test]
async fn a_swap_of_leaders_without_any_event_is_seen_by_looking() {
    let stage = Stage::set(Shape::of_2_1()).await;
    stage.cluster.world.state().lead("n3");
    let view = stage.view().await;
    assert_eq!(view.leader.member, Some("n3".into()));
}

#[tokio::test]
async fn an_event_makes_the_next_look_come_at_once() {
    let stage = Stage::set(Shape::of_2_1()).await;
    let mut pushes = stage.driver.pushes().unwrap();
    // Subscribed once the first push has come.
    tokio::time::timeout(Duration::from_secs(10), pushes.changed())
        .await
        .expect("a subscription")
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    pushes.borrow_and_update();
    stage
        .cluster
        .world
        .emit("n1", "state.is_leaderless", serde_json::json!({}));
    tokio::time::timeout(Duration::from_secs(10), pushes.changed())
        .await
        .expect("a push")
        .unwrap();
}

#[tokio::test]
async fn a_list_of_two_documents_is_unreadable_and_no_crash() {
    let stage = Stage::set(Shape::default()).await;
    stage.cluster.set_trap("n2", Trap::AnswersTwice);
    let seen = stage.look().await;
    assert!(
        matches!(report(&seen, "n2").answer, Answer::Misread(_)),
        "{seen:#?}"
    );
    assert_eq!(
        view_of(stage.look().await).leader.status,
        LeaderStatus::Agreed
    );
}

#[tokio::test]
async fn snapshots_stay_where_they_are_made_and_come_once_a_while() {
    let stage = Stage::set(Shape::default()).await;
    let action = quorate_domain::action::Action::Snapshot;
    let taken = stage.apply(action.clone()).await;
    let Applied::Accepted(receipt) = taken else {
        panic!("{taken:?}")
    };
    let snapshot = receipt.snapshot.unwrap();
    assert_eq!(snapshot.member.as_deref(), Some("n1"));
    assert_eq!(snapshot.index, Some(stage.cluster.log()));
    assert!(
        receipt
            .exchange
            .received
            .to_string()
            .contains("/var/lib/ziti/")
    );
    let again = stage.apply(action).await;
    let Applied::Refused { code, .. } = again else {
        panic!("{again:?}")
    };
    assert_eq!(code, "too-soon");
}

#[tokio::test]
async fn a_controller_that_knows_the_older_snapshot_only_is_asked_for_that() {
    let stage = Stage::set(Shape::default()).await;
    stage.cluster.world.state().node_mut("n1").older_snapshots = true;
    let taken = stage.apply(Action::Snapshot).await;
    let Applied::Accepted(receipt) = taken else {
        panic!("{taken:?}")
    };
    assert_eq!(receipt.snapshot.unwrap().index, None);
    assert_eq!(stage.cluster.calls("n1", "/fabric/v1/database"), 1);
}

#[tokio::test]
async fn a_check_of_integrity_is_waited_for_and_what_it_finds_is_told_until_another_finds_nothing()
{
    let stage = Stage::set(Shape::default()).await;
    assert_eq!(stage.look().await.notes, []);
    assert!(allowed(&stage.checks(&Action::CheckIntegrity).await));
    let flaw = |flaws: &[&str]| {
        let flaws = flaws.iter().map(ToString::to_string).collect();
        stage.cluster.world.state().node_mut("n1").flaws = flaws;
    };
    let checked = async || match stage.apply(Action::CheckIntegrity).await {
        Applied::Accepted(receipt) => receipt,
        other => panic!("{other:?}"),
    };
    // A copy of the database is that and no more.
    stage.apply(Action::Snapshot).await;
    let begun = "/fabric/v1/database/check-data-integrity";
    assert_eq!(stage.cluster.calls("n1", begun), 0);

    flaw(&["service s1 has no such config", "link l7 leads nowhere"]);
    let receipt = checked().await;
    let note = receipt.note.unwrap();
    assert!(
        note.contains("found 2 problems, the first: service s1"),
        "{note}"
    );
    assert_eq!(receipt.exchange.received["found"], 2);
    let told = |note: &Note| matches!(note, Note::BackendUnhealthy { text } if text.contains("service s1"));
    let seen = stage.look().await;
    assert!(seen.notes.iter().any(told), "{:?}", seen.notes);

    flaw(&[]);
    let note = checked().await.note.unwrap();
    assert_eq!(note, "The integrity check of the model found nothing.");
    assert_eq!(stage.look().await.notes, []);
    assert_eq!(stage.cluster.calls("n1", begun), 2);
    for other in ["n2", "n3"] {
        assert_eq!(stage.cluster.calls(other, begun), 0, "{other}");
    }
}

#[tokio::test]
async fn a_check_of_integrity_that_runs_already_is_not_begun_again() {
    let stage = Stage::set(Shape::default()).await;
    stage.look().await;
    // Somebody else's, which takes its time.
    stage.cluster.world.state().node_mut("n1").integrity_runs = 1_000;
    let Applied::Refused { code, text, .. } = stage.apply(Action::CheckIntegrity).await else {
        panic!("it was begun")
    };
    assert_eq!(code, "too-soon");
    assert!(text.contains("running already"), "{text}");
}

#[tokio::test]
async fn a_check_of_integrity_whose_answer_is_lost_is_not_known_to_have_begun() {
    let stage = Stage::set(Shape::default()).await;
    stage.look().await;
    stage.cluster.set_trap("n1", Trap::TimesOutAfterwards);
    let Applied::Unknown { .. } = stage.apply(Action::CheckIntegrity).await else {
        panic!("nobody can know")
    };
}
