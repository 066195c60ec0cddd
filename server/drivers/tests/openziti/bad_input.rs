//! Answers that no controller should give: findings, never a crash, never a wrong merge.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
    thread,
};

use quorate_domain::{
    cluster::Kind,
    observation::{Answer, Note},
};
use quorate_drivers::{Connection, connect};
use serde_json::json;

use crate::{
    openziti_stand_in::{ADMINISTRATOR, Shape, StandIn, login},
    stage::{DEADLINE, view_of},
};

/// A plain server on loopback that answers every request so, until the test ends.
pub fn page(status: u16, body: &str) -> String {
    pages(move |_| (status, String::new()), body.to_owned())
}

fn pages(
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
    otherwise: String,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, otherwise) = (Arc::clone(&answer), otherwise.clone());
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut head = [0_u8; 4096];
                let length = stream.read(&mut head).unwrap_or(0);
                let line = String::from_utf8_lossy(&head[..length]).into_owned();
                let (status, body) = answer(line.lines().next().unwrap_or_default());
                let body = if body.is_empty() { otherwise } else { body };
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            });
        }
    });
    address
}

fn connection(seeds: Vec<String>) -> Connection {
    Connection {
        name: "ziti".to_owned(),
        kind: Kind::Openziti,
        seeds,
        token: None,
        login: Some(login(ADMINISTRATOR)),
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: quorate_drivers::Lookups::default(),
        status_timeout: std::time::Duration::from_secs(1),
        change_timeout: std::time::Duration::from_secs(1),
    }
}

#[tokio::test]
async fn whatever_answers_there_is_data_and_no_crash() {
    let cases = [
        "",
        "null",
        "[]",
        "{\"data\":",
        "{\"data\":[1,2]}",
        "<html>",
        "{\"data\":{\"version\":7}}",
    ];
    for body in cases {
        let driver = connect(connection(vec![page(200, body)])).unwrap();
        let seen = driver.observe(DEADLINE).await;
        assert!(seen.membership.is_none(), "{body}");
        assert!(!seen.nodes[0].answered(), "{body}: {seen:#?}");
        assert!(
            driver.diagnose().await.iter().any(|line| !line.ok),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_password_is_never_sent_by_plain_http() {
    let version = json!({ "data": { "version": "v2.0.3", "capabilities": [] } }).to_string();
    let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = Arc::clone(&sent);
    let address = pages(
        move |line| {
            heard.lock().unwrap().push(line.to_owned());
            (200, String::new())
        },
        version,
    );
    let driver = connect(connection(vec![address])).unwrap();
    driver.observe(DEADLINE).await;
    let lines = sent.lock().unwrap().clone();
    assert!(!lines.is_empty());
    assert!(
        lines.iter().all(|line| line.starts_with("GET ")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn two_networks_behind_the_seeds_are_a_finding_and_never_merged() {
    let ours = StandIn::start(Shape::default()).await;
    let theirs = StandIn::start(Shape {
        domain: "another".to_owned(),
        ..Shape::default()
    })
    .await;
    let mut both = ours.connection(&["n1", "n2"]);
    both.seeds.push(theirs.url("n3"));
    let authorities = [ours.authority.pem(), theirs.authority.pem()].concat();
    both.ca_pem = Some(authorities.into_bytes());
    let driver = connect(both).unwrap();
    driver.observe(DEADLINE).await;
    let seen = driver.observe(DEADLINE).await;
    let told = |note: &Note| matches!(note, Note::TwoClusters { .. });
    assert!(seen.notes.iter().any(told), "{:?}", seen.notes);
    let members = seen.membership.as_ref().unwrap();
    assert_eq!(members.members.len(), 4);
    // Whose answer came first counts, and the other's are in nothing.
    let all_of = |network: &StandIn| {
        let is_of = |id: &str| members.member(&id.into()).unwrap().address == network.address(id);
        ["n1", "n2", "n3", "n4"].into_iter().all(is_of)
    };
    assert!(all_of(&ours) != all_of(&theirs), "{members:?}");
    assert!(view_of(seen).leader.member.is_some());
}

#[tokio::test]
async fn a_controller_with_a_cluster_of_its_own_in_the_same_network_is_a_finding_and_not_merged() {
    let cluster = StandIn::start(Shape::default()).await;
    {
        let mut state = cluster.world.state();
        let n5 = state.node_mut("n5");
        n5.config = vec![crate::openziti_stand_in::RaftServer {
            id: "n5".to_owned(),
            address: n5.address.clone(),
            voter: true,
        }];
        n5.lies = Some("n5".to_owned());
        n5.part = 1;
    }
    let driver = connect(cluster.connection(&["n1", "n5"])).unwrap();
    driver.observe(DEADLINE).await;
    let seen = driver.observe(DEADLINE).await;
    let told = |note: &Note| matches!(note, Note::TwoClusters { addresses } if *addresses == [cluster.url("n5")]);
    assert!(seen.notes.iter().any(told), "{:?}", seen.notes);
    assert_eq!(seen.membership.as_ref().unwrap().members.len(), 4);
    assert_eq!(view_of(seen).leader.member, Some("n1".into()));
}

#[tokio::test]
async fn another_controller_at_a_members_address_is_not_taken_for_it() {
    let cluster = StandIn::start(Shape::of_2_1()).await;
    let driver = connect(cluster.connection(&["n1"])).unwrap();
    // n3's line leads to n2.
    let there = cluster.url("n2");
    cluster.world.state().node_mut("n3").url = there;
    driver.observe(DEADLINE).await;
    let seen = driver.observe(DEADLINE).await;
    let n3 = crate::stage::report(&seen, "n3");
    assert!(
        matches!(&n3.answer, Answer::Misread(why) if why.contains("n2")),
        "{n3:?}"
    );
    assert!(crate::stage::report(&seen, "n2").answered());
}

#[tokio::test]
async fn an_id_that_cannot_stand_on_a_page_makes_the_answer_unreadable() {
    let cluster = StandIn::start(Shape::default()).await;
    {
        let mut state = cluster.world.state();
        state.config.push(crate::openziti_stand_in::RaftServer {
            id: "n\u{202e}6".to_owned(),
            address: "tls:127.0.0.1:1".to_owned(),
            voter: false,
        });
        state.spread();
    }
    let driver = connect(cluster.connection(&["n1"])).unwrap();
    let seen = driver.observe(DEADLINE).await;
    assert!(
        matches!(seen.nodes[0].answer, Answer::Misread(_)),
        "{seen:#?}"
    );
}
