//! No secret in any log line or answer but the one that gives it: a whole round of signing in,
//! tokens, a change and failures, with everything logged that can be logged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use quorate_domain::permission::Duty;
use serde_json::json;
use support::{Form as _, Running, cookie};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything at its most talkative, but for the test's own HTTP client's wires.
const EVERYTHING: &str =
    "trace,hyper=info,hyper_util=info,h2=info,reqwest=info,rustls=info,mio=info";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_log_or_in_an_answer_that_does_not_give_it() {
    let logs = Captured::default();
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(EVERYTHING));
    log.json().with_writer(logs.clone()).init();
    let console = Running::start().await;
    let mut answers = String::new();

    let link = console.account("admin", Duty::Admin).await;
    let response = console
        .get(&format!("/sign-in/link/{link}"))
        .send()
        .await
        .unwrap();
    let session = cookie(&response);
    answers.push_str(&response.text().await.unwrap());
    let password = "correct-horse-battery-staple";
    let wrong = "a-wrong-password-of-mine";
    for request in [
        console.get(&format!("/sign-in/link/{link}")),
        console.get(&format!("/nowhere/sign-in/link/{link}")),
        console
            .post("/password")
            .header("cookie", &session)
            .form(&[("new", password)]),
        console
            .post("/password")
            .header("cookie", &session)
            .form(&[("current", wrong), ("new", password)]),
        console
            .post("/sign-in")
            .form(&[("name", "admin"), ("password", wrong)]),
        console
            .post("/sign-in")
            .form(&[("name", "admin"), ("password", password)]),
        console
            .post("/api/ui/access")
            .header("cookie", &session)
            .json(&json!({})),
        console
            .post("/api/ui/page")
            .header("cookie", &session)
            .json(&json!({ "topic": password })),
    ] {
        let response = request.send().await.unwrap();
        answers.push_str(&format!("{:?}", response.headers().get("location")));
        answers.push_str(&response.text().await.unwrap());
    }

    let token = console.token(Duty::Admin).await;
    let view = console
        .get("/api/v1/clusters/sim")
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let view = support::json(view).await;
    let wish =
        json!({ "action": "promote", "member": "n4", "reason": "x", "revision": view["revision"] });
    let asked = console
        .call("POST", "/api/v1/clusters/sim/changes")
        .bearer_auth(&token);
    let accepted = support::json(asked.json(&wish).send().await.unwrap()).await;
    let path = format!("/api/v1/changes/{}", accepted["id"].as_str().unwrap());
    support::until("the change's end", async || {
        let change = console.get(&path).bearer_auth(&token).send().await.unwrap();
        support::json(change).await["state"] == "succeeded"
    })
    .await;
    for path in [
        "/api/v1/clusters",
        "/api/v1/audit",
        "/api/v1/changes",
        "/api/v1/nothing",
        &path,
    ] {
        let response = console.get(path).bearer_auth(&token).send().await.unwrap();
        answers.push_str(&response.text().await.unwrap());
    }
    for path in [
        "/",
        "/audit",
        "/access",
        "/changes",
        "/clusters/sim",
        "/nowhere",
    ] {
        let response = console
            .get(path)
            .header("cookie", &session)
            .send()
            .await
            .unwrap();
        answers.push_str(&response.text().await.unwrap());
    }
    answers.push_str(
        &console
            .get("/metrics")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
    );

    let logs = String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
    assert!(
        logs.contains("/sign-in/link/***"),
        "the requests were not logged at all"
    );
    let session_id = session.split_once('=').unwrap().1;
    for (what, secret) in [
        ("link", link.as_str()),
        ("session", session_id),
        ("password", password),
        ("wrong password", wrong),
        ("token", token.as_str()),
    ] {
        for (place, text) in [("logs", &logs), ("answers", &answers)] {
            if let Some(at) = text.find(secret) {
                let from = at.saturating_sub(300);
                panic!(
                    "the {what} is in the {place}: …{}",
                    &text[from..(at + 100).min(text.len())]
                );
            }
        }
    }
    let data = console.data.path().join("data");
    for entry in std::fs::read_dir(&data).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            let content = std::fs::read(entry.path()).unwrap();
            for secret in [link.as_str(), session_id, password, wrong, token.as_str()] {
                let found = content
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!found, "a secret is in {}", entry.path().display());
            }
        }
    }
}
