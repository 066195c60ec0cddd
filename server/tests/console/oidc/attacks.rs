//! Wrong sign-ins. What each stands for: RFC 9700 (code injection, mix-up, cross-site request
//! forgery, open redirection), RFC 9207 (issuer in the answer), OpenID Connect Core 3.1.3.7 (what an
//! ID token must say), RFC 8725 (methods and kinds of tokens).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_domain::audit::Outcome;
use ring::hmac;
use serde_json::{Value, json};

use super::{
    Stage, encoded, identity, parameter, place,
    provider::{CLIENT, Change, Lies, Sign, now},
    session_of,
};
use crate::{assertions::Signer, support::until};

/// Where somebody is sent who is refused, and what is recorded.
const FAILED: &str = "/sign-in?problem=sign-on-failed";
const OVER: &str = "/sign-in?problem=sign-on-over";
/// The same once it is known whose sign-in it is: it still leads on to where they wanted to.
const FAILED_ON_THE_WAY: &str = "/sign-in?problem=sign-on-failed&next=%2Faccess";

impl Stage {
    async fn count(&self, reason: &str) -> usize {
        let failures = self.failures("sign_in").await;
        failures.iter().filter(|text| text.contains(reason)).count()
    }

    /// Coming back like this is refused, recorded and gives no session.
    async fn refuses(&self, to: &str, cookie: &str, page: &str, reason: &str) {
        let before = self.count(reason).await;
        let response = self.comes_back(to, cookie).await;
        assert_eq!(response.status(), 303, "{reason}");
        assert_eq!(place(&response), page, "{reason}");
        assert!(session_of(&response).is_none(), "{reason}");
        assert_eq!(self.count(reason).await, before + 1, "{reason}");
    }

    /// A whole sign-in at a provider that lies is refused.
    async fn refuses_lies(&self, lies: Lies, reason: &str) {
        *self.provider.lies() = lies;
        let (away, browser) = self.begin("/access").await;
        let back = self.answered(&away).await;
        self.refuses(&back, &browser, FAILED_ON_THE_WAY, reason)
            .await;
    }
}

fn claims(change: impl FnMut(&mut Value) + Send + 'static) -> Lies {
    let change: Change = Box::new(change);
    Lies {
        claims: Some(change),
        ..Lies::default()
    }
}

fn with(name: &'static str, value: impl Into<Value>) -> Lies {
    let value = value.into();
    claims(move |claims| claims[name] = value.clone())
}

fn without(name: &'static str) -> Lies {
    claims(move |claims| {
        claims.as_object_mut().unwrap().remove(name);
    })
}

fn signed(sign: impl FnMut(&Signer, &Value) -> String + Send + 'static) -> Lies {
    let sign: Sign = Box::new(sign);
    Lies {
        sign: Some(sign),
        ..Lies::default()
    }
}

/// Not signed at all.
pub fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.",
        part(&json!({ "alg": "none", "kid": "k1" })),
        part(claims)
    )
}

