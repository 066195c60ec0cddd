//! Event streams: a snapshot, then patches that give the same document, for as long as one may.

use quorate_domain::permission::Duty;
use serde_json::Value;

use crate::support::{Events, Running};

#[tokio::test(flavor = "multi_thread")]
async fn a_death_reaches_the_reader_as_a_patch_of_what_it_has() {
    let console = Running::start().await;
    let token = console.token(Duty::Viewer).await;
    let request = console
        .get("/api/v1/clusters/sim/events")
        .bearer_auth(&token);
    let mut events = Events::of(request.send().await.unwrap());
    let first = events.next().await.unwrap();
    assert_eq!(first.name, "snapshot");
    let (mut view, mut id) = (first.data, first.id);
    assert_eq!(view["leader"]["member"], "n1");
    console.cluster.kill("n1");
    while view["leader"]["member"] != "n2" && view["leader"]["member"] != "n3" {
        let event = events.next().await.unwrap();
        assert_eq!(event.name, "delta");
        assert!(event.id > id);
        id = event.id;
        json_patch::merge(&mut view, &event.data);
    }
    assert_eq!(view["leader"]["status"], "agreed");
    assert_eq!(view["name"], "sim");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_comes_back_gets_a_snapshot_with_a_higher_id() {
    let console = Running::start().await;
    let token = console.token(Duty::Viewer).await;
    let ask = || {
        console
            .get("/api/v1/clusters/sim/events")
            .bearer_auth(&token)
    };
    let again = ask().header("last-event-id", "41").send().await.unwrap();
    let event = Events::of(again).next().await.unwrap();
    assert_eq!((event.name.as_str(), event.id), ("snapshot", 42));
    let nonsense = ask()
        .header("last-event-id", "nonsense")
        .send()
        .await
        .unwrap();
    assert_eq!(Events::of(nonsense).next().await.unwrap().name, "snapshot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_its_stream() {
    let console = Running::start().await;
    let token = console.token(Duty::Viewer).await;
    let request = console
        .get("/api/v1/clusters/sim/events")
        .bearer_auth(&token);
    let mut events = Events::of(request.send().await.unwrap());
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    let who = console.control.command_line_operator();
    console
        .control
        .token_revoke(&who, "viewer-token")
        .await
        .unwrap();
    let mut last = String::new();
    while let Some(event) = events.next().await {
        last = event.name;
    }
    assert_eq!(last, "signed-out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_sent_what_it_shows_and_nothing_else() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Viewer).await;
    let first = async |query: &str| {
        let request = console
            .get(&format!("/events?{query}"))
            .header("cookie", &cookie);
        Events::of(request.send().await.unwrap())
            .next()
            .await
            .unwrap()
            .data
    };
    let fleet = first("page=fleet").await;
    assert_eq!(fleet["fleet"][0]["name"], "sim");
    assert_eq!(fleet["cluster"], Value::Null);
    let cluster = first("page=cluster&name=sim").await;
    assert_eq!(cluster["cluster"]["members"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_nothing_is_refused_before_it_begins() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Viewer).await;
    for (query, status) in [
        ("page=cluster&name=nowhere", 404),
        ("page=change&id=nothing", 404),
        ("page=everything", 400),
        ("", 400),
    ] {
        let request = console
            .get(&format!("/events?{query}"))
            .header("cookie", &cookie);
        assert_eq!(request.send().await.unwrap().status(), status, "{query}");
    }
    assert_eq!(
        console
            .get("/events?page=fleet")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
}
