//! Ways in that were seen at other consoles and proxies, over HTTP: each is refused, and where
//! somebody claimed to be somebody it is on record, without what they claimed it by.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::http::HeaderMap;
use quorate_control::ClusterSetup;
use quorate_domain::{
    cluster::{ClusterName, Kind, Thresholds},
    health::Registration,
    permission::Duty,
};
use quorate_drivers::{Connection, Lookups, Secret};
use serde_json::json;

use super::{GRANTS, HERE, SECRET, Said as _, by_headers, headers_mode, identity, recorded};
use crate::{
    assertions::{Signer, claims},
    support::{Running, cookie, json as body_of, until},
};

/// What is wrong, the headers that bring it, and the answer.
type Case<'a> = (&'a str, Vec<(&'a str, String)>, u16);

const SEEN: &str = "/clusters/sim";

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// A console behind a proxy that signs with this key.
async fn by_assertion(signer: &Signer) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, json!({ "keys": [signer.jwk()] }).to_string()).unwrap();
    let identity = identity(&format!(
        "[identity]\nmode = \"jwt-header\"\npreset = \"generic\"\nheader = \"X-Assertion\"\n\
         issuer = \"issuer\"\naudience = \"console\"\njwks_file = {:?}\n{GRANTS}",
        file.display().to_string()
    ));
    Running::with(move |settings| settings.identity = identity).await
}

/// ASVS 9.1.1 to 9.2.3, and aliases as in oauth2-proxy CVE-2025-64484.
#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_assertion_is_refused_and_recorded_without_being_repeated() {
    let signer = Signer::new("k1");
    let console = by_assertion(&signer).await;
    let now = now();
    let said = |name: &str, value: serde_json::Value| {
        let mut claims = claims(now);
        claims[name] = value;
        signer.token(&claims)
    };
    let right = signer.token(&claims(now));
    let headed = |head: serde_json::Value| signer.token_with(&head, &claims(now));
    let cases: Vec<Case> = vec![
        (
            "expired",
            vec![("x-assertion", said("exp", (now - 3_600).into()))],
            401,
        ),
        (
            "not yet",
            vec![("x-assertion", said("nbf", (now + 3_600).into()))],
            401,
        ),
        (
            "issuer",
            vec![("x-assertion", said("iss", "other".into()))],
            401,
        ),
        (
            "audience",
            vec![("x-assertion", said("aud", "other".into()))],
            401,
        ),
        (
            "steers",
            vec![("x-assertion", said("sub", "root\nlocal".into()))],
            400,
        ),
        (
            "unsigned",
            vec![("x-assertion", headed(json!({ "alg": "none", "kid": "k1" })))],
            401,
        ),
        (
            "method",
            vec![(
                "x-assertion",
                headed(json!({ "alg": "HS256", "kid": "k1" })),
            )],
            401,
        ),
        (
            "unknown key",
            vec![(
                "x-assertion",
                headed(json!({ "alg": "ES256", "kid": "k2" })),
            )],
            401,
        ),
        (
            "another's key",
            vec![("x-assertion", Signer::new("k1").token(&claims(now)))],
            401,
        ),
        (
            "none at all",
            vec![("x-assertion", "e30.e30.e30".to_owned())],
            400,
        ),
        (
            "twice",
            vec![
                ("x-assertion", right.clone()),
                ("x-assertion", right.clone()),
            ],
            400,
        ),
        ("alias", vec![("x_assertion", right.clone())], 400),
    ];
    for (what, headers, status) in cases {
        let before = recorded(&console, "identity_refused").await.len();
        let mut request = console.get(SEEN).header("accept", "text/html");
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{what}");
        assert!(response.headers().get("set-cookie").is_none(), "{what}");
        let body = response.text().await.unwrap();
        let refusals = recorded(&console, "identity_refused").await;
        assert_eq!(refusals.len(), before + 1, "{what}");
        let record = serde_json::to_string(&refusals[before]).unwrap();
        for part in headers[0].1.split('.').filter(|part| part.len() > 8) {
            assert!(!record.contains(part), "{what}: {record}");
            assert!(!body.contains(part), "{what}");
        }
    }
    let right = console.get(SEEN).header("x-assertion", right);
    assert_eq!(right.send().await.unwrap().status(), 200);
}

