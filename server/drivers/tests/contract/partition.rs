//! Every verb with a member cut off from the others in the middle of it, while clients go on
//! reaching all of them. What the driver says is held against what the program itself says of
//! each member; knows no program.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use quorate_domain::{
    action::{Action, Verb},
    capability,
    cluster::{ClusterName, MemberId, Role, Thresholds},
    health::{ClusterState, Registration},
    lag,
    observation::Observation,
    plan::Step,
    preflight::{self, Level},
    view::{self, ClusterView, LeaderStatus},
};
use quorate_drivers::{Applied, Driver, SnapshotPlace};

use crate::checks::{DEADLINE, apply, claims, report, role, seen_when};

/// How long anything may take on a machine that has much else to do.
const PATIENCE: u64 = 120;

/// A member in the program's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// (id, votes), sorted by id.
    pub members: Vec<(String, bool)>,
    /// Whom it names as the leader.
    pub leader: Option<String>,
    pub last_index: u64,
    pub applied_index: u64,
}

/// A real cluster whose members can be cut off, asked past the driver.
pub trait Stage {
    /// Refusals that time alone may cure. Nothing was changed by any of them.
    const PASSING: &'static [&'static str];

    fn driver(&self) -> &Arc<dyn Driver>;
    fn dir(&self) -> &Path;
    /// Nothing passes between this member and the others from now on; all can be asked.
    async fn cut_off(&self, member: &str);
    async fn mend(&self);
    async fn words(&self, member: &str) -> Words;
    /// Writes this many entries and more through the leader.
    async fn write(&self, leader: &str, entries: u64);
    /// Starts one more node that is no member, and tells how it is added.
    async fn newcomer(&mut self) -> Action;
}

/// A leader, then a follower, then a newcomer are cut off, each while something is changed. `None`
/// from `make` is where no such program can be had.
pub async fn a_member_is_cut_off_in_the_middle_of_every_verb<S: Stage>(
    make: impl AsyncFn() -> Option<S>,
) {
    for _ in 0..5 {
        let Some(mut stage) = make().await else {
            return;
        };
        if !the_leader_is_cut_off(&stage).await {
            continue;
        }
        let cut = follower(&stage).await;
        let newcomer = one_is_added_while_a_voter_is_cut_off(&mut stage, &cut).await;
        one_catches_up_as_far_as_it_is_reached(&stage, &newcomer).await;
        it_rises_and_leads_while_a_voter_is_cut_off(&stage, &newcomer, &cut).await;
        who_is_cut_off_loses_its_vote_and_its_place(&stage, &cut).await;
        return;
    }
    panic!("leadership never holds still");
}

/// What it is asked for then is not done by it. On a busy machine leadership may move at that very
/// moment, so that another does it; then the outcome is true all the same, and `false` is told, for
/// there are fewer members now.
async fn the_leader_is_cut_off<S: Stage>(stage: &S) -> bool {
    let seen = settled(stage).await;
    let old = claims(&seen)[0].to_owned();
    let before = stage.words(&old).await.members;
    let victim = before.iter().find(|(id, _)| *id != old).unwrap().0.clone();
    let step = Step {
        action: remove(&victim),
        revision: seen.membership.clone().unwrap().revision,
        leader: Some(old.as_str().into()),
        address: None,
    };
    stage.cut_off(&old).await;
    let file = stage.dir().join("none");
    let outcome = stage.driver().apply(&step, &SnapshotPlace { file }).await;
    let new = leader_but(stage, &old).await;
    let done = stage.words(&new).await.members != before;
    match &outcome {
        Applied::Accepted(_) => assert!(done, "{outcome:?}"),
        Applied::Refused { .. } => assert!(!done, "{outcome:?}"),
        Applied::Unknown { .. } => {}
    }
    if done {
        return false;
    }
    let driver = stage.driver();
    seen_when(driver, "the new leader alone is agreed", PATIENCE, |seen| {
        let leader = view_of(seen).leader;
        leader.status == LeaderStatus::Agreed && leader.member.is_some_and(|it| it.0 != old)
    })
    .await;
    assert_told_as_it_is(stage, Some(&old)).await;
    stage.mend().await;
    settled(stage).await;
    // What it began with alone is taken back only once the new leader's log has reached it.
    let start = Instant::now();
    while stage.words(&old).await.members != before {
        assert!(
            start.elapsed().as_secs() < PATIENCE,
            "{old} keeps its own list"
        );
        pause().await;
    }
    assert_told_as_it_is(stage, None).await;
    true
}

