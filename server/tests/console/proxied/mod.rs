//! Behind a sign-on proxy: who is let in by plain headers, what a session is still good for, and
//! every way to come in that was seen elsewhere. Each attack names where.

mod elsewhere;
mod forwarded;
mod passkey;
mod trust;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate::{configuration::Configuration, identity::Identity};
use quorate_domain::{
    audit::{Entry, Filter, Means},
    permission::Duty,
};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::{
    assertions::{Signer, claims},
    support::{Events, Form as _, Running, cookie, json as body_of},
};

const SECRET: &str = "a-secret-of-the-proxy";
const GRANTS: &str = r#"
    [[identity.grants]]
    group = "ops"
    role = "operator"
    clusters = ["*"]
    [[identity.grants]]
    group = "watchers"
    role = "viewer"
    clusters = ["*"]
    [[identity.grants]]
    user = "root"
    role = "admin"
    clusters = ["*"]
"#;

fn headers_mode(more: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let text = format!(
        "[identity]\nmode = \"trusted-header\"\nuser_header = \"Remote-User\"\n\
         name_header = \"Remote-Name\"\ngroups_header = \"Remote-Groups\"\n\
         proxy_secret_header = \"X-Proxy-Secret\"\nproxy_secret_file = {:?}\n{more}\n{GRANTS}",
        file.display().to_string()
    );
    (folder, text)
}

fn identity(text: &str) -> Identity {
    let configuration = Configuration::parse(text, []).unwrap();
    configuration.identity.identity().unwrap()
}

async fn by_headers(more: &str) -> Running {
    let (_folder, text) = headers_mode(more);
    let identity = identity(&text);
    Running::with(move |settings| settings.identity = identity).await
}

const HERE: &str = "trusted_proxies = [\"127.0.0.1\"]";

trait Said: Sized {
    /// As the proxy passes a page's request on.
    fn by_proxy(self, user: &str, groups: &str) -> Self;
}

impl Said for RequestBuilder {
    fn by_proxy(self, user: &str, groups: &str) -> Self {
        self.header("accept", "text/html")
            .header("x-proxy-secret", SECRET)
            .header("remote-user", user)
            .header("remote-groups", groups)
    }
}

async fn log(console: &Running) -> Vec<Entry> {
    let who = console.control.command_line_operator();
    let page = console
        .control
        .audit(&who, &Filter::default(), 0, 1_000)
        .await;
    page.unwrap().items
}

