//! Whatever answers at an address, a look ends in time and believes nothing it should not; the
//! check names the cause in one line, with a hint.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener},
    path::Path,
    sync::Arc,
    thread,
    time::Instant,
};

use prost::Message;
use quorate_domain::observation::{Answer as Heard, Note, Observation};
use quorate_drivers::{Connection, Diagnosis, Driver, Secret, connect};

use crate::{
    LOOK,
    checks::{claims, report, role},
    connection, id,
    nodes::Nodes,
    patient,
    stand_in::{Answer, Configuration, Named, Recorded, Server, StandIn, Stats, message},
};

fn pem(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    fs::read(folder.join(name)).unwrap()
}

fn path(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    folder.join(name).to_str().unwrap().to_owned()
}

fn driver(seeds: Vec<String>) -> Arc<dyn Driver> {
    connect(patient(seeds)).unwrap()
}

/// Looks and checks, both in bounded time.
async fn seen(connection: Connection) -> (Observation, Vec<Diagnosis>) {
    let driver = connect(connection).unwrap();
    let start = Instant::now();
    let seen = driver.observe(LOOK).await;
    assert!(start.elapsed() < LOOK, "{:?}", start.elapsed());
    assert_eq!(seen.nodes.len(), 1, "{seen:#?}");
    (seen, driver.diagnose().await)
}

/// What is said of the one seed: this cause, with a hint.
async fn assert_cause(connection: Connection, code: &str) {
    assert_one_of(connection, &[code]).await;
}

async fn assert_one_of(connection: Connection, codes: &[&str]) {
    let (seen, lines) = seen(connection).await;
    assert!(
        matches!(seen.nodes[0].answer, Heard::Misread(_) | Heard::Silent(_)),
        "{codes:?}: {:?}",
        seen.nodes[0]
    );
    assert!(seen.membership.is_none());
    let causes: Vec<&Diagnosis> = lines.iter().filter(|line| !line.ok).collect();
    assert_eq!(causes.len(), 1, "{lines:#?}");
    assert!(
        codes.contains(&causes[0].code.as_str()),
        "{codes:?}: {lines:#?}"
    );
    assert!(causes[0].hint.as_ref().is_some_and(|hint| !hint.is_empty()));
}

/// Reads something, writes this, closes.
fn banner(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let seed = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(answer);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    seed
}

/// Takes connections and says nothing.
fn mute() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let seed = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            kept.push(stream);
        }
    });
    seed
}

