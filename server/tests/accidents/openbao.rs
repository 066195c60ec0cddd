//! Accidents of OpenBao on the real program. What is true is read from its own configuration
//! endpoint, with a token that is not the console's.

use std::time::{Duration, Instant};

use quorate_domain::cluster::Kind;
use serde_json::{Value, json};

use crate::{
    console::{Console, act, driver, finding, member, rules, until},
    door::{Door, Lost},
    openbao_cluster::{Cluster, Shape},
};

const CONFIGURATION: &str = "sys/storage/raft/autopilot/configuration";

async fn console(cluster: &Cluster) -> Console {
    let seeds = cluster.nodes.iter().take(2).map(|node| node.api.clone());
    let driver = driver(Kind::Openbao, seeds.collect(), &cluster.operator);
    Console::watching(Kind::Openbao, driver).await
}

async fn leader(cluster: &Cluster) -> String {
    until("OpenBao has a leader", 30, async || cluster.leader().await).await
}

/// (id, votes) in the leader's own configuration, sorted.
async fn configuration(cluster: &Cluster) -> Vec<(String, bool)> {
    let mut members = cluster.members(&leader(cluster).await).await;
    members.sort();
    members
}

async fn votes(cluster: &Cluster, id: &str) -> Option<bool> {
    let members = configuration(cluster).await;
    let found = members.iter().find(|(member, _)| member == id);
    found.map(|(_, votes)| *votes)
}

async fn voters(cluster: &Cluster) -> Vec<String> {
    let members = configuration(cluster).await;
    let voters = members.into_iter().filter(|(_, votes)| *votes);
    voters.map(|(id, _)| id).collect()
}

async fn followers(cluster: &Cluster) -> Vec<String> {
    let leader = leader(cluster).await;
    let mut followers = voters(cluster).await;
    followers.retain(|id| *id != leader);
    followers
}

fn join(address: &str) -> Value {
    json!({ "action": "add_learner", "address": address })
}

fn step_down() -> Value {
    json!({ "action": "transfer" })
}

