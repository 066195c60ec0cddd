//! The agent driver on real openraft nodes, and against agents that lie.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "contract/checks.rs"]
mod checks;
#[path = "../../demo/tests/cluster/mod.rs"]
mod cluster;
#[path = "agent_cluster/failing.rs"]
mod failing;
#[path = "contract/failure.rs"]
mod failure;
#[path = "agent_cluster/liars.rs"]
mod liars;
#[path = "agent_cluster/processes.rs"]
mod processes;
#[path = "contract/seen.rs"]
mod seen;
#[path = "contract/stage.rs"]
mod stage;

use std::{sync::Arc, time::Duration};

use checks::{DEADLINE, Truth, accepted_of, claims, report, role, seen_when};
use cluster::{Cluster, TOKEN};
use quorate_domain::{
    action::Action,
    cluster::{Kind, MemberId, Role},
    observation::{Answer, Note, Observation},
    plan::Step,
};
use quorate_drivers::{Applied, Connection, Driver, Secret, SnapshotPlace, connect};

fn connection(seeds: Vec<String>) -> Connection {
    Connection {
        name: "agents".to_owned(),
        kind: Kind::Agent,
        seeds,
        token: Some(Secret::new(TOKEN)),
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: quorate_drivers::Lookups::default(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(10),
    }
}

fn address(cluster: &Cluster, id: u64) -> String {
    format!("http://{}", cluster.nodes[&id].address)
}

fn driver(cluster: &Cluster) -> Arc<dyn Driver> {
    connect(connection(vec![address(cluster, 1)])).unwrap()
}

fn id(member: u64) -> MemberId {
    MemberId(format!("node-{member}"))
}

fn accepted(applied: Applied) -> quorate_drivers::Receipt {
    let Applied::Accepted(receipt) = applied else {
        panic!("{applied:?}")
    };
    receipt
}

/// The leader has heard of all three others a moment ago.
async fn settled(driver: &Arc<dyn Driver>) -> Observation {
    seen_when(driver, "the leader has heard of all", 60, |seen| {
        let fresh = |age: Option<u64>| age.is_some_and(|age| age < 300);
        let mut others = seen.progress.values();
        claims(seen).len() == 1
            && seen.progress.len() == 3
            && others.all(|other| fresh(other.last_contact_ms))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_cluster_is_told_as_it_is_from_any_seed() {
    let cluster = Cluster::start(3, 1).await;
    let truth = Truth {
        voters: vec!["node-1", "node-2", "node-3"],
        learners: vec!["node-4"],
        leader: format!("node-{}", cluster.leader().await),
    };
    for seed in [1, 2, 4] {
        let driver = connect(connection(vec![address(&cluster, seed)])).unwrap();
        checks::a_healthy_cluster_is_told_as_it_is(&driver, &truth).await;
        let seen = settled(&driver).await;
        assert_eq!(seen.program.as_deref(), Some("openraft"));
        assert!(seen.notes.is_empty(), "{:?}", seen.notes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_does_what_it_says() {
    let mut cluster = Cluster::start(3, 0).await;
    cluster.first_start(4).await.unwrap();
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let add = Action::AddLearner {
        address: address(&cluster, 4),
        member: None,
    };
    let receipt = accepted_of(&driver, add, dir.path()).await;
    assert_eq!(receipt.member, Some(id(4)));
    assert!(!format!("{receipt:?}").contains(TOKEN));
    seen_when(&driver, "it answers as a learner", 30, |seen| {
        role(seen, "node-4") == Some(Role::Learner) && report(seen, "node-4").answered()
    })
    .await;

    accepted_of(&driver, Action::Promote { member: id(4) }, dir.path()).await;
    seen_when(&driver, "it votes", 30, |seen| {
        role(seen, "node-4") == Some(Role::Voter)
    })
    .await;

    let transfer = Action::Transfer {
        member: Some(id(4)),
    };
    accepted_of(&driver, transfer, dir.path()).await;
    seen_when(&driver, "it leads", 30, |seen| claims(seen) == ["node-4"]).await;

    accepted_of(&driver, Action::Demote { member: id(2) }, dir.path()).await;
    seen_when(&driver, "it votes no more", 30, |seen| {
        role(seen, "node-2") == Some(Role::Learner)
    })
    .await;

    accepted_of(&driver, Action::Remove { member: id(2) }, dir.path()).await;
    let seen = seen_when(&driver, "it is gone", 30, |seen| {
        role(seen, "node-2").is_none()
    })
    .await;
    assert!(seen.membership.is_some());

    let snapshot = accepted_of(&driver, Action::Snapshot, dir.path())
        .await
        .snapshot
        .unwrap();
    assert!(snapshot.file.is_none() && snapshot.index.is_some());
    checks::an_unknown_member_is_refused(&driver, dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_member_costs_its_own_answer_and_a_dead_cluster_is_remembered() {
    let mut cluster = Cluster::start(3, 0).await;
    let driver = driver(&cluster);
    driver.observe(DEADLINE).await;
    let victim = cluster.follower().await;
    cluster.stop(victim).await;
    checks::a_failed_member_costs_its_own_answer_only(&driver, &format!("node-{victim}")).await;
    for id in (1..=3).filter(|id| *id != victim) {
        cluster.stop(id).await;
    }
    let seen = driver.observe(DEADLINE).await;
    assert!(seen.membership_remembered);
    assert_eq!(seen.nodes.len(), 3);
    assert!(
        seen.nodes
            .iter()
            .all(|node| matches!(node.answer, Answer::Silent(_)))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_33_a_zombie_leader_is_told_as_a_fault_and_claims_nothing() {
    let mut cluster = Cluster::start(3, 0).await;
    let driver = driver(&cluster);
    driver.observe(DEADLINE).await;
    let (leader, wiped) = (cluster.leader().await, cluster.follower().await);
    let mut options = cluster.options(wiped, true);
    options.listen = cluster.nodes[&wiped].address;
    cluster.write("before", "the accident").await;
    cluster.stop(wiped).await;
    std::fs::remove_dir_all(cluster.node_dir(wiped)).unwrap();
    let empty = cluster::eventually("its old address is free", || async {
        quorate_demo::node::Node::start(&options).await.ok()
    })
    .await;
    cluster.nodes.insert(wiped, empty);
    let zombie = format!("node-{leader}");
    let seen = seen_when(&driver, "the fault is told", 30, |seen| {
        report(seen, &zombie)
            .says
            .as_ref()
            .is_some_and(|says| says.fault.is_some())
    })
    .await;
    assert!(!claims(&seen).contains(&zombie.as_str()));
    seen_when(
        &driver,
        "another leads",
        30,
        |seen| matches!(claims(seen)[..], [leader] if leader != zombie),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_40_a_change_decided_on_an_older_membership_is_refused() {
    let cluster = Cluster::start(3, 1).await;
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let seen = settled(&driver).await;
    let step = |member| Step {
        action: Action::Promote { member },
        revision: seen.membership.clone().unwrap().revision,
        leader: claims(&seen).first().map(|id| MemberId::from(*id)),
        address: None,
    };
    let place = SnapshotPlace {
        file: dir.path().join("none"),
    };
    accepted(driver.apply(&step(id(4)), &place).await);
    let again = driver.apply(&step(id(4)), &place).await;
    let Applied::Refused { code, exchange, .. } = again else {
        panic!("{again:?}")
    };
    assert_eq!(code, "revision-moved");
    assert_eq!(exchange.received["status"], 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_sent_to_a_follower_finds_the_leader_by_itself() {
    let cluster = Cluster::start(3, 1).await;
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let seen = settled(&driver).await;
    let step = Step {
        action: Action::Promote { member: id(4) },
        revision: seen.membership.unwrap().revision,
        leader: Some(id(cluster.follower().await)),
        address: None,
    };
    accepted(
        driver
            .apply(
                &step,
                &SnapshotPlace {
                    file: dir.path().join("none"),
                },
            )
            .await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_election_is_pushed() {
    let mut cluster = Cluster::start(3, 0).await;
    let driver = driver(&cluster);
    driver.observe(DEADLINE).await;
    let mut pushes = driver.pushes().unwrap();
    let came = tokio::time::timeout(Duration::from_secs(5), pushes.changed()).await;
    assert!(came.is_ok(), "the streams begin with an event");
    let leader = cluster.leader().await;
    seen_when(&driver, "all streams are open", 10, |_| {
        *pushes.borrow() >= 3
    })
    .await;
    pushes.mark_unchanged();
    cluster.stop(leader).await;
    let came = tokio::time::timeout(Duration::from_secs(5), pushes.changed()).await;
    assert!(came.is_ok(), "nothing was pushed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_told_by_look_and_check() {
    let cluster = Cluster::start(1, 0).await;
    let mut wrong = connection(vec![address(&cluster, 1)]);
    wrong.token = Some(Secret::new("something-else"));
    let driver = connect(wrong).unwrap();
    let seen = driver.observe(DEADLINE).await;
    assert!(
        matches!(seen.nodes[0].answer, Answer::Denied(_)),
        "{seen:?}"
    );
    let lines = driver.diagnose().await;
    assert!(
        lines.iter().any(|line| line.code == "denied" && !line.ok),
        "{lines:?}"
    );
    assert!(!format!("{lines:?}{seen:?}").contains("something-else"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_behind_one_name_are_never_merged() {
    let ours = Cluster::start(1, 0).await;
    let theirs = Cluster::start_as("c2", 1, 0).await;
    let seeds = vec![address(&ours, 1), address(&theirs, 1)];
    let driver = connect(connection(seeds)).unwrap();
    for _ in 0..2 {
        let seen = driver.observe(DEADLINE).await;
        let note = Note::TwoClusters {
            addresses: vec![address(&theirs, 1)],
        };
        assert!(seen.notes.contains(&note), "{:?}", seen.notes);
        assert_eq!(seen.nodes.len(), 1);
        assert_eq!(seen.nodes[0].asked, Some(address(&ours, 1)));
        assert_eq!(claims(&seen), ["node-1"]);
    }
    let lines = driver.diagnose().await;
    assert!(
        lines.iter().any(|line| line.code == "two-clusters"),
        "{lines:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_node_that_runs_on_is_told() {
    let cluster = Cluster::start(3, 1).await;
    let seeds = vec![address(&cluster, 1), address(&cluster, 4)];
    let (driver, dir) = (
        connect(connection(seeds)).unwrap(),
        tempfile::tempdir().unwrap(),
    );
    accepted_of(&driver, Action::Remove { member: id(4) }, dir.path()).await;
    let seen = seen_when(&driver, "it is gone", 10, |seen| {
        role(seen, "node-4").is_none()
    })
    .await;
    let note = Note::RemovedStillRunning {
        member: id(4),
        address: address(&cluster, 4),
    };
    assert!(seen.notes.contains(&note), "{:?}", seen.notes);
}
