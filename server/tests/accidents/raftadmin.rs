//! raftadmin on real nodes, changed through the whole console: what the library would do without
//! a word is refused, and what stands open to everybody is said.

use quorate_domain::cluster::Kind;
use quorate_drivers::{Connection, Lookups, connect};
use serde_json::{Value, json};
use std::time::Duration;

use crate::{
    console::{Console, act, finding, member, rules, until},
    raftadmin_nodes::Nodes,
};

async fn console(nodes: &Nodes) -> Console {
    let connection = Connection {
        name: "real".to_owned(),
        kind: Kind::Raftadmin,
        seeds: nodes.seeds(),
        token: None,
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: Lookups::default(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(15),
    };
    Console::watching(Kind::Raftadmin, connect(connection).unwrap()).await
}

fn add(address: &str, id: &str) -> Value {
    json!({ "action": "add_learner", "address": address, "member": id })
}

fn has(rules: &[String], rule: &str) -> bool {
    rules.iter().any(|code| code == rule)
}

/// Asks for a change until the cluster shows it. On a busy machine leadership may move at any
/// moment; what was then refused or lost is asked for anew.
async fn done(console: &Console, action: &Value, holds: impl Fn(&Value) -> bool) {
    until(&format!("{action}"), 120, async || {
        let (status, answer) = console.submit(action).await;
        if status == 202 {
            console.end(answer["id"].as_str().unwrap()).await;
        }
        holds(&console.view().await).then_some(())
    })
    .await;
}

/// Raft's own word on who votes.
async fn voters(nodes: &Nodes, at: &str) -> Vec<String> {
    let words = nodes.own_words(at).await;
    let servers = words["servers"].as_array().unwrap().iter();
    let mut voters: Vec<String> = servers
        .filter(|server| server["Suffrage"] == 0)
        .map(|server| server["ID"].as_str().unwrap().to_owned())
        .collect();
    voters.sort();
    voters
}

#[tokio::test(flavor = "multi_thread")]
async fn raftadmin_is_changed_by_the_console_and_kept_from_what_it_would_do_without_a_word() {
    let mut nodes = Nodes::steady();
    let console = console(&nodes).await;
    let role = |view: &Value, id: &str| member(view, id)["role"].clone();

    // It records whatever id and address it is told; so the id must be given.
    let address = nodes.newcomer("b");
    let nameless = json!({ "action": "add_learner", "address": address });
    assert!(has(&console.refused(&nameless).await, "id-not-given"));
    done(&console, &add(&address, "b"), |view| {
        role(view, "b") == "learner"
    })
    .await;
    let in_step = |view: &Value| member(view, "b")["state"] == "in_step";
    console.until_seen("b is in step", 60, in_step).await;

    // Leadership would go to whoever wins, an unknown id would be "removed", both with success.
    assert!(has(
        &console.refused(&act("transfer", "b")).await,
        "target-not-voter"
    ));
    let (status, problem) = console.submit(&act("remove", "x")).await;
    assert_eq!(status, 404, "{problem}");
    // A vote for a member that is not there would end the quorum for good.
    done(&console, &add("127.0.0.1:1", "absent"), |view| {
        role(view, "absent") == "learner"
    })
    .await;
    assert!(has(
        &console.refused(&act("promote", "absent")).await,
        "member-not-seen"
    ));
    done(&console, &act("remove", "absent"), |view| {
        member(view, "absent").is_null()
    })
    .await;

    done(&console, &act("promote", "b"), |view| {
        role(view, "b") == "voter"
    })
    .await;
    assert_eq!(voters(&nodes, "a").await, ["a", "b"]);
    let led_by_b = |view: &Value| view["leader"]["member"] == "b";
    done(&console, &act("transfer", "b"), led_by_b).await;
    // A leader that is removed or demoted would shut its own Raft down.
    for verb in ["demote", "remove"] {
        let rules = console.refused(&act(verb, "b")).await;
        assert!(
            has(&rules, "is-leader") || has(&rules, "last-voter"),
            "{rules:?}"
        );
    }
    // Without a single entry since the start the library writes none.
    nodes.load(200).await;
    until("something is written", 60, async || {
        let words = nodes.own_words("b").await;
        (words["applied_by_machine"].as_u64() > Some(0)).then_some(())
    })
    .await;
    nodes.load(0).await;
    until("a snapshot is taken", 120, async || {
        let (status, answer) = console.submit(&json!({ "action": "snapshot" })).await;
        if status != 202 {
            return None;
        }
        let change = console.end(answer["id"].as_str().unwrap()).await;
        (change["state"] == "succeeded").then_some(())
    })
    .await;
    done(&console, &act("remove", "a"), |view| {
        member(view, "a").is_null()
    })
    .await;
    assert_eq!(voters(&nodes, "b").await, ["b"]);
    for id in ["a", "b"] {
        let words = nodes.own_words(id).await;
        assert_eq!(
            words["open_operations"], 0,
            "every token is forgotten: {words}"
        );
    }
    console.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_38_who_may_do_what_at_raftadmin_is_a_standing_warning_and_no_door_of_ours() {
    let nodes = Nodes::steady();
    let console = console(&nodes).await;
    let warns = |view: &Value| {
        let mut findings = view["findings"].as_array().unwrap().iter();
        findings.any(|it| it["code"] == "no-authentication" && it["severity"] == "warn")
    };
    // It stands although nothing is wrong, and makes nothing worse.
    let view = console.until_seen("the warning", 30, warns).await;
    assert!(
        ["ok", "at_risk"].contains(&view["verdict"].as_str().unwrap()),
        "{view}"
    );

    // Our own door knows no such verbs, whoever asks.
    for verb in ["shutdown", "apply_log"] {
        let (status, problem) = console.submit(&act(verb, "a")).await;
        assert!((400..500).contains(&status), "{verb}: {status} {problem}");
    }
    let words = nodes.own_words("a").await;
    for harmful in ["/RaftAdmin/Shutdown", "/RaftAdmin/ApplyLog"] {
        assert!(words["called"][harmful].is_null(), "{words}");
    }

    // Anybody else needs no door.
    let http = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge();
    let url = format!("http://{}/RaftAdmin/Shutdown", nodes.running["a"].admin);
    let call = http.build().unwrap().post(url).body(vec![0; 5]);
    let call = call
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    assert_eq!(call.send().await.unwrap().status(), 200);
    let view = console
        .until_seen("its Raft is gone", 60, |view| {
            finding(view, "member-fault", "a").is_some()
        })
        .await;
    assert!(warns(&view));
    let preview = console.preview(&json!({ "action": "snapshot" })).await;
    assert!(!rules(&preview["checks"], "refuse").is_empty(), "{preview}");
    console.running.stop().await;
}
