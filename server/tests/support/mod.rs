//! A console of its own for each test: a free port, a data directory that goes away, a simulated
//! cluster, an account and a token for each role.
#![allow(dead_code)]

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use quorate::{
    configuration::Listen,
    console::{Application, Settings},
};
use quorate_control::{ClusterSetup, Control};
use quorate_domain::{
    cluster::{ClusterName, Kind, Thresholds},
    health::Registration,
    permission::{Duty, Grant},
};
use quorate_drivers::simulated::Cluster;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, redirect};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const CLUSTER: &str = "sim";
/// For what should come at once: a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Running {
    pub control: Control,
    /// Without a slash at the end.
    pub address: String,
    /// `http://127.0.0.1:…`, whatever the base path.
    pub origin: String,
    pub cluster: Cluster,
    pub http: Client,
    pub data: TempDir,
    pub stop: CancellationToken,
    pub running: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Running {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A console whose settings `change` has seen.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let cluster = Cluster::healthy(3, 1);
        let listen = Listen::Tcp((Ipv4Addr::LOCALHOST, 0).into());
        let mut settings = Settings::new(data.path().join("data"), listen);
        settings.clusters = vec![ClusterSetup {
            registration: Registration {
                name: ClusterName::from(CLUSTER),
                kind: Kind::Simulated,
                tags: Vec::new(),
                zones: BTreeMap::new(),
                thresholds: Thresholds::default(),
                read_only: false,
            },
            driver: cluster.driver(),
            join_allowed: vec![
                "10.0.0.0/8:7000".to_owned(),
                "http://10.0.0.0/8:7000".to_owned(),
            ],
        }];
        change(&mut settings);
        let application = Application::build(settings).await.unwrap();
        let origin = format!("http://127.0.0.1:{}", application.port());
        let control = application.control().clone();
        let stop = CancellationToken::new();
        let running = tokio::spawn(application.run_until_stopped(stop.clone()));
        let http = client();
        let console = Self {
            control,
            address: origin.clone(),
            origin,
            cluster,
            http,
            data,
            stop,
            running: Some(running),
        };
        console.until_agreed().await;
        console
    }

    async fn until_agreed(&self) {
        let who = self.control.command_line_operator();
        until("the first look", async || {
            let view = self.control.view(&who, CLUSTER).await.unwrap();
            view.leader.member.is_some()
        })
        .await;
    }

    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            running.await.unwrap().unwrap();
        }
    }

    /// A token that holds `role` everywhere.
    pub async fn token(&self, role: Duty) -> String {
        let who = self.control.command_line_operator();
        let name = format!("{}-token", role.as_str());
        let life = Duration::from_secs(3_600);
        let made = self
            .control
            .token_create(&who, &name, vec![Grant::everywhere(role)], life);
        made.await.unwrap().1.reveal().to_owned()
    }

    /// An account that holds `role` everywhere, and its one-time link's secret.
    pub async fn account(&self, name: &str, role: Duty) -> String {
        let who = self.control.command_line_operator();
        let made = self
            .control
            .account_create(&who, name, vec![Grant::everywhere(role)])
            .await;
        made.unwrap().1.reveal().to_owned()
    }

    /// The session cookie (`quorate=…`) of a new account that holds `role`.
    pub async fn session(&self, role: Duty) -> String {
        let secret = self.account(role.as_str(), role).await;
        let response = self
            .get(&format!("/sign-in/link/{secret}"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 303);
        cookie(&response)
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.address))
    }

    /// As the console's own page posts.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.http
            .post(format!("{}{path}", self.address))
            .header("sec-fetch-site", "same-origin")
    }

    pub fn call(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.http.request(method, format!("{}{path}", self.address))
    }
}

/// A client that follows no redirect.
pub fn client() -> Client {
    client_builder().build().unwrap()
}

pub fn client_builder() -> ClientBuilder {
    // An error only says that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(redirect::Policy::none())
        // Between two parts of an answer: a stream goes on for as long as it is read.
        .read_timeout(PATIENCE)
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The session cookie of an answer, without its attributes.
pub fn cookie(response: &Response) -> String {
    let set = response.headers().get_all("set-cookie").iter();
    let mut pair = set.map(|set| set.to_str().unwrap().split(';').next().unwrap().to_owned());
    pair.rfind(|pair| !pair.ends_with('='))
        .expect("a session cookie")
}

pub async fn json(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}

/// Waits until `holds`.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

/// One server-sent event.
#[derive(Debug)]
pub struct Event {
    pub name: String,
    pub id: u64,
    pub data: Value,
}

/// Reads an event stream.
pub struct Events {
    response: Response,
    text: String,
}

impl Events {
    pub fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        let kind = response
            .headers()
            .get("content-type")
            .unwrap()
            .to_str()
            .unwrap();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event; `None` at the stream's end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(at) = self.text.find("\n\n") {
                let block: String = self.text.drain(..at + 2).collect();
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
                };
                let Some(name) = field("event:") else {
                    continue;
                };
                let id = field("id:").unwrap().parse().unwrap();
                let data = serde_json::from_str(&field("data:").unwrap()).unwrap();
                return Some(Event { name, id, data });
            }
            let chunk = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

/// Posts as a plain HTML form does.
pub trait Form {
    fn form(self, fields: &[(&str, &str)]) -> RequestBuilder;
}

impl Form for RequestBuilder {
    fn form(self, fields: &[(&str, &str)]) -> RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }
}
