//! What is seen, how often is looked, and what is told of it.

use std::time::Duration;

use quorate_control::Control;
use quorate_domain::{event::Happening, health::FindingCode, permission::Duty, view::LeaderStatus};
use quorate_drivers::simulated::Cluster;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::stage::{CLUSTER, Stage, person, settings, until};

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
    // Where nobody looks, two looks take longer than five here.
    let quick = Duration::from_millis(4_000);
    let mut took = Vec::new();
    while took.iter().all(|each| *each >= quick) {
        assert!(took.len() < TRIES, "{took:?}");
        took.push(looks(&stage, 5).await);
    }
}

/// A busy machine may be slow once; what is slow each time is slow by itself.
const TRIES: usize = 6;

/// How long the next `count` looks take.
async fn looks(stage: &Stage, count: u64) -> Duration {
    let before = stage.cluster.looks();
    let began = std::time::Instant::now();
    until("there were some looks", || async {
        (stage.cluster.looks() >= before + count).then_some(())
    })
    .await;
    began.elapsed()
}

#[tokio::test]
async fn a_store_that_cannot_be_written_holds_up_no_look() {
    let stage = Stage::small().await;
    let _page = stage.control.ticks(&stage.ada, Some(CLUSTER)).unwrap();
    let url = format!(
        "sqlite://{}",
        stage.directory.path().join("quorate.db").display()
    );
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    // Writing would be given up after five seconds only.
    let given_up = Duration::from_millis(4_500);
    let mut took = Vec::new();
    while took.iter().all(|each| *each >= given_up) {
        assert!(took.len() < TRIES, "{took:?}");
        stage.settled().await;
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        // Something to remember.
        let silent = took.len() % 2 == 0;
        match silent {
            true => stage.cluster.kill("n4"),
            false => stage.cluster.revive("n4"),
        }
        stage
            .sees(|view| {
                let mut findings = view.findings.iter();
                findings.any(|it| it.code == FindingCode::MemberUnreachable) == silent
            })
            .await;
        took.push(looks(&stage, 5).await);
        other.execute("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn a_cluster_without_a_leader_comes_before_one_without_tolerance() {
    let (brink, leaderless) = (Cluster::healthy(3, 0), Cluster::healthy(3, 0));
    leaderless.election_timeout(Duration::from_secs(600));
    let directory = tempfile::tempdir().unwrap();
    let mut both = settings(directory.path(), &brink);
    let mut second = settings(directory.path(), &leaderless).clusters;
    for setup in &mut second {
        setup.registration.name = "green".into();
    }
    both.clusters.append(&mut second);
    brink.kill("n3");
    leaderless.kill("n1");
    let control = Control::start(both).await.unwrap();
    let ada = person("ada", Duty::Admin);
    let fleet = until("both are seen", || async {
        let fleet = control.fleet(&ada);
        let sees = |name: &str, status: LeaderStatus| {
            fleet
                .iter()
                .any(|row| row.name.as_str() == name && row.leader.status == status)
        };
        (sees(CLUSTER, LeaderStatus::Agreed) && sees("green", LeaderStatus::None)).then_some(fleet)
    })
    .await;
    assert!(
        fleet.iter().all(|row| row.quorum.tolerates == Some(0)),
        "{fleet:#?}"
    );
    let order: Vec<&str> = fleet.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(order, ["green", CLUSTER]);
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
    tokio::time::timeout(Duration::from_secs(90), shown)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_view_is_at_most_a_second_old() {
    let stage = Stage::small().await;
    // A busy machine may stand still between look and answer, but not each time.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        stage.sees(|view| view.age_ms.unwrap() <= 1_000).await;
    }
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
