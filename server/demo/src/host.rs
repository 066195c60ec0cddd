//! What the agent has to know of this program.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use openraft::{BasicNode, alias::CommittedLeaderIdOf, async_runtime::watch::WatchReceiver};
use quorate_agent_openraft::{Host, Newcomer};
use serde::{Deserialize, Serialize};

use crate::{
    identity::Identity,
    machine::Machine,
    types::{Raft, TypeConfig, id_of, member_of},
};

/// What a node says of itself to whoever asks, before it is a member of anything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    pub id: u64,
    pub cluster_id: String,
    /// Whether it holds no log.
    pub empty: bool,
}

pub struct DemoHost {
    /// Of the data and, after a dot, of the process.
    pub instance: String,
    pub identity: Arc<Identity>,
    pub machine: Machine,
    pub raft: Raft,
    pub http: reqwest::Client,
}

impl Host<TypeConfig> for DemoHost {
    fn program(&self) -> String {
        concat!("quorate-demo ", env!("CARGO_PKG_VERSION")).to_owned()
    }

    fn cluster_id(&self) -> Option<String> {
        Some(self.identity.cluster_id.clone())
    }

    fn instance(&self) -> String {
        self.instance.clone()
    }

    fn member_of(&self, id: &u64) -> String {
        member_of(*id)
    }

    fn id_of(&self, member: &str) -> Option<u64> {
        id_of(member)
    }

    fn term_of(&self, leader: &CommittedLeaderIdOf<TypeConfig>) -> u64 {
        leader.term
    }

    fn raft_address(&self, node: &BasicNode) -> String {
        node.addr.clone()
    }

    fn agent_address(&self, node: &BasicNode) -> Option<String> {
        Some(format!("http://{}", node.addr))
    }

    fn burned(&self) -> Vec<u64> {
        let membership = self
            .raft
            .metrics()
            .borrow_watched()
            .membership_config
            .clone();
        let seen = self.machine.seen().into_iter();
        seen.filter(|id| membership.get_node(id).is_none())
            .collect()
    }

    fn contact(&self, address: String) -> BoxFuture<'_, Result<Newcomer<TypeConfig>, String>> {
        self.meet(address).boxed()
    }
}

impl DemoHost {
    async fn meet(&self, address: String) -> Result<Newcomer<TypeConfig>, String> {
        let address = loopback(&address)?;
        // No token goes with this: whoever answers is not known yet.
        let request = self.http.get(format!("http://{address}/demo/hello"));
        let response = request.timeout(Duration::from_secs(2)).send().await;
        let response = response.map_err(|_| "nothing answers there".to_owned())?;
        let hello: Hello = response
            .json()
            .await
            .map_err(|_| "what answers there is no demo node".to_owned())?;
        Ok(Newcomer {
            id: hello.id,
            node: BasicNode::new(address),
            cluster_id: Some(hello.cluster_id),
            empty: hello.empty,
        })
    }
}

/// `http://127.0.0.1:7001/` or `127.0.0.1:7001`, and nowhere beyond this machine.
fn loopback(address: &str) -> Result<String, String> {
    let bare = address
        .strip_prefix("http://")
        .unwrap_or(address)
        .trim_end_matches('/');
    let parsed: Result<std::net::SocketAddr, _> = bare.parse();
    match parsed {
        Ok(parsed) if parsed.ip().is_loopback() => Ok(parsed.to_string()),
        Ok(_) => Err("demo nodes are on this machine only".to_owned()),
        Err(_) => Err("it is not an address and a port".to_owned()),
    }
}
