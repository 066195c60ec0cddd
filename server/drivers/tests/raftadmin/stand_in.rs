//! Stand-ins for nodes: they answer gRPC by HTTP/2 with recorded answers, or with whatever a test
//! has them say.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use h2::server::SendResponse;
use prost::Message;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

pub const FOLDER: &str = "raftadmin-1.2.1";

/// How a stand-in answers one method.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A message.
    Told(Vec<u8>),
    /// A status other than 0.
    Failed(u16, String),
    /// Half of a message, and the end of the stream.
    Cut(Vec<u8>),
    /// A message of which only the head comes, with this length in it.
    Promised(u32),
    /// A page of HTML with this HTTP status.
    Page(u16),
    Never,
}

type Table = BTreeMap<String, Answer>;

/// One node.
pub struct StandIn {
    pub address: String,
    table: Arc<Mutex<Table>>,
    heard: Arc<Mutex<Vec<(String, Bytes)>>>,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl StandIn {
    /// Answers nothing yet: every method is unimplemented.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (table, heard) = (Arc::<Mutex<Table>>::default(), Arc::default());
        let (answers, calls) = (Arc::clone(&table), Arc::clone(&heard));
        let running = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(socket, Arc::clone(&answers), Arc::clone(&calls)));
            }
        });
        Self {
            address,
            table,
            heard,
            running,
        }
    }

    pub fn seed(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it answers `method` like this.
    pub fn answer(&self, method: &str, answer: Answer) {
        self.table.lock().unwrap().insert(method.to_owned(), answer);
    }

    /// What was called, in order, with the messages.
    pub fn heard(&self) -> Vec<(String, Bytes)> {
        self.heard.lock().unwrap().clone()
    }

    pub fn called(&self, method: &str) -> usize {
        self.heard()
            .iter()
            .filter(|(name, _)| name == method)
            .count()
    }
}

async fn serve(
    socket: TcpStream,
    table: Arc<Mutex<Table>>,
    heard: Arc<Mutex<Vec<(String, Bytes)>>>,
) {
    let Ok(mut connection) = h2::server::handshake(socket).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (table, heard) = (Arc::clone(&table), Arc::clone(&heard));
        tokio::spawn(async move {
            let method = request
                .uri()
                .path()
                .trim_start_matches("/RaftAdmin/")
                .to_owned();
            let mut body = request.into_body();
            let mut asked = Vec::new();
            while let Some(Ok(piece)) = body.data().await {
                let _ = body.flow_control().release_capacity(piece.len());
                asked.extend_from_slice(&piece);
            }
            let message = Bytes::from(asked).slice(5..);
            heard
                .lock()
                .unwrap()
                .push((method.clone(), message.clone()));
            let known = table.lock().unwrap().clone();
            let answer = known.get(&method).cloned();
            // What is waited for is told by the token: the method that gave it out.
            let answer = match method.as_str() {
                "Await" => {
                    let token = Token::decode(message).unwrap().token;
                    known.get(&format!("Await {token}")).cloned().or(answer)
                }
                _ => answer,
            };
            let unknown = || Answer::Failed(12, format!("unknown method {method}"));
            reply(respond, answer.unwrap_or_else(unknown)).await;
        });
    }
}

async fn reply(mut respond: SendResponse<Bytes>, answer: Answer) {
    let head = |status: u16, kind: &str| {
        let mut response = http_response(status);
        let kind = HeaderValue::from_str(kind).unwrap();
        response.headers_mut().insert("content-type", kind);
        response
    };
    let grpc = head(200, "application/grpc");
    let (message, ends_well) = match answer {
        Answer::Told(message) => (framed(&message), true),
        Answer::Cut(message) => {
            let framed = framed(&message);
            (framed.slice(..framed.len() / 2), false)
        }
        Answer::Promised(length) => {
            let head = [&[0][..], &length.to_be_bytes()].concat();
            (Bytes::from(head), false)
        }
        Answer::Failed(status, text) => {
            let mut only = grpc;
            only.headers_mut().extend(trailers(status, &text));
            let _ = respond.send_response(only, true);
            return;
        }
        Answer::Page(status) => {
            let page = head(status, "text/html");
            if let Ok(mut body) = respond.send_response(page, false) {
                let _ = body.send_data(Bytes::from_static(b"<html>Welcome</html>"), true);
            }
            return;
        }
        Answer::Never => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            return;
        }
    };
    let Ok(mut body) = respond.send_response(grpc, false) else {
        return;
    };
    let _ = body.send_data(message, false);
    if ends_well {
        let _ = body.send_trailers(trailers(0, ""));
    } else {
        // The rest never comes.
        body.send_reset(h2::Reason::CANCEL);
    }
}

