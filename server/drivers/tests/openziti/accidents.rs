//! What OpenZiti itself permits, staged on the stand-in, and what becomes of it here. Numbers are
//! names: they are those of the list of accidents.

use std::time::Duration;

use quorate_domain::{
    cluster::Role,
    health::FindingCode,
    observation::Note,
    plan::preview,
    preflight::{Level, ReasonCode},
    view::MemberState,
};
use quorate_drivers::Applied;

use crate::{
    openziti_stand_in::{Shape, Trap},
    stage::{
        Stage, add, allowed, demote, promote, refused_by, remove, report, role, transfer, view_of,
    },
};

#[tokio::test]
async fn accident_35_a_change_of_role_that_stops_half_way_is_said_before_found_after_and_repaired()
{
    let stage = Stage::set(Shape::default()).await;
    // Said before.
    let view = stage.view().await;
    let dialog = preview(&view, &promote("n4"));
    let warned = dialog
        .checks
        .iter()
        .find(|check| check.code == ReasonCode::RemovedThenAdded)
        .unwrap();
    assert_eq!(warned.level, Level::Warn);
    assert!(warned.text.contains("removes n4"), "{}", warned.text);
    assert!(
        dialog.steps[0]
            .rest
            .contains("to remove n4 and to add it again")
    );
    // It stops half-way: neither done nor refused.
    stage.cluster.set_trap("n1", Trap::StopsHalfWay);
    let outcome = stage.apply(promote("n4")).await;
    assert!(matches!(outcome, Applied::Unknown { .. }), "{outcome:?}");
    assert_eq!(stage.cluster.votes("n4"), None);
    // Found after.
    let outside = |note: &Note| {
        matches!(note, Note::LeftOutside { member, address }
            if member.as_str() == "n4" && *address == stage.cluster.address("n4"))
    };
    let seen = stage
        .seen("it is told to be outside", |seen| {
            seen.notes.iter().any(outside)
        })
        .await;
    assert_eq!(role(&seen, "n4"), None);
    let view = view_of(seen);
    let finding = view
        .findings
        .iter()
        .find(|finding| finding.code == FindingCode::LeftOutside)
        .unwrap();
    assert!(
        finding
            .hint
            .as_ref()
            .unwrap()
            .contains(&stage.cluster.address("n4"))
    );
    // Repaired.
    let repair = add(stage.cluster.address("n4"));
    assert!(allowed(&stage.checks(&repair).await));
    let repaired = stage.apply(repair).await;
    assert!(matches!(repaired, Applied::Accepted(_)), "{repaired:?}");
    let seen = stage
        .seen("it is a learner again", |seen| {
            role(seen, "n4") == Some(Role::Learner)
        })
        .await;
    assert!(!seen.notes.iter().any(outside), "{:?}", seen.notes);
}

#[tokio::test]
async fn accident_35_a_voter_that_goes_half_way_is_found_too() {
    let stage = Stage::set(Shape::of_2_1()).await;
    stage.cluster.set_trap("n1", Trap::StopsHalfWay);
    let outcome = stage.apply(demote("n3")).await;
    assert!(matches!(outcome, Applied::Unknown { .. }), "{outcome:?}");
    assert_eq!(stage.cluster.votes("n3"), None);
    stage
        .seen("it is told to be outside", |seen| {
            let told = |note: &Note| matches!(note, Note::LeftOutside { .. });
            seen.notes.iter().any(told) && role(seen, "n3").is_none()
        })
        .await;
}

#[tokio::test]
async fn accident_35_no_voter_is_demoted_where_the_gap_would_cost_the_majority() {
    let mut stage = Stage::set(Shape::default()).await;
    stage.cluster.kill("n3").await;
    let checks = stage.checks(&demote("n2")).await;
    assert!(
        refused_by(&checks, ReasonCode::QuorumWouldBeLost),
        "{checks:?}"
    );
    // And a silent one cannot be reached for the second half.
    let checks = stage.checks(&demote("n3")).await;
    assert!(refused_by(&checks, ReasonCode::MemberNotSeen), "{checks:?}");
}

