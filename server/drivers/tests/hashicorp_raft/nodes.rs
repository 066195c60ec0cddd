//! Nodes of the Go example program, each a process of its own, put together through their agents.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU16, Ordering},
    },
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const TOKEN: &str = "a-token-for-tests";
pub const READ_TOKEN: &str = "a-token-to-look";

/// The example, built once for all tests of this program. What Go has built before is not built
/// again.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../agents/hashicorp-raft");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hashicorp-raft-example");
        let built = Command::new("go")
            .args(["build", "-o"])
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

/// A port whose successor is free too, below those the system gives out.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 1000).unwrap() * 4;
    loop {
        let port = 26000 + (start + NEXT.fetch_add(2, Ordering::Relaxed)) % 6000;
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + 1) {
            return port;
        }
    }
}

pub struct Node {
    child: Child,
    /// The node ends when this is closed.
    stdin: Option<ChildStdin>,
    port: u16,
}

impl Node {
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port + 1)
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = kill_process(Pid::from_child(&self.child), Signal::CONT);
        let _ = self.child.wait();
    }
}

pub struct Nodes {
    pub dir: TempDir,
    pub running: BTreeMap<String, Node>,
    pub http: reqwest::Client,
}

impl Nodes {
    /// One node that is a cluster.
    pub fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        std::fs::write(dir.path().join("read-token"), READ_TOKEN).unwrap();
        let mut nodes = Self {
            dir,
            running: BTreeMap::new(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        nodes.run_somewhere("a", true);
        nodes
    }

    /// Another one, of no cluster yet.
    pub fn newcomer(&mut self, id: &str) -> String {
        self.run_somewhere(id, false);
        self.running[id].origin()
    }

    pub fn kill(&mut self, id: &str) -> u16 {
        self.running.remove(id).expect("it runs").port
    }

    pub fn restart(&mut self, id: &str, port: u16) {
        // Whoever was killed may hold its port and its files for a moment longer.
        let started = (0..50).any(|_| {
            let started = self.run(id, port, false);
            if !started {
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            started
        });
        assert!(started, "{id} did not start again");
    }

    /// Somebody else may take a port between its being found free and its being used.
    fn run_somewhere(&mut self, id: &str, bootstrap: bool) {
        let started = (0..10).any(|_| self.run(id, free_port(), bootstrap));
        assert!(started, "{id} did not start");
    }

    /// Whether it started.
    fn run(&mut self, id: &str, port: u16, bootstrap: bool) -> bool {
        let mut command = Command::new(program());
        command
            .args(["serve", "-with-parent", "-timeout", "500ms", "-id", id])
            .args(["-raft", &format!("127.0.0.1:{port}")])
            .arg("-dir")
            .arg(self.dir.path().join(id))
            .arg("-token-file")
            .arg(self.dir.path().join("token"))
            .arg("-read-token-file")
            .arg(self.dir.path().join("read-token"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if bootstrap {
            command.arg("-bootstrap");
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let stdin = child.stdin.take();
        let node = Node { child, stdin, port };
        let started = line.contains("http://");
        if started {
            self.running.insert(id.to_owned(), node);
        }
        started
    }

    pub fn origins(&self) -> Vec<String> {
        self.running.values().map(Node::origin).collect()
    }

    /// What Raft itself says, past the agent.
    pub async fn own_words(&self, id: &str) -> Value {
        let url = format!("{}/raft", self.running[id].origin());
        let response = self.http.get(url).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// Switches faults of one node on; what is not named is switched off.
    pub async fn fault(&self, id: &str, faults: Value) {
        self.post(id, "faults", faults).await;
    }

    /// Has whoever leads write so many entries a second.
    pub async fn load(&self, per_second: u32) {
        for id in self.running.keys() {
            self.post(id, "load", json!({ "per_second": per_second }))
                .await;
        }
    }

    async fn post(&self, id: &str, path: &str, body: Value) {
        let url = format!("{}/{path}", self.running[id].origin());
        let request = self.http.post(url).bearer_auth(TOKEN).json(&body);
        let status = request.send().await.unwrap().status();
        assert!(status.is_success(), "{path} at {id}: {status}");
    }
}
