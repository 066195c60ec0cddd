//! The contract on recorded answers of OpenBao, and on a real OpenBao.

use std::{collections::BTreeMap, sync::Arc};

use quorate_domain::{
    action::{Action, Verb},
    capability,
    cluster::{Kind, Role},
    observation::{Answer, Note},
};
use quorate_drivers::{Applied, Diagnosis, Driver, Secret, connect};

use super::{
    checks::{self, DEADLINE, Truth, apply, claims, report, role},
    openbao_cluster::{Cluster, Shape},
    replay::{Lines, Replay, TOKEN, connection},
};

fn lines(rows: &[(&str, &'static str)]) -> Lines {
    rows.iter()
        .map(|(line, name)| ((*line).to_owned(), *name))
        .collect()
}

fn leader_lines() -> Lines {
    lines(&[
        ("GET /v1/sys/health", "health-leader"),
        ("GET /v1/sys/leader", "sys-leader-at-leader"),
        (
            "GET /v1/sys/storage/raft/configuration",
            "configuration-leader",
        ),
        (
            "GET /v1/sys/storage/raft/autopilot/state",
            "autopilot-state",
        ),
        ("GET /v1/sys/ha-status", "ha-status-leader"),
        ("GET /v1/sys/storage/raft/promote?help=1", "help-promote"),
        ("GET /v1/sys/storage/raft/demote?help=1", "help-promote"),
        (
            "POST /v1/sys/capabilities-self",
            "capabilities-self-operator",
        ),
        ("POST /v1/sys/storage/raft/promote", "promote-nonvoter"),
        ("POST /v1/sys/step-down", "step-down"),
    ])
}

fn standby_lines() -> Lines {
    lines(&[
        ("GET /v1/sys/health", "health-standby"),
        ("GET /v1/sys/leader", "sys-leader-at-standby"),
        (
            "GET /v1/sys/storage/raft/configuration",
            "configuration-leader",
        ),
    ])
}

pub async fn four_nodes() -> Replay {
    let mut learner = standby_lines();
    let line = "GET /v1/sys/storage/raft/configuration".to_owned();
    learner.insert(line, "configuration-nonvoter");
    Replay::start(vec![
        ("n1", 9200, leader_lines()),
        ("n2", 9210, standby_lines()),
        ("n3", 9220, standby_lines()),
        ("n4", 9230, learner),
    ])
    .await
}

pub fn driver(replay: &Replay, seed: &str) -> Arc<dyn Driver> {
    connect(connection(Kind::Openbao, vec![replay.address(seed)])).unwrap()
}

#[tokio::test]
async fn recorded_answers_keep_the_contract_from_any_seed() {
    let replay = four_nodes().await;
    for seed in ["n1", "n2", "n4"] {
        let driver = driver(&replay, seed);
        checks::a_healthy_cluster_is_told_as_it_is(&driver, &Truth::of_four("n1")).await;
        let seen = driver.observe(DEADLINE).await;
        assert_eq!(seen.kind, Kind::Openbao);
        assert_eq!(seen.version.as_deref(), Some("2.7.2"));
        let n4 = seen
            .membership
            .as_ref()
            .unwrap()
            .member(&"n4".into())
            .unwrap();
        assert_eq!(n4.api_address, Some(replay.address("n4")));
        assert_eq!(
            report(&seen, "n1").says.as_ref().unwrap().term.unwrap().0,
            3
        );
        assert_eq!(seen.progress[&"n2".into()].last_contact_ms, Some(1265));
        let transfer = capability::of(&seen.capabilities, Verb::Transfer).unwrap();
        assert!(transfer.supported && !transfer.target);
    }
}

#[tokio::test]
async fn the_token_goes_to_members_and_only_where_it_is_needed() {
    let replay = four_nodes().await;
    driver(&replay, "n1").observe(DEADLINE).await;
    for heard in replay.heard() {
        let open = ["sys/health", "sys/leader"]
            .iter()
            .any(|path| heard.line.contains(path));
        let expected = (!open).then(|| TOKEN.to_owned());
        assert_eq!(heard.token, expected, "{} to {}", heard.line, heard.node);
    }
}

#[tokio::test]
async fn a_pending_promotion_and_a_pending_demotion_are_wishes() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n1");
    let line = "GET /v1/sys/storage/raft/autopilot/state";
    let wish = |seen: &quorate_domain::observation::Observation, id: &str| {
        seen.membership
            .as_ref()
            .unwrap()
            .member(&id.into())
            .unwrap()
            .wanted_role
    };
    replay.change("n1", line, "autopilot-state-promotion-pending");
    assert_eq!(
        wish(&driver.observe(DEADLINE).await, "n4"),
        Some(Role::Voter)
    );
    replay.change("n1", line, "autopilot-state-demotion-pending");
    let seen = driver.observe(DEADLINE).await;
    assert_eq!(wish(&seen, "n1"), Some(Role::Learner));
    assert_eq!(role(&seen, "n1"), Some(Role::Voter));
}

#[tokio::test]
async fn accident_16_a_removed_former_leader_that_still_claims_is_not_believed() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n1");
    driver.observe(DEADLINE).await;
    // n4 holds a list without itself, and says that it leads.
    replay.change("n4", "GET /v1/sys/leader", "removed-ex-leader-sys-leader");
    replay.change("n4", "GET /v1/sys/health", "health-leader");
    for node in ["n1", "n2", "n3", "n4"] {
        let line = "GET /v1/sys/storage/raft/configuration";
        replay.change(node, line, "removed-node-configuration");
    }
    let seen = driver.observe(DEADLINE).await;
    assert!(!claims(&seen).contains(&"n4"), "{:?}", claims(&seen));
    assert_eq!(role(&seen, "n4"), None);
    let removed = |note: &Note| matches!(note, Note::RemovedStillRunning { member, .. } if member.as_str() == "n4");
    assert!(seen.notes.iter().any(removed), "{:?}", seen.notes);
}

