//! The life of a cluster: its members under load, a learner that comes, rises and leads, while
//! one after the other is frozen, cut off and killed.

use std::time::Instant;

use quorate_domain::{
    action::Action,
    cluster::{MemberId, Role},
    lag,
    observation::{Answer, Note, Observation},
    view::LeaderStatus,
};
use quorate_drivers::{Applied, snapshot};
use serde_json::json;

use super::{
    checks::{DEADLINE, apply, claims, report, role, seen_when},
    driver,
    etcd_cluster::{self, Cluster, Shape, Version},
    promote, remove, transfer, view,
};

fn assert_accepted(outcome: &Applied) {
    assert!(matches!(outcome, Applied::Accepted(_)), "{outcome:?}");
}

/// What the members say of themselves, as (id, name, is a learner) and as `etcdctl` puts it.
async fn assert_told_as_it_is(cluster: &Cluster, seen: &Observation) {
    let membership = seen.membership.as_ref().unwrap();
    let leader = cluster.settled_leader().await;
    let mut theirs = cluster.members(&leader).await;
    theirs.sort();
    let ours: Vec<(String, String, bool)> = membership
        .members
        .iter()
        .map(|member| {
            let learner = member.role == Role::Learner;
            (member.id.0.clone(), member.name.clone(), learner)
        })
        .collect();
    assert_eq!(ours, theirs);
    let told = cluster.etcdctl(&["member", "list"]).await;
    let rows = told["members"].as_array().unwrap();
    assert_eq!(rows.len(), ours.len());
    for row in rows {
        let id = format!("{:x}", row["ID"].as_u64().unwrap());
        let member = membership.member(&id.as_str().into()).unwrap();
        assert_eq!(row["name"], member.name);
        assert_eq!(row["peerURLs"][0], member.address);
        assert_eq!(row["clientURLs"][0], member.api_address.as_deref().unwrap());
    }
    assert_eq!(claims(seen), [cluster.id(&leader)]);
}

/// Under load every figure lies between what the member itself said before and after the look.
/// A look in the middle of an election, or one that somebody was late for, tells less.
async fn assert_figures_are_true(
    cluster: &Cluster,
    driver: &std::sync::Arc<dyn quorate_drivers::Driver>,
) {
    let start = Instant::now();
    loop {
        let before = positions(cluster).await;
        let seen = driver.observe(DEADLINE).await;
        let after = positions(cluster).await;
        let whole = claims(&seen).len() == 1 && seen.nodes.iter().all(|node| node.answered());
        if let (true, Some(before), Some(after)) = (whole, before, after) {
            return assert_within(&seen, &before, &after);
        }
        assert!(start.elapsed().as_secs() < 60, "never whole: {seen:#?}");
    }
}

/// (id, index, applied index, term)
type Position = (String, u64, u64, u64);

/// Of every member, in its own words.
async fn positions(cluster: &Cluster) -> Option<Vec<Position>> {
    let mut found = Vec::new();
    for node in &cluster.nodes {
        let told = cluster.status(&node.name).await?;
        let number = |key: &str| told[key].as_str().unwrap().parse::<u64>().unwrap();
        found.push((
            node.id.clone(),
            number("raftIndex"),
            number("raftAppliedIndex"),
            number("raftTerm"),
        ));
    }
    Some(found)
}

fn assert_within(seen: &Observation, before: &[Position], after: &[Position]) {
    // The leader's, which its followers may not have reached yet.
    let furthest = after.iter().map(|(_, index, _, _)| *index).max().unwrap();
    for ((id, index, applied, term), (_, index_then, applied_then, term_then)) in
        before.iter().zip(after)
    {
        let says = report(seen, id).says.as_ref().unwrap();
        let (commit, done) = (says.commit_index.unwrap(), says.applied_index.unwrap());
        assert!(
            (*index..=*index_then).contains(&commit),
            "{id}: {commit} of {index}..{index_then}"
        );
        assert!(
            (*applied..=*applied_then).contains(&done),
            "{id}: {done} of {applied}..{applied_then}"
        );
        let told = says.term.map_or(*term, |term| term.0);
        assert!((*term..=*term_then).contains(&told));
        let (lag, _) = lag::lag(seen, &id.as_str().into()).unwrap();
        assert!(lag <= furthest - applied, "{id}: {lag} behind");
    }
}

fn is_level(seen: &Observation, id: &str) -> bool {
    report(seen, id).answered() && lag::lag(seen, &id.into()).is_some_and(|(lag, _)| lag <= 100)
}

