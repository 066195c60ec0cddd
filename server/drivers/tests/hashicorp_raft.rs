//! The agent for hashicorp/raft: the conformance suite and the agent driver on real nodes, each a
//! process of the Go example. What the driver reports is compared with what Raft itself says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "contract/checks.rs"]
mod checks;
#[path = "agent_conformance/checks.rs"]
mod conformance;
#[path = "hashicorp_raft/nodes.rs"]
mod nodes;

use std::{sync::Arc, time::Duration};

use checks::{DEADLINE, Truth, accepted_of, claims, refused_as, report, role, seen_when};
use conformance::Subject;
use nodes::{Nodes, TOKEN};
use quorate_domain::{
    action::Action,
    cluster::{Kind, MemberId, Role},
    observation::{Note, Observation},
};
use quorate_drivers::{Connection, Driver, Secret, connect};
use rustix::process::Signal;
use serde_json::json;

fn driver(seeds: Vec<String>) -> Arc<dyn Driver> {
    connect(Connection {
        name: "go".to_owned(),
        kind: Kind::Agent,
        seeds,
        token: Some(Secret::new(TOKEN)),
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: quorate_drivers::Lookups::default(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(10),
    })
    .unwrap()
}

fn id(member: &str) -> MemberId {
    MemberId::from(member)
}

/// Somebody leads, and all members answer and name it.
async fn settled(driver: &Arc<dyn Driver>) -> Observation {
    seen_when(driver, "all name one leader", 30, |seen| {
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

async fn add(driver: &Arc<dyn Driver>, nodes: &mut Nodes, member: &str) {
    let address = nodes.newcomer(member);
    let action = Action::AddLearner {
        address,
        member: None,
    };
    accepted_of(driver, action, nodes.dir.path()).await;
}

/// Voters a, b and c, put together by the driver.
async fn three() -> (Nodes, Arc<dyn Driver>) {
    let mut nodes = Nodes::start();
    let driver = driver(nodes.origins());
    settled(&driver).await;
    for member in ["b", "c"] {
        add(&driver, &mut nodes, member).await;
        let promote = Action::Promote { member: id(member) };
        accepted_of(&driver, promote, nodes.dir.path()).await;
    }
    settled(&driver).await;
    (nodes, driver)
}

fn leader(seen: &Observation) -> String {
    claims(seen)[0].to_owned()
}

fn other(seen: &Observation, but: &[&str]) -> String {
    let voters = ["a", "b", "c"].into_iter();
    let mut left =
        voters.filter(|voter| role(seen, voter) == Some(Role::Voter) && !but.contains(voter));
    left.next().expect("another voter").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hashicorp_raft_agent_conforms_in_every_role() {
    let (mut nodes, driver) = three().await;
    add(&driver, &mut nodes, "d").await;
    nodes.newcomer("e");
    settled(&driver).await;
    for origin in nodes.origins() {
        let subject = Subject::new(&origin, TOKEN);
        subject.conforms().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_a_hashicorp_raft_agent_does_what_it_says_under_load() {
    let (mut nodes, driver) = three().await;
    nodes.load(300).await;
    let dir = nodes.dir.path().to_owned();
    add(&driver, &mut nodes, "d").await;
    seen_when(&driver, "d answers as a learner", 30, |seen| {
        role(seen, "d") == Some(Role::Learner) && report(seen, "d").answered()
    })
    .await;
    accepted_of(&driver, Action::Promote { member: id("d") }, &dir).await;
    let seen = seen_when(&driver, "d votes", 30, |seen| {
        role(seen, "d") == Some(Role::Voter)
    })
    .await;
    let lag = |seen: &Observation| -> u64 {
        let leader = leader(seen);
        let last = report(seen, &leader).says.as_ref().unwrap().last_index;
        let matched = seen.progress[&id("d")].last_index;
        last.unwrap().saturating_sub(matched.unwrap())
    };
    assert!(lag(&seen) < 1000, "{}", lag(&seen));

    nodes.load(0).await;
    let transfer = Action::Transfer {
        member: Some(id("d")),
    };
    accepted_of(&driver, transfer, &dir).await;
    let seen = seen_when(&driver, "d leads", 30, |seen| claims(seen) == ["d"]).await;
    let victim = other(&seen, &[]);
    let demote = Action::Demote {
        member: id(&victim),
    };
    accepted_of(&driver, demote, &dir).await;
    seen_when(&driver, "it votes no more", 30, |seen| {
        role(seen, &victim) == Some(Role::Learner)
    })
    .await;
    let receipt = accepted_of(&driver, Action::Snapshot, &dir).await;
    assert!(receipt.snapshot.unwrap().index.is_some());
    let remove = Action::Remove {
        member: id(&victim),
    };
    accepted_of(&driver, remove, &dir).await;
    let seen = seen_when(&driver, "it is gone", 30, |seen| {
        role(seen, &victim).is_none()
    })
    .await;
    let running = |note: &Note| matches!(note, Note::RemovedStillRunning { member, .. } if member.as_str() == victim);
    assert!(seen.notes.iter().any(running) || report_of(&seen, &victim).is_none());
    checks::an_unknown_member_is_refused(&driver, &dir).await;
}

fn report_of<'a>(
    seen: &'a Observation,
    member: &str,
) -> Option<&'a quorate_domain::observation::NodeReport> {
    seen.nodes.iter().find(|node| node.id.as_str() == member)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reported_of_hashicorp_raft_is_what_raft_itself_says() {
    let (mut nodes, driver) = three().await;
    add(&driver, &mut nodes, "d").await;
    let seen = settled(&driver).await;
    let truth = Truth {
        voters: vec!["a", "b", "c"],
        learners: vec!["d"],
        leader: leader(&seen),
    };
    seen_when(&driver, "all have applied all", 30, |seen| {
        let applied = |node: &quorate_domain::observation::NodeReport| {
            node.says.as_ref().and_then(|it| it.applied_index)
        };
        let first = applied(&seen.nodes[0]);
        seen.nodes.iter().all(|node| applied(node) == first)
    })
    .await;
    checks::a_healthy_cluster_is_told_as_it_is(&driver, &truth).await;
    let began = std::time::Instant::now();
    while let Err(differs) = told_as_it_is(&driver, &nodes).await {
        assert!(began.elapsed() < Duration::from_secs(30), "{differs}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What a look tells, and what Raft's own words are just after it. They may differ by what moved
/// in between, once.
async fn told_as_it_is(driver: &Arc<dyn Driver>, nodes: &Nodes) -> Result<(), String> {
    let seen = driver.observe(DEADLINE).await;
    assert_eq!(seen.program.as_deref(), Some("hashicorp-raft"));
    assert!(seen.notes.is_empty(), "{:?}", seen.notes);
    for member in ["a", "b", "c", "d"] {
        let words = nodes.own_words(member).await;
        let number = |key: &str| words["stats"][key].as_str().unwrap().parse::<u64>().ok();
        let same = report(&seen, member).says.as_ref().is_some_and(|says| {
            says.term.map(|term| term.0) == number("term")
                && says.last_index == number("last_log_index")
                && says.commit_index == number("commit_index")
                && says.applied_index == number("applied_index")
        });
        let same = same
            && claims(&seen)
                .first()
                .is_some_and(|it| words["leader"] == *it)
            && words["servers"].as_array().is_some_and(|it| it.len() == 4);
        if !same {
            return Err(format!("{member}: {words:#} is told as {seen:#?}"));
        }
    }
    for (member, progress) in &seen.progress {
        let words = nodes.own_words(member.as_str()).await;
        let own = words["stats"]["last_log_index"].as_str().unwrap();
        let matched = progress.last_index.map(|index| index.to_string());
        if progress.last_contact_ms.is_none() || matched.as_deref() != Some(own) {
            return Err(format!("{member}: {progress:?} instead of {own}"));
        }
    }
    if seen.progress.len() == 3 {
        Ok(())
    } else {
        Err(format!("progress of {:?}", seen.progress.keys()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_hashicorp_raft_that_are_killed_frozen_or_cut_off_are_told_and_nothing_is_lost()
{
    let (mut nodes, driver) = three().await;
    let dir = nodes.dir.path().to_owned();
    let seen = settled(&driver).await;
    let (first, victim) = (leader(&seen), other(&seen, &[&leader(&seen)]));
    let spare = other(&seen, &[&first, &victim]);

    nodes.running[&victim].signal(Signal::STOP);
    checks::a_failed_member_costs_its_own_answer_only(&driver, &victim).await;
    let transfer = Action::Transfer {
        member: Some(id(&victim)),
    };
    refused_as(&driver, transfer, &dir, "not-heard").await;
    let remove = Action::Remove { member: id(&spare) };
    refused_as(&driver, remove, &dir, "majority-at-risk").await;
    nodes.running[&victim].signal(Signal::CONT);
    settled(&driver).await;

    let port = nodes.kill(&first);
    let seen = seen_when(
        &driver,
        "another leads",
        30,
        |seen| matches!(claims(seen)[..], [leader] if leader != first),
    )
    .await;
    let second = leader(&seen);
    nodes.restart(&first, port);
    settled(&driver).await;

    let cut: Vec<&String> = nodes.running.keys().filter(|id| **id != second).collect();
    nodes.fault(&second, json!({ "cut": cut })).await;
    let others: Vec<String> = cut.into_iter().cloned().collect();
    for other in &others {
        nodes.fault(other, json!({ "cut": [second] })).await;
    }
    seen_when(
        &driver,
        "another leads, and it alone claims to",
        30,
        |seen| matches!(claims(seen)[..], [leader] if leader != second),
    )
    .await;
    for member in ["a", "b", "c"] {
        nodes.fault(member, json!({})).await;
    }
    settled(&driver).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hashicorp_raft_core_that_hangs_is_a_fault_and_claims_nothing() {
    let (nodes, driver) = three().await;
    let seen = settled(&driver).await;
    let (stopped, frozen) = (other(&seen, &[&leader(&seen)]), leader(&seen));
    nodes.fault(&stopped, json!({ "stop_core": true })).await;
    let faulty = |seen: &Observation, member: &str| {
        let says = report(seen, member).says.as_ref();
        says.is_some_and(|says| says.fault.is_some() && !says.claims_leadership)
    };
    seen_when(&driver, "a stopped core is told", 30, |seen| {
        faulty(seen, &stopped)
    })
    .await;
    nodes.load(3000).await;
    nodes.fault(&frozen, json!({ "freeze_apply": true })).await;
    seen_when(&driver, "a core that hangs is told", 30, |seen| {
        faulty(seen, &frozen)
    })
    .await;
    nodes.fault(&frozen, json!({})).await;
}
