//! What every agent must do, whatever library it speaks for. Only reads, and asks for what must
//! be refused, so it can be pointed at any agent:
//!
//! `QUORATE_AGENT=http://127.0.0.1:7000 QUORATE_AGENT_TOKEN=… cargo test -p quorate-drivers
//! --test agent_conformance`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "agent_conformance/checks.rs"]
mod checks;
#[path = "../../demo/tests/cluster/mod.rs"]
mod cluster;
#[path = "agent_conformance/wrong.rs"]
mod wrong;

use checks::Subject;
use cluster::{Cluster, TOKEN};

#[tokio::test(flavor = "multi_thread")]
async fn the_openraft_agent_conforms_in_every_role() {
    let mut cluster = Cluster::start(3, 1).await;
    cluster.first_start(5).await.unwrap();
    for node in cluster.nodes.values() {
        let subject = Subject::new(&format!("http://{}", node.address), TOKEN);
        subject.conforms().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_named_in_the_environment_conforms() {
    let Ok(address) = std::env::var("QUORATE_AGENT") else {
        return;
    };
    let token = std::env::var("QUORATE_AGENT_TOKEN").unwrap_or_default();
    Subject::new(&address, &token).conforms().await.unwrap();
}