fn http_response(status: u16) -> tonic::codegen::http::Response<()> {
    let response = tonic::codegen::http::Response::builder().status(status);
    response.body(()).unwrap()
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    Bytes::from([&[0][..], &length, message].concat())
}

fn trailers(status: u16, text: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert(
        HeaderName::from_static("grpc-status"),
        HeaderValue::from(status),
    );
    let text = HeaderValue::from_str(text).unwrap();
    trailers.insert(HeaderName::from_static("grpc-message"), text);
    trailers
}

#[derive(Clone, PartialEq, Message)]
pub struct Token {
    #[prost(string, tag = "1")]
    pub token: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Named {
    #[prost(string, tag = "1")]
    pub address: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Stats {
    #[prost(btree_map = "string, string", tag = "1")]
    pub stats: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Configuration {
    #[prost(message, repeated, tag = "1")]
    pub servers: Vec<Server>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Server {
    #[prost(int32, tag = "1")]
    pub suffrage: i32,
    #[prost(string, tag = "2")]
    pub id: String,
    #[prost(string, tag = "3")]
    pub address: String,
}

pub fn recording(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recorded")
        .join(FOLDER)
        .join(format!("{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A recorded message as it came.
pub fn message(name: &str) -> Vec<u8> {
    let recording = recording(name);
    let text = recording["message_hex"].as_str().unwrap().to_owned();
    let bytes = (0..text.len()).step_by(2);
    bytes
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Recorded answers at the addresses of their stand-ins.
pub struct Recorded {
    pub nodes: BTreeMap<String, StandIn>,
    /// Recorded address → address of the stand-in.
    places: BTreeMap<String, String>,
}

impl Recorded {
    /// Voters a, b and c, led by a, and the learner d.
    pub async fn start() -> Self {
        let members = recording("members");
        let (mut nodes, mut places) = (BTreeMap::new(), BTreeMap::new());
        for (id, address) in members.as_object().unwrap() {
            let node = StandIn::start().await;
            places.insert(address.as_str().unwrap().to_owned(), node.address.clone());
            nodes.insert(id.clone(), node);
        }
        let all = Self { nodes, places };
        for (id, node) in &all.nodes {
            node.answer("Stats", Answer::Told(message(&format!("stats-{id}"))));
            node.answer("Leader", all.leader(&format!("leader-{id}")));
            let name = format!("configuration-{id}");
            node.answer("GetConfiguration", all.configuration(&name));
            node.answer("Forget", Answer::Told(Vec::new()));
        }
        all
    }

    pub fn leader(&self, name: &str) -> Answer {
        let mut told = Named::decode(&message(name)[..]).unwrap();
        told.address = self.places[&told.address].clone();
        Answer::Told(told.encode_to_vec())
    }

    pub fn configuration(&self, name: &str) -> Answer {
        let mut told = Configuration::decode(&message(name)[..]).unwrap();
        for server in &mut told.servers {
            server.address = self.places[&server.address].clone();
        }
        Answer::Told(told.encode_to_vec())
    }

    /// From now on `method` of `id` gives out a token, and waiting for it brings this recording.
    pub fn operation(&self, id: &str, method: &str, awaited: &str) {
        let token = Token {
            token: method.to_owned(),
        };
        let node = &self.nodes[id];
        node.answer(method, Answer::Told(token.encode_to_vec()));
        let awaited = Answer::Told(message(awaited));
        node.answer(&format!("Await {method}"), awaited);
    }

    pub fn seeds(&self, ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| self.nodes[*id].seed()).collect()
    }
}