#[tokio::test]
async fn a_wrong_port_is_one_line_that_names_the_cause() {
    let http1 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let other = StandIn::start().await;
    let page = StandIn::start().await;
    for method in ["Stats", "Leader", "GetConfiguration"] {
        page.answer(method, Answer::Page(200));
    }
    for (seed, code) in [
        (nobody, "connection-refused"),
        (mute(), "timed-out"),
        (banner(http1), "not-grpc"),
        (banner(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "not-grpc"),
        (banner(b""), "connection-broken"),
        (other.seed(), "not-raftadmin"),
        (page.seed(), "not-grpc"),
        (
            "https://no-such-host.invalid:7000".to_owned(),
            "name-not-found",
        ),
    ] {
        let connection = match code {
            "timed-out" => connection(vec![seed]),
            _ => patient(vec![seed]),
        };
        assert_cause(connection, code).await;
    }
}

#[tokio::test]
async fn a_real_node_behind_tls_wants_the_right_authority_and_certificate() {
    let (certificate, key, clients) = (path("here.pem"), path("here.key"), path("ca.pem"));
    let nodes = Nodes::start(&[
        "-admin",
        "127.0.0.1:0",
        "-certificate",
        &certificate,
        "-key",
        &key,
        "-clients",
        &clients,
    ]);
    let admin = &nodes.running["a"].admin;
    let good = || Connection {
        ca_pem: Some(pem("ca.pem")),
        client_pem: Some(Secret::new(
            String::from_utf8(pem("console-identity.pem")).unwrap(),
        )),
        // raftadmin is on a port of its own here.
        api_address_pattern: Some(format!(
            "https://{{host}}:{}",
            admin.rsplit(':').next().unwrap()
        )),
        ..patient(vec![format!("https://{admin}")])
    };
    let driver = connect(good()).unwrap();
    crate::checks::seen_when(&driver, "a leads", 60, |seen| claims(seen) == ["a"]).await;
    let lines = driver.diagnose().await;
    assert!(lines.iter().all(|line| line.ok), "{lines:#?}");
    assert!(lines.iter().any(|line| line.code == "no-authentication"));
    let table = [
        (
            Connection {
                ca_pem: None,
                ..good()
            },
            "certificate-not-trusted",
        ),
        (
            Connection {
                seeds: vec![format!("http://{admin}")],
                api_address_pattern: None,
                ..good()
            },
            "needs-tls",
        ),
    ];
    for (connection, code) in table {
        assert_cause(connection, code).await;
    }
    let at_raft_itself = Connection {
        seeds: vec![format!("https://{}", nodes.running["a"].address)],
        ..good()
    };
    let cut_off = ["tls-failed", "unreachable", "connection-broken"];
    assert_one_of(at_raft_itself, &cut_off).await;
    // Whether the alert or the end of the connection is read first is open.
    let without = Connection {
        client_pem: None,
        ..good()
    };
    assert_one_of(without, &["tls-failed", "connection-broken"]).await;
}

#[test]
fn certificates_that_are_none_are_refused_at_once() {
    let connection = Connection {
        client_pem: Some(Secret::new("not a certificate")),
        ..connection(vec!["https://127.0.0.1:1".to_owned()])
    };
    let error = connect(connection).err().unwrap().to_string();
    assert!(error.contains("certificates"), "{error}");
}

#[tokio::test]
async fn answers_cut_off_too_large_or_absurd_are_not_believed() {
    let recorded = Recorded::start().await;
    let seeds = || recorded.seeds(&["a"]);
    let b = &recorded.nodes["b"];
    let usual = Stats::decode(&message("stats-b")[..]).unwrap();
    let with = |key: &str, value: &str| {
        let mut stats = usual.clone();
        stats.stats.insert(key.to_owned(), value.to_owned());
        Answer::Told(stats.encode_to_vec())
    };
    let servers = |servers: Vec<Server>| Answer::Told(Configuration { servers }.encode_to_vec());
    let server = |id: &str, suffrage: i32| Server {
        suffrage,
        id: id.to_owned(),
        address: "127.0.0.1:1".to_owned(),
    };
    let long = "x".repeat(4096);
    for (method, answer) in [
        ("Stats", Answer::Cut(message("stats-b"))),
        ("Stats", Answer::Promised(u32::MAX)),
        ("Stats", Answer::Told(vec![0xff; 40])),
        ("Stats", Answer::Told(Vec::new())),
        ("Stats", Answer::Page(404)),
        ("Stats", with("last_log_index", "-8")),
        ("Stats", with("last_log_index", "18446744073709551616")),
        ("Stats", with("term", "many")),
        ("Stats", with("state", "King")),
        ("Stats", with("last_contact", "1e300h")),
        (
            "Leader",
            Answer::Told(
                Named {
                    address: long.clone(),
                }
                .encode_to_vec(),
            ),
        ),
        ("GetConfiguration", servers(vec![server("b\n", 0)])),
        ("GetConfiguration", servers(vec![server(&long, 0)])),
        ("GetConfiguration", servers(vec![server("b", 9)])),
        (
            "GetConfiguration",
            servers(vec![server("b", 0), server("b", 1)]),
        ),
    ] {
        let at = format!("{method} {answer:?}");
        b.answer(method, answer);
        let driver = driver(seeds());
        let seen = driver.observe(LOOK).await;
        let told = report(&seen, "b");
        assert!(
            matches!(told.answer, Heard::Misread(_) | Heard::Silent(_)) && told.says.is_none(),
            "{at}: {told:?}"
        );
        assert_eq!(claims(&seen), ["a"], "{at}");
        assert_eq!(seen.membership.as_ref().unwrap().members.len(), 4, "{at}");
        b.answer("Stats", Answer::Told(message("stats-b")));
        b.answer("Leader", recorded.leader("leader-b"));
        b.answer(
            "GetConfiguration",
            recorded.configuration("configuration-b"),
        );
    }
}

#[tokio::test]
async fn the_largest_numbers_there_are_break_nothing() {
    let recorded = Recorded::start().await;
    let mut stats = Stats::decode(&message("stats-b")[..]).unwrap();
    for key in ["term", "last_log_index", "commit_index", "applied_index"] {
        let most = u64::MAX.to_string();
        stats.stats.insert(key.to_owned(), most);
    }
    recorded.nodes["b"].answer("Stats", Answer::Told(stats.encode_to_vec()));
    let seen = driver(recorded.seeds(&["a"])).observe(LOOK).await;
    let says = report(&seen, "b").says.as_ref().unwrap();
    assert_eq!(says.last_index, Some(u64::MAX));
    assert_eq!(claims(&seen), ["a"]);
}

#[tokio::test]
async fn who_lies_about_leading_is_found_out_or_told_as_a_claim() {
    let recorded = Recorded::start().await;
    let driver = driver(recorded.seeds(&["a"]));
    driver.observe(LOOK).await;
    let b = &recorded.nodes["b"];
    // It says it leads, and names another: whoever answers there, it is not b.
    b.answer("Stats", Answer::Told(message("stats-a")));
    let seen = driver.observe(LOOK).await;
    let Heard::Misread(why) = &report(&seen, "b").answer else {
        panic!("{seen:#?}")
    };
    assert!(why.contains(&recorded.nodes["a"].address), "{why}");
    // It says it leads, in a term of its own making, with members of its own choosing.
    let mut stats = Stats::decode(&message("stats-a")[..]).unwrap();
    stats.stats.insert("term".to_owned(), "900".to_owned());
    b.answer("Stats", Answer::Told(stats.encode_to_vec()));
    let own = Named {
        address: b.address.clone(),
    };
    b.answer("Leader", Answer::Told(own.encode_to_vec()));
    let server = |id: &str, address: &str| Server {
        suffrage: 0,
        id: id.to_owned(),
        address: address.to_owned(),
    };
    let servers = vec![server("b", &b.address), server("x", "127.0.0.1:1")];
    b.answer(
        "GetConfiguration",
        Answer::Told(Configuration { servers }.encode_to_vec()),
    );
    let seen = driver.observe(LOOK).await;
    assert_eq!(
        claims(&seen),
        ["a", "b"],
        "both are told; who leads is disputed"
    );
    assert_eq!(role(&seen, "x"), None, "the words of the others weigh more");
    assert_eq!(seen.membership.unwrap().members.len(), 4);
}

#[tokio::test]
async fn two_clusters_behind_one_address_are_told_and_not_mixed() {
    let (ours, theirs) = (Recorded::start().await, Recorded::start().await);
    let driver = driver(ours.seeds(&["a"]));
    driver.observe(LOOK).await;
    let c = &ours.nodes["c"];
    for method in ["Stats", "Leader", "GetConfiguration"] {
        let answer = match method {
            "Stats" => Answer::Told(message("stats-c")),
            "Leader" => theirs.leader("leader-c"),
            _ => theirs.configuration("configuration-c"),
        };
        c.answer(method, answer);
    }
    let seen = driver.observe(LOOK).await;
    let Heard::Misread(why) = &report(&seen, "c").answer else {
        panic!("{seen:#?}")
    };
    assert!(why.contains("another cluster"), "{why}");
    let told = |note: &Note| matches!(note, Note::TwoClusters { addresses } if addresses.contains(&c.seed()));
    assert!(seen.notes.iter().any(told), "{:?}", seen.notes);
    assert_eq!(claims(&seen), ["a"]);
    let member = seen.membership.unwrap().member(&id("c")).cloned().unwrap();
    assert_eq!(member.address, c.address);
}

#[tokio::test]
async fn one_address_for_several_members_is_nobodys_word() {
    let recorded = Recorded::start().await;
    let port = recorded.nodes["a"].address.rsplit(':').next().unwrap();
    let connection = Connection {
        api_address_pattern: Some(format!("http://{{host}}:{port}")),
        ..patient(recorded.seeds(&["a"]))
    };
    let seen = connect(connection).unwrap().observe(LOOK).await;
    for member in ["b", "c", "d"] {
        let told = report(&seen, member);
        assert!(matches!(told.answer, Heard::Misread(_)), "{told:?}");
    }
    // The leader alone says who it is.
    assert_eq!(claims(&seen), ["a"]);
}
