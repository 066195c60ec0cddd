//! Changes that other people have to approve, as programs, commands and browsers meet them.

use std::process::{Command, Output};

use quorate_domain::{action::Verb, approval::Rule, permission::Duty};
use serde_json::{Value, json};

use crate::support::{Form as _, Running, json, until};

const HOUR_MS: u64 = 3_600_000;

/// A console on which a promotion needs one other person.
async fn console() -> Running {
    Running::with(|settings| {
        settings.approvals.rules = vec![Rule {
            clusters: vec!["*".to_owned()],
            tags: Vec::new(),
            actions: vec![Verb::Promote],
            approvals: 1,
            expires_after_ms: HOUR_MS,
            execute_within_ms: HOUR_MS,
        }];
    })
    .await
}

async fn post(console: &Running, token: &str, path: &str, body: &Value) -> (u16, Value) {
    let call = console.call("POST", &format!("/api/v1{path}")).json(body);
    let response = call.bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), json(response).await)
}

async fn get(console: &Running, token: &str, path: &str) -> Value {
    let call = console.get(&format!("/api/v1{path}")).bearer_auth(token);
    json(call.send().await.unwrap()).await
}

/// Asks for a promotion; the id of the change that waits.
async fn asks(console: &Running, token: &str) -> String {
    let action = json!({ "action": "promote", "member": "n4" });
    let (status, preview) = post(console, token, "/clusters/sim/preview", &action).await;
    assert_eq!(status, 200, "{preview}");
    assert_eq!(preview["approvals"]["needed"], 1);
    let body = json!({
        "action": "promote", "member": "n4", "fingerprint": preview["fingerprint"],
        "reason": "capacity",
    });
    let (status, accepted) = post(console, token, "/clusters/sim/changes", &body).await;
    assert_eq!(status, 202, "{accepted}");
    assert_eq!(accepted["state"], "waiting_approval");
    accepted["id"].as_str().unwrap().to_owned()
}

