//! Whatever answers at a seed, a look ends in time, believes nothing it should not, and the check
//! says what is wrong and what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "bad_input/servers.rs"]
mod servers;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use quorate_domain::{
    cluster::Kind,
    observation::{Answer, Observation},
};
use quorate_drivers::{Connection, Diagnosis, Secret, connect};
use servers::{Plain, Tls};

const TOKEN: &str = "s.never-to-be-seen";

fn connection(seed: &str) -> Connection {
    Connection {
        name: "bad".to_owned(),
        kind: Kind::Openbao,
        seeds: vec![seed.to_owned()],
        token: Some(Secret::new(TOKEN)),
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: quorate_drivers::Lookups::default(),
        status_timeout: Duration::from_millis(700),
        change_timeout: Duration::from_secs(2),
    }
}

fn pem(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/tls")
            .join(name),
    )
    .unwrap()
}

/// Looks and checks, both in bounded time and without a word of the token.
async fn seen(connection: Connection) -> (Observation, Vec<Diagnosis>) {
    let driver = connect(connection).unwrap();
    let start = Instant::now();
    let seen = driver.observe(Duration::from_secs(1)).await;
    // Far beyond the deadline, for busy machines; far below what these servers would take.
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    let lines = driver.diagnose().await;
    let told = format!("{seen:?}{lines:?}");
    assert!(!told.contains(TOKEN), "{told}");
    assert_eq!(seen.nodes.len(), 1);
    assert!(seen.membership.is_none());
    (seen, lines)
}

/// The seed's line must be a problem with this code and with a hint.
fn assert_problem(lines: &[Diagnosis], code: &str) {
    let line = lines.iter().find(|line| line.code == code);
    let line = line.unwrap_or_else(|| panic!("no {code} in {lines:#?}"));
    assert!(
        !line.ok && line.hint.as_ref().is_some_and(|hint| !hint.is_empty()),
        "{line:?}"
    );
}

async fn misread(seed: &str, code: &str) {
    let (seen, lines) = seen(connection(seed)).await;
    assert!(
        matches!(seen.nodes[0].answer, Answer::Misread(_)),
        "{:?}",
        seen.nodes[0].answer
    );
    assert_problem(&lines, code);
}

async fn silent(seed: &str, code: &str) {
    let (seen, lines) = seen(connection(seed)).await;
    assert!(
        matches!(seen.nodes[0].answer, Answer::Silent(_)),
        "{:?}",
        seen.nodes[0].answer
    );
    assert_problem(&lines, code);
}

#[tokio::test]
async fn a_page_instead_of_json_is_misread() {
    misread(&Plain::page("<html>Welcome</html>").address, "not-json").await;
}

#[tokio::test]
async fn json_of_another_shape_is_misread() {
    misread(
        &Plain::page(r#"{"initialized":"yes","type":7}"#).address,
        "unexpected-shape",
    )
    .await;
}

#[tokio::test]
async fn another_kind_of_program_is_misread() {
    misread(
        &Plain::status(404, "404 page not found").address,
        "not-openbao",
    )
    .await;
}

/// What an agent says of itself and of its group, both at once, to whom may look and not change.
const LOOKS_ONLY: &str = r#"{"protocol":1,"implementation":"openraft","member":"n1",
    "rights":["read"],"capabilities":[],"state":"follower",
    "membership":{"revision":"1","members":[]}}"#;

#[tokio::test]
async fn the_check_of_an_agent_names_a_wrong_token_a_missing_right_and_another_program() {
    for (server, code) in [
        (Plain::status(401, "{}"), "denied"),
        (Plain::page(LOOKS_ONLY), "missing-right"),
        (Plain::status(404, "404 page not found"), "not-an-agent"),
    ] {
        let agent = Connection {
            kind: Kind::Agent,
            ..connection(&server.address)
        };
        assert_problem(&connect(agent).unwrap().diagnose().await, code);
    }
}

