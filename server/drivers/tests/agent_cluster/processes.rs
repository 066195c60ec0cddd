//! Nodes of the demo, each a process of its own.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures::future::join_all;
use openraft::RaftMetrics;
use quorate_demo::types::TypeConfig;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::TOKEN;

const PATIENCE: Duration = Duration::from_secs(60);

/// What cargo builds along with all tests, and `cargo build -p quorate-demo --example cluster` alone.
fn program() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let target = me.parent().unwrap().parent().unwrap();
    let program = target.join("examples").join("cluster");
    assert!(
        program.is_file(),
        "first: cargo build -p quorate-demo --example cluster"
    );
    program
}

struct Process {
    child: Child,
    /// `host:port`, the same after every start.
    address: String,
}

pub struct Processes {
    pub dir: TempDir,
    nodes: BTreeMap<u64, Process>,
    dead: BTreeMap<u64, String>,
    http: reqwest::Client,
}

impl Processes {
    /// A cluster of voters from id 1 on.
    pub async fn start(voters: u64) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy();
        let mut all = Self {
            dir: TempDir::new().unwrap(),
            nodes: BTreeMap::new(),
            dead: BTreeMap::new(),
            http: http.timeout(Duration::from_secs(2)).build().unwrap(),
        };
        fs::write(all.dir.path().join("token"), TOKEN).unwrap();
        for id in 1..=voters {
            all.first_start(id).await;
        }
        let addresses: BTreeMap<u64, &String> = all
            .nodes
            .iter()
            .map(|(id, node)| (*id, &node.address))
            .collect();
        all.post(1, "demo/init", json!(addresses)).await;
        all
    }

    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.nodes.keys().copied()
    }

    pub fn url(&self, id: u64) -> String {
        let alive = self.nodes.get(&id).map(|node| &node.address);
        format!("http://{}", alive.or(self.dead.get(&id)).unwrap())
    }

    pub async fn first_start(&mut self, id: u64) {
        self.run(id, &["--first-start"]).await;
    }

    async fn run(&mut self, id: u64, more: &[&str]) {
        let dir = self.dir.path().join(format!("node-{id}"));
        let child = Command::new(program())
            .arg("demo-node")
            .arg("--dir")
            .arg(&dir)
            .args(["--listen", "127.0.0.1:0", "--cluster-id", "c1"])
            .args(["--id", &id.to_string()])
            .arg("--token-file")
            .arg(self.dir.path().join("token"))
            .args(more)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let address = self.address(&dir).await;
        self.nodes.insert(id, Process { child, address });
    }

    /// Where a node listens by its own record, once it answers there.
    async fn address(&self, dir: &Path) -> String {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PATIENCE, "it does not start");
            let record = fs::read(dir.join("node.json")).unwrap_or_default();
            let record: Value = serde_json::from_slice(&record).unwrap_or_default();
            if let Some(address) = record["address"].as_str() {
                let hello = self.http.get(format!("http://{address}/demo/hello"));
                if hello.send().await.is_ok() {
                    return address.to_owned();
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn freeze(&self, id: u64) {
        self.signal(id, Signal::STOP);
    }

    pub fn kill(&mut self, id: u64) {
        let mut node = self.nodes.remove(&id).expect("it runs");
        node.child.kill().unwrap();
        node.child.wait().unwrap();
        self.dead.insert(id, node.address);
    }

    /// Whoever stands still goes on, whoever is dead starts on its data.
    pub async fn revive(&mut self) {
        for id in self.nodes.keys() {
            self.signal(*id, Signal::CONT);
        }
        for id in std::mem::take(&mut self.dead).into_keys() {
            self.run(id, &[]).await;
        }
    }

    fn signal(&self, id: u64, signal: Signal) {
        kill_process(Pid::from_child(&self.nodes[&id].child), signal).unwrap();
    }

    /// What openraft says of itself; `None` of one that does not answer.
    pub async fn metrics(&self, id: u64) -> Option<RaftMetrics<TypeConfig>> {
        let request = self.http.get(format!("{}/demo/metrics", self.url(id)));
        let answer = request.bearer_auth(TOKEN).send().await.ok()?;
        answer.json().await.ok()
    }

    pub async fn post(&self, id: u64, path: &str, body: Value) {
        let request = self.http.post(format!("{}/{path}", self.url(id)));
        let sent = request.bearer_auth(TOKEN).json(&body).send().await.unwrap();
        assert!(sent.status().is_success(), "{path}");
    }

    /// Writes until so many entries are acknowledged, wherever the leader goes meanwhile.
    pub async fn write(&self, id: u64, entries: u64) {
        let (start, mut leader, mut written) = (Instant::now(), self.url(id), 0);
        while written < entries {
            assert!(start.elapsed() < PATIENCE, "{written} entries were taken");
            let put = |key: u64| {
                let request = self.http.put(format!("{leader}/kv/key-{key}"));
                request
                    .timeout(Duration::from_secs(10))
                    .body("a value")
                    .send()
            };
            let mut elsewhere = None;
            for told in join_all((0..25).map(put)).await.into_iter().flatten() {
                match told.status().is_success() {
                    true => written += 1,
                    false => elsewhere = told.json::<Value>().await.ok(),
                }
            }
            let named = elsewhere.and_then(|told| Some(told["address"].as_str()?.to_owned()));
            leader = named.unwrap_or(leader);
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for node in self.nodes.values_mut() {
            let _ = node.child.kill();
            let _ = node.child.wait();
        }
    }
}
