//! Every verb with a member that fails in the middle of it: cut off from the others while clients
//! go on reaching it, standing still, or dead. What the driver says is held against what the
//! program itself says of each member; knows no program.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use quorate_domain::{
    action::{Action, Verb},
    capability,
    cluster::MemberId,
    plan::Step,
    preflight::{self, Level},
    view::LeaderStatus,
};
use quorate_drivers::{Applied, SnapshotPlace};

use crate::{
    checks::{DEADLINE, apply, claims, report, role, seen_when},
    seen::view_of,
    stage::{
        Failing, Fault, Members, PATIENCE, Stage, assert_lag_is_true, assert_told_as_it_is, behind,
        follower, known, leader_but, listed, members, pause, promote, remove, settled,
    },
};

/// A leader, then a follower, then a newcomer fail, each while something is changed. `None` from
/// `make` is where no such program can be had.
pub async fn a_member_fails_in_the_middle_of_every_verb<S: Stage>(
    fault: Fault,
    make: impl AsyncFn() -> Option<S>,
) {
    for _ in 0..5 {
        let Some(mut stage) = make().await else {
            return;
        };
        if !the_leader_fails(&mut stage, fault).await {
            continue;
        }
        let member = follower(&stage).await;
        let voter = Failing { member, fault };
        let newcomer = one_is_added_while_a_voter_fails(&mut stage, &voter).await;
        one_fails_while_it_catches_up(&mut stage, &newcomer, fault).await;
        it_rises_and_leads_while_a_voter_fails(&mut stage, &newcomer, &voter).await;
        who_fails_loses_its_vote_and_its_place(&mut stage, &voter).await;
        return;
    }
    panic!("leadership never holds still");
}

/// What it is asked for then is not done by it. On a busy machine leadership may move at that very
/// moment, so that another does it; then the outcome is true all the same, and `false` is told, for
/// there are fewer members now.
async fn the_leader_fails<S: Stage>(stage: &mut S, fault: Fault) -> bool {
    let seen = settled(stage).await;
    let old = Failing {
        member: claims(&seen)[0].to_owned(),
        fault,
    };
    let before = known(stage, &old.member).await;
    let victim = before.iter().find(|(id, _)| *id != old.member).unwrap();
    let step = Step {
        action: remove(&victim.0),
        revision: seen.membership.clone().unwrap().revision,
        leader: Some(old.member.as_str().into()),
        address: None,
    };
    let outcome = asked_as_it_fails(stage, &old, &step).await;
    let new = leader_but(stage, Some(&old)).await;
    let done = known(stage, &new).await != before;
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
        let other = |it: MemberId| it.0 != old.member;
        leader.status == LeaderStatus::Agreed && leader.member.is_some_and(other)
    })
    .await;
    assert_told_as_it_is(stage, Some(&old)).await;
    stage.mend().await;
    settled(stage).await;
    // What it began with alone is taken back only once the new leader's log has reached it.
    let start = Instant::now();
    while members(stage, &old.member).await.as_ref() != Some(&before) {
        // What it was asked before it stood still, it may send on to the new leader.
        let leader = leader_but(stage, None).await;
        if known(stage, &leader).await != before {
            assert!(matches!(outcome, Applied::Unknown { .. }), "{outcome:?}");
            return false;
        }
        assert!(
            start.elapsed().as_secs() < PATIENCE,
            "{old:?} keeps its own list"
        );
        pause().await;
    }
    assert_told_as_it_is(stage, None).await;
    true
}

/// One that dies has taken what it was asked for, and not answered yet.
async fn asked_as_it_fails<S: Stage>(stage: &mut S, failing: &Failing, step: &Step) -> Applied {
    let (driver, file) = (Arc::clone(stage.driver()), stage.dir().join("none"));
    let place = SnapshotPlace { file };
    if failing.fault != Fault::Killed {
        stage.fail(&failing.member, failing.fault).await;
        return driver.apply(step, &place).await;
    }
    stage.fail(&failing.member, Fault::Frozen).await;
    let killed = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stage.fail(&failing.member, Fault::Killed).await;
    };
    tokio::join!(driver.apply(step, &place), killed).0
}

async fn one_is_added_while_a_voter_fails<S: Stage>(stage: &mut S, failing: &Failing) -> String {
    let add = stage.newcomer().await;
    let before = known(stage, &failing.member).await;
    fails(stage, failing).await;
    carried_out(stage, failing, &add, |members| {
        members.len() == before.len() + 1
    })
    .await;
    let leader = leader_but(stage, Some(failing)).await;
    let now = known(stage, &leader).await;
    let mut new = now.iter().filter(|member| !before.contains(member));
    let (newcomer, votes) = new.next().unwrap().clone();
    assert!(!votes, "{now:?}");
    assert_heard_nothing(stage, failing, |unaware| *unaware == before).await;
    assert_told_as_it_is(stage, Some(failing)).await;
    stage.mend().await;
    settled(stage).await;
    newcomer
}

