//! The life of a cluster of real nodes: formed by the driver, under load, with members frozen and
//! killed in the middle; what is reported is held against what Raft itself says.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use quorate_domain::{
    action::Action,
    cluster::{MemberId, Role},
    lag,
    observation::{Note, Observation},
};
use quorate_drivers::{Applied, Driver};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    checks::{self, DEADLINE, apply, claims, report, role, seen_when},
    driver, id,
    nodes::Nodes,
};

/// How long anything may take on a machine that has much else to do.
const PATIENCE: u64 = 90;

/// Somebody leads, and all members answer and name it.
async fn settled(driver: &Arc<dyn Driver>) -> Observation {
    seen_when(driver, "all name one leader", PATIENCE, |seen| {
        let [leader] = claims(seen)[..] else {
            return false;
        };
        seen.nodes.iter().all(|node| {
            let named = node.says.as_ref().and_then(|it| it.names_leader.as_ref());
            named.is_some_and(|named| named.as_str() == leader)
        })
    })
    .await
}

/// Asks for a change until the cluster shows it. On a busy machine leadership may move at any
/// moment; then nothing was done, or nobody knows, and it is looked at and asked for anew.
async fn change(
    driver: &Arc<dyn Driver>,
    nodes: &Nodes,
    action: &Action,
    holds: impl Fn(&Observation) -> bool,
) -> Observation {
    let passing = [
        "no-leader",
        "not-leader",
        "leader-not-heard",
        "membership-changed",
        "busy",
        "transfer-in-progress",
    ];
    let start = Instant::now();
    loop {
        assert!(
            start.elapsed() < Duration::from_secs(PATIENCE),
            "{action:?}"
        );
        match apply(driver, action.clone(), nodes.dir.path()).await {
            Applied::Accepted(_) => break,
            Applied::Refused { code, .. } if passing.contains(&code.as_str()) => {}
            Applied::Unknown { .. } => {}
            other @ Applied::Refused { .. } => panic!("{action:?}: {other:?}"),
        }
        let seen = driver.observe(DEADLINE).await;
        if seen.membership.is_some() && !seen.membership_remembered && holds(&seen) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    seen_when(driver, &format!("{action:?}"), PATIENCE, holds).await
}

async fn add(driver: &Arc<dyn Driver>, nodes: &mut Nodes, member: &str) {
    let address = nodes.newcomer(member);
    let action = Action::AddLearner {
        address,
        member: Some(id(member)),
    };
    change(driver, nodes, &action, |seen| {
        role(seen, member) == Some(Role::Learner)
    })
    .await;
    seen_when(driver, "the learner is level", PATIENCE, |seen| {
        report_of(seen, member).is_some_and(|node| node.answered())
            && lag::lag(seen, &id(member)).is_some_and(|(lag, _)| lag <= 100)
    })
    .await;
}

async fn promote(driver: &Arc<dyn Driver>, nodes: &Nodes, member: &str) {
    let action = Action::Promote { member: id(member) };
    change(driver, nodes, &action, |seen| {
        role(seen, member) == Some(Role::Voter)
    })
    .await;
}

/// Voters a, b and c, put together by the driver.
pub async fn three() -> (Nodes, Arc<dyn Driver>) {
    let mut nodes = Nodes::start(&[]);
    let driver = driver(nodes.seeds());
    settled(&driver).await;
    for member in ["b", "c"] {
        add(&driver, &mut nodes, member).await;
        promote(&driver, &nodes, member).await;
    }
    settled(&driver).await;
    (nodes, driver)
}

fn leader(seen: &Observation) -> String {
    claims(seen)[0].to_owned()
}

fn report_of<'a>(
    seen: &'a Observation,
    member: &str,
) -> Option<&'a quorate_domain::observation::NodeReport> {
    seen.nodes.iter().find(|node| node.id.as_str() == member)
}

/// A voter beside the leader and these.
fn other(seen: &Observation, but: &[&str]) -> String {
    let members = &seen.membership.as_ref().unwrap().members;
    let mut voters = members.iter().filter(|member| member.role == Role::Voter);
    let free = |id: &MemberId| !but.contains(&id.as_str()) && !claims(seen).contains(&id.as_str());
    voters
        .find(|it| free(&it.id))
        .expect("another voter")
        .id
        .0
        .clone()
}

pub fn number(words: &Value, key: &str) -> u64 {
    words["stats"][key].as_str().unwrap().parse().unwrap()
}