#[tokio::test]
async fn accident_21_standbys_that_name_a_dead_leader_make_no_claim() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n2");
    driver.observe(DEADLINE).await;
    for node in ["n2", "n3", "n4"] {
        replay.change(node, "GET /v1/sys/leader", "no-quorum-sys-leader-stale");
        replay.change(
            node,
            "GET /v1/sys/storage/raft/autopilot/state",
            "no-quorum-autopilot-redirect",
        );
    }
    replay.change("n1", "GET /v1/sys/health", "health-sealed");
    let seen = driver.observe(DEADLINE).await;
    assert_eq!(claims(&seen), [""; 0]);
    assert_eq!(report(&seen, "n1").answer, Answer::Sealed);
    assert_eq!(role(&seen, "n1"), Some(Role::Voter));
}

#[tokio::test]
async fn a_denied_and_a_fresh_node_are_told_as_such() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n1");
    driver.observe(DEADLINE).await;
    replay.change(
        "n2",
        "GET /v1/sys/storage/raft/configuration",
        "denied-read",
    );
    replay.change("n3", "GET /v1/sys/health", "health-uninitialized");
    let seen = driver.observe(DEADLINE).await;
    assert!(matches!(report(&seen, "n2").answer, Answer::Denied(_)));
    assert_eq!(report(&seen, "n3").answer, Answer::NotStarted);
}

const CAPABILITIES: &str = "POST /v1/sys/capabilities-self";

/// Four nodes, and what `quorate check` says of them after `change`.
async fn checked(change: impl FnOnce(&Replay)) -> Vec<Diagnosis> {
    let replay = four_nodes().await;
    let seal = r#"{"type":"static","initialized":true,"sealed":false,"storage_type":"raft"}"#;
    replay.tell("n1", "GET /v1/sys/seal-status", seal);
    change(&replay);
    driver(&replay, "n1").diagnose().await
}

#[track_caller]
fn problem<'a>(lines: &'a [Diagnosis], code: &str) -> &'a Diagnosis {
    let found = lines.iter().find(|line| line.code == code);
    let line = found.unwrap_or_else(|| panic!("no {code} in {lines:#?}"));
    assert!(!line.ok && line.hint.is_some(), "{line:?}");
    line
}

