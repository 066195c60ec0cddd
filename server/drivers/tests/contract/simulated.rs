//! The contract on the simulated cluster.

use quorate_drivers::simulated::Cluster;

use super::checks::{self, Truth};

#[tokio::test]
async fn the_simulated_cluster_keeps_the_contract() {
    let cluster = Cluster::healthy(3, 1);
    let driver = cluster.driver();
    let dir = tempfile::tempdir().unwrap();
    checks::a_healthy_cluster_is_told_as_it_is(&driver, &Truth::of_four("n1")).await;
    checks::an_unknown_member_is_refused(&driver, dir.path()).await;
    cluster.freeze("n3");
    checks::a_failed_member_costs_its_own_answer_only(&driver, "n3").await;
    cluster.revive("n3");
    cluster.kill("n3");
    checks::a_failed_member_costs_its_own_answer_only(&driver, "n3").await;
    cluster.revive("n3");
    let newcomer = cluster.spare("n5");
    checks::all_verbs_do_what_they_say(&driver, &newcomer, dir.path()).await;
}

#[tokio::test]
async fn a_cluster_registered_as_simulated_comes_up_healthy() {
    let connection =
        super::replay::connection(quorate_domain::cluster::Kind::Simulated, Vec::new());
    let driver = quorate_drivers::connect(connection).unwrap();
    checks::a_healthy_cluster_is_told_as_it_is(&driver, &Truth::of_four("n1")).await;
}
