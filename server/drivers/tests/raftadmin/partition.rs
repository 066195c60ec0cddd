//! Nodes of raftadmin's test program, cut off by the switches of their own transport (slow rounds).

use std::{
    env,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use quorate_domain::action::Action;
use quorate_drivers::Driver;
use serde_json::{Value, json};

use crate::{
    id,
    life::{number, three},
    nodes::Nodes,
    partition::{self, Stage, Words},
};

struct Cuttable {
    nodes: Nodes,
    driver: Arc<dyn Driver>,
    /// Who is cut off now.
    cut: Mutex<Option<String>>,
}

impl Cuttable {
    /// Each node drops what it sends; so both sides are told.
    async fn switch(&self, per_second: u64) {
        let cut = self.cut.lock().unwrap().clone();
        let all: Vec<&String> = self.nodes.running.keys().collect();
        for member in &all {
            let dropped: Vec<&String> = match &cut {
                Some(cut) if cut == *member => {
                    all.iter().copied().filter(|it| *it != cut).collect()
                }
                Some(cut) => vec![cut],
                None => Vec::new(),
            };
            let switches = json!({ "cut": dropped, "per_second": per_second });
            self.nodes.switch(member, switches).await;
        }
    }
}

impl Stage for Cuttable {
    const PASSING: &'static [&'static str] = &[
        "no-leader",
        "not-leader",
        "leader-not-heard",
        "membership-changed",
        "busy",
        "transfer-in-progress",
        "snapshot-not-now",
    ];

    fn driver(&self) -> &Arc<dyn Driver> {
        &self.driver
    }

    fn dir(&self) -> &Path {
        self.nodes.dir.path()
    }

    async fn cut_off(&self, cut: &str) {
        *self.cut.lock().unwrap() = Some(cut.to_owned());
        self.switch(0).await;
    }

    async fn mend(&self) {
        *self.cut.lock().unwrap() = None;
        self.switch(0).await;
    }

    async fn words(&self, member: &str) -> Words {
        let told = self.nodes.own_words(member).await;
        let servers = told["servers"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut members: Vec<(String, bool)> = servers
            .iter()
            .map(|server| (text(&server["ID"]), server["Suffrage"] == 0))
            .collect();
        members.sort();
        Words {
            members,
            leader: Some(text(&told["leader"])).filter(|leader| !leader.is_empty()),
            last_index: number(&told, "last_log_index"),
            applied_index: number(&told, "applied_index"),
        }
    }

    async fn write(&self, leader: &str, entries: u64) {
        let until = self.words(leader).await.last_index + entries;
        self.switch(1000).await;
        while self.words(leader).await.last_index < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.switch(0).await;
    }

    async fn newcomer(&mut self) -> Action {
        let address = self.nodes.newcomer("d");
        Action::AddLearner {
            address,
            member: Some(id("d")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_raftadmin_goes_on_while_a_member_is_cut_off() {
    if env::var_os("QUORATE_TEST_SLOW").is_none_or(|slow| slow != "1") {
        return;
    }
    partition::a_member_is_cut_off_in_the_middle_of_every_verb(async || {
        let (nodes, driver) = three().await;
        Some(Cuttable {
            nodes,
            driver,
            cut: Mutex::default(),
        })
    })
    .await;
}