/// Each wrong word of a proxy's, one record each: forged values, aliases (CVE-2025-64484, Caddy
/// GHSA-f59h-q822-g45g) and a wrong secret.
#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_word_by_headers_is_recorded_without_being_repeated() {
    let console = by_headers(HERE).await;
    let long = "a".repeat(257);
    let cases: Vec<(&str, &str, u16)> = vec![
        ("remote-user", "mallory", 400),
        ("remote_user", "mallory", 400),
        ("Remote_Groups", "mallory", 400),
        ("x-proxy-secret", "not-the-right-secret", 400),
        ("remote-name", long.as_str(), 400),
    ];
    for (name, value, status) in cases {
        let before = recorded(&console, "identity_refused").await.len();
        let request = console
            .get(SEEN)
            .by_proxy("anna", "ops")
            .header(name, value);
        assert_eq!(request.send().await.unwrap().status(), status, "{name}");
        let refusals = recorded(&console, "identity_refused").await;
        assert_eq!(refusals.len(), before + 1, "{name}");
        let record = serde_json::to_string(&refusals[before]).unwrap();
        assert!(
            !record.contains(value) && !record.contains(SECRET),
            "{record}"
        );
    }
}

/// oauth2-proxy GHSA-5hvv-m4w4-gf6v: whoever called themselves a health check was let in.
#[tokio::test(flavor = "multi_thread")]
async fn no_name_of_a_health_check_opens_anything() {
    let console = by_headers(HERE).await;
    for agent in [
        "GoogleHC/1.0",
        "kube-probe/1.31",
        "ELB-HealthChecker/2.0",
        "",
    ] {
        for (path, status) in [(SEEN, 303), ("/events?page=fleet", 401)] {
            let request = console.get(path).header("user-agent", agent);
            assert_eq!(request.send().await.unwrap().status(), status, "{agent}");
        }
        let rest = console.get("/api/v1/clusters").header("user-agent", agent);
        assert_eq!(rest.send().await.unwrap().status(), 401, "{agent}");
    }
}

/// oauth2-proxy GHSA-pxq7-h93f-9jrg: a path that is let through to those who look at its end, and
/// another to those who look at its beginning.
#[tokio::test(flavor = "multi_thread")]
async fn no_writing_of_a_path_leads_around_the_sign_on() {
    let console = by_headers(HERE).await;
    for path in [
        "/clusters/sim%23/healthz",
        "/clusters/sim%3f/healthz",
        "/healthz/..%2fclusters/sim",
        "/healthz%2f..%2fclusters%2fsim",
        "/healthz%00/../clusters/sim",
        "//clusters/sim",
        "/./clusters/sim",
        "/CLUSTERS/sim",
        "/clusters/sim/",
        "/clusters/sim;/healthz",
        "/api/v1/../../clusters/sim",
        "/api/v1/openapi.json/../clusters",
        "/api/v1/openapi.json%2f..%2fclusters",
    ] {
        let response = console.get(path).send().await.unwrap();
        let status = response.status().as_u16();
        assert!(matches!(status, 303 | 400 | 401 | 404), "{path}: {status}");
        let shown = response.text().await.unwrap();
        assert!(!shown.contains("n1"), "{path} shows a member");
    }
}

/// Grafana GHSA-5585-m9r5-p86j: what lets somebody in stood in an address, and so in logs and in
/// `Referer`. Here nothing in an address lets anybody in.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_or_an_identity_in_an_address_is_nobody() {
    let console = by_headers(HERE).await;
    let token = console.token(Duty::Admin).await;
    for name in [
        "token",
        "access_token",
        "auth_token",
        "authorization",
        "jwt",
    ] {
        let rest = console.get(&format!("/api/v1/clusters?{name}={token}"));
        assert_eq!(rest.send().await.unwrap().status(), 401, "{name}");
        let page = console.get(&format!("{SEEN}?{name}={token}"));
        assert_eq!(page.send().await.unwrap().status(), 303, "{name}");
    }
    let page = console.get(&format!(
        "{SEEN}?remote-user=root&remote-groups=ops&x-proxy-secret={SECRET}"
    ));
    assert_eq!(page.send().await.unwrap().status(), 303);
    assert!(recorded(&console, "sign_in").await.is_empty());
}

