#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use quorate_domain::{
    action::Action,
    cluster::{Membership, Role},
    observation::{Answer, Note, Observation},
    plan::Step,
};

use super::{Cluster, Fault};
use crate::{Applied, SnapshotPlace};

const DEADLINE: Duration = Duration::from_secs(2);

async fn look(cluster: &Cluster) -> Observation {
    cluster.driver().observe(DEADLINE).await
}

async fn apply(cluster: &Cluster, action: Action) -> Applied {
    let revision = look(cluster).await.membership.unwrap().revision;
    let step = Step {
        action,
        revision,
        leader: None,
        address: None,
    };
    let place = SnapshotPlace {
        file: std::env::temp_dir().join("never-written"),
    };
    cluster.driver().apply(&step, &place).await
}

fn claims(seen: &Observation) -> Vec<&str> {
    let leading = |says: &quorate_domain::observation::SelfReport| says.claims_leadership;
    let reports = seen
        .nodes
        .iter()
        .filter(|node| node.says.as_ref().is_some_and(leading));
    reports.map(|node| node.id.as_str()).collect()
}

fn names(seen: &Observation, id: &str) -> Option<String> {
    let report = seen.nodes.iter().find(|node| node.id.as_str() == id)?;
    report
        .says
        .as_ref()?
        .names_leader
        .clone()
        .map(|leader| leader.0)
}

fn promote(id: &str) -> Action {
    Action::Promote { member: id.into() }
}

#[tokio::test(start_paused = true)]
async fn a_healthy_cluster_has_one_leader_whom_all_name() {
    let seen = look(&Cluster::healthy(3, 1)).await;
    assert_eq!(claims(&seen), ["n1"]);
    assert!(
        ["n1", "n2", "n3", "n4"]
            .iter()
            .all(|id| names(&seen, id).as_deref() == Some("n1"))
    );
    assert_eq!(seen.membership.unwrap().voters().count(), 3);
    assert_eq!(seen.notes, []);
}

