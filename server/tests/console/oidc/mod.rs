//! Signing in at an OpenID provider, against one that can be told to lie: what a right sign-in
//! gives, and every way to come in by a wrong one. Each attack is refused and leaves its record.

mod attacks;
mod departures;
mod fresh;
mod provider;
mod settings;

use std::time::Duration;

use quorate::{configuration::Configuration, identity::Identity};
use quorate_domain::audit::{Entry, Filter, Means, Outcome};
use reqwest::Response;
use serde_json::json;

use crate::support::{Events, Form as _, Running, cookie};
use provider::{CLIENT, Provider, SECRET, now};

const GRANTS: &str = r#"
    denied_groups = ["left"]
    [[identity.grants]]
    group = "ops"
    role = "operator"
    clusters = ["*"]
"#;
/// How long what must come may take.
const SOON: Duration = Duration::from_secs(60);

/// A console that signs people in at a provider of its own.
struct Stage {
    console: Running,
    provider: Provider,
}

fn configured(provider: &Provider, more: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let text = format!(
        "[identity]\nmode = \"oidc\"\nissuer = {:?}\nclient_id = {CLIENT:?}\n\
         client_secret_file = {:?}\nleeway_ms = 5000\n{more}\n{GRANTS}",
        provider.issuer(),
        file.display().to_string(),
    );
    (folder, text)
}

fn identity(provider: &Provider, more: &str) -> Identity {
    // An error only says that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (_folder, text) = configured(provider, more);
    let configuration = Configuration::parse(&text, []).unwrap();
    configuration.identity.identity().unwrap()
}

impl Stage {
    async fn start() -> Self {
        Self::with("").await
    }

    async fn with(more: &str) -> Self {
        let provider = Provider::start().await;
        let identity = identity(&provider, more);
        let console = Running::with(move |settings| settings.identity = identity).await;
        Self { console, provider }
    }

    /// The way to the provider, and the browser's cookie for it.
    async fn begin(&self, next: &str) -> (String, String) {
        let path = format!("/sign-in/oidc?next={}", encoded(next));
        let response = self.console.get(&path).send().await.unwrap();
        assert_eq!(response.status(), 303);
        (place(&response), cookie(&response))
    }

    /// Where the provider sends the browser back to.
    async fn answered(&self, away: &str) -> String {
        let response = self.console.http.get(away).send().await.unwrap();
        assert_eq!(response.status(), 303);
        place(&response)
    }

    async fn comes_back(&self, to: &str, cookie: &str) -> Response {
        let request = self.console.http.get(to).header("cookie", cookie);
        let request = request.header("sec-fetch-site", "cross-site");
        request.send().await.unwrap()
    }

    /// A whole sign-in.
    async fn signs_in(&self) -> Response {
        let (away, browser) = self.begin("/access").await;
        let back = self.answered(&away).await;
        self.comes_back(&back, &browser).await
    }

    /// The session cookie of a whole sign-in.
    async fn session(&self) -> String {
        let response = self.signs_in().await;
        assert_eq!(place(&response), "/access");
        session_of(&response).expect("a session")
    }

    async fn log(&self, action: &str) -> Vec<Entry> {
        let who = self.console.control.command_line_operator();
        let filter = Filter::default();
        let log = self.console.control.audit(&who, &filter, 0, 1_000);
        let mut entries = log.await.unwrap().items;
        entries.retain(|entry| entry.action == action);
        entries
    }

    async fn failures(&self, action: &str) -> Vec<String> {
        let entries = self.log(action).await.into_iter();
        entries
            .filter(|entry| entry.outcome == Some(Outcome::Failed))
            .map(|entry| entry.text)
            .collect()
    }