#[tokio::test]
async fn a_huge_answer_is_not_read_to_its_end() {
    let server = Plain::huge(64 * 1024 * 1024);
    misread(&server.address, "too-large").await;
    // The limit is 2 MiB; the rest is what the kernel's buffers on both sides hold.
    assert!(
        server.largest_sent() < 24 * 1024 * 1024,
        "{}",
        server.largest_sent()
    );
}

#[tokio::test]
async fn a_slow_drip_is_given_up_in_time() {
    silent(&Plain::drip().address, "timed-out").await;
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_is_given_up_in_time() {
    silent(&Plain::mute().address, "timed-out").await;
}

#[tokio::test]
async fn a_closed_port_is_told_as_refused() {
    let server = Plain::mute();
    let address = server.address.clone();
    drop(server);
    silent(&address, "connection-refused").await;
}

#[tokio::test]
async fn a_name_nobody_knows_is_told_as_such() {
    silent("http://no-such-host.invalid:8200", "name-not-found").await;
}

#[tokio::test]
async fn something_that_is_not_http_is_misread() {
    misread(
        &Plain::banner("SSH-2.0-OpenSSH_9.2\r\n\r\n").address,
        "not-http",
    )
    .await;
}

#[tokio::test]
async fn a_redirect_elsewhere_is_not_followed() {
    let elsewhere = Plain::page("{}");
    let server = Plain::redirect(&format!("{}/v1/sys/health?secret=1", elsewhere.address));
    let (seen, lines) = seen(connection(&server.address)).await;
    let Answer::Misread(why) = &seen.nodes[0].answer else {
        panic!("{seen:?}")
    };
    assert!(
        why.contains(&elsewhere.address) && !why.contains("secret=1"),
        "{why}"
    );
    assert_problem(&lines, "redirected-elsewhere");
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_trusted() {
    let server = Tls::start(&pem("here.pem"), &pem("here.key"), None);
    misread(&server.address, "certificate-not-trusted").await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let server = Tls::start(&pem("elsewhere.pem"), &pem("elsewhere.key"), None);
    let mut connection = connection(&server.address);
    connection.ca_pem = Some(pem("ca.pem"));
    let (seen, lines) = seen(connection).await;
    let Answer::Misread(why) = &seen.nodes[0].answer else {
        panic!("{seen:?}")
    };
    assert!(why.contains("another host name"), "{why}");
    assert_problem(&lines, "certificate-not-trusted");
}

#[tokio::test]
async fn a_private_authority_and_a_client_certificate_are_used() {
    let server = Tls::start(&pem("here.pem"), &pem("here.key"), Some(&pem("ca.pem")));
    let mut known = connection(&server.address);
    known.ca_pem = Some(pem("ca.pem"));
    let mut unknown = known.clone();
    known.client_pem = Some(Secret::new(
        String::from_utf8(pem("console-identity.pem")).unwrap(),
    ));
    let (met, _) = seen(known).await;
    assert_eq!(met.nodes[0].answer, Answer::NotStarted);
    unknown.client_pem = None;
    let (refused, lines) = seen(unknown).await;
    assert!(
        matches!(refused.nodes[0].answer, Answer::Misread(_)),
        "{refused:?}"
    );
    assert_problem(&lines, "tls-failed");
}

#[tokio::test]
async fn https_where_plain_http_is_spoken_is_told() {
    let server = Plain::page("{}");
    misread(&server.address.replace("http://", "https://"), "not-tls").await;
}

#[tokio::test]
async fn plain_http_where_tls_is_spoken_is_told() {
    // As servers written in Go answer it.
    let server = Plain::status(400, "Client sent an HTTP request to an HTTPS server.\n");
    misread(&server.address, "needs-tls").await;
}

#[tokio::test]
async fn certificates_that_are_none_are_refused_at_once() {
    let mut connection = connection("https://127.0.0.1:1");
    connection.client_pem = Some(Secret::new("not a certificate"));
    let error = connect(connection).err().unwrap().to_string();
    assert!(
        error.contains("certificates") && error.contains("bad"),
        "{error}"
    );
}
