//! One request and its answer, bounded in time and size.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    RequestBuilder, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use super::{STATUS_LIMIT, wire::Wire};
use crate::Secret;

/// A request that has not been sent yet.
#[derive(Debug)]
pub struct Call {
    request: RequestBuilder,
    url: Url,
    wait: Duration,
    limit: usize,
    broken: Option<Wire>,
}

/// A complete answer of any status.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Bytes,
    /// The certificate (DER) the peer has shown; `None` by plain HTTP.
    pub certificate: Option<Vec<u8>>,
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub struct Stream {
    response: reqwest::Response,
}

impl Call {
    pub(super) fn new(request: RequestBuilder, url: &Url) -> Self {
        Self {
            request,
            url: url.clone(),
            wait: Duration::from_secs(1),
            limit: STATUS_LIMIT,
            broken: None,
        }
    }

    /// How long to wait for the whole answer, slow drips included.
    #[must_use]
    pub const fn within(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The most bytes the body may have.
    #[must_use]
    pub const fn at_most(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// A JSON body.
    #[must_use]
    pub fn body(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// A body as HTML forms send it.
    #[must_use]
    pub(super) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.request = self.request.header(CONTENT_TYPE, kind).body(body);
        self
    }

    /// A header whose value may be seen by anybody.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// A header whose value is shown nowhere.
    #[must_use]
    pub fn secret_header(mut self, name: HeaderName, secret: &Secret) -> Self {
        match HeaderValue::from_str(secret.reveal()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.request = self.request.header(name, value);
            }
            Err(_) => {
                let why = "the token holds characters that no header may have".to_owned();
                self.broken = Some(Wire::Request(why));
            }
        }
        self
    }

    /// `Authorization: Bearer …`
    #[must_use]
    pub fn bearer(self, secret: &Secret) -> Self {
        let value = Secret::new(format!("Bearer {}", secret.reveal()));
        self.secret_header(AUTHORIZATION, &value)
    }

    /// The whole answer, whatever its status.
    ///
    /// # Errors
    /// If no complete answer came within time and size.
    pub async fn send(self) -> Result<Reply, Wire> {
        let (wait, limit) = (self.wait, self.limit);
        let response = self.start(Some(wait)).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let certificate = certificate(&response);
        let body = collect(response, limit, wait).await?;
        Ok(Reply {
            status,
            headers,
            body,
            certificate,
        })
    }

    /// The answer as JSON of a known shape.
    ///
    /// # Errors
    /// As [`Call::send`]; also for every status but 2xx, and for other JSON.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Wire> {
        self.send().await?.success()?.json()
    }

    /// Waits [`Call::within`] for the head of a 2xx answer, then hands out its body in chunks
    /// that may take as long in sum as they like.
    ///
    /// # Errors
    /// As [`Call::send`]; also for every status but 2xx.
    pub async fn stream(self) -> Result<Stream, Wire> {
        let (wait, limit) = (self.wait, self.limit);
        let response = timeout(wait, self.start(None))
            .await
            .map_err(|_| Wire::TimedOut(wait))??;
        if response.status().is_success() {
            return Ok(Stream { response });
        }
        let status = response.status();
        let location = location(response.headers());
        let body = timeout(wait, collect(response, limit, wait))
            .await
            .map_err(|_| Wire::TimedOut(wait))??;
        Err(Wire::of_status(status, location.as_deref(), &body).unwrap_or(Wire::Broken))
    }

    /// The connection itself, once the peer has agreed to go on with another protocol on it.
    ///
    /// # Errors
    /// As [`Call::send`]; also for every status but 101.
    pub async fn upgrade(self) -> Result<reqwest::Upgraded, Wire> {
        let wait = self.wait;
        let response = timeout(wait, self.start(None))
            .await
            .map_err(|_| Wire::TimedOut(wait))??;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let body = timeout(wait, collect(response, STATUS_LIMIT, wait))
                .await
                .map_err(|_| Wire::TimedOut(wait))??;
            return Err(Wire::of_status(status, None, &body).unwrap_or(Wire::NotHttp));
        }
        timeout(wait, response.upgrade())
            .await
            .map_err(|_| Wire::TimedOut(wait))?
            .map_err(|error| Wire::of(&error, wait))
    }

    async fn start(self, total: Option<Duration>) -> Result<reqwest::Response, Wire> {
        if let Some(why) = self.broken {
            return Err(why);
        }
        let request = match total {
            Some(wait) => self.request.timeout(wait),
            None => self.request,
        };
        tracing::trace!(url = %self.url, "call");
        request
            .send()
            .await
            .map_err(|error| Wire::of(&error, self.wait))
    }
}

impl Reply {
    /// # Errors
    /// For every status but 2xx.
    pub fn success(self) -> Result<Self, Wire> {
        match self.problem() {
            Some(problem) => Err(problem),
            None => Ok(self),
        }
    }

    /// What the status says went wrong; `None` for 2xx.
    #[must_use]
    pub fn problem(&self) -> Option<Wire> {
        let status = StatusCode::from_u16(self.status).ok()?;
        Wire::of_status(status, location(&self.headers).as_deref(), &self.body)
    }

    /// The body as JSON of a known shape, whatever the status.
    ///
    /// # Errors
    /// If it is not JSON, or other JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Wire> {
        serde_json::from_slice(&self.body).map_err(|error| {
            if error.is_data() {
                // The library's text quotes what it met; only the place is certainly harmless.
                Wire::Shape(format!(
                    "at line {}, column {}",
                    error.line(),
                    error.column()
                ))
            } else {
                Wire::NotJson
            }
        })
    }

    /// The body's text for the audit log, JSON where it is JSON, cut to 4 KiB.
    #[must_use]
    pub fn record(&self) -> Value {
        let body = &self.body[..self.body.len().min(4096)];
        serde_json::from_slice(body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Stream {
    /// The next piece; `None` when the body ended as it should.
    ///
    /// # Errors
    /// If none came within `wait`, or the connection ended early.
    pub async fn chunk(&mut self, wait: Duration) -> Result<Option<Bytes>, Wire> {
        timeout(wait, self.response.chunk())
            .await
            .map_err(|_| Wire::TimedOut(wait))?
            .map_err(|error| Wire::of(&error, wait))
    }
}

fn certificate(response: &reqwest::Response) -> Option<Vec<u8>> {
    let shown = response.extensions().get::<reqwest::tls::TlsInfo>()?;
    shown.peer_certificate().map(<[u8]>::to_vec)
}

async fn collect(
    mut response: reqwest::Response,
    limit: usize,
    wait: Duration,
) -> Result<Bytes, Wire> {
    let told = response.content_length().map(usize::try_from);
    if matches!(told, Some(Err(_))) || matches!(told, Some(Ok(length)) if length > limit) {
        return Err(Wire::TooLarge(limit));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Wire::of(&error, wait))?
    {
        if body.len() + chunk.len() > limit {
            return Err(Wire::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

fn location(headers: &reqwest::header::HeaderMap) -> Option<String> {
    headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}
