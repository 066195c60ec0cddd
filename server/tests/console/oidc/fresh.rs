//! A fresh sign-in as the proof that somebody is there: asked for as one, believed only as one.

use quorate_domain::{
    action::{Action, Verb},
    audit::Outcome,
};

use super::{SOON, Stage, parameter, place, provider::now, session_of};
use crate::{
    step_up::{question, rules, wish},
    support::{Events, cookie},
};

fn transfer() -> Action {
    Action::Transfer {
        member: Some("n2".into()),
    }
}

impl Stage {
    /// Somebody signed in whose wish to transfer waits for a proof: their session, the question.
    async fn asked(&self) -> (String, String) {
        self.console.control.step_up_rules(rules(Verb::Transfer));
        let session = self.session().await;
        let wish = wish(&self.console, &transfer(), "k-1").await;
        let request = self.console.post("/api/ui/submit").json(&wish);
        let request = request.header("cookie", &session);
        let question = question(request.send().await.unwrap()).await;
        (session, question)
    }

    /// Off to the provider, and where that sends the browser back to; with the browser's cookies.
    async fn answers(&self, session: &str, question: &str) -> (String, String) {
        let path = format!("{question}/sign-in");
        let away = self.console.get(&path).header("cookie", session);
        let away = away.send().await.unwrap();
        let (to, browser) = (place(&away), cookie(&away));
        assert_eq!(parameter(&to, "prompt"), "login");
        assert_eq!(parameter(&to, "max_age"), "0");
        (self.answered(&to).await, format!("{session}; {browser}"))
    }

