//! Programs of many groups: read in bulk from one address, real ones and made-up ones.

use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use quorate_domain::{
    cluster::Kind,
    groups::{Class, Fleet, HostState},
    moment::Timestamp,
};
use quorate_drivers::{Connection, Driver, Lookups, Secret, connect};
use rustix::process::Signal;

use super::{
    hosts::{Hosts, TOKEN},
    made_up::{self, MadeUp},
};

/// Long enough for a machine on which nothing else gets on either.
const PATIENCE: Duration = Duration::from_secs(120);

fn program(seed: String) -> Arc<dyn Driver> {
    connect(Connection {
        name: "groups".to_owned(),
        kind: Kind::Agent,
        seeds: vec![seed],
        token: Some(Secret::new(TOKEN)),
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        status_timeout: Duration::from_secs(20),
        change_timeout: Duration::from_secs(20),
        lookups: Lookups::default(),
    })
    .unwrap()
}

/// Looks until `holds` of the groups.
async fn until(driver: &Arc<dyn Driver>, what: &str, holds: impl Fn(&Fleet) -> bool) {
    let began = Instant::now();
    loop {
        driver.observe(PATIENCE).await;
        let fleet = driver.groups();
        if fleet.as_ref().is_some_and(|it| holds(&it.read().unwrap())) {
            return;
        }
        let seen = fleet.map(|it| glance(&it));
        assert!(began.elapsed() < PATIENCE, "in vain: {what}: {seen:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn glance(fleet: &RwLock<Fleet>) -> quorate_domain::groups::GroupsView {
    fleet.read().unwrap().view(Timestamp::default())
}

fn fleet(driver: &Arc<dyn Driver>) -> Arc<RwLock<Fleet>> {
    driver.groups().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_groups_are_found_by_one_address_and_told_as_dragonboat_has_them() {
    let hosts = Hosts::start(200);
    let driver = program(hosts.origin("host-2"));
    until(&driver, "all groups are sound", |fleet| {
        fleet.count(Class::Ok) == 200 && fleet.hosts().count() == 3
    })
    .await;
    let view = glance(&fleet(&driver));
    let leads: Vec<u32> = view.hosts.iter().map(|it| it.leads.unwrap()).collect();
    assert_eq!(leads.iter().sum::<u32>(), 200, "{view:#?}");
    for host in &view.hosts {
        assert_eq!((host.votes, host.learns), (Some(200), Some(0)), "{view:#?}");
    }

    // What is told of a group is what Dragonboat itself says of it.
    let began = Instant::now();
    for (shard, group) in [(1, "default"), (7, "group-7"), (200, "group-200")] {
        loop {
            driver.observe(PATIENCE).await;
            let told = hosts
                .switch("host-1", &format!("truth?shard={shard}"))
                .await;
            let fleet = fleet(&driver);
            let row = fleet.read().unwrap().row(group).cloned().unwrap();
            let leader = row.leader.as_ref().map(|it| it.as_str().to_owned());
            let replica = leader.and_then(|it| it.strip_prefix("host-")?.parse::<u64>().ok());
            if replica == told["Leader"].as_u64() && row.term == told["Term"].as_u64() {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{told} is told as {row:?}");
        }
    }

    // One group is a cluster of its own.
    let group = driver.group("group-7").unwrap();
    super::settled(&group).await;
    let seen = group.observe(PATIENCE).await;
    assert_eq!(seen.membership.unwrap().members.len(), 3);
    assert!(driver.group("group-7").unwrap().groups().is_none());

    // Groups at rest keep naming a host that is gone: nobody leads them, and that is told.
    hosts.signal("host-3", Signal::KILL);
    until(&driver, "no group is sound", |fleet| {
        fleet.count(Class::ReducedTolerance) + fleet.count(Class::NoLeader) == 200
    })
    .await;
    let view = glance(&fleet(&driver));
    assert_eq!(view.hosts[2].state, HostState::Unreachable);
    assert_eq!((view.hosts[2].groups, view.hosts[2].leads), (200, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_seed_is_dead_is_found_where_a_host_was_and_who_left_is_not_missed() {
    let hosts = MadeUp::start(20).await;
    let [dead, left] = [(), ()].map(|()| {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", free.local_addr().unwrap())
    });
    let driver = program(dead.clone());
    driver.observe(PATIENCE).await;
    assert!(driver.groups().is_none(), "nobody answers at the seed");
    let remembered = [hosts.origin(1), left.clone()].map(|it| it.parse().unwrap());
    driver.recall(&remembered);
    until(&driver, "all groups are sound", |fleet| {
        fleet.count(Class::Ok) == 20
    })
    .await;
    let view = glance(&fleet(&driver));
    let silent = |at: &str| view.hosts.iter().any(|host| host.address == at);
    assert!(silent(&dead) && !silent(&left), "{view:#?}");
    let answering = view
        .hosts
        .iter()
        .filter(|it| it.state == HostState::Answering);
    assert_eq!(answering.count(), 3, "{view:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_ten_thousand_made_up_groups_costs_what_moved() {
    const GROUPS: u32 = 10_000;
    let hosts = MadeUp::start(10_000).await;
    let driver = program(hosts.origin(1));
    until(&driver, "all groups are sound", |fleet| {
        fleet.count(Class::Ok) == GROUPS && fleet.hosts().count() == 3
    })
    .await;

    // Everything is read once in 30 s; any of a few looks in a row is no such one.
    let mut least = u64::MAX;
    for _ in 0..3 {
        hosts.told();
        driver.observe(PATIENCE).await;
        least = least.min(hosts.told());
    }
    assert_eq!(least, 0, "nothing moved");
    let mut least = u64::MAX;
    for round in 0..3 {
        for group in [round * 3, round * 3 + 1, round * 3 + 2] {
            hosts.lead(group, None);
        }
        hosts.told();
        driver.observe(PATIENCE).await;
        least = least.min(hosts.told());
    }
    assert_eq!(least, 9, "three groups moved on three hosts");
    let read = fleet(&driver);
    let (rows, next) = {
        let fleet = read.read().unwrap();
        assert_eq!(fleet.count(Class::NoLeader), 9);
        fleet.page(Some(Class::NoLeader), None, None, 5, Timestamp::default())
    };
    let names: Vec<&str> = rows.iter().map(|row| row.group.as_str()).collect();
    let expected: Vec<String> = (0..5).map(made_up::name).collect();
    assert_eq!(names, expected);
    assert_eq!(next.as_deref(), Some(expected[4].as_str()));

    for group in 0..9 {
        hosts.lead(group, Some(0));
    }
    until(&driver, "all are led again", |fleet| {
        fleet.count(Class::Ok) == GROUPS
    })
    .await;
    hosts.stop(2);
    until(&driver, "a host is missed", |fleet| {
        fleet.count(Class::ReducedTolerance) + fleet.count(Class::NoLeader) == GROUPS
    })
    .await;
}
