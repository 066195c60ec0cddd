//! `quorate serve` in front of a real cluster whose only seed dies between two starts.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use quorate_demo::supervisor::{Demo, Options};
use serde_json::Value;

use crate::support;

#[allow(dead_code)]
#[path = "../../drivers/tests/discovery/relay.rs"]
mod relay;

use relay::Relay;

const PATIENCE: Duration = Duration::from_secs(90);

fn quorate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

/// A console as a process.
struct Serving {
    process: Child,
    address: String,
}

impl Serving {
    async fn start(config: &Path, data: &Path) -> Self {
        let noted = data.join("address");
        let _none_yet = std::fs::remove_file(&noted);
        let process = Command::new(env!("CARGO_BIN_EXE_quorate"))
            .args(["serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut serving = Self {
            process,
            address: String::new(),
        };
        let end = Instant::now() + PATIENCE;
        while serving.address.is_empty() {
            assert!(Instant::now() < end, "the console never listened");
            tokio::time::sleep(Duration::from_millis(50)).await;
            serving.address = std::fs::read_to_string(&noted).unwrap_or_default();
        }
        serving
    }

    /// Waits until it shows three members that answer.
    async fn sees_all(&self, token: &str) {
        let url = format!("{}api/v1/clusters/real", self.address);
        let http = support::client();
        let end = Instant::now() + PATIENCE;
        loop {
            let asked = http.get(&url).bearer_auth(token).send().await;
            let view: Value = match asked {
                Ok(answer) => answer.json().await.unwrap_or_default(),
                Err(_) => Value::Null,
            };
            let members = view["members"].as_array().cloned().unwrap_or_default();
            if members.len() == 3 && members.iter().all(|member| member["answering"] == true) {
                return;
            }
            assert!(
                Instant::now() < end,
                "never seen: three that answer; {view}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn stop(mut self) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.unwrap().success());
        self.process.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_started_anew_while_its_seed_is_dead_finds_members_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (
        folder.path().join("data"),
        folder.path().join("quorate.toml"),
    );
    let demo = Demo::start(Options {
        data: folder.path().join("nodes"),
        voters: 3,
        learners: 0,
        spares: 0,
        restart_after: Duration::ZERO,
        node_program: PathBuf::from(env!("CARGO_BIN_EXE_quorate")),
    })
    .await
    .unwrap();
    let node: url::Url = demo.seeds()[0].parse().unwrap();
    let relay = Relay::to(node.socket_addrs(|| None).unwrap()[0]).await;
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, demo.token()).unwrap();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"{}\"\n[[clusters]]\nname = \"real\"\n\
         kind = \"agent\"\nseeds = [\"http://127.0.0.1:{}\"]\ntoken_file = \"{}\"\n",
        data.display(),
        relay.port,
        token_file.display()
    );
    std::fs::write(&config, text).unwrap();
    let made = quorate(&[
        "token",
        "create",
        "looks",
        "--role",
        "viewer",
        "--config",
        &config.display().to_string(),
    ]);
    let printed = String::from_utf8(made.stdout).unwrap();
    let token = printed.lines().last().unwrap();

    let console = Serving::start(&config, &data).await;
    console.sees_all(token).await;
    console.stop();
    drop(relay);
    let console = Serving::start(&config, &data).await;
    console.sees_all(token).await;
    console.stop();
}

#[test]
fn the_check_has_one_line_for_a_source_and_names_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    // No test is ever given this port, and nobody listens there.
    let seed = "consul:http://127.0.0.1:1/raft";
    let text = format!("[[clusters]]\nname = \"real\"\nkind = \"agent\"\nseeds = [\"{seed}\"]\n");
    let config = folder.path().join("quorate.toml");
    std::fs::write(&config, text).unwrap();
    let checked = quorate(&["check", "--config", &config.display().to_string()]);
    let printed = String::from_utf8(checked.stdout).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(checked.status.code(), Some(1), "{printed}");
    let [line] = lines.as_slice() else {
        panic!("{printed}")
    };
    let expected = format!("FAIL  real  connection-refused: {seed} does not tell");
    assert!(line.starts_with(&expected), "{line}");
}
