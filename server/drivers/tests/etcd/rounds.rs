//! Every verb with a voter killed or frozen in the middle of it (slow rounds). What the driver says
//! of each is held against the members' own list. One that is cut off is part of a cluster's life.

use std::{path::Path, sync::Arc};

use quorate_domain::{
    action::Action, cluster::Role, lag, observation::Answer, preflight::ReasonCode,
};
use quorate_drivers::{Applied, Driver};

use super::{
    checks::{DEADLINE, apply, claims, report, role, seen_when},
    driver,
    etcd_cluster::{self, Cluster, Shape, Version},
    promote, refusals, remove, transfer,
};

#[derive(Clone, Copy, Debug)]
enum Fault {
    Killed,
    Frozen,
}

impl Fault {
    fn befalls(self, cluster: &mut Cluster, name: &str) {
        match self {
            Self::Killed => cluster.node_mut(name).process.kill(),
            Self::Frozen => cluster.node(name).process.freeze(),
        }
    }
}

/// (id, is a learner) as the leader lists them.
async fn listed(cluster: &Cluster) -> Vec<(String, bool)> {
    let leader = cluster.leader_of_those_that_answer().await;
    let members = cluster.members(&leader).await;
    members
        .into_iter()
        .map(|(id, _, learner)| (id, learner))
        .collect()
}

/// Sends a change until etcd takes it: it refuses while it misses somebody. A refusal has changed
/// nothing; what is unknown is looked after.
async fn carried_out(
    cluster: &Cluster,
    driver: &Arc<dyn Driver>,
    action: Action,
    dir: &Path,
    done: impl Fn(&[(String, bool)]) -> bool,
) {
    let start = std::time::Instant::now();
    loop {
        let before = listed(cluster).await;
        let outcome = apply(driver, action.clone(), dir).await;
        match &outcome {
            Applied::Accepted(_) | Applied::Unknown { .. } => {}
            Applied::Refused { code, .. } => {
                assert_eq!(listed(cluster).await, before, "{outcome:?}");
                let passing = ["cluster-unhealthy", "not-leader", "learner-behind"];
                assert!(passing.contains(&code.as_str()), "{outcome:?}");
            }
        }
        if done(&listed(cluster).await) {
            return;
        }
        assert!(start.elapsed().as_secs() < 120, "{action:?}: {outcome:?}");
        driver.observe(DEADLINE).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

async fn a_voter_fails_in_the_middle_of_every_verb(version: Version, fault: Fault) {
    let shape = Shape {
        version,
        learner: true,
        ..Shape::default()
    };
    let Some(mut cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let (driver, dir) = (driver(&cluster), tempfile::tempdir().unwrap());
    let dir = dir.path();
    let n4 = cluster.id("n4");
    seen_when(&driver, "the learner is level", 60, |seen| {
        role(seen, &n4) == Some(Role::Learner)
            && report(seen, &n4).answered()
            && lag::lag(seen, &n4.as_str().into()).is_some_and(|(lag, _)| lag < 10)
    })
    .await;
    let leader = cluster.settled_leader().await;
    let follower = cluster.follower().await;
    let failed = cluster.id(&follower);
    fault.befalls(&mut cluster, &follower);

    let seen = seen_when(&driver, "the others go on", 60, |seen| {
        let alone = matches!(report(seen, &failed).answer, Answer::Silent(_));
        alone && claims(seen) == [cluster.id(&leader)]
    })
    .await;
    let reasons = refusals(&seen, &transfer(&failed));
    assert!(
        !reasons.is_empty(),
        "{fault:?}: it would be handed the leadership"
    );
    let spare = ["n1", "n2", "n3"]
        .into_iter()
        .find(|name| *name != leader && *name != follower)
        .unwrap();
    let reasons = refusals(&seen, &remove(&cluster.id(spare)));
    assert!(
        reasons.contains(&ReasonCode::QuorumWouldBeLost),
        "{fault:?}: {reasons:?}"
    );

    carried_out(&cluster, &driver, promote(&n4), dir, |members| {
        members.contains(&(n4.clone(), false))
    })
    .await;
    seen_when(&driver, "it votes", 60, |seen| {
        role(seen, &n4) == Some(Role::Voter) && claims(seen).len() == 1
    })
    .await;
    let moved = apply(&driver, transfer(&n4), dir).await;
    assert!(!matches!(moved, Applied::Refused { .. }), "{moved:?}");
    seen_when(
        &driver,
        "somebody leads, and says so itself",
        60,
        |seen| matches!(claims(seen)[..], [leader] if leader != failed),
    )
    .await;
    let taken = apply(&driver, Action::Snapshot, dir).await;
    assert!(matches!(taken, Applied::Accepted(_)), "{taken:?}");
    carried_out(&cluster, &driver, remove(&failed), dir, |members| {
        members.iter().all(|(id, _)| *id != failed)
    })
    .await;
    seen_when(&driver, "it is gone", 60, |seen| {
        seen.membership.is_some() && role(seen, &failed).is_none()
    })
    .await;
}

async fn with(fault: Fault) {
    if etcd_cluster::is_slow_round() {
        for version in [Version::Old, Version::Middle, Version::New] {
            a_voter_fails_in_the_middle_of_every_verb(version, fault).await;
        }
    }
}

#[tokio::test]
async fn every_verb_of_etcd_goes_on_while_a_voter_is_dead() {
    with(Fault::Killed).await;
}

#[tokio::test]
async fn every_verb_of_etcd_goes_on_while_a_voter_is_frozen() {
    with(Fault::Frozen).await;
}