    /// A fresh sign-in is in another session of the provider's, with these groups.
    fn signs_in_anew(&self, groups: &'static [&'static str]) {
        self.provider.lies().claims = Some(Box::new(move |claims| {
            claims["auth_time"] = now().into();
            claims["sid"] = "s-2".into();
            claims["groups"] = groups.into();
        }));
    }

    fn says_when(&self, auth_time: Option<u64>) {
        self.provider.lies().claims = Some(Box::new(move |claims| match auth_time {
            Some(at) => claims["auth_time"] = at.into(),
            None => {
                claims.as_object_mut().unwrap().remove("auth_time");
            }
        }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_sign_in_proves_it_and_the_change_goes_on() {
    let stage = Stage::start().await;
    let (session, question) = stage.asked().await;
    let page = stage.console.get(&question).header("cookie", &session);
    let html = page.send().await.unwrap().text().await.unwrap();
    assert!(html.contains("Sign in again with"), "{html}");
    assert!(!html.contains("type=\"password\""), "{html}");
    // Of when it is signed, which on a busy machine is not now.
    stage.provider.lies().claims = Some(Box::new(|claims| claims["auth_time"] = now().into()));
    let (back, cookies) = stage.answers(&session, &question).await;
    let done = stage.comes_back(&back, &cookies).await;
    assert!(place(&done).starts_with("/changes/"), "{}", place(&done));
    let after = session_of(&done).expect("a new session id");
    assert_ne!(after, session);
    assert!(stage.sees(&after).await && !stage.sees(&session).await);
    let proof = stage.log("step_up").await.pop().unwrap();
    assert_eq!(proof.outcome, Some(Outcome::Succeeded));
    assert_eq!(proof.seen["method"], "sign-in");
    assert!(proof.seen["auth_time"].is_u64(), "{}", proof.seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_sign_in_or_another_persons_proves_nothing() {
    let stage = Stage::start().await;
    let (session, question) = stage.asked().await;
    let failed = format!("{question}?problem=sign-in-failed");
    for (auth_time, why) in [
        (None, "did not say when"),
        (Some(now() - 7_200), "an earlier sign-in"),
        // Of just before the provider was asked: nobody was there again.
        (Some(now() - 200), "an earlier sign-in"),
        (Some(now() + 7_200), "in the future"),
    ] {
        stage.says_when(auth_time);
        let (back, cookies) = stage.answers(&session, &question).await;
        let response = stage.comes_back(&back, &cookies).await;
        assert_eq!(place(&response), failed, "{why}");
        let told = stage.log("step_up").await.pop().unwrap();
        assert_eq!(told.outcome, Some(Outcome::Failed));
        assert!(told.text.contains(why), "{why}: {}", told.text);
    }
    stage.provider.lies().claims = Some(Box::new(|claims| {
        claims["sub"] = "4712".into();
        claims["auth_time"] = now().into();
    }));
    let (back, cookies) = stage.answers(&session, &question).await;
    let response = stage.comes_back(&back, &cookies).await;
    assert_eq!(place(&response), failed);
    let told = stage.log("step_up").await.pop().unwrap();
    assert!(told.text.contains("another person's"), "{}", told.text);
    // Who was signed in still is, and nobody else.
    assert!(session_of(&response).is_none() && stage.sees(&session).await);
    // Come back to a browser that is not signed in, it signs nobody in.
    stage.says_when(Some(now()));
    let (back, cookies) = stage.answers(&session, &question).await;
    let browser = cookies.split_once("; ").unwrap().1;
    let response = stage.comes_back(&back, browser).await;
    assert!(session_of(&response).is_none());
    assert!(stage.console.cluster.sent().is_empty());
}

/// OpenID Connect Back-Channel Logout 1.0, 2.7: a sign-out names the session that the provider has now.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_fresh_sign_in_the_session_has_the_providers_new_name() {
    let stage = Stage::start().await;
    let (session, question) = stage.asked().await;
    let open = stage.console.get("/events?page=fleet");
    let open = open.header("cookie", &session).timeout(SOON);
    let mut events = Events::of(open.send().await.unwrap());
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    stage.signs_in_anew(&["ops"]);
    let (back, cookies) = stage.answers(&session, &question).await;
    let after = session_of(&stage.comes_back(&back, &cookies).await).expect("a new session id");
    // A page that was open beside it comes back with the new id; nobody was signed out.
    let mut last = String::new();
    while let Some(event) = events.next().await {
        last = event.name;
    }
    assert_ne!(last, "signed-out");
    // The provider's earlier session is none of this one's any more.
    assert_eq!(stage.tells(&stage.left("s-1")).await, 200);
    assert!(stage.sees(&after).await);
    assert_eq!(stage.tells(&stage.left("s-2")).await, 200);
    assert!(!stage.sees(&after).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_at_the_provider_during_a_fresh_sign_in_is_out_and_nothing_is_done() {
    let stage = Stage::start().await;
    let (session, question) = stage.asked().await;
    stage.signs_in_anew(&["ops"]);
    let (back, cookies) = stage.answers(&session, &question).await;
    assert_eq!(stage.tells(&stage.left("s-2")).await, 200);
    assert!(stage.sees(&session).await, "it has not the name yet");
    let over = stage.comes_back(&back, &cookies).await;
    assert_eq!(place(&over), "/sign-in?problem=sign-on-over");
    assert!(session_of(&over).is_none() && !stage.sees(&session).await);
    assert!(stage.console.cluster.sent().is_empty());
    let failures = stage.failures("sign_in").await;
    let told = failures
        .iter()
        .any(|text| text.contains("signed out at the provider"));
    assert!(told, "{failures:?}");
}

/// Who has left the group since they signed in proves that they are there, and may not do it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_proved_by_a_fresh_sign_in_is_judged_by_its_groups() {
    let stage = Stage::start().await;
    let (session, question) = stage.asked().await;
    stage.signs_in_anew(&["others"]);
    let (back, cookies) = stage.answers(&session, &question).await;
    let refused = stage.comes_back(&back, &cookies).await;
    let status = refused.status().as_u16();
    assert!(matches!(status, 403 | 404), "{status}");
    assert!(stage.console.cluster.sent().is_empty());
    let after = session_of(&refused).expect("a new session id");
    let page = stage.console.get("/clusters/sim").header("cookie", &after);
    assert_eq!(page.send().await.unwrap().status(), 404);
}
