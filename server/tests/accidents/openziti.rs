//! Accidents of OpenZiti on stand-ins for its controllers; no real one can be had. What is true
//! is read from the simulated Raft behind them.

use quorate_domain::cluster::Kind;
use serde_json::{Value, json};

use crate::{
    console::{Console, act, finding, member, rules},
    openziti_stand_in::{Shape, StandIn, Trap},
};

async fn stage(shape: Shape) -> (StandIn, Console) {
    let cluster = StandIn::start(shape).await;
    let driver = quorate_drivers::connect(cluster.connection(&["n1", "n2"])).unwrap();
    let console = Console::watching(Kind::Openziti, driver).await;
    (cluster, console)
}

fn add(cluster: &StandIn, id: &str) -> Value {
    json!({ "action": "add_learner", "address": cluster.address(id) })
}

fn has(rules: &[String], rule: &str) -> bool {
    rules.iter().any(|code| code == rule)
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_35_the_dialog_says_that_a_promotion_removes_first_and_a_gap_that_kills_is_refused()
 {
    let (mut cluster, console) = stage(Shape::default()).await;
    let dialog = console.preview(&act("promote", "n4")).await;
    assert!(has(&rules(&dialog["checks"], "warn"), "removed-then-added"));
    let step = dialog["steps"][0]["rest"].as_str().unwrap();
    assert!(step.contains("to remove n4 and to add it again"), "{step}");
    console.done(&act("promote", "n4")).await;
    assert_eq!(cluster.votes("n4"), Some(true));
    console.done(&act("demote", "n4")).await;
    assert_eq!(cluster.votes("n4"), Some(false));
    cluster.kill("n3").await;
    console
        .until_seen("n3 is silent", 60, |view| {
            member(view, "n3")["answering"] == false
        })
        .await;
    let refused = console.refused(&act("demote", "n2")).await;
    assert!(has(&refused, "quorum-would-be-lost"), "{refused:?}");
    let refused = console.refused(&act("demote", "n3")).await;
    assert!(has(&refused, "member-not-seen"), "{refused:?}");
    assert_eq!(cluster.votes("n2"), Some(true));
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_35_who_is_left_outside_is_found_with_the_address_to_add_again() {
    let (cluster, console) = stage(Shape::default()).await;
    cluster.set_trap("n1", Trap::StopsHalfWay);
    console.accepted(&act("promote", "n4")).await;
    let view = console
        .until_seen("n4 is outside", 60, |view| {
            finding(view, "left-outside", "n4").is_some()
        })
        .await;
    assert_eq!(cluster.votes("n4"), None);
    let found = finding(&view, "left-outside", "n4").unwrap();
    let hint = found["hint"].as_str().unwrap();
    assert!(hint.contains(&cluster.address("n4")), "{hint}");
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_36_an_answer_that_times_out_after_the_change_is_looked_after_and_done() {
    let (cluster, console) = stage(Shape::forgetting_strangers_soon()).await;
    for trap in [Trap::TimesOutAfterwards, Trap::BreaksAfterwards] {
        cluster.set_trap("n1", trap);
        let sent = cluster.calls("n1", "add-member");
        console.done(&add(&cluster, "n5")).await;
        assert_eq!(cluster.votes("n5"), Some(false));
        assert!(cluster.calls("n1", "add-member") <= sent + 1);
        console.done(&act("remove", "n5")).await;
        assert_eq!(cluster.votes("n5"), None);
        cluster
            .until("n5 has been let go", |state| {
                state.strangers("n1").is_empty()
            })
            .await;
    }
    for follower in ["n2", "n3", "n4"] {
        assert_eq!(cluster.calls(follower, "add-member"), 0, "it was forwarded");
    }
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_37_who_is_only_connected_is_never_promoted() {
    let (cluster, console) = stage(Shape::default()).await;
    let everybody = ["n1", "n2", "n3", "n4"].map(str::to_owned);
    cluster.world.state().node_mut("n5").stranger_to = everybody.into();
    let (status, answer) = console.submit(&act("promote", "n5")).await;
    assert!([404, 422].contains(&status), "{answer}");
    assert_eq!(cluster.votes("n5"), None);
    let view = console.view().await;
    assert_eq!(view["quorum"]["voters"], 3);
    console.running.stop().await;
}