async fn one_is_added_while_a_voter_is_cut_off<S: Stage>(stage: &mut S, cut: &str) -> String {
    let add = stage.newcomer().await;
    cut_off(stage, cut).await;
    let before = stage.words(cut).await.members;
    carried_out(stage, cut, &add, |members| {
        members.len() == before.len() + 1
    })
    .await;
    let leader = leader_but(stage, cut).await;
    let now = stage.words(&leader).await.members;
    let mut new = now.iter().filter(|member| !before.contains(member));
    let (newcomer, votes) = new.next().unwrap().clone();
    assert!(!votes, "{now:?}");
    assert_eq!(stage.words(cut).await.members, before, "nothing reached it");
    assert_told_as_it_is(stage, Some(cut)).await;
    stage.mend().await;
    settled(stage).await;
    newcomer
}

async fn one_catches_up_as_far_as_it_is_reached<S: Stage>(stage: &S, newcomer: &str) {
    seen_when(stage.driver(), "it is level", PATIENCE, |seen| {
        behind(seen, newcomer).is_some_and(|lag| lag < 50)
    })
    .await;
    stage.cut_off(newcomer).await;
    let leader = leader_but(stage, newcomer).await;
    stage.write(&leader, 150).await;
    assert_lag_is_true(stage, newcomer).await;
    seen_when(stage.driver(), "it is held back", PATIENCE, |seen| {
        let checks = preflight::check(&view_of(seen), &promote(newcomer));
        checks.iter().any(|check| check.level == Level::Refuse)
            && behind(seen, newcomer).is_some_and(|lag| lag > 100)
    })
    .await;
    stage.mend().await;
    seen_when(stage.driver(), "it has caught up", PATIENCE, |seen| {
        behind(seen, newcomer).is_some_and(|lag| lag < 50)
    })
    .await;
    settled(stage).await;
}

async fn it_rises_and_leads_while_a_voter_is_cut_off<S: Stage>(
    stage: &S,
    newcomer: &str,
    cut: &str,
) {
    cut_off(stage, cut).await;
    let voter = (newcomer.to_owned(), true);
    carried_out(stage, cut, &promote(newcomer), |members| {
        members.contains(&voter)
    })
    .await;
    assert_told_as_it_is(stage, Some(cut)).await;
    let seen = stage.driver().observe(DEADLINE).await;
    let chosen = capability::of(&seen.capabilities, Verb::Transfer).is_some_and(|it| it.target);
    leadership_moves(stage, chosen.then_some(newcomer), cut).await;
    assert_told_as_it_is(stage, Some(cut)).await;
}

async fn who_is_cut_off_loses_its_vote_and_its_place<S: Stage>(stage: &S, cut: &str) {
    let learner = (cut.to_owned(), false);
    let demote = Action::Demote { member: cut.into() };
    carried_out(stage, cut, &demote, |members| members.contains(&learner)).await;
    assert_told_as_it_is(stage, Some(cut)).await;
    let unaware = stage.words(cut).await.members;
    assert!(unaware.contains(&(cut.to_owned(), true)), "{unaware:?}");

    let leader = leader_but(stage, cut).await;
    stage.write(&leader, 5).await;
    a_snapshot_is_taken(stage).await;

    carried_out(stage, cut, &remove(cut), |members| {
        members.iter().all(|(id, _)| id != cut)
    })
    .await;
    assert_told_as_it_is(stage, Some(cut)).await;
    let unaware = stage.words(cut).await.members;
    assert!(unaware.contains(&(cut.to_owned(), true)), "{unaware:?}");
    stage.mend().await;
    seen_when(stage.driver(), "the others go on", PATIENCE, |seen| {
        role(seen, cut).is_none() && view_of(seen).leader.status == LeaderStatus::Agreed
    })
    .await;
}