/// Names are compared as they are: neither by another spelling nor by a part of an address of mail
/// (oauth2-proxy GHSA-c5c4-8r6x-56w3) is somebody somebody else (ASVS 6.8.1).
#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_of_a_name_is_another_person() {
    let console = by_headers(HERE).await;
    let sees_the_log = async |user: &str| {
        let page = console.get("/audit").by_proxy(user, "").send().await;
        page.unwrap().status() == 200
    };
    assert!(sees_the_log("root").await);
    for other in [
        "Root",
        "ROOT",
        "root@example.com",
        "root@evil.example@example.com",
        "root,ops",
        "r\u{3bf}\u{3bf}t",
        "root\u{200b}",
    ] {
        assert!(!sees_the_log(other).await, "{other}");
    }
}

/// What a member that only listens was sent.
type Sent = Arc<Mutex<Vec<HeaderMap>>>;

async fn listening() -> (String, Sent) {
    let sent: Sent = Sent::default();
    let kept = Arc::clone(&sent);
    let answer = axum::routing::any(move |headers: HeaderMap| {
        kept.lock().unwrap().push(headers);
        async { axum::http::StatusCode::SERVICE_UNAVAILABLE }
    });
    let router = axum::Router::new().fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), sent)
}

fn member(seed: String) -> ClusterSetup {
    let connection = Connection {
        name: "told".to_owned(),
        kind: Kind::Openbao,
        seeds: vec![seed],
        token: Some(Secret::new("the-consoles-own-token")),
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(10),
        lookups: Lookups::default(),
    };
    ClusterSetup {
        registration: Registration {
            name: ClusterName::from("told"),
            kind: Kind::Openbao,
            tags: Vec::new(),
            zones: BTreeMap::new(),
            thresholds: Thresholds::default(),
            read_only: false,
        },
        driver: quorate_drivers::connect(connection).unwrap(),
        join_allowed: Vec::new(),
    }
}

/// Grafana CVE-2022-35957: what a browser came in by was passed on, and let somebody in elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_brings_is_passed_on_to_no_member() {
    let (seed, sent) = listening().await;
    let (_folder, text) = headers_mode(HERE);
    let identity = identity(&text);
    // A client is made before the console is.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let console = Running::with(move |settings| {
        settings.identity = identity;
        settings.clusters.push(member(seed));
    })
    .await;
    let first = console.get("/").by_proxy("root", "").send().await.unwrap();
    let session = cookie(&first);
    let brought = |request: reqwest::RequestBuilder| {
        request
            .by_proxy("root", "")
            .header("cookie", &session)
            .header("authorization", "Bearer a-bearer-of-the-browser")
            .header("x-forwarded-for", "203.0.113.7")
    };
    let before = sent.lock().unwrap().len();
    let page = brought(console.get("/clusters/told")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let wish = json!({ "cluster": "told", "action": { "action": "snapshot" } });
    let preview = brought(console.post("/api/ui/preview")).json(&wish);
    let preview = preview.send().await.unwrap();
    assert_eq!(preview.status(), 200, "{}", body_of(preview).await);
    until("it is looked at while somebody reads", async || {
        sent.lock().unwrap().len() > before
    })
    .await;
    let own = session.split_once('=').unwrap().1;
    for headers in sent.lock().unwrap().iter() {
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            assert!(!name.as_str().starts_with("remote"), "{name}");
            assert!(name != "cookie" && name != "x-forwarded-for", "{name}");
            for secret in [SECRET, own, "a-bearer-of-the-browser"] {
                assert!(!value.contains(secret), "{name}");
            }
        }
    }
}
