//! A learner that is level and cut off, or frozen, while nothing is written: etcd itself would
//! promote it (slow rounds).

use quorate_domain::{cluster::Role, preflight::ReasonCode};
use quorate_drivers::Applied;
use serde_json::json;

use super::{
    checks::{apply, report, role, seen_when},
    driver,
    etcd_cluster::{self, Cluster, Shape, Version},
    promote, refusals,
};

async fn a_learner_that_is_not_heard_is_not_promoted(version: Version) {
    let shape = Shape {
        version,
        learner: true,
        ..Shape::default()
    };
    let Some(cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let n4 = cluster.id("n4");
    let contact = |seen: &quorate_domain::observation::Observation| {
        let progress = seen.progress.get(&n4.as_str().into());
        progress.and_then(|progress| progress.last_contact_ms)
    };
    let may_rise = |seen: &quorate_domain::observation::Observation| {
        role(seen, &n4) == Some(Role::Learner) && refusals(seen, &promote(&n4)).is_empty()
    };
    seen_when(&driver, "it is heard and may rise", 60, |seen| {
        contact(seen).is_some_and(|age| age < 5_000) && may_rise(seen)
    })
    .await;

    cluster.partition("n4");
    let refused = apply(&driver, promote(&n4), dir.path()).await;
    assert_refused(&refused);
    let seen = seen_when(&driver, "it may not rise", 60, |seen| {
        refusals(seen, &promote(&n4)).contains(&ReasonCode::MemberNotSeen)
    })
    .await;
    // All the while it answers, is level, and names the leader.
    let leader = cluster.settled_leader().await;
    let says = report(&seen, &n4).says.as_ref().unwrap();
    assert_eq!(says.names_leader, Some(cluster.id(&leader).as_str().into()));
    assert_eq!(
        report(&seen, &cluster.id(&leader))
            .says
            .as_ref()
            .unwrap()
            .commit_index,
        says.commit_index
    );
    assert!(contact(&seen).is_some_and(|age| age > 10_000), "{seen:#?}");

    cluster.wall.mend();
    seen_when(&driver, "it is heard again", 60, may_rise).await;
    cluster.node("n4").process.freeze();
    assert_refused(&apply(&driver, promote(&n4), dir.path()).await);
    cluster.node("n4").process.thaw();
    seen_when(&driver, "it is heard once more", 60, may_rise).await;
    still_a_learner_to_etcd(&cluster, &n4).await;

    // And etcd itself, asked past the driver, has no objection to one that is cut off.
    cluster.partition("n4");
    let id = u64::from_str_radix(&n4, 16).unwrap().to_string();
    let leader = cluster.settled_leader().await;
    let body = json!({ "ID": id });
    let (status, told) = cluster.call(&leader, "cluster/member/promote", body).await;
    assert_eq!(status, 200, "{told}");
}

async fn still_a_learner_to_etcd(cluster: &Cluster, id: &str) {
    let leader = cluster.settled_leader().await;
    let members = cluster.members(&leader).await;
    let learner = members.iter().find(|(member, _, _)| member == id).unwrap();
    assert!(learner.2, "{members:?}");
}

fn assert_refused(outcome: &Applied) {
    let Applied::Refused { code, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(code, "learner-not-heard");
}

#[tokio::test]
async fn a_learner_that_etcd_does_not_hear_is_not_promoted_however_level_it_is() {
    if etcd_cluster::is_slow_round() {
        for version in [Version::Old, Version::Middle, Version::New] {
            a_learner_that_is_not_heard_is_not_promoted(version).await;
        }
    }
}
