//! Headers of every answer, and the nonce of a page.

use quorate_domain::permission::Duty;

use crate::support::Running;

#[tokio::test(flavor = "multi_thread")]
async fn the_nonce_of_a_page_stands_in_nonce_attributes_only() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Admin).await;
    let mut nonces = Vec::new();
    for path in [
        "/",
        "/clusters/sim",
        "/changes",
        "/audit",
        "/access",
        "/problems",
        "/nowhere",
    ] {
        let response = console
            .get(path)
            .header("cookie", &cookie)
            .send()
            .await
            .unwrap();
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap()
            .to_owned();
        let html = response.text().await.unwrap();
        assert!(nonce.len() >= 22, "{nonce}");
        assert_eq!(
            html.matches(&nonce).count(),
            html.matches(&format!("nonce=\"{nonce}\"")).count()
        );
        assert!(html.contains(&format!("nonce=\"{nonce}\"")), "{path}");
        let scripts = html.matches("<script").count();
        assert_eq!(
            scripts,
            html.matches(&format!("nonce=\"{nonce}\"")).count(),
            "{path}"
        );
        nonces.push(nonce);
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 7, "a nonce was used twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_a_page_allows_nothing_unsafe() {
    let console = Running::start().await;
    let response = console.get("/sign-in").send().await.unwrap();
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.starts_with("default-src 'none';"));
    for needed in [
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ] {
        assert!(policy.contains(needed), "{policy}");
    }
    assert!(!policy.contains("unsafe-inline"));
    assert!(!policy.contains("'unsafe-eval'"));
    assert!(!policy.contains('*'));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_keep_browsers_safe() {
    let console = Running::start().await;
    for path in [
        "/sign-in",
        "/",
        "/api/v1/clusters",
        "/api/v1/openapi.json",
        "/healthz",
        "/assets/none.css",
        "/api/nothing",
    ] {
        let response = console.get(path).send().await.unwrap();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(
                response.headers().get(name).unwrap(),
                value,
                "{path} {name}"
            );
        }
        assert!(
            response.headers().contains_key("content-security-policy"),
            "{path}"
        );
        assert!(response.headers().contains_key("x-request-id"), "{path}");
        assert!(
            !response
                .headers()
                .contains_key("access-control-allow-origin"),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_over_https_says_that_it_stays_so() {
    let console = Running::with(|settings| {
        settings.external_url = Some("https://raft.example/".parse().unwrap());
    })
    .await;
    let response = console.get("/sign-in").send().await.unwrap();
    assert!(response.headers().contains_key("strict-transport-security"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_sent_compressed() {
    let console = Running::start().await;
    for encoding in ["br", "gzip"] {
        let request = console.get("/sign-in").header("accept-encoding", encoding);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_claim_an_identity_change_nothing() {
    let console = Running::start().await;
    let names = [
        "x-forwarded-user",
        "remote-user",
        "remote_user",
        "x-pomerium-jwt-assertion",
        "cf-access-jwt-assertion",
        "x-authentik-username",
        "x-auth-request-user",
        "x-amzn-oidc-data",
        "tailscale-user-login",
        "x-webauth-user",
    ];
    for name in names {
        let response = console.get("/").header(name, "admin").send().await.unwrap();
        assert_eq!(response.status(), 303, "{name}");
        let response = console
            .get("/api/v1/clusters")
            .header(name, "admin")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 401, "{name}");
    }
}