#[tokio::test(start_paused = true)]
async fn followers_name_a_dead_leader_until_another_is_elected() {
    let cluster = Cluster::healthy(3, 0);
    cluster.kill("n1");
    let seen = look(&cluster).await;
    assert_eq!(claims(&seen), [""; 0]);
    assert_eq!(names(&seen, "n2").as_deref(), Some("n1"));
    tokio::time::advance(Duration::from_millis(1100)).await;
    let seen = look(&cluster).await;
    assert_eq!(claims(&seen), ["n2"]);
    assert_eq!(cluster.leader().unwrap().as_str(), "n2");
    cluster.revive("n1");
    assert_eq!(names(&look(&cluster).await, "n1").as_deref(), Some("n2"));
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_leader_claims_on_for_an_election_timeout_and_falls() {
    let cluster = Cluster::healthy(3, 0);
    cluster.partition(&["n1"]);
    assert_eq!(claims(&look(&cluster).await), ["n1"]);
    tokio::time::advance(Duration::from_millis(1100)).await;
    assert_eq!(claims(&look(&cluster).await), ["n2"]);
    cluster.heal();
    let seen = look(&cluster).await;
    assert_eq!(claims(&seen), ["n2"]);
    assert_eq!(names(&seen, "n1").as_deref(), Some("n2"));
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_nobody_leads() {
    let cluster = Cluster::healthy(3, 0);
    cluster.kill("n2");
    cluster.kill("n3");
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(claims(&look(&cluster).await), [""; 0]);
    let Applied::Refused { code, .. } = apply(&cluster, promote("n2")).await else {
        panic!()
    };
    assert_eq!(code, "no-leader");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_member_costs_the_status_timeout_and_nothing_more() {
    let cluster = Cluster::healthy(3, 0);
    cluster.freeze("n3");
    let before = tokio::time::Instant::now();
    let seen = look(&cluster).await;
    assert_eq!(before.elapsed(), Duration::from_secs(1));
    assert!(matches!(seen.nodes[2].answer, Answer::Silent(_)));
}

#[tokio::test(start_paused = true)]
async fn a_learner_is_added_promoted_demoted_and_removed() {
    let cluster = Cluster::healthy(3, 0);
    let address = cluster.spare("n4");
    let added = apply(
        &cluster,
        Action::AddLearner {
            address,
            member: None,
        },
    )
    .await;
    let Applied::Accepted(receipt) = added else {
        panic!("{added:?}")
    };
    assert_eq!(receipt.member.unwrap().as_str(), "n4");
    let role = |membership: &Membership| membership.member(&"n4".into()).map(|each| each.role);
    assert_eq!(
        role(&look(&cluster).await.membership.unwrap()),
        Some(Role::Learner)
    );
    apply(&cluster, promote("n4")).await;
    assert_eq!(
        role(&look(&cluster).await.membership.unwrap()),
        Some(Role::Voter)
    );
    apply(
        &cluster,
        Action::Demote {
            member: "n4".into(),
        },
    )
    .await;
    assert_eq!(
        role(&look(&cluster).await.membership.unwrap()),
        Some(Role::Learner)
    );
    apply(
        &cluster,
        Action::Remove {
            member: "n4".into(),
        },
    )
    .await;
    let seen = look(&cluster).await;
    assert_eq!(role(&seen.membership.unwrap()), None);
    assert!(matches!(
        &seen.notes[..],
        [Note::RemovedStillRunning { .. }]
    ));
}

#[tokio::test(start_paused = true)]
async fn a_delayed_promotion_is_a_wish_until_it_is_done() {
    let cluster = Cluster::healthy(3, 1);
    cluster.apply_after(Duration::from_secs(3));
    let Applied::Accepted(receipt) = apply(&cluster, promote("n4")).await else {
        panic!()
    };
    assert!(receipt.deferred);
    let member = |seen: Observation| seen.membership.unwrap().member(&"n4".into()).cloned();
    let pending = member(look(&cluster).await).unwrap();
    assert_eq!(
        (pending.role, pending.wanted_role),
        (Role::Learner, Some(Role::Voter))
    );
    tokio::time::advance(Duration::from_secs(3)).await;
    let done = member(look(&cluster).await).unwrap();
    assert_eq!((done.role, done.wanted_role), (Role::Voter, None));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_and_a_lost_request_look_the_same_and_are_not() {
    let cluster = Cluster::healthy(3, 1);
    cluster.next_change(Fault::LoseRequest);
    assert!(matches!(
        apply(&cluster, promote("n4")).await,
        Applied::Unknown { .. }
    ));
    assert_eq!(look(&cluster).await.membership.unwrap().voters().count(), 3);
    cluster.next_change(Fault::LoseAnswer);
    assert!(matches!(
        apply(&cluster, promote("n4")).await,
        Applied::Unknown { .. }
    ));
    assert_eq!(look(&cluster).await.membership.unwrap().voters().count(), 4);
    assert_eq!(cluster.sent().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_step_decided_on_another_membership_is_refused() {
    let cluster = Cluster::healthy(3, 1);
    let step = Step {
        action: promote("n4"),
        revision: "old".into(),
        leader: None,
        address: None,
    };
    let place = SnapshotPlace {
        file: std::env::temp_dir().join("never-written"),
    };
    let outcome = cluster.driver().apply(&step, &place).await;
    assert!(matches!(outcome, Applied::Refused { code, .. } if code == "revision-moved"));
}

#[tokio::test(start_paused = true)]
async fn leadership_moves_to_the_one_named_or_to_whom_the_backend_chooses() {
    let cluster = Cluster::healthy(3, 0);
    apply(
        &cluster,
        Action::Transfer {
            member: Some("n3".into()),
        },
    )
    .await;
    assert_eq!(claims(&look(&cluster).await), ["n3"]);
    cluster.backend_chooses_leader();
    apply(&cluster, Action::Transfer { member: None }).await;
    assert_eq!(claims(&look(&cluster).await), ["n1"]);
}

#[tokio::test(start_paused = true)]
async fn lies_lag_and_nonsense_are_seen_as_told() {
    let cluster = Cluster::healthy(3, 1);
    cluster.lie("n2", 7);
    cluster.write(500);
    cluster.lag("n4", 500);
    cluster.misread("n3", "the answer is not JSON");
    let seen = look(&cluster).await;
    assert_eq!(claims(&seen), ["n1", "n2"]);
    assert!(matches!(seen.nodes[2].answer, Answer::Misread(_)));
    let applied = |at: usize| seen.nodes[at].says.as_ref().unwrap().applied_index.unwrap();
    assert_eq!(applied(0) - applied(3), 500);
    cluster.behave("n2");
    assert_eq!(claims(&look(&cluster).await), ["n1"]);
}

#[tokio::test(start_paused = true)]
async fn removing_or_demoting_the_leader_ends_in_an_election() {
    let cluster = Cluster::healthy(5, 0);
    apply(
        &cluster,
        Action::Remove {
            member: "n1".into(),
        },
    )
    .await;
    tokio::time::advance(Duration::from_millis(1100)).await;
    assert_eq!(cluster.leader().unwrap().as_str(), "n2");
    apply(
        &cluster,
        Action::Demote {
            member: "n2".into(),
        },
    )
    .await;
    tokio::time::advance(Duration::from_millis(1100)).await;
    assert_eq!(cluster.leader().unwrap().as_str(), "n3");
    assert_eq!(
        cluster.members().iter().filter(|(_, votes)| *votes).count(),
        3
    );
}
