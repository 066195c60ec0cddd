//! Rounds of changes with a controller killed, frozen, cut off or slow in the middle: what the
//! driver tells is compared with what the simulated Raft really holds.

use std::time::Duration;

use quorate_domain::{
    action::Action,
    preflight::{Level, ReasonCode},
};
use quorate_drivers::{Applied, SnapshotPlace};

use crate::{
    openziti_stand_in::{Shape, StandIn},
    stage::{Stage, add, demote, promote, remove, report, transfer, view_of},
};

/// What may happen to a follower in the middle of a round.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Killed,
    Frozen,
    CutOff,
    Slow,
}

impl Fault {
    async fn strike(self, cluster: &mut StandIn, id: &str) {
        match self {
            Self::Killed => cluster.kill(id).await,
            Self::Frozen => cluster.freeze(id),
            Self::CutOff => cluster.cut_off(&[id]),
            Self::Slow => {
                cluster.world.state().node_mut(id).slow = Duration::from_millis(150);
            }
        }
    }
}

/// What the driver tells is what the simulated Raft holds.
async fn told_as_it_is(stage: &Stage, what: &str) {
    let held = |stage: &Stage| -> Vec<(String, bool)> {
        let state = stage.cluster.world.state();
        let mut held: Vec<(String, bool)> = state
            .config
            .iter()
            .map(|server| (server.id.clone(), server.voter))
            .collect();
        held.sort();
        held
    };
    stage
        .seen(what, |seen| {
            let told = seen.membership.iter().flat_map(|it| &it.members);
            let told: Vec<(String, bool)> = told
                .map(|member| (member.id.0.clone(), member.role.votes()))
                .collect();
            let view = view_of(seen.clone());
            let leader = view.leader.member.map(|leader| leader.0);
            told == held(stage) && leader.is_some() && leader == stage.cluster.leader()
        })
        .await;
}

async fn does(stage: &Stage, what: &str, action: Action) {
    let checks = stage.checks(&action).await;
    // A voter that is cut off goes on holding what was; that alone refuses changes of others.
    let mut others = checks
        .iter()
        .filter(|check| check.code != ReasonCode::ViewsDiffer);
    let refused = others.any(|check| check.level == Level::Refuse);
    assert!(!refused, "{what}: {checks:?}");
    let outcome = stage.apply(action).await;
    assert!(
        matches!(outcome, Applied::Accepted(_)),
        "{what}: {outcome:?}"
    );
    told_as_it_is(stage, what).await;
}

#[tokio::test]
async fn a_round_of_all_verbs_goes_on_while_a_follower_fails_in_the_middle() {
    for fault in [Fault::Killed, Fault::Frozen, Fault::CutOff, Fault::Slow] {
        let mut stage = Stage::set(Shape::of_2_1()).await;
        let newcomer = stage.cluster.address("n5");
        does(&stage, "add", add(newcomer)).await;
        fault.strike(&mut stage.cluster, "n3").await;
        stage
            .seen("n5 answers", |seen| report(seen, "n5").answered())
            .await;
        does(&stage, "promote", promote("n5")).await;
        does(&stage, "transfer", transfer("n5")).await;
        does(&stage, "demote", demote("n1")).await;
        does(&stage, "remove", remove("n1")).await;
        does(&stage, "snapshot", Action::Snapshot).await;
        assert_eq!(stage.cluster.votes("n5"), Some(true), "{fault:?}");
        assert_eq!(stage.cluster.votes("n1"), None, "{fault:?}");
    }
}

/// The leader fails while a change is on its way: it is done or not, and a look tells which.
#[tokio::test]
async fn when_the_leader_fails_over_a_change_the_next_looks_tell_what_became_of_it() {
    for fault in [Fault::Killed, Fault::Frozen, Fault::CutOff] {
        let mut stage = Stage::with(Shape::of_2_1(), |connection| {
            connection.change_timeout = Duration::from_millis(700);
        })
        .await;
        let view = stage.view().await;
        let step = quorate_domain::plan::plan(&view, &promote("n4")).step;
        stage.cluster.world.state().node_mut("n1").slow = Duration::from_millis(60);
        let driver = std::sync::Arc::clone(&stage.driver);
        let changing = tokio::spawn(async move {
            let place = SnapshotPlace {
                file: "/nonexistent/x".into(),
            };
            driver.apply(&step, &place).await
        });
        tokio::time::sleep(Duration::from_millis(90)).await;
        fault.strike(&mut stage.cluster, "n1").await;
        let outcome = changing.await.unwrap();
        let done = matches!(outcome, Applied::Accepted(_));
        told_as_it_is(&stage, "what is held is told").await;
        assert!(
            !done || stage.cluster.votes("n4") == Some(true),
            "{fault:?}: {outcome:?}"
        );
    }
}
