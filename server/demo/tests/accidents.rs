//! What openraft lets happen, staged; the agent prevents it or tells the truth about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cluster;

use std::time::Duration;

use cluster::{Cluster, code, eventually};
use openraft::{ServerState, async_runtime::watch::WatchReceiver};
use quorate_agent_openraft::wire::{ChangeRequest, State, Verb};
use quorate_demo::node::{Node, NodeError};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn accident_30_to_promote_a_dead_learner_is_refused() {
    let mut cluster = Cluster::start(3, 1).await;
    cluster.stop(4).await;
    let before = cluster.revision().await;
    assert_eq!(
        code(&cluster.change(Verb::Promote, "node-4").await),
        "not-heard"
    );
    assert_eq!(cluster.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_31_dead_nodes_never_become_voters_not_even_one_by_one() {
    let mut cluster = Cluster::start(3, 2).await;
    let nobody = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", free.local_addr().unwrap())
    };
    let added = cluster
        .ask(Verb::AddLearner, Some("node-9"), Some(nobody))
        .await;
    assert_eq!(code(&added), "newcomer-silent");

    cluster.stop(4).await;
    cluster.stop(5).await;
    for member in ["node-4", "node-5"] {
        assert_eq!(
            code(&cluster.change(Verb::Promote, member).await),
            "not-heard"
        );
    }
    let leader = cluster.leader().await;
    let view = cluster.view(leader).await;
    assert_eq!(view.membership.configs.len(), 1);
    cluster.write("still", "writable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_32_transfer_to_itself_a_learner_a_stranger_or_a_laggard_is_refused() {
    let cluster = Cluster::start(3, 1).await;
    let leader = cluster.leader().await;
    let laggard = cluster.follower().await;
    let term = cluster.view(leader).await.term;
    let own = format!("node-{leader}");
    assert_eq!(
        code(&cluster.change(Verb::Transfer, &own).await),
        "already-leader"
    );
    assert_eq!(
        code(&cluster.change(Verb::Transfer, "node-4").await),
        "not-a-voter"
    );
    assert_eq!(
        code(&cluster.change(Verb::Transfer, "node-77").await),
        "member-unknown"
    );

    cluster
        .fault(laggard, json!({ "slow_appends_ms": 80 }))
        .await;
    cluster.load(1_000).await;
    let member = format!("node-{laggard}");
    eventually("it lags while it answers", || async {
        let view = cluster.view(leader).await;
        let progress = view.progress.get(&member)?;
        let lag = view.last_index?.checked_sub(progress.matched_index?)?;
        (lag > 50 && progress.last_contact_ms? < 300).then_some(())
    })
    .await;
    let refused = code(&cluster.change(Verb::Transfer, &member).await);
    assert!(["not-level", "not-heard"].contains(&refused), "{refused}");
    cluster.load(0).await;
    let after = cluster.view(leader).await;
    assert_eq!(
        (after.state, after.term),
        (State::Leader, term),
        "leadership never moved"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_33_a_wiped_voter_kills_the_leader_and_the_agent_says_so() {
    let mut cluster = Cluster::start(3, 0).await;
    cluster.write("before", "the accident").await;
    let (leader, wiped) = (cluster.leader().await, cluster.follower().await);
    cluster.stop(wiped).await;
    std::fs::remove_dir_all(cluster.node_dir(wiped)).unwrap();

    // The program itself does not begin again without data.
    let refused = Node::start(&cluster.options(wiped, false)).await;
    assert!(matches!(refused, Err(NodeError::Empty(_))));

    // Forced, at its old address, as somebody would who does not know.
    let address = cluster.view(leader).await.membership.members;
    let address = &address
        .iter()
        .find(|m| m.id == format!("node-{wiped}"))
        .unwrap()
        .address;
    let mut options = cluster.options(wiped, true);
    options.listen = address.parse().unwrap();
    let empty = eventually("its old address is free", || async {
        Node::start(&options).await.ok()
    })
    .await;
    cluster.nodes.insert(wiped, empty);

    let zombie = eventually("the agent tells of the dead core", || async {
        let view = cluster.view(leader).await;
        view.fault.is_some().then_some(view)
    })
    .await;
    assert_eq!(zombie.state, State::Stopped);
    assert!(!zombie.claims_leadership);
    let metrics = cluster.nodes[&leader]
        .raft
        .metrics()
        .borrow_watched()
        .clone();
    assert_eq!(
        metrics.state,
        ServerState::Leader,
        "its metrics still say that it leads"
    );
    assert!(metrics.running_state.is_ok(), "and that all is well");
    assert!(cluster.nodes[&leader].fatal().await.contains("panicked"));

    let request = ChangeRequest {
        action: Verb::Remove,
        member: Some(format!("node-{wiped}")),
        address: None,
        expected_revision: Some(zombie.membership.revision),
    };
    let refusal = cluster.nodes[&leader]
        .agent
        .change(request)
        .await
        .unwrap_err();
    assert_eq!((refusal.status, refusal.code), (500, "core-stopped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_34_no_ops_are_refused_and_the_revision_stays() {
    let mut cluster = Cluster::start(3, 1).await;
    let before = cluster.revision().await;
    assert_eq!(
        code(&cluster.change(Verb::Demote, "node-4").await),
        "not-a-voter"
    );
    assert_eq!(
        code(&cluster.change(Verb::Promote, "node-1").await),
        "already-voter"
    );
    assert_eq!(
        code(&cluster.change(Verb::Remove, "node-77").await),
        "member-unknown"
    );

    // An empty node that says it is node-4, at another address.
    let mut options = cluster.options(4, true);
    options.dir = cluster.dir.path().join("another-4");
    let double = Node::start(&options).await.unwrap();
    let address = format!("http://{}", double.address);
    let added = cluster.ask(Verb::AddLearner, None, Some(address)).await;
    assert_eq!(code(&added), "already-member");
    double.stop().await;

    // A node with a past, and one of another cluster.
    let member = format!("http://{}", cluster.nodes[&2].address);
    let added = cluster.ask(Verb::AddLearner, None, Some(member)).await;
    assert_eq!(code(&added), "newcomer-not-empty");
    let mut options = cluster.options(8, true);
    options.cluster_id = "c2".to_owned();
    let stranger = Node::start(&options).await.unwrap();
    let address = format!("http://{}", stranger.address);
    let added = cluster
        .ask(Verb::AddLearner, None, Some(address.clone()))
        .await;
    assert_eq!(code(&added), "newcomer-other-cluster");
    stranger.stop().await;

    cluster.first_start(5).await.unwrap();
    let address = format!("http://{}", cluster.nodes[&5].address);
    let added = cluster
        .ask(Verb::AddLearner, Some("node-6"), Some(address))
        .await;
    assert_eq!(code(&added), "newcomer-other-id");
    assert_eq!(cluster.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_40_of_two_changes_at_once_one_is_refused() {
    let cluster = Cluster::start(3, 2).await;
    let leader = cluster.leader().await;
    let agent = &cluster.nodes[&leader].agent;
    let revision = cluster.revision().await;
    let promote = |member: &str| {
        agent.change(ChangeRequest {
            action: Verb::Promote,
            member: Some(member.to_owned()),
            address: None,
            expected_revision: Some(revision.clone()),
        })
    };
    let (one, other) = tokio::join!(promote("node-4"), promote("node-5"));
    let (done, refused) = if one.is_ok() {
        (one, other)
    } else {
        (other, one)
    };
    assert!(done.is_ok(), "{done:?}");
    assert!(["change-in-progress", "revision-moved"].contains(&code(&refused)));

    // The dialog that stayed open over lunch.
    let late = promote("node-5").await.unwrap_err();
    assert_eq!((late.status, late.code), (409, "revision-moved"));
    assert_eq!(late.revision, Some(cluster.revision().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_cut_from_everybody_is_not_believed_and_another_takes_over() {
    let cluster = Cluster::start(3, 0).await;
    let leader = cluster.leader().await;
    let others: Vec<String> = (1..=3)
        .filter(|id| *id != leader)
        .map(|id| format!("node-{id}"))
        .collect();
    cluster.fault(leader, json!({ "cut": others })).await;
    let next = eventually("another leader", || async {
        let next = cluster.leader().await;
        (next != leader).then_some(next)
    })
    .await;
    assert!(cluster.view(next).await.term > 1);
    let old = cluster.view(leader).await;
    let fresh = old
        .quorum_evidence_ms
        .is_some_and(|age| age <= old.election_timeout_ms);
    assert!(!(old.claims_leadership && fresh), "{old:?}");
    cluster.fault(leader, json!({})).await;
    eventually("it follows again", || async {
        let view = cluster.view(leader).await;
        (view.state == State::Follower).then_some(())
    })
    .await;
    tokio::time::timeout(Duration::from_secs(10), cluster.write("after", "all"))
        .await
        .unwrap();
}
