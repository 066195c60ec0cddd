//! What other sites may have a signed-in person's browser do: nothing.

use quorate_domain::{audit::Filter, permission::Duty};

use crate::support::{Running, json};

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test(flavor = "multi_thread")]
async fn only_the_consoles_own_page_may_post() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Admin).await;
    let own = console.origin.clone();
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], false),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", &own)], false),
        (&[("origin", &own)], true),
        (&[("origin", "https://evil.example")], false),
        (&[("origin", "null")], false),
        (&[("referer", &own)], false),
        (&[], false),
    ];
    for (headers, allowed) in cases {
        for (path, kind, body) in [
            (
                "/api/ui/page",
                "application/json",
                r#"{"topic":{"page":"fleet"}}"#,
            ),
            ("/password", FORM, "new=short"),
        ] {
            let mut request = console.call("POST", path).header("cookie", &cookie);
            request = request.header("content-type", kind).body(body);
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status() != 403, *allowed, "{path} {headers:?}");
            if !allowed {
                assert_eq!(json(response).await["code"], "cross-site");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_type_is_not_taken_for_the_pages_own() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Admin).await;
    for (path, kind) in [
        ("/api/ui/page", "text/plain"),
        ("/api/ui/page", FORM),
        ("/sign-out", "application/json"),
        ("/sign-out", "multipart/form-data; boundary=x"),
    ] {
        let request = console
            .post(path)
            .header("cookie", &cookie)
            .header("content-type", kind);
        assert_eq!(
            request.body("{}").send().await.unwrap().status(),
            415,
            "{path} {kind}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_downloads_are_not_for_other_sites() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Admin).await;
    for path in [
        "/events?page=fleet",
        "/snapshots/none/content",
        "/audit/1/proof",
    ] {
        for site in ["cross-site", "same-site"] {
            let request = console.get(path).header("cookie", &cookie);
            let response = request.header("sec-fetch-site", site).send().await.unwrap();
            assert_eq!(response.status(), 403, "{path} {site}");
        }
        let request = console.get(path).header("cookie", &cookie);
        let response = request
            .header("sec-fetch-site", "same-origin")
            .send()
            .await
            .unwrap();
        assert_ne!(response.status(), 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_of_somebody_signed_in_is_on_record_and_a_strangers_is_not() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Admin).await;
    let forged = || {
        console
            .call("POST", "/sign-out")
            .header("origin", "https://evil.example")
    };
    let count = async || {
        let who = console.control.command_line_operator();
        let log = console
            .control
            .audit(&who, &Filter::default(), 0, 1_000)
            .await
            .unwrap();
        log.items
            .iter()
            .filter(|entry| entry.text.contains("another site"))
            .count()
    };
    forged().send().await.unwrap();
    assert_eq!(count().await, 0);
    forged().header("cookie", &cookie).send().await.unwrap();
    assert_eq!(count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_does_not_read_cookies() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Admin).await;
    let request = console.get("/api/v1/clusters").header("cookie", &cookie);
    assert_eq!(request.send().await.unwrap().status(), 401);
}
