//! Which plain headers are believed, from whom. Each attack names where it was seen.

use quorate::configuration::Configuration;
use quorate_domain::audit::Means;

use super::{HERE, SECRET, Said as _, by_headers, headers_mode, log, recorded};
use crate::support::json as body_of;

/// Gitea `*` (CVE-2026-20896), Gogs GHSA-w6j9-vw59-27wv: headers believed from anyone; and what went
/// past a proxy itself (GHSA-f24x-5g9q-753f, GHSA-5hvv-m4w4-gf6v, GHSA-pxq7-h93f-9jrg,
/// GHSA-c5c4-8r6x-56w3). Each is refused before anything is shown, and leaves its record.
#[tokio::test(flavor = "multi_thread")]
async fn headers_past_the_proxy_are_refused_and_recorded() {
    let console = by_headers("trusted_proxies = [\"192.0.2.7\", \"unix\"]").await;
    for path in ["/", "/clusters/sim", "/events?page=fleet", "/access"] {
        let response = console
            .get(path)
            .by_proxy("root", "ops")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 403, "{path}");
        assert_eq!(body_of(response).await["code"], "identity-refused");
    }
    let refusals = recorded(&console, "identity_refused").await;
    assert!(
        refusals[0].text.contains("not a trusted proxy"),
        "{}",
        refusals[0].text
    );
    assert_eq!(refusals[0].actor.means, Means::Nobody);
    // Health and REST are not asked for an identity, and are given none.
    let health = console
        .get("/healthz")
        .by_proxy("root", "ops")
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    let rest = console
        .get("/api/v1/clusters")
        .by_proxy("root", "ops")
        .send()
        .await
        .unwrap();
    assert_eq!(rest.status(), 401);
}

/// The address alone is not enough where a secret is configured: Docker networks (Authelia's
/// guide), and anything else on the proxy's machine (Tailscale on loopback).
#[tokio::test(flavor = "multi_thread")]
async fn without_the_proxys_secret_nobody_is_let_in() {
    let console = by_headers(HERE).await;
    for secret in [
        None,
        Some(""),
        Some("a-secret-of-the-proxx"),
        Some("a-secret-of-the-proxy2"),
    ] {
        let mut request = console.get("/").header("remote-user", "root");
        if let Some(secret) = secret {
            request = request.header("x-proxy-secret", secret);
        }
        assert_eq!(request.send().await.unwrap().status(), 403, "{secret:?}");
    }
    let twice = console
        .get("/")
        .by_proxy("root", "ops")
        .header("x-proxy-secret", SECRET);
    assert_eq!(twice.send().await.unwrap().status(), 400);
    let refusals = recorded(&console, "identity_refused").await;
    assert!(
        !serde_json::to_string(&refusals)
            .unwrap()
            .contains("a-secret")
    );
}

