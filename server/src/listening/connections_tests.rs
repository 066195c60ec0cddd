#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{net::IpAddr, net::Ipv4Addr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::timeout,
};

use super::*;

const AWAITED: Duration = Duration::from_millis(300);
/// On a machine that has much else to do.
const LONG: Duration = Duration::from_secs(60);

/// Tells who asks, at `/slowly` after a while.
async fn told(request: Request) -> Result<Response, Infallible> {
    if request.uri().path() == "/slowly" {
        tokio::time::sleep(AWAITED * 4).await;
    }
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let address = peer.map_or_else(String::new, |ConnectInfo(peer)| peer.address.clone());
    Ok(Response::new(Body::from(format!("{address} asks"))))
}

fn connected() -> (DuplexStream, CancellationToken) {
    let (near, far) = duplex(64 * 1024);
    let closing = CancellationToken::new();
    let peer = Peer::at(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let app = tower::service_fn(told);
    tokio::spawn(carry(far, peer, app, closing.clone(), AWAITED));
    (near, closing)
}

/// All that comes until the other end closes.
async fn rest(mut near: DuplexStream) -> String {
    let mut all = Vec::new();
    let read = timeout(LONG, near.read_to_end(&mut all)).await;
    read.expect("the connection stays open").unwrap();
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn who_says_nothing_or_never_ends_a_head_is_let_go() {
    for said in [
        "",
        "P",
        "GET / HTTP/1.1\r\nhost: here\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
    ] {
        let (mut near, _closing) = connected();
        near.write_all(said.as_bytes()).await.unwrap();
        let told = rest(near).await;
        assert!(!told.contains("200 OK"), "{said:?}: {told}");
    }
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_question_and_who_asks_is_known() {
    let (mut near, _closing) = connected();
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
    near.write_all(ask("/slowly").as_bytes()).await.unwrap();
    near.write_all(ask("/").as_bytes()).await.unwrap();
    // The second is the last: then nobody asks any more, and it is closed.
    let told = rest(near).await;
    assert_eq!(told.matches("127.0.0.1 asks").count(), 2, "{told}");
}

#[tokio::test]
async fn what_is_under_way_is_answered_when_the_console_stops() {
    let (mut near, closing) = connected();
    near.write_all(b"GET /slowly HTTP/1.1\r\nhost: here\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(AWAITED).await;
    closing.cancel();
    let told = rest(near).await;
    assert!(told.ends_with("127.0.0.1 asks"), "{told}");
}