/// Roles, leader and figures, all as Raft says itself; under load every figure lies between what
/// Raft said before and after the look.
async fn assert_told_as_it_is(driver: &Arc<dyn Driver>, nodes: &Nodes) {
    let words = async || {
        let mut all = Vec::new();
        for member in nodes.running.keys() {
            all.push((member.clone(), nodes.own_words(member).await));
        }
        all
    };
    let start = Instant::now();
    let (before, seen, after) = loop {
        let (before, seen, after) = (words().await, driver.observe(DEADLINE).await, words().await);
        let steady = |words: &[(String, Value)]| {
            let of = |it: &Value| (it["stats"]["term"].clone(), it["leader"].clone());
            words.iter().map(|(_, it)| of(it)).collect::<Vec<_>>()
        };
        let answered = seen.nodes.iter().all(|node| node.answered());
        if steady(&before) == steady(&after) && answered && claims(&seen).len() == 1 {
            break (before, seen, after);
        }
        assert!(
            start.elapsed() < Duration::from_secs(PATIENCE),
            "it never holds still"
        );
    };
    let membership = seen.membership.as_ref().unwrap();
    for ((member, before), (_, after)) in before.iter().zip(&after) {
        let says = report(&seen, member).says.as_ref().unwrap();
        let within = |told: Option<u64>, key: &str| {
            let told = told.unwrap_or_else(|| number(before, key));
            let range = number(before, key)..=number(after, key);
            assert!(range.contains(&told), "{member} {key}: {told} of {range:?}");
        };
        within(says.term.map(|term| term.0), "term");
        within(says.last_index, "last_log_index");
        within(says.commit_index, "commit_index");
        within(says.applied_index, "applied_index");
        assert_eq!(before["leader"], leader(&seen), "{member}");
        assert_eq!(says.names_leader, Some(id(&leader(&seen))), "{member}");
    }
    let (_, led) = before.iter().find(|(it, _)| *it == leader(&seen)).unwrap();
    let theirs = led["servers"].as_array().unwrap();
    assert_eq!(theirs.len(), membership.members.len());
    for server in theirs {
        let member = membership
            .member(&id(server["ID"].as_str().unwrap()))
            .unwrap();
        assert_eq!(server["Address"], member.address);
        assert_eq!(server["Suffrage"] == 0, member.role == Role::Voter);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_formed_changed_and_told_as_it_is_while_members_freeze_and_die() {
    let (mut nodes, driver) = three().await;
    nodes.load(300).await;
    add(&driver, &mut nodes, "d").await;
    assert_told_as_it_is(&driver, &nodes).await;
    promote(&driver, &nodes, "d").await;

    // A follower freezes: it costs its own answer only, and the rest is changed all the same.
    let frozen = other(&settled(&driver).await, &["d"]);
    nodes.running[&frozen].signal(Signal::STOP);
    seen_when(
        &driver,
        "its silence is told, and only its",
        PATIENCE,
        |seen| {
            seen.nodes
                .iter()
                .all(|node| node.answered() == (node.id.as_str() != frozen))
        },
    )
    .await;
    let transfer = Action::Transfer {
        member: Some(id("d")),
    };
    change(&driver, &nodes, &transfer, |seen| claims(seen) == ["d"]).await;
    nodes.running[&frozen].signal(Signal::CONT);
    settled(&driver).await;
    nodes.load(0).await;

    let seen = settled(&driver).await;
    let victim = other(&seen, &[&frozen]);
    let demote = Action::Demote {
        member: id(&victim),
    };
    change(&driver, &nodes, &demote, |seen| {
        role(seen, &victim) == Some(Role::Learner)
    })
    .await;

    // It dies, is removed, and comes back: what still runs is told until it is gone.
    let address = nodes.kill(&victim);
    let remove = Action::Remove {
        member: id(&victim),
    };
    nodes.restart(&victim, &address);
    let seen = change(&driver, &nodes, &remove, |seen| {
        role(seen, &victim).is_none()
    })
    .await;
    drop(seen);
    let running = |seen: &Observation| {
        let mut notes = seen.notes.iter();
        notes.any(|note| {
            matches!(note, Note::RemovedStillRunning { member, .. } if member.as_str() == victim)
        })
    };
    seen_when(&driver, "the removed one still runs", PATIENCE, running).await;
    nodes.kill(&victim);
    seen_when(&driver, "it is gone", PATIENCE, |seen| !running(seen)).await;

    // The newest entry is one of the configuration: without more the library writes no snapshot.
    settled(&driver).await;
    let taken = apply(&driver, Action::Snapshot, nodes.dir.path()).await;
    let Applied::Accepted(receipt) = taken else {
        panic!("{taken:?}")
    };
    let snapshot = receipt.snapshot.unwrap();
    let member = snapshot.member.unwrap();
    let words = nodes.own_words(&member).await;
    assert_eq!(snapshot.index, Some(number(&words, "last_snapshot_index")));
    assert_eq!(snapshot.term, Some(number(&words, "last_snapshot_term")));
    assert!(snapshot.index > Some(0));

    settled(&driver).await;
    assert_told_as_it_is(&driver, &nodes).await;
    checks::an_unknown_member_is_refused(&driver, nodes.dir.path()).await;
    nothing_is_left_behind(&nodes).await;
}

/// Every token was forgotten, and nobody called what only harms.
async fn nothing_is_left_behind(nodes: &Nodes) {
    for member in nodes.running.keys() {
        let words = nodes.own_words(member).await;
        assert_eq!(words["open_operations"], 0, "{member}: {words}");
        for harmful in ["ApplyLog", "Shutdown"] {
            let path = format!("/RaftAdmin/{harmful}");
            assert_eq!(words["called"][path], Value::Null, "{member}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_dies_is_named_by_nobodys_claim_and_another_is_seen() {
    let (mut nodes, driver) = three().await;
    let first = leader(&settled(&driver).await);
    let address = nodes.kill(&first);
    let seen = seen_when(
        &driver,
        "another leads",
        PATIENCE,
        |seen| matches!(claims(seen)[..], [leader] if leader != first),
    )
    .await;
    assert!(!report(&seen, &first).answered());
    assert_eq!(seen.membership.unwrap().members.len(), 3);
    nodes.restart(&first, &address);
    settled(&driver).await;
    assert_told_as_it_is(&driver, &nodes).await;
}
