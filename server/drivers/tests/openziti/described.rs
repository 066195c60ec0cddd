//! The driver's calls and the stand-in's answers against upstream's description: what either
//! says must exist there, with that type.

use serde_json::Value;

use crate::{
    description::Description,
    openziti_stand_in::{Exchange, Shape, StandIn, Trap},
    stage::{Stage, add, demote, promote, remove, transfer},
};
use quorate_domain::action::Action;

/// Where the controllers' own code is known to do something else than the description says.
fn known_difference(exchange: &Exchange, difference: &str) -> bool {
    let no_answer = difference.contains("is no answer");
    let cut_off = exchange.status == 503 && no_answer;
    // A path that a controller is too old for.
    let is_snapshot = exchange.path.ends_with("/database/snapshot");
    let unknown = is_snapshot && exchange.status == 404 && no_answer;
    let no_times = difference.contains("Time is null") || difference.contains(".errors is null");
    // Some inspections are lists.
    let listed = difference.contains(".value is none of the described types");
    cut_off || no_times || listed || unknown
}

fn differences(description: &Description, exchange: &Exchange) -> Vec<String> {
    let call = format!(
        "{} {} ({})",
        exchange.method, exchange.path, exchange.status
    );
    let path = exchange.path.strip_prefix(description.base_path());
    let Some(path) = path else {
        return Vec::new();
    };
    let Some(operation) = description.operation(&exchange.method, path) else {
        return vec![format!("{call}: no such call")];
    };
    let mut found = Vec::new();
    match (description.body(operation), &exchange.request) {
        (Some(shape), Some(body)) => found.extend(description.differences(body, &shape, "sent")),
        (Some(_), None) => found.push("sent nothing where a body is described".to_owned()),
        (None, Some(_)) => found.push("sent a body where none is described".to_owned()),
        (None, None) => {}
    }
    let answer: Value = serde_json::from_slice(&exchange.answer).unwrap_or(Value::Null);
    match description.answer(operation, exchange.status) {
        Some(shape) => found.extend(description.differences(&answer, &shape, "answered")),
        None => found.push("is no answer that is described".to_owned()),
    }
    found.retain(|difference| !known_difference(exchange, difference));
    found
        .into_iter()
        .map(|difference| format!("{call}: {difference}"))
        .collect()
}

fn all_differences(description: &Description, cluster: &StandIn) -> Vec<String> {
    let mut found: Vec<String> = cluster
        .exchanges()
        .iter()
        .flat_map(|exchange| differences(description, exchange))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Every call the driver makes, with its failures.
async fn everything(stage: &mut Stage) {
    let newcomer = stage.cluster.address("n5");
    stage.apply(Action::Snapshot).await;
    stage.apply(Action::Snapshot).await;
    stage.cluster.world.state().node_mut("n1").older_snapshots = true;
    stage.apply(Action::Snapshot).await;
    stage.apply(Action::CheckIntegrity).await;
    stage.apply(add(newcomer)).await;
    stage.apply(add("tls:127.0.0.1:1".to_owned())).await;
    stage
        .seen("n5 is there", |seen| {
            crate::stage::role(seen, "n5").is_some()
        })
        .await;
    stage.apply(promote("n5")).await;
    stage.apply(transfer("n4")).await;
    stage.apply(transfer("n2")).await;
    stage.look().await;
    stage.apply(demote("n5")).await;
    stage.cluster.set_trap("n2", Trap::TimesOutAfterwards);
    stage.apply(remove("n5")).await;
    stage.driver.diagnose().await;
}

#[tokio::test]
async fn every_call_of_the_driver_and_every_answer_of_the_stand_in_is_described_upstream() {
    let Some(description) = Description::read() else {
        return;
    };
    for shape in [Shape::of_1_6(), Shape::of_2_1()] {
        let mut stage = Stage::set(shape).await;
        everything(&mut stage).await;
        let found = all_differences(&description, &stage.cluster);
        assert_eq!(found, [""; 0]);
        for path in [
            "/cluster/list-members",
            "/cluster/add-member",
            "/cluster/remove-member",
            "/cluster/transfer-leadership",
            "/database",
            "/database/snapshot",
            "/database/check-data-integrity",
            "/database/data-integrity-results",
            "/inspections",
        ] {
            let called = stage.cluster.exchanges();
            assert!(called.iter().any(|it| it.path.ends_with(path)), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_described_is_noticed() {
    let Some(description) = Description::read() else {
        return;
    };
    let stage = Stage::set(Shape::default()).await;
    let listed = stage.cluster.exchanges();
    let good = listed
        .iter()
        .find(|it| it.path.ends_with("list-members") && it.status == 200)
        .unwrap();
    assert_eq!(differences(&description, good), [""; 0]);
    let changed = |from: &str, to: &str| {
        let text = String::from_utf8(good.answer.to_vec()).unwrap();
        assert!(text.contains(from), "{text}");
        let mut exchange = good.clone();
        exchange.answer = text.replace(from, to).into();
        !differences(&description, &exchange).is_empty()
    };
    assert!(changed("\"voter\":true", "\"voter\":\"yes\""));
    assert!(changed("\"voter\":", "\"isVoter\":"));
    assert!(changed("\"leader\":true", "\"leader\":true,\"term\":3"));
    let mut elsewhere = good.clone();
    elsewhere.path = "/fabric/v1/raft/list-members".to_owned();
    assert!(!differences(&description, &elsewhere).is_empty());
    let mut otherwise = good.clone();
    otherwise.status = 404;
    assert!(!differences(&description, &otherwise).is_empty());
}
