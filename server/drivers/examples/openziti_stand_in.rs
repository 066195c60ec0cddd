//! Starts stand-ins for OpenZiti controllers, to look at the console by hand: three voters, a
//! learner, and one that belongs to no cluster. They are not OpenZiti; they answer as its API is
//! described.
//!
//! `cargo run -p quorate-drivers --example openziti_stand_in -- DIR` writes the authority's
//! certificate and the password under DIR and prints one JSON line for each controller, then one
//! with what a configuration needs. It runs until its standard input closes or SIGTERM or SIGINT
//! comes. Lines on its standard input change it: `kill n2`, `start n2`, `freeze n2`, `thaw n2`,
//! `cut n2`, `heal`; `tell` prints who leads and who votes by the simulated Raft itself.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "../tests/openziti_stand_in/mod.rs"]
mod openziti_stand_in;

use std::{collections::BTreeMap, env, fs, io, path::PathBuf, thread, time::Duration};

use openziti_stand_in::{ADMINISTRATOR, Pace, Shape, StandIn};
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = PathBuf::from(env::args_os().nth(1).expect("usage: openziti_stand_in DIR"));
    fs::create_dir_all(&dir).unwrap();
    let mut stand_in = StandIn::start(shape()).await;
    announce(&stand_in, &fs::canonicalize(dir).unwrap());
    let mut term = signal(SignalKind::terminate()).unwrap();
    let mut interrupt = signal(SignalKind::interrupt()).unwrap();
    let (read, mut lines) = mpsc::channel::<String>(1);
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if read.blocking_send(line).is_err() {
                return;
            }
        }
    });
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = interrupt.recv() => break,
            line = lines.recv() => match line {
                Some(line) => obey(&mut stand_in, &line).await,
                None => break,
            },
        }
    }
}

/// Its times are those of a machine that has much else to do.
fn shape() -> Shape {
    let pace = Pace {
        election: Duration::from_millis(600),
        forward: Duration::from_secs(3),
        cut_off: Duration::from_secs(10),
        ..Pace::default()
    };
    Shape {
        pace,
        ..Shape::of_2_1()
    }
}

fn announce(stand_in: &StandIn, dir: &std::path::Path) {
    let (authority, password) = (dir.join("ca.pem"), dir.join("password"));
    fs::write(&authority, stand_in.authority.pem()).unwrap();
    fs::write(&password, ADMINISTRATOR.1).unwrap();
    let ids: Vec<String> = stand_in.world.state().nodes.keys().cloned().collect();
    for id in &ids {
        let line = json!({
            "node": id, "api": stand_in.url(id), "address": stand_in.address(id),
            "member": stand_in.votes(id).is_some(),
        });
        println!("{line}");
    }
    let configuration = json!({
        "kind": "openziti", "seeds": [stand_in.url("n1")], "username": ADMINISTRATOR.0,
        "password_file": password, "ca_file": authority,
    });
    println!("{configuration}");
}

async fn obey(stand_in: &mut StandIn, line: &str) {
    let mut words = line.split_whitespace();
    let known = |id: &&str| stand_in.world.state().nodes.contains_key(*id);
    match (words.next(), words.next().filter(known)) {
        (Some("kill"), Some(id)) => stand_in.kill(id).await,
        (Some("start"), Some(id)) => stand_in.start_again(id).await,
        (Some("freeze"), Some(id)) => stand_in.freeze(id),
        (Some("thaw"), Some(id)) => stand_in.thaw(id),
        (Some("cut"), Some(id)) => stand_in.cut_off(&[id]),
        (Some("heal"), None) => stand_in.cut_off(&[]),
        (Some("tell"), None) => tell(stand_in),
        _ => println!("{}", json!({ "not understood": line })),
    }
}

fn tell(stand_in: &StandIn) {
    let state = stand_in.world.state();
    let servers = state.config.iter();
    let votes: BTreeMap<&str, bool> = servers
        .map(|server| (server.id.as_str(), server.voter))
        .collect();
    println!("{}", json!({ "leader": state.leader, "votes": votes }));
}
