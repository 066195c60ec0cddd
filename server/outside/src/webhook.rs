//! A webhook: what is copied or delivered is the body of a POST, and an answer of 200 to 299 says
//! that it is kept. With a shared secret the call is signed, time and number included, so that
//! whoever takes it can tell that it is ours, new, and not seen before.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use quorate_audit::manifest::hex;
use quorate_control::{Content, Outside, Parcel, Recipient, ReportFile, Terms};
use quorate_drivers::Secret;
use reqwest::{Client, RequestBuilder, header};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{Named, OutsideError, Tls, calling, seconds_since_epoch};

pub struct WebhookSettings {
    pub named: Named,
    pub url: Url,
    /// Sent as a bearer token.
    pub token: Option<Secret>,
    /// Signs every call.
    pub secret: Option<Secret>,
    pub tls: Tls,
}

pub struct Webhook {
    client: Client,
    settings: WebhookSettings,
}

/// What is signed of a call beside its body.
struct Call<'a> {
    what: &'static str,
    log: &'a str,
    /// Tells two calls apart that are the same: entries, or a file's name.
    sequence: &'a str,
    sha256: [u8; 32],
}

impl Webhook {
    /// # Errors
    /// If the certificates cannot be used.
    pub fn new(settings: WebhookSettings) -> Result<Self, OutsideError> {
        Ok(Self {
            client: calling::client(&settings.tls)?,
            settings,
        })
    }

    /// Whether the address can be reached at all: any answer will do. Sends nothing of the log.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn diagnose(&self) -> Result<(), String> {
        let request = self.client.head(self.settings.url.clone());
        calling::send(request).await.map(|_| ())
    }

    fn post(&self, call: &Call<'_>, media: &str) -> RequestBuilder {
        let time = seconds_since_epoch().to_string();
        let digest = format!("sha-256=:{}:", STANDARD.encode(call.sha256));
        let mut request = self
            .client
            .post(self.settings.url.clone())
            .header(header::CONTENT_TYPE, media)
            .header("content-digest", digest)
            .header("quorate-what", call.what)
            .header("quorate-sequence", call.sequence)
            .header("quorate-timestamp", &time);
        if !call.log.is_empty() {
            request = request.header("quorate-log", call.log);
        }
        if let Some(token) = &self.settings.token {
            request = request.bearer_auth(token.reveal());
        }
        if let Some(secret) = &self.settings.secret {
            let signed = signature(secret, &time, call.what, call.sequence, &call.sha256);
            request = request.header("quorate-signature", signed);
        }
        request
    }
}

/// `v1=` and the HMAC-SHA256, in hexadecimal, of four lines: the timestamp, what it is, its
/// sequence, and the SHA-256 of the body in hexadecimal; no line end behind the last.
#[must_use]
pub fn signature(
    secret: &Secret,
    timestamp: &str,
    what: &str,
    sequence: &str,
    sha256: &[u8; 32],
) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let text = format!("{timestamp}\n{what}\n{sequence}\n{}", hex(sha256));
    let tag = hmac::sign(&key, text.as_bytes());
    let hex: String = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    format!("v1={hex}")
}

impl Outside for Webhook {
    fn name(&self) -> &str {
        &self.settings.named.name
    }

    fn terms(&self) -> &Terms {
        &self.settings.named.terms
    }

    fn keep<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), String>> {
        let body = parcel.body();
        let (what, media) = match &parcel.content {
            Content::Checkpoint { .. } => ("checkpoint", "text/plain; charset=utf-8"),
            Content::Entries(_) => ("entries", "application/jsonl"),
        };
        Box::pin(async move {
            let sequence = parcel.size.to_string();
            let call = Call {
                what,
                log: &parcel.log,
                sequence: &sequence,
                sha256: Sha256::digest(&body).into(),
            };
            let request = self.post(&call, media).body(body);
            calling::taken(calling::send(request).await?).await
        })
    }

    fn kept<'a>(
        &'a self,
        _log: &'a str,
        _size: u64,
    ) -> BoxFuture<'a, Result<Option<String>, String>> {
        // A webhook takes and does not tell.
        Box::pin(async { Ok(None) })
    }
}

impl Recipient for Webhook {
    fn name(&self) -> &str {
        &self.settings.named.name
    }

    fn deliver<'a>(&'a self, file: &'a ReportFile) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let call = Call {
                what: "report",
                log: "",
                sequence: &file.name,
                sha256: file.sha256,
            };
            // A report's name is of plain letters: see its plan.
            let named = format!("attachment; filename=\"{}\"", file.name);
            let request = self
                .post(&call, &file.media)
                .header(header::CONTENT_DISPOSITION, named)
                .header("quorate-report", &file.report);
            calling::taken(calling::send_file(request, file).await?).await
        })
    }
}
