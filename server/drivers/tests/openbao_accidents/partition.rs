//! Nodes of OpenBao, cut off by a wall between their cluster addresses (slow rounds).

use std::{env, path::Path, sync::Arc};

use quorate_domain::action::Action;
use quorate_drivers::{Connection, Driver, connect};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    connection,
    openbao_cluster::{Cluster, Shape},
    partition::{self, Stage, Words},
};

struct Cuttable {
    cluster: Cluster,
    driver: Arc<dyn Driver>,
    dir: TempDir,
}

impl Stage for Cuttable {
    const PASSING: &'static [&'static str] = &["leader-unknown", "no-leader", "refused-by-backend"];

    fn driver(&self) -> &Arc<dyn Driver> {
        &self.driver
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    async fn cut_off(&self, cut: &str) {
        self.cluster.wall.as_ref().unwrap().cut(cut);
    }

    async fn mend(&self) {
        self.cluster.wall.as_ref().unwrap().mend();
    }

    async fn words(&self, member: &str) -> Words {
        let (_, told) = self.cluster.get(member, "sys/leader").await;
        let mut members = self.cluster.members(member).await;
        members.sort();
        let named = told["leader_address"].as_str();
        let mut nodes = self.cluster.nodes.iter();
        let leader = match told["is_self"] == true {
            true => Some(member.to_owned()),
            false => nodes
                .find(|node| Some(node.api.as_str()) == named)
                .map(|node| node.id.clone()),
        };
        Words {
            members,
            leader,
            last_index: told["raft_committed_index"].as_u64().unwrap_or(0),
            applied_index: told["raft_applied_index"].as_u64().unwrap_or(0),
        }
    }

    async fn write(&self, leader: &str, entries: u64) {
        let mount = json!({ "type": "kv" });
        let _ = self.cluster.put(leader, "sys/mounts/written", mount).await;
        for number in 0..entries {
            let path = format!("written/value-{}", number % 10);
            let value = json!({ "value": number });
            let (status, text) = self.cluster.put(leader, &path, value).await;
            assert_eq!(status, 204, "{text}");
        }
    }

    async fn newcomer(&mut self) -> Action {
        Action::AddLearner {
            address: self.cluster.fresh("n4").await,
            member: None,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_openbao_goes_on_while_a_member_is_cut_off() {
    if env::var_os("QUORATE_TEST_SLOW").is_none_or(|slow| slow != "1") {
        return;
    }
    partition::a_member_is_cut_off_in_the_middle_of_every_verb(stage).await;
}

async fn stage() -> Option<Cuttable> {
    let shape = Shape {
        learners: 0,
        ..Shape::default()
    };
    let cluster = Cluster::start_walled(shape).await?;
    let seeds = cluster.nodes.iter().map(|node| node.api.clone()).collect();
    let connection = Connection {
        seeds,
        ..connection(&cluster)
    };
    Some(Cuttable {
        driver: connect(connection).unwrap(),
        dir: tempfile::tempdir().unwrap(),
        cluster,
    })
}
