//! Answers of OpenBao nobody should believe: cut off, of the wrong type, absurd, a lie, by another
//! clock, of another cluster.

use std::sync::Arc;

use quorate_domain::observation::{Answer, Note, Observation};
use quorate_drivers::Driver;
use serde_json::{Value, json};

use super::{
    checks::{DEADLINE, claims, report},
    openbao::{driver, four_nodes},
    replay::{Replay, recording},
};

const HEALTH: &str = "GET /v1/sys/health";
const LEADER: &str = "GET /v1/sys/leader";
const CONFIGURATION: &str = "GET /v1/sys/storage/raft/configuration";

fn body(name: &str) -> Value {
    recording(name)["response"]["body"].clone()
}

/// `n3` told this, and it costs its own words only.
async fn is_misread(driver: &Arc<dyn Driver>, replay: &Replay, line: &str, told: &str) {
    replay.tell("n3", line, told);
    let seen = driver.observe(DEADLINE).await;
    let at = format!("{line}: {}", &told[..told.len().min(80)]);
    assert!(
        matches!(report(&seen, "n3").answer, Answer::Misread(_)),
        "{at}: {:#?}",
        report(&seen, "n3")
    );
    stands(&seen, &at);
    assert!(report(&seen, "n2").answered(), "{at}");
}

/// The cluster is what it was, and one leads it.
fn stands(seen: &Observation, at: &str) {
    assert_eq!(claims(seen), ["n1"], "{at}");
    let members = &seen.membership.as_ref().unwrap().members;
    assert_eq!(members.len(), 4, "{at}");
    assert!(!seen.membership_remembered, "{at}");
}

#[tokio::test]
async fn answers_of_openbao_cut_off_of_wrong_types_or_absurd_cost_one_nodes_words_only() {
    let with = |name: &str, key: &str, value: Value| {
        let mut told = body(name);
        told[key] = value;
        told.to_string()
    };
    let server = |entry: Value| json!({ "data": { "config": { "servers": [entry] } } }).to_string();
    let half = |name: &str| {
        let whole = body(name).to_string();
        whole[..whole.len() / 2].to_owned()
    };
    let (health, leader) = ("health-standby", "sys-leader-at-standby");
    let none = ["", "null", "[]", "<html>", "{\"data\":"].map(str::to_owned);
    let of_each = [
        (
            HEALTH,
            vec![
                half(health),
                "{}".to_owned(),
                with(health, "sealed", json!("no")),
                with(health, "initialized", json!(1)),
                with(health, "version", json!("2.7\u{202e}2")),
                with(health, "cluster_id", json!("c".repeat(100_000))),
            ],
        ),
        (
            LEADER,
            vec![
                half(leader),
                with(leader, "is_self", json!("yes")),
                with(leader, "leader_address", json!(["http://127.0.0.1:1"])),
                with(leader, "raft_committed_index", json!(-1)),
                with(leader, "raft_committed_index", json!("many")),
                with(leader, "raft_applied_index", json!(1e300)),
            ],
        ),
        (
            CONFIGURATION,
            vec![
                half("configuration-leader"),
                "{}".to_owned(),
                r#"{"data":{"config":{"servers":7}}}"#.to_owned(),
                server(json!({ "node_id": 3, "address": "127.0.0.1:1" })),
                server(json!({ "node_id": "n3\n", "address": "127.0.0.1:1" })),
                server(json!({ "node_id": "n3", "address": "127.0.0.1:1", "voter": "yes" })),
                " ".repeat(3 * 1024 * 1024),
            ],
        ),
    ];
    for (line, told) in of_each {
        let replay = four_nodes().await;
        let driver = driver(&replay, "n1");
        driver.observe(DEADLINE).await;
        for told in none.iter().chain(&told) {
            is_misread(&driver, &replay, line, told).await;
        }
    }
}

