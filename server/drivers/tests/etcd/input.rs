//! Answers nobody should believe: cut off, of the wrong type, absurd, or a lie.

use std::{sync::Arc, time::Instant};

use quorate_domain::{
    observation::{Answer, Observation},
    preflight::ReasonCode,
    view::LeaderStatus,
};
use quorate_drivers::{Driver, connect};
use serde_json::{Value, json};

use super::{
    checks::{DEADLINE, claims, report},
    connection, refusals,
    replay::{Lines, Replay, recording},
    transfer, view,
};

const STATUS: &str = "POST /v3/maintenance/status";
const LIST: &str = "POST /v3/cluster/member/list";
const VARIABLES: &str = "GET /debug/vars";

fn recorded(name: &str) -> Value {
    recording(&format!("etcd-3.4.23/{name}"))
}

fn id(name: &str) -> String {
    recorded("members")[name]["id"].as_str().unwrap().to_owned()
}

async fn three_voters_and_a_learner() -> (Replay, Arc<dyn Driver>) {
    let node = |name: &'static str| {
        let port = u16::try_from(recorded("members")[name]["port"].as_u64().unwrap()).unwrap();
        let mut lines = Lines::new();
        for (line, file) in [(STATUS, "status"), (LIST, "list"), (VARIABLES, "variables")] {
            lines.insert(line.to_owned(), format!("etcd-3.4.23/{file}-{name}").leak());
        }
        (name, port, lines)
    };
    let replay = Replay::start(["n1", "n2", "n3", "n4"].map(node).to_vec()).await;
    let driver = connect(connection(vec![replay.address("n1"), replay.address("n2")])).unwrap();
    (replay, driver)
}

async fn look(driver: &Arc<dyn Driver>) -> Observation {
    let start = Instant::now();
    let seen = driver.observe(DEADLINE).await;
    // Far beyond the deadline, for busy machines; it ends.
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    seen
}

#[tokio::test]
async fn unreadable_answers_of_one_member_cost_its_own_words_only() {
    let (replay, driver) = three_voters_and_a_learner().await;
    let good = recorded("status-n3")["response"]["body"].clone();
    let changed = |key: &str, value: Value| {
        let mut told = good.clone();
        told[key] = value;
        told.to_string()
    };
    let whole = good.to_string();
    let bad = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "<html>".to_owned(),
        whole[..whole.len() / 2].to_owned(),
        changed("header", json!({ "member_id": "0", "cluster_id": "1" })),
        changed("header", json!([])),
        changed("raftIndex", json!("-1")),
        changed("raftIndex", json!("18446744073709551616")),
        changed("raftTerm", json!("1e400")),
        changed("leader", json!({ "id": 7 })),
        changed("isLearner", json!("perhaps")),
        changed("version", json!("3.4\u{202e}32")),
        changed("version", json!("v".repeat(100_000))),
        changed("errors", json!("none")),
        " ".repeat(3 * 1024 * 1024),
    ];
    for body in bad {
        replay.tell("n3", STATUS, &body);
        let seen = look(&driver).await;
        let excerpt = &body[..body.len().min(80)];
        assert!(
            matches!(report(&seen, &id("n3")).answer, Answer::Misread(_)),
            "{excerpt}: {seen:#?}"
        );
        assert_eq!(claims(&seen), [id("n1")], "{excerpt}");
        assert_eq!(
            seen.membership.as_ref().unwrap().members.len(),
            4,
            "{excerpt}"
        );
        assert_eq!(view(&seen).leader.status, LeaderStatus::Agreed, "{excerpt}");
    }
}

#[tokio::test]
async fn an_unreadable_list_of_the_leader_is_not_believed() {
    let (replay, driver) = three_voters_and_a_learner().await;
    look(&driver).await;
    let mut doubled = recorded("list-n1")["response"]["body"].clone();
    doubled["members"][0]["ID"] = json!("x");
    for body in [
        "{}",
        r#"{"members":[]}"#,
        r#"{"members":7}"#,
        &doubled.to_string(),
    ] {
        replay.tell("n1", LIST, body);
        let seen = look(&driver).await;
        assert!(
            matches!(report(&seen, &id("n1")).answer, Answer::Misread(_)),
            "{body}"
        );
        assert_eq!(seen.membership.as_ref().unwrap().members.len(), 4, "{body}");
    }
}

#[tokio::test]
async fn absurd_figures_are_shown_and_break_nothing() {
    let (replay, driver) = three_voters_and_a_learner().await;
    let mut far = recorded("status-n3")["response"]["body"].clone();
    far["raftIndex"] = json!(u64::MAX.to_string());
    far["raftAppliedIndex"] = json!(u64::MAX.to_string());
    replay.tell("n3", STATUS, &far.to_string());
    let mut behind = recorded("status-n4")["response"]["body"].clone();
    behind["raftAppliedIndex"] = json!("0");
    replay.tell("n4", STATUS, &behind.to_string());
    for variables in [
        "{}",
        r#"{"raft.status":{"id":"zz","progress":{"":{"match":-1}}}}"#,
        "[",
        "0",
    ] {
        replay.tell("n1", VARIABLES, variables);
        let seen = look(&driver).await;
        let shown = view(&seen);
        assert_eq!(shown.leader.status, LeaderStatus::Agreed);
        let learner = shown.member(&id("n4").as_str().into()).unwrap();
        assert!(learner.lag.is_some_and(|lag| lag > 10));
        assert_eq!(seen.progress.len(), 0, "{variables}");
    }
}

#[tokio::test]
async fn a_member_that_lies_about_its_leader_makes_it_disputed_and_changes_are_refused() {
    let (replay, driver) = three_voters_and_a_learner().await;
    let mut lie = recorded("status-n3")["response"]["body"].clone();
    lie["leader"] = lie["header"]["member_id"].clone();
    for term in ["2", "3", "18446744073709551615"] {
        lie["raftTerm"] = json!(term);
        replay.tell("n3", STATUS, &lie.to_string());
        let seen = look(&driver).await;
        let shown = view(&seen);
        let honest = shown.leader.status == LeaderStatus::Agreed
            && shown.leader.member.as_ref().map(|id| id.as_str()) == Some(&id("n1"));
        assert!(
            honest || shown.leader.status == LeaderStatus::Disputed,
            "{term}: {:?}",
            shown.leader
        );
        assert!(!shown.is_led_by(&id("n3").as_str().into()), "{term}");
        if !honest {
            let refused = refusals(&seen, &transfer(&id("n2")));
            assert!(
                refused.contains(&ReasonCode::NoAgreedLeader),
                "{term}: {refused:?}"
            );
        }
        assert_eq!(seen.membership.as_ref().unwrap().members.len(), 4);
    }
}

#[tokio::test]
async fn a_member_that_says_it_is_another_is_not_taken_for_it() {
    let (replay, driver) = three_voters_and_a_learner().await;
    look(&driver).await;
    let other = recorded("status-n2")["response"]["body"].to_string();
    replay.tell("n3", STATUS, &other);
    let seen = look(&driver).await;
    let Answer::Misread(why) = &report(&seen, &id("n3")).answer else {
        panic!("{seen:#?}")
    };
    assert!(why.contains("another member"), "{why}");
    assert!(report(&seen, &id("n2")).answered());
    assert_eq!(view(&seen).quorum.answering, 2);
}
