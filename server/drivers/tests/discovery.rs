//! Seeds that others tell, in front of real openraft nodes: names in a DNS server of the test's
//! own, services in a stand-in for Consul's catalogue, and in a real Consul in the slow rounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "discovery/catalogue.rs"]
mod catalogue;
#[path = "../../demo/tests/cluster/mod.rs"]
mod cluster;
mod consul_agent;
#[path = "discovery/dns.rs"]
mod dns;
#[path = "discovery/real.rs"]
mod real;
#[path = "discovery/relay.rs"]
mod relay;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use catalogue::{Consul, Mood};
use cluster::{Cluster, TOKEN};
use dns::Dns;
use quorate_domain::{
    cluster::Kind,
    observation::{Note, Observation},
};
use quorate_drivers::{Connection, Diagnosis, Driver, Lookups, Secret, connect, discovery::Places};
use relay::{Relay, tls_file};
use url::Url;

const DEADLINE: Duration = Duration::from_secs(3);
const NAME: &str = "_raft._tcp.cluster.test.";
/// The members say that they are at 127.0.0.1, and only a seed on this machine leads there.
const SRV: &str = "srv:_raft._tcp.cluster.test?scheme=http&targets=localhost";

fn connection(seeds: &[String], lookups: Lookups) -> Connection {
    Connection {
        name: "found".to_owned(),
        kind: Kind::Agent,
        seeds: seeds.to_vec(),
        token: Some(Secret::new(TOKEN)),
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups,
        status_timeout: Duration::from_secs(2),
        change_timeout: Duration::from_secs(10),
    }
}

fn by(dns: &Dns) -> Lookups {
    Lookups {
        resolver: Some(dns.address),
        consul_token: None,
    }
}

fn with_token(token: &str) -> Lookups {
    Lookups {
        resolver: None,
        consul_token: Some(Secret::new(token)),
    }
}

fn driver(seeds: &[&str], lookups: Lookups) -> Arc<dyn Driver> {
    let seeds: Vec<String> = seeds.iter().map(|seed| (*seed).to_owned()).collect();
    connect(connection(&seeds, lookups)).unwrap()
}

fn port(cluster: &Cluster, id: u64) -> u16 {
    cluster.nodes[&id].address.port()
}

fn answering(seen: &Observation) -> Vec<&str> {
    let nodes = seen.nodes.iter().filter(|node| node.answered());
    nodes.map(|node| node.id.as_str()).collect()
}

/// What fails, and how many addresses are kept.
fn failing(seen: &Observation) -> Option<(&str, u64)> {
    seen.notes.iter().find_map(|note| match note {
        Note::SourceFailed { why, kept, .. } => Some((why.as_str(), *kept)),
        _ => None,
    })
}