#[tokio::test]
async fn accident_36_changes_go_to_the_leader_itself_and_never_to_who_forwards() {
    let stage = Stage::set(Shape::default()).await;
    let newcomer = stage.cluster.address("n5");
    // A follower would report the failure of what succeeds.
    let forwarded = reported_by_a_follower(&stage, &newcomer).await;
    assert_eq!(forwarded, 400);
    assert_eq!(stage.cluster.votes("n5"), Some(false));
    stage.apply(remove("n5")).await;
    stage.cluster.world.state().node_mut("n1").slow = Duration::ZERO;

    let view = stage.view().await;
    let outcome = stage.apply(transfer("n2")).await;
    assert!(matches!(outcome, Applied::Accepted(_)), "{outcome:?}");
    // A step that was decided on the old leader is not sent to it: it would forward.
    let step = quorate_domain::plan::plan(&view, &remove("n4")).step;
    let place = quorate_drivers::SnapshotPlace {
        file: "/nonexistent/x".into(),
    };
    let Applied::Refused { code, .. } = stage.driver.apply(&step, &place).await else {
        panic!("it was sent")
    };
    assert_eq!(code, "leader-moved");
    assert_eq!(stage.cluster.votes("n4"), Some(false));
    for follower in ["n2", "n3", "n4"] {
        let at = |path: &str| stage.cluster.calls(follower, path);
        assert_eq!((at("remove-member"), at("transfer-leadership")), (0, 0));
    }
}