#[tokio::test]
async fn the_largest_numbers_of_openbao_are_shown_and_break_nothing() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n1");
    driver.observe(DEADLINE).await;
    let mut far = body("sys-leader-at-standby");
    far["leader_address"] = json!(replay.address("n1"));
    for key in ["raft_committed_index", "raft_applied_index"] {
        far[key] = json!(u64::MAX);
    }
    replay.tell("n3", LEADER, &far.to_string());
    let state = "GET /v1/sys/storage/raft/autopilot/state";
    let mut absurd = body("autopilot-state");
    for (key, value) in [
        ("last_contact", json!("99999999999999999999h")),
        ("last_term", json!(u64::MAX)),
        ("last_index", json!(u64::MAX)),
    ] {
        absurd["data"]["servers"]["n2"][key] = value;
    }
    replay.tell("n1", state, &absurd.to_string());
    let seen = driver.observe(DEADLINE).await;
    stands(&seen, "absurd");
    let says = report(&seen, "n3").says.as_ref().unwrap();
    assert_eq!(says.last_index, Some(u64::MAX));
    for unreadable in ["{}", "7", "{\"data\":{\"servers\":[]}}", "{\"data\":"] {
        replay.tell("n1", state, unreadable);
        stands(&driver.observe(DEADLINE).await, unreadable);
    }
}

#[tokio::test]
async fn a_node_of_openbao_that_says_it_leads_is_not_believed_without_its_own_list() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n1");
    driver.observe(DEADLINE).await;
    let mut lie = body("sys-leader-at-leader");
    lie["leader_address"] = json!(replay.address("n3"));
    replay.tell("n3", LEADER, &lie.to_string());
    let seen = driver.observe(DEADLINE).await;
    stands(&seen, "its own list names n1");
    // It lies in its list as well: two claim, of which the rules make a dispute.
    let mut list = body("configuration-leader");
    for server in list["data"]["config"]["servers"].as_array_mut().unwrap() {
        server["leader"] = json!(server["node_id"] == "n3");
    }
    replay.tell("n3", CONFIGURATION, &list.to_string());
    let seen = driver.observe(DEADLINE).await;
    assert!(claims(&seen).contains(&"n1"), "{:?}", claims(&seen));
    assert_eq!(seen.membership.as_ref().unwrap().members.len(), 4);
}

#[tokio::test]
async fn the_clocks_of_openbao_may_be_hours_off() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n1");
    let before = driver.observe(DEADLINE).await;
    for (node, recorded, off) in [
        ("n1", "health-leader", 3_600),
        ("n2", "health-standby", -3_600),
        ("n3", "health-standby", 36_000),
    ] {
        let mut told = body(recorded);
        told["server_time_utc"] = json!(told["server_time_utc"].as_i64().unwrap() + off);
        replay.tell(node, HEALTH, &told.to_string());
    }
    let mut status = body("ha-status-leader").to_string();
    for port in [9200, 9210, 9220, 9230] {
        let name = format!("n{}", (port - 9200) / 10 + 1);
        let here = replay.address(&name).replace("http://", "");
        status = status.replace(&format!("127.0.0.1:{port}\""), &format!("{here}\""));
    }
    let status = status.replace("2026-11-21T05", "2026-11-21T23");
    replay.tell("n1", "GET /v1/sys/ha-status", &status);
    let seen = driver.observe(DEADLINE).await;
    stands(&seen, "hours off");
    assert_eq!(seen.membership, before.membership);
    assert_eq!(seen.progress, before.progress);
    for node in &seen.nodes {
        assert!(node.answered(), "{node:?}");
        assert!(seen.taken_at.since(node.at) < 60_000, "{node:?}");
    }
}

#[tokio::test]
async fn two_clusters_behind_addresses_of_openbao_are_told_and_never_merged() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n1");
    driver.observe(DEADLINE).await;
    let mut other = body("health-leader");
    other["cluster_id"] = json!("another-cluster");
    replay.tell("n3", HEALTH, &other.to_string());
    let mut leads = body("sys-leader-at-leader");
    leads["leader_address"] = json!(replay.address("n3"));
    replay.tell("n3", LEADER, &leads.to_string());
    let mut alone = body("configuration-leader");
    alone["data"]["config"]["servers"] =
        json!([{ "node_id": "n3", "address": "127.0.0.1:1", "leader": true, "voter": true }]);
    replay.tell("n3", CONFIGURATION, &alone.to_string());
    let seen = driver.observe(DEADLINE).await;
    stands(&seen, "two clusters");
    let told = |note: &Note| matches!(note, Note::TwoClusters { .. });
    assert!(seen.notes.iter().any(told), "{:?}", seen.notes);
}