async fn until(
    driver: &Arc<dyn Driver>,
    what: &str,
    holds: impl Fn(&Observation) -> bool,
) -> Observation {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let seen = driver.observe(DEADLINE).await;
        if holds(&seen) {
            return seen;
        }
        assert!(Instant::now() < end, "never seen: {what}; last {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn codes(lines: &[Diagnosis]) -> Vec<&str> {
    lines.iter().map(|line| line.code.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_record_leads_to_all_members_and_they_are_read_on_when_it_is_gone() {
    let mut cluster = Cluster::start(3, 0).await;
    let dns = Dns::start().await;
    dns.service(NAME, &[(port(&cluster, 1), "localhost.")]);
    let driver = driver(&[SRV], by(&dns));
    let all = ["node-1", "node-2", "node-3"];
    let seen = until(&driver, "all answer", |seen| answering(seen) == all).await;
    assert_eq!(failing(&seen), None);

    dns.forget(NAME);
    let gone = |seen: &Observation| failing(seen).is_some();
    let seen = until(&driver, "the name is gone", gone).await;
    let (why, kept) = failing(&seen).unwrap();
    assert!(why.contains("NXDOMAIN") && kept == 1, "{why} {kept}");

    cluster.stop(1).await;
    let rest = ["node-2", "node-3"];
    let seen = until(&driver, "the others are read", |seen| {
        answering(seen) == rest
            && seen.nodes.iter().any(|node| {
                let says = node.says.as_ref();
                says.is_some_and(|says| says.claims_leadership)
            })
    })
    .await;
    assert!(!seen.membership_remembered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_has_moved_is_found_where_its_name_leads_now() {
    let cluster = Cluster::start(1, 0).await;
    let node = cluster.nodes[&1].address;
    let dns = Dns::start().await;
    dns.host("node-1.cluster.test.");
    let lead_to = |port| dns.service(NAME, &[(port, "node-1.cluster.test.")]);
    let there = |port| {
        move |seen: &Observation| {
            let place = format!("http://node-1.cluster.test:{port}");
            let mut nodes = seen.nodes.iter();
            nodes.any(|node| node.answered() && node.asked.as_ref() == Some(&place))
        }
    };
    let before = Relay::to(node).await;
    lead_to(before.port);
    let driver = driver(&["srv:_raft._tcp.cluster.test?scheme=http"], by(&dns));
    until(&driver, "it is found by its name", there(before.port)).await;

    let after = Relay::to(node).await;
    drop(before);
    lead_to(after.port);
    until(&driver, "it is found anew", there(after.port)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_an_answer_takes_nothing_from_the_seeds_beside_it() {
    let cluster = Cluster::start(1, 0).await;
    let dns = Dns::start().await;
    let address = format!("http://{}", cluster.nodes[&1].address);
    let driver = driver(&[SRV, &address], by(&dns));
    let seen = until(&driver, "the member answers", |seen| {
        answering(seen) == ["node-1"] && failing(seen).is_some()
    })
    .await;
    assert_eq!(failing(&seen).unwrap().1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn consuls_catalogue_leads_to_the_members_and_is_sent_no_credential_of_theirs() {
    let cluster = Cluster::start(3, 0).await;
    let consul = Consul::start("raft").await;
    consul.register("127.0.0.1", "", port(&cluster, 2), "api");
    consul.register("192.0.2.1", "127.0.0.1", port(&cluster, 3), "api");
    consul.register("127.0.0.1", "", 1, "another");
    let seed = format!("consul:http://{}/raft?tag=api&scheme=http", consul.address);
    let driver = driver(&[&seed], with_token(catalogue::TOKEN));
    let all = ["node-1", "node-2", "node-3"];
    let seen = until(&driver, "all answer", |seen| answering(seen) == all).await;
    assert!(seen.notes.is_empty(), "{:?}", seen.notes);
    let heard = consul.heard();
    let token = heard[0].get("x-consul-token").unwrap();
    assert_eq!(token, catalogue::TOKEN);
    let text = format!("{heard:?}");
    assert!(!text.contains(TOKEN), "a member's token went to Consul");
    let lines = driver.diagnose().await;
    let expected = format!("{seed} leads to http://127.0.0.1:");
    assert!(
        lines[0].ok && lines[0].text.starts_with(&expected),
        "{lines:?}"
    );
    consul.mood(Mood::Fails);
    let lines = driver.diagnose().await;
    assert_eq!(lines[0].code, "unexpected-status");
    assert!(
        lines.iter().skip(1).any(|line| line.code == "reached"),
        "{lines:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_comes_to_consul_is_learnt_by_a_call_that_waits_for_it() {
    let cluster = Cluster::start(1, 0).await;
    let consul = Consul::start("raft").await;
    consul.register("127.0.0.1", "", 1, "api");
    let seed = format!("consul:http://{}/raft?scheme=http", consul.address);
    let driver = driver(&[&seed], with_token(catalogue::TOKEN));
    let waits = |query: &String| query.contains("index=2&wait=30s");
    until(&driver, "a call waits for a change", |_| {
        consul.queries().iter().any(waits)
    })
    .await;
    consul.register("127.0.0.1", "", port(&cluster, 1), "api");
    until(&driver, "the member answers", |seen| {
        answering(seen) == ["node-1"]
    })
    .await;
    let calls = consul.queries().len();
    assert!(calls < 30, "asked {calls} times instead of waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_names_the_cause_for_each_source_in_one_line() {
    let dns = Dns::start().await;
    dns.host("cluster.test.");
    dns.service("_none._tcp.cluster.test.", &[]);
    dns.service("_off._tcp.cluster.test.", &[(0, ".")]);
    dns.service("_out._tcp.cluster.test.", &[(443, "elsewhere.test.")]);
    let seeds =
        ["_gone", "_none", "_off", "_out"].map(|name| format!("srv:{name}._tcp.cluster.test"));
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
    let lines = driver(&seeds, by(&dns)).diagnose().await;
    let expected = [
        "srv-name-unknown",
        "srv-record-missing",
        "srv-not-offered",
        "srv-outside-domain",
    ];
    assert_eq!(codes(&lines), expected, "{lines:?}");

    let consul = Consul::start("raft").await;
    let one = async |seed: String, token: &str| {
        let lines = driver(&[&seed], with_token(token)).diagnose().await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(!format!("{lines:?}").contains(token), "{lines:?}");
        lines[0].code.clone()
    };
    let seed =
        |scheme: &str, service: &str| format!("consul:{scheme}://{}/{service}", consul.address);
    assert_eq!(
        one(seed("http", "raft"), "a-wrong-token").await,
        "consul-denied"
    );
    assert_eq!(
        one(seed("http", "raft"), catalogue::TOKEN).await,
        "consul-no-instance"
    );
    assert_eq!(
        one(seed("https", "raft"), catalogue::TOKEN).await,
        "not-tls"
    );
    consul.mood(Mood::Hides);
    assert_eq!(
        one(seed("http", "raft"), catalogue::TOKEN).await,
        "consul-hides"
    );
    let address = consul.address;
    drop(consul);
    let dead = driver(
        &[&format!("consul:http://{address}/raft")],
        Lookups::default(),
    );
    let lines = dead.diagnose().await;
    assert_eq!(lines.len(), 1);
    assert!(!lines[0].ok && lines[0].hint.is_some(), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn consul_is_believed_by_the_clusters_own_authorities() {
    let consul = Consul::start("raft").await;
    consul.register("127.0.0.1", "", 1, "api");
    let relay = Relay::by_tls(consul.address).await;
    let seed = format!("consul:https://127.0.0.1:{}/raft", relay.port);
    let mut reached = connection(std::slice::from_ref(&seed), with_token(catalogue::TOKEN));
    let lines = connect(reached.clone()).unwrap().diagnose().await;
    assert_eq!(codes(&lines), ["certificate-not-trusted"], "{lines:?}");
    assert!(
        consul.heard().is_empty(),
        "the token went to who knows whom"
    );
    reached.ca_pem = Some(std::fs::read(tls_file("ca.pem")).unwrap());
    let lines = connect(reached).unwrap().diagnose().await;
    assert_eq!(lines[0].code, "source-answers", "{lines:?}");
    assert!(lines[0].text.contains("https://127.0.0.1:1 "), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_asked_where_they_were_when_no_seed_answers() {
    let cluster = Cluster::start(3, 0).await;
    let seed = format!("http://{}", cluster.nodes[&1].address);
    let living = driver(&[&seed], Lookups::default());
    let all = ["node-1", "node-2", "node-3"];
    let seen = until(&living, "all answer", |seen| answering(seen) == all).await;
    let mut places = Places::default();
    assert!(places.learn(&seen));
    assert_eq!(places.urls().len(), 3);

    // Bound and never served: whoever calls there is not answered.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let seed = format!("http://{}", dead.local_addr().unwrap());
    let other = driver(&[&seed], Lookups::default());
    let seen = other.observe(DEADLINE).await;
    assert!(seen.membership.is_none());
    assert!(!places.learn(&seen), "nothing was told, nothing is learnt");
    let kept: Vec<Url> = places.urls();
    other.recall(&kept);
    until(&other, "they are found where they were", |seen| {
        answering(seen) == all
    })
    .await;
}
