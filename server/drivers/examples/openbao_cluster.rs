//! Starts a real OpenBao cluster for journeys and by hand: three voters, a learner, and a fresh
//! node that belongs to no cluster.
//!
//! `cargo run -p quorate-drivers --example openbao_cluster -- DIR` prints one JSON line for each
//! node (`{"node":"n1","api":"http://…","cluster":"…","pid":…,"member":true}`), then
//! `{"token_file":"…","seeds":[…]}` (a token with the operator's policy, not root's). It runs
//! until its standard input closes or SIGTERM or SIGINT comes, and ends all its nodes.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "../tests/openbao_cluster/mod.rs"]
mod openbao_cluster;

use std::{env, fs, io, path::PathBuf};

use openbao_cluster::{Cluster, Shape};
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = PathBuf::from(env::args_os().nth(1).expect("usage: openbao_cluster DIR"));
    fs::create_dir_all(&dir).unwrap();
    let dir = fs::canonicalize(dir).unwrap();
    let mut term = signal(SignalKind::terminate()).unwrap();
    let mut interrupt = signal(SignalKind::interrupt()).unwrap();
    let Some(mut cluster) = Cluster::start_in(&dir, Shape::default()).await else {
        std::process::exit(1);
    };
    cluster.fresh("n5").await;
    announce(&cluster, &dir);
    tokio::select! {
        _ = input_closed() => {}
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    for node in &mut cluster.nodes {
        node.stop().await;
    }
}

/// Resolves at the end of standard input. A plain thread reads it, which holds nothing up.
fn input_closed() -> oneshot::Receiver<()> {
    let (closed, resolves) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = closed.send(());
    });
    resolves
}

fn announce(cluster: &Cluster, dir: &std::path::Path) {
    for node in &cluster.nodes {
        let line = json!({
            "node": node.id, "api": node.api, "cluster": node.cluster,
            "pid": node.pid(), "member": node.id != "n5",
        });
        println!("{line}");
    }
    let token = dir.join("operator-token");
    fs::write(&token, &cluster.operator).unwrap();
    let seeds: Vec<&str> = cluster
        .nodes
        .iter()
        .take(1)
        .map(|node| node.api.as_str())
        .collect();
    println!("{}", json!({ "token_file": token, "seeds": seeds }));
}
