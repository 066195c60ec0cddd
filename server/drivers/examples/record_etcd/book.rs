//! What is written down: one file a situation, without passwords and tokens.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use super::{
    etcd_cluster::Cluster,
    passwords::{OP, ROOT},
};

/// The cluster, and what was written down of it.
pub struct Book {
    pub cluster: Cluster,
    dir: PathBuf,
    http: reqwest::Client,
    server: String,
    rows: Vec<String>,
    pub secrets: Vec<String>,
}

/// One request.
#[derive(Clone, Default)]
pub struct Ask<'a> {
    pub to: &'a str,
    pub path: &'a str,
    pub body: Option<Value>,
    pub token: Option<(&'a str, String)>,
    pub deadline: Option<&'a str>,
}

pub fn post<'a>(to: &'a str, path: &'a str, body: Value) -> Ask<'a> {
    Ask {
        to,
        path,
        body: Some(body),
        ..Ask::default()
    }
}

impl Book {
    pub async fn new(cluster: Cluster, dir: PathBuf) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let status = cluster.status("n1").await.unwrap();
        Self {
            server: format!("etcd {}", status["version"].as_str().unwrap()),
            cluster,
            dir,
            http,
            rows: Vec::new(),
            secrets: vec![ROOT.to_owned(), OP.to_owned()],
        }
    }

    pub async fn keep(&mut self, name: &str, situation: &str, ask: Ask<'_>) -> Value {
        let client = self.cluster.node(ask.to).client.clone();
        let path = ask.path;
        let (method, path) = match &ask.body {
            Some(_) => ("POST", format!("/v3/{path}")),
            None => ("GET", format!("/{path}")),
        };
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{client}{path}"))
            .timeout(Duration::from_secs(12));
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        if let Some((_, token)) = &ask.token {
            request = request.header("Authorization", token);
        }
        if let Some(deadline) = ask.deadline {
            request = request.header("Grpc-Timeout", deadline);
        }
        let start = Instant::now();
        let answer = request.send().await;
        let mut response = json!({ "status": 0 });
        let mut body = Value::Null;
        match answer {
            Err(_) => response["body_text"] = json!("(no answer in 12 s)"),
            Ok(answer) => {
                let kind = answer.headers().get("content-type").cloned();
                response["status"] = json!(answer.status().as_u16());
                if let Some(kind) = kind {
                    response["headers"] = json!({ "content-type": kind.to_str().unwrap() });
                }
                let bytes = answer.bytes().await.unwrap();
                match serde_json::from_slice::<Value>(&bytes) {
                    Ok(told) => {
                        body = told.clone();
                        response["body"] = self.redacted(&only_raft(told));
                    }
                    Err(_) => {
                        response["body_text"] =
                            json!(self.hidden(&String::from_utf8_lossy(&bytes)));
                    }
                }
            }
        }
        response["took_ms"] = json!(u64::try_from(start.elapsed().as_millis()).unwrap());
        let mut told = json!({
            "line": format!("{method} {path}"), "to": ask.to,
            "token": ask.token.as_ref().map_or("none", |(whose, _)| whose),
        });
        if let Some(deadline) = ask.deadline {
            told["grpc_timeout"] = json!(deadline);
        }
        if let Some(body) = &ask.body {
            told["body"] = self.redacted(body);
        }
        self.rows.push(format!(
            "| {name} | {method} {path} | {} | {situation} |",
            response["status"]
        ));
        let whole = json!({
            "server": self.server, "situation": situation, "request": told, "response": response,
        });
        self.write(name, &whole);
        body
    }

    fn write(&self, name: &str, value: &Value) {
        let text = serde_json::to_string_pretty(value).unwrap();
        fs::write(self.dir.join(format!("{name}.json")), text + "\n").unwrap();
    }

    pub async fn lead(&self, name: &str) {
        let leader = self.cluster.leader().await.unwrap();
        if leader != name {
            let id = u64::from_str_radix(&self.cluster.id(name), 16)
                .unwrap()
                .to_string();
            let body = json!({ "targetID": id });
            let (status, told) = self
                .cluster
                .call(&leader, "maintenance/transfer-leadership", body)
                .await;
            assert_eq!(status, 200, "{told}");
        }
        self.cluster
            .until("it leads", 10, async |it| {
                it.leader().await.as_deref() == Some(name)
            })
            .await;
    }

    pub fn decimal(&self, name: &str) -> String {
        let id = u64::from_str_radix(&self.cluster.id(name), 16).unwrap();
        id.to_string()
    }

    /// Where the members were, and the list of files.
    pub fn close(self) {
        let place = |name: &str| {
            let node = self.cluster.node(name);
            let port: u16 = node.client.rsplit(':').next().unwrap().parse().unwrap();
            (name.to_owned(), json!({ "id": node.id, "port": port }))
        };
        let places: Map<String, Value> = ["n1", "n2", "n3", "n4"].into_iter().map(place).collect();
        self.write("members", &Value::Object(places));
        let list = format!(
            "# Recorded answers of {}\n\nOne file per situation: request, status, the header that matters, body; of `debug/vars` only\nwhat is read. Captured on a loopback cluster; passwords and tokens are REDACTED. All of it is\nmade again by `cargo run -p quorate-drivers --example record_etcd`. `members.json` tells the id\nand the client port of each member.\n\n| file | request | status | situation |\n| --- | --- | --- | --- |\n{}\n",
            self.server,
            self.rows.join("\n")
        );
        fs::write(self.dir.join("README.md"), list).unwrap();
        println!(
            "{} answers of {} in {}",
            self.rows.len(),
            self.server,
            self.dir.display()
        );
    }

    /// `value` without passwords and tokens.
    fn redacted(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| match name.as_str() {
                    "password" | "token" => (name.clone(), json!("REDACTED")),
                    _ => (name.clone(), self.redacted(value)),
                })
                .collect::<Map<String, Value>>()
                .into(),
            Value::Array(items) => items.iter().map(|item| self.redacted(item)).collect(),
            Value::String(text) => json!(self.hidden(text)),
            other => other.clone(),
        }
    }

    fn hidden(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| text.replace(secret, "REDACTED");
        self.secrets.iter().fold(text.to_owned(), hide)
    }
}

/// `debug/vars` holds much else, the command line among it.
fn only_raft(told: Value) -> Value {
    match told.get("raft.status") {
        Some(raft) => json!({ "raft.status": raft }),
        None => told,
    }
}
