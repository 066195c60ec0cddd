//! Real etcd clusters for tests: fetched or built, started on free loopback ports, stopped by
//! pid. Knows nothing of the driver; asks the members by itself.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asked;
#[path = "../built/mod.rs"]
pub mod built;
mod process;
mod program;
mod wall;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;

pub use asked::hex;
pub use process::Process;
pub use program::Version;
// Only those tests name it that give each member a network of its own.
#[allow(unused_imports)]
pub use program::fetch;
use wall::{Gate, Wall};

/// How to make a cluster.
#[derive(Clone, Debug)]
pub struct Shape {
    pub version: Version,
    pub voters: usize,
    /// One more member, as a learner.
    pub learner: bool,
    /// A gate before every member's peer address, so that it can be cut off.
    pub gates: bool,
    /// Further options of every member.
    pub options: Vec<String>,
    /// `http`, or `https` for clients, with the certificates in the options.
    pub scheme: &'static str,
    /// The certificate and key by which this test itself is a client.
    pub identity: Option<String>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            version: Version::Old,
            voters: 3,
            learner: false,
            gates: true,
            options: Vec::new(),
            scheme: "http",
            identity: None,
        }
    }
}

pub struct Node {
    pub name: String,
    /// Where clients ask it.
    pub client: String,
    /// Where the other members reach it: its gate, if it has one.
    pub peer: String,
    /// Hexadecimal; empty until it runs.
    pub id: String,
    pub process: Process,
    listens: String,
    gate: Option<Gate>,
    data: PathBuf,
}

/// A running cluster; its processes end with it.
pub struct Cluster {
    pub nodes: Vec<Node>,
    pub shape: Shape,
    pub wall: Wall,
    /// Sent with every call, once authentication is on.
    pub token: Option<String>,
    program: PathBuf,
    dir: tempfile::TempDir,
    http: reqwest::Client,
}

/// A cluster, or a loud word why this test cannot run here. All but the oldest etcd take minutes
/// to build, so they are for the slow rounds.
pub async fn start(shape: Shape) -> Option<Cluster> {
    match program::fetch(shape.version).await {
        Ok(program) => Some(Cluster::form(program, shape).await),
        Err(why) => {
            eprintln!("\n!!! SKIPPED: no real etcd for this test: {why}\n");
            None
        }
    }
}

/// Whether the slow rounds are wanted.
#[must_use]
pub fn is_slow_round() -> bool {
    built::is_slow_round()
}

