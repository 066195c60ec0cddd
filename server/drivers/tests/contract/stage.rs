//! A real cluster whose members can be made to fail, and looks at it: what the driver says is held
//! against what the program itself says of each member.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use quorate_domain::{
    action::Action,
    cluster::Role,
    lag,
    observation::{NodeReport, Observation},
};
use quorate_drivers::Driver;

use crate::checks::{DEADLINE, claims, report, seen_when};

/// How long anything may take on a machine that has much else to do.
pub const PATIENCE: u64 = 120;

/// How a member fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing passes between it and the others; clients reach it.
    CutOff,
    /// Its process stands still: it takes connections and says nothing.
    Frozen,
    /// Its process is gone.
    Killed,
}

/// Who fails, and how.
#[derive(Clone, Debug)]
pub struct Failing {
    pub member: String,
    pub fault: Fault,
}

impl Failing {
    /// Whether it answers whoever asks it.
    pub fn answers(&self) -> bool {
        self.fault == Fault::CutOff
    }
}

/// (id, votes), sorted by id.
pub type Members = Vec<(String, bool)>;

/// A member in the program's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub members: Members,
    /// Whom it names as the leader.
    pub leader: Option<String>,
    pub last_index: u64,
    pub applied_index: u64,
}

/// A real cluster whose members can be made to fail, asked past the driver.
pub trait Stage {
    /// Refusals that time alone may cure. Nothing was changed by any of them.
    const PASSING: &'static [&'static str];

    fn driver(&self) -> &Arc<dyn Driver>;
    fn dir(&self) -> &Path;
    /// From now on, until all is mended. One that stands still may be killed after that.
    async fn fail(&mut self, member: &str, fault: Fault);
    /// Wires are whole again, who stood still goes on, who died starts again on its data.
    async fn mend(&mut self);
    /// `None` of one that does not answer.
    async fn words(&self, member: &str) -> Option<Words>;
    /// Writes this many entries and more through the leader.
    async fn write(&self, leader: &str, entries: u64);
    /// Starts one more node that is no member, and tells how it is added.
    async fn newcomer(&mut self) -> Action;
}

/// Who is a member, as this one has it.
pub async fn members<S: Stage>(stage: &S, member: &str) -> Option<Members> {
    Some(stage.words(member).await?.members)
}

/// The same of one that is well, however long it takes to answer.
pub async fn known<S: Stage>(stage: &S, member: &str) -> Members {
    let start = Instant::now();
    loop {
        if let Some(told) = members(stage, member).await {
            return told;
        }
        let late = start.elapsed().as_secs() >= PATIENCE;
        assert!(!late, "{member} does not answer");
        pause().await;
    }
}

/// A voter that does not lead.
pub async fn follower<S: Stage>(stage: &S) -> String {
    let seen = settled(stage).await;
    let rows = listed(&seen);
    let mut voters = rows.into_iter().filter(|(_, votes)| *votes);
    let (found, _) = voters.find(|(id, _)| claims(&seen) != [id]).unwrap();
    found
}

/// Somebody leads, and all members answer and name it.
pub async fn settled<S: Stage>(stage: &S) -> Observation {
    seen_when(stage.driver(), "all name one leader", PATIENCE, |seen| {
        let [leader] = claims(seen)[..] else {
            return false;
        };
        let names = |node: &NodeReport| {
            let named = node.says.as_ref()?.names_leader.as_ref()?;
            Some(named.as_str() == leader)
        };
        let members = listed(seen);
        let all = !members.is_empty() && seen.nodes.len() == members.len();
        all && seen.nodes.iter().all(|node| names(node) == Some(true))
    })
    .await
}

/// Who leads by the program's own words, those of who fails aside: all others name it, it as well.
pub async fn leader_but<S: Stage>(stage: &S, failing: Option<&Failing>) -> String {
    let start = Instant::now();
    let fails = |id: &str| failing.is_some_and(|it| it.member == id);
    loop {
        let seen = stage.driver().observe(DEADLINE).await;
        let members = listed(&seen);
        let mut named = Vec::new();
        for (id, _) in members.iter().filter(|(id, _)| !fails(id)) {
            named.push(stage.words(id).await.and_then(|words| words.leader));
        }
        named.dedup();
        if let [Some(leader)] = &named[..]
            && !fails(leader)
        {
            return leader.clone();
        }
        let late = start.elapsed().as_secs() >= PATIENCE;
        assert!(!late, "no leader beside {failing:?}: {named:?}");
        pause().await;
    }
}

