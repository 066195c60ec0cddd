//! What raftadmin leaves open to everybody, and that the console has no way to it.

use crate::{
    checks::{claims, report, seen_when},
    driver,
    nodes::Nodes,
    stand_in::Token,
};
use prost::Message;
use quorate_domain::{
    action::Verb,
    capability,
    observation::{Note, Observation},
};

/// As anybody does who reaches the port: no name, no password, no certificate.
async fn anybody_calls(address: &str, method: &str) {
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request =
        tonic::codegen::http::Request::post(format!("http://{address}/RaftAdmin/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
    let (answer, mut body) = client
        .send_request(request.body(()).unwrap(), false)
        .unwrap();
    body.send_data(bytes::Bytes::from_static(&[0; 5]), true)
        .unwrap();
    let mut told = answer.await.unwrap().into_body();
    let message = told.data().await.unwrap().unwrap();
    // It was begun: there is a token to wait for.
    assert!(!Token::decode(message.slice(5..)).unwrap().token.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn accident_38_anybody_may_shut_a_node_down_and_that_stands_as_a_warning() {
    let nodes = Nodes::start(&[]);
    let driver = driver(nodes.seeds());
    let seen = seen_when(&driver, "a leads", 60, |seen| claims(seen) == ["a"]).await;
    let warned = |seen: &Observation| seen.notes.contains(&Note::NoAuthentication);
    assert!(warned(&seen));
    anybody_calls(&nodes.running["a"].admin, "Shutdown").await;
    // The process goes on and answers; that its Raft is gone is told as such.
    let seen = seen_when(&driver, "its Raft is gone", 60, |seen| {
        let says = report(seen, "a").says.as_ref();
        says.is_some_and(|says| says.fault.is_some())
    })
    .await;
    assert!(claims(&seen).is_empty() && warned(&seen));
    let lines = driver.diagnose().await;
    assert!(
        lines
            .iter()
            .any(|line| !line.ok && line.code == "member-fault"),
        "{lines:#?}"
    );
    // No verb of the console leads there.
    let words = nodes.own_words("a").await;
    assert_eq!(
        words["called"]["/RaftAdmin/Shutdown"], 1,
        "once, and not by the driver"
    );
    for verb in Verb::ALL {
        let offered = capability::of(&seen.capabilities, verb).is_some_and(|it| it.supported);
        assert_eq!(offered, Verb::USUAL.contains(&verb), "{verb:?}");
    }
}
