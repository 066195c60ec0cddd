//! Step-up in the browser's requests: a removal is asked for, proved on the page of its question, and
//! goes on from there with a new session id. Local accounts; other modes are beside their own tests.

use quorate::configuration::Configuration;
use quorate_control::step_up::{Method, Rules, Site};
use quorate_domain::{
    action::{Action, Verb},
    audit::{Entry, Filter, Outcome},
    permission::Duty,
};
use reqwest::Response;
use serde_json::{Value, json};

use crate::{
    authenticator::{Answer, Authenticator, Said, text},
    support::{CLUSTER, Form as _, Running, cookie, json as body_of, until},
};

const PASSWORD: &str = "kelp violin tundra";
pub const ORIGIN: &str = "https://raft.example";
pub const HOST: &str = "raft.example";

pub fn rules(verb: Verb) -> Rules {
    Rules {
        verbs: vec![verb],
        site: Some(Site {
            origin: ORIGIN.to_owned(),
            id: HOST.to_owned(),
        }),
        ..Rules::default()
    }
}

pub fn place(response: &Response) -> String {
    let place = response.headers().get("location").expect("a place");
    place.to_str().unwrap().to_owned()
}

/// What the dialog sends for `action`, decided on now.
pub async fn wish(console: &Running, action: &Action, key: &str) -> Value {
    let who = console.control.command_line_operator();
    let preview = console.control.preview(&who, CLUSTER, action).await;
    json!({ "wish": {
        "cluster": CLUSTER, "action": action, "fingerprint": preview.unwrap().fingerprint,
        "reason": "disk is broken", "ticket": null, "key": key,
    } })
}

pub fn remove() -> Action {
    Action::Remove {
        member: "n4".into(),
    }
}

/// The page a refused wish is sent on to.
pub async fn question(response: Response) -> String {
    assert_eq!(response.status(), 403);
    let problem = body_of(response).await;
    assert_eq!(problem["code"], "step-up-needed", "{problem}");
    let place = problem["step_up"].as_str().expect("a place").to_owned();
    assert!(place.starts_with("/step-up/"), "{place}");
    place
}

pub async fn told(console: &Running, action: &str) -> Vec<Entry> {
    let who = console.control.command_line_operator();
    let everything = Filter::default();
    let log = console.control.audit(&who, &everything, 0, 1_000);
    let mut entries = log.await.unwrap().items;
    entries.retain(|entry| entry.action == action);
    entries
}

/// What stands in an attribute of a page's form.
pub fn attribute(html: &str, name: &str) -> String {
    let start = format!("{name}=\"");
    let rest = html
        .split_once(&start)
        .unwrap_or_else(|| panic!("{name}: {html}"));
    rest.1.split('"').next().unwrap().to_owned()
}

pub fn made(answer: &Answer) -> [(&'static str, String); 2] {
    [
        ("client_data", text(&answer.client_data)),
        ("authenticator_data", text(&answer.authenticator_data)),
    ]
}

pub fn used(device: &Authenticator, answer: &Answer) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("method", "passkey".to_owned()),
        ("credential", text(&device.credential)),
        ("signature", text(&answer.signature)),
    ];
    fields.extend(made(answer));
    fields
}

pub fn fields<'a>(owned: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    let pairs = owned.iter();
    pairs.map(|(name, value)| (*name, value.as_str())).collect()
}

/// Somebody signed in, with a password, in a console that asks for proof of removals.
struct Browser {
    console: Running,
    cookie: String,
}

impl Browser {
    async fn start() -> Self {
        let console = Running::start().await;
        console.control.step_up_rules(rules(Verb::Remove));
        let cookie = console.session(Duty::Admin).await;
        let set = console.post("/password").header("cookie", &cookie);
        let set = set.form(&[("new", PASSWORD)]).send().await.unwrap();
        assert_eq!(place(&set), "/access?password=set");
        Self { console, cookie }
    }