async fn a_snapshot_is_taken<S: Stage>(stage: &S) {
    let start = Instant::now();
    loop {
        match apply(stage.driver(), Action::Snapshot, stage.dir()).await {
            Applied::Accepted(receipt) => {
                let taken = receipt.snapshot.expect("a snapshot's receipt");
                assert!(taken.index > Some(0), "{taken:?}");
                return;
            }
            Applied::Refused { code, .. } if S::PASSING.contains(&code.as_str()) => {}
            other => panic!("{other:?}"),
        }
        assert!(start.elapsed().as_secs() < PATIENCE, "no snapshot");
        pause().await;
    }
}

/// Asks for a change until the program's leader has it. What was refused was not done; what was
/// accepted comes; after the rest it is looked and asked anew.
async fn carried_out<S: Stage>(
    stage: &S,
    cut: &str,
    action: &Action,
    done: impl Fn(&[(String, bool)]) -> bool,
) {
    let start = Instant::now();
    let mut accepted = false;
    loop {
        let leader = leader_but(stage, cut).await;
        if done(&stage.words(&leader).await.members) {
            break;
        }
        assert!(start.elapsed().as_secs() < PATIENCE, "in vain: {action:?}");
        if !accepted {
            match apply(stage.driver(), action.clone(), stage.dir()).await {
                Applied::Accepted(_) => accepted = true,
                Applied::Unknown { .. } => {}
                Applied::Refused { code, .. } if S::PASSING.contains(&code.as_str()) => {}
                other @ Applied::Refused { .. } => panic!("{action:?}: {other:?}"),
            }
        }
        pause().await;
    }
    let what = format!("{action:?} shows");
    seen_when(stage.driver(), &what, PATIENCE, |seen| done(&listed(seen))).await;
}

async fn leadership_moves<S: Stage>(stage: &S, target: Option<&str>, cut: &str) {
    let start = Instant::now();
    let before = leader_but(stage, cut).await;
    loop {
        let now = leader_but(stage, cut).await;
        if target.map_or(now != before, |target| now == target) {
            break;
        }
        assert!(start.elapsed().as_secs() < PATIENCE, "it never moves");
        let member = target.map(MemberId::from);
        match apply(stage.driver(), Action::Transfer { member }, stage.dir()).await {
            Applied::Accepted(_) | Applied::Unknown { .. } => {}
            Applied::Refused { code, .. } if S::PASSING.contains(&code.as_str()) => {}
            other => panic!("{other:?}"),
        }
        // Giving up leadership takes a moment.
        for _ in 0..20 {
            pause().await;
            if leader_but(stage, cut).await != before {
                break;
            }
        }
    }
}

/// Cuts a voter off and waits until the others go on without it.
async fn cut_off<S: Stage>(stage: &S, cut: &str) {
    stage.cut_off(cut).await;
    leader_but(stage, cut).await;
}

/// A voter that does not lead.
async fn follower<S: Stage>(stage: &S) -> String {
    let seen = settled(stage).await;
    let members = listed(&seen);
    let mut voters = members.into_iter().filter(|(_, votes)| *votes);
    let (found, _) = voters.find(|(id, _)| claims(&seen) != [id]).unwrap();
    found
}

/// Somebody leads, and all members answer and name it.
async fn settled<S: Stage>(stage: &S) -> Observation {
    seen_when(stage.driver(), "all name one leader", PATIENCE, |seen| {
        let [leader] = claims(seen)[..] else {
            return false;
        };
        let names = |node: &quorate_domain::observation::NodeReport| {
            let named = node.says.as_ref()?.names_leader.as_ref()?;
            Some(named.as_str() == leader)
        };
        let members = listed(seen);
        let all = !members.is_empty() && seen.nodes.len() == members.len();
        all && seen.nodes.iter().all(|node| names(node) == Some(true))
    })
    .await
}

