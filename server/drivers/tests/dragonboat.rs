//! The agent for Dragonboat: the conformance suite and the agent driver on the Go example's
//! cluster. What the driver reports is compared with what Dragonboat itself says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "contract/checks.rs"]
mod checks;
#[path = "agent_conformance/checks.rs"]
mod conformance;
#[path = "dragonboat/groups.rs"]
mod groups;
#[path = "dragonboat/hosts.rs"]
mod hosts;
#[path = "dragonboat/made_up.rs"]
mod made_up;

use std::{sync::Arc, time::Duration};

use checks::{DEADLINE, Truth, accepted_of, apply, claims, refused_as, report, role, seen_when};
use conformance::Subject;
use hosts::{Hosts, TOKEN};
use quorate_domain::{
    action::{Action, Verb},
    capability,
    cluster::{Kind, MemberId, Role},
    lag,
    observation::{Note, Observation},
    view::LeaderStatus,
};
use quorate_drivers::{Connection, Driver, Secret, connect};
use rustix::process::Signal;

/// The driver of the only group, or of the first of many.
fn driver(hosts: &Hosts, seed: &str) -> Arc<dyn Driver> {
    let driver = driver_of(vec![hosts.origin(seed)]);
    if hosts.groups == 1 {
        driver
    } else {
        driver.group("default").unwrap()
    }
}

fn driver_of(seeds: Vec<String>) -> Arc<dyn Driver> {
    connect(Connection {
        name: "dragonboat".to_owned(),
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
        change_timeout: Duration::from_secs(11),
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
        seen.membership.is_some()
            && seen.nodes.iter().all(|node| {
                let named = node.says.as_ref().and_then(|it| it.names_leader.as_ref());
                named.is_some_and(|named| named.as_str() == leader)
            })
    })
    .await
}

fn leader(seen: &Observation) -> String {
    claims(seen)[0].to_owned()
}

/// A voter among the first three that does not lead.
fn other(seen: &Observation) -> String {
    let leader = leader(seen);
    let mut names = ["host-1", "host-2", "host-3"].into_iter();
    names.find(|name| *name != leader).unwrap().to_owned()
}

async fn add(driver: &Arc<dyn Driver>, hosts: &Hosts) {
    let action = Action::AddLearner {
        address: hosts.origin("host-4"),
        member: None,
    };
    let receipt = accepted_of(driver, action, hosts.dir.path()).await;
    assert_eq!(receipt.member, Some(id("host-4")));
    seen_when(driver, "it is a learner and level", 30, |seen| {
        role(seen, "host-4") == Some(Role::Learner)
            && report(seen, "host-4").answered()
            && lag::lag(seen, &id("host-4")).is_some_and(|(lag, _)| lag < 10)
    })
    .await;
}

