//! Several nodes in one process, over real HTTP on loopback.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    time::{Duration, Instant},
};

use openraft::BasicNode;
use quorate_agent_openraft::{
    Refusal,
    wire::{ChangeRequest, GroupView, Receipt, Verb},
};
use quorate_demo::node::{Node, NodeError, NodeOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const TOKEN: &str = "a-token-for-tests";
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Cluster {
    pub dir: TempDir,
    pub cluster_id: String,
    pub nodes: BTreeMap<u64, Node>,
    pub http: reqwest::Client,
}

/// Looks until there is something to see.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "never seen: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Cluster {
    /// `voters` voters from id 1 on, then `learners` learners.
    pub async fn start(voters: u64, learners: u64) -> Self {
        Self::start_as("c1", voters, learners).await
    }

    pub async fn start_as(cluster_id: &str, voters: u64, learners: u64) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        let mut cluster = Self {
            dir,
            cluster_id: cluster_id.to_owned(),
            nodes: BTreeMap::new(),
            http: reqwest_client(),
        };
        for id in 1..=voters {
            cluster.first_start(id).await.unwrap();
        }
        let members: BTreeMap<u64, BasicNode> = cluster
            .nodes
            .iter()
            .map(|(id, node)| (*id, BasicNode::new(node.address.to_string())))
            .collect();
        cluster.nodes[&1].raft.initialize(members).await.unwrap();
        cluster.leader().await;
        for id in voters + 1..=voters + learners {
            cluster.first_start(id).await.unwrap();
            cluster.join(id).await;
        }
        cluster
    }

    pub fn options(&self, id: u64, first_start: bool) -> NodeOptions {
        NodeOptions {
            dir: self.node_dir(id),
            listen: ([127, 0, 0, 1], 0).into(),
            id,
            cluster_id: self.cluster_id.clone(),
            first_start,
            token_file: self.dir.path().join("token"),
            parent: None,
            agent: true,
        }
    }

    pub fn node_dir(&self, id: u64) -> PathBuf {
        self.dir.path().join(format!("node-{id}"))
    }

    pub async fn first_start(&mut self, id: u64) -> Result<(), NodeError> {
        let node = Node::start(&self.options(id, true)).await?;
        self.nodes.insert(id, node);
        Ok(())
    }

    /// Starts a node anew on the data it has; its files are free a moment after it was stopped.
    pub async fn restart(&mut self, id: u64) {
        let options = self.options(id, false);
        let node = eventually("the node starts again", || async {
            Node::start(&options).await.ok()
        })
        .await;
        self.nodes.insert(id, node);
    }

    pub async fn stop(&mut self, id: u64) {
        self.nodes.remove(&id).expect("it runs").stop().await;
    }

    pub async fn view(&self, id: u64) -> GroupView {
        self.nodes[&id].agent.view().await
    }

    /// The node that leads with fresh evidence, and whom a majority names.
    pub async fn leader(&self) -> u64 {
        eventually("a leader", || async {
            for id in self.nodes.keys() {
                let view = self.view(*id).await;
                let fresh = view.quorum_evidence_ms.is_some_and(|age| age < 500);
                if view.claims_leadership && fresh && view.membership.committed {
                    return Some(*id);
                }
            }
            None
        })
        .await
    }

    /// A voter that does not lead.
    pub async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        let view = self.view(leader).await;
        let voters = &view.membership.configs[0];
        *self
            .nodes
            .keys()
            .find(|id| **id != leader && voters.contains(&format!("node-{id}")))
            .unwrap()
    }

    pub async fn revision(&self) -> String {
        let leader = self.leader().await;
        self.view(leader).await.membership.revision
    }

    pub async fn change(&self, action: Verb, member: &str) -> Result<Receipt, Refusal> {
        self.ask(action, Some(member), None).await
    }

    pub async fn add_learner(&self, id: u64) -> Result<Receipt, Refusal> {
        let address = format!("http://{}", self.nodes[&id].address);
        self.ask(Verb::AddLearner, None, Some(address)).await
    }

    /// A learner joins; what passes by itself is waited for.
    pub async fn join(&self, id: u64) -> Receipt {
        carried_out(|| self.add_learner(id)).await
    }

    /// A change that nothing is wrong with; what passes by itself is waited for.
    pub async fn carry_out(&self, action: Verb, member: &str) -> Receipt {
        carried_out(|| self.change(action, member)).await
    }

    pub async fn ask(
        &self,
        action: Verb,
        member: Option<&str>,
        address: Option<String>,
    ) -> Result<Receipt, Refusal> {
        let leader = self.leader().await;
        let request = ChangeRequest {
            action,
            member: member.map(str::to_owned),
            address,
            expected_revision: Some(self.view(leader).await.membership.revision),
        };
        self.nodes[&leader].agent.change(request).await
    }

    /// Switches faults on or off at one node.
    pub async fn fault(&self, id: u64, switches: Value) {
        self.post(id, "/demo/fault", switches).await;
    }

    pub async fn load(&self, per_second: u32) {
        let leader = self.leader().await;
        self.post(leader, "/demo/load", json!({ "per_second": per_second }))
            .await;
    }

    async fn post(&self, id: u64, path: &str, body: Value) {
        let url = format!("http://{}{path}", self.nodes[&id].address);
        let sent = self
            .http
            .post(url)
            .bearer_auth(TOKEN)
            .json(&body)
            .send()
            .await;
        assert!(sent.unwrap().status().is_success(), "{path}");
    }

    pub async fn write(&self, key: &str, value: &str) {
        let leader = self.leader().await;
        let url = format!("http://{}/kv/{key}", self.nodes[&leader].address);
        let sent = self
            .http
            .put(url)
            .body(value.to_owned())
            .send()
            .await
            .unwrap();
        assert!(sent.status().is_success(), "{:?}", sent.text().await);
    }
}

/// Tries until a busy machine has let everybody be heard. A refusal means that nothing was done.
async fn carried_out<F: Future<Output = Result<Receipt, Refusal>>>(
    mut ask: impl FnMut() -> F,
) -> Receipt {
    const PASSING: [&str; 7] = [
        "not-heard",
        "not-level",
        "majority-at-risk",
        "change-in-progress",
        "revision-moved",
        "not-leader",
        "no-quorum",
    ];
    let end = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(receipt) => return receipt,
            Err(refusal) if PASSING.contains(&refusal.code) && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(refusal) => panic!("refused: {refusal:?}"),
        }
    }
}

fn reqwest_client() -> reqwest::Client {
    // Any client needs a TLS back end, even one that never uses it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The code of a refusal.
pub fn code(result: &Result<Receipt, Refusal>) -> &'static str {
    match result {
        Ok(receipt) => panic!("accepted: {receipt:?}"),
        Err(refusal) => refusal.code,
    }
}