/// With the public key as if it were a shared secret.
pub fn confused(signer: &Signer, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = json!({ "alg": "HS256", "kid": "k1" });
    let message = format!("{}.{}", part(&head), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, signer.pem().as_bytes());
    let tag = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_exactly_right_signs_nobody_in() {
    let stage = Stage::start().await;
    let issuer = stage.provider.issuer().to_owned();
    for (lies, reason) in [
        (with("nonce", "of-another-sign-in"), "nonce"),
        (without("nonce"), "nonce"),
        (with("iss", "https://other.example"), "another issuer"),
        (with("iss", format!("{issuer}/")), "another issuer"),
        (with("aud", "another-client"), "another audience"),
        (with("aud", json!([CLIENT, "another-client"])), "azp"),
        (with("azp", "another-client"), "azp"),
        (with("exp", now() - 60), "expired"),
        (without("exp"), "lacks something"),
        (without("sub"), "lacks something"),
        (without("iat"), "lacks something"),
        (with("nbf", now() + 3_600), "does not hold yet"),
        (with("iat", now() + 3_600), "does not hold yet"),
        (
            with("groups", json!([{ "name": "ops" }])),
            "no identity holds",
        ),
        (with("sub", "a\u{202e}b"), "no identity holds"),
        (
            signed(|_, claims| unsigned(claims)),
            "method that is not allowed",
        ),
        (signed(confused), "method that is not allowed"),
        (
            signed(|_, claims| Signer::new("k1").token(claims)),
            "signature is wrong",
        ),
        (
            signed(|_, claims| Signer::new("k2").token(claims)),
            "does not have",
        ),
        // A logout token is for the same audience, and by the same key.
        (
            claims(|claims| {
                claims["events"] = json!({
                    "http://schemas.openid.net/event/backchannel-logout": {}
                })
            }),
            "another kind",
        ),
        (
            signed(|signer, claims| {
                let head = json!({ "alg": "ES256", "kid": "k1", "typ": "logout+jwt" });
                signer.token_with(&head, claims)
            }),
            "another kind",
        ),
    ] {
        stage.refuses_lies(lies, reason).await;
    }
    *stage.provider.lies() = Lies::default();
    stage.session().await;
}

/// Mix-up: the browser brings back the answer of another provider.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_issuer_is_refused_before_its_code_is_used() {
    let stage = Stage::start().await;
    for issuer in [None, Some("https://other.example".to_owned())] {
        let lies = Lies {
            answer_issuer: Some(issuer),
            ..Lies::default()
        };
        stage.refuses_lies(lies, "names another issuer").await;
    }
    assert!(stage.provider.redeemed().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_good_once_and_in_the_browser_that_began() {
    let stage = Stage::start().await;
    let (away, browser) = stage.begin("/access").await;
    let back = stage.answered(&away).await;
    let response = stage.comes_back(&back, &browser).await;
    let session = session_of(&response).unwrap();
    stage.refuses(&back, &browser, OVER, "used already").await;
    assert!(stage.sees(&session).await);

    let (others, others_browser) = stage.begin("/access").await;
    let others = stage.answered(&others).await;
    stage.refuses(&others, "", OVER, "another browser").await;
    // Under the name that this state's cookie has, what another browser keeps.
    let (away, browser) = stage.begin("/access").await;
    let back = stage.answered(&away).await;
    let name = browser.split_once('=').unwrap().0;
    let value = others_browser.split_once('=').unwrap().1;
    let stolen = format!("{name}={value}");
    stage.refuses(&back, &stolen, OVER, "another browser").await;
    // Which of two would count is nobody's to choose.
    let (away, browser) = stage.begin("/access").await;
    let back = stage.answered(&away).await;
    let twice = format!("{browser}; {name}=x; {browser}");
    stage.refuses(&back, &twice, OVER, "another browser").await;
    // Both were used up by that: their own browsers come too late.
    stage
        .refuses(&others, &others_browser, OVER, "used already")
        .await;
    stage.refuses(&back, &browser, OVER, "used already").await;

    let made_up = format!(
        "{}/sign-in/callback?code=c&state=made-up",
        stage.console.origin
    );
    stage.refuses(&made_up, "", OVER, "not begun here").await;
    let without = format!("{}/sign-in/callback?code=c", stage.console.origin);
    stage.refuses(&without, "", OVER, "not begun here").await;
    let (away, browser) = stage.begin("/access").await;
    let state = parameter(&away, "state");
    let twice = format!(
        "{}/sign-in/callback?code=c&state={state}&state={state}",
        stage.console.origin
    );
    stage
        .refuses(&twice, &browser, FAILED, "not understood")
        .await;
}

/// Code injection: what belongs to somebody else's sign-in does not fit this one's verifier, and
/// where a provider does not look at verifiers, not its nonce (above).
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_code_is_of_no_use_to_the_thief() {
    let stage = Stage::start().await;
    let (victims, _) = stage.begin("/access").await;
    let victims = stage.answered(&victims).await;
    let (away, browser) = stage.begin("/access").await;
    let state = parameter(&away, "state");
    let issuer = encoded(stage.provider.issuer());
    let to = |code: &str| {
        let origin = &stage.console.origin;
        format!("{origin}/sign-in/callback?code={code}&state={state}&iss={issuer}")
    };
    let code = parameter(&victims, "code");
    stage
        .refuses(&to(&code), &browser, FAILED_ON_THE_WAY, "invalid_grant")
        .await;
    let redirect = parameter(&away, "redirect_uri");
    let nonce = parameter(&away, "nonce");
    let code = stage.provider.foreign_code(&nonce, &redirect);
    let (away, browser) = stage.begin("/access").await;
    let state = parameter(&away, "state");
    let to = format!(
        "{}/sign-in/callback?code={code}&state={state}&iss={issuer}",
        stage.console.origin
    );
    stage
        .refuses(&to, &browser, FAILED_ON_THE_WAY, "invalid_grant")
        .await;
    for failure in stage.failures("sign_in").await {
        assert!(!failure.contains("a detail"), "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_says_instead_of_a_code_is_recorded_and_not_repeated_blindly() {
    let stage = Stage::start().await;
    let issuer = encoded(stage.provider.issuer());
    for (error, reason) in [
        ("access_denied", "the provider answered access_denied."),
        ("%3Cscript%3E", "the provider answered an error of its own."),
    ] {
        let (away, browser) = stage.begin("/access").await;
        let state = parameter(&away, "state");
        let to = format!(
            "{}/sign-in/callback?error={error}&error_description=x&state={state}&iss={issuer}",
            stage.console.origin
        );
        let page = "/sign-in?problem=sign-on-denied&next=%2Faccess";
        stage.refuses(&to, &browser, page, reason).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_another_site_nor_by_one() {
    let stage = Stage::start().await;
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/sign-in/oidc",
    ] {
        let (away, browser) = stage.begin(next).await;
        assert!(!away.contains("evil"), "{away}");
        let back = stage.answered(&away).await;
        assert_eq!(
            place(&stage.comes_back(&back, &browser).await),
            "/",
            "{next}"
        );
    }
    for site in ["cross-site", "same-site"] {
        let request = stage
            .console
            .get("/sign-in/oidc")
            .header("sec-fetch-site", site);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 403, "{site}");
        assert!(response.headers().get("set-cookie").is_none());
    }
}

/// Session fixation: whoever knows the cookie of before knows nothing of the session after.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_begins_a_new_session_and_ends_the_one_before() {
    let stage = Stage::start().await;
    let first = stage.session().await;
    *stage.provider.lies() = with("sub", "4712");
    let (away, browser) = stage.begin("/access").await;
    let back = stage.answered(&away).await;
    let both = format!("{browser}; {first}");
    let second = session_of(&stage.comes_back(&back, &both).await).unwrap();
    assert_ne!(first, second);
    assert!(!stage.sees(&first).await && stage.sees(&second).await);
    let changed = stage.log("identity_changed").await;
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].outcome, Some(Outcome::Succeeded));
    assert!(changed[0].text.contains("4711"), "{}", changed[0].text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_describes_another_or_is_unprotected_is_not_believed() {
    let stage = Stage::start().await;
    for (wrong, reason) in [
        (
            json!({ "token_endpoint": "http://id.example/token" }),
            "not understood",
        ),
        (
            json!({ "jwks_uri": "http://id.example/keys" }),
            "not understood",
        ),
        (
            json!({ "issuer": "https://other.example" }),
            "another issuer",
        ),
    ] {
        stage.provider.lies().discovery = Some(wrong);
        let identity = identity(&stage.provider, "");
        let found = identity.oidc().unwrap().diagnose().await;
        let found = found.unwrap_err().to_string();
        assert!(found.contains(reason), "{found}");
    }
    let response = stage.console.get("/sign-in/oidc").send().await.unwrap();
    assert_eq!(place(&response), FAILED);
    assert!(response.headers().get("set-cookie").is_none());
    assert_eq!(stage.count("another issuer").await, 1);
    // Asked again, though not for each request.
    stage.provider.lies().discovery = None;
    until("the provider is asked again", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let response = stage.console.get("/sign-in/oidc").send().await.unwrap();
        response.headers().get("set-cookie").is_some()
    })
    .await;
}
