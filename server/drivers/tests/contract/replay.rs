//! Serves recorded answers, node by node, as the real program gave them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use quorate_domain::cluster::Kind;
use quorate_drivers::{Connection, Secret};
use serde_json::Value;

pub const TOKEN: &str = "s.recorded-token";

/// What one stand-in node answers: `GET /v1/sys/health` → file name without `.json`.
pub type Lines = BTreeMap<String, &'static str>;

/// One request that came: who was asked, what, and with which token.
#[derive(Clone, Debug)]
pub struct Heard {
    pub node: String,
    pub line: String,
    pub token: Option<String>,
}

/// Stand-ins for the nodes of one recorded cluster.
pub struct Replay {
    /// API addresses by id.
    pub addresses: BTreeMap<String, String>,
    nodes: Arc<Mutex<BTreeMap<String, Lines>>>,
    heard: Arc<Mutex<Vec<Heard>>>,
    faults: Arc<Mutex<Faults>>,
}

/// What goes wrong beside the answers themselves.
#[derive(Default)]
struct Faults {
    /// Nodes that take a request and never answer.
    mute: BTreeSet<String>,
    /// Bytes after which the answer to a line ends.
    cut: BTreeMap<String, usize>,
    /// (node, line) → the body of another answer with status 200.
    told: BTreeMap<(String, String), String>,
}

#[derive(Clone)]
struct Stand {
    id: String,
    nodes: Arc<Mutex<BTreeMap<String, Lines>>>,
    heard: Arc<Mutex<Vec<Heard>>>,
    faults: Arc<Mutex<Faults>>,
    /// Recorded address → address of the stand-in.
    places: Arc<Mutex<Vec<(String, String)>>>,
}

impl Replay {
    /// `nodes`: id, port it was recorded at, what it answers.
    pub async fn start(nodes: Vec<(&str, u16, Lines)>) -> Self {
        let table = nodes
            .iter()
            .map(|(id, _, lines)| ((*id).to_owned(), lines.clone()))
            .collect();
        let table = Arc::new(Mutex::new(table));
        let (heard, places) = (Arc::default(), Arc::new(Mutex::new(Vec::new())));
        let faults = Arc::default();
        let mut addresses = BTreeMap::new();
        for (id, port, _) in nodes {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let place = listener.local_addr().unwrap().to_string();
            places
                .lock()
                .unwrap()
                .push((format!("127.0.0.1:{port}\""), format!("{place}\"")));
            places
                .lock()
                .unwrap()
                .push((format!("127.0.0.1:{port}/"), format!("{place}/")));
            addresses.insert(id.to_owned(), format!("http://{place}"));
            let stand = Stand {
                id: id.to_owned(),
                nodes: Arc::clone(&table),
                heard: Arc::clone(&heard),
                faults: Arc::clone(&faults),
                places: Arc::clone(&places),
            };
            let router = Router::new().fallback(answer).with_state(stand);
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        Self {
            addresses,
            nodes: table,
            heard,
            faults,
        }
    }

    /// From now on `id` answers `line` with another recording.
    pub fn change(&self, id: &str, line: &str, recording: &'static str) {
        let mut nodes = self.nodes.lock().unwrap();
        nodes
            .get_mut(id)
            .unwrap()
            .insert(line.to_owned(), recording);
    }

    /// From now on `id` takes requests and never answers.
    pub fn mute(&self, id: &str) {
        self.faults.lock().unwrap().mute.insert(id.to_owned());
    }

    /// From now on every answer to `line` ends after so many bytes.
    pub fn cut(&self, line: &str, bytes: usize) {
        let mut faults = self.faults.lock().unwrap();
        faults.cut.insert(line.to_owned(), bytes);
    }

    /// From now on `id` answers `line` with this body.
    pub fn tell(&self, id: &str, line: &str, body: &str) {
        let mut faults = self.faults.lock().unwrap();
        let at = (id.to_owned(), line.to_owned());
        faults.told.insert(at, body.to_owned());
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub fn address(&self, id: &str) -> String {
        self.addresses[id].clone()
    }
}

/// A connection as the console makes one, with short waits.
pub fn connection(kind: Kind, seeds: Vec<String>) -> Connection {
    Connection {
        name: "recorded".to_owned(),
        kind,
        seeds,
        token: Some(Secret::new(TOKEN)),
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: quorate_drivers::Lookups::default(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(5),
    }
}

/// One recorded answer: of OpenBao, or of the program whose folder stands before its name.
pub fn recording(name: &str) -> Value {
    let (folder, name) = name.split_once('/').unwrap_or(("openbao-2.7.2", name));
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recorded")
        .join(folder)
        .join(format!("{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

async fn answer(State(stand): State<Stand>, request: Request) -> Response {
    let path = request.uri().path_and_query().unwrap().to_string();
    let line = format!("{} {path}", request.method());
    let headers = request.headers();
    let token = headers
        .get("x-vault-token")
        .or_else(|| headers.get("authorization"));
    let token = token.map(|token| token.to_str().unwrap().to_owned());
    let heard = Heard {
        node: stand.id.clone(),
        line: line.clone(),
        token,
    };
    stand.heard.lock().unwrap().push(heard);
    let is_mute = stand.faults.lock().unwrap().mute.contains(&stand.id);
    if is_mute {
        std::future::pending::<()>().await;
    }
    let at = (stand.id.clone(), line.clone());
    let told = stand.faults.lock().unwrap().told.get(&at).cloned();
    if let Some(body) = told {
        return Response::new(Body::from(body));
    }
    let name = stand.nodes.lock().unwrap()[&stand.id].get(&line).copied();
    let Some(name) = name else {
        return Response::builder()
            .status(404)
            .body(Body::from(
                r#"{"errors":["1 error occurred:\n\t* unsupported path\n\n"]}"#,
            ))
            .unwrap();
    };
    let answer = &recording(name)["response"];
    let mut text = match &answer["body"] {
        Value::Null => answer["body_text"].as_str().unwrap_or_default().to_owned(),
        body => body.to_string(),
    };
    // Who is asked, unless it was recorded that somebody else answered.
    let by = answer["headers"]["x-vault-raft-node-id"].as_str();
    let mut response = Response::builder()
        .status(u16::try_from(answer["status"].as_u64().unwrap()).unwrap())
        .header("x-vault-raft-node-id", by.unwrap_or(&stand.id));
    let places = stand.places.lock().unwrap().clone();
    for (recorded, here) in &places {
        text = text.replace(recorded, here);
    }
    if let Some(location) = answer["headers"]["location"].as_str() {
        let mut location = location.to_owned();
        for (recorded, here) in &places {
            location = location.replace(recorded, here);
        }
        response = response.header("location", location);
    }
    if let Some(kind) = answer["headers"]["content-type"].as_str() {
        response = response.header("content-type", kind);
    }
    if let Some(bytes) = stand.faults.lock().unwrap().cut.get(&line) {
        text.truncate(*bytes);
    }
    response.body(Body::from(text)).unwrap()
}
