//! Sessions: how they begin, and every way they end.

use std::time::Duration;

use quorate::sessions;
use quorate_domain::{
    audit::{Entry, Filter},
    moment::Timestamp,
    permission::{Duty, Grant},
};
use reqwest::{RequestBuilder, Response};
use tower_sessions::session::Id;

use crate::support::{Events, Form as _, Running, cookie, until};

const PASSWORD: &str = "correct-horse-battery-staple";

async fn with_password(console: &Running) -> String {
    let cookie = console.session(Duty::Admin).await;
    let set = console
        .post("/password")
        .header("cookie", &cookie)
        .form(&[("new", PASSWORD)]);
    let response = set.send().await.unwrap();
    let place = response.headers()["location"].to_str().unwrap();
    assert!(!place.contains("problem"), "{place}");
    cookie
}

async fn is_signed_in(console: &Running, cookie: &str) -> bool {
    console
        .get("/")
        .header("cookie", cookie)
        .send()
        .await
        .unwrap()
        .status()
        == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_time_link_signs_in_once() {
    let console = Running::start().await;
    let secret = console.account("anna", Duty::Viewer).await;
    let link = format!("/sign-in/link/{secret}");
    let response = console.get(&link).send().await.unwrap();
    assert_eq!(response.headers()["location"], "/");
    assert!(is_signed_in(&console, &cookie(&response)).await);
    let again = console.get(&link).send().await.unwrap();
    assert!(
        again.headers()["location"]
            .to_str()
            .unwrap()
            .starts_with("/sign-in?problem=")
    );
    assert!(again.headers().get("set-cookie").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_signs_in_and_a_wrong_one_does_not() {
    let console = Running::start().await;
    with_password(&console).await;
    let sign_in = |password: &'static str, next: &'static str| {
        console
            .post("/sign-in")
            .form(&[("name", "admin"), ("password", password), ("next", next)])
    };
    let response = sign_in(PASSWORD, "/clusters/sim").send().await.unwrap();
    assert_eq!(response.status(), 303);
    assert_eq!(response.headers()["location"], "/clusters/sim");
    assert!(is_signed_in(&console, &cookie(&response)).await);
    let response = sign_in(PASSWORD, "//evil.example").send().await.unwrap();
    assert_eq!(response.headers()["location"], "/");
    let response = sign_in("wrong-wrong-wrong", "/changes")
        .send()
        .await
        .unwrap();
    let place = response.headers()["location"].to_str().unwrap();
    assert_eq!(place, "/sign-in?problem=sign-in-failed&next=%2Fchanges");
    assert!(response.headers().get("set-cookie").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_gives_a_new_id_and_ends_the_session_there_was() {
    let console = Running::start().await;
    let first = with_password(&console).await;
    let sign_in = console.post("/sign-in").header("cookie", &first);
    let response = sign_in
        .form(&[("name", "admin"), ("password", PASSWORD)])
        .send()
        .await
        .unwrap();
    let second = cookie(&response);
    assert_ne!(first, second);
    assert!(is_signed_in(&console, &second).await);
    assert!(!is_signed_in(&console, &first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_session_is_none() {
    let console = Running::start().await;
    for made_up in [
        "quorate=AAAAAAAAAAAAAAAAAAAAAA",
        "quorate=",
        "quorate=../../x",
        "quorate=\"\"",
    ] {
        assert!(!is_signed_in(&console, made_up).await, "{made_up}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_and_takes_the_cookie_away() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Viewer).await;
    let out = console
        .post("/sign-out")
        .header("cookie", &cookie)
        .form(&[]);
    let response = out.send().await.unwrap();
    assert_eq!(response.headers()["location"], "/sign-in");
    let removed = response.headers().get_all("set-cookie").iter();
    assert!(
        removed
            .into_iter()
            .any(|set| set == "quorate=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
    );
    assert!(!is_signed_in(&console, &cookie).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_the_cookie_is_bound_to_the_host_and_removed_with_all_its_attributes() {
    let console = Running::with(|settings| {
        settings.external_url = Some("https://raft.example/".parse().unwrap());
    })
    .await;
    let secret = console.account("anna", Duty::Viewer).await;
    let response = console
        .get(&format!("/sign-in/link/{secret}"))
        .send()
        .await
        .unwrap();
    let set = response.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(set.starts_with("__Host-quorate="), "{set}");
    for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains("Domain"), "{set}");
    let out = console
        .post("/sign-out")
        .header("cookie", cookie(&response));
    let response = out.form(&[]).send().await.unwrap();
    let mut removed = response.headers().get_all("set-cookie").iter();
    assert!(removed.any(|set| {
        set == "__Host-quorate=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_was_idle_too_long() {
    let console = Running::with(|settings| settings.session_idle = Duration::from_secs(5)).await;
    let cookie = console.session(Duty::Viewer).await;
    assert!(is_signed_in(&console, &cookie).await);
    let stream = console.get("/events?page=rail").header("cookie", &cookie);
    let mut events = Events::of(stream.send().await.unwrap());
    let mut last = events.next().await.unwrap();
    while let Some(event) = events.next().await {
        last = event;
    }
    assert_eq!(last.name, "signed-out");
    assert!(!is_signed_in(&console, &cookie).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_its_time_however_busy_it_is() {
    let console =
        Running::with(|settings| settings.session_absolute = Duration::from_secs(5)).await;
    let cookie = console.session(Duty::Viewer).await;
    assert!(is_signed_in(&console, &cookie).await);
    until("the session's end", async || {
        !is_signed_in(&console, &cookie).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_is_out_at_once() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Viewer).await;
    assert!(is_signed_in(&console, &cookie).await);
    let stream = console.get("/events?page=fleet").header("cookie", &cookie);
    let mut events = Events::of(stream.send().await.unwrap());
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    let who = console.control.command_line_operator();
    console
        .control
        .account_disable(&who, "viewer", true)
        .await
        .unwrap();
    assert!(!is_signed_in(&console, &cookie).await);
    let mut last = String::new();
    while let Some(event) = events.next().await {
        last = event.name;
    }
    assert_eq!(last, "signed-out");
}

/// When the console's one session ends.
async fn end(console: &Running) -> Timestamp {
    let who = console.control.command_line_operator();
    let mut open = console.control.sessions(&who).await.unwrap();
    assert_eq!(open.len(), 1);
    open.remove(0).expires_at
}

/// ASVS 7.2.4. The page that is open is told by the end of its stream and comes back by itself.
#[tokio::test(flavor = "multi_thread")]
async fn with_other_roles_a_session_goes_on_under_a_new_id_and_ends_when_it_would_have() {
    // No silence is as long as a session's life.
    let console = Running::with(|settings| settings.session_idle = settings.session_absolute).await;
    let before = console.session(Duty::Viewer).await;
    let page = |cookie: &str| {
        console
            .get("/access")
            .header("accept", "text/html")
            .header("cookie", cookie)
    };
    let same = page(&before).send().await.unwrap();
    assert!(same.headers().get("set-cookie").is_none());
    let stream = |cookie: &str| console.get("/events?page=fleet").header("cookie", cookie);
    let open = stream(&before).timeout(Duration::from_secs(60));
    let mut events = Events::of(open.send().await.unwrap());
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    let ends = end(&console).await;
    let who = console.control.command_line_operator();
    let grants = vec![Grant::everywhere(Duty::Operator)];
    let changed = console.control.account_grants(&who, "viewer", grants).await;
    changed.unwrap();
    let mut last = String::new();
    while let Some(event) = events.next().await {
        last = event.name;
    }
    assert_ne!(last, "signed-out");
    // As the stream of the page comes back.
    let again = stream(&before).send().await.unwrap();
    let after = cookie(&again);
    assert_ne!(after, before);
    assert_eq!(Events::of(again).next().await.unwrap().name, "snapshot");
    assert!(!is_signed_in(&console, &before).await && is_signed_in(&console, &after).await);
    assert_eq!(end(&console).await, ends);
    let same = page(&after).send().await.unwrap();
    assert!(same.headers().get("set-cookie").is_none());
    let renewed = renewals(&console).await;
    assert_eq!(renewed.len(), 1);
    let mark = renewed[0].source.session.as_deref().unwrap();
    assert!(
        renewed[0].text.contains(&format!("goes on as {mark}")),
        "{}",
        renewed[0].text
    );
}

/// The records of sessions that went on under another id.
async fn renewals(console: &Running) -> Vec<Entry> {
    let who = console.control.command_line_operator();
    let log = console
        .control
        .audit(&who, &Filter::default(), 0, 1_000)
        .await;
    let entries = log.unwrap().items.into_iter();
    entries
        .filter(|entry| entry.action == "session_renewed")
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_a_former_version_goes_on_without_a_word_of_other_roles() {
    let console = Running::start().await;
    let first = console.session(Duty::Viewer).await;
    let id: Id = first.strip_prefix("quorate=").unwrap().parse().unwrap();
    let found = console.control.session_load(&sessions::hash(id)).await;
    let mut record = found.unwrap().unwrap();
    assert!(record.data.remove(sessions::ROLES).is_some());
    let former = Id::default();
    let hash = sessions::hash(former);
    console.control.session_insert(&hash, record).await.unwrap();
    let before = format!("quorate={former}");
    let page = console.get("/access").header("accept", "text/html");
    let page = page.header("cookie", &before).send().await.unwrap();
    let after = cookie(&page);
    assert!(after != before && is_signed_in(&console, &after).await);
    let renewed = renewals(&console).await;
    assert_eq!(renewed.len(), 1);
    let text = &renewed[0].text;
    assert!(text.contains("does not tell which roles"), "{text}");
}

/// What `ask` is answered with an id that was the session's until a moment ago, that id, and the one
/// of now.
async fn asked_late(
    console: &Running,
    mut cookie_now: String,
    ask: impl AsyncFn(&str) -> Response,
) -> (Response, String, String) {
    let who = console.control.command_line_operator();
    // On a machine that is too slow the moment is over before it is asked.
    for duty in [Duty::Operator, Duty::Viewer].into_iter().cycle().take(20) {
        let grants = vec![Grant::everywhere(duty)];
        let changed = console.control.account_grants(&who, "viewer", grants).await;
        changed.unwrap();
        let page = console.get("/access").header("accept", "text/html");
        let page = page.header("cookie", &cookie_now).send().await.unwrap();
        if page.headers().get("set-cookie").is_none() {
            // These are the roles it has.
            continue;
        }
        let former = std::mem::replace(&mut cookie_now, cookie(&page));
        let answer = ask(&former).await;
        if answer.status() == 307 {
            return (answer, former, cookie_now);
        }
    }
    panic!("a former id is never asked to come again");
}

/// What is answered to a former id, for as long as it is one and afterwards.
async fn is_worth_nothing(answer: Response) {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.text().await.unwrap();
    match status.as_u16() {
        307 => assert!(body.is_empty() && headers.get("set-cookie").is_none()),
        303 => assert!(
            headers["location"]
                .to_str()
                .unwrap()
                .starts_with("/sign-in")
        ),
        status => assert_eq!(status, 401, "{body}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_asks_while_the_session_gets_a_new_id_comes_again_and_is_signed_in() {
    let console = Running::start().await;
    let first = console.session(Duty::Viewer).await;
    let page = async |cookie: &str| {
        let page = console.get("/clusters/sim?member=n1");
        page.header("cookie", cookie).send().await.unwrap()
    };
    let (answer, _, now) = asked_late(&console, first, page).await;
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(place, "/clusters/sim?member=n1");
    // It would take the new one away.
    assert!(answer.headers().get("set-cookie").is_none());
    assert_eq!(page(&now).await.status(), 200);

    let out = async |cookie: &str| {
        let out = console.post("/sign-out").header("cookie", cookie);
        out.form(&[]).send().await.unwrap()
    };
    let (answer, _, now) = asked_late(&console, now, out).await;
    assert_eq!(answer.headers()["location"], "/sign-out");
    assert!(is_signed_in(&console, &now).await);
    assert_eq!(out(&now).await.headers()["location"], "/sign-in");
    assert!(!is_signed_in(&console, &now).await);
}

/// A cookie that was stolen before roles rose (ASVS 7.2.4) is worth nothing once they have.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_only_the_former_id_of_a_session_gets_nothing_and_does_nothing() {
    let console = Running::start().await;
    let first = console.session(Duty::Viewer).await;
    let page = async |cookie: &str| {
        let page = console.get("/access").header("accept", "text/html");
        page.header("cookie", cookie).send().await.unwrap()
    };
    let (answer, stolen, now) = asked_late(&console, first, page).await;
    is_worth_nothing(answer).await;
    let with = |request: RequestBuilder| request.header("cookie", &stolen);
    let password = with(console.post("/password")).form(&[("new", PASSWORD)]);
    let out = with(console.post("/sign-out")).form(&[]);
    for request in [with(console.get("/events?page=fleet")), password] {
        is_worth_nothing(request.send().await.unwrap()).await;
    }
    until("the former id is nobody's", async || {
        let answer = page(&stolen).await;
        let over = answer.status() != 307;
        is_worth_nothing(answer).await;
        over
    })
    .await;
    is_worth_nothing(out.send().await.unwrap()).await;
    assert!(is_signed_in(&console, &now).await);
    let who = console.control.command_line_operator();
    let log = console
        .control
        .audit(&who, &Filter::default(), 0, 1_000)
        .await;
    let entries = log.unwrap().items;
    assert!(entries.iter().all(|entry| entry.action != "password_set"));
    assert!(entries.iter().all(|entry| entry.action != "sign_out"));
}
