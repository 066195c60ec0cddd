//! A console below a path, with and without a proxy that takes the path off.

use quorate_domain::permission::Duty;

use crate::support::Running;

async fn console() -> Running {
    Running::with(|settings| {
        settings.external_url = Some("http://raft.example/quorate/".parse().unwrap());
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_works_with_and_without_the_base_path() {
    let console = console().await;
    let cookie = console.session(Duty::Admin).await;
    for path in [
        "/",
        "/clusters/sim",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/openapi.json",
        "/audit",
    ] {
        for base in ["", "/quorate"] {
            let request = console
                .get(&format!("{base}{path}"))
                .header("cookie", &cookie);
            assert_eq!(request.send().await.unwrap().status(), 200, "{base}{path}");
        }
    }
    let response = console
        .get("/quorates")
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_and_redirect_carries_the_base_path() {
    let console = console().await;
    let response = console.get("/changes").send().await.unwrap();
    assert_eq!(
        response.headers()["location"],
        "/quorate/sign-in?next=%2Fchanges"
    );
    let cookie = console.session(Duty::Admin).await;
    for path in ["/", "/quorate/"] {
        let html = console
            .get(path)
            .header("cookie", &cookie)
            .send()
            .await
            .unwrap();
        let html = html.text().await.unwrap();
        let links = html
            .split("href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap());
        let outside: Vec<&str> = links
            .filter(|link| link.starts_with('/') && !link.starts_with("/quorate"))
            .collect();
        assert!(outside.is_empty(), "{outside:?}");
        assert!(html.contains("/quorate/clusters/sim"));
    }
}
