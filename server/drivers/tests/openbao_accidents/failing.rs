//! Nodes of OpenBao that fail: a wall stands between their cluster addresses, and their processes
//! are stopped or killed (slow rounds).

use std::{env, path::Path, sync::Arc};

use quorate_domain::action::Action;
use quorate_drivers::{Connection, Driver, connect};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    connection, failure,
    openbao_cluster::{Cluster, Shape},
    stage::{Fault, Stage, Words},
};

struct Breakable {
    cluster: Cluster,
    driver: Arc<dyn Driver>,
    dir: TempDir,
}

impl Stage for Breakable {
    const PASSING: &'static [&'static str] = &["leader-unknown", "no-leader", "refused-by-backend"];

    fn driver(&self) -> &Arc<dyn Driver> {
        &self.driver
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    async fn fail(&mut self, member: &str, fault: Fault) {
        match fault {
            Fault::CutOff => self.cluster.wall.as_ref().unwrap().cut(member),
            Fault::Frozen => self.cluster.node(member).freeze(),
            Fault::Killed => self.cluster.node_mut(member).kill(),
        }
    }

    async fn mend(&mut self) {
        self.cluster.wall.as_ref().unwrap().mend();
        for node in &mut self.cluster.nodes {
            match node.runs() {
                true => node.thaw(),
                false => node.start(),
            }
        }
    }

    async fn words(&self, member: &str) -> Option<Words> {
        let (status, told) = self.cluster.get(member, "sys/leader").await;
        if status != 200 {
            return None;
        }
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
        Some(Words {
            members,
            leader,
            last_index: told["raft_committed_index"].as_u64().unwrap_or(0),
            applied_index: told["raft_applied_index"].as_u64().unwrap_or(0),
        })
    }

    async fn write(&self, leader: &str, entries: u64) {
        let mount = json!({ "type": "kv" });
        let _ = self.cluster.put(leader, "sys/mounts/written", mount).await;
        for number in 0..entries {
            let path = format!("written/value-{}", number % 10);
            let value = json!({ "value": number });
            // A standby takes it as well, but nobody does while nobody leads.
            self.cluster
                .until("it is written", 60, async |cluster| {
                    let written = cluster.put(leader, &path, value.clone()).await;
                    matches!(written.0, 200..300)
                })
                .await;
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
    goes_on(Fault::CutOff).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_openbao_goes_on_while_a_member_stands_still() {
    goes_on(Fault::Frozen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_openbao_goes_on_while_a_member_is_dead() {
    goes_on(Fault::Killed).await;
}

async fn goes_on(fault: Fault) {
    if env::var_os("QUORATE_TEST_SLOW").is_some_and(|slow| slow == "1") {
        failure::a_member_fails_in_the_middle_of_every_verb(fault, stage).await;
    }
}

async fn stage() -> Option<Breakable> {
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
    Some(Breakable {
        driver: connect(connection).unwrap(),
        dir: tempfile::tempdir().unwrap(),
        cluster,
    })
}