/// Offers are refused while a member has just started; nothing happens by that. On a busy machine
/// an offer may end in an election that somebody else wins.
async fn transfer(driver: &Arc<dyn Driver>, hosts: &Hosts, to: &str) {
    let start = std::time::Instant::now();
    loop {
        let action = Action::Transfer {
            member: Some(id(to)),
        };
        let applied = apply(driver, action, hosts.dir.path()).await;
        if leader(&settled(driver).await) == to {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{applied:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dragonboat_agent_conforms_in_every_role() {
    let slow = std::env::var("QUORATE_TEST_SLOW").is_ok_and(|it| it == "1");
    let hosts = Hosts::start(if slow { 200 } else { 12 });
    let driver = driver(&hosts, "host-1");
    settled(&driver).await;
    let spare = Subject::new(&hosts.origin("host-4"), TOKEN);
    spare.conforms().await.unwrap();
    add(&driver, &hosts).await;
    for host in ["host-1", "host-2", "host-3", "host-4"] {
        let subject = Subject::new(&hosts.origin(host), TOKEN);
        subject.conforms().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_a_dragonboat_agent_does_what_it_says_among_two_hundred_groups() {
    let hosts = Hosts::start(200);
    let driver = driver(&hosts, "host-2");
    let seen = settled(&driver).await;
    let demote = capability::of(&seen.capabilities, Verb::Demote).unwrap();
    assert!(!demote.supported && demote.note.is_some());

    add(&driver, &hosts).await;
    let promote = Action::Promote {
        member: id("host-4"),
    };
    accepted_of(&driver, promote, hosts.dir.path()).await;
    seen_when(&driver, "it votes", 30, |seen| {
        role(seen, "host-4") == Some(Role::Voter)
    })
    .await;
    transfer(&driver, &hosts, "host-4").await;

    hosts.switch("host-4", "write?shard=1&n=3").await;
    let receipt = accepted_of(&driver, Action::Snapshot, hosts.dir.path()).await;
    let snapshot = receipt.snapshot.unwrap();
    assert!(snapshot.file.is_none() && snapshot.index.is_some_and(|index| index > 3));
    assert_eq!(snapshot.member.as_deref(), Some("host-4"));

    let remove = Action::Remove {
        member: id("host-1"),
    };
    accepted_of(&driver, remove, hosts.dir.path()).await;
    let seen = seen_when(&driver, "it is gone", 30, |seen| {
        role(seen, "host-1").is_none()
    })
    .await;
    assert_eq!(seen.membership.unwrap().members.len(), 3);
    checks::an_unknown_member_is_refused(&driver, hosts.dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reported_of_dragonboat_is_what_dragonboat_itself_says() {
    let hosts = Hosts::start(3);
    let driver = driver(&hosts, "host-3");
    settled(&driver).await;
    add(&driver, &hosts).await;
    let seen = settled(&driver).await;
    let truth = Truth {
        voters: vec!["host-1", "host-2", "host-3"],
        learners: vec!["host-4"],
        leader: leader(&seen),
    };
    checks::a_healthy_cluster_is_told_as_it_is(&driver, &truth).await;
    hosts.switch(&truth.leader, "write?shard=1&n=20").await;
    let mut same = Vec::new();
    for host in ["host-1", "host-2", "host-3", "host-4"] {
        seen_when(&driver, "all have all", 30, |seen| {
            let last = |host: &str| report(seen, host).says.as_ref()?.last_index;
            last(host) == last(&truth.leader) && last(host).is_some_and(|last| last > 20)
        })
        .await;
        same.push(told_as_it_is(&driver, &hosts, host).await);
    }
    assert!(same.windows(2).all(|pair| pair[0] == pair[1]), "{same:?}");
}

/// Compares the two until they agree: they are asked one after the other, and a follower learns of
/// the newest commit index a heartbeat later. Returns whom Dragonboat itself names.
async fn told_as_it_is(driver: &Arc<dyn Driver>, hosts: &Hosts, host: &str) -> serde_json::Value {
    let began = std::time::Instant::now();
    loop {
        let told = hosts.truth(host).await;
        let seen = driver.observe(DEADLINE).await;
        let own = told["Info"]["ReplicaID"].to_string();
        let listed = told["Membership"]["Nodes"][&own].is_string();
        let ccid = told["Membership"]["ConfigChangeID"].to_string();
        let same = report(&seen, host).says.as_ref().is_some_and(|says| {
            says.term.map(|term| term.0) == told["Term"].as_u64()
                && says.last_index == told["Last"].as_u64()
                && says.commit_index == told["Last"].as_u64()
                && says.revision.as_ref().is_some_and(|it| it.0 == ccid)
                && listed == (host != "host-4")
        });
        if same {
            return told["Leader"].clone();
        }
        let limit = Duration::from_secs(30);
        assert!(
            began.elapsed() < limit,
            "{host}: {told:#} is told as {seen:#?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_dragonboat_that_are_frozen_cut_off_or_killed_are_told_and_nothing_is_lost() {
    let hosts = Hosts::start(3);
    let (driver, dir) = (driver(&hosts, "host-1"), hosts.dir.path());
    settled(&driver).await;
    add(&driver, &hosts).await;
    let seen = settled(&driver).await;
    let (first, victim) = (leader(&seen), other(&seen));
    let mut names = ["host-1", "host-2", "host-3"].into_iter();
    let spare = names
        .find(|name| *name != first && *name != victim)
        .unwrap();

    hosts.signal(&victim, Signal::STOP);
    checks::a_failed_member_costs_its_own_answer_only(&driver, &victim).await;
    let to_the_frozen = Action::Transfer {
        member: Some(id(&victim)),
    };
    refused_as(&driver, to_the_frozen, dir, "not-heard").await;
    let remove = Action::Remove { member: id(spare) };
    refused_as(&driver, remove, dir, "majority-at-risk").await;
    let promote = Action::Promote {
        member: id("host-4"),
    };
    accepted_of(&driver, promote, dir).await;
    hosts.signal(&victim, Signal::CONT);
    settled(&driver).await;

    // Cut off, it answers us and claims nothing that holds.
    let cut = leader(&settled(&driver).await);
    hosts.switch(&cut, "partition?cut=1").await;
    seen_when(&driver, "another leads", 30, |seen| {
        claims(seen).iter().any(|name| *name != cut)
    })
    .await;
    seen_when(&driver, "its own claim holds no more", 30, |seen| {
        let words = report(seen, &cut).says.as_ref();
        words.is_some_and(|words| {
            let limit = words.election_timeout_ms;
            !words.claims_leadership || words.quorum_evidence_ms > limit
        })
    })
    .await;
    hosts.switch(&cut, "partition?cut=0").await;
    let seen = settled(&driver).await;

    let killed = leader(&seen);
    hosts.signal(&killed, Signal::KILL);
    let seen = seen_when(
        &driver,
        "another leads",
        30,
        |seen| matches!(claims(seen)[..], [name] if name != killed),
    )
    .await;
    assert_eq!(seen.membership.unwrap().members.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_25_a_member_that_never_was_is_not_removed_from_dragonboat() {
    let hosts = Hosts::start(1);
    let driver = driver(&hosts, "host-1");
    let before = settled(&driver).await.membership.unwrap().revision;
    for stranger in ["host-9", "7", "replica-7"] {
        let remove = Action::Remove {
            member: id(stranger),
        };
        refused_as(&driver, remove, hosts.dir.path(), "member-unknown").await;
    }
    let leader = leader(&settled(&driver).await);
    let remove = Action::Remove {
        member: id(&leader),
    };
    refused_as(&driver, remove, hosts.dir.path(), "is-leader").await;
    let after = settled(&driver).await.membership.unwrap().revision;
    assert_eq!(before, after, "an id was burned");
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_27_a_non_voting_host_of_dragonboat_names_a_dead_leader_and_is_not_believed() {
    let hosts = Hosts::start(1);
    let driver = driver(&hosts, "host-4");
    let seen = connect_through(&hosts).await;
    for voter in ["host-1", "host-2", "host-3"] {
        hosts.signal(voter, Signal::KILL);
    }
    let told = hosts.truth("host-4").await;
    assert_eq!(told["Valid"], true, "Dragonboat has changed");
    let seen_now = driver.observe(DEADLINE).await;
    let words = report(&seen_now, "host-4").says.clone().unwrap();
    assert_eq!(words.names_leader, Some(id(&leader(&seen))));
    assert_eq!(words.voter_by_own_account, Some(false));
    assert!(claims(&seen_now).is_empty());
    let judged = quorate_domain::leader::leader(&seen_now, seen_now.taken_at);
    assert_eq!(judged.status, LeaderStatus::Unknown);
    assert!(judged.member.is_none() && judged.votes.is_empty());
}

/// The cluster with `host-4` as a learner, all settled.
async fn connect_through(hosts: &Hosts) -> Observation {
    let driver = driver(hosts, "host-1");
    settled(&driver).await;
    add(&driver, hosts).await;
    settled(&driver).await
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_28_a_replica_of_dragonboat_that_was_removed_while_it_was_away_is_told() {
    let hosts = Hosts::start(1);
    connect_through(&hosts).await;
    let seeds = vec![hosts.origin("host-1"), hosts.origin("host-4")];
    let driver = driver_of(seeds);
    hosts.switch("host-4", "partition?cut=1").await;
    let remove = Action::Remove {
        member: id("host-4"),
    };
    accepted_of(&driver, remove, hosts.dir.path()).await;
    hosts.switch("host-4", "partition?cut=0").await;
    let seen = seen_when(&driver, "it says what happened to it", 60, |seen| {
        let zombie = seen.nodes.iter().find(|node| node.id.as_str() == "host-4");
        let fault = zombie.and_then(|node| node.says.as_ref()?.fault.clone());
        fault.is_some_and(|fault| fault.contains("was removed from the group"))
    })
    .await;
    let running = |note: &Note| matches!(note, Note::RemovedStillRunning { member, .. } if member.as_str() == "host-4");
    assert!(seen.notes.iter().any(running), "{:?}", seen.notes);
    assert!(role(&seen, "host-4").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_29_a_dead_voter_of_dragonboat_is_not_handed_the_leadership() {
    let hosts = Hosts::start(1);
    let driver = driver(&hosts, "host-1");
    let seen = settled(&driver).await;
    let (first, victim) = (leader(&seen), other(&seen));
    hosts.signal(&victim, Signal::KILL);
    let transfer = Action::Transfer {
        member: Some(id(&victim)),
    };
    refused_as(&driver, transfer, hosts.dir.path(), "not-heard").await;
    seen_when(
        &driver,
        "a living voter leads",
        30,
        |seen| matches!(claims(seen)[..], [name] if name != victim),
    )
    .await;
    hosts.switch(&first, "write?shard=1").await;
}
