//! etcd, changed through the whole console: what is to be done by hand is said, and does what it
//! says; what etcd would permit to its harm is refused.

use std::time::Duration;

use quorate_domain::cluster::Kind;
use quorate_drivers::{Connection, connect};
use serde_json::{Value, json};

use crate::{
    console::{Console, act, finding, member, until},
    etcd_cluster::{self, Cluster, Shape},
};

async fn console(cluster: &Cluster) -> Console {
    let seeds = ["n1", "n2"].map(|name| cluster.node(name).client.clone());
    let connection = Connection {
        name: "real".to_owned(),
        kind: Kind::Etcd,
        seeds: seeds.to_vec(),
        token: None,
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: quorate_drivers::Lookups::default(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(20),
    };
    Console::watching(Kind::Etcd, connect(connection).unwrap()).await
}

async fn leader(cluster: &Cluster) -> String {
    until("etcd has a leader", 30, async || cluster.leader().await).await
}

fn has(rules: &[String], rule: &str) -> bool {
    rules.iter().any(|code| code == rule)
}

/// The one note that begins like this.
fn note(of: &Value, begins: &str) -> String {
    let notes = of["notes"].as_array().unwrap().iter();
    let mut texts = notes.filter_map(Value::as_str);
    let found = texts.find(|text| text.starts_with(begins));
    found
        .unwrap_or_else(|| panic!("no note {begins}: {of}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_is_changed_by_the_console_and_by_the_hands_it_asks_for() {
    let shape = Shape {
        gates: false,
        ..Shape::default()
    };
    let Some(mut cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let console = console(&cluster).await;
    let address = cluster.newcomer("n4").await;
    let add = json!({ "action": "add_learner", "address": address });
    let command = note(&console.preview(&add).await, "etcd --name ");
    console.done(&add).await;
    let listed = cluster.members(&leader(&cluster).await).await;
    let (n4, _, is_learner) = listed
        .into_iter()
        .find(|(_, name, _)| name.is_empty())
        .unwrap();
    assert!(is_learner);

    // Added, and not running: told as such, and not promoted.
    let view = console
        .until_seen("it has not started", 60, |view| {
            member(view, &n4)["state"] == "not_started"
        })
        .await;
    let told = finding(&view, "member-not-started", &n4).unwrap();
    assert!(
        told["text"]
            .as_str()
            .unwrap()
            .contains("has not started yet"),
        "{told}"
    );
    assert!(has(
        &console.refused(&act("promote", &n4)).await,
        "member-not-seen"
    ));

    // The command of the preview, as it stands there.
    cluster.start_by_hand("n4", &command);
    console
        .until_seen("it is in step", 30, |view| {
            member(view, &n4)["state"] == "in_step"
        })
        .await;
    console.done(&act("promote", &n4)).await;
    console.done(&act("transfer", &n4)).await;
    let members = cluster.members("n1").await;
    assert!(
        members.iter().all(|(_, _, learner)| !learner),
        "{members:?}"
    );
    let told = cluster.status("n1").await.unwrap();
    assert_eq!(etcd_cluster::hex(&told["leader"]), n4);

    assert!(has(
        &console.refused(&act("demote", &cluster.id("n1"))).await,
        "not-supported"
    ));
    assert!(has(
        &console.refused(&act("remove", &n4)).await,
        "is-leader"
    ));

    console.done(&act("defragment", &cluster.id("n2"))).await;
    let last = console.preview(&act("defragment", &n4)).await;
    let warnings = crate::console::rules(&last["checks"], "warn");
    assert!(has(&warnings, "leader-last"), "{warnings:?}");

    let gone = cluster.id("n1");
    let change = console
        .end(&console.accepted(&act("remove", &gone)).await)
        .await;
    assert_eq!(change["state"], "succeeded", "{change}");
    let by_hand = note(&change, "The process of n1 ");
    assert!(
        by_hand.contains("--data-dir") && by_hand.contains(&cluster.node("n1").peer),
        "{by_hand}"
    );
    // It ends by itself, as the note says.
    until("its process ends", 60, async || {
        (!cluster.node_mut("n1").process.runs()).then_some(())
    })
    .await;
    let members = cluster.members("n2").await;
    assert_eq!(members.len(), 3);
    console.done(&json!({ "action": "snapshot" })).await;
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_03_leadership_is_not_handed_to_a_dead_member_of_etcd() {
    let Some(mut cluster) = etcd_cluster::start(Shape::default()).await else {
        return;
    };
    let console = console(&cluster).await;
    let before = leader(&cluster).await;
    let dead = cluster.follower().await;
    let id = cluster.id(&dead);
    cluster.node_mut(&dead).process.kill();
    console
        .until_seen("it is missed", 60, |view| {
            finding(view, "member-unreachable", &id).is_some()
        })
        .await;
    assert!(has(
        &console.refused(&act("transfer", &id)).await,
        "target-not-seen"
    ));
    assert_eq!(leader(&cluster).await, before);
    assert_eq!(cluster.put(&before, "still", 10).await.0, 200);
    // What is dead may go: the majority of those that are left answers.
    console.done(&act("remove", &id)).await;
    assert_eq!(cluster.members(&before).await.len(), 2);
    console.running.stop().await;
}
