//! A cluster that is well: what it tells, what it refuses, what it does.

use serde_json::json;

use super::{
    book::{Ask, Book, post},
    passwords::ROOT,
};

impl Book {
    /// A learner is added and not started yet.
    pub async fn newcomer(&mut self) {
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
    pub async fn healthy(&mut self) {
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

    pub async fn refusals(&mut self) {
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

    pub async fn changes(&mut self) {
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
}
