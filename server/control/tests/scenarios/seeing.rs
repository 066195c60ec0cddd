//! What is seen, how often is looked, and what is told of it.

use std::time::Duration;

use quorate_domain::{event::Happening, health::FindingCode, permission::Duty, view::LeaderStatus};
use quorate_drivers::simulated::Cluster;

use crate::stage::{CLUSTER, Stage, person, until};

#[tokio::test]
async fn a_dead_leader_and_the_election_after_it_are_told() {
    let stage = Stage::small().await;
    stage.cluster.election_timeout(Duration::from_millis(500));
    stage.cluster.kill("n1");
    let view = stage
        .sees(|view| {
            view.leader.status == LeaderStatus::Agreed
                && view
                    .leader
                    .member
                    .as_ref()
                    .is_some_and(|leader| leader.as_str() != "n1")
        })
        .await;
    let winner = view.leader.member.unwrap();
    let events = until("it is told", || async {
        let events = stage
            .control
            .events(&stage.ada, Some(CLUSTER), 50)
            .await
            .unwrap();
        events
            .iter()
            .any(|event| {
                matches!(&event.what, Happening::LeaderAgreed { member, .. } if *member == winner)
            })
            .then_some(events)
    })
    .await;
    assert!(
        events.iter().any(|event| matches!(
            &event.what,
            Happening::FindingRaised { code: FindingCode::MemberUnreachable, member: Some(id), .. }
                if id.as_str() == "n1"
        )),
        "{events:#?}"
    );
    assert!(events.is_sorted_by(|a, b| a.id > b.id), "newest first");
}

#[tokio::test]
async fn looks_are_frequent_while_somebody_looks() {
    let stage = Stage::small().await;
    let _page = stage.control.ticks(&stage.ada, Some(CLUSTER)).unwrap();
    let before = stage.cluster.looks();
    let began = std::time::Instant::now();
    until("five looks", || async {
        (stage.cluster.looks() >= before + 5).then_some(())
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_millis(4_000),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_push_is_looked_at_at_once() {
    let cluster = Cluster::healthy(3, 1);
    cluster.push_changes();
    let stage = Stage::of(cluster).await;
    let mut ticks = stage.control.ticks(&stage.ada, Some(CLUSTER)).unwrap();
    ticks.borrow_and_update();
    stage.cluster.elect("n2");
    let shown = async {
        loop {
            ticks.changed().await.unwrap();
            let view = stage.control.view_now(&stage.ada, CLUSTER).unwrap();
            if view
                .leader
                .member
                .is_some_and(|leader| leader.as_str() == "n2")
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), shown)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_view_is_at_most_a_second_old() {
    let stage = Stage::small().await;
    let view = stage.control.view(&stage.ada, CLUSTER).await.unwrap();
    assert!(view.age_ms.unwrap() <= 1_000);
}

#[tokio::test]
async fn a_cluster_nobody_may_see_is_not_there() {
    let stage = Stage::small().await;
    let stranger = crate::stage::granted("nobody", Vec::new());
    for error in [
        stage.control.view(&stranger, CLUSTER).await.map(|_| ()),
        stage.control.view(&stage.ada, "green").await.map(|_| ()),
        stage
            .control
            .events(&stranger, Some(CLUSTER), 5)
            .await
            .map(|_| ()),
        stage.control.ticks(&stranger, Some(CLUSTER)).map(|_| ()),
        stage
            .control
            .changes(&stranger, Some(CLUSTER), None, 5)
            .await
            .map(|_| ()),
    ] {
        assert_eq!(error.unwrap_err().problem().status, 404);
    }
    assert_eq!(stage.control.fleet(&person("vera", Duty::Viewer)).len(), 1);
}