async fn a_cluster_lives(version: Version) {
    let shape = Shape {
        version,
        ..Shape::default()
    };
    let Some(mut cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    driver.observe(DEADLINE).await;
    cluster.fill(20, 30_000).await;
    let leader = cluster.settled_leader().await;
    let follower = cluster.follower().await;
    let load = cluster.load(&leader, 2);
    let index = async |it: &Cluster| it.status("n1").await.map(|told| told["raftIndex"].clone());
    for _ in 0..3 {
        let before = index(&cluster).await;
        cluster
            .until("there is load", 60, async |it| index(it).await != before)
            .await;
        assert_figures_are_true(&cluster, &driver).await;
    }
    assert_told_as_it_is(&cluster, &driver.observe(DEADLINE).await).await;

    // A learner comes, and a voter stands still while it catches up.
    let address = cluster.newcomer("n4").await;
    let add = Action::AddLearner {
        address,
        member: None,
    };
    let Applied::Accepted(receipt) = apply(&driver, add, dir.path()).await else {
        panic!("not added")
    };
    let n4 = receipt.member.unwrap().0;
    let seen = driver.observe(DEADLINE).await;
    assert_eq!(report(&seen, &n4).answer, Answer::NotStarted);
    // A newcomer asks one member after the other, ten seconds each; so none is frozen before.
    assert_eq!(cluster.start_newcomer("n4").await, n4);
    let frozen = cluster.id(&follower);
    let start = Instant::now();
    loop {
        cluster.node(&follower).process.freeze();
        let seen = seen_when(
            &driver,
            "the learner is level, the frozen voter is not heard",
            30,
            |seen| is_level(seen, &n4) && matches!(report(seen, &frozen).answer, Answer::Silent(_)),
        )
        .await;
        assert_eq!(view(&seen).leader.status, LeaderStatus::Agreed);
        assert_eq!(
            (view(&seen).quorum.voters, view(&seen).quorum.answering),
            (3, 2)
        );
        let outcome = apply(&driver, promote(&n4), dir.path()).await;
        // Some seconds after it lost a voter etcd takes no change; a busy machine is that late.
        let late = matches!(&outcome, Applied::Refused { code, .. } if code == "cluster-unhealthy");
        if !late || start.elapsed().as_secs() > 90 {
            assert_accepted(&outcome);
            break;
        }
        cluster.node(&follower).process.thaw();
        cluster.accepts_changes().await;
    }
    seen_when(&driver, "it votes", 60, |seen| {
        role(seen, &n4) == Some(Role::Voter)
    })
    .await;
    cluster.node(&follower).process.thaw();
    seen_when(&driver, "all are level again", 30, |seen| {
        [&frozen, &n4].iter().all(|id| is_level(seen, id))
    })
    .await;
    assert_told_as_it_is(&cluster, &driver.observe(DEADLINE).await).await;

    // A voter is cut off from the others and can be asked all the while. It goes on campaigning;
    // the others' leader goes on leading, and hands over.
    cluster.partition(&follower);
    let seen = seen_when(&driver, "it knows no leader", 20, |seen| {
        let says = report(seen, &frozen).says.as_ref();
        says.is_some_and(|says| says.names_leader.is_none())
    })
    .await;
    assert_eq!(view(&seen).leader.status, LeaderStatus::Agreed, "{seen:#?}");
    assert!(report(&seen, &frozen).answered());
    assert_accepted(&apply(&driver, transfer(&n4), dir.path()).await);
    let seen = seen_when(&driver, "the newcomer leads", 20, |seen| {
        claims(seen) == [n4.as_str()]
    })
    .await;
    assert_eq!(view(&seen).leader.member, Some(MemberId(n4.clone())));
    cluster.wall.mend();
    seen_when(&driver, "one leads and all name it", 30, |seen| {
        let [leader] = claims(seen)[..] else {
            return false;
        };
        let naming = |id: &MemberId| {
            report(seen, id.as_str())
                .says
                .as_ref()?
                .names_leader
                .clone()
        };
        let members = &seen.membership.as_ref().unwrap().members;
        members
            .iter()
            .all(|member| naming(&member.id).is_some_and(|it| it.as_str() == leader))
    })
    .await;
    drop(load);

    // A voter dies and is taken out.
    let leader = cluster.settled_leader().await;
    let others = ["n1", "n2", "n3"];
    let dead = others.into_iter().find(|name| *name != leader).unwrap();
    let dead_id = cluster.id(dead);
    cluster.node_mut(dead).process.kill();
    seen_when(&driver, "it is not heard", 20, |seen| {
        matches!(report(seen, &dead_id).answer, Answer::Silent(_)) && claims(seen).len() == 1
    })
    .await;
    assert_accepted(&apply(&driver, remove(&dead_id), dir.path()).await);
    let seen = seen_when(&driver, "it is gone", 20, |seen| {
        seen.membership.is_some() && role(seen, &dead_id).is_none() && claims(seen).len() == 1
    })
    .await;
    assert!(seen.nodes.iter().all(|node| node.id.as_str() != dead_id));
    cluster.nodes.retain(|node| node.name != dead);
    assert_told_as_it_is(&cluster, &seen).await;

    // What etcd's own tool says of the snapshot.
    let Applied::Accepted(receipt) = apply(&driver, Action::Snapshot, dir.path()).await else {
        panic!("no snapshot")
    };
    let file = receipt.snapshot.unwrap().file.unwrap();
    let found = snapshot::verify(&file).unwrap();
    assert_eq!(found.members.len(), 3);
    let told = cluster
        .etcdctl(&["snapshot", "status", file.to_str().unwrap()])
        .await;
    assert!(
        told["totalKey"].as_u64().is_some_and(|keys| keys >= 20),
        "{told}"
    );
}

#[tokio::test]
async fn a_real_etcd_3_4_lives_through_failures_and_is_told_as_it_is() {
    a_cluster_lives(Version::Old).await;
}

#[tokio::test]
async fn a_real_etcd_3_5_lives_through_failures_and_is_told_as_it_is() {
    if etcd_cluster::is_slow_round() {
        a_cluster_lives(Version::Middle).await;
    }
}

#[tokio::test]
async fn a_real_etcd_3_6_lives_through_failures_and_is_told_as_it_is() {
    if etcd_cluster::is_slow_round() {
        a_cluster_lives(Version::New).await;
    }
}

#[tokio::test]
async fn a_member_that_comes_back_at_another_address_is_found_there() {
    let Some(mut cluster) = etcd_cluster::start(Shape::default()).await else {
        return;
    };
    let driver = driver(&cluster);
    driver.observe(DEADLINE).await;
    let n3 = cluster.id("n3");
    cluster.node_mut("n3").process.kill();
    let client = cluster.move_client("n3");
    cluster.restart("n3");
    let seen = seen_when(&driver, "it answers at its new address", 20, |seen| {
        let report = report(seen, &n3);
        report.answered() && report.asked.as_deref() == Some(&client)
    })
    .await;
    assert_eq!(seen.nodes.len(), 3);
}

#[tokio::test]
async fn a_store_with_gaps_is_smaller_once_its_member_is_defragmented_and_an_alarm_is_told() {
    let shape = Shape {
        options: vec!["--quota-backend-bytes".to_owned(), "3000000".to_owned()],
        ..Shape::default()
    };
    let Some(cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let leader = cluster.settled_leader().await;
    // The same key over and over, until the store is full.
    cluster
        .until("the store is full", 30, async |it| {
            it.put(&leader, "same", 200_000).await.0 != 200
        })
        .await;
    let seen = driver.observe(DEADLINE).await;
    let full = |note: &Note| matches!(note, Note::Alarm { alarm, .. } if alarm == "NOSPACE");
    assert!(seen.notes.iter().any(full), "{:?}", seen.notes);
    let told = cluster.status("n1").await.unwrap();
    let revision = told["header"]["revision"].clone();
    let (status, told) = cluster
        .call(
            &leader,
            "kv/compaction",
            json!({ "revision": revision, "physical": true }),
        )
        .await;
    assert_eq!(status, 200, "{told}");
    let size = async |name: &str| {
        let told = cluster.status(name).await.unwrap();
        told["dbSize"].as_str().unwrap().parse::<u64>().unwrap()
    };
    // One after the other, the leader last.
    let mut order = vec!["n1", "n2", "n3"];
    order.sort_by_key(|name| *name == leader);
    for name in order {
        let before = size(name).await;
        let member = cluster.id(name).into();
        assert_accepted(&apply(&driver, Action::Defragment { member }, dir.path()).await);
        assert!(size(name).await * 2 < before, "{name}");
    }
    let missing = Action::Defragment {
        member: "77".into(),
    };
    let outcome = apply(&driver, missing, dir.path()).await;
    assert!(matches!(outcome, Applied::Refused { .. }), "{outcome:?}");
}