impl Cluster {
    async fn form(program: PathBuf, shape: Shape) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .no_proxy()
            .tls_danger_accept_invalid_certs(true)
            .timeout(Duration::from_secs(10));
        if let Some(identity) = &shape.identity {
            http = http.identity(reqwest::Identity::from_pem(identity.as_bytes()).unwrap());
        }
        let http = http.build().unwrap();
        let mut cluster = Self {
            nodes: Vec::new(),
            shape,
            wall: Wall::new(),
            token: None,
            program,
            dir: tempfile::tempdir().unwrap(),
            http,
        };
        for number in 1..=cluster.shape.voters {
            let node = cluster.new_node(&format!("n{number}")).await;
            cluster.nodes.push(node);
        }
        let all = cluster.peers();
        for at in 0..cluster.nodes.len() {
            let arguments = cluster.arguments(&cluster.nodes[at], &all, "new");
            cluster.nodes[at].process.start(&arguments);
        }
        cluster
            .until("all voters name a leader", 30, async |it| {
                it.leader().await.is_some()
            })
            .await;
        for at in 0..cluster.nodes.len() {
            cluster.learn_id(at).await;
        }
        cluster.accepts_changes().await;
        if cluster.shape.learner {
            let name = format!("n{}", cluster.nodes.len() + 1);
            cluster.add_learner(&name).await;
        }
        cluster
    }

    async fn new_node(&self, name: &str) -> Node {
        let (client, listens) = (free_port(), format!("127.0.0.1:{}", free_port()));
        let gate = match self.shape.gates {
            true => Some(self.wall.gate(listens.clone()).await),
            false => None,
        };
        let open = format!("http://{listens}");
        Node {
            name: name.to_owned(),
            client: format!("{}://127.0.0.1:{client}", self.shape.scheme),
            peer: gate
                .as_ref()
                .map_or(open.clone(), |gate| gate.address.clone()),
            id: String::new(),
            process: Process::new(&self.program, self.dir.path().join(format!("{name}.log"))),
            listens: open,
            gate,
            data: self.dir.path().join(name),
        }
    }

    fn peers(&self) -> String {
        let rows = self
            .nodes
            .iter()
            .map(|node| format!("{}={}", node.name, node.peer));
        rows.collect::<Vec<_>>().join(",")
    }

    fn arguments(&self, node: &Node, all: &str, state: &str) -> Vec<String> {
        let pairs = [
            ("--name", node.name.as_str()),
            ("--data-dir", node.data.to_str().unwrap()),
            ("--listen-client-urls", &node.client),
            ("--advertise-client-urls", &node.client),
            ("--listen-peer-urls", &node.listens),
            ("--initial-advertise-peer-urls", &node.peer),
            ("--initial-cluster", all),
            ("--initial-cluster-state", state),
            ("--initial-cluster-token", "quorate"),
            ("--logger", "zap"),
        ];
        let own = pairs
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value.to_owned()]);
        own.chain(self.shape.options.iter().cloned()).collect()
    }

    async fn learn_id(&mut self, at: usize) {
        let node = &self.nodes[at];
        let (status, told) = self.call(&node.name, "maintenance/status", json!({})).await;
        assert_eq!(status, 200, "{told}");
        let id = hex(&told["header"]["member_id"]);
        if let Some(gate) = &self.nodes[at].gate {
            gate.belongs_to(&id);
        }
        self.nodes[at].id = id;
    }

    /// For some seconds after a start etcd refuses changes. Adding an address that is there
    /// already changes nothing, and tells when that has passed.
    pub async fn accepts_changes(&self) {
        let taken = json!({ "peerURLs": [self.nodes[0].peer] });
        self.until("etcd takes changes", 30, async |it| {
            let Some(leader) = it.leader().await else {
                return false;
            };
            let (_, told) = it.call(&leader, "cluster/member/add", taken.clone()).await;
            told["message"]
                .as_str()
                .is_some_and(|text| text.contains("already exists"))
        })
        .await;
    }

    /// Adds a learner and starts it; returns its id once it answers.
    pub async fn add_learner(&mut self, name: &str) -> String {
        let node = self.newcomer(name).await;
        let leader = self.settled_leader().await;
        let body = json!({ "peerURLs": [node], "isLearner": true });
        let (status, told) = self.call(&leader, "cluster/member/add", body).await;
        assert_eq!(status, 200, "{told}");
        self.start_newcomer(name).await
    }

    /// A node that is no member and does not run; returns its peer address.
    pub async fn newcomer(&mut self, name: &str) -> String {
        let node = self.new_node(name).await;
        let peer = node.peer.clone();
        self.nodes.push(node);
        peer
    }

    /// Starts a node that was added; returns its id once it answers.
    pub async fn start_newcomer(&mut self, name: &str) -> String {
        let (all, at) = (self.peers(), self.at(name));
        let arguments = self.arguments(&self.nodes[at], &all, "existing");
        self.nodes[at].process.start(&arguments);
        self.until("the newcomer answers", 30, async |it| {
            it.status(name).await.is_some()
        })
        .await;
        self.learn_id(at).await;
        self.nodes[at].id.clone()
    }

    /// Starts a newcomer by a command for a shell, as an operator would.
    pub fn start_by_hand(&mut self, name: &str, command: &str) {
        let rest = command.strip_prefix("etcd ").expect("a command for etcd");
        let dir = self.dir.path().display();
        let line = format!("cd {dir} && exec {} {rest}", self.program.display());
        let log = self.dir.path().join(format!("{name}.log"));
        let mut shell = Process::new(Path::new("/bin/sh"), log);
        shell.start(&["-c".to_owned(), line]);
        self.node_mut(name).process = shell;
    }

    /// Starts a killed member again with its data.
    pub fn restart(&mut self, name: &str) {
        let (all, at) = (self.peers(), self.at(name));
        let arguments = self.arguments(&self.nodes[at], &all, "existing");
        self.nodes[at].process.start(&arguments);
    }

    pub fn at(&self, name: &str) -> usize {
        let found = self.nodes.iter().position(|node| node.name == name);
        found.unwrap_or_else(|| panic!("no node {name}"))
    }

    pub fn node(&self, name: &str) -> &Node {
        &self.nodes[self.at(name)]
    }

    pub fn node_mut(&mut self, name: &str) -> &mut Node {
        let at = self.at(name);
        &mut self.nodes[at]
    }

    pub fn id(&self, name: &str) -> String {
        self.node(name).id.clone()
    }

    /// Cuts a member off from the other members; clients still reach it.
    pub fn partition(&self, name: &str) {
        self.wall.cut(&self.node(name).id);
    }

    /// Waits for a condition, looking every 50 ms, and fails the test after `seconds`.
    pub async fn until(&self, what: &str, seconds: u64, holds: impl AsyncFn(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self).await {
            if start.elapsed() >= Duration::from_secs(seconds) {
                let logs: Vec<String> = self
                    .nodes
                    .iter()
                    .map(|node| tail(&node.process.log()))
                    .collect();
                panic!("waited in vain: {what}\n{}", logs.join("\n---\n"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port nobody listens on now, below those the system hands out by itself and beside those the
/// other clusters of tests take.
fn free_port() -> u16 {
    let spread = u16::try_from(std::process::id() % 89).unwrap() * 100;
    for _ in 0..2000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % 9_000;
        let port = 11_000 + (spread + step) % 9_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}
