//! Records what a real etcd answers in every situation the driver's tests know, in the form of
//! `tests/recorded/etcd-*`.
//!
//! `cargo run -p quorate-drivers --example record_etcd -- old|new DIR` starts a cluster of its own
//! (etcd 3.4 of Debian, or 3.6 built from its modules), brings it into one situation after the
//! other, and writes a file for each, a list of them, and where the members were. It takes about
//! a minute. Passwords and tokens never get into the files.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "../tests/etcd_cluster/mod.rs"]
mod etcd_cluster;

use std::{
    env, fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use etcd_cluster::{Cluster, Shape, Version};
use serde_json::{Map, Value, json};

const ROOT: &str = "root's password";
const OP: &str = "op's password";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut words = env::args().skip(1);
    let version = match words.next().as_deref() {
        Some("old") => Version::Old,
        Some("new") => Version::New,
        _ => panic!("usage: record_etcd old|new DIR"),
    };
    let dir = PathBuf::from(words.next().expect("usage: record_etcd old|new DIR"));
    fs::create_dir_all(&dir).unwrap();
    let shape = Shape {
        version,
        ..Shape::default()
    };
    let cluster = etcd_cluster::start(shape).await.expect("a real etcd");
    let mut book = Book::new(cluster, dir).await;
    book.lead("n1").await;
    book.newcomer().await;
    book.healthy().await;
    book.refusals().await;
    book.frozen().await;
    book.passwords().await;
    book.changes().await;
    book.alarm().await;
    book.broken().await;
    book.close();
}

/// The cluster, and what was written down of it.
struct Book {
    cluster: Cluster,
    dir: PathBuf,
    http: reqwest::Client,
    server: String,
    rows: Vec<String>,
    secrets: Vec<String>,
}

/// One request.
#[derive(Clone, Default)]
struct Ask<'a> {
    to: &'a str,
    path: &'a str,
    body: Option<Value>,
    token: Option<(&'a str, String)>,
    deadline: Option<&'a str>,
}

fn post<'a>(to: &'a str, path: &'a str, body: Value) -> Ask<'a> {
    Ask {
        to,
        path,
        body: Some(body),
        ..Ask::default()
    }
}

