//! What a cluster is asked, and told to write, past the driver: the members' own words.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Cluster, free_port, program};

impl Cluster {
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
        self.until("all name one leader", 60, async |it| {
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
            self.until("a value is stored", 60, async |it| {
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

async fn read(request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.bytes().await.ok()?;
    Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}