fn has(rules: &[String], rule: &str) -> bool {
    rules.iter().any(|code| code == rule)
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_14_voters_are_demoted_with_a_warning_and_then_no_further() {
    let shape = Shape {
        voters: 4,
        learners: 0,
        ..Shape::default()
    };
    let Some(cluster) = Cluster::start(shape).await else {
        return;
    };
    let console = console(&cluster).await;
    let followers = followers(&cluster).await;
    console.done(&act("demote", &followers[0])).await;
    assert_eq!(voters(&cluster).await.len(), 3);

    let second = act("demote", &followers[1]);
    let warnings = rules(&console.preview(&second).await["checks"], "warn");
    for rule in ["tolerance-falls", "no-tolerance"] {
        assert!(has(&warnings, rule), "{warnings:?}");
    }
    console.done(&second).await;
    let left = configuration(&cluster).await;
    assert_eq!(left.iter().filter(|(_, votes)| *votes).count(), 2);

    let refusals = console.refused(&act("demote", &followers[2])).await;
    assert!(has(&refusals, "last-voter"), "{refusals:?}");
    assert_eq!(configuration(&cluster).await, left);
    // Both that are left answer, so what is written is written by a majority.
    cluster.fill(1, 10).await;
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_15_the_leader_is_not_demoted_and_a_wish_from_elsewhere_is_shown() {
    let Some(cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let console = console(&cluster).await;
    let leader = leader(&cluster).await;
    let before = configuration(&cluster).await;
    let refusals = console.refused(&act("demote", &leader)).await;
    assert!(has(&refusals, "is-leader"), "{refusals:?}");
    let (_, state) = cluster
        .get(&leader, "sys/storage/raft/autopilot/state")
        .await;
    assert_eq!(
        state["data"]["servers"][&leader]["node_type"], "voter",
        "{state}"
    );

    // Somebody asks OpenBao itself. It says 204 and does nothing.
    let wish = json!({ "server_id": leader });
    let (status, _) = cluster.put(&leader, "sys/storage/raft/demote", wish).await;
    assert_eq!(status, 204);
    let view = console
        .until_seen("the wish is told", 60, |view| {
            finding(view, "wish-pending", &leader).is_some()
        })
        .await;
    assert_eq!(configuration(&cluster).await, before);
    assert_eq!(member(&view, &leader)["role"], "voter");
    assert_eq!(member(&view, &leader)["wanted_role"], "learner");
    let text = finding(&view, "wish-pending", &leader).unwrap()["text"].to_string();
    assert!(text.contains("as soon as leadership moves"), "{text}");

    // What would set it off is said before, and nothing is added on top of it.
    let warnings = rules(&console.preview(&step_down()).await["checks"], "warn");
    assert!(has(&warnings, "wish-pending"), "{warnings:?}");
    let refusals = console.refused(&act("promote", "n4")).await;
    assert!(has(&refusals, "wish-pending"), "{refusals:?}");

    // The console takes it back, and leadership moves without anybody losing a vote.
    console.done(&act("promote", &leader)).await;
    console
        .until_seen("the wish is gone", 60, |view| {
            finding(view, "wish-pending", &leader).is_none()
        })
        .await;
    console.done(&step_down()).await;
    assert_ne!(self::leader(&cluster).await, leader);
    assert_eq!(configuration(&cluster).await, before);
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_16_the_leader_is_removed_only_after_it_leads_no_more() {
    let Some(cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let console = console(&cluster).await;
    let old = leader(&cluster).await;
    let before = configuration(&cluster).await;
    let (status, problem) = console.submit(&act("remove", &old)).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("refused")));
    assert!(
        has(&rules(&problem["checks"], "refuse"), "is-leader"),
        "{problem}"
    );
    assert!(
        problem["title"]
            .as_str()
            .unwrap()
            .contains("Transfer leadership first"),
        "{problem}"
    );
    assert_eq!(configuration(&cluster).await, before);

    console.done(&step_down()).await;
    let new = leader(&cluster).await;
    assert_ne!(new, old);
    console.done(&act("remove", &old)).await;
    assert_eq!(votes(&cluster, &old).await, None);
    assert_eq!(voters(&cluster).await.len(), 2);
    // The process runs on; it is told as removed, and believed no more.
    let view = console
        .until_seen("it still runs", 60, |view| {
            finding(view, "removed-still-running", &old).is_some()
        })
        .await;
    assert_eq!(view["leader"]["member"], json!(leader(&cluster).await));
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_17_a_promotion_under_steady_writes_waits_with_its_reason_until_they_end() {
    let Some(cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let console = console(&cluster).await;
    let leader = leader(&cluster).await;
    // By default autopilot calls a node unhealthy that seems a thousand entries behind, by
    // figures that are seconds old. A slow disk does not write that many; one shows the same.
    // Whoever has been healthy for three seconds is promoted.
    let strict = json!({ "max_trailing_logs": 1, "server_stabilization_time": "3s" });
    let (status, text) = cluster.put(&leader, CONFIGURATION, strict).await;
    assert_eq!(status, 204, "{text}");
    let load = cluster.load(4).await;
    cluster
        .until("autopilot holds n4 unhealthy", 30, async |it| {
            let (_, state) = it.get(&leader, "sys/storage/raft/autopilot/state").await;
            state["data"]["servers"]["n4"]["healthy"] == false
        })
        .await;
    let id = console.accepted(&act("promote", "n4")).await;
    let start = Instant::now();
    let mut waits = String::new();
    while start.elapsed() < Duration::from_secs(8) {
        let change = console.change(&id).await;
        assert_eq!(change["state"], "running", "{change}");
        assert_eq!(votes(&cluster, "n4").await, Some(false));
        if let Some(text) = change["waiting_for"].as_str() {
            text.clone_into(&mut waits);
        }
        if waits.contains("because: Autopilot calls") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        waits.contains("accepted it and not carried it out yet, because: Autopilot calls"),
        "{waits}"
    );
    drop(load);
    let change = console.end(&id).await;
    assert_eq!(change["state"], "succeeded", "{change}");
    assert_eq!(votes(&cluster, "n4").await, Some(true));
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_18_and_20_only_what_was_there_is_removed_and_only_what_is_fresh_joins() {
    let Some(mut cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let console = console(&cluster).await;
    let before = configuration(&cluster).await;
    let not_found = async |id: &str| {
        let (status, problem) = console.submit(&act("remove", id)).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (404, Some("not-found")),
            "{problem}"
        );
    };
    not_found("nobody").await;
    not_found("nobody").await;

    // OpenBao would say `joined: true` to a member that joins again.
    let refusals = console.refused(&join(&cluster.node("n3").api)).await;
    assert!(has(&refusals, "already-member"), "{refusals:?}");
    assert_eq!(configuration(&cluster).await, before);

    console.done(&act("remove", "n4")).await;
    assert_eq!(votes(&cluster, "n4").await, None);
    not_found("n4").await;

    // The removed node with its old data.
    cluster.node_mut("n4").stop().await;
    cluster.node_mut("n4").start();
    cluster
        .until("n4 is up again", 60, async |it| {
            it.health("n4").await.is_some()
        })
        .await;
    let again = console.accepted(&join(&cluster.node("n4").api)).await;
    let change = console.end(&again).await;
    assert_eq!(change["state"], "failed", "{change}");
    let outcome = change["outcome"].as_str().unwrap();
    assert!(outcome.contains("(newcomer-not-fresh)"), "{outcome}");
    assert_eq!(votes(&cluster, "n4").await, None);

    // A fresh one joins, and is called what it is.
    let fresh = cluster.fresh("n5").await;
    assert_eq!(console.done(&join(&fresh)).await, "n5 is a learner now.");
    assert_eq!(votes(&cluster, "n5").await, Some(false));
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_21_a_killed_leader_is_agreed_on_no_more_though_others_name_it() {
    let Some(mut cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let console = console(&cluster).await;
    let dead = leader(&cluster).await;
    cluster.node_mut(&dead).kill();
    let killed = Instant::now();
    let (mut gone, mut named) = (false, false);
    let agreed = loop {
        let view = console.view().await;
        let leader = &view["leader"];
        let age = killed.elapsed();
        if leader["status"] == "agreed" && leader["member"] == json!(dead) {
            assert!(!gone, "it was agreed on again after {age:?}: {view}");
            assert!(
                age < Duration::from_secs(3),
                "still agreed on after {age:?}: {view}"
            );
        } else {
            gone = true;
            let naming = leader["votes"][&dead].as_array();
            named |= naming.is_some_and(|names| !names.is_empty());
            if leader["status"] == "agreed" {
                break leader["member"].as_str().unwrap().to_owned();
            }
        }
        assert!(age < Duration::from_secs(30), "nobody was elected: {view}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(named, "who still names the dead leader was never shown");
    assert_eq!(agreed, leader(&cluster).await);
    let view = console.view().await;
    assert_eq!(member(&view, &dead)["state"], "unreachable", "{view}");
    assert!(member(&view, &dead)["age_ms"].as_u64().unwrap() > 0);
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_39_a_change_whose_answer_is_lost_is_sent_once_and_settled_by_looking() {
    let Some(mut cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    // Every node tells that it answers at a door of ours, so the console goes through it.
    let mut doors = Vec::new();
    for node in &mut cluster.nodes {
        let door = Door::before(&node.api).await;
        node.advertise(&door.address);
        node.kill();
        doors.push(door);
    }
    for node in &mut cluster.nodes {
        node.start();
    }
    cluster
        .until("all are back", 60, async |it| {
            let Some(leader) = it.leader().await else {
                return false;
            };
            let (_, state) = it.get(&leader, "sys/storage/raft/autopilot/state").await;
            state["data"]["healthy"] == true
        })
        .await;
    let seeds = doors.iter().map(|door| door.address.clone()).collect();
    let driver = driver(Kind::Openbao, seeds, &cluster.operator);
    let console = Console::watching(Kind::Openbao, driver).await;
    let came = || doors.iter().map(Door::came).sum::<usize>();
    let lose = |request: &str, what| doors.iter().for_each(|door| door.lose(request, what));

    // Carried out, and nobody was told.
    lose("POST /v1/sys/storage/raft/promote ", Lost::Answer);
    let outcome = console.done(&act("promote", "n4")).await;
    assert!(outcome.starts_with("The answer was lost ("), "{outcome}");
    assert!(
        outcome.ends_with("the cluster shows it: n4 is a voter now."),
        "{outcome}"
    );
    assert_eq!(votes(&cluster, "n4").await, Some(true));
    assert_eq!(came(), 1);

    // Never arrived, and nobody can tell the difference but by looking.
    lose("POST /v1/sys/storage/raft/demote ", Lost::Request);
    console
        .running
        .control
        .rehearse_patience(Duration::from_secs(3));
    let lost = console.accepted(&act("demote", "n4")).await;
    let change = console.end(&lost).await;
    assert_eq!(change["state"], "unknown", "{change}");
    let outcome = change["outcome"].as_str().unwrap();
    assert!(outcome.contains("not confirmed within"), "{outcome}");
    assert_eq!(votes(&cluster, "n4").await, Some(true));
    assert_eq!(came(), 1, "a lost change is not sent again");

    // Whoever looks finds it not done and may ask again.
    console
        .running
        .control
        .rehearse_patience(Duration::from_secs(60));
    doors.iter().for_each(Door::lose_nothing);
    console.done(&act("demote", "n4")).await;
    assert_eq!(votes(&cluster, "n4").await, Some(false));
    console.running.stop().await;
}
