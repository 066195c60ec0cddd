//! Signing out: here, at the provider, and there without coming by here (back-channel).

use quorate_domain::audit::{Means, Outcome};
use serde_json::{Value, json};

use super::{
    SOON, Stage,
    attacks::{confused, unsigned},
    place,
    provider::{CLIENT, now},
};
use crate::{
    assertions::Signer,
    support::{Events, Form as _},
};

impl Stage {
    pub(super) async fn tells(&self, token: &str) -> u16 {
        let request = self.console.call("POST", "/back-channel-logout");
        let response = request
            .form(&[("logout_token", token)])
            .send()
            .await
            .unwrap();
        assert!(response.headers().get("set-cookie").is_none());
        response.status().as_u16()
    }

    /// What the provider tells when its session of this name ends.
    pub(super) fn left(&self, sid: &str) -> String {
        let mut claims = self.provider.logout(&format!("of {sid}"));
        claims["sid"] = sid.into();
        claims.as_object_mut().unwrap().remove("sub");
        self.provider.logout_token(&claims)
    }

    async fn session_with_sid(&self, sid: &str) -> String {
        let sid = sid.to_owned();
        self.provider.lies().claims =
            Some(Box::new(move |claims| claims["sid"] = sid.clone().into()));
        self.session().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_at_the_provider_is_signed_out_here_with_every_stream() {
    let stage = Stage::start().await;
    let session = stage.session().await;
    let open = stage
        .console
        .get("/events?page=fleet")
        .header("cookie", &session);
    let mut events = Events::of(open.timeout(SOON).send().await.unwrap());
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    let token = stage.provider.logout_token(&stage.provider.logout("j-1"));
    assert_eq!(stage.tells(&token).await, 200);
    let mut last = String::new();
    while let Some(event) = events.next().await {
        last = event.name;
    }
    assert_eq!(last, "signed-out");
    assert!(!stage.sees(&session).await);
    let entry = stage.log("sign_out").await.remove(0);
    assert_eq!(entry.outcome, Some(Outcome::Succeeded));
    assert_eq!(
        (entry.actor.subject.as_str(), entry.actor.means),
        ("4711", Means::Oidc)
    );
    assert!(entry.text.contains("1 sessions ended"), "{}", entry.text);
    // Replayed, it does not end the session that began since.
    let session = stage.session().await;
    assert_eq!(stage.tells(&token).await, 400);
    assert!(stage.sees(&session).await);
    let failures = stage.failures("sign_out").await;
    assert!(
        failures.iter().any(|text| text.contains("used already")),
        "{failures:?}"
    );
}

/// OpenID Connect Back-Channel Logout 1.0, 2.7: of a sign-in that is under way there is no session
/// yet that could be ended.
#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_at_the_provider_while_signing_in_here_does_not_get_in() {
    let stage = Stage::start().await;
    let (away, browser) = stage.begin("/access").await;
    let back = stage.answered(&away).await;
    let token = stage.provider.logout_token(&stage.provider.logout("j-1"));
    assert_eq!(stage.tells(&token).await, 200);
    let refused = stage.comes_back(&back, &browser).await;
    let to = place(&refused);
    assert!(to.starts_with("/sign-in?problem=sign-on-over"), "{to}");
    assert!(super::session_of(&refused).is_none());
    let who = stage.console.control.command_line_operator();
    let open = stage.console.control.sessions(&who).await.unwrap();
    assert!(open.is_empty(), "{open:?}");
    let failures = stage.failures("sign_in").await;
    assert!(
        failures
            .iter()
            .any(|text| text.contains("signed out at the provider"))
    );
    // Begun afterwards, it is another sign-in.
    let session = stage.session().await;
    assert!(stage.sees(&session).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_of_one_session_ends_that_one_alone() {
    let stage = Stage::start().await;
    let (first, second) = (
        stage.session_with_sid("s-1").await,
        stage.session_with_sid("s-2").await,
    );
    assert_eq!(stage.tells(&stage.left("s-1")).await, 200);
    assert!(!stage.sees(&first).await && stage.sees(&second).await);
    // Somebody else's leaving is nothing to them.
    let mut claims = stage.provider.logout("j-2");
    claims["sub"] = "4712".into();
    assert_eq!(
        stage.tells(&stage.provider.logout_token(&claims)).await,
        200
    );
    assert!(stage.sees(&second).await);
}

/// OpenID Connect Back-Channel Logout 2.6; better-auth#9304, thunderid#5434.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_logout_token_signs_nobody_out() {
    let stage = Stage::start().await;
    let session = stage.session().await;
    let provider = &stage.provider;
    let with = |name: &str, value: Value| {
        let mut claims = provider.logout("j");
        claims[name] = value;
        provider.logout_token(&claims)
    };
    let without = |name: &str| {
        let mut claims = provider.logout("j");
        claims.as_object_mut().unwrap().remove(name);
        provider.logout_token(&claims)
    };
    let whole = provider.logout("j");
    let id_token = json!({
        "iss": provider.issuer(), "aud": CLIENT, "sub": "4711", "sid": "s-1", "jti": "j",
        "iat": now(), "exp": now() + 600, "nonce": "n",
    });
    let typed = |typ: &str| {
        let head = json!({ "alg": "ES256", "kid": "k1", "typ": typ });
        provider.signer().token_with(&head, &whole)
    };
    for (token, reason) in [
        (provider.signer().token(&id_token), "another kind"),
        (typed("at+jwt"), "another kind"),
        (with("nonce", "n".into()), "another kind"),
        (without("events"), "another kind"),
        (with("events", json!({})), "another kind"),
        (
            with(
                "events",
                json!(["http://schemas.openid.net/event/backchannel-logout"]),
            ),
            "another kind",
        ),
        (
            with("iss", "https://other.example".into()),
            "another issuer",
        ),
        (with("aud", "another-client".into()), "another audience"),
        (with("exp", (now() - 60).into()), "expired"),
        (with("iat", (now() + 3_600).into()), "does not hold yet"),
        (with("iat", (now() - 7_200).into()), "expired"),
        (without("iat"), "lacks something"),
        (without("exp"), "lacks something"),
        (without("jti"), "lacks something"),
        (without("sub"), "lacks something"),
        (with("sub", 4711.into()), "no identity holds"),
        (unsigned(&whole), "method that is not allowed"),
        (
            confused(provider.signer(), &whole),
            "method that is not allowed",
        ),
        (Signer::new("k1").token(&whole), "signature is wrong"),
        ("x".to_owned(), "no identity holds"),
    ] {
        let count = async || {
            let failures = stage.failures("sign_out").await;
            failures.iter().filter(|text| text.contains(reason)).count()
        };
        let before = count().await;
        assert_eq!(stage.tells(&token).await, 400, "{reason}");
        assert_eq!(count().await, before + 1, "{reason}");
    }
    let form = stage
        .console
        .call("POST", "/back-channel-logout")
        .form(&[("token", "x")]);
    assert_eq!(form.send().await.unwrap().status(), 400);
    assert!(stage.sees(&session).await);
    // None of them has used up the name that they had.
    assert_eq!(stage.tells(&provider.logout_token(&whole)).await, 200);
    assert!(!stage.sees(&session).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_here_goes_on_at_the_provider_without_any_token() {
    let stage = Stage::start().await;
    let session = stage.session().await;
    let out = stage.console.post("/sign-out").header("cookie", &session);
    let response = out.form(&[]).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let html = response.text().await.unwrap();
    let issuer = stage.provider.issuer();
    let back: String = url::form_urlencoded::byte_serialize(
        format!("{}/sign-in", stage.console.origin).as_bytes(),
    )
    .collect();
    let place = format!(
        "{issuer}/leave?theme=%22dark%22&amp;client_id={CLIENT}&amp;post_logout_redirect_uri={back}"
    );
    assert!(
        html.contains(&format!("content=\"0; url={place}\"")),
        "{html}"
    );
    assert!(html.contains(&format!("href=\"{place}\"")), "{html}");
    assert!(!stage.sees(&session).await);
    let entry = stage.log("sign_out").await.remove(0);
    assert_eq!(
        (entry.actor.subject.as_str(), entry.actor.means),
        ("4711", Means::Oidc)
    );
    let again = stage
        .console
        .call("POST", "/sign-out")
        .header("sec-fetch-site", "cross-site");
    assert_eq!(again.form(&[]).send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_provider_offers_no_sign_out_the_page_says_so() {
    let stage = Stage::start().await;
    stage.provider.lies().discovery = Some(json!({ "end_session_endpoint": null }));
    let session = stage.session().await;
    let out = stage.console.post("/sign-out").header("cookie", &session);
    let response = out.form(&[]).send().await.unwrap();
    assert_eq!(
        place(&response),
        "/sign-in?problem=sign-out-at-the-provider"
    );
    let page = stage.console.get(&place(&response)).send().await.unwrap();
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("the provider still knows you")
    );
}