async fn one_fails_while_it_catches_up<S: Stage>(stage: &mut S, newcomer: &str, fault: Fault) {
    seen_when(stage.driver(), "it is level", PATIENCE, |seen| {
        behind(seen, newcomer).is_some_and(|lag| lag < 50)
    })
    .await;
    let failing = Failing {
        member: newcomer.to_owned(),
        fault,
    };
    fails(stage, &failing).await;
    let leader = leader_but(stage, Some(&failing)).await;
    stage.write(&leader, 150).await;
    if failing.answers() {
        assert_lag_is_true(stage, &failing).await;
    }
    seen_when(stage.driver(), "it is held back", PATIENCE, |seen| {
        let checks = preflight::check(&view_of(seen), &promote(newcomer));
        let told = match failing.answers() {
            true => behind(seen, newcomer).is_some_and(|lag| lag > 100),
            false => !report(seen, newcomer).answered(),
        };
        told && checks.iter().any(|check| check.level == Level::Refuse)
    })
    .await;
    assert_told_as_it_is(stage, Some(&failing)).await;
    stage.mend().await;
    seen_when(stage.driver(), "it has caught up", PATIENCE, |seen| {
        behind(seen, newcomer).is_some_and(|lag| lag < 50)
    })
    .await;
    settled(stage).await;
}

async fn it_rises_and_leads_while_a_voter_fails<S: Stage>(
    stage: &mut S,
    newcomer: &str,
    failing: &Failing,
) {
    fails(stage, failing).await;
    let voter = (newcomer.to_owned(), true);
    carried_out(stage, failing, &promote(newcomer), |members| {
        members.contains(&voter)
    })
    .await;
    assert_told_as_it_is(stage, Some(failing)).await;
    let seen = stage.driver().observe(DEADLINE).await;
    let chosen = capability::of(&seen.capabilities, Verb::Transfer).is_some_and(|it| it.target);
    leadership_moves(stage, chosen.then_some(newcomer), failing).await;
    assert_told_as_it_is(stage, Some(failing)).await;
}

async fn who_fails_loses_its_vote_and_its_place<S: Stage>(stage: &mut S, failing: &Failing) {
    let id = failing.member.as_str();
    let (voter, learner) = ((id.to_owned(), true), (id.to_owned(), false));
    let demote = Action::Demote { member: id.into() };
    carried_out(stage, failing, &demote, |members| {
        members.contains(&learner)
    })
    .await;
    assert_told_as_it_is(stage, Some(failing)).await;
    assert_heard_nothing(stage, failing, |unaware| unaware.contains(&voter)).await;

    let leader = leader_but(stage, Some(failing)).await;
    stage.write(&leader, 5).await;
    a_snapshot_is_taken(stage).await;

    carried_out(stage, failing, &remove(id), |members| {
        members.iter().all(|(member, _)| member != id)
    })
    .await;
    assert_told_as_it_is(stage, Some(failing)).await;
    assert_heard_nothing(stage, failing, |unaware| unaware.contains(&voter)).await;
    stage.mend().await;
    seen_when(stage.driver(), "the others go on", PATIENCE, |seen| {
        role(seen, id).is_none() && view_of(seen).leader.status == LeaderStatus::Agreed
    })
    .await;
}

/// What one that can be asked still believes.
async fn assert_heard_nothing<S: Stage>(
    stage: &S,
    failing: &Failing,
    holds: impl Fn(&Members) -> bool,
) {
    let unaware = members(stage, &failing.member).await;
    assert_eq!(unaware.is_some(), failing.answers(), "{unaware:?}");
    assert!(unaware.as_ref().is_none_or(holds), "{unaware:?}");
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
    failing: &Failing,
    action: &Action,
    done: impl Fn(&Members) -> bool,
) {
    let start = Instant::now();
    let mut accepted = false;
    loop {
        let leader = leader_but(stage, Some(failing)).await;
        if members(stage, &leader).await.is_some_and(|now| done(&now)) {
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

async fn leadership_moves<S: Stage>(stage: &S, target: Option<&str>, failing: &Failing) {
    let start = Instant::now();
    let before = leader_but(stage, Some(failing)).await;
    loop {
        let now = leader_but(stage, Some(failing)).await;
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
            if leader_but(stage, Some(failing)).await != before {
                break;
            }
        }
    }
}

/// Has it fail, and waits until the others go on without it.
async fn fails<S: Stage>(stage: &mut S, failing: &Failing) {
    stage.fail(&failing.member, failing.fault).await;
    leader_but(stage, Some(failing)).await;
}
