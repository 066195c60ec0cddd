//! The contract on recorded answers of Vault, and on a real one, as far as its free edition goes.

use std::{path::Path, sync::Arc};

use quorate_domain::{
    action::{Action, Verb},
    capability,
    cluster::{Kind, Role},
    observation::{Answer, NodeReport, Note, Observation},
};
use quorate_drivers::{Driver, Secret, connect};

use super::{
    checks::{self, DEADLINE, accepted_of, claims, refused_as, report, role, seen_when},
    etcd_cluster::built,
    openbao_cluster::{Cluster, Seal, Shape},
    replay::{Lines, Replay, connection},
};

/// The last of those under a free license that its published modules build.
const VERSION: &str = "1.13.0";

const OFFERED: [Verb; 3] = [Verb::Remove, Verb::Transfer, Verb::Snapshot];

/// Whatever it was registered as: what it is and what it can do, it tells.
fn is_vault(seen: &Observation) {
    assert_eq!(seen.kind, Kind::Vault);
    assert_eq!(seen.version.as_deref(), Some(VERSION));
    for verb in Verb::USUAL {
        let found = capability::of(&seen.capabilities, verb).unwrap();
        assert_eq!(found.supported, OFFERED.contains(&verb), "{found:?}");
        assert!(found.supported || found.note.is_some(), "{found:?}");
    }
}

/// Of the members' list only the leader's copy can be read.
fn is_told_as_it_is(seen: &Observation, members: &[&str], leader: &str) {
    let membership = seen.membership.as_ref().unwrap();
    let ids: Vec<&str> = membership.members.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, members);
    assert!(membership.members.iter().all(|it| it.role == Role::Voter));
    assert_eq!(claims(seen), [leader]);
    for id in ids {
        let node = report(seen, id);
        assert_eq!(node.answer, Answer::Answered, "{id}");
        let says = node.says.as_ref().unwrap();
        assert_eq!(says.names_leader.as_ref().unwrap().as_str(), leader);
        assert_eq!(says.voter_by_own_account, (id == leader).then_some(true));
        assert_eq!(says.revision.is_some(), id == leader, "{id}");
        assert!(says.last_index.is_some() && says.applied_index.is_some());
    }
    assert_eq!(seen.nodes.len(), members.len());
}

const CONFIGURATION: &str = "GET /v1/sys/storage/raft/configuration";

fn lines(rows: &[(&str, &str)]) -> Lines {
    let at = |name: &str| -> &'static str { format!("vault-1.13.0/{name}").leak() };
    let rows = rows
        .iter()
        .map(|(line, name)| ((*line).to_owned(), at(name)));
    rows.collect()
}

async fn three_nodes() -> Replay {
    let leader = lines(&[
        ("GET /v1/sys/health", "health-leader"),
        ("GET /v1/sys/leader", "sys-leader-at-leader"),
        (CONFIGURATION, "configuration-leader"),
        (
            "GET /v1/sys/storage/raft/autopilot/state",
            "autopilot-state",
        ),
        ("GET /v1/sys/ha-status", "ha-status-leader"),
        ("GET /v1/sys/storage/raft/promote?help=1", "help-promote"),
        ("GET /v1/sys/storage/raft/demote?help=1", "help-promote"),
        (
            "GET /v1/sys/storage/raft/remove-peer?help=1",
            "help-remove-peer",
        ),
        (
            "POST /v1/sys/capabilities-self",
            "capabilities-self-operator",
        ),
        ("POST /v1/sys/storage/raft/promote", "promote"),
        ("POST /v1/sys/step-down", "step-down"),
    ]);
    // What else a standby is asked it has the leader answer.
    let mut standby = leader.clone();
    standby.extend(lines(&[
        ("GET /v1/sys/health", "health-standby"),
        ("GET /v1/sys/leader", "sys-leader-at-standby"),
        (CONFIGURATION, "configuration-relayed"),
    ]));
    Replay::start(vec![
        ("n1", 9200, leader),
        ("n2", 9210, standby.clone()),
        ("n3", 9220, standby),
    ])
    .await
}

