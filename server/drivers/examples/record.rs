//! Records one answer of a real OpenBao in the form of `tests/recorded/openbao-2.7.2/*.json`.
//!
//! `cargo run -p quorate-drivers --example record -- http://127.0.0.1:8200 GET
//! sys/storage/raft/configuration "asked at the leader" [--to n1] [--body '{…}'] [--token-file F]`
//! prints the file. Tokens, keys, nonces and host names never get into it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::{env, fs, time::Instant};

use serde_json::{Map, Value, json};

/// Fields whose values are secrets wherever they stand.
const SECRET: [&str; 12] = [
    "client_token",
    "root_token",
    "keys",
    "keys_base64",
    "recovery_keys",
    "recovery_keys_base64",
    "id",
    "accessor",
    "nonce",
    "key",
    "leader_client_key",
    "token",
];
/// Headers that say something about the answer.
const HEADERS: [&str; 5] = [
    "content-type",
    "content-length",
    "transfer-encoding",
    "location",
    "content-disposition",
];

struct Wanted {
    origin: String,
    method: String,
    path: String,
    situation: String,
    to: Option<String>,
    body: Option<Value>,
    token: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let wanted = arguments();
    let recorded = record(&wanted).await;
    println!("{}", serde_json::to_string_pretty(&recorded).unwrap());
}

fn arguments() -> Wanted {
    let mut words = env::args().skip(1);
    let mut next = || {
        words
            .next()
            .expect("usage: record ORIGIN METHOD PATH SITUATION [options]")
    };
    let mut wanted = Wanted {
        origin: next(),
        method: next(),
        path: next(),
        situation: next(),
        to: None,
        body: None,
        token: None,
    };
    while let Some(option) = words.next() {
        let value = words.next().expect("every option has a value");
        match option.as_str() {
            "--to" => wanted.to = Some(value),
            "--body" => wanted.body = Some(serde_json::from_str(&value).expect("a JSON body")),
            "--token-file" => {
                wanted.token = Some(fs::read_to_string(value).unwrap().trim().to_owned());
            }
            other => panic!("unknown option {other}"),
        }
    }
    wanted
}

async fn record(wanted: &Wanted) -> Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let url = format!("{}/v1/{}", wanted.origin.trim_end_matches('/'), wanted.path);
    let mut request = client.request(wanted.method.parse().unwrap(), url);
    if let Some(token) = &wanted.token {
        request = request.header("X-Vault-Token", token);
    }
    if let Some(body) = &wanted.body {
        request = request.json(body);
    }
    let start = Instant::now();
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let headers: Map<String, Value> = HEADERS
        .iter()
        .filter_map(|name| {
            let value = answer.headers().get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), json!(value)))
        })
        .collect();
    let body = answer.bytes().await.expect("a whole answer");
    let mut response = json!({
        "status": status,
        "headers": headers,
        "took_ms": u64::try_from(start.elapsed().as_millis()).unwrap(),
    });
    match serde_json::from_slice::<Value>(&body) {
        Ok(found) => response["body"] = redacted(&found, wanted.token.as_deref()),
        Err(_) => {
            let text = std::str::from_utf8(&body).unwrap_or("(binary)");
            response["body_text"] = json!(hidden(text, wanted.token.as_deref()));
        }
    }
    let line = format!("{} /v1/{}", wanted.method, wanted.path);
    let mut told = json!({
        "line": line,
        "to": wanted.to.as_deref().unwrap_or("one node"),
        "token": if wanted.token.is_some() { "some" } else { "none" },
    });
    if let Some(body) = &wanted.body {
        told["body"] = redacted(body, wanted.token.as_deref());
    }
    json!({ "situation": wanted.situation, "request": told, "response": response })
}

/// `value` with secrets replaced wherever they may stand.
fn redacted(value: &Value, token: Option<&str>) -> Value {
    match value {
        Value::Object(fields) => {
            let clean =
                |(name, value): (&String, &Value)| (name.clone(), field(name, value, token));
            Value::Object(fields.iter().map(clean).collect())
        }
        Value::Array(items) => items.iter().map(|item| redacted(item, token)).collect(),
        Value::String(text) => json!(hidden(text, token)),
        other => other.clone(),
    }
}

fn field(name: &str, value: &Value, token: Option<&str>) -> Value {
    match (name, value) {
        ("hostname", Value::String(_)) => json!("host-a"),
        // A member's id is no secret; a token's is.
        ("id", Value::String(id)) if !id.contains('.') => json!(id),
        (name, Value::String(_) | Value::Array(_)) if SECRET.contains(&name) => json!("REDACTED"),
        (_, value) => redacted(value, token),
    }
}

fn hidden(text: &str, token: Option<&str>) -> String {
    match token {
        Some(token) if !token.is_empty() => text.replace(token, "REDACTED"),
        _ => text.to_owned(),
    }
}