/// Adds by way of a follower while the newcomer is hard to reach, as somebody past the console
/// would; the status of the answer.
async fn reported_by_a_follower(stage: &Stage, newcomer: &str) -> u16 {
    stage.cluster.freeze("n5");
    let root = reqwest::Certificate::from_pem(stage.cluster.authority.pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder()
        .tls_certs_only([root])
        .no_proxy()
        .build()
        .unwrap();
    let url = stage.cluster.url("n3");
    let (username, password) = crate::openziti_stand_in::ADMINISTRATOR;
    let session: serde_json::Value = http
        .post(format!(
            "{url}/edge/management/v1/authenticate?method=password"
        ))
        .json(&serde_json::json!({ "username": username, "password": password }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let answer = http
        .post(format!("{url}/fabric/v1/cluster/add-member"))
        .header("zt-session", session["data"]["token"].as_str().unwrap())
        .json(&serde_json::json!({ "address": newcomer, "isVoter": false }))
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    stage.cluster.thaw("n5");
    let id = "n5";
    stage
        .cluster
        .until("it was done all the same", |state| {
            state.config.iter().any(|server| server.id == id)
        })
        .await;
    status
}

#[tokio::test]
async fn accident_37_a_stranger_that_all_are_connected_to_is_unconfirmed_and_not_promoted() {
    let stage = Stage::set(Shape::of_2_1()).await;
    {
        let mut state = stage.cluster.world.state();
        let stranger = state.node_mut("n5");
        stranger.stranger_to = ["n1", "n2", "n3", "n4"].map(str::to_owned).into();
        // Nobody knows where it could be asked itself, and it answers what is passed on late.
        stranger.announces = false;
        stranger.slow = Duration::from_secs(5);
    }
    let view = stage.view().await;
    let n5 = view.member(&"n5".into()).unwrap();
    assert_eq!(
        (n5.role, n5.state),
        (Role::Learner, MemberState::Unconfirmed)
    );
    assert!(
        view.findings
            .iter()
            .any(|it| it.code == FindingCode::MemberUnconfirmed)
    );
    let checks = stage.checks(&promote("n5")).await;
    assert!(
        refused_by(&checks, ReasonCode::MemberUnconfirmed),
        "{checks:?}"
    );
    // Once it says itself that it is no member, it is not shown.
    stage.cluster.world.state().node_mut("n5").slow = Duration::ZERO;
    stage
        .seen("it is no member", |seen| role(seen, "n5").is_none())
        .await;
    let checks = stage.checks(&promote("n5")).await;
    assert!(refused_by(&checks, ReasonCode::MemberUnknown), "{checks:?}");
    assert_eq!(stage.cluster.votes("n5"), None);
}

#[tokio::test]
async fn accident_37_an_event_that_lists_it_confirms_who_was_in_doubt() {
    let stage = Stage::set(Shape::of_2_1()).await;
    let mut pushes = stage.driver.pushes().unwrap();
    // The first push says that the events are subscribed to at one member at least.
    tokio::time::timeout(Duration::from_secs(10), pushes.changed())
        .await
        .expect("a subscription")
        .unwrap();
    {
        let mut state = stage.cluster.world.state();
        let n5 = state.node_mut("n5");
        n5.announces = false;
        n5.slow = Duration::from_secs(5);
    }
    // Somebody adds it past the console; all are connected to it.
    let address = stage.cluster.address("n5");
    stage
        .cluster
        .world
        .add_peer("n1", &address, false)
        .await
        .unwrap();
    let in_doubt = |note: &Note| matches!(note, Note::MaybeNoMember { .. });
    let seen = stage
        .seen("n5 is a member beyond doubt", |seen| {
            role(seen, "n5") == Some(Role::Learner) && !seen.notes.iter().any(in_doubt)
        })
        .await;
    assert!(!report(&seen, "n5").answered());
}

#[tokio::test]
async fn accident_37_a_stranger_at_the_leader_alone_is_no_member() {
    let stage = Stage::set(Shape::default()).await;
    let stranger_to = ["n1".to_owned()].into();
    stage.cluster.world.state().node_mut("n5").stranger_to = stranger_to;
    let seen = stage.look().await;
    assert_eq!(role(&seen, "n5"), None);
    assert_eq!(seen.nodes.len(), 4, "{seen:#?}");
    let before = seen.membership.unwrap().revision;
    stage
        .cluster
        .world
        .state()
        .node_mut("n5")
        .stranger_to
        .clear();
    assert_eq!(stage.look().await.membership.unwrap().revision, before);
}

#[tokio::test]
async fn accident_37_who_was_removed_and_is_still_connected_is_told_as_such() {
    let stage = Stage::set(Shape::of_2_1()).await;
    let gone = stage.apply(remove("n4")).await;
    assert!(matches!(gone, Applied::Accepted(_)), "{gone:?}");
    let seen = stage.look().await;
    assert_eq!(role(&seen, "n4"), None, "{seen:#?}");
    let told = |note: &Note| matches!(note, Note::RemovedStillRunning { member, .. } if member.as_str() == "n4");
    assert!(seen.notes.iter().any(told), "{:?}", seen.notes);
}

#[tokio::test]
async fn accident_39_a_lost_answer_is_unknown_and_looking_tells() {
    let stage = Stage::set(Shape::forgetting_strangers_soon()).await;
    for trap in [Trap::TimesOutAfterwards, Trap::BreaksAfterwards] {
        let before = stage.cluster.calls("n1", "add-member");
        stage.cluster.set_trap("n1", trap);
        let outcome = stage.apply(add(stage.cluster.address("n5"))).await;
        assert!(
            matches!(outcome, Applied::Unknown { .. }),
            "{trap:?}: {outcome:?}"
        );
        let sent = stage.cluster.calls("n1", "add-member") - before;
        assert!(sent <= 1, "it was sent {sent} times");
        stage
            .seen("it was done", |seen| {
                role(seen, "n5") == Some(Role::Learner)
            })
            .await;
        stage.apply(remove("n5")).await;
        stage
            .seen("it is gone", |seen| role(seen, "n5").is_none())
            .await;
        stage
            .cluster
            .until("n5 has been let go", |state| {
                state.strangers("n1").is_empty()
            })
            .await;
    }
}

#[tokio::test]
async fn the_removal_of_an_unknown_id_is_never_sent_for_it_would_be_answered_with_success() {
    let stage = Stage::set(Shape::default()).await;
    let outcome = stage.apply(remove("nobody")).await;
    let Applied::Refused { code, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(code, "member-unknown");
    assert_eq!(stage.cluster.calls("n1", "remove-member"), 0);
}

#[tokio::test]
async fn the_leader_is_not_demoted_or_removed() {
    let stage = Stage::set(Shape::default()).await;
    for action in [demote("n1"), remove("n1")] {
        let checks = stage.checks(&action).await;
        assert!(refused_by(&checks, ReasonCode::IsLeader), "{checks:?}");
    }
}
