//! A stand-in for Consul's catalogue: the one call the console makes, held against what a real
//! Consul was recorded to answer.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::AbortHandle, time::timeout};

pub const TOKEN: &str = "consul-token-for-tests";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Answers,
    /// The token may not see the service: the list is empty, and a header says so.
    Hides,
    Fails,
}

struct Book {
    service: String,
    instances: Vec<Value>,
    mood: Mood,
    /// Headers of every call.
    heard: Vec<HeaderMap>,
    /// What every call asked beside the path.
    queries: Vec<String>,
    /// Moves with every change.
    index: watch::Sender<u64>,
}

pub struct Consul {
    pub address: SocketAddr,
    book: Arc<Mutex<Book>>,
    task: AbortHandle,
}

impl Consul {
    pub async fn start(service: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let book = Arc::new(Mutex::new(Book {
            service: service.to_owned(),
            instances: Vec::new(),
            mood: Mood::Answers,
            heard: Vec::new(),
            queries: Vec::new(),
            index: watch::Sender::new(1),
        }));
        let router = Router::new()
            .route("/v1/catalog/service/{service}", get(catalogue))
            .with_state(Arc::clone(&book));
        let serving = async move { axum::serve(listener, router).await.unwrap() };
        let task = tokio::spawn(serving).abort_handle();
        Self {
            address,
            book,
            task,
        }
    }

    /// Registers an instance: on a machine, with an address of its own or without.
    pub fn register(&self, machine: &str, own: &str, port: u16, tag: &str) {
        let mut book = self.book.lock().unwrap();
        book.instances.push(json!({
            "ID": "40e4a748-2192-161a-0510-9bf59fe950b5", "Node": "n", "Address": machine,
            "Datacenter": "dc1", "ServiceID": format!("raft-{port}"), "ServiceName": "raft",
            "ServiceAddress": own, "ServicePort": port, "ServiceTags": [tag],
        }));
        book.index.send_modify(|index| *index += 1);
    }

    pub fn mood(&self, mood: Mood) {
        let mut book = self.book.lock().unwrap();
        book.mood = mood;
        book.index.send_modify(|index| *index += 1);
    }

    pub fn queries(&self) -> Vec<String> {
        self.book.lock().unwrap().queries.clone()
    }

    pub fn heard(&self) -> Vec<HeaderMap> {
        self.book.lock().unwrap().heard.clone()
    }
}

impl Drop for Consul {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn catalogue(
    State(book): State<Arc<Mutex<Book>>>,
    Path(service): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let mut moved = {
        let mut book = book.lock().unwrap();
        book.heard.push(headers.clone());
        book.queries.push(query.clone());
        book.index.subscribe()
    };
    let since = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("index="));
    if let Some(since) = since.and_then(|since| since.parse::<u64>().ok()) {
        let kept = Duration::from_secs(30);
        let _ = timeout(kept, moved.wait_for(|index| *index != since)).await;
    }
    let index = [("x-consul-index", moved.borrow().to_string())];
    (
        index,
        now(&book.lock().unwrap(), &service, &query, &headers),
    )
        .into_response()
}

fn now(book: &Book, service: &str, query: &str, headers: &HeaderMap) -> Response {
    if book.mood == Mood::Fails {
        let text = "rpc error: no path to datacenter";
        return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
    }
    let token = headers.get("x-consul-token").map(|token| token.as_bytes());
    if token.is_some_and(|token| token != TOKEN.as_bytes()) {
        return (StatusCode::FORBIDDEN, "ACL not found").into_response();
    }
    if book.mood == Mood::Hides {
        let filtered = [("x-consul-results-filtered-by-acls", "true")];
        return (filtered, Json(json!([]))).into_response();
    }
    let tags: Vec<&str> = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("tag="))
        .collect();
    let fits = |instance: &&Value| {
        let all = instance["ServiceTags"].as_array().unwrap();
        tags.iter().all(|tag| all.iter().any(|has| has == tag))
    };
    let found: Vec<Value> = match service == book.service {
        true => book.instances.iter().filter(fits).cloned().collect(),
        false => Vec::new(),
    };
    Json(found).into_response()
}
