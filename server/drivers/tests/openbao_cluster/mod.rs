//! Real OpenBao clusters for tests: fetched by pip, started on free loopback ports, stopped by
//! pid; and clusters of whatever program takes the same configuration. Knows nothing of the driver.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod node;
mod program;
mod wall;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

pub use node::{Node, Seal};
pub use wall::Wall;

/// What the console needs, call by call; nothing more.
pub const POLICY: &str = r#"
path "sys/storage/raft/configuration"           { capabilities = ["read"] }
path "sys/storage/raft/autopilot/state"         { capabilities = ["read"] }
path "sys/storage/raft/autopilot/configuration" { capabilities = ["read"] }
path "sys/storage/raft/snapshot"                { capabilities = ["read"] }
path "sys/ha-status"                            { capabilities = ["read"] }
path "sys/metrics"                              { capabilities = ["read"] }
path "sys/storage/raft/promote"                 { capabilities = ["update"] }
path "sys/storage/raft/demote"                  { capabilities = ["update"] }
path "sys/storage/raft/remove-peer"             { capabilities = ["update"] }
path "sys/step-down"                            { capabilities = ["update", "sudo"] }
"#;

/// How to make a cluster.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Another program than OpenBao, which is fetched.
    pub program: Option<PathBuf>,
    pub voters: usize,
    pub learners: usize,
    pub seal: Seal,
    /// Autopilot works in tenths of seconds instead of tens.
    pub fast: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            program: None,
            voters: 3,
            learners: 1,
            seal: Seal::Static,
            fast: true,
        }
    }
}

/// A running cluster; its processes end with it.
pub struct Cluster {
    pub nodes: Vec<Node>,
    pub root: String,
    /// A token with [`POLICY`] and the default policy.
    pub operator: String,
    pub shape: Shape,
    /// Stands between the nodes of a cluster that was started behind one.
    pub wall: Option<Wall>,
    unseal_key: Option<String>,
    dir: PathBuf,
    http: reqwest::Client,
    _own_dir: Option<tempfile::TempDir>,
}

impl Cluster {
    /// A cluster in a directory of its own. `None`, and loudly, if the program cannot be had.
    pub async fn start(shape: Shape) -> Option<Self> {
        Self::start_within(shape, None).await
    }

    /// The same with a wall between the nodes, so that one can be cut off from the others.
    pub async fn start_walled(shape: Shape) -> Option<Self> {
        Self::start_within(shape, Some(Wall::default())).await
    }

    async fn start_within(shape: Shape, wall: Option<Wall>) -> Option<Self> {
        let own = tempfile::tempdir().unwrap();
        let mut cluster = Self::found(own.path(), shape, wall).await?;
        cluster._own_dir = Some(own);
        Some(cluster)
    }

    /// A cluster with its data under `dir`.
    pub async fn start_in(dir: &Path, shape: Shape) -> Option<Self> {
        Self::found(dir, shape, None).await
    }