async fn recorded(console: &Running, action: &str) -> Vec<Entry> {
    let entries = log(console).await;
    entries
        .into_iter()
        .filter(|entry| entry.action == action)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_record_call_an_unsigned_identity_unsigned() {
    let console = by_headers(HERE).await;
    let page = console
        .get("/access")
        .by_proxy("anna", "ops")
        .header("remote-name", "Anna A");
    let response = page.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let html = response.text().await.unwrap();
    for shown in ["Anna A", "Unsigned identity", "operator"] {
        assert!(html.contains(shown), "{shown}");
    }
    let entries = recorded(&console, "sign_in").await;
    let actor = &entries[0].actor;
    assert_eq!(
        (actor.issuer.as_str(), actor.subject.as_str()),
        ("trusted-header", "anna")
    );
    assert_eq!(actor.means, Means::TrustedHeader);
    assert!(entries[0].text.contains("unsigned"), "{}", entries[0].text);
}

/// Caddy GHSA-7r4p-vjf4-gxv4: groups that the proxy does not set may be left from before. Absent is
/// none, and nothing is remembered from an earlier request (Grafana's `sync_ttl`).
#[tokio::test(flavor = "multi_thread")]
async fn roles_are_those_of_this_very_request() {
    let console = by_headers(HERE).await;
    let first = console
        .get("/")
        .by_proxy("anna", "ops, watchers")
        .send()
        .await
        .unwrap();
    let cookie = cookie(&first);
    // 400 is what somebody gets who may ask; what was asked is stale on purpose.
    let ask = async |groups: Option<&str>| {
        let mut request = console
            .post("/api/ui/submit")
            .header("cookie", &cookie)
            .header("x-proxy-secret", SECRET)
            .header("remote-user", "anna");
        if let Some(groups) = groups {
            request = request.header("remote-groups", groups);
        }
        let wish = json!({ "wish": {
            "cluster": "sim", "action": { "action": "promote", "member": "n4" },
            "fingerprint": "stale", "reason": "test", "ticket": null, "key": "k",
        } });
        request.json(&wish).send().await.unwrap().status()
    };
    assert_eq!(ask(Some("ops")).await, 400);
    for groups in [
        None,
        Some(""),
        Some("watchers"),
        Some("OPS"),
        Some("ops2"),
        Some("x|ops"),
    ] {
        assert_eq!(ask(groups).await, 403, "{groups:?}");
    }
    assert_eq!(ask(Some("ops")).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_denied_may_do_nothing_whatever_else_is_granted() {
    let console = by_headers(&format!(
        "{HERE}\ndenied_groups = [\"left\"]\ndenied_users = [\"eve\"]"
    ))
    .await;
    for (user, groups, status) in [
        ("anna", "ops", 200),
        ("anna", "ops,left", 403),
        ("eve", "ops", 403),
        ("bob", "", 403),
    ] {
        let page = console
            .get("/clusters/sim")
            .by_proxy(user, groups)
            .send()
            .await
            .unwrap();
        let seen = page.status() == 200;
        assert_eq!(seen, status == 200, "{user} {groups}: {}", page.status());
    }
}

/// ASVS 7.1; Gitea rebinds the session when the asserted person is another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_belongs_to_one_identity_and_is_nothing_without_it() {
    let console = by_headers(HERE).await;
    let response = console
        .get("/")
        .by_proxy("anna", "ops")
        .send()
        .await
        .unwrap();
    let annas = cookie(&response);
    let again = console
        .get("/")
        .by_proxy("anna", "ops")
        .header("cookie", &annas);
    assert!(
        again
            .send()
            .await
            .unwrap()
            .headers()
            .get("set-cookie")
            .is_none()
    );
    // The cookie alone is nobody.
    let alone = console
        .get("/")
        .header("cookie", &annas)
        .send()
        .await
        .unwrap();
    assert_eq!(alone.status(), 303);
    assert_eq!(alone.headers()["location"], "/sign-in");
    // Somebody else with the same cookie gets a session of their own.
    let bob = console
        .get("/")
        .by_proxy("bob", "ops")
        .header("cookie", &annas);
    let bobs = cookie(&bob.send().await.unwrap());
    assert_ne!(annas, bobs);
    let changed = recorded(&console, "identity_changed").await;
    assert_eq!(changed.len(), 1);
    assert!(
        changed[0].text.contains("anna") && changed[0].text.contains("bob"),
        "{}",
        changed[0].text
    );
    // Anna's has ended: it is not taken up again.
    let again = console
        .get("/")
        .by_proxy("anna", "ops")
        .header("cookie", &annas);
    assert_ne!(cookie(&again.send().await.unwrap()), annas);
}

/// ASVS 7.2.4: what the proxy says may be something else with each request.
#[tokio::test(flavor = "multi_thread")]
async fn with_groups_that_may_do_something_else_the_session_gets_another_id() {
    let console = by_headers(HERE).await;
    let page = async |groups: &str, cookie: &str| {
        let page = console.get("/").by_proxy("anna", groups);
        page.header("cookie", cookie).send().await.unwrap()
    };
    let first = cookie(&page("watchers", "").await);
    // In another order, and with a group that gives nothing, it is the same.
    let same = page("everybody,watchers", &first).await;
    assert!(same.headers().get("set-cookie").is_none());
    let second = cookie(&page("watchers,ops", &first).await);
    assert_ne!(first, second);
    let same = page("ops,watchers", &second).await;
    assert!(same.headers().get("set-cookie").is_none());
    assert_eq!(recorded(&console, "session_renewed").await.len(), 1);
    // It is one session all the time.
    assert_eq!(recorded(&console, "sign_in").await.len(), 1);
    let who = console.control.command_line_operator();
    assert_eq!(console.control.sessions(&who).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_signs_in_here_and_tokens_work_all_the_same() {
    let console = by_headers(HERE).await;
    let secret = console.account("local", Duty::Admin).await;
    let link = console
        .get(&format!("/sign-in/link/{secret}"))
        .send()
        .await
        .unwrap();
    let form = console
        .post("/sign-in")
        .form(&[("name", "local"), ("password", "x")]);
    let password = console
        .post("/password")
        .by_proxy("anna", "ops")
        .form(&[("new", "x")]);
    for response in [
        link,
        form.send().await.unwrap(),
        password.send().await.unwrap(),
    ] {
        assert_eq!(response.status(), 404);
        assert!(response.headers().get("set-cookie").is_none());
        assert_eq!(body_of(response).await["code"], "not-in-this-mode");
    }
    let page = console
        .get("/sign-in")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("sign-on proxy") && !page.contains("type=\"password\""));
    let token = console.token(Duty::Viewer).await;
    // Beside whatever a proxy adds.
    let rest = console
        .get("/api/v1/clusters")
        .by_proxy("anna", "ops")
        .bearer_auth(&token);
    assert_eq!(rest.send().await.unwrap().status(), 200);
    let out = console
        .post("/sign-out")
        .by_proxy("anna", "ops")
        .form(&[])
        .send()
        .await
        .unwrap();
    assert_eq!(
        out.headers()["location"],
        "/sign-in?problem=sign-out-at-the-proxy"
    );
}

/// Grafana GHSA-cmf4-h3xc-jw8w, gitea#26703: behind a proxy every request is signed in, those of
/// other sites too.
#[tokio::test(flavor = "multi_thread")]
async fn another_site_cannot_use_the_proxys_sign_in() {
    let console = by_headers(HERE).await;
    for site in ["cross-site", "same-site"] {
        let post = console
            .call("POST", "/sign-out")
            .header("sec-fetch-site", site);
        let response = post.by_proxy("anna", "ops").form(&[]).send().await.unwrap();
        assert_eq!(response.status(), 403);
    }
    let post = console
        .call("POST", "/sign-out")
        .by_proxy("anna", "ops")
        .form(&[]);
    assert_eq!(post.send().await.unwrap().status(), 403);
    assert!(!recorded(&console, "cross_site").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_assertion_it_was_opened_with() {
    let signer = Signer::new("k1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, json!({ "keys": [signer.jwk()] }).to_string()).unwrap();
    let identity = identity(&format!(
        "[identity]\nmode = \"jwt-header\"\npreset = \"generic\"\nheader = \"X-Assertion\"\n\
         issuer = \"issuer\"\naudience = \"console\"\nleeway_ms = 0\njwks_file = {:?}\n{GRANTS}",
        file.display().to_string()
    ));
    let console = Running::with(move |settings| settings.identity = identity).await;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut short = claims(now);
    short["exp"] = (now + 3).into();
    let token = signer.token(&short);
    let open = console
        .get("/events?page=fleet")
        .header("x-assertion", &token);
    let mut events = Events::of(open.send().await.unwrap());
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    let rest = async { while events.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(15), rest)
        .await
        .expect("the stream's end");
    let again = console
        .get("/events?page=fleet")
        .header("x-assertion", &token);
    let again = again.send().await.unwrap();
    assert_eq!(again.status(), 401);
    assert_eq!(body_of(again).await["code"], "identity-expired");
    let page = console
        .get("/access")
        .header("x-assertion", signer.token(&claims(now)));
    let html = page.send().await.unwrap().text().await.unwrap();
    assert!(html.contains("by signed assertion") && html.contains("anna@example.com"));
}