/// From now on standbys do not ask the leader.
fn alone(replay: &Replay) {
    for standby in ["n2", "n3"] {
        replay.change(standby, CONFIGURATION, "vault-1.13.0/configuration-alone");
    }
}

#[tokio::test]
async fn recorded_answers_of_vault_are_told_as_they_are_from_any_seed() {
    for (seed, kind) in [
        ("n1", Kind::Openbao),
        ("n2", Kind::Openbao),
        ("n3", Kind::Vault),
    ] {
        let replay = three_nodes().await;
        let driver = connect(connection(kind, vec![replay.address(seed)])).unwrap();
        driver.observe(DEADLINE).await;
        // What a standby was told by the leader is not its own word.
        is_told_as_it_is(&driver.observe(DEADLINE).await, &["n1", "n2", "n3"], "n1");
        alone(&replay);
        let seen = driver.observe(DEADLINE).await;
        is_told_as_it_is(&seen, &["n1", "n2", "n3"], "n1");
        is_vault(&seen);
        let dir = tempfile::tempdir().unwrap();
        what_it_has_not_is_refused(&driver, dir.path()).await;
    }
}

#[tokio::test]
async fn a_leader_of_vault_that_is_silent_silences_no_standby() {
    let replay = three_nodes().await;
    let driver = connect(connection(Kind::Vault, vec![replay.address("n2")])).unwrap();
    driver.observe(DEADLINE).await;
    alone(&replay);
    replay.mute("n1");
    let seen = driver.observe(DEADLINE).await;
    assert!(matches!(report(&seen, "n1").answer, Answer::Silent(_)));
    for standby in ["n2", "n3"] {
        let says = report(&seen, standby).says.as_ref();
        assert!(report(&seen, standby).answered(), "{seen:#?}");
        assert_eq!(says.unwrap().names_leader, Some("n1".into()));
    }
    assert_eq!(claims(&seen), [""; 0]);
    assert!(seen.membership_remembered);
}

#[tokio::test]
async fn a_real_vault_is_found_out_by_asking_and_does_what_its_free_edition_can() {
    if !built::is_slow_round() {
        return;
    }
    let program = match built::program("vault", VERSION, "vault_server").await {
        Ok(program) => program,
        Err(why) => {
            eprintln!("\n!!! SKIPPED: no real Vault for this test: {why}\n");
            return;
        }
    };
    // It has no static seal, and no learners.
    let shape = Shape {
        program: Some(program),
        learners: 0,
        seal: Seal::Shamir,
        ..Shape::default()
    };
    let Some(mut cluster) = Cluster::start(shape).await else {
        return;
    };
    let (driver, dir) = (looking(&cluster), tempfile::tempdir().unwrap());
    let all = seen_when(&driver, "all three answer by themselves", 60, |seen| {
        let own = |id| {
            let says = report(seen, id).says.as_ref();
            says.is_some_and(|says| says.last_index.is_some())
        };
        claims(seen) == ["n1"] && ["n1", "n2", "n3"].into_iter().all(own)
    });
    is_vault(&all.await);
    is_told_as_it_is(&driver.observe(DEADLINE).await, &["n1", "n2", "n3"], "n1");
    checked(&driver).await;
    what_it_has_not_is_refused(&driver, dir.path()).await;
    a_newcomer_votes_by_itself(&mut cluster, &driver).await;
    verbs_do_what_they_say(&cluster, &driver, dir.path()).await;
    silence_is_told_as_it_is(&cluster, &driver).await;
}

/// Registered as OpenBao, by an address of a standby.
fn looking(cluster: &Cluster) -> Arc<dyn Driver> {
    let mut connection = connection(Kind::Openbao, vec![cluster.node("n2").api.clone()]);
    connection.token = Some(Secret::new(cluster.operator.clone()));
    connect(connection).unwrap()
}