/// Who leads by the program's own words, those of `cut` aside: all others name it, it as well.
async fn leader_but<S: Stage>(stage: &S, cut: &str) -> String {
    let start = Instant::now();
    loop {
        let seen = stage.driver().observe(DEADLINE).await;
        let members = listed(&seen);
        let others = members.iter().map(|(id, _)| id).filter(|id| *id != cut);
        let mut named = Vec::new();
        for id in others {
            named.push(stage.words(id).await.leader);
        }
        named.dedup();
        if let [Some(leader)] = &named[..]
            && leader != cut
        {
            return leader.clone();
        }
        let late = start.elapsed().as_secs() >= PATIENCE;
        assert!(!late, "no leader beside {cut}: {named:?}");
        pause().await;
    }
}

/// Who is a member, with which vote, and whom each names: all as the program says.
async fn assert_told_as_it_is<S: Stage>(stage: &S, cut: Option<&str>) {
    let start = Instant::now();
    loop {
        let leader = leader_but(stage, cut.unwrap_or("nobody")).await;
        let members = stage.words(&leader).await.members;
        let named = async || {
            let mut named = Vec::new();
            for (id, _) in &members {
                named.push((id.clone(), stage.words(id).await.leader));
            }
            named
        };
        let before = named().await;
        let seen = stage.driver().observe(DEADLINE).await;
        let (after, still) = (named().await, stage.words(&leader).await.members);
        let answered = seen.nodes.iter().all(|node| node.answered());
        if before == after && members == still && answered {
            let told = difference(&seen, &members, &before);
            if told.is_none() {
                return;
            }
            let late = start.elapsed().as_secs() >= PATIENCE;
            assert!(!late, "{told:?} of {before:?}: {seen:#?}");
        }
        let late = start.elapsed().as_secs() >= PATIENCE;
        assert!(!late, "it never holds still: {before:?} {after:?}");
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
async fn assert_lag_is_true<S: Stage>(stage: &S, cut: &str) {
    let start = Instant::now();
    loop {
        let leader = leader_but(stage, cut).await;
        let both = async || (stage.words(&leader).await, stage.words(cut).await);
        let before = both().await;
        let seen = stage.driver().observe(DEADLINE).await;
        let after = both().await;
        let least = before.0.applied_index.saturating_sub(after.1.last_index);
        let most = after.0.last_index.saturating_sub(before.1.applied_index);
        let told = behind(&seen, cut);
        if told.is_some_and(|lag| (least..=most).contains(&lag)) {
            return;
        }
        let late = start.elapsed().as_secs() >= PATIENCE;
        assert!(!late, "{told:?} of {least}..={most}: {seen:#?}");
        pause().await;
    }
}

fn behind(seen: &Observation, id: &str) -> Option<u64> {
    let lag = lag::lag(seen, &id.into()).map(|(lag, _)| lag);
    lag.filter(|_| report(seen, id).answered())
}

/// (id, votes), sorted by id; empty while nobody tells.
fn listed(seen: &Observation) -> Vec<(String, bool)> {
    let members = seen.membership.iter().flat_map(|it| &it.members);
    let mut rows: Vec<(String, bool)> = members
        .map(|member| (member.id.0.clone(), member.role == Role::Voter))
        .collect();
    rows.sort();
    rows
}

/// What the console makes of one look.
fn view_of(seen: &Observation) -> ClusterView {
    let registration = Registration {
        name: ClusterName::from("real"),
        kind: seen.kind,
        tags: Vec::new(),
        zones: Default::default(),
        thresholds: Thresholds::default(),
        read_only: false,
    };
    let state = ClusterState {
        registration,
        observation: Some(seen.clone()),
        memory: Default::default(),
        overrides: Vec::new(),
        running_change: None,
    };
    view::render(&state, seen.taken_at)
}

fn promote(id: &str) -> Action {
    Action::Promote { member: id.into() }
}

fn remove(id: &str) -> Action {
    Action::Remove { member: id.into() }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
