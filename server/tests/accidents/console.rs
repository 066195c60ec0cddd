//! A console that watches one real cluster, spoken to as a program does: by REST.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use quorate_control::ClusterSetup;
use quorate_domain::{
    cluster::{ClusterName, Kind, Thresholds},
    health::Registration,
    permission::Duty,
};
use quorate_drivers::{Connection, Driver, Secret};
use serde_json::{Value, json};

use crate::support::{self, Running};

const CLUSTER: &str = "real";

pub struct Console {
    pub running: Running,
    admin: String,
}

/// Looks until there is something to see.
pub async fn until<T>(what: &str, seconds: u64, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        let waited = start.elapsed();
        assert!(waited < Duration::from_secs(seconds), "never seen: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub fn driver(kind: Kind, seeds: Vec<String>, token: &str) -> Arc<dyn Driver> {
    let connection = Connection {
        name: CLUSTER.to_owned(),
        kind,
        seeds,
        token: Some(Secret::new(token)),
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: quorate_drivers::Lookups::default(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(10),
    };
    quorate_drivers::connect(connection).unwrap()
}

impl Console {
    /// Returns once a leader is agreed and every member answers.
    pub async fn watching(kind: Kind, driver: Arc<dyn Driver>) -> Self {
        let cluster = ClusterSetup {
            registration: Registration {
                name: ClusterName::from(CLUSTER),
                kind,
                tags: Vec::new(),
                zones: Default::default(),
                thresholds: Thresholds::default(),
                read_only: false,
            },
            driver,
            join_allowed: vec![
                "http://127.0.0.0/8:*".to_owned(),
                "tls:127.0.0.0/8:*".to_owned(),
                "127.0.0.0/8:*".to_owned(),
            ],
        };
        let running = Running::with(|settings| settings.clusters.push(cluster)).await;
        let admin = running.token(Duty::Admin).await;
        let console = Self { running, admin };
        console
            .until_seen("everybody answers", 30, |view| {
                let members = view["members"].as_array().unwrap();
                view["leader"]["status"] == "agreed"
                    && members.iter().all(|member| member["answering"] == true)
            })
            .await;
        console
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.running.get(&format!("/api/v1{path}"));
        let response = request.bearer_auth(&self.admin).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        support::json(response).await
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> (u16, Value) {
        let path = format!("/api/v1/clusters/{CLUSTER}/{path}");
        let request = self.running.call("POST", &path).bearer_auth(token);
        let response = request.json(body).send().await.unwrap();
        (response.status().as_u16(), support::json(response).await)
    }

    pub async fn view(&self) -> Value {
        self.get(&format!("/clusters/{CLUSTER}")).await
    }

    pub async fn until_seen(
        &self,
        what: &str,
        seconds: u64,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        until(what, seconds, async || {
            Some(self.view().await).filter(|view| holds(view))
        })
        .await
    }

    pub async fn preview(&self, action: &Value) -> Value {
        let (status, preview) = self.post(&self.admin, "preview", action).await;
        assert_eq!(status, 200, "{preview}");
        preview
    }

    /// Asks for a change on the membership as it is now, while a leader is agreed.
    pub async fn submit(&self, action: &Value) -> (u16, Value) {
        let view = self
            .until_seen("a leader is agreed", 30, |view| {
                view["leader"]["status"] == "agreed"
            })
            .await;
        self.submit_on(action, "revision", &view["revision"]).await
    }

    /// Asks for a change on what was seen before: a `revision` or a `fingerprint`.
    pub async fn submit_on(&self, action: &Value, basis: &str, seen: &Value) -> (u16, Value) {
        self.submit_as(&self.admin, action, basis, seen).await
    }

    pub async fn submit_as(
        &self,
        token: &str,
        action: &Value,
        basis: &str,
        seen: &Value,
    ) -> (u16, Value) {
        let mut body = action.clone();
        body["reason"] = json!("an accident is staged");
        body[basis] = seen.clone();
        self.post(token, "changes", &body).await
    }

    /// Asks for a change that rules refuse, after a preview that refuses it too, and returns the
    /// rules of the answer.
    pub async fn refused(&self, action: &Value) -> Vec<String> {
        let foreseen = self.preview(action).await;
        let (status, problem) = self.submit(action).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (422, Some("refused")),
            "{problem}"
        );
        let rules = rules(&problem["checks"], "refuse");
        let foreseen = self::rules(&foreseen["checks"], "refuse");
        assert!(
            rules.iter().any(|rule| foreseen.contains(rule)),
            "{foreseen:?} {rules:?}"
        );
        rules
    }

    /// Asks for a change that is accepted, and returns its id.
    pub async fn accepted(&self, action: &Value) -> String {
        let (status, answer) = self.submit(action).await;
        assert_eq!(status, 202, "{action}: {answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    pub async fn change(&self, id: &str) -> Value {
        self.get(&format!("/changes/{id}")).await
    }

    /// The change once it is over.
    pub async fn end(&self, id: &str) -> Value {
        until("the change ends", 80, async || {
            let change = self.change(id).await;
            let open = ["queued", "running"].contains(&change["state"].as_str().unwrap());
            (!open).then_some(change)
        })
        .await
    }

    /// Asks for a change and waits until it has succeeded; returns how, in words.
    pub async fn done(&self, action: &Value) -> String {
        let change = self.end(&self.accepted(action).await).await;
        assert_eq!(change["state"], "succeeded", "{action}: {change}");
        change["outcome"].as_str().unwrap().to_owned()
    }
}

/// The codes of the checks at this level.
pub fn rules(checks: &Value, level: &str) -> Vec<String> {
    let checks = checks.as_array().unwrap().iter();
    let of_level = checks.filter(|check| check["level"] == level);
    of_level
        .map(|check| check["code"].as_str().unwrap().to_owned())
        .collect()
}

/// The finding with this code, about this member.
pub fn finding<'a>(view: &'a Value, code: &str, member: &str) -> Option<&'a Value> {
    let findings = view["findings"].as_array().unwrap();
    let about = |finding: &&Value| finding["code"] == code && finding["member"] == member;
    findings.iter().find(about)
}

pub fn member<'a>(view: &'a Value, id: &str) -> &'a Value {
    let members = view["members"].as_array().unwrap();
    let found = members.iter().find(|member| member["id"] == id);
    found.unwrap_or(&Value::Null)
}

pub fn act(action: &str, member: &str) -> Value {
    json!({ "action": action, "member": member })
}
