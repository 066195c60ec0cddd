//! Nodes of the demo that fail: cut off by their own fault switches, stopped, or killed (slow
//! rounds).

use std::{env, path::Path, sync::Arc};

use quorate_domain::action::Action;
use quorate_drivers::{Driver, connect};
use serde_json::json;

use crate::{
    connection, failure,
    processes::Processes,
    stage::{Fault, Stage, Words},
};

struct Breakable {
    nodes: Processes,
    driver: Arc<dyn Driver>,
    cut: Option<u64>,
}

fn name(id: u64) -> String {
    format!("node-{id}")
}

fn number(member: &str) -> u64 {
    member.strip_prefix("node-").unwrap().parse().unwrap()
}

impl Stage for Breakable {
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
        self.nodes.dir.path()
    }

    async fn fail(&mut self, member: &str, fault: Fault) {
        let id = number(member);
        match fault {
            // A node refuses both ways whom it is told to.
            Fault::CutOff => {
                let others: Vec<String> =
                    self.nodes.ids().filter(|it| *it != id).map(name).collect();
                self.nodes
                    .post(id, "demo/fault", json!({ "cut": others }))
                    .await;
                self.cut = Some(id);
            }
            Fault::Frozen => self.nodes.freeze(id),
            Fault::Killed => self.nodes.kill(id),
        }
    }

    async fn mend(&mut self) {
        self.nodes.revive().await;
        if let Some(cut) = self.cut.take() {
            self.nodes.post(cut, "demo/fault", json!({})).await;
        }
    }

    async fn words(&self, member: &str) -> Option<Words> {
        let told = self.nodes.metrics(number(member)).await?;
        let membership = told.membership_config.membership();
        let votes = |id: u64| membership.voter_ids().any(|voter| voter == id);
        let ids = membership.nodes().map(|(id, _)| *id);
        Some(Words {
            members: ids.map(|id| (name(id), votes(id))).collect(),
            leader: told.current_leader.map(name),
            last_index: told.last_log_index.unwrap_or(0),
            applied_index: told.last_applied.map_or(0, |at| at.index),
        })
    }

    async fn write(&self, leader: &str, entries: u64) {
        self.nodes.write(number(leader), entries).await;
    }

    async fn newcomer(&mut self) -> Action {
        self.nodes.first_start(4).await;
        Action::AddLearner {
            address: self.nodes.url(4),
            member: None,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_openraft_goes_on_while_a_member_is_cut_off() {
    goes_on(Fault::CutOff).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_openraft_goes_on_while_a_member_stands_still() {
    goes_on(Fault::Frozen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_openraft_goes_on_while_a_member_is_dead() {
    goes_on(Fault::Killed).await;
}

async fn goes_on(fault: Fault) {
    if env::var_os("QUORATE_TEST_SLOW").is_none_or(|slow| slow != "1") {
        return;
    }
    failure::a_member_fails_in_the_middle_of_every_verb(fault, async || {
        let nodes = Processes::start(3).await;
        let driver = connect(connection(vec![nodes.url(1), nodes.url(2)])).unwrap();
        Some(Breakable {
            nodes,
            driver,
            cut: None,
        })
    })
    .await;
}
