//! A console that is killed while it writes to the audit log: what was acknowledged is there, and
//! the log is still what was signed.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use quorate_control::Control;
use quorate_domain::audit::Filter;
use serde_json::json;

use crate::support::{client, until};

const WRITERS: usize = 8;

fn quorate(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    let output = command.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{output:?}");
    said
}

struct Served(Child);

impl Served {
    async fn start(config: &str, data: &Path) -> (Self, String) {
        let address = data.join("address");
        let _ = std::fs::remove_file(&address);
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(["serve", "--config", config]);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .stdin(Stdio::null());
        let served = Self(command.spawn().unwrap());
        let mut base = String::new();
        until("the console is ready", async || {
            base = std::fs::read_to_string(&address).unwrap_or_default();
            let ready = client().get(format!("{base}readyz")).send().await;
            ready.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        (served, base)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Entries that say that an export was made, and all entries.
async fn recorded(data: &Path) -> (u64, u64) {
    let control = Control::offline(data.to_owned()).await.unwrap();
    let who = control.command_line_operator();
    let (mut exports, mut after) = (0, 0);
    loop {
        let page = control
            .audit(&who, &Filter::default(), after, 1_000)
            .await
            .unwrap();
        for entry in &page.items {
            assert_eq!(entry.seq, after + 1, "no number is missing");
            after = entry.seq;
            exports += u64::from(entry.action == "audit_exported");
        }
        if page.next.is_none() {
            return (exports, after);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_kill_nine() {
    let slow = std::env::var_os("QUORATE_TEST_SLOW").is_some();
    let desk = tempfile::tempdir().unwrap();
    let data = desk.path().join("data");
    let config = desk.path().join("quorate.toml").display().to_string();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {:?}\n",
        data.display().to_string()
    );
    std::fs::write(&config, text).unwrap();
    let made = quorate(&[
        "token", "create", "auditor", "--role", "auditor", "--config", &config,
    ]);
    let token = made.lines().last().unwrap().to_owned();
    let acknowledged = Arc::new(AtomicU64::new(0));
    for round in 0..if slow { 40 } else { 3 } {
        let (mut served, base) = Served::start(&config, &data).await;
        let before = acknowledged.load(Ordering::SeqCst);
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let (token, counted) = (token.clone(), Arc::clone(&acknowledged));
                let url = format!("{base}api/v1/audit/exports");
                tokio::spawn(async move {
                    let http = client();
                    let body = json!({ "format": "jsonl", "kind": "console" });
                    while let Ok(answer) =
                        http.post(&url).bearer_auth(&token).json(&body).send().await
                    {
                        assert_eq!(answer.status(), 200);
                        counted.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        until("some were acknowledged", async || {
            acknowledged.load(Ordering::SeqCst) >= before + 20 + 7 * (round % 5)
        })
        .await;
        served.0.kill().unwrap();
        for writer in writers {
            writer.await.unwrap();
        }
        drop(served);
        let (exports, entries) = recorded(&data).await;
        assert!(
            exports >= acknowledged.load(Ordering::SeqCst),
            "round {round}"
        );
        let said = quorate(&["audit", "verify", &data.display().to_string()]);
        assert!(said.contains("proved "), "{entries} entries: {said}");
    }
}
