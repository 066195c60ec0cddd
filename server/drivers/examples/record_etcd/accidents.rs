//! A cluster that is not well: a voter frozen, an alarm, no quorum.

use serde_json::json;

use super::{
    book::{Ask, Book, post},
    passwords::ROOT,
};

impl Book {
    /// n3 stands still.
    pub async fn frozen(&mut self) {
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

    pub async fn alarm(&mut self) {
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
    pub async fn broken(&mut self) {
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
}
