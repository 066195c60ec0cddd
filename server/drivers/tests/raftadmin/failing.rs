//! Nodes of raftadmin's test program that fail: cut off by the switches of their own transport,
//! stopped, or killed (slow rounds).

use std::{collections::BTreeMap, env, path::Path, sync::Arc, time::Duration};

use quorate_domain::action::Action;
use quorate_drivers::Driver;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    failure, id,
    life::{number, three},
    nodes::Nodes,
    stage::{Fault, Stage, Words},
};

struct Breakable {
    nodes: Nodes,
    driver: Arc<dyn Driver>,
    cut: Option<String>,
    frozen: Option<String>,
    /// Where those were that died.
    dead: BTreeMap<String, String>,
}

impl Breakable {
    /// Each node drops what it sends; so both sides are told.
    async fn switch(&self, per_second: u64) {
        let all: Vec<&String> = self.nodes.running.keys().collect();
        for member in all.iter().filter(|it| self.frozen.as_ref() != Some(**it)) {
            let dropped: Vec<&String> = match &self.cut {
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

impl Stage for Breakable {
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

    async fn fail(&mut self, member: &str, fault: Fault) {
        match fault {
            Fault::CutOff => {
                self.cut = Some(member.to_owned());
                self.switch(0).await;
            }
            Fault::Frozen => {
                self.nodes.running[member].signal(Signal::STOP);
                self.frozen = Some(member.to_owned());
            }
            Fault::Killed => {
                self.frozen = None;
                let address = self.nodes.kill(member);
                self.dead.insert(member.to_owned(), address);
            }
        }
    }

    async fn mend(&mut self) {
        if let Some(frozen) = self.frozen.take() {
            self.nodes.running[&frozen].signal(Signal::CONT);
        }
        for (member, address) in std::mem::take(&mut self.dead) {
            self.nodes.restart(&member, &address);
        }
        self.cut = None;
        self.switch(0).await;
    }

    async fn words(&self, member: &str) -> Option<Words> {
        if self.frozen.as_deref() == Some(member) || self.dead.contains_key(member) {
            return None;
        }
        let told = self.nodes.own_words(member).await;
        let servers = told["servers"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut members: Vec<(String, bool)> = servers
            .iter()
            .map(|server| (text(&server["ID"]), server["Suffrage"] == 0))
            .collect();
        members.sort();
        Some(Words {
            members,
            leader: Some(text(&told["leader"])).filter(|leader| !leader.is_empty()),
            last_index: number(&told, "last_log_index"),
            applied_index: number(&told, "applied_index"),
        })
    }

    async fn write(&self, leader: &str, entries: u64) {
        let last_index = async |it: &Self| it.words(leader).await.unwrap().last_index;
        let until = last_index(self).await + entries;
        self.switch(1000).await;
        while last_index(self).await < until {
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
    goes_on(Fault::CutOff).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_raftadmin_goes_on_while_a_member_stands_still() {
    goes_on(Fault::Frozen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_raftadmin_goes_on_while_a_member_is_dead() {
    goes_on(Fault::Killed).await;
}

async fn goes_on(fault: Fault) {
    if env::var_os("QUORATE_TEST_SLOW").is_none_or(|slow| slow != "1") {
        return;
    }
    failure::a_member_fails_in_the_middle_of_every_verb(fault, async || {
        let (nodes, driver) = three().await;
        Some(Breakable {
            nodes,
            driver,
            cut: None,
            frozen: None,
            dead: BTreeMap::new(),
        })
    })
    .await;
}
