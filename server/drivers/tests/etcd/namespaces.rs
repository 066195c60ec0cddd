//! Three real etcd, each in a network of its own, with the wire between them pulled: packets
//! vanish and connections stay open, while clients reach every member by another wire (slow
//! rounds, as root, where the kernel gives out networks).

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use quorate_domain::{
    action::Action,
    observation::Observation,
    preflight::ReasonCode,
    view::{LeaderStatus, MemberState},
};
use quorate_drivers::{Applied, Driver, connect};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    checks::{DEADLINE, apply, claims, report, role, seen_when},
    connection,
    etcd_cluster::{self, Process, Version, fetch, hex},
    refusals, remove, transfer, view,
};

/// How long anything may take on a machine that has much else to do.
const PATIENCE: u64 = 120;
const NUMBERS: [u8; 3] = [1, 2, 3];

/// A network of one member, and the hub that joins them; gone when dropped.
struct Networks {
    /// Begins the name of everything that is made.
    mark: String,
    made: Vec<String>,
}

impl Networks {
    /// Why there are none, where the kernel or the rights are missing.
    fn make() -> Result<Self, String> {
        let mark = format!("qr{}", std::process::id() % 100_000);
        let mut networks = Self {
            mark,
            made: Vec::new(),
        };
        let hub = networks.add("h")?;
        ip(&["-n", &hub, "link", "add", "hub", "type", "bridge"])?;
        ip(&["-n", &hub, "link", "set", "hub", "up"])?;
        for number in NUMBERS {
            networks.member(&hub, number)?;
        }
        Ok(networks)
    }

    fn add(&mut self, name: &str) -> Result<String, String> {
        let name = format!("{}{name}", self.mark);
        ip(&["netns", "add", &name])?;
        self.made.push(name.clone());
        Ok(name)
    }

    /// Two wires: `peer` to the hub, `client` to where this test is.
    fn member(&mut self, hub: &str, number: u8) -> Result<(), String> {
        let own = self.add(&number.to_string())?;
        let port = format!("port{number}");
        let (outside, here) = (format!("{}c{number}", self.mark), std::process::id());
        let set = |rest: &str| ip_in(&own, rest);
        set("link set lo up")?;
        set(&format!(
            "link add peer type veth peer name {port} netns {hub}"
        ))?;
        ip_in(hub, &format!("link set {port} master hub up"))?;
        set(&format!("addr add {} dev peer", peer(number) + "/24"))?;
        set("link set peer up")?;
        set(&format!(
            "link add client type veth peer name {outside} netns {here}"
        ))?;
        set(&format!("addr add {} dev client", client(number) + "/30"))?;
        set("link set client up")?;
        ip(&[
            "addr",
            "add",
            &format!("10.213.{number}.2/30"),
            "dev",
            &outside,
        ])?;
        ip(&["link", "set", &outside, "up"])
    }

    fn of(&self, number: u8) -> String {
        format!("{}{number}", self.mark)
    }

    /// Pulls the wire between this member and the hub, or puts it back.
    fn wire(&self, number: u8, state: &str) {
        let hub = format!("{}h", self.mark);
        ip_in(&hub, &format!("link set port{number} {state}")).unwrap();
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        // What leads into a network goes with it.
        for name in &self.made {
            let _ = ip(&["netns", "del", name]);
        }
    }
}

fn peer(number: u8) -> String {
    format!("10.214.7.{number}")
}

fn client(number: u8) -> String {
    format!("10.213.{number}.1")
}

fn ip_in(network: &str, rest: &str) -> Result<(), String> {
    let mut arguments = vec!["-n", network];
    arguments.extend(rest.split(' '));
    ip(&arguments)
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let told = Command::new("ip").args(arguments).output();
    let told = told.map_err(|error| format!("ip: {error}"))?;
    match told.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&told.stderr).trim().to_owned()),
    }
}

struct Members {
    driver: Arc<dyn Driver>,
    http: reqwest::Client,
    /// Ends before the networks do.
    _processes: Vec<Process>,
    networks: Networks,
    dir: TempDir,
}

