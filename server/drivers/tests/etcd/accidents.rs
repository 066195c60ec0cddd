//! The accidents etcd permits, staged on the real program. Numbers are names: they are those of
//! the list of accidents.

use std::time::{Duration, Instant};

use quorate_domain::{
    action::Action,
    cluster::{Kind, Role},
    lag,
    observation::{Answer, NodeReport, Observation},
    plan::Step,
    preflight::ReasonCode,
    view::{LagSource, MemberState},
};
use quorate_drivers::{Applied, Connection, Driver, SnapshotPlace, connect};
use serde_json::json;

use super::{
    checks::{DEADLINE, apply, claims, report, role, seen_when},
    connection,
    cut::Proxy,
    driver,
    etcd_cluster::{self, Cluster, Shape, Version},
    promote, refusals, remove, transfer, view,
};

/// Sends an action whatever the rules say of it, with little time.
async fn forced(cluster: &Cluster, leader: &str, action: Action) -> (Applied, Duration) {
    let seeds = vec![cluster.node(leader).client.clone()];
    let driver = connect(Connection {
        change_timeout: Duration::from_secs(2),
        ..connection(seeds)
    })
    .unwrap();
    let seen = driver.observe(DEADLINE).await;
    let step = Step {
        action,
        revision: seen.membership.unwrap().revision,
        leader: Some(cluster.id(leader).into()),
        address: None,
    };
    let place = SnapshotPlace {
        file: cluster.dir().join("forced.snap"),
    };
    let start = Instant::now();
    let outcome = driver.apply(&step, &place).await;
    (outcome, start.elapsed())
}