impl Book {
    async fn new(cluster: Cluster, dir: PathBuf) -> Self {
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

    async fn keep(&mut self, name: &str, situation: &str, ask: Ask<'_>) -> Value {
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

    async fn lead(&self, name: &str) {
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

    fn decimal(&self, name: &str) -> String {
        let id = u64::from_str_radix(&self.cluster.id(name), 16).unwrap();
        id.to_string()
    }

    /// A learner is added and not started yet.
    async fn newcomer(&mut self) {
        self.cluster.accepts_changes().await;
        let peer = self.cluster.newcomer("n4").await;
        let add = "cluster/member/add";
        let learner = json!({ "peerURLs": [peer], "isLearner": true });
        let told = self
            .keep(
                "add-learner",
                "a learner at a fresh address",
                post("n1", add, learner.clone()),
            )
            .await;
        let id = told["member"]["ID"].as_str().unwrap().to_owned();
        self.keep(
            "list-not-started",
            "n4 was added as a learner and does not run",
            post("n1", "cluster/member/list", json!({})),
        )
        .await;
        self.keep(
            "add-taken",
            "a peer address that a member has",
            post("n1", add, learner),
        )
        .await;
        let other = json!({ "peerURLs": ["http://127.0.0.1:9"], "isLearner": true });
        self.keep(
            "add-second-learner",
            "a learner while there is one",
            post("n1", add, other),
        )
        .await;
        self.keep(
            "promote-not-started",
            "promote of a learner that does not run",
            post("n1", "cluster/member/promote", json!({ "ID": id })),
        )
        .await;
        self.cluster.start_newcomer("n4").await;
        self.cluster.fill(10, 100).await;
        self.cluster
            .until("all are level", 10, async |it| {
                let mut applied = Vec::new();
                for name in ["n1", "n2", "n3", "n4"] {
                    let status = it.status(name).await.unwrap_or_default();
                    applied.push(status["raftAppliedIndex"].clone());
                }
                applied.iter().all(|index| *index == applied[0])
            })
            .await;
    }

    /// Three voters and a learner, n1 leads.
    async fn healthy(&mut self) {
        let all = "3 voters and the learner n4, n1 leads";
        for name in ["n1", "n2", "n3", "n4"] {
            let status = post(name, "maintenance/status", json!({}));
            self.keep(&format!("status-{name}"), all, status).await;
            let list = post(name, "cluster/member/list", json!({}));
            self.keep(&format!("list-{name}"), all, list).await;
            let variables = Ask {
                to: name,
                path: "debug/vars",
                ..Ask::default()
            };
            self.keep(&format!("variables-{name}"), all, variables)
                .await;
        }
        let range = json!({ "key": "AA==", "serializable": true, "count_only": true });
        self.keep(
            "range-open",
            "authentication is off",
            post("n1", "kv/range", range),
        )
        .await;
        let version = Ask {
            to: "n1",
            path: "version",
            ..Ask::default()
        };
        self.keep("version", all, version).await;
        let login = json!({ "name": "root", "password": ROOT });
        self.keep(
            "authenticate-off",
            "authentication is off",
            post("n1", "auth/authenticate", login),
        )
        .await;
        self.keep(
            "snapshot",
            "a small store, asked at n2",
            post("n2", "maintenance/snapshot", json!({})),
        )
        .await;
        self.keep(
            "unknown-path",
            "a path the gateway does not have",
            post("n1", "nothing/here", json!({})),
        )
        .await;
    }

    async fn refusals(&mut self) {
        let (voter, learner) = (self.decimal("n2"), self.decimal("n4"));
        let rows = [
            (
                "promote-unknown",
                "n1",
                "cluster/member/promote",
                json!({ "ID": "12345" }),
                "promote of an id nobody has",
            ),
            (
                "promote-voter",
                "n1",
                "cluster/member/promote",
                json!({ "ID": voter }),
                "promote of a voter",
            ),
            (
                "remove-unknown",
                "n1",
                "cluster/member/remove",
                json!({ "ID": "12345" }),
                "remove of an id nobody has",
            ),
            (
                "id-malformed",
                "n1",
                "cluster/member/remove",
                json!({ "ID": "abc" }),
                "an id that is no number",
            ),
            (
                "add-malformed",
                "n1",
                "cluster/member/add",
                json!({ "peerURLs": [], "isLearner": true }),
                "no peer address",
            ),
            (
                "transfer-unknown",
                "n1",
                "maintenance/transfer-leadership",
                json!({ "targetID": "12345" }),
                "transfer to an id nobody has",
            ),
            (
                "transfer-learner",
                "n1",
                "maintenance/transfer-leadership",
                json!({ "targetID": learner }),
                "transfer to a learner",
            ),
            (
                "transfer-not-leader",
                "n2",
                "maintenance/transfer-leadership",
                json!({ "targetID": voter }),
                "transfer asked at a follower",
            ),
        ];
        for (name, to, path, body, situation) in rows {
            self.keep(name, situation, post(to, path, body)).await;
        }
    }

    /// n3 stands still.
    async fn frozen(&mut self) {
        self.cluster.node("n3").process.freeze();
        self.cluster.fill(20, 100).await;
        let variables = Ask {
            to: "n1",
            path: "debug/vars",
            ..Ask::default()
        };
        self.keep(
            "variables-frozen",
            "n3 frozen for 20 writes: still StateReplicate",
            variables,
        )
        .await;
        let transfer = Ask {
            deadline: Some("1S"),
            ..post(
                "n1",
                "maintenance/transfer-leadership",
                json!({ "targetID": self.decimal("n3") }),
            )
        };
        self.keep(
            "transfer-frozen",
            "transfer to a frozen voter, one second given",
            transfer,
        )
        .await;
        self.cluster.node("n3").process.thaw();
        self.cluster
            .until("n3 is back", 20, async |it| it.leader().await.is_some())
            .await;
        self.lead("n1").await;
    }

    async fn passwords(&mut self) {
        self.cluster.ask_for_passwords(ROOT, OP).await;
        let root = self.cluster.token.clone().unwrap();
        let (_, told) = self
            .cluster
            .call(
                "n1",
                "auth/authenticate",
                json!({ "name": "op", "password": OP }),
            )
            .await;
        let op = told["token"].as_str().unwrap().to_owned();
        self.secrets.extend([root.clone(), op.clone()]);
        let without = "authentication is on, no token";
        let add = json!({ "peerURLs": ["http://127.0.0.1:9"], "isLearner": true });
        self.keep(
            "status-no-token",
            without,
            post("n1", "maintenance/status", json!({})),
        )
        .await;
        self.keep(
            "list-no-token",
            without,
            post("n1", "cluster/member/list", json!({})),
        )
        .await;
        self.keep(
            "add-no-token",
            without,
            post("n1", "cluster/member/add", add.clone()),
        )
        .await;
        self.keep(
            "snapshot-no-token",
            without,
            post("n1", "maintenance/snapshot", json!({})),
        )
        .await;
        let range = json!({ "key": "AA==", "serializable": true, "count_only": true });
        self.keep("range-no-token", without, post("n1", "kv/range", range))
            .await;
        let login = |name: &str, password: &str| json!({ "name": name, "password": password });
        self.keep(
            "authenticate",
            "a right password",
            post("n1", "auth/authenticate", login("root", ROOT)),
        )
        .await;
        self.keep(
            "authenticate-wrong",
            "a wrong password",
            post("n1", "auth/authenticate", login("root", "x")),
        )
        .await;
        let with = |ask: Ask<'static>, whose: &'static str, token: &str| Ask {
            token: Some((whose, token.to_owned())),
            ..ask
        };
        let get = |name: &str| post("n1", "auth/user/get", json!({ "name": name }));
        self.keep(
            "user-root",
            "root asks for itself",
            with(get("root"), "root", &root),
        )
        .await;
        self.keep(
            "user-op",
            "a user without roles asks for itself",
            with(get("op"), "op", &op),
        )
        .await;
        let add = || post("n1", "cluster/member/add", add.clone());
        self.keep(
            "add-denied",
            "a user without roles adds a learner",
            with(add(), "op", &op),
        )
        .await;
        let status = || post("n1", "maintenance/status", json!({}));
        self.keep(
            "status-garbage",
            "a token that is none",
            with(status(), "garbage", "garbage"),
        )
        .await;
        self.keep("status-root", "root's token", with(status(), "root", &root))
            .await;
        self.keep(
            "add-garbage",
            "a token that is none",
            with(add(), "garbage", "garbage"),
        )
        .await;
        self.keep(
            "add-bearer",
            "root's token with Bearer before it",
            with(add(), "root", &format!("Bearer {root}")),
        )
        .await;
        let (status, told) = self.cluster.call("n1", "auth/disable", json!({})).await;
        assert_eq!(status, 200, "{told}");
        self.cluster.token = None;
        // The new etcd takes the bearer's word, and may have added a second learner by it.
        for (id, name, _) in self.cluster.members("n1").await {
            if name.is_empty() {
                let id = u64::from_str_radix(&id, 16).unwrap().to_string();
                self.cluster
                    .call("n1", "cluster/member/remove", json!({ "ID": id }))
                    .await;
            }
        }
    }

    async fn changes(&mut self) {
        let (n4, n2, n1) = (self.decimal("n4"), self.decimal("n2"), self.decimal("n1"));
        self.cluster.accepts_changes().await;
        self.keep(
            "promote",
            "promote of a learner that is level",
            post("n1", "cluster/member/promote", json!({ "ID": n4 })),
        )
        .await;
        self.keep(
            "transfer",
            "transfer to a voter",
            post(
                "n1",
                "maintenance/transfer-leadership",
                json!({ "targetID": n2 }),
            ),
        )
        .await;
        self.cluster
            .until("n2 leads", 10, async |it| {
                it.leader().await.as_deref() == Some("n2")
            })
            .await;
        self.cluster
            .call(
                "n2",
                "maintenance/transfer-leadership",
                json!({ "targetID": n1 }),
            )
            .await;
        self.lead("n1").await;
        self.cluster.accepts_changes().await;
        self.keep(
            "remove",
            "remove of a voter",
            post("n1", "cluster/member/remove", json!({ "ID": n4 })),
        )
        .await;
    }

    async fn alarm(&mut self) {
        let about =
            json!({ "action": "ACTIVATE", "memberID": self.decimal("n2"), "alarm": "NOSPACE" });
        self.cluster
            .call("n1", "maintenance/alarm", about.clone())
            .await;
        self.keep(
            "status-alarm",
            "the alarm NOSPACE is raised about n2, asked at n1",
            post("n1", "maintenance/status", json!({})),
        )
        .await;
        let put = json!({ "key": "YQ==", "value": "YQ==" });
        self.keep(
            "put-alarm",
            "a write while the alarm is raised",
            post("n1", "kv/put", put),
        )
        .await;
        let mut about = about;
        about["action"] = json!("DEACTIVATE");
        self.cluster.call("n1", "maintenance/alarm", about).await;
    }

    /// n3 killed, then n2: no quorum.
    async fn broken(&mut self) {
        let add = json!({ "peerURLs": ["http://127.0.0.1:9"], "isLearner": true });
        self.cluster.node_mut("n3").process.kill();
        self.cluster
            .until("the leader misses n3", 20, async |it| {
                let taken = json!({ "peerURLs": [it.node("n1").peer] });
                let (_, told) = it.call("n1", "cluster/member/add", taken).await;
                told["message"]
                    .as_str()
                    .is_some_and(|text| text.contains("unhealthy"))
            })
            .await;
        self.keep(
            "add-unhealthy",
            "one of three voters was killed",
            post("n1", "cluster/member/add", add.clone()),
        )
        .await;
        self.cluster.node_mut("n2").process.kill();
        self.cluster
            .until("n1 leads no more", 20, async |it| {
                it.status("n1")
                    .await
                    .is_some_and(|told| told["leader"].is_null())
            })
            .await;
        let alone = "two of three voters were killed";
        self.keep(
            "status-no-quorum",
            alone,
            post("n1", "maintenance/status", json!({})),
        )
        .await;
        self.keep(
            "list-no-quorum",
            alone,
            post("n1", "cluster/member/list", json!({})),
        )
        .await;
        self.keep(
            "add-no-quorum",
            alone,
            post("n1", "cluster/member/add", add),
        )
        .await;
        let remove = json!({ "ID": self.decimal("n3") });
        let bounded = Ask {
            deadline: Some("1S"),
            ..post("n1", "cluster/member/remove", remove.clone())
        };
        self.keep(
            "remove-no-quorum-bounded",
            "two of three voters were killed; one second given",
            bounded,
        )
        .await;
        self.keep(
            "remove-no-quorum",
            alone,
            post("n1", "cluster/member/remove", remove),
        )
        .await;
        let transfer = json!({ "targetID": self.decimal("n3") });
        self.keep(
            "transfer-no-quorum",
            alone,
            post("n1", "maintenance/transfer-leadership", transfer),
        )
        .await;
        let login = Ask {
            deadline: Some("1S"),
            ..post(
                "n1",
                "auth/authenticate",
                json!({ "name": "root", "password": ROOT }),
            )
        };
        self.keep(
            "authenticate-no-quorum",
            "two of three voters were killed; one second given",
            login,
        )
        .await;
    }

    /// Where the members were, and the list of files.
    fn close(self) {
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
