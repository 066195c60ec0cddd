//! Copies of the audit log's checkpoints outside of the console: files and webhooks.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use futures::future::BoxFuture;
use quorate_control::{Outside, OutsideFile};
use quorate_drivers::Secret;
use reqwest::{Client, header, redirect::Policy};
use url::Url;

use crate::configuration::Copies;

const TIMEOUT: Duration = Duration::from_secs(8);

/// The configured places.
///
/// # Errors
/// If the token cannot be read.
pub fn places(copies: &Copies) -> anyhow::Result<Vec<Arc<dyn Outside>>> {
    let mut places: Vec<Arc<dyn Outside>> = Vec::new();
    for file in &copies.files {
        places.push(Arc::new(OutsideFile::new(file.clone())));
    }
    let token = match &copies.token_file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Some(Secret::new(text.trim()))
        }
        None => None,
    };
    for url in &copies.webhooks {
        places.push(Arc::new(Webhook::new(url.clone(), token.clone())?));
    }
    Ok(places)
}

/// A checkpoint is sent as the body of a POST; an answer of 200 to 299 says that it is kept.
pub struct Webhook {
    client: Client,
    url: Url,
    token: Option<Secret>,
    name: String,
}

impl Webhook {
    /// # Errors
    /// If no client can be made.
    pub fn new(url: Url, token: Option<Secret>) -> anyhow::Result<Self> {
        // No redirects: a token is not for whoever is named there.
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        // Neither the path nor the query: they may hold a secret.
        let name = format!("webhook {}", url.origin().ascii_serialization());
        Ok(Self {
            client,
            url,
            token,
            name,
        })
    }
}

impl Outside for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn keep<'a>(&'a self, note: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut request = self
                .client
                .post(self.url.clone())
                .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
                .body(note.to_owned());
            if let Some(token) = &self.token {
                request = request.bearer_auth(token.reveal());
            }
            match request.send().await {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(format!("it answers {}", answer.status().as_u16())),
                Err(error) if error.is_timeout() => Err("it does not answer in time".to_owned()),
                Err(_) => Err("it cannot be reached".to_owned()),
            }
        })
    }

    fn kept(&self) -> BoxFuture<'_, Result<Option<String>, String>> {
        // A webhook takes and does not tell.
        Box::pin(async { Ok(None) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::{Router, http::StatusCode, routing::post};
    use tokio::sync::mpsc;

    use super::*;

    /// A keeper that answers `status`, and what it was sent.
    async fn keeper(status: StatusCode) -> (Url, mpsc::UnboundedReceiver<(String, String)>) {
        let (sent, received) = mpsc::unbounded_channel();
        let answer = move |headers: axum::http::HeaderMap, body: String| async move {
            let token = headers
                .get("authorization")
                .map_or("", |it| it.to_str().unwrap_or(""));
            sent.send((token.to_owned(), body)).unwrap();
            status
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/keep", post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (
            Url::parse(&format!("http://{address}/keep?key=hidden")).unwrap(),
            received,
        )
    }

    #[tokio::test]
    async fn a_webhook_is_sent_the_note_and_must_say_that_it_keeps_it() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (url, mut received) = keeper(StatusCode::NO_CONTENT).await;
        let webhook = Webhook::new(url, Some(Secret::new("t0ken"))).unwrap();
        webhook.keep("the note\n").await.unwrap();
        let got = received.recv().await.unwrap();
        assert_eq!(got, ("Bearer t0ken".to_owned(), "the note\n".to_owned()));
        assert!(!webhook.name().contains("hidden"));
        for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::FOUND] {
            let (url, _received) = keeper(status).await;
            let webhook = Webhook::new(url, None).unwrap();
            assert!(webhook.keep("the note\n").await.is_err());
        }
        let nobody = Url::parse("http://127.0.0.1:1/").unwrap();
        let error = Webhook::new(nobody, None).unwrap().keep("the note\n").await;
        assert_eq!(error, Err("it cannot be reached".to_owned()));
    }
}
