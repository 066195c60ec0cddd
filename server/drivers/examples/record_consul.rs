//! Records what a real Consul answers to the calls the console makes, in the form of
//! `tests/recorded/consul-*`: `cargo run -p quorate-drivers --example record_consul -- DIR`. It
//! starts a server of its own. Tokens never get into the files.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "../tests/consul_agent/mod.rs"]
mod consul_agent;

use std::{env, fs, path::PathBuf};

use consul_agent::{
    Agent, VERSION,
    calls::{self, CALLS, UNKNOWN, Who},
};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = PathBuf::from(env::args_os().nth(1).expect("usage: record_consul DIR"));
    fs::create_dir_all(&dir).unwrap();
    let agent = Agent::start().await.expect("a real Consul");
    agent.register("raft", "raft-1", "", 8200, "api").await;
    agent
        .register("raft", "raft-2", "10.0.0.2", 8201, "other")
        .await;
    let (reader, stranger) = (agent.reader("raft").await, agent.stranger().await);
    let mut rows = Vec::new();
    for call in &CALLS {
        let token = match call.who {
            Who::Reader => &reader,
            Who::Stranger => &stranger,
            Who::Unknown => UNKNOWN,
        };
        let response = calls::ask(&agent.address, call, token).await;
        rows.push(format!(
            "| {} | GET /{} | {} | {} |",
            call.name, call.path, response["status"], call.situation
        ));
        let whole = json!({
            "server": format!("Consul {VERSION}"), "situation": call.situation,
            "request": { "line": format!("GET /{}", call.path), "token": format!("{:?}", call.who) },
            "response": response,
        });
        let text = serde_json::to_string_pretty(&whole).unwrap();
        assert!(
            !text.contains(&reader) && !text.contains(&stranger),
            "a token in the recording"
        );
        fs::write(dir.join(format!("{}.json", call.name)), text + "\n").unwrap();
    }
    let list = format!(
        "# Recorded answers of Consul {VERSION}\n\nThe catalogue of one server on loopback, access rules on; two instances of the service `raft`\nare registered. Made again by `cargo run -p quorate-drivers --example record_consul`. The stand-in\nof the discovery tests is held against these in every round, the real one in the slow rounds.\n\n| file | request | status | situation |\n| --- | --- | --- | --- |\n{}\n",
        rows.join("\n")
    );
    fs::write(dir.join("README.md"), list).unwrap();
    println!(
        "{} answers of Consul {VERSION} in {}",
        rows.len(),
        dir.display()
    );
}
