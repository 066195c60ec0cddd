//! An issuer's keys come and go while people are signed in.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use quorate::identity::{Doubt, Patience, Place, Preset};
use serde_json::json;

use super::{NOW, Signer, ask, claims, expecting, keys};

/// Answers with what `body` holds, and counts how often it was asked.
pub async fn serve(body: Arc<Mutex<String>>) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let answer = axum::routing::get(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let text = body.lock().unwrap().clone();
        async move {
            let status = if text.is_empty() { 500 } else { 200 };
            (axum::http::StatusCode::from_u16(status).unwrap(), text)
        }
    });
    let router = axum::Router::new().fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/keys"), asked)
}

fn hasty() -> Patience {
    Patience {
        refresh_after: Duration::from_millis(1),
        at_least: Duration::ZERO,
        ..Patience::default()
    }
}

#[tokio::test]
async fn keys_rotate_with_both_valid_meanwhile_and_one_that_was_taken_back_is_gone() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let set = |signers: &[&Signer]| {
        json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() }).to_string()
    };
    let body = Arc::new(Mutex::new(set(&[&old])));
    let (url, _asked) = serve(Arc::clone(&body)).await;
    let identity = expecting(
        Preset::Generic,
        keys(Place::Url(url.parse().unwrap()), hasty()),
    );
    let says = async |signer: &Signer| {
        ask(
            &identity,
            &[("x-assertion", &signer.token(&claims(NOW)))],
            NOW,
        )
        .await
        .map(|known| known.is_some())
    };
    assert_eq!(says(&old).await, Ok(true));
    assert_eq!(says(&new).await, Err(Doubt::UnknownKey));
    *body.lock().unwrap() = set(&[&old, &new]);
    assert_eq!(says(&new).await, Ok(true));
    assert_eq!(says(&old).await, Ok(true));
    *body.lock().unwrap() = set(&[&new]);
    crate::support::until("the old key is gone", async || {
        says(&old).await == Err(Doubt::UnknownKey)
    })
    .await;
    // An issuer that is away for a moment does not shut everybody out.
    body.lock().unwrap().clear();
    assert_eq!(says(&new).await, Ok(true));
}

#[tokio::test]
async fn made_up_key_names_do_not_make_the_console_ask_each_time() {
    let signer = Signer::new("k1");
    let body = Arc::new(Mutex::new(json!({ "keys": [signer.jwk()] }).to_string()));
    let (url, asked) = serve(body).await;
    let identity = expecting(
        Preset::Generic,
        keys(Place::Url(url.parse().unwrap()), Patience::default()),
    );
    let good = signer.token(&claims(NOW));
    assert!(
        ask(&identity, &[("x-assertion", &good)], NOW)
            .await
            .unwrap()
            .is_some()
    );
    for number in 0..50 {
        let head = json!({ "alg": "ES256", "kid": format!("made-up-{number}") });
        let token = signer.token_with(&head, &claims(NOW));
        assert_eq!(
            ask(&identity, &[("x-assertion", &token)], NOW).await,
            Err(Doubt::UnknownKey)
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(
        ask(&identity, &[("x-assertion", &good)], NOW)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn keys_that_are_too_old_are_no_keys() {
    let signer = Signer::new("k1");
    let body = Arc::new(Mutex::new(json!({ "keys": [signer.jwk()] }).to_string()));
    let (url, _asked) = serve(Arc::clone(&body)).await;
    let patience = Patience {
        gone_after: Duration::from_millis(50),
        ..hasty()
    };
    let identity = expecting(
        Preset::Generic,
        keys(Place::Url(url.parse().unwrap()), patience),
    );
    let token = signer.token(&claims(NOW));
    let says = async || {
        ask(&identity, &[("x-assertion", &token)], NOW)
            .await
            .map(|known| known.is_some())
    };
    assert_eq!(says().await, Ok(true));
    body.lock().unwrap().clear();
    crate::support::until("the keys are too old", async || {
        says().await == Err(Doubt::NoKeys)
    })
    .await;
}
