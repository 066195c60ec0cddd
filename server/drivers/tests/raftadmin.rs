//! The driver for raftadmin: on recorded answers, on stand-ins that lie, and on real nodes of the
//! Go program in `raftadmin_cluster`, each a process of its own. What the driver reports is
//! compared with what Raft itself says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "contract/checks.rs"]
mod checks;
#[path = "raftadmin/failing.rs"]
mod failing;
#[path = "contract/failure.rs"]
mod failure;
#[path = "raftadmin/input.rs"]
mod input;
#[path = "raftadmin/life.rs"]
mod life;
#[path = "raftadmin/nodes.rs"]
mod nodes;
#[path = "raftadmin/open.rs"]
mod open;
#[path = "raftadmin/recorded.rs"]
mod recorded;
#[path = "contract/seen.rs"]
mod seen;
#[path = "contract/stage.rs"]
mod stage;
#[path = "raftadmin/stand_in.rs"]
mod stand_in;

use std::{sync::Arc, time::Duration};

use quorate_domain::cluster::{Kind, MemberId};
use quorate_drivers::{Connection, Driver, Lookups, connect};

fn connection(seeds: Vec<String>) -> Connection {
    Connection {
        name: "raftadmin".to_owned(),
        kind: Kind::Raftadmin,
        seeds,
        token: None,
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: Lookups::default(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(15),
    }
}

/// How long one look may take where nothing is to run out of time.
const LOOK: Duration = Duration::from_secs(20);

/// For stand-ins that answer at once, on machines that do not.
fn patient(seeds: Vec<String>) -> Connection {
    Connection {
        status_timeout: Duration::from_secs(8),
        ..connection(seeds)
    }
}

fn driver(seeds: Vec<String>) -> Arc<dyn Driver> {
    connect(connection(seeds)).unwrap()
}

fn id(member: &str) -> MemberId {
    MemberId::from(member)
}