#[tokio::test]
async fn the_check_names_the_right_that_a_token_lacks_and_the_policy_that_gives_it() {
    // Recorded with a policy from before autopilot's state was read.
    let lines = checked(|_| ()).await;
    let line = problem(&lines, "permission-missing");
    assert!(
        line.text
            .contains("`read` on sys/storage/raft/autopilot/state")
    );
    let hint = line.hint.as_ref().unwrap();
    assert!(hint.contains(r#"capabilities = ["read"]"#), "{hint}");

    let held = r#"{"data":{"sys/storage/raft/configuration":["read"],
        "sys/storage/raft/autopilot/state":["read"],"sys/ha-status":["read"],
        "sys/storage/raft/promote":["update"],"sys/storage/raft/demote":["update"],
        "sys/storage/raft/remove-peer":["update"],"sys/step-down":["update"],
        "sys/storage/raft/snapshot":["read"]}}"#;
    let lines = checked(|replay| replay.tell("n1", CAPABILITIES, held)).await;
    let line = problem(&lines, "permission-missing");
    assert!(line.text.contains("`sudo` on sys/step-down"), "{line:?}");
    let hint = line.hint.as_ref().unwrap();
    assert!(hint.contains(r#"["update", "sudo"]"#), "{hint}");
    assert!(lines.iter().all(|line| line.code != "permissions"));
}

#[tokio::test]
async fn the_check_says_that_a_token_is_not_believed() {
    let lines = checked(|replay| {
        for line in [
            "GET /v1/sys/storage/raft/configuration",
            "GET /v1/sys/storage/raft/autopilot/state",
            "GET /v1/sys/ha-status",
            "GET /v1/sys/storage/raft/promote?help=1",
            "GET /v1/sys/storage/raft/demote?help=1",
            CAPABILITIES,
        ] {
            replay.change("n1", line, "denied-read");
        }
    })
    .await;
    problem(&lines, "denied");
    problem(&lines, "rights-unknown");
    assert!(lines.iter().all(|line| line.code != "permissions"));
    assert!(!format!("{lines:?}").contains(TOKEN));
}

#[tokio::test]
async fn a_token_that_may_not_ask_for_its_rights_is_not_said_to_have_them_all() {
    let lines = checked(|replay| replay.change("n1", CAPABILITIES, "denied-read")).await;
    let line = problem(&lines, "rights-unknown");
    assert!(line.hint.as_ref().unwrap().contains("capabilities-self"));
    assert!(lines.iter().all(|line| line.code != "permissions"));
}

#[tokio::test]
async fn every_recorded_answer_to_a_change_has_its_meaning() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n1");
    let dir = tempfile::tempdir().unwrap();
    let cases: BTreeMap<&'static str, Option<&str>> = BTreeMap::from([
        ("promote-nonvoter", None),
        ("promote-voter", Some("already-voter")),
        ("promote-unknown", Some("member-unknown")),
        ("promote-no-id", Some("refused-by-backend")),
        ("demote-nonvoter", Some("already-learner")),
        ("no-quorum-promote", Some("no-leader")),
        ("standby-redirect", Some("no-leader")),
        ("denied-read", Some("denied")),
        ("no-token", Some("denied")),
        ("configuration-sealed", Some("sealed")),
        ("help-unknown", Some("not-supported")),
    ]);
    for (name, code) in cases {
        replay.change("n1", "POST /v1/sys/storage/raft/promote", name);
        let outcome = apply(
            &driver,
            Action::Promote {
                member: "n4".into(),
            },
            dir.path(),
        )
        .await;
        match (outcome, code) {
            (Applied::Accepted(receipt), None) => assert!(receipt.deferred, "{name}"),
            (Applied::Refused { code: found, .. }, Some(code)) => assert_eq!(found, code, "{name}"),
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
    // Somebody shut its Raft down; whether the entry was written nobody knows.
    replay.change(
        "n1",
        "POST /v1/sys/storage/raft/promote",
        "removed-ex-leader-write",
    );
    let outcome = apply(
        &driver,
        Action::Promote {
            member: "n4".into(),
        },
        dir.path(),
    )
    .await;
    assert!(matches!(outcome, Applied::Unknown { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_snapshot_that_nobody_leads_to_give_is_refused_for_that() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n1");
    let dir = tempfile::tempdir().unwrap();
    let line = "GET /v1/sys/storage/raft/snapshot";
    for (name, expected) in [
        ("no-quorum-promote", "no-leader"),
        ("configuration-sealed", "sealed"),
        ("denied-read", "denied"),
    ] {
        replay.change("n1", line, name);
        let outcome = apply(&driver, Action::Snapshot, dir.path()).await;
        let Applied::Refused { code, text, .. } = outcome else {
            panic!("{name}: {outcome:?}")
        };
        assert_eq!(code, expected, "{text}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn what_is_recorded_of_a_change_holds_no_secret() {
    let replay = four_nodes().await;
    let driver = driver(&replay, "n1");
    let dir = tempfile::tempdir().unwrap();
    let outcome = apply(
        &driver,
        Action::Promote {
            member: "n4".into(),
        },
        dir.path(),
    )
    .await;
    let Applied::Accepted(receipt) = &outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(receipt.exchange.sent["body"]["server_id"], "n4");
    assert_eq!(receipt.exchange.received["status"], 204);
    assert!(!format!("{outcome:?}").contains(TOKEN));
}

#[tokio::test]
async fn a_real_cluster_keeps_the_contract() {
    let Some(mut cluster) = Cluster::start(Shape::default()).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mut connection = connection(Kind::Openbao, vec![cluster.node("n2").api.clone()]);
    connection.token = Some(Secret::new(cluster.operator.clone()));
    let driver = connect(connection).unwrap();
    let leader = cluster.leader().await.unwrap();
    checks::a_healthy_cluster_is_told_as_it_is(&driver, &Truth::of_four(&leader)).await;
    checks::an_unknown_member_is_refused(&driver, dir.path()).await;
    let follower = if leader == "n3" { "n1" } else { "n3" };
    cluster.node(follower).freeze();
    checks::a_failed_member_costs_its_own_answer_only(&driver, follower).await;
    cluster.node(follower).thaw();
    checks::seen_when(&driver, "all answer again", 60, |seen| {
        seen.nodes.iter().all(|node| node.answered()) && claims(seen).len() == 1
    })
    .await;
    let newcomer = cluster.fresh("n5").await;
    checks::all_verbs_do_what_they_say(&driver, &newcomer, dir.path()).await;
    let lines = driver.diagnose().await;
    assert!(
        lines
            .iter()
            .any(|line| line.ok && line.code == "permissions"),
        "{lines:#?}"
    );
}
