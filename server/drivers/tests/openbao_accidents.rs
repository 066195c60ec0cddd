//! The accidents OpenBao permits, staged on the real program, as far as a driver decides what
//! is told of them. Numbers are names: they are those of the list of accidents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "contract/checks.rs"]
#[allow(dead_code)]
mod checks;
#[path = "openbao_accidents/cut.rs"]
mod cut;
#[path = "openbao_accidents/failing.rs"]
mod failing;
#[path = "contract/failure.rs"]
mod failure;
mod openbao_cluster;
#[path = "contract/seen.rs"]
mod seen;
#[path = "contract/stage.rs"]
mod stage;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use checks::{DEADLINE, apply, claims, report, role, seen_when};
use openbao_cluster::{Cluster, Seal, Shape};
use quorate_domain::{
    action::Action,
    cluster::{Kind, Role},
    observation::{Answer, Note, Observation},
    plan::Step,
};
use quorate_drivers::{Applied, Connection, Driver, Secret, SnapshotPlace, connect};

fn connection(cluster: &Cluster) -> Connection {
    Connection {
        name: "real".to_owned(),
        kind: Kind::Openbao,
        seeds: cluster
            .nodes
            .iter()
            .take(2)
            .map(|node| node.api.clone())
            .collect(),
        token: Some(Secret::new(cluster.operator.clone())),
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

fn driver(cluster: &Cluster) -> Arc<dyn Driver> {
    connect(connection(cluster)).unwrap()
}

fn wish(seen: &Observation, id: &str) -> Option<Role> {
    seen.membership.as_ref()?.member(&id.into())?.wanted_role
}

fn names(seen: &Observation, id: &str) -> Option<String> {
    report(seen, id)
        .says
        .as_ref()?
        .names_leader
        .as_ref()
        .map(|leader| leader.0.clone())
}

fn assert_accepted(outcome: &Applied) {
    assert!(matches!(outcome, Applied::Accepted(_)), "{outcome:?}");
}

fn promote(id: &str) -> Action {
    Action::Promote { member: id.into() }
}

#[tokio::test]
async fn accident_15_a_demoted_leader_goes_on_as_a_voter_with_a_wish() {
    let Some(cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let leader = cluster.leader().await.unwrap();
    let outcome = apply(
        &driver,
        Action::Demote {
            member: leader.as_str().into(),
        },
        dir.path(),
    )
    .await;
    let Applied::Accepted(receipt) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        receipt.deferred,
        "an accepted demotion has not happened yet"
    );
    let seen = seen_when(&driver, "the wish shows", 20, |seen| {
        wish(seen, &leader) == Some(Role::Learner)
    })
    .await;
    assert_eq!(role(&seen, &leader), Some(Role::Voter));
    assert_eq!(claims(&seen), [leader.as_str()]);
    // Leadership moves, and the wish is carried out without another word.
    assert_accepted(&apply(&driver, Action::Transfer { member: None }, dir.path()).await);
    let seen = seen_when(&driver, "it is a learner", 30, |seen| {
        role(seen, &leader) == Some(Role::Learner) && claims(seen).len() == 1
    })
    .await;
    assert_eq!(wish(&seen, &leader), None);
}

#[tokio::test]
async fn accident_16_a_removed_leader_is_never_believed_again() {
    let Some(cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let leader = cluster.leader().await.unwrap();
    assert_accepted(
        &apply(
            &driver,
            Action::Remove {
                member: leader.as_str().into(),
            },
            dir.path(),
        )
        .await,
    );
    let start = Instant::now();
    let seen = seen_when(&driver, "another leads", 30, |seen| {
        assert!(
            role(seen, &leader).is_some() || !claims(seen).contains(&leader.as_str()),
            "a node outside the membership is told as a leader: {seen:#?}"
        );
        role(seen, &leader).is_none() && claims(seen).len() == 1
    })
    .await;
    assert_ne!(claims(&seen), [leader.as_str()]);
    // It runs on: answering as before, claiming to lead, or stuck. Never among the members.
    while start.elapsed() < Duration::from_secs(8) {
        let seen = driver.observe(DEADLINE).await;
        assert_eq!(role(&seen, &leader), None);
        assert!(!claims(&seen).contains(&leader.as_str()), "{seen:#?}");
        let node = seen.nodes.iter().find(|node| node.id.as_str() == leader);
        let told = seen.notes.iter().any(|note| {
            matches!(note, Note::RemovedStillRunning { member, .. } if member.as_str() == leader)
        });
        let answers = node.is_some_and(|node| node.answered());
        assert_eq!(
            told, answers,
            "a removed node that answers is told: {seen:#?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn accident_17_a_promotion_that_waits_is_told_as_waiting() {
    // The default intervals: a promotion takes seconds even without load, and the rate of
    // writes makes autopilot think that everybody lags.
    let Some(cluster) = Cluster::start(Shape {
        fast: false,
        ..Shape::default()
    })
    .await
    else {
        return;
    };
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let load = cluster.load(4).await;
    let outcome = apply(&driver, promote("n4"), dir.path()).await;
    let Applied::Accepted(receipt) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(receipt.deferred);
    seen_when(&driver, "the wish shows", 20, |seen| {
        wish(seen, "n4") == Some(Role::Voter) || role(seen, "n4") == Some(Role::Voter)
    })
    .await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let seen = driver.observe(DEADLINE).await;
        let lag = lag(&seen, "n4");
        assert!(
            lag.is_none_or(|lag| lag < 1000),
            "by its own index it is level: {lag:?}"
        );
        if role(&seen, "n4") == Some(Role::Learner) && claims(&seen).len() == 1 {
            assert_ne!(wish(&seen, "n4"), Some(Role::Learner));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(load);
    let seen = seen_when(&driver, "it votes once the load ends", 60, |seen| {
        role(seen, "n4") == Some(Role::Voter)
    })
    .await;
    assert_eq!(wish(&seen, "n4"), None);
}

/// Entries behind the leader, by both nodes' own words in one look.
fn lag(seen: &Observation, id: &str) -> Option<u64> {
    let leader = *claims(seen).first()?;
    let index = |id: &str| report(seen, id).says.clone();
    let ahead = index(leader)?.last_index?;
    Some(ahead.saturating_sub(index(id)?.applied_index?))
}

#[tokio::test]
async fn accident_18_and_20_what_changes_nothing_is_not_called_a_change() {
    let Some(mut cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let before = driver.observe(DEADLINE).await.membership.unwrap().revision;
    // 18: OpenBao answers 204. The membership that is seen afterwards is the only proof.
    assert_accepted(
        &apply(
            &driver,
            Action::Remove {
                member: "nobody".into(),
            },
            dir.path(),
        )
        .await,
    );
    assert_eq!(
        driver.observe(DEADLINE).await.membership.unwrap().revision,
        before
    );
    // 20: a node with the data of a cluster would answer `joined: true` and do nothing.
    let add = |address: &str| Action::AddLearner {
        address: address.to_owned(),
        member: None,
    };
    let member = cluster.node("n3").api.clone();
    let outcome = apply(&driver, add(&member), dir.path()).await;
    let Applied::Refused { code, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(code, "newcomer-not-fresh");
    assert_accepted(
        &apply(
            &driver,
            Action::Remove {
                member: "n4".into(),
            },
            dir.path(),
        )
        .await,
    );
    let gone = seen_when(&driver, "n4 is gone", 20, |seen| role(seen, "n4").is_none()).await;
    assert!(
        gone.notes.iter().any(
            |note| matches!(note, Note::RemovedStillRunning { member, .. }
            if member.as_str() == "n4")
        ),
        "{:?}",
        gone.notes
    );
    let removed = cluster.node("n4").api.clone();
    cluster.node_mut("n4").stop().await;
    cluster.node_mut("n4").start();
    cluster
        .until("n4 is up again", 60, async |it| {
            it.health("n4").await.is_some()
        })
        .await;
    let outcome = apply(&driver, add(&removed), dir.path()).await;
    let Applied::Refused { code, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(code, "newcomer-not-fresh");
}

#[tokio::test]
async fn accident_19_a_newcomer_under_a_shamir_seal_stays_without_a_vote() {
    let shape = Shape {
        learners: 0,
        seal: Seal::Shamir,
        ..Shape::default()
    };
    let Some(mut cluster) = Cluster::start(shape).await else {
        return;
    };
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let address = cluster.fresh("n4").await;
    let outcome = apply(
        &driver,
        Action::AddLearner {
            address,
            member: None,
        },
        dir.path(),
    )
    .await;
    let Applied::Accepted(receipt) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(receipt.deferred, "it joins when somebody unseals it");
    assert_eq!(receipt.exchange.sent["body"]["retry"], true);
    cluster.unseal("n4").await;
    seen_when(&driver, "n4 is a member", 30, |seen| {
        role(seen, "n4").is_some() && report(seen, "n4").answered()
    })
    .await;
    // Longer than the stabilization time, after which the unsafe form would have voted.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        let seen = driver.observe(DEADLINE).await;
        assert_eq!(role(&seen, "n4"), Some(Role::Learner));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Another way of sealing is told before anything is sent.
    let other = cluster.fresh_with("n5", Seal::Static).await;
    let add = Action::AddLearner {
        address: other,
        member: None,
    };
    let outcome = apply(&driver, add, dir.path()).await;
    let Applied::Refused { code, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(code, "newcomer-seal-differs");
}

#[tokio::test]
async fn accident_21_a_killed_leader_is_named_by_others_and_claimed_by_nobody() {
    let Some(mut cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let driver = driver(&cluster);
    driver.observe(DEADLINE).await;
    let leader = cluster.leader().await.unwrap();
    cluster.node_mut(&leader).kill();
    let start = Instant::now();
    let mut named_when_dead = false;
    loop {
        let seen = driver.observe(DEADLINE).await;
        assert!(!claims(&seen).contains(&leader.as_str()), "{seen:#?}");
        assert!(
            matches!(report(&seen, &leader).answer, Answer::Silent(_)),
            "{seen:#?}"
        );
        if let [new] = claims(&seen)[..] {
            assert_ne!(new, leader);
            break;
        }
        let others = ["n1", "n2", "n3"].into_iter().filter(|id| *id != leader);
        named_when_dead |= others
            .into_iter()
            .any(|id| names(&seen, id).as_ref() == Some(&leader));
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "nobody was elected"
        );
    }
    assert!(
        named_when_dead,
        "the accident did not happen: nobody named the dead leader"
    );
    // A console that starts now, with the dead one as its only lead, still finds the others
    // by what was remembered.
    let mut late = connection(&cluster);
    late.seeds = vec![cluster.node(&leader).api.clone()];
    late.remembered = cluster.nodes.iter().map(|node| node.api.clone()).collect();
    let late = connect(late).unwrap();
    let seen = late.observe(DEADLINE).await;
    assert_eq!(claims(&seen).len(), 1, "{seen:#?}");
    assert!(
        matches!(report(&seen, &leader).answer, Answer::Silent(_)),
        "{seen:#?}"
    );
}

#[tokio::test]
async fn accident_22_a_snapshot_whose_leader_dies_leaves_no_file() {
    let shape = Shape {
        voters: 1,
        learners: 0,
        ..Shape::default()
    };
    let Some(mut cluster) = Cluster::start(shape).await else {
        return;
    };
    // Much more than fits into the buffers between here and there.
    cluster.fill(48, 700_000).await;
    let proxy = cut::Proxy::start(&cluster.node("n1").api).await;
    let mut connection = connection(&cluster);
    connection.api_address_pattern = Some(proxy.address.clone());
    connection.seeds = vec![proxy.address.clone()];
    let driver = connect(connection).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let whole = apply(&driver, Action::Snapshot, dir.path()).await;
    let Applied::Accepted(receipt) = whole else {
        panic!("{whole:?}")
    };
    assert!(receipt.snapshot.unwrap().bytes.unwrap() > 30_000_000);
    std::fs::remove_file(dir.path().join("taken.snap")).unwrap();

    proxy.hold_after(1_000_000);
    let pending = tokio::spawn({
        let (driver, dir) = (Arc::clone(&driver), dir.path().to_owned());
        async move { apply(&driver, Action::Snapshot, &dir).await }
    });
    proxy.is_holding().await;
    cluster.node_mut("n1").kill();
    proxy.release();
    let outcome = pending.await.unwrap();
    let Applied::Refused { text, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(text.contains("No snapshot was kept"), "{text}");
    assert_eq!(files(dir.path()), Vec::<String>::new());
}

fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

#[tokio::test]
async fn accident_39_a_change_whose_answer_is_lost_is_unknown_until_one_looks() {
    let Some(cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let mut connection = connection(&cluster);
    connection.change_timeout = Duration::from_millis(1500);
    let (driver, dir) = (connect(connection).unwrap(), tempfile::tempdir().unwrap());
    let seen = driver.observe(DEADLINE).await;
    let leader = cluster.leader().await.unwrap();
    let step = Step {
        action: promote("n4"),
        revision: seen.membership.unwrap().revision,
        leader: Some(leader.as_str().into()),
        address: None,
    };
    // It accepts the connection and the request, and answers nothing.
    cluster.node(&leader).freeze();
    let place = SnapshotPlace {
        file: dir.path().join("x"),
    };
    let outcome = driver.apply(&step, &place).await;
    let Applied::Unknown { exchange, text } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(text.contains("not known"), "{text}");
    assert_eq!(exchange.sent["body"]["server_id"], "n4");
    cluster.node(&leader).thaw();
    // Looking tells, whichever way it went; nothing is sent a second time by itself.
    seen_when(&driver, "all is well again", 90, |seen| {
        claims(seen).len() == 1 && seen.nodes.iter().all(|node| node.answered())
    })
    .await;
    // A leader that is gone is another matter: nothing was sent, and that is certain.
    let mut cluster = cluster;
    let leader = cluster.leader().await.unwrap();
    let step = Step {
        leader: Some(leader.as_str().into()),
        ..step
    };
    driver.observe(DEADLINE).await;
    cluster.node_mut(&leader).kill();
    let outcome = driver.apply(&step, &place).await;
    let Applied::Refused { code, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(code, "connection-refused");
}
