//! Every verb through the agent of a real cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cluster;

use cluster::{Cluster, code, eventually};
use openraft::{Instant as _, async_runtime::watch::WatchReceiver as _};
use quorate_agent_openraft::wire::{ChangeRequest, Outcome, Role, State, Verb};

fn role_in(view: &quorate_agent_openraft::wire::GroupView, member: &str) -> Option<Role> {
    view.membership
        .members
        .iter()
        .find(|m| m.id == member)
        .map(|m| m.role)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_node_goes_through_its_whole_life() {
    let mut cluster = Cluster::start(3, 0).await;
    cluster.first_start(4).await.unwrap();
    assert_eq!(cluster.view(4).await.state, State::Outside);

    let added = cluster.join(4).await;
    assert_eq!(added.member.as_deref(), Some("node-4"));
    let leader = cluster.leader().await;
    assert_eq!(
        role_in(&cluster.view(leader).await, "node-4"),
        Some(Role::Learner)
    );
    assert_eq!(added.revision, cluster.revision().await);

    cluster.carry_out(Verb::Promote, "node-4").await;
    assert_eq!(
        role_in(&cluster.view(leader).await, "node-4"),
        Some(Role::Voter)
    );

    let moved = cluster.carry_out(Verb::Transfer, "node-4").await;
    assert_eq!(moved.outcome, Outcome::Done);
    assert_eq!(cluster.leader().await, 4);

    assert_eq!(
        code(&cluster.change(Verb::Demote, "node-4").await),
        "is-leader"
    );
    cluster.carry_out(Verb::Transfer, "node-1").await;
    cluster.carry_out(Verb::Demote, "node-4").await;
    assert_eq!(
        role_in(&cluster.view(1).await, "node-4"),
        Some(Role::Learner)
    );

    cluster.carry_out(Verb::Remove, "node-4").await;
    let view = cluster.view(1).await;
    assert_eq!(role_in(&view, "node-4"), None);
    assert_eq!(view.burned, ["node-4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_can_be_removed_at_once_and_its_id_is_burned() {
    let mut cluster = Cluster::start(4, 0).await;
    let gone = cluster.follower().await;
    cluster
        .carry_out(Verb::Remove, &format!("node-{gone}"))
        .await;
    cluster.stop(gone).await;
    std::fs::remove_dir_all(cluster.node_dir(gone)).unwrap();
    cluster.first_start(gone).await.unwrap();
    assert_eq!(code(&cluster.add_learner(gone).await), "id-burned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_seen_before_it_is_reported_and_follows_to_a_newcomer() {
    let mut cluster = Cluster::start(1, 0).await;
    for number in 0..20 {
        cluster.write(&format!("k{number}"), "v").await;
    }
    let request = ChangeRequest {
        action: Verb::Snapshot,
        member: None,
        address: None,
        expected_revision: None,
    };
    let receipt = cluster.nodes[&1].agent.change(request).await.unwrap();
    assert!(receipt.snapshot.unwrap().index >= 20);
    cluster.nodes[&1]
        .raft
        .trigger()
        .purge_log(10_000)
        .await
        .unwrap();

    cluster.first_start(2).await.unwrap();
    cluster.join(2).await;
    let url = format!("http://{}/kv/k19?stale=true", cluster.nodes[&2].address);
    eventually(
        "the newcomer has what was written before it came",
        || async {
            let response = cluster.http.get(&url).send().await.ok()?;
            (response.text().await.ok()? == "v").then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sole_voter_leads_on_its_own_word_however_quiet_it_is() {
    let cluster = Cluster::start(1, 0).await;
    let metrics = cluster.nodes[&1].raft.metrics();
    eventually("openraft's own time stood still", || async {
        let acked = metrics.borrow_watched().last_quorum_acked?;
        (acked.elapsed().as_millis() > 600).then_some(())
    })
    .await;
    let view = cluster.view(1).await;
    assert_eq!(view.quorum_evidence_ms, Some(0));
    assert!(view.claims_leadership);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_names_the_leader_and_changes_nothing() {
    let cluster = Cluster::start(3, 0).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let before = cluster.revision().await;
    let request = ChangeRequest {
        action: Verb::Demote,
        member: Some(format!("node-{follower}")),
        address: None,
        expected_revision: Some(before.clone()),
    };
    let refusal = cluster.nodes[&follower]
        .agent
        .change(request)
        .await
        .unwrap_err();
    assert_eq!((refusal.status, refusal.code), (421, "not-leader"));
    let hint = refusal.leader.unwrap();
    assert_eq!(hint.member, format!("node-{leader}"));
    assert_eq!(
        hint.agent_address,
        Some(format!("http://{}", cluster.nodes[&leader].address))
    );
    assert_eq!(cluster.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_is_tried_and_the_leaders_claim_grows_old() {
    let mut cluster = Cluster::start(3, 0).await;
    let leader = cluster.leader().await;
    for id in (1..=3).filter(|id| *id != leader) {
        cluster.stop(id).await;
    }
    let view = eventually("the evidence is older than an election timeout", || async {
        let view = cluster.view(leader).await;
        view.quorum_evidence_ms
            .is_none_or(|age| age > view.election_timeout_ms)
            .then_some(view)
    })
    .await;
    let request = ChangeRequest {
        action: Verb::Remove,
        member: view
            .membership
            .members
            .iter()
            .map(|m| m.id.clone())
            .find(|id| *id != view.member),
        address: None,
        expected_revision: Some(view.membership.revision),
    };
    let refusal = cluster.nodes[&leader]
        .agent
        .change(request)
        .await
        .unwrap_err();
    assert!(
        ["no-quorum", "not-leader"].contains(&refusal.code),
        "{refusal:?}"
    );
}
