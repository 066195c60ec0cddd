//! The driver on real etcd clusters: what it reports against what the members and `etcdctl` say,
//! with members killed, frozen and cut off in the middle of it; the accidents etcd permits; what
//! the check says; input nobody should believe.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "etcd/access.rs"]
mod access;
#[path = "etcd/accidents.rs"]
mod accidents;
#[path = "contract/checks.rs"]
#[allow(dead_code)]
mod checks;
#[path = "etcd/contact.rs"]
mod contact;
#[path = "openbao_accidents/cut.rs"]
#[allow(dead_code)]
mod cut;
mod etcd_cluster;
#[path = "etcd/input.rs"]
mod input;
#[path = "etcd/life.rs"]
mod life;
#[path = "etcd/namespaces.rs"]
mod namespaces;
#[path = "contract/replay.rs"]
#[allow(dead_code)]
mod replay;
#[path = "etcd/rounds.rs"]
mod rounds;
#[path = "contract/seen.rs"]
mod seen;

use std::{sync::Arc, time::Duration};

use etcd_cluster::Cluster;
use quorate_domain::{
    action::Action,
    cluster::Kind,
    observation::Observation,
    preflight::{self, Check, Level, ReasonCode},
};
use quorate_drivers::{Connection, Driver, connect};
use seen::view_of as view;

fn connection(seeds: Vec<String>) -> Connection {
    Connection {
        name: "real".to_owned(),
        kind: Kind::Etcd,
        seeds,
        token: None,
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: quorate_drivers::Lookups::default(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(20),
    }
}

fn driver(cluster: &Cluster) -> Arc<dyn Driver> {
    let seeds = ["n1", "n2"].map(|name| cluster.node(name).client.clone());
    connect(connection(seeds.to_vec())).unwrap()
}

/// The rules that refuse `action`.
fn refusals(seen: &Observation, action: &Action) -> Vec<ReasonCode> {
    let checks: Vec<Check> = preflight::check(&view(seen), action);
    checks
        .iter()
        .filter(|check| check.level == Level::Refuse)
        .map(|check| check.code)
        .collect()
}

fn promote(id: &str) -> Action {
    Action::Promote { member: id.into() }
}

fn remove(id: &str) -> Action {
    Action::Remove { member: id.into() }
}

fn transfer(id: &str) -> Action {
    Action::Transfer {
        member: Some(id.into()),
    }
}