impl Members {
    fn start(program: &Path, networks: Networks) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let all: Vec<String> = NUMBERS
            .map(|number| format!("n{number}=http://{}:2380", peer(number)))
            .to_vec();
        let start = |number: u8| {
            let log = dir.path().join(format!("n{number}.log"));
            let mut process = Process::new(&which_ip(), log);
            let network = networks.of(number);
            process.start(&arguments(
                program,
                dir.path(),
                &network,
                number,
                &all.join(","),
            ));
            process
        };
        let seeds = NUMBERS.map(|number| format!("http://{}:2379", client(number)));
        let http = reqwest::Client::builder().no_proxy();
        Self {
            driver: connect(connection(seeds.to_vec())).unwrap(),
            http: http.timeout(Duration::from_secs(5)).build().unwrap(),
            _processes: NUMBERS.map(start).into(),
            dir,
            networks,
        }
    }

    /// (its id, the leader it names) in the member's own words.
    async fn words(&self, number: u8) -> Option<(String, Option<String>)> {
        let url = format!("http://{}:2379/v3/maintenance/status", client(number));
        let sent = self.http.post(url).json(&json!({})).send().await.ok()?;
        let told: Value = sent.json().await.ok()?;
        let named = Some(&told["leader"]).filter(|leader| leader.is_string());
        Some((hex(&told["header"]["member_id"]), named.map(hex)))
    }

    /// What the driver says is what the members say, those at whom nothing moved meanwhile.
    async fn assert_told_as_it_is(&self) -> Observation {
        let start = Instant::now();
        loop {
            let words = async || {
                [
                    self.words(1).await,
                    self.words(2).await,
                    self.words(3).await,
                ]
            };
            let before = words().await;
            let seen = self.driver.observe(DEADLINE).await;
            let same = before == words().await && before.iter().all(Option::is_some);
            let true_of = |(id, named): &(String, Option<String>)| {
                let says = seen.nodes.iter().find(|node| node.id.as_str() == id)?;
                let told = says.says.as_ref()?.names_leader.as_ref();
                Some(told.map(|leader| leader.as_str()) == named.as_deref())
            };
            if same && before.iter().flatten().all(|it| true_of(it) == Some(true)) {
                return seen;
            }
            assert!(
                start.elapsed().as_secs() < PATIENCE,
                "{before:?}: {seen:#?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn settled(&self) -> Observation {
        seen_when(&self.driver, "all name one leader", PATIENCE, |seen| {
            let [leader] = claims(seen)[..] else {
                return false;
            };
            let names = |id: &str| Some(report_of(seen, id)? == leader);
            seen.nodes.len() == 3
                && seen
                    .nodes
                    .iter()
                    .all(|it| names(it.id.as_str()) == Some(true))
        })
        .await
    }

    async fn number_of(&self, id: &str) -> u8 {
        for number in NUMBERS {
            if self.words(number).await.is_some_and(|(own, _)| own == id) {
                return number;
            }
        }
        panic!("nobody is {id}");
    }
}

fn report_of<'a>(seen: &'a Observation, id: &str) -> Option<&'a str> {
    let says = seen.nodes.iter().find(|node| node.id.as_str() == id)?;
    Some(says.says.as_ref()?.names_leader.as_ref()?.as_str())
}

fn which_ip() -> PathBuf {
    let places = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"];
    let mut found = places.into_iter().map(PathBuf::from);
    found.find(|path| path.is_file()).unwrap()
}

fn arguments(program: &Path, dir: &Path, network: &str, number: u8, all: &str) -> Vec<String> {
    let (peer, client) = (
        format!("http://{}:2380", peer(number)),
        format!("http://{}:2379", client(number)),
    );
    let data = dir.join(format!("n{number}")).display().to_string();
    let name = format!("n{number}");
    let mut line = ["netns", "exec", network].map(str::to_owned).to_vec();
    line.push(program.display().to_string());
    for (key, value) in [
        ("--name", &name),
        ("--data-dir", &data),
        ("--listen-client-urls", &client),
        ("--advertise-client-urls", &client),
        ("--listen-peer-urls", &peer),
        ("--initial-advertise-peer-urls", &peer),
        ("--initial-cluster", &all.to_owned()),
    ] {
        line.extend([key.to_owned(), value.clone()]);
    }
    line
}

