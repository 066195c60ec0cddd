//! Behind a sign-on proxy a passkey is how somebody proves to be there.

use quorate_domain::action::Verb;

use super::{HERE, Said as _, by_headers};
use crate::{
    authenticator::{Authenticator, Said},
    step_up::{
        HOST, ORIGIN, attribute, fields, made, place, question, remove, rules, told, used, wish,
    },
    support::{Form as _, cookie},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_is_proved_by_a_passkey() {
    let console = by_headers(HERE).await;
    console.control.step_up_rules(rules(Verb::Remove));
    let page = console.get("/access").by_proxy("root", "").send().await;
    let mut session = cookie(&page.unwrap());
    let here = Said::at(ORIGIN, HOST);
    let mut device = Authenticator::new(b"device-1");

    let wish = wish(&console, &remove(), "k-1").await;
    let asked = console.post("/api/ui/submit").json(&wish);
    let asked = asked.header("cookie", &session).by_proxy("root", "");
    let question = question(asked.send().await.unwrap()).await;
    let get = |path: String, session: String| {
        let request = console.get(&path).header("cookie", session);
        async move { request.by_proxy("root", "").send().await.unwrap() }
    };
    let html = get(question.clone(), session.clone()).await;
    let html = html.text().await.unwrap();
    assert!(html.contains("nothing you could prove it by"), "{html}");

    // The first one is taken as it comes, and stands in the log.
    let begun = console.post("/access/passkeys").header("cookie", &session);
    let begun = begun.by_proxy("root", "").form(&[("name", "laptop")]);
    let making = place(&begun.send().await.unwrap());
    assert!(making.starts_with("/access/passkeys/new/"), "{making}");
    let html = get(making.clone(), session.clone()).await;
    let html = html.text().await.unwrap();
    let answer = device.makes(&attribute(&html, "data-challenge"), &here);
    let added = console.post(&making).header("cookie", &session);
    let added = added.by_proxy("root", "").form(&fields(&made(&answer)));
    assert_eq!(
        place(&added.send().await.unwrap()),
        "/access/passkeys?done=added"
    );
    assert_eq!(told(&console, "passkey_added").await.len(), 1);

    let html = get(question.clone(), session.clone()).await;
    let html = html.text().await.unwrap();
    let answer = device.signs(&attribute(&html, "data-challenge"), &here);
    let right = used(&device, &answer);
    // With the session's cookie, but named by the proxy as somebody else.
    let other = console.post(&question).header("cookie", "quorate=none");
    let other = other.by_proxy("anna", "ops").form(&fields(&right));
    let other = other.send().await.unwrap();
    assert!(!place(&other).starts_with("/changes/"));
    let done = console.post(&question).header("cookie", &session);
    let done = done.by_proxy("root", "").form(&fields(&right));
    let done = done.send().await.unwrap();
    assert!(place(&done).starts_with("/changes/"), "{}", place(&done));
    let before = std::mem::replace(&mut session, cookie(&done));
    assert_ne!(session, before);
    let change = get(place(&done), session).await;
    assert_eq!(change.status(), 200);
}