    async fn asks(&self, key: &str) -> Response {
        let wish = wish(&self.console, &remove(), key).await;
        let request = self.console.post("/api/ui/submit").json(&wish);
        request.header("cookie", &self.cookie).send().await.unwrap()
    }

    async fn gets(&self, path: &str) -> Response {
        let request = self.console.get(path).header("cookie", &self.cookie);
        request.send().await.unwrap()
    }

    async fn posts(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.console.post(path).header("cookie", &self.cookie);
        request.form(fields).send().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_is_proved_by_the_password_and_the_session_gets_a_new_id() {
    let mut browser = Browser::start().await;
    let question = question(browser.asks("k-1").await).await;
    let page = browser.gets(&question).await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self' 'nonce-"), "{policy}");
    let html = page.text().await.unwrap();
    for said in ["remove n4 in sim", "disk is broken", "type=\"password\""] {
        assert!(html.contains(said), "{said}: {html}");
    }
    assert!(!html.contains("<script"), "{html}");

    let password = |password| [("method", "password"), ("password", password)];
    let wrong = browser.posts(&question, &password("not this one")).await;
    assert_eq!(place(&wrong), format!("{question}?problem=sign-in-failed"));
    let html = browser.gets(&place(&wrong)).await.text().await.unwrap();
    assert!(html.contains("This did not prove it."), "{html}");
    assert!(browser.console.cluster.sent().is_empty());

    let before = browser.cookie.clone();
    let right = browser.posts(&question, &password(PASSWORD)).await;
    assert_eq!(right.status(), 303);
    let change = place(&right);
    assert!(change.starts_with("/changes/"), "{change}");
    browser.cookie = cookie(&right);
    assert_ne!(browser.cookie, before);
    assert_eq!(browser.gets(&change).await.status(), 200);
    // The old id is nobody's: to sign in, or for a moment to come again with the new one.
    let old = browser.console.get("/access").header("cookie", &before);
    let old = old.send().await.unwrap().status();
    assert!(old == 303 || old == 307, "{old}");
    // The question is over, for whoever opens it.
    assert_eq!(browser.gets(&question).await.status(), 404);
    until("the member is gone", async || {
        let entries = told(&browser.console, "remove").await;
        entries
            .iter()
            .any(|entry| entry.outcome == Some(Outcome::Succeeded))
    })
    .await;
    let proofs = told(&browser.console, "step_up").await;
    let outcomes: Vec<_> = proofs.iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Failed), Some(Outcome::Succeeded)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_added_and_proves_a_removal() {
    let mut browser = Browser::start().await;
    let mut device = Authenticator::new(b"device-1");
    let here = Said::at(ORIGIN, HOST);
    let begun = browser
        .posts("/access/passkeys", &[("name", "my laptop")])
        .await;
    // Whoever has a password proves by it first.
    let ask = place(&begun);
    assert!(ask.starts_with("/step-up/"), "{ask}");
    let proved = [("method", "password"), ("password", PASSWORD)];
    let proved = browser.posts(&ask, &proved).await;
    browser.cookie = cookie(&proved);
    let making = place(&proved);
    assert!(making.starts_with("/access/passkeys/new/"), "{making}");
    let html = browser.gets(&making).await.text().await.unwrap();
    assert_eq!(attribute(&html, "data-site"), HOST);
    let answer = device.makes(&attribute(&html, "data-challenge"), &here);
    let fields_made = made(&answer);
    let added = browser.posts(&making, &fields(&fields_made)).await;
    assert_eq!(place(&added), "/access/passkeys?done=added");
    let html = browser.gets("/access/passkeys").await.text().await.unwrap();
    assert!(html.contains("my laptop"), "{html}");

    let question = question(browser.asks("k-1").await).await;
    let html = browser.gets(&question).await.text().await.unwrap();
    let answer = device.signs(&attribute(&html, "data-challenge"), &here);
    let mut wrong = used(&device, &answer);
    wrong[2].1 = text(b"not a signature");
    let refused = browser.posts(&question, &fields(&wrong)).await;
    assert_eq!(
        place(&refused),
        format!("{question}?problem=sign-in-failed")
    );
    // The challenge went with it: the right signature comes too late.
    let right = used(&device, &answer);
    let late = browser.posts(&question, &fields(&right)).await;
    assert!(place(&late).ends_with("problem=sign-in-failed"));
    let html = browser.gets(&question).await.text().await.unwrap();
    let answer = device.signs(&attribute(&html, "data-challenge"), &here);
    let right = used(&device, &answer);
    let done = browser.posts(&question, &fields(&right)).await;
    assert!(place(&done).starts_with("/changes/"), "{}", place(&done));
    browser.cookie = cookie(&done);

    let id = attribute(
        &browser.gets("/access/passkeys").await.text().await.unwrap(),
        "name=\"id\" value",
    );
    let removed = browser
        .posts("/access/passkeys/remove", &[("id", &id)])
        .await;
    assert_eq!(place(&removed), "/access/passkeys?done=removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_told_to_ask_on_the_page() {
    let console = Running::start().await;
    console.control.step_up_rules(rules(Verb::Remove));
    let token = console.token(Duty::Admin).await;
    let who = console.control.command_line_operator();
    let preview = console.control.preview(&who, CLUSTER, &remove()).await;
    let body = json!({
        "action": "remove", "member": "n4", "reason": "test",
        "fingerprint": preview.unwrap().fingerprint,
    });
    let path = format!("/api/v1/clusters/{CLUSTER}/changes");
    let asked = console.call("POST", &path).bearer_auth(&token).json(&body);
    let response = asked.send().await.unwrap();
    assert_eq!(response.status(), 403);
    let problem = body_of(response).await;
    assert_eq!(problem["code"], "step-up-needed");
    assert!(problem["hint"].as_str().unwrap().contains("page"));
    assert!(problem.get("step_up").is_none());
    assert!(console.cluster.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_prove_something_from_another_site() {
    let browser = Browser::start().await;
    let question = question(browser.asks("k-1").await).await;
    let form = [("method", "password"), ("password", PASSWORD)];
    for (method, path, site) in [
        ("POST", question.clone(), "cross-site"),
        ("POST", question.clone(), "same-site"),
        ("GET", format!("{question}/sign-in"), "cross-site"),
        ("POST", "/access/passkeys".to_owned(), "cross-site"),
        ("POST", "/access/passkeys/remove".to_owned(), "cross-site"),
    ] {
        let request = browser.console.call(method, &path);
        let request = request
            .header("cookie", &browser.cookie)
            .header("sec-fetch-site", site);
        let response = request.form(&form).send().await.unwrap();
        assert_eq!(response.status(), 403, "{method} {path} {site}");
    }
    assert!(browser.console.cluster.sent().is_empty());
}

#[test]
fn the_configuration_says_what_is_proved_and_by_what() {
    let read = |text: &str| Configuration::parse(text, []).map(|it| it.step_up);
    assert_eq!(read("").unwrap(), Rules::default());
    let usual = read("[identity.step_up]").unwrap();
    assert_eq!(usual.verbs, [Verb::Demote, Verb::Remove]);
    assert!(usual.approvals && !usual.tokens);
    assert_eq!(usual.methods, Method::ALL);
    let own = read(
        "[identity.step_up]\nactions = [\"transfer\"]\nmethods = [\"passkey\"]\ntokens = true",
    );
    let own = own.unwrap();
    assert_eq!(own.verbs, [Verb::Transfer]);
    assert_eq!(own.methods, [Method::Passkey]);
    assert!(own.tokens && !own.approvals);
    for (wrong, said) in [
        ("actions = [\"erase\"]", "identity.step_up.actions"),
        ("methods = [\"sms\"]", "identity.step_up.methods"),
        ("methods = []", "names nothing"),
        ("method = [\"passkey\"]", "unknown key"),
    ] {
        let error = read(&format!("[identity.step_up]\n{wrong}")).unwrap_err();
        assert!(error.to_string().contains(said), "{wrong}: {error}");
    }
}
