//! A real Consul for tests: one server with its access rules on, built from its own modules.
//! Knows nothing of what is tested; speaks to Consul as an operator would.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../built/mod.rs"]
mod built;
pub mod calls;
#[path = "../etcd_cluster/process.rs"]
mod process;

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use process::Process;

pub const VERSION: &str = "1.16.3";
/// May do everything. For this agent only, which nobody else can reach.
const MANAGEMENT: &str = "0f2c41d7-6a0e-4c39-8a5f-3d1b7c9e2a46";

/// Whether the slow rounds are wanted, of which all of this is.
#[must_use]
pub fn is_wanted() -> bool {
    built::is_slow_round()
}

/// A running agent; it ends with this.
pub struct Agent {
    pub address: String,
    process: Process,
    arguments: Vec<String>,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

impl Agent {
    /// An agent that leads itself. `None`, and loudly, if the program cannot be had.
    pub async fn start() -> Option<Self> {
        let program = match built::program("consul", VERSION, "consul_agent").await {
            Ok(program) => program,
            Err(why) => {
                eprintln!("\n!!! SKIPPED: no real Consul for this test: {why}\n");
                return None;
            }
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let [http, server, lan] = free_ports();
        let file = write_configuration(&dir, http, server, lan);
        let mut agent = Self {
            address: format!("127.0.0.1:{http}"),
            process: Process::new(&program, dir.path().join("log")),
            arguments: vec![
                "agent".to_owned(),
                format!("-config-file={}", file.display()),
            ],
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(10))
                .build()
                .unwrap(),
            _dir: dir,
        };
        agent.restart().await;
        Some(agent)
    }

    /// Starts it, with the data it has; returns once it leads and takes writes.
    pub async fn restart(&mut self) {
        self.process.start(&self.arguments);
        let start = Instant::now();
        loop {
            let written = self.try_put("v1/kv/started", &json!("yes")).await;
            if written.is_some_and(|(status, told)| status == 200 && told == true) {
                return;
            }
            let log = self.process.log();
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "Consul does not lead: {log}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Registers an instance: at an address of its own, or at its machine's.
    pub async fn register(&self, service: &str, id: &str, own: &str, port: u16, tag: &str) {
        let about = json!({
            "ID": id, "Name": service, "Address": own, "Port": port, "Tags": [tag],
        });
        self.put("v1/agent/service/register", &about).await;
    }

    pub async fn deregister(&self, id: &str) {
        self.put(&format!("v1/agent/service/deregister/{id}"), &Value::Null)
            .await;
    }

    /// A token that may read this service, and where machines are.
    pub async fn reader(&self, service: &str) -> String {
        self.token("reader", &format!(
            "service \"{service}\" {{ policy = \"read\" }}\nnode_prefix \"\" {{ policy = \"read\" }}"
        ))
        .await
    }

    /// A token that may see nothing.
    pub async fn stranger(&self) -> String {
        self.token("stranger", "key \"nothing\" { policy = \"read\" }")
            .await
    }

    async fn token(&self, name: &str, rules: &str) -> String {
        let policy = json!({ "Name": name, "Rules": rules });
        self.put("v1/acl/policy", &policy).await;
        let token = json!({ "Policies": [{ "Name": name }] });
        let made = self.put("v1/acl/token", &token).await;
        made["SecretID"].as_str().unwrap().to_owned()
    }

    async fn put(&self, path: &str, body: &Value) -> Value {
        let (status, told) = self.try_put(path, body).await.expect("an answer");
        assert_eq!(status, 200, "{path}: {told}");
        told
    }

    async fn try_put(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("http://{}/{path}", self.address);
        let request = self.http.put(url).header("X-Consul-Token", MANAGEMENT);
        let answer = request.json(body).send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(json!(text))))
    }
}

fn write_configuration(dir: &tempfile::TempDir, http: u16, server: u16, lan: u16) -> PathBuf {
    let wanted = json!({
        "server": true, "bootstrap_expect": 1, "node_name": "consul-1", "datacenter": "dc1",
        "data_dir": dir.path().join("data"), "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1",
        "disable_update_check": true, "enable_local_script_checks": false,
        "performance": { "raft_multiplier": 1 },
        "ports": {
            "http": http, "server": server, "serf_lan": lan,
            "https": -1, "dns": -1, "grpc": -1, "grpc_tls": -1, "serf_wan": -1,
        },
        "acl": {
            "enabled": true, "default_policy": "deny",
            "tokens": { "initial_management": MANAGEMENT, "agent": MANAGEMENT },
        },
    });
    let file = dir.path().join("consul.json");
    fs::write(&file, wanted.to_string()).unwrap();
    file
}

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Ports nobody listens on now, above those the other clusters of tests take and below those the
/// system hands out by itself.
fn free_ports() -> [u16; 3] {
    let spread = u16::try_from(std::process::id() % 97).unwrap() * 15;
    std::array::from_fn(|_| {
        loop {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            assert!(step < 1_600, "no free port");
            let port = 31_100 + (spread + step) % 1_600;
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    })
}