async fn checked(driver: &Arc<dyn Driver>) {
    let lines = driver.diagnose().await;
    for code in ["other-kind", "permissions"] {
        let found = |line: &&quorate_drivers::Diagnosis| line.ok && line.code == code;
        assert!(lines.iter().any(|line| found(&line)), "{code}: {lines:#?}");
    }
}

async fn what_it_has_not_is_refused(driver: &Arc<dyn Driver>, dir: &Path) {
    let member = || "n2".into();
    for action in [
        Action::Promote { member: member() },
        Action::Demote { member: member() },
    ] {
        refused_as(driver, action, dir, "not-supported").await;
    }
}

/// Joined by hand it waits a while without a vote; then autopilot gives it one, unasked.
async fn a_newcomer_votes_by_itself(cluster: &mut Cluster, driver: &Arc<dyn Driver>) {
    cluster.fresh("n4").await;
    let leader = cluster.leader().await.unwrap();
    let api = cluster.node(&leader).api.clone();
    cluster.join("n4", &api, false).await;
    seen_when(driver, "the newcomer votes", 60, |seen| {
        role(seen, "n4") == Some(Role::Voter) && report(seen, "n4").answered()
    })
    .await;
}

async fn verbs_do_what_they_say(cluster: &Cluster, driver: &Arc<dyn Driver>, dir: &Path) {
    let receipt = accepted_of(driver, Action::Snapshot, dir).await;
    let snapshot = receipt.snapshot.unwrap();
    assert!(snapshot.sha256.is_some() && snapshot.index.is_some());

    let before = cluster.leader().await.unwrap();
    accepted_of(driver, Action::Transfer { member: None }, dir).await;
    let seen = seen_when(
        driver,
        "another leads",
        60,
        |seen| matches!(claims(seen)[..], [leader] if leader != before),
    )
    .await;
    let now = claims(&seen)[0].to_owned();
    assert_eq!(cluster.leader().await, Some(now.clone()));

    let victim = if now == "n4" { before } else { "n4".to_owned() };
    let member = victim.as_str().into();
    accepted_of(driver, Action::Remove { member }, dir).await;
    let seen = seen_when(driver, "it is gone and runs on", 60, |seen| {
        let runs = |note: &Note| matches!(note, Note::RemovedStillRunning { member, .. } if member.as_str() == victim);
        role(seen, &victim).is_none() && seen.notes.iter().any(runs)
    })
    .await;
    assert_eq!(seen.membership.unwrap().members.len(), 3);
    let told = cluster.members(&now).await;
    assert!(told.iter().all(|(id, votes)| *id != victim && *votes));
}

async fn silence_is_told_as_it_is(cluster: &Cluster, driver: &Arc<dyn Driver>) {
    let leader = cluster.leader().await.unwrap();
    let members = cluster.members(&leader).await;
    let others: Vec<&str> = members
        .iter()
        .map(|(id, _)| id.as_str())
        .filter(|id| *id != leader)
        .collect();
    cluster.node(others[0]).freeze();
    checks::a_failed_member_costs_its_own_answer_only(driver, others[0]).await;
    // Two of three: nobody leads, and who is left says that it lives, whomever it still names.
    cluster.node(&leader).freeze();
    checks_of_one_left(driver, others[1]).await;
    cluster.node(&leader).thaw();
    cluster.node(others[0]).thaw();
    seen_when(driver, "all answer again", 60, |seen| {
        let said = |id: &str| report(seen, id).answered();
        claims(seen).len() == 1 && members.iter().all(|(id, _)| said(id))
    })
    .await;
}

async fn checks_of_one_left(driver: &Arc<dyn Driver>, left: &str) {
    let seen = seen_when(driver, "one is left, and nobody leads", 60, |seen| {
        let silent = |node: &&NodeReport| matches!(node.answer, Answer::Silent(_));
        report(seen, left).answered()
            && claims(seen).is_empty()
            && seen.nodes.iter().filter(silent).count() == 2
    })
    .await;
    assert!(report(&seen, left).says.is_some() && seen.membership_remembered);
    assert_eq!(seen.membership.as_ref().unwrap().members.len(), 3);
}
