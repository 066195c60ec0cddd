//! The Go example's cluster: three hosts and a spare one, each a process, many groups.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub const TOKEN: &str = "a-token-for-tests";

/// The example, built once for all tests of this program. What Go has built before is not built
/// again. The tag lets Dragonboat be cut off from the others within its process.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../agents/dragonboat");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dragonboat-example");
        let built = Command::new("go")
            .args(["build", "-tags", "dragonboat_monkeytest", "-o"])
            .arg(&target)
            .arg("./example")
            .current_dir(module)
            .env("CGO_ENABLED", "0")
            .status()
            .expect("the Go toolchain is needed: `go` 1.25 or newer on the path");
        assert!(built.success(), "the example does not build");
        target
    })
}

struct Host {
    origin: String,
    pid: Pid,
}

pub struct Hosts {
    pub dir: TempDir,
    /// How many groups they run.
    pub groups: u32,
    hosts: BTreeMap<String, Host>,
    pub http: reqwest::Client,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Hosts {
    /// `host-1` to `host-3` run all groups, `host-4` none.
    pub fn start(groups: u32) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = TempDir::new().unwrap();
        let mut child = Command::new(program())
            .args(["cluster", "--rtt", "40", "--registry"])
            .args(["--groups", &groups.to_string(), "--dir"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let hosts: BTreeMap<String, Host> =
            lines.take(4).map(|line| host(&line.unwrap())).collect();
        assert_eq!(hosts.len(), 4, "the hosts did not start");
        Self {
            dir,
            groups,
            hosts,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            stdin: child.stdin.take(),
            child,
        }
    }

    pub fn origin(&self, name: &str) -> String {
        self.hosts[name].origin.clone()
    }

    pub fn signal(&self, name: &str, signal: Signal) {
        kill_process(self.hosts[name].pid, signal).unwrap();
    }

    /// A switch of one host: it speaks to Dragonboat itself, past the agent and its rules.
    pub async fn switch(&self, name: &str, switch: &str) -> Value {
        let url = format!("{}/switches/{switch}", self.hosts[name].origin);
        let response = self.http.get(url).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{switch} at {name}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// What Dragonboat itself says of the first group.
    pub async fn truth(&self, name: &str) -> Value {
        self.switch(name, "truth?shard=1").await
    }
}

/// `host-1  http://127.0.0.1:43117  raft 127.0.0.1:38561  pid 4711`
fn host(line: &str) -> (String, Host) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let pid = Pid::from_raw(words[5].parse().unwrap()).unwrap();
    let origin = words[1].to_owned();
    (words[0].to_owned(), Host { origin, pid })
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in self.hosts.values() {
            let _ = kill_process(host.pid, Signal::CONT);
        }
        // The hosts end with the program that started them, and that with its input.
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
