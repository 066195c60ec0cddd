//! The contract on recorded answers of etcd 3.4 and 3.6, and on real clusters of both.

use std::{sync::Arc, time::Duration};

use quorate_domain::cluster::Kind;
use quorate_drivers::{Connection, Driver, connect};

use super::{
    checks::{self, Truth, claims},
    etcd_cluster::{self, Cluster, Shape, Version},
    replay::connection,
};

fn open(seeds: Vec<String>) -> Connection {
    Connection {
        token: None,
        change_timeout: Duration::from_secs(20),
        ..connection(Kind::Etcd, seeds)
    }
}

/// Lists of members are sorted by their ids.
fn sorted(names: &[&str], cluster: &Cluster) -> Vec<&'static str> {
    let mut ids: Vec<&'static str> = names.iter().map(|name| &*cluster.id(name).leak()).collect();
    ids.sort_unstable();
    ids
}

async fn a_real_cluster_keeps_the_contract(version: Version) {
    let shape = Shape {
        version,
        learner: true,
        ..Shape::default()
    };
    let Some(mut cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let driver: Arc<dyn Driver> = connect(open(vec![cluster.node("n2").client.clone()])).unwrap();
    let leader = cluster.leader().await.unwrap();
    let truth = Truth {
        voters: sorted(&["n1", "n2", "n3"], &cluster),
        learners: sorted(&["n4"], &cluster),
        leader: cluster.id(&leader),
    };
    checks::a_healthy_cluster_is_told_as_it_is(&driver, &truth).await;
    checks::an_unknown_member_is_refused(&driver, dir.path()).await;
    let follower = cluster.follower().await;
    cluster.node(&follower).process.freeze();
    let id = cluster.id(&follower);
    checks::a_failed_member_costs_its_own_answer_only(&driver, &id).await;
    cluster.node(&follower).process.thaw();
    checks::seen_when(&driver, "all answer again", 20, |seen| {
        seen.nodes.iter().all(|node| node.answered()) && claims(seen).len() == 1
    })
    .await;
    // etcd takes one learner at a time.
    let learner = quorate_domain::action::Action::Remove {
        member: cluster.id("n4").into(),
    };
    cluster.accepts_changes().await;
    let removed = checks::apply(&driver, learner, dir.path()).await;
    assert!(
        matches!(removed, quorate_drivers::Applied::Accepted(_)),
        "{removed:?}"
    );
    let newcomer = cluster.newcomer("n5").await;
    cluster.nodes.retain(|node| node.name != "n4");
    checks::supported_verbs_do_what_they_say(&driver, &newcomer, dir.path(), async |id| {
        assert_eq!(cluster.start_newcomer("n5").await, id.0);
    })
    .await;
    let lines = driver.diagnose().await;
    let open = lines.iter().find(|line| line.code == "authentication-off");
    assert!(open.is_some_and(|line| line.ok), "{lines:#?}");
}

#[tokio::test]
async fn a_real_etcd_3_4_keeps_the_contract() {
    a_real_cluster_keeps_the_contract(Version::Old).await;
}

#[tokio::test]
async fn a_real_etcd_3_6_keeps_the_contract() {
    if etcd_cluster::is_slow_round() {
        a_real_cluster_keeps_the_contract(Version::New).await;
    }
}