    async fn found(dir: &Path, shape: Shape, wall: Option<Wall>) -> Option<Self> {
        let program = match shape.program.clone() {
            Some(program) => Ok(program),
            None => program::fetch().await,
        };
        let program = match program {
            Ok(program) => program,
            Err(why) => {
                eprintln!("\n!!! SKIPPED: no real OpenBao for this test: {why}\n");
                return None;
            }
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut cluster = Self {
            nodes: Vec::new(),
            root: String::new(),
            operator: String::new(),
            shape,
            wall,
            unseal_key: None,
            dir: dir.to_owned(),
            // Most calls are asked again, or are meant to end in vain; what forms a cluster can be
            // asked once only, and a busy machine takes its time.
            http: client(Duration::from_secs(120)),
            _own_dir: None,
        };
        cluster.form(&program).await;
        cluster.http = client(Duration::from_secs(10));
        Some(cluster)
    }

    async fn form(&mut self, program: &Path) {
        let Shape {
            voters,
            learners,
            seal,
            fast,
            ..
        } = self.shape.clone();
        for number in 1..=voters + learners {
            let id = format!("n{number}");
            let first = self.nodes.first().map(|node| node.api.clone());
            let join = first.filter(|_| seal == Seal::Static);
            let learner = number > voters;
            let node = Node::new(program, &self.dir, &id, seal, fast).joins(join, learner);
            let node = self.walled(node).await;
            self.nodes.push(node);
        }
        for node in &mut self.nodes {
            node.start();
        }
        let shares = match seal {
            Seal::Static => json!({ "recovery_shares": 1, "recovery_threshold": 1 }),
            Seal::Shamir => json!({ "secret_shares": 1, "secret_threshold": 1 }),
        };
        self.until("the first node answers", 60, async |it| {
            it.health("n1").await == Some(501)
        })
        .await;
        let (status, made) = self.put("n1", "sys/init", shares).await;
        assert_eq!(status, 200, "init: {made}");
        self.root = made["root_token"].as_str().unwrap().to_owned();
        if seal == Seal::Shamir {
            self.unseal_key = Some(made["keys"][0].as_str().unwrap().to_owned());
            self.unseal("n1").await;
        }
        self.until("n1 leads", 90, async |it| {
            it.health("n1").await == Some(200)
        })
        .await;
        if seal == Seal::Shamir {
            self.join_by_hand(voters).await;
        }
        if fast {
            let quick = json!({ "server_stabilization_time": "1s" });
            let (status, text) = self
                .put("n1", "sys/storage/raft/autopilot/configuration", quick)
                .await;
            assert_eq!(status, 204, "{text}");
        }
        self.until("all voters vote", 60, async |it| {
            let members = it.members("n1").await;
            members.len() == voters + learners
                && members.iter().filter(|(_, voter)| *voter).count() == voters
        })
        .await;
        self.make_operator().await;
        self.until("autopilot is content", 90, async |it| {
            it.get("n1", "sys/storage/raft/autopilot/state").await.1["data"]["healthy"] == true
        })
        .await;
    }

    async fn walled(&self, node: Node) -> Node {
        match &self.wall {
            Some(wall) => node.behind(wall).await,
            None => node,
        }
    }

    async fn join_by_hand(&self, voters: usize) {
        let leader = self.node("n1").api.clone();
        for (at, node) in self.nodes.iter().enumerate().skip(1) {
            self.join(&node.id, &leader, at >= voters).await;
        }
    }

    /// Has a node under a Shamir seal join, and unseals it.
    pub async fn join(&self, id: &str, leader: &str, learner: bool) {
        let join = json!({ "leader_api_addr": leader, "retry": true, "non_voter": learner });
        let (status, text) = self.put(id, "sys/storage/raft/join", join).await;
        assert_eq!(status, 200, "{text}");
        self.unseal(id).await;
    }

    async fn make_operator(&mut self) {
        let (status, text) = self
            .put(
                "n1",
                "sys/policies/acl/quorate",
                json!({ "policy": POLICY }),
            )
            .await;
        assert_eq!(status, 204, "{text}");
        self.operator = self.token(&["quorate"]).await;
    }

    /// A new token with these policies (and the default one).
    pub async fn token(&self, policies: &[&str]) -> String {
        let leader = self.leader().await.unwrap();
        let (status, made) = self
            .put(
                &leader,
                "auth/token/create",
                json!({ "policies": policies }),
            )
            .await;
        assert_eq!(status, 200, "{made}");
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Gives a node the key, until it says that it is unsealed.
    pub async fn unseal(&self, id: &str) {
        let key = self
            .unseal_key
            .clone()
            .expect("only clusters with a Shamir seal are unsealed");
        self.until("unsealing", 60, async |it| {
            it.put(id, "sys/unseal", json!({ "key": key })).await;
            matches!(it.health(id).await, Some(200 | 429))
        })
        .await;
    }

    /// Starts one more node that belongs to no cluster, and returns its API address.
    pub async fn fresh(&mut self, id: &str) -> String {
        let seal = self.shape.seal;
        self.fresh_with(id, seal).await
    }

    /// The same with a seal of its own.
    pub async fn fresh_with(&mut self, id: &str, seal: Seal) -> String {
        let program = self.nodes[0].program.clone();
        let node = Node::new(&program, &self.dir, id, seal, self.shape.fast);
        let mut node = self.walled(node).await;
        node.start();
        let api = node.api.clone();
        self.nodes.push(node);
        self.until("the fresh node answers", 60, async |it| {
            it.health(id).await == Some(501)
        })
        .await;
        api
    }

    #[must_use]
    pub fn node(&self, id: &str) -> &Node {
        self.nodes
            .iter()
            .find(|node| node.id == id)
            .expect("no such node")
    }

    pub fn node_mut(&mut self, id: &str) -> &mut Node {
        self.nodes
            .iter_mut()
            .find(|node| node.id == id)
            .expect("no such node")
    }

    /// Who says that it leads, and is in its own list as the leader.
    pub async fn leader(&self) -> Option<String> {
        for node in self.nodes.iter().filter(|node| node.runs()) {
            let claim = self.get_at(&node.api, "sys/leader").await;
            if claim.is_some_and(|(_, says)| says["is_self"] == true)
                && self
                    .members(&node.id)
                    .await
                    .iter()
                    .any(|(id, _)| *id == node.id)
            {
                return Some(node.id.clone());
            }
        }
        None
    }

    /// (id, votes) as the node has it.
    pub async fn members(&self, id: &str) -> Vec<(String, bool)> {
        let (_, body) = self.get(id, "sys/storage/raft/configuration").await;
        let servers = body["data"]["config"]["servers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        servers
            .iter()
            .map(|server| {
                (
                    server["node_id"].as_str().unwrap().to_owned(),
                    server["voter"] == true,
                )
            })
            .collect()
    }

    /// The status of `sys/health`; `None` without an answer.
    pub async fn health(&self, id: &str) -> Option<u16> {
        self.get_at(&self.node(id).api, "sys/health")
            .await
            .map(|(status, _)| status)
    }

    /// A read with the root token. Status 0 without an answer.
    pub async fn get(&self, id: &str, path: &str) -> (u16, Value) {
        self.get_at(&self.node(id).api, path)
            .await
            .unwrap_or((0, Value::Null))
    }

    /// A change with the root token. Status 0 without an answer.
    pub async fn put(&self, id: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/v1/{path}", self.node(id).api);
        let request = self
            .http
            .put(url)
            .header("X-Vault-Token", &self.root)
            .json(&body);
        read(request).await.unwrap_or((0, Value::Null))
    }

    async fn get_at(&self, api: &str, path: &str) -> Option<(u16, Value)> {
        let request = self.http.get(format!("{api}/v1/{path}"));
        let request = request.timeout(Duration::from_secs(2));
        read(request.header("X-Vault-Token", &self.root)).await
    }

    /// Waits for a condition, looking every 50 ms, and fails the test after `seconds`.
    pub async fn until(&self, what: &str, seconds: u64, holds: impl AsyncFn(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self).await {
            assert!(
                start.elapsed() < Duration::from_secs(seconds),
                "waited in vain: {what}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stores `count` values of `size` bytes each. They are stored encrypted, so none is smaller.
    pub async fn fill(&self, count: usize, size: usize) {
        let leader = self.leader().await.expect("a leader to write to");
        let _ = self
            .put(&leader, "sys/mounts/filled", json!({ "type": "kv" }))
            .await;
        for number in 0..count {
            let value = "x".repeat(size);
            let path = format!("filled/value-{number}");
            let (status, text) = self.put(&leader, &path, json!({ "value": value })).await;
            assert_eq!(status, 204, "{text}");
        }
    }

    /// Writes without pause until the handle is dropped: some hundred entries a second.
    pub async fn load(&self, writers: usize) -> Load {
        let leader = self.leader().await.expect("a leader to write to");
        let _ = self
            .put(&leader, "sys/mounts/load", json!({ "type": "kv" }))
            .await;
        let tasks = (0..writers)
            .map(|writer| {
                let url = format!("{}/v1/load/key-{writer}", self.node(&leader).api);
                let (http, root) = (self.http.clone(), self.root.clone());
                tokio::spawn(async move {
                    for count in 0_u64.. {
                        let body = json!({ "value": count });
                        let request = http.put(&url).header("X-Vault-Token", &root).json(&body);
                        let _ = request.send().await;
                    }
                })
            })
            .collect();
        Load { tasks }
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

fn client(patience: Duration) -> reqwest::Client {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(patience);
    client.build().unwrap()
}

async fn read(request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.bytes().await.ok()?;
    Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}
