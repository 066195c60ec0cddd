//! Nodes of the Go program, each a process of its own, put together through raftadmin alone.

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
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The program, built once for all tests of this process. What Go has built before is not built
/// again.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // The drivers' own tests run it, and the console's; maybe both at once.
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let own = here.join("tests/raftadmin_cluster");
        let module = if own.is_dir() {
            own
        } else {
            here.join("drivers/tests/raftadmin_cluster")
        };
        let name = concat!("raftadmin-cluster-", env!("CARGO_CRATE_NAME"));
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let built = Command::new("go")
            .args(["build", "-o"])
            .arg(&target)
            .arg(".")
            .current_dir(module)
            .env("CGO_ENABLED", "0")
            .status()
            .expect("the Go toolchain is needed: `go` 1.25 or newer on the path");
        assert!(built.success(), "the program does not build");
        target
    })
}

/// A port that is free now, below those the system gives out by itself.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 1500).unwrap() * 3;
    loop {
        let port = 20000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 5000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub struct Node {
    child: Child,
    /// The node ends when this is closed.
    stdin: Option<ChildStdin>,
    /// Where its Raft is.
    pub address: String,
    /// Where its raftadmin is.
    pub admin: String,
    control: String,
}

impl Node {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
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
    /// Heartbeat and election time-out of every node.
    timeout: &'static str,
    http: reqwest::Client,
}

impl Nodes {
    /// One node that is a cluster, with these arguments more.
    pub fn start(more: &[&str]) -> Self {
        Self::with_timeout("1s", more)
    }

    /// One whose leadership stays where it is on a machine that has much else to do.
    #[allow(dead_code)] // Only the console's own tests take it.
    pub fn steady() -> Self {
        Self::with_timeout("3s", &[])
    }

    fn with_timeout(timeout: &'static str, more: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy();
        let mut nodes = Self {
            dir: TempDir::new().unwrap(),
            running: BTreeMap::new(),
            timeout,
            http: http.timeout(Duration::from_secs(20)).build().unwrap(),
        };
        let mut arguments = vec!["-bootstrap"];
        arguments.extend(more);
        nodes.somewhere("a", &arguments);
        nodes
    }

    /// Another one, of no cluster yet. Its Raft address.
    pub fn newcomer(&mut self, id: &str) -> String {
        self.somewhere(id, &[]);
        self.running[id].address.clone()
    }

    /// Where it was.
    pub fn kill(&mut self, id: &str) -> String {
        self.running.remove(id).expect("it runs").address.clone()
    }

    pub fn restart(&mut self, id: &str, address: &str) {
        self.run(id, address, &[]).expect("it starts again");
    }

    /// Somebody else may take a port that was free a moment ago.
    fn somewhere(&mut self, id: &str, more: &[&str]) {
        for _ in 0..10 {
            let address = format!("127.0.0.1:{}", free_port());
            if self.run(id, &address, more).is_some() {
                return;
            }
        }
        panic!("{id} does not start");
    }

    fn run(&mut self, id: &str, listen: &str, more: &[&str]) -> Option<()> {
        let mut child = Command::new(program())
            .args(["-id", id, "-listen", listen, "-timeout", self.timeout])
            .arg("-dir")
            .arg(self.dir.path().join(id))
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "raft", address, "admin", admin, "control", control] = words[..] else {
            let _ = child.wait();
            return None;
        };
        let node = Node {
            stdin: child.stdin.take(),
            child,
            address: address.to_owned(),
            admin: admin.to_owned(),
            control: control.to_owned(),
        };
        self.running.insert(id.to_owned(), node);
        Some(())
    }

    pub fn seeds(&self) -> Vec<String> {
        let admins = self.running.values().map(|node| &node.admin);
        admins.map(|admin| format!("http://{admin}")).collect()
    }

    /// What Raft itself says, past raftadmin.
    pub async fn own_words(&self, id: &str) -> Value {
        let url = format!("http://{}/words", self.running[id].control);
        let response = self.http.get(url).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// Switches faults and load of one node on; what is not named is switched off.
    pub async fn switch(&self, id: &str, switches: Value) {
        let url = format!("http://{}/switches", self.running[id].control);
        let request = self.http.post(url).json(&switches);
        assert!(request.send().await.unwrap().status().is_success());
    }

    /// Has whoever leads write so many entries a second.
    pub async fn load(&self, per_second: u32) {
        for id in self.running.keys() {
            self.switch(id, json!({ "per_second": per_second })).await;
        }
    }
}
