//! Liveness, readiness and figures, and how a console ends.

use std::time::{Duration, Instant};

use quorate_domain::permission::Duty;

use crate::support::{Events, Running};

#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_nothing_about_clusters() {
    let console = Running::start().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let response = console.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let text = response.text().await.unwrap();
        assert!(
            !text.contains("sim") && !text.contains("n1"),
            "{path}: {text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_counts_its_requests() {
    let console = Running::start().await;
    console.get("/healthz").send().await.unwrap();
    let text = console
        .get("/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        text.contains("quorate_requests_total{status=\"200\"}"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_stops_ends_its_streams_and_itself() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Viewer).await;
    let request = console.get("/events?page=fleet").header("cookie", &cookie);
    let mut events = Events::of(request.send().await.unwrap());
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    let began = Instant::now();
    let address = console.address.clone();
    console.stop().await;
    while events.next().await.is_some() {}
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(reqwest::get(format!("{address}/healthz")).await.is_err());
}