async fn a_frozen_member_and_a_newcomer_that_never_starts(version: Version) {
    let shape = Shape {
        version,
        ..Shape::default()
    };
    let Some(mut cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    driver.observe(DEADLINE).await;
    let follower = cluster.follower().await;
    let frozen = cluster.id(&follower);
    cluster.node(&follower).process.freeze();
    let silent = |seen: &Observation| matches!(report(seen, &frozen).answer, Answer::Silent(_));
    let seen = seen_when(&driver, "its silence is noticed", 10, |seen| silent(seen)).await;
    let member = view(&seen).member(&frozen.as_str().into()).unwrap().state;
    assert_eq!(member, MemberState::Unreachable);
    // etcd 3.6 takes the newcomer, etcd 3.4 does not: as a learner either way.
    let address = cluster.newcomer("n4").await;
    let add = Action::AddLearner {
        address,
        member: None,
    };
    match apply(&driver, add, dir.path()).await {
        Applied::Accepted(receipt) => {
            let n4 = receipt.member.unwrap();
            let seen = driver.observe(DEADLINE).await;
            assert_eq!(role(&seen, n4.as_str()), Some(Role::Learner));
            assert!(refusals(&seen, &promote(n4.as_str())).contains(&ReasonCode::MemberNotSeen));
        }
        Applied::Refused { code, .. } => assert_eq!(code, "cluster-unhealthy"),
        other => panic!("{other:?}"),
    }
    // Nothing was lost by it: two of three voters go on.
    let leader = cluster.leader_of_those_that_answer().await;
    assert_eq!(cluster.put(&leader, "still", 10).await.0, 200);
    let seen = driver.observe(DEADLINE).await;
    assert_eq!(
        (view(&seen).quorum.voters, view(&seen).quorum.majority),
        (3, 2)
    );
}

#[tokio::test]
async fn accident_01_with_a_member_frozen_nobody_is_added_as_a_voter_on_etcd_3_4() {
    a_frozen_member_and_a_newcomer_that_never_starts(Version::Old).await;
}

#[tokio::test]
async fn accident_01_with_a_member_frozen_nobody_is_added_as_a_voter_on_etcd_3_5() {
    if etcd_cluster::is_slow_round() {
        a_frozen_member_and_a_newcomer_that_never_starts(Version::Middle).await;
    }
}

#[tokio::test]
async fn accident_01_with_a_member_frozen_nobody_is_added_as_a_voter_on_etcd_3_6() {
    if etcd_cluster::is_slow_round() {
        a_frozen_member_and_a_newcomer_that_never_starts(Version::New).await;
    }
}

#[tokio::test]
async fn accident_02_a_removal_without_quorum_is_refused_and_never_waited_for_without_end() {
    let Some(mut cluster) = etcd_cluster::start(Shape::default()).await else {
        return;
    };
    let driver = driver(&cluster);
    driver.observe(DEADLINE).await;
    let leader = cluster.settled_leader().await;
    let dead: Vec<String> = ["n1", "n2", "n3"]
        .into_iter()
        .filter(|name| *name != leader)
        .map(str::to_owned)
        .collect();
    for name in &dead {
        cluster.node_mut(name).process.kill();
    }
    let seen = seen_when(&driver, "nobody leads", 20, |seen| claims(seen).is_empty()).await;
    let victim = cluster.id(&dead[0]);
    assert!(refusals(&seen, &remove(&victim)).contains(&ReasonCode::NoQuorum));
    let (outcome, took) = forced(&cluster, &leader, remove(&victim)).await;
    assert!(matches!(outcome, Applied::Unknown { .. }), "{outcome:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    // Looking goes on meanwhile, and tells who the members were.
    let seen = driver.observe(DEADLINE).await;
    assert_eq!(seen.membership.as_ref().unwrap().members.len(), 3);
    assert!(!seen.membership_remembered);
}

#[tokio::test]
async fn accident_03_leadership_is_not_handed_to_a_dead_member_and_writes_do_not_stop_for_long() {
    let Some(mut cluster) = etcd_cluster::start(Shape::default()).await else {
        return;
    };
    let driver = driver(&cluster);
    driver.observe(DEADLINE).await;
    let leader = cluster.settled_leader().await;
    let dead = cluster.follower().await;
    let dead_id = cluster.id(&dead);
    cluster.node_mut(&dead).process.kill();
    let seen = seen_when(&driver, "it is not heard", 10, |seen| {
        matches!(report(seen, &dead_id).answer, Answer::Silent(_))
    })
    .await;
    assert!(refusals(&seen, &transfer(&dead_id)).contains(&ReasonCode::TargetNotSeen));
    let (outcome, took) = forced(&cluster, &leader, transfer(&dead_id)).await;
    assert!(!matches!(outcome, Applied::Accepted(_)), "{outcome:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    cluster
        .until("writes go on", 60, async |it| {
            it.put(&leader, "after", 10).await.0 == 200
        })
        .await;
}

#[tokio::test]
async fn accident_04_a_learner_that_etcd_would_promote_is_held_back_by_its_own_distance() {
    let shape = Shape {
        learner: true,
        ..Shape::default()
    };
    let Some(cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let (driver, n4) = (driver(&cluster), cluster.id("n4"));
    let leader = cluster.settled_leader().await;
    let index = async |it: &Cluster, name: &str| {
        let told = it.status(name).await.unwrap_or_default();
        told["raftAppliedIndex"]
            .as_str()
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let load = cluster.load(&leader, 8);
    cluster
        .until("the log is long", 60, async |it| {
            index(it, "n4").await > 2_500
        })
        .await;
    // The learner goes on answering, and hears no more from the leader.
    cluster.partition("n4");
    let reached = index(&cluster, &leader).await;
    cluster
        .until("it falls behind", 30, async |it| {
            index(it, &leader).await > reached + 130
        })
        .await;
    drop(load);
    let seen = seen_when(&driver, "its distance is told", 10, |seen| {
        let own = lag::lag(seen, &n4.as_str().into());
        own.is_some_and(|(lag, source)| lag > 100 && source == LagSource::Own)
    })
    .await;
    assert!(refusals(&seen, &promote(&n4)).contains(&ReasonCode::TooFarBehind));
    // Whatever was decided: the leader does not hear it, and it is not asked for.
    let (outcome, _) = forced(&cluster, &leader, promote(&n4)).await;
    assert!(
        matches!(&outcome, Applied::Refused { code, .. } if code == "learner-not-heard"),
        "{outcome:?}"
    );
    // etcd itself has no objection.
    let id = u64::from_str_radix(&n4, 16).unwrap().to_string();
    let (status, told) = cluster
        .call(&leader, "cluster/member/promote", json!({ "ID": id }))
        .await;
    assert_eq!(status, 200, "{told}");
}

#[tokio::test]
async fn accident_05_a_frozen_member_is_not_taken_for_healthy_because_its_leader_does() {
    let Some(cluster) = etcd_cluster::start(Shape::default()).await else {
        return;
    };
    let driver = driver(&cluster);
    driver.observe(DEADLINE).await;
    let leader = cluster.settled_leader().await;
    let follower = cluster.follower().await;
    let frozen = cluster.id(&follower);
    cluster.node(&follower).process.freeze();
    for number in 0..30 {
        cluster.put(&leader, &format!("more-{number}"), 10).await;
    }
    let raft = cluster.variables(&leader).await["raft.status"].clone();
    assert_eq!(
        raft["progress"][&frozen]["state"], "StateReplicate",
        "{raft}"
    );
    let seen = seen_when(&driver, "it is silent and behind", 10, |seen| {
        let lag = lag::lag(seen, &frozen.as_str().into());
        matches!(report(seen, &frozen).answer, Answer::Silent(_))
            && lag.is_some_and(|(lag, source)| lag >= 30 && source == LagSource::Leader)
    })
    .await;
    let shown = view(&seen);
    let member = shown.member(&frozen.as_str().into()).unwrap();
    assert_eq!(member.state, MemberState::Unreachable);
    assert!(!member.answering);
    assert_eq!(shown.quorum.answering, 2);
    cluster.node(&follower).process.thaw();
    seen_when(&driver, "it is level again", 20, |seen| {
        lag::lag(seen, &frozen.as_str().into())
            .is_some_and(|(lag, source)| lag == 0 && source == LagSource::Own)
    })
    .await;
}

#[tokio::test]
async fn accident_39_an_answer_that_is_lost_leaves_an_unknown_outcome_that_a_look_settles() {
    let shape = Shape {
        voters: 1,
        ..Shape::default()
    };
    let Some(mut cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let proxy = Proxy::start(&cluster.node("n1").client).await;
    // The pattern leads to the proxy, whatever the member advertises.
    let port = proxy.address.rsplit(':').next().unwrap();
    let driver: std::sync::Arc<dyn Driver> = connect(Connection {
        kind: Kind::Etcd,
        api_address_pattern: Some(format!("http://{{host}}:{port}")),
        change_timeout: Duration::from_secs(2),
        ..connection(vec![proxy.address.clone()])
    })
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    driver.observe(DEADLINE).await;
    let address = cluster.newcomer("n2").await;
    let add = Action::AddLearner {
        address: address.clone(),
        member: None,
    };
    let step = Step {
        action: add,
        revision: driver.observe(DEADLINE).await.membership.unwrap().revision,
        leader: Some(cluster.id("n1").into()),
        address: None,
    };
    proxy.hold_after(10);
    let place = SnapshotPlace {
        file: dir.path().join("none.snap"),
    };
    let outcome = driver.apply(&step, &place).await;
    assert!(matches!(outcome, Applied::Unknown { .. }), "{outcome:?}");
    proxy.hold_after(usize::MAX);
    proxy.release();
    let seen = seen_when(&driver, "a look tells that it was done", 10, |seen| {
        let mut members = seen.membership.iter().flat_map(|found| &found.members);
        members.any(|member| member.address == address)
    })
    .await;
    assert_eq!(seen.membership.unwrap().members.len(), 2);
    let heard: Vec<&NodeReport> = seen
        .nodes
        .iter()
        .filter(|node| node.answer == Answer::NotStarted)
        .collect();
    assert_eq!(heard.len(), 1);
}