async fn a_wire_is_pulled(members: &Members) {
    let seen = members.settled().await;
    let leader = claims(&seen)[0].to_owned();
    let others: Vec<String> = seen.nodes.iter().map(|node| node.id.0.clone()).collect();
    let mut others = others.into_iter().filter(|id| *id != leader);
    let (cut, other) = (others.next().unwrap(), others.next().unwrap());

    // A follower: it answers, knows no leader, and is not handed the leadership; the other is.
    let number = members.number_of(&cut).await;
    members.networks.wire(number, "down");
    let seen = seen_when(&members.driver, "it knows no leader", PATIENCE, |seen| {
        report(seen, &cut).answered() && report_of(seen, &cut).is_none() && claims(seen).len() == 1
    })
    .await;
    assert_eq!(view(&seen).leader.status, LeaderStatus::Agreed, "{seen:#?}");
    assert!(!refusals(&seen, &transfer(&cut)).is_empty());
    // It answers, and no majority can count on it.
    let refused = refusals(&seen, &remove(&other));
    assert!(
        refused.contains(&ReasonCode::QuorumWouldBeLost),
        "{refused:?}"
    );
    members.assert_told_as_it_is().await;
    let start = Instant::now();
    while claims(&members.driver.observe(DEADLINE).await) != [other.as_str()] {
        let moved = apply(&members.driver, transfer(&other), members.dir.path()).await;
        let late = start.elapsed().as_secs() >= PATIENCE;
        assert!(!late, "it never leads: {moved:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let taken = apply(&members.driver, Action::Snapshot, members.dir.path()).await;
    assert!(matches!(taken, Applied::Accepted(_)), "{taken:?}");
    members.networks.wire(number, "up");
    members.settled().await;

    // The leader: the others elect, it gives up its claim, and it is taken out by them.
    let seen = members.settled().await;
    let old = claims(&seen)[0].to_owned();
    let number = members.number_of(&old).await;
    members.networks.wire(number, "down");
    let seen = seen_when(&members.driver, "another alone leads", PATIENCE, |seen| {
        let leader = view(seen).leader;
        let other = leader.member.is_some_and(|it| it.0 != old);
        other && leader.status == LeaderStatus::Agreed && claims(seen).len() == 1
    })
    .await;
    let state = |seen: &Observation| view(seen).members.into_iter().find(|it| it.id.0 == old);
    assert!(state(&seen).is_some_and(|it| it.state != MemberState::Unreachable));
    members.assert_told_as_it_is().await;
    let start = Instant::now();
    loop {
        let outcome = apply(&members.driver, remove(&old), members.dir.path()).await;
        let seen = members.driver.observe(DEADLINE).await;
        if seen.membership.is_some() && claims(&seen).len() == 1 && role(&seen, &old).is_none() {
            break;
        }
        let late = start.elapsed().as_secs() >= PATIENCE;
        assert!(!late, "it is never gone: {outcome:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    members.networks.wire(number, "up");
    seen_when(&members.driver, "the two go on", PATIENCE, |seen| {
        let leader = view(seen).leader;
        leader.status == LeaderStatus::Agreed && role(seen, &old).is_none()
    })
    .await;
}

#[tokio::test]
async fn a_wire_between_real_members_is_pulled_and_told_as_it_is() {
    if !etcd_cluster::is_slow_round() {
        return;
    }
    let program = match fetch(Version::Old).await {
        Ok(program) => program,
        Err(why) => {
            eprintln!("\n!!! SKIPPED: no real etcd for this test: {why}\n");
            return;
        }
    };
    let networks = match Networks::make() {
        Ok(networks) => networks,
        Err(why) => {
            eprintln!("\n!!! SKIPPED: no networks of their own for members: {why}\n");
            return;
        }
    };
    a_wire_is_pulled(&Members::start(&program, networks)).await;
}