/// oauth2-proxy CVE-2025-64484, Caddy GHSA-f59h-q822-g45g, gunicorn#2799 (`_` for `-`), and plain
/// duplicates: which of two values counts would be the gateway's choice, not ours.
#[tokio::test(flavor = "multi_thread")]
async fn two_values_of_one_name_and_aliases_of_a_name_are_refused() {
    let console = by_headers(HERE).await;
    for (name, value) in [
        ("remote-user", "root"),
        ("remote_user", "root"),
        ("Remote_User", "root"),
        ("remote-groups", "ops"),
        ("remote_groups", "ops"),
        ("remote_name", "root"),
    ] {
        let request = console
            .get("/")
            .by_proxy("anna", "watchers")
            .header(name, value);
        assert_eq!(request.send().await.unwrap().status(), 400, "{name}");
    }
    assert!(!recorded(&console, "identity_refused").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_no_identity_holds_are_refused() {
    let console = by_headers(HERE).await;
    let long = "a".repeat(257);
    let many = vec!["g"; 1_001].join(",");
    for (user, groups) in [
        ("anna\tlocal", "ops"),
        (long.as_str(), "ops"),
        ("anna\u{202e}", "ops"),
        ("anna", "ops,a\tb"),
        ("anna", long.as_str()),
        ("anna", many.as_str()),
    ] {
        let request = console.get("/").header("x-proxy-secret", SECRET);
        let request = request
            .header("remote-user", user.as_bytes())
            .header("remote-groups", groups);
        assert_eq!(request.send().await.unwrap().status(), 400, "{user:?}");
    }
}

/// Every header by which some proxy or other tells an identity, while another mode holds.
#[tokio::test(flavor = "multi_thread")]
async fn headers_of_other_modes_are_dropped_at_the_door() {
    let console = by_headers(HERE).await;
    let mut request = console.get("/").header("x-proxy-secret", SECRET);
    for name in [
        "x-forwarded-user",
        "x-forwarded-groups",
        "x-auth-request-user",
        "x-authentik-username",
        "x-authentik-jwt",
        "x-pomerium-jwt-assertion",
        "cf-access-jwt-assertion",
        "x-goog-iap-jwt-assertion",
        "x-amzn-oidc-data",
        "teleport-jwt-assertion",
        "tailscale-user-login",
        "oidc_claim_sub",
        "x-webauth-user",
        "x-forwarded-for",
        "x-original-url",
        "x-forwarded-uri",
    ] {
        request = request.header(name, "root");
    }
    assert_eq!(request.send().await.unwrap().status(), 303);
    assert!(recorded(&console, "sign_in").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_forged_headers_does_not_fill_the_log() {
    let console = by_headers("trusted_proxies = [\"192.0.2.7\"]").await;
    let before = log(&console).await.len();
    for _ in 0..200 {
        let response = console
            .get("/")
            .by_proxy("root", "ops")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 403);
    }
    let new = log(&console).await.len() - before;
    assert!((1..=100).contains(&new), "{new} entries");
}

/// Grafana's empty list (isAllowedIP), Gitea's `*`.
#[test]
fn a_list_of_proxies_that_is_nobody_or_everybody_refuses_to_start() {
    for list in [
        "[]",
        "[\"*\"]",
        "[\"0.0.0.0/0\"]",
        "[\"::/0\"]",
        "[\"10.0.0.1\", \"0.0.0.0/1\"]",
        "[\"::ffff:0:0/96\"]",
        "[\"2001::/16\"]",
        "[\"proxy.example\"]",
        "[\"\"]",
        "[\"10.0.0.1:80\"]",
        "[\"10.0.0.0/33\"]",
    ] {
        let (_folder, text) = headers_mode(&format!("trusted_proxies = {list}"));
        let error = Configuration::parse(&text, []).unwrap_err();
        assert!(
            error.problems[0].starts_with("identity.trusted_proxies: "),
            "{list}: {error}"
        );
    }
    let (_folder, text) = headers_mode("");
    assert!(Configuration::parse(&text, []).is_err());
    let (_folder, text) = headers_mode(&format!("{HERE}\nemail_header = \"remote_user\""));
    assert!(
        Configuration::parse(&text, [])
            .unwrap_err()
            .to_string()
            .contains("the same name")
    );
}

/// Grafana CVE-2026-33376: a bare IPv6 address was taken for a /32.
#[test]
fn a_trusted_address_is_exactly_that_address() {
    let peers = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        quorate::identity::Peers::parse(&texts).unwrap()
    };
    let v6 = peers(&["2001:db8::1"]);
    assert!(v6.include(Some("2001:db8::1")));
    assert!(!v6.include(Some("2001:db8::2")) && !v6.include(Some("2001:db8:ffff::1")));
    let v4 = peers(&["10.1.2.3", "10.9.0.0/16"]);
    for (peer, trusted) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("10.9.255.255", true),
        ("10.1.2.4", false),
        ("unix", false),
        ("", false),
        ("10.1.2.3:80", false),
    ] {
        assert_eq!(v4.include(Some(peer)), trusted, "{peer}");
    }
    assert!(!v4.include(None));
    assert!(peers(&["unix"]).include(Some("unix")) && !peers(&["unix"]).include(Some("10.1.2.3")));
    assert!(peers(&["::ffff:10.1.2.3"]).include(Some("10.1.2.3")));
}
