//! A cluster that asks who one is.

use serde_json::json;

use super::book::{Ask, Book, post};

pub const ROOT: &str = "root's password";
pub const OP: &str = "op's password";

impl Book {
    pub async fn passwords(&mut self) {
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
}
