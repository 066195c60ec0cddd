//! Real etcd clusters for tests: fetched or built, started on free loopback ports, stopped by
//! pid. Knows nothing of the driver; asks the members by itself.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod process;
mod program;
mod wall;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use process::Process;
pub use program::Version;
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

/// A cluster, or a loud word why this test cannot run here. The new etcd takes minutes to build,
/// so it is for the slow rounds.
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
    std::env::var_os("QUORATE_TEST_SLOW").is_some_and(|value| value == "1")
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

    /// The member that says it leads, if every voter that answers names it.
    pub async fn leader(&self) -> Option<String> {
        let mut named = Vec::new();
        for node in &self.nodes {
            if let Some(told) = self.status(&node.name).await {
                named.push(told["leader"].as_str().map(str::to_owned)?);
            }
        }
        let first = named.first()?;
        if named.iter().any(|other| other != first) {
            return None;
        }
        for node in &self.nodes {
            let told = self.status(&node.name).await;
            if told.is_some_and(|told| told["header"]["member_id"] == first.as_str()) {
                return Some(node.name.clone());
            }
        }
        None
    }

    /// The same, once all that answer agree: on a busy machine elections happen by themselves.
    pub async fn settled_leader(&self) -> String {
        self.until("all name one leader", 20, async |it| {
            it.leader().await.is_some()
        })
        .await;
        self.leader_of_those_that_answer().await
    }

    /// The member that says it leads, whatever the others say or do not.
    pub async fn leader_of_those_that_answer(&self) -> String {
        for node in &self.nodes {
            let told = self.status(&node.name).await;
            if told.is_some_and(|told| told["header"]["member_id"] == told["leader"]) {
                return node.name.clone();
            }
        }
        panic!("nobody leads");
    }

    /// What a member publishes of its Raft.
    pub async fn variables(&self, name: &str) -> Value {
        let request = self
            .http
            .get(format!("{}/debug/vars", self.node(name).client));
        read(request).await.unwrap().1
    }

    /// From its next start on clients reach it elsewhere.
    pub fn move_client(&mut self, name: &str) -> String {
        let client = format!("{}://127.0.0.1:{}", self.shape.scheme, free_port());
        self.node_mut(name).client.clone_from(&client);
        client
    }

    /// A voter that does not lead.
    pub async fn follower(&self) -> String {
        let leader = self.settled_leader().await;
        let mut others = self.nodes[..self.shape.voters].iter().rev();
        others
            .find(|node| node.name != leader)
            .unwrap()
            .name
            .clone()
    }

    /// What a member says of itself; `None` without an answer.
    pub async fn status(&self, name: &str) -> Option<Value> {
        let node = self.node(name);
        let request = self.request(&node.client, "maintenance/status", &json!({}));
        let (status, told) = read(request.timeout(Duration::from_secs(1))).await?;
        (status == 200).then_some(told)
    }

    /// A call to one member. Status 0 without an answer.
    pub async fn call(&self, name: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(&self.node(name).client, path, &body);
        read(request).await.unwrap_or((0, Value::Null))
    }

    fn request(&self, client: &str, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{client}/v3/{path}")).json(body);
        match &self.token {
            Some(token) => request.header("Authorization", token),
            None => request,
        }
    }

    /// (id, name, is a learner) as a member lists them.
    pub async fn members(&self, name: &str) -> Vec<(String, String, bool)> {
        let (_, told) = self.call(name, "cluster/member/list", json!({})).await;
        let rows = told["members"].as_array().cloned().unwrap_or_default();
        let row = |row: &Value| {
            let name = row["name"].as_str().unwrap_or_default().to_owned();
            (hex(&row["ID"]), name, row["isLearner"] == true)
        };
        rows.iter().map(row).collect()
    }

    /// Writes `count` values of `size` bytes.
    pub async fn fill(&self, count: usize, size: usize) {
        for number in 0..count {
            self.until("a value is stored", 20, async |it| {
                let Some(leader) = it.leader().await else {
                    return false;
                };
                it.put(&leader, &format!("filled-{number}"), size).await.0 == 200
            })
            .await;
        }
    }

    pub async fn put(&self, name: &str, key: &str, size: usize) -> (u16, Value) {
        let body =
            json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(vec![120; size]) });
        self.call(name, "kv/put", body).await
    }

    /// Writes without pause at the given member until the handle is dropped.
    pub fn load(&self, name: &str, writers: usize) -> Load {
        let tasks = (0..writers).map(|writer| {
            let body = json!({ "key": STANDARD.encode(format!("load-{writer}")), "value": "eA==" });
            let request = self.request(&self.node(name).client, "kv/put", &body);
            tokio::spawn(async move {
                loop {
                    let again = request.try_clone().unwrap();
                    if again.send().await.is_err() {
                        tokio::task::yield_now().await;
                    }
                }
            })
        });
        Load {
            tasks: tasks.collect(),
        }
    }

    /// Users `root` and `op` (without any role) with these passwords, then authentication on.
    pub async fn ask_for_passwords(&mut self, root: &str, op: &str) {
        let steps = [
            ("auth/user/add", json!({ "name": "root", "password": root })),
            ("auth/user/add", json!({ "name": "op", "password": op })),
            ("auth/role/add", json!({ "name": "root" })),
            ("auth/user/grant", json!({ "user": "root", "role": "root" })),
            ("auth/enable", json!({})),
        ];
        for (path, body) in steps {
            let (status, told) = self.call("n1", path, body).await;
            assert_eq!(status, 200, "{path}: {told}");
        }
        let body = json!({ "name": "root", "password": root });
        let (_, told) = self.call("n1", "auth/authenticate", body).await;
        self.token = Some(told["token"].as_str().unwrap().to_owned());
    }

    /// What Debian's `etcdctl` says, as JSON.
    pub async fn etcdctl(&self, arguments: &[&str]) -> Value {
        let program = program::etcdctl().await.unwrap();
        let all: Vec<&str> = self.nodes.iter().map(|node| node.client.as_str()).collect();
        let output = tokio::process::Command::new(program)
            .env("ETCDCTL_API", "3")
            .arg(format!("--endpoints={}", all.join(",")))
            .args(["--write-out=json", "--command-timeout=2s"])
            .args(arguments)
            .output()
            .await
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
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

/// Ends its writers when dropped.
pub struct Load {
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// A decimal id of the gateway as people write it.
pub fn hex(decimal: &Value) -> String {
    let number: u64 = decimal
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    format!("{number:x}")
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

async fn read(request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.bytes().await.ok()?;
    Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
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
