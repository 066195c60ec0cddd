//! Accidents of openraft, and of two people at once, on the demo cluster: each node a process.
//! What is true is asked of the agents in the nodes.

use std::{path::PathBuf, process::Command, time::Duration};

use quorate_demo::supervisor::{Demo, NodeLine, Options};
use quorate_domain::{cluster::Kind, permission::Duty};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    console::{Console, act, driver, member, rules, until},
    support,
};

struct Stage {
    console: Console,
    demo: Demo,
    http: Client,
    _dir: TempDir,
}

impl Stage {
    /// Voters node-1 to node-3, the learner node-4, and node-5 there to be added.
    async fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            data: dir.path().join("nodes"),
            voters: 3,
            learners: 1,
            spares: 1,
            restart_after: Duration::ZERO,
            node_program: PathBuf::from(env!("CARGO_BIN_EXE_quorate")),
        };
        let demo = Demo::start(options).await.unwrap();
        let driver = driver(Kind::Agent, demo.seeds(), demo.token());
        Self {
            console: Console::watching(Kind::Agent, driver).await,
            demo,
            http: support::client(),
            _dir: dir,
        }
    }

    fn line(&self, id: &str) -> NodeLine {
        let mut lines = self.demo.lines().into_iter();
        lines.find(|line| line.id == id).unwrap()
    }

    fn signal(&self, signal: &str, id: &str) {
        let pid = self.line(id).pid.to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// What a node's agent says.
    async fn word(&self, line: &NodeLine) -> Option<Value> {
        let url = format!("{}/quorate/agent/v1/groups/default", line.url);
        let request = self.http.get(url).bearer_auth(self.demo.token());
        let sent = request.timeout(Duration::from_secs(1)).send().await.ok()?;
        sent.json().await.ok()
    }

    /// The word of the one that leads with a following.
    async fn truth(&self) -> Value {
        until("an agent that leads", 60, async || {
            for line in self.demo.lines() {
                let word = self.word(&line).await;
                let leads = |word: &Value| {
                    word["claims_leadership"] == true && word["membership"]["committed"] == true
                };
                if let Some(word) = word.filter(leads) {
                    return Some(word);
                }
            }
            None
        })
        .await
    }

    async fn leader(&self) -> String {
        self.truth().await["member"].as_str().unwrap().to_owned()
    }

    /// Voters that do not lead.
    async fn followers(&self) -> Vec<String> {
        let truth = self.truth().await;
        let voters = truth["membership"]["configs"][0].as_array().unwrap();
        let others = voters.iter().filter(|voter| **voter != truth["member"]);
        others
            .map(|voter| voter.as_str().unwrap().to_owned())
            .collect()
    }

    /// Somebody else changes the cluster, past the console.
    async fn past_the_console(&self, change: Value) {
        until("somebody else's change", 60, async || {
            let truth = self.truth().await;
            let leader = self.line(truth["member"].as_str().unwrap());
            let mut change = change.clone();
            change["expected_revision"] = truth["membership"]["revision"].clone();
            let url = format!("{}/quorate/agent/v1/groups/default/changes", leader.url);
            let request = self.http.post(url).bearer_auth(self.demo.token());
            let answer = request.json(&change).send().await.unwrap();
            // On a machine that is busy the leader may be without a following for a moment.
            answer.status().is_success().then_some(())
        })
        .await;
    }

    async fn end(self) {
        self.console.running.stop().await;
        self.demo.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_30_a_dead_learner_is_not_promoted() {
    let stage = Stage::set().await;
    let before = stage.truth().await["membership"].clone();
    stage.signal("-KILL", "node-4");
    stage
        .console
        .until_seen("node-4 is gone", 60, |view| {
            member(view, "node-4")["answering"] == false
        })
        .await;
    let rules = stage.console.refused(&act("promote", "node-4")).await;
    assert!(rules.contains(&"member-not-seen".to_owned()), "{rules:?}");
    assert_eq!(stage.truth().await["membership"], before);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_32_leadership_is_given_to_no_one_who_cannot_take_it() {
    let stage = Stage::set().await;
    let before = stage.truth().await;
    let leader = stage.leader().await;
    let frozen = stage.followers().await.remove(0);
    stage.signal("-STOP", &frozen);
    stage
        .console
        .until_seen("a voter is frozen", 60, |view| {
            member(view, &frozen)["answering"] == false
        })
        .await;
    for (target, rule) in [
        ("node-4", "target-not-voter"),
        (leader.as_str(), "target-is-leader"),
        (frozen.as_str(), "target-not-seen"),
    ] {
        let rules = stage.console.refused(&act("transfer", target)).await;
        assert!(rules.contains(&rule.to_owned()), "{target}: {rules:?}");
    }
    let (status, problem) = stage.console.submit(&act("transfer", "node-9")).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (404, Some("not-found")),
        "{problem}"
    );
    let after = stage.truth().await;
    assert_eq!(
        (&after["member"], &after["term"]),
        (&before["member"], &before["term"])
    );
    stage.signal("-CONT", &frozen);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_34_what_would_change_nothing_is_refused_and_moves_no_revision() {
    let stage = Stage::set().await;
    let before = stage.truth().await["membership"].clone();
    let follower = stage.followers().await.remove(0);
    let add = |address: String, id: Option<&str>| {
        let mut action = json!({ "action": "add_learner", "address": address });
        if let Some(id) = id {
            action["member"] = json!(id);
        }
        action
    };
    for (action, rule) in [
        (act("promote", &follower), "already-voter"),
        (act("demote", "node-4"), "already-learner"),
        (add(stage.line(&follower).url, None), "already-member"),
        (
            add(stage.line("node-5").url, Some("node-4")),
            "already-member",
        ),
    ] {
        let rules = stage.console.refused(&action).await;
        assert!(rules.contains(&rule.to_owned()), "{action}: {rules:?}");
    }
    assert_eq!(stage.truth().await["membership"], before);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_40_of_two_people_one_wins_and_a_dialog_left_open_is_told_what_moved() {
    let stage = Stage::set().await;
    let console = &stage.console;
    // The dialog is open, and somebody adds a member past the console.
    let promote = act("promote", "node-4");
    let fingerprint = console.preview(&promote).await["fingerprint"].clone();
    let address = stage.line("node-5").url;
    stage
        .past_the_console(json!({ "action": "add_learner", "address": address }))
        .await;
    let moved_to = stage.truth().await["membership"].clone();
    let (status, problem) = console
        .submit_on(&promote, "fingerprint", &fingerprint)
        .await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (409, Some("cluster-moved"))
    );
    let moved = problem["moved"].to_string();
    assert!(moved.contains("membership has changed"), "{moved}");
    assert_eq!(stage.truth().await["membership"], moved_to);

    // Two people see the same cluster and promote one learner each, at the same moment.
    let view = console
        .until_seen("both learners are level", 60, |view| {
            let led = view["leader"]["status"] == "agreed";
            led && ["node-4", "node-5"].iter().all(|id| {
                let learner = member(view, id);
                learner["state"] == "in_step" && learner["lag"].is_u64()
            })
        })
        .await;
    let operator = console.running.token(Duty::Operator).await;
    let seen = &view["revision"];
    let other = act("promote", "node-5");
    let (one, two) = tokio::join!(
        console.submit_on(&promote, "revision", seen),
        console.submit_as(&operator, &other, "revision", seen),
    );
    let ((202, won), (status, problem), winner) = (match one.0 {
        202 => (one, two, "node-4"),
        _ => (two, one, "node-5"),
    }) else {
        panic!("nobody won")
    };
    match status {
        409 => assert!(
            !problem["moved"].as_array().unwrap().is_empty(),
            "{problem}"
        ),
        422 => {
            let rules = rules(&problem["checks"], "refuse");
            assert!(rules.contains(&"change-running".to_owned()), "{problem}");
        }
        _ => panic!("both were taken, or the second failed otherwise: {status} {problem}"),
    }
    let change = console.end(won["id"].as_str().unwrap()).await;
    assert_eq!(change["state"], "succeeded", "{change}");
    let voters = stage.truth().await["membership"]["configs"].clone();
    let expected = ["node-1", "node-2", "node-3", winner];
    assert_eq!(voters, json!([expected]));
    stage.end().await;
}