async fn ended(console: &Running, token: &str, id: &str) -> Value {
    until("the change's end", async || {
        let change = get(console, token, &format!("/changes/{id}")).await;
        change["ended_at"].is_string()
    })
    .await;
    get(console, token, &format!("/changes/{id}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_waits_is_listed_and_runs_when_another_token_approves_it() {
    let console = console().await;
    let operator = console.token(Duty::Operator).await;
    let approver = console.token(Duty::Approver).await;
    let id = asks(&console, &operator).await;
    let listed = get(&console, &operator, "/changes").await;
    assert_eq!(listed["items"][0]["id"], json!(id));
    assert_eq!(listed["items"][0]["state"], "waiting_approval");
    let digest = listed["items"][0]["approvals"]["digest"].clone();
    let path = |word: &str| format!("/changes/{id}/{word}");

    let (status, problem) = post(&console, &operator, &path("approve"), &json!({})).await;
    assert_eq!((status, &problem["code"]), (403, &json!("not-allowed")));
    let wrong = json!({ "digest": "00" });
    let (status, problem) = post(&console, &approver, &path("approve"), &wrong).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid")));
    let unknown = json!({ "because": "x" });
    let (status, problem) = post(&console, &approver, &path("approve"), &unknown).await;
    assert_eq!((status, &problem["code"]), (400, &json!("malformed")));
    assert!(console.cluster.sent().is_empty());

    let word = json!({ "reason": "looked at it", "digest": digest });
    let (status, change) = post(&console, &approver, &path("approve"), &word).await;
    assert_eq!(status, 200, "{change}");
    let given = &change["approvals"]["given"][0];
    assert_eq!(given["reason"], "looked at it");
    assert_eq!(given["by"]["name"], "approver-token");
    let change = ended(&console, &operator, &id).await;
    assert_eq!(change["state"], "succeeded", "{change}");
    assert_eq!(console.cluster.sent().len(), 1);
    let (status, problem) = post(&console, &approver, &path("approve"), &word).await;
    let code = json!("change-not-waiting");
    assert_eq!((status, &problem["code"]), (409, &code));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_has_a_form_for_who_may_decide_and_says_why_not_to_others() {
    let console = console().await;
    let operator = console.token(Duty::Operator).await;
    let id = asks(&console, &operator).await;
    let page = format!("/changes/{id}");
    let viewer = console.session(Duty::Viewer).await;
    let shown = html(&console, &viewer, &page).await;
    assert!(shown.contains("aria-disabled=\"true\"") && shown.contains("role approver"));
    assert!(!shown.contains(&format!("{page}/word")), "no form");

    let approver = console.session(Duty::Approver).await;
    let list = html(&console, &approver, "/changes").await;
    assert!(list.contains("Waiting for approval") && list.contains(&page));
    let shown = html(&console, &approver, &page).await;
    assert!(shown.contains(&format!("{page}/word")) && shown.contains("0 of 1"));
    let digest = get(&console, &operator, &page).await["approvals"]["digest"].clone();
    let digest = digest.as_str().unwrap();

    let word = async |cookie: &str, fields: &[(&str, &str)]| {
        let form = console.post(&format!("{page}/word")).form(fields);
        let answer = form.header("cookie", cookie).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    let approve = [("word", "approve"), ("digest", digest), ("reason", "")];
    let refused = word(&viewer, &approve).await;
    assert_eq!(refused, format!("{page}?problem=not-allowed"));
    let silent = [("word", "deny"), ("digest", digest)];
    let refused = word(&approver, &silent).await;
    assert_eq!(refused, format!("{page}?problem=invalid"));
    let told = html(&console, &approver, &refused).await;
    assert!(told.contains("Nothing was done: give a reason"));
    assert!(console.cluster.sent().is_empty());

    assert_eq!(word(&approver, &approve).await, page);
    let change = ended(&console, &operator, &id).await;
    assert_eq!(change["state"], "succeeded", "{change}");
    let over = html(&console, &approver, &page).await;
    assert!(over.contains("1 of 1") && !over.contains(&format!("{page}/word")));
}

async fn html(console: &Running, cookie: &str, path: &str) -> String {
    let page = console.get(path).header("cookie", cookie);
    let page = page.send().await.unwrap();
    assert_eq!(page.status(), 200, "{path}");
    page.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_wait_with_8_and_approve_deny_and_take_back() {
    let console = console().await;
    let operator = console.token(Duty::Operator).await;
    let approver = console.token(Duty::Approver).await;
    let ctl = async |token: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.arg("ctl").args(arguments);
        command
            .env("QUORATE_URL", &console.address)
            .env("QUORATE_TOKEN", token)
            .stdin(std::process::Stdio::null());
        let ran: Output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        (ran.status.code().unwrap(), said)
    };
    let promote = ["promote", "sim", "n4", "--reason", "capacity", "--yes"];
    let waits = [&promote[..], &["--wait"]].concat();
    let newest = async || {
        let listed = get(&console, &operator, "/changes").await;
        listed["items"][0]["id"].as_str().unwrap().to_owned()
    };

    let (code, said) = ctl(&operator, &promote).await;
    assert_eq!(code, 8, "{said}");
    let id = newest().await;
    assert_eq!(ctl(&approver, &["deny", &id]).await.0, 2);
    let (code, said) = ctl(&approver, &["deny", &id, "--reason", "not tonight"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("denied") && said.contains("not tonight"));

    let (code, said) = ctl(&operator, &waits).await;
    assert_eq!(code, 8, "{said}");
    assert!(
        said.contains("waiting_approval: approval: 0 of 1"),
        "{said}"
    );
    let id = newest().await;
    let (code, said) = ctl(&operator, &["approve", &id]).await;
    assert_eq!(code, 7, "{said}");
    let (code, said) = ctl(&operator, &["cancel", &id]).await;
    assert_eq!(code, 0, "{said}");

    ctl(&operator, &promote).await;
    let id = newest().await;
    let (code, said) = ctl(&approver, &["approve", &id, "--wait"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("succeeded"), "{said}");
    assert_eq!(console.cluster.sent().len(), 1);
}