    async fn sees(&self, session: &str) -> bool {
        let page = self.console.get("/access").header("cookie", session);
        page.send().await.unwrap().status() == 200
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn place(response: &Response) -> String {
    let place = response
        .headers()
        .get("location")
        .expect("a place to go to");
    place.to_str().unwrap().to_owned()
}

/// The session cookie, if one was given.
fn session_of(response: &Response) -> Option<String> {
    let all = response.headers().get_all("set-cookie").iter();
    all.map(|set| set.to_str().unwrap().split(';').next().unwrap().to_owned())
        .find(|pair| pair.starts_with("quorate=") && !pair.ends_with('='))
}

fn parameter(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(key, _)| key == name);
    found.expect(name).1.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_with_their_groups_and_the_page_says_by_what() {
    let stage = Stage::with("provider_name = \"Example <Corp>\"").await;
    let page = stage
        .console
        .get("/sign-in?next=/access")
        .send()
        .await
        .unwrap();
    let html = page.text().await.unwrap();
    assert!(html.contains("Sign in with Example &lt;Corp&gt;"), "{html}");
    assert!(html.contains("/sign-in/oidc?next=%2Faccess") && !html.contains("type=\"password\""));

    let (away, browser) = stage.begin("/access").await;
    assert!(away.starts_with(&format!("{}/authorize?", stage.provider.issuer())));
    let expected = [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("scope", "openid profile email"),
        ("code_challenge_method", "S256"),
        (
            "redirect_uri",
            &format!("{}/sign-in/callback", stage.console.origin),
        ),
    ];
    for (name, value) in expected {
        assert_eq!(parameter(&away, name), value, "{name}");
    }
    let back = stage.answered(&away).await;
    let response = stage.comes_back(&back, &browser).await;
    assert_eq!(
        (response.status().as_u16(), place(&response).as_str()),
        (303, "/access")
    );
    // What the browser kept for this is gone.
    let name = browser.split('=').next().unwrap();
    let mut set = response.headers().get_all("set-cookie").iter();
    let cleared = set.any(|set| {
        let set = set.to_str().unwrap();
        set.starts_with(&format!("{name}=; ")) && set.contains("Max-Age=0")
    });
    assert!(cleared, "{name}");
    let session = session_of(&response).unwrap();
    let page = stage.console.get("/access").header("cookie", &session);
    let html = page.send().await.unwrap().text().await.unwrap();
    for shown in ["anna@example.com", "OpenID Connect (oidc)", "operator"] {
        assert!(html.contains(shown), "{shown}");
    }
    let entry = stage.log("sign_in").await.remove(0);
    assert_eq!(entry.outcome, Some(Outcome::Succeeded));
    assert_eq!(
        (
            entry.actor.issuer.as_str(),
            entry.actor.subject.as_str(),
            entry.actor.means
        ),
        (stage.provider.issuer(), "4711", Means::Oidc)
    );
}

/// The table decides at each request by the groups of the sign-in; no group of it is no role, and
/// without a role a cluster is not even there.
#[tokio::test(flavor = "multi_thread")]
async fn roles_are_those_of_the_table_and_nothing_beyond() {
    let stage = Stage::start().await;
    for (groups, status) in [
        (json!(["ops"]), 200),
        (json!(["OPS", "ops,x"]), 404),
        (json!("ops"), 200),
        (json!(["ops", "left"]), 404),
        (json!([]), 404),
    ] {
        let told = groups.clone();
        stage.provider.lies().claims =
            Some(Box::new(move |claims| claims["groups"] = told.clone()));
        let session = session_of(&stage.signs_in().await).unwrap();
        let page = stage
            .console
            .get("/clusters/sim")
            .header("cookie", &session);
        let found = page.send().await.unwrap().status();
        assert_eq!(found, status, "{groups}");
    }
}

/// Thin ID tokens: groups stand in what the provider says of the token's holder.
#[tokio::test(flavor = "multi_thread")]
async fn groups_may_stand_where_the_provider_keeps_them_and_must_be_the_same_persons() {
    let stage = Stage::start().await;
    stage.provider.lies().claims = Some(Box::new(|claims| {
        let claims = claims.as_object_mut().unwrap();
        claims.remove("groups");
        claims.remove("email");
    }));
    let said = |sub: &str| json!({ "sub": sub, "email": "anna@example.com", "groups": ["ops"] });
    stage.provider.lies().userinfo = Some(said("4711"));
    let session = stage.session().await;
    let page = stage.console.get("/access").header("cookie", &session);
    let html = page.send().await.unwrap().text().await.unwrap();
    assert!(html.contains("anna@example.com") && html.contains("operator"));
    stage.provider.lies().userinfo = Some(said("4712"));
    let response = stage.signs_in().await;
    let failed = "/sign-in?problem=sign-on-failed&next=%2Faccess";
    assert_eq!(place(&response), failed);
    assert!(session_of(&response).is_none());
    let failures = stage.failures("sign_in").await;
    assert!(
        failures.iter().any(|text| text.contains("somebody else")),
        "{failures:?}"
    );
}

/// Signed in meanwhile in another window, the sign-in page of this one leads on to where it was.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_already_goes_on_to_where_they_were() {
    let stage = Stage::start().await;
    let session = stage.session().await;
    for (asked, expected) in [
        (
            "?next=%2Fclusters%2Fsim%3Ffrom%3Dhere",
            "/clusters/sim?from=here",
        ),
        ("?problem=sign-on-over&next=%2Faccess", "/access"),
        ("", "/"),
        ("?next=%2F%2Fevil.example", "/"),
        ("?next=https%3A%2F%2Fevil.example", "/"),
        ("?next=%2Fsign-in", "/"),
    ] {
        let page = stage.console.get(&format!("/sign-in{asked}"));
        let page = page.header("cookie", &session).send().await.unwrap();
        assert_eq!(
            (page.status().as_u16(), place(&page).as_str()),
            (303, expected)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_and_its_stream_end_with_the_id_token() {
    let stage = Stage::start().await;
    stage.provider.lies().claims = Some(Box::new(|claims| claims["exp"] = (now() + 5).into()));
    let session = stage.session().await;
    let open = stage
        .console
        .get("/events?page=fleet")
        .header("cookie", &session);
    let mut events = Events::of(open.timeout(SOON).send().await.unwrap());
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    let mut last = String::new();
    while let Some(event) = events.next().await {
        last = event.name;
    }
    assert_eq!(last, "signed-out");
    assert!(!stage.sees(&session).await);
}

/// Nothing of the provider's is kept: neither in the store, nor in an address of ours.
#[tokio::test(flavor = "multi_thread")]
async fn no_token_code_or_secret_is_kept() {
    let stage = Stage::start().await;
    let session = stage.session().await;
    assert!(stage.sees(&session).await);
    let out = stage.console.post("/sign-out").header("cookie", &session);
    let html = out.form(&[]).send().await.unwrap().text().await.unwrap();
    let asked = stage.provider.redeemed().remove(0);
    let mut kept = vec![("the page".to_owned(), html.into_bytes())];
    let mut folders = vec![stage.console.data.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for found in std::fs::read_dir(folder).unwrap() {
            let path = found.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                kept.push((path.display().to_string(), bytes));
            }
        }
    }
    assert!(
        kept.iter()
            .any(|(_, bytes)| contains(bytes, "anna@example.com"))
    );
    for secret in [
        "eyJ",
        "the-access-token",
        "the-refresh-token",
        SECRET,
        &asked["code"],
        &asked["code_verifier"],
    ] {
        for (place, bytes) in &kept {
            assert!(!contains(bytes, secret), "{secret} in {place}");
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn other_ways_to_sign_in_are_shut_and_tokens_work_all_the_same() {
    let stage = Stage::start().await;
    let console = &stage.console;
    let secret = console
        .account("local", quorate_domain::permission::Duty::Admin)
        .await;
    let link = console.get(&format!("/sign-in/link/{secret}"));
    let form = console
        .post("/sign-in")
        .form(&[("name", "local"), ("password", "x")]);
    let password = console.post("/password").form(&[("new", "x")]);
    for request in [link, form, password] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 404);
        assert!(response.headers().get("set-cookie").is_none());
    }
    for name in [
        "remote-user",
        "x-forwarded-user",
        "x-pomerium-jwt-assertion",
        "authorization",
    ] {
        let request = console.get("/access").header(name, "Bearer anna");
        assert_eq!(request.send().await.unwrap().status(), 303, "{name}");
    }
    let token = console
        .token(quorate_domain::permission::Duty::Viewer)
        .await;
    let rest = console.get("/api/v1/clusters").bearer_auth(&token);
    assert_eq!(rest.send().await.unwrap().status(), 200);
}
