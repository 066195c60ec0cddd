//! Nodes of the demo, cut off by their own fault switches (slow rounds).

use std::{env, path::Path, sync::Arc};

use openraft::async_runtime::watch::WatchReceiver as _;
use quorate_domain::action::Action;
use quorate_drivers::Driver;
use serde_json::json;

use crate::{
    address,
    cluster::Cluster,
    driver,
    partition::{self, Stage, Words},
};

struct Cuttable {
    cluster: Cluster,
    driver: Arc<dyn Driver>,
}

fn name(id: u64) -> String {
    format!("node-{id}")
}

fn number(member: &str) -> u64 {
    member.strip_prefix("node-").unwrap().parse().unwrap()
}

impl Stage for Cuttable {
    const PASSING: &'static [&'static str] = &[
        "not-heard",
        "not-level",
        "majority-at-risk",
        "change-in-progress",
        "revision-moved",
        "not-leader",
        "no-leader",
        "no-quorum",
    ];

    fn driver(&self) -> &Arc<dyn Driver> {
        &self.driver
    }

    fn dir(&self) -> &Path {
        self.cluster.dir.path()
    }

    /// A node refuses both ways whom it is told to.
    async fn cut_off(&self, cut: &str) {
        let ids = self.cluster.nodes.keys().copied();
        let others: Vec<String> = ids.map(name).filter(|it| it != cut).collect();
        let switches = json!({ "cut": others });
        self.cluster.fault(number(cut), switches).await;
    }

    async fn mend(&self) {
        for id in self.cluster.nodes.keys() {
            self.cluster.fault(*id, json!({})).await;
        }
    }

    async fn words(&self, member: &str) -> Words {
        let raft = &self.cluster.nodes[&number(member)].raft;
        let told = raft.metrics().borrow_watched().clone();
        let membership = told.membership_config.membership();
        let votes = |id: u64| membership.voter_ids().any(|voter| voter == id);
        let ids = membership.nodes().map(|(id, _)| *id);
        Words {
            members: ids.map(|id| (name(id), votes(id))).collect(),
            leader: told.current_leader.map(name),
            last_index: told.last_log_index.unwrap_or(0),
            applied_index: told.last_applied.map_or(0, |at| at.index),
        }
    }

    async fn write(&self, leader: &str, entries: u64) {
        let node = self.cluster.nodes[&number(leader)].address;
        let put = |key: u64| {
            let url = format!("http://{node}/kv/key-{key}");
            self.cluster.http.put(url).body("a value").send()
        };
        let sent = futures::future::join_all((0..entries).map(put)).await;
        for told in sent {
            assert!(told.unwrap().status().is_success());
        }
    }

    async fn newcomer(&mut self) -> Action {
        self.cluster.first_start(4).await.unwrap();
        Action::AddLearner {
            address: address(&self.cluster, 4),
            member: None,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_openraft_goes_on_while_a_member_is_cut_off() {
    if env::var_os("QUORATE_TEST_SLOW").is_none_or(|slow| slow != "1") {
        return;
    }
    partition::a_member_is_cut_off_in_the_middle_of_every_verb(async || {
        let cluster = Cluster::start(3, 0).await;
        let driver = driver(&cluster);
        Some(Cuttable { cluster, driver })
    })
    .await;
}