/// Who is a member, with which vote, who answers, and whom each that does names: all as the program
/// says.
pub async fn assert_told_as_it_is<S: Stage>(stage: &S, failing: Option<&Failing>) {
    let start = Instant::now();
    let silent = |id: &str| failing.is_some_and(|it| it.member == id && !it.answers());
    loop {
        let leader = leader_but(stage, failing).await;
        let before = members(stage, &leader).await;
        let named = async || {
            let mut named = Vec::new();
            for (id, _) in before.iter().flatten().filter(|(id, _)| !silent(id)) {
                let words = stage.words(id).await;
                named.push((id.clone(), words.and_then(|words| words.leader)));
            }
            named
        };
        let first = named().await;
        let seen = stage.driver().observe(DEADLINE).await;
        let (second, after) = (named().await, members(stage, &leader).await);
        let as_they_are = |node: &NodeReport| node.answered() != silent(node.id.as_str());
        let answered = seen.nodes.iter().all(as_they_are);
        if let Some(now) = after.filter(|after| Some(after) == before.as_ref())
            && first == second
            && answered
        {
            let told = difference(&seen, &now, &first);
            if told.is_none() {
                return;
            }
            let late = start.elapsed().as_secs() >= PATIENCE;
            assert!(!late, "{told:?} of {first:?}: {seen:#?}");
        }
        let late = start.elapsed().as_secs() >= PATIENCE;
        assert!(
            !late,
            "it never holds still: {first:?} {second:?} {seen:#?}"
        );
        pause().await;
    }
}

/// What the driver tells otherwise than the program.
fn difference(
    seen: &Observation,
    members: &[(String, bool)],
    named: &[(String, Option<String>)],
) -> Option<String> {
    if listed(seen) != members {
        return Some(format!("members {:?}", listed(seen)));
    }
    let told = |id: &str| {
        let says = report(seen, id).says.as_ref()?;
        says.names_leader.as_ref().map(|leader| leader.0.clone())
    };
    let other = named.iter().find(|(id, leader)| told(id) != *leader)?;
    Some(format!("{} names {:?}", other.0, told(&other.0)))
}

/// The figure lies between what the program said before and after the look.
pub async fn assert_lag_is_true<S: Stage>(stage: &S, failing: &Failing) {
    let (start, id) = (Instant::now(), failing.member.as_str());
    loop {
        let leader = leader_but(stage, Some(failing)).await;
        let both = async || {
            let leader = stage.words(&leader).await.unwrap();
            (leader, stage.words(id).await.unwrap())
        };
        let before = both().await;
        let seen = stage.driver().observe(DEADLINE).await;
        let after = both().await;
        let least = before.0.applied_index.saturating_sub(after.1.last_index);
        let most = after.0.last_index.saturating_sub(before.1.applied_index);
        let told = behind(&seen, id);
        if told.is_some_and(|lag| (least..=most).contains(&lag)) {
            return;
        }
        let late = start.elapsed().as_secs() >= PATIENCE;
        assert!(!late, "{told:?} of {least}..={most}: {seen:#?}");
        pause().await;
    }
}

pub fn behind(seen: &Observation, id: &str) -> Option<u64> {
    let lag = lag::lag(seen, &id.into()).map(|(lag, _)| lag);
    lag.filter(|_| report(seen, id).answered())
}

/// (id, votes), sorted by id; empty while nobody tells.
pub fn listed(seen: &Observation) -> Vec<(String, bool)> {
    let members = seen.membership.iter().flat_map(|it| &it.members);
    let mut rows: Vec<(String, bool)> = members
        .map(|member| (member.id.0.clone(), member.role == Role::Voter))
        .collect();
    rows.sort();
    rows
}

pub fn promote(id: &str) -> Action {
    Action::Promote { member: id.into() }
}

pub fn remove(id: &str) -> Action {
    Action::Remove { member: id.into() }
}

pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
