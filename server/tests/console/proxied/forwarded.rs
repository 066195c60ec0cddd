//! What a proxy says of the address that was asked for decides nothing.

use super::{HERE, Said as _, by_headers};

const FORGED: [(&str, &str); 9] = [
    ("x-forwarded-uri", "/healthz"),
    ("x-forwarded-method", "GET"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "https"),
    ("x-original-url", "/healthz"),
    ("x-rewrite-url", "/healthz"),
    ("x-original-method", "GET"),
    ("forwarded", "for=10.0.0.1;host=evil.example;proto=https"),
];

/// oauth2-proxy CVE-2026-40575 and oauth2-proxy#3506, Traefik CVE-2026-35051: a path that was let
/// through by one name and asked for by another.
#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_path_or_host_opens_nothing_and_is_repeated_nowhere() {
    let console = by_headers(HERE).await;
    for (name, value) in FORGED {
        let page = console.get("/clusters/sim").header(name, value);
        let page = page.send().await.unwrap();
        assert_eq!(page.status(), 303, "{name}");
        let to = page.headers()["location"].to_str().unwrap();
        assert_eq!(to, "/sign-in?next=%2Fclusters%2Fsim", "{name}");
        let rest = console.get("/api/v1/clusters").header(name, value);
        assert_eq!(rest.send().await.unwrap().status(), 401, "{name}");
        let page = console.get("/access").by_proxy("anna", "ops");
        let page = page.header(name, value).send().await.unwrap();
        assert_eq!(page.status(), 200, "{name}");
        assert!(!page.text().await.unwrap().contains("evil"), "{name}");
        let post = console
            .call("POST", "/sign-out")
            .header("origin", "https://evil.example")
            .header(name, value);
        let post = post.by_proxy("anna", "ops").send().await.unwrap();
        assert_eq!(post.status(), 403, "{name}");
    }
}
