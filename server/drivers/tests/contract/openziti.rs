//! The contract on stand-ins for OpenZiti controllers, of three generations.

use std::sync::Arc;

use quorate_domain::cluster::Kind;
use quorate_drivers::{Driver, connect};

use super::{
    checks::{self, DEADLINE, Truth},
    openziti_stand_in::{Shape, StandIn},
};

async fn cluster(shape: Shape) -> (StandIn, Arc<dyn Driver>) {
    let stand_in = StandIn::start(shape).await;
    let driver = connect(stand_in.connection(&["n2"])).unwrap();
    (stand_in, driver)
}

fn truth() -> Truth {
    Truth::of_four("n1")
}

#[tokio::test]
async fn controllers_of_each_generation_keep_the_contract_from_any_seed() {
    for shape in [
        Shape::of_1_6(),
        Shape::default(),
        Shape::with_other_certificates(),
        Shape::of_2_1(),
    ] {
        let stand_in = StandIn::start(shape.clone()).await;
        for seed in ["n1", "n3", "n4"] {
            let driver = connect(stand_in.connection(&[seed])).unwrap();
            checks::a_healthy_cluster_is_told_as_it_is(&driver, &truth()).await;
            let seen = driver.observe(DEADLINE).await;
            assert_eq!(seen.kind, Kind::Openziti);
            assert_eq!(seen.version.as_deref(), Some(&shape.version[1..]));
            assert_eq!(seen.notes, []);
            let n4 = seen.membership.unwrap().member(&"n4".into()).cloned();
            assert_eq!(n4.unwrap().api_address, Some(stand_in.url("n4")));
        }
    }
}

#[tokio::test]
async fn a_killed_or_frozen_controller_costs_its_own_answer_only() {
    let (mut stand_in, driver) = cluster(Shape::default()).await;
    checks::a_healthy_cluster_is_told_as_it_is(&driver, &truth()).await;
    stand_in.freeze("n3");
    checks::a_failed_member_costs_its_own_answer_only(&driver, "n3").await;
    stand_in.thaw("n3");
    stand_in.kill("n4").await;
    checks::a_failed_member_costs_its_own_answer_only(&driver, "n4").await;
}

#[tokio::test]
async fn all_verbs_do_what_they_say() {
    let dir = tempfile::tempdir().unwrap();
    for shape in [Shape::of_1_6(), Shape::of_2_1()] {
        let (stand_in, driver) = cluster(shape).await;
        let newcomer = stand_in.address("n5");
        checks::all_verbs_do_what_they_say(&driver, &newcomer, dir.path()).await;
    }
}

#[tokio::test]
async fn an_unknown_member_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_stand_in, driver) = cluster(Shape::default()).await;
    checks::an_unknown_member_is_refused(&driver, dir.path()).await;
}
