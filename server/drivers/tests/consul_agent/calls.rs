//! The calls the console makes of Consul, in every situation a test knows, and what of the answers
//! counts: the same calls go to the real one, to the recording of it, and to the stand-in.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// One call: its name, whose token it carries, its path.
pub struct Call {
    pub name: &'static str,
    pub situation: &'static str,
    pub who: Who,
    pub path: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// May read the service.
    Reader,
    /// May see nothing.
    Stranger,
    /// A token that Consul has never made.
    Unknown,
}

pub const UNKNOWN: &str = "7d1c2b3a-4e5f-4a6b-8c7d-9e0f1a2b3c4d";

/// Where two instances of `raft` are registered, one with the tag `api`.
pub const CALLS: [Call; 5] = [
    Call {
        name: "all",
        situation: "two instances, one at its machine's address",
        who: Who::Reader,
        path: "v1/catalog/service/raft?stale=",
    },
    Call {
        name: "tagged",
        situation: "of two instances one has the tag",
        who: Who::Reader,
        path: "v1/catalog/service/raft?stale=&tag=api",
    },
    Call {
        name: "none",
        situation: "no instance has the tag",
        who: Who::Reader,
        path: "v1/catalog/service/raft?stale=&tag=nobody",
    },
    Call {
        name: "hidden",
        situation: "a token that may not see the service",
        who: Who::Stranger,
        path: "v1/catalog/service/raft?stale=",
    },
    Call {
        name: "unknown-token",
        situation: "a token that Consul has never made",
        who: Who::Unknown,
        path: "v1/catalog/service/raft?stale=",
    },
];

/// Headers that say something about the answer.
const HEADERS: [&str; 3] = [
    "content-type",
    "x-consul-index",
    "x-consul-results-filtered-by-acls",
];

/// Asks once; the answer without anything that would tell who asked.
pub async fn ask(address: &str, call: &Call, token: &str) -> Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{address}/{}", call.path);
    let request = http.get(url).header("X-Consul-Token", token);
    let answer = request.send().await.unwrap();
    let headers: Map<String, Value> = HEADERS
        .iter()
        .filter_map(|name| {
            let value = answer.headers().get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), json!(value)))
        })
        .collect();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let mut response = json!({ "status": status, "headers": headers });
    match serde_json::from_str::<Value>(&text) {
        Ok(body) => response["body"] = body,
        Err(_) => response["body_text"] = json!(text.trim()),
    }
    response
}

/// What the console reads of an answer, as types: the same of the real one and of a stand-in.
pub fn shape(response: &Value) -> Value {
    let rows = response["body"].as_array();
    let row = |row: &Value| {
        let read = ["Address", "ServiceAddress", "ServicePort", "ServiceTags"];
        let fields = read.iter().map(|name| (*name, kind(&row[*name])));
        json!(fields.collect::<BTreeMap<_, _>>())
    };
    json!({
        "status": response["status"],
        "filtered": response["headers"]["x-consul-results-filtered-by-acls"],
        "index": kind(&response["headers"]["x-consul-index"]),
        "rows": rows.map(|rows| rows.iter().map(row).collect::<Vec<_>>()),
        "says": response["body_text"],
    })
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "absent",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
