//! The HTTP client of places outside: no redirects, since a secret is not for whoever is named
//! there, and nothing tried again by itself. It turns what goes wrong into words without secrets.

use std::{error::Error as _, time::Duration};

use quorate_control::ReportFile;
use reqwest::{Body, Certificate, Client, Identity, RequestBuilder, Response, redirect::Policy};
use tokio_util::io::ReaderStream;

use crate::{CALL, CONNECT, FILE, OutsideError, PACE, Tls, beginning};

/// The most of an answer that is read.
const ANSWER_MOST: usize = 1024 * 1024;

pub fn client(tls: &Tls) -> Result<Client, OutsideError> {
    // An error only says that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificates = |error: reqwest::Error| OutsideError::Certificates(error.to_string());
    let mut builder = Client::builder()
        .user_agent(concat!("quorate/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .http1_only();
    if let Some(pem) = &tls.authorities {
        let some = Certificate::from_pem_bundle(pem.as_bytes()).map_err(certificates)?;
        builder = builder.tls_certs_merge(some);
    }
    if let Some(pem) = &tls.identity {
        let identity = Identity::from_pem(pem.reveal().as_bytes()).map_err(certificates)?;
        builder = builder.identity(identity);
    }
    builder
        .build()
        .map_err(|error| OutsideError::Client(error.to_string()))
}

/// The answer, whatever its status; within the time of a copy.
pub async fn send(request: RequestBuilder) -> Result<Response, String> {
    request
        .timeout(CALL)
        .send()
        .await
        .map_err(|error| words(&error))
}

/// The same for a file, within a time that grows with it.
pub async fn send_file(request: RequestBuilder, file: &ReportFile) -> Result<Response, String> {
    let opened = tokio::fs::File::open(&file.path).await;
    let opened = opened.map_err(|error| format!("{} cannot be read: {error}", file.name))?;
    let request = request
        .header("content-length", file.bytes)
        .body(Body::wrap_stream(ReaderStream::new(opened)))
        .timeout(time_for(file.bytes));
    request.send().await.map_err(|error| words(&error))
}

/// The answer of something that is read, within the time that so many bytes may take.
pub async fn read(request: RequestBuilder, bytes: u64) -> Result<Response, String> {
    let request = request.timeout(time_for(bytes));
    request.send().await.map_err(|error| words(&error))
}

fn time_for(bytes: u64) -> Duration {
    FILE + Duration::from_secs(bytes / PACE)
}

/// `Ok` for 200 to 299; else the status and what the answer says.
pub async fn taken(answer: Response) -> Result<(), String> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        return Err(format!(
            "it answers {}: redirects are not followed",
            status.as_u16()
        ));
    }
    let said = text(answer).await.unwrap_or_default();
    Err(match beginning(said.trim(), 160) {
        said if said.is_empty() => format!("it answers {}", status.as_u16()),
        said => format!("it answers {}: {said}", status.as_u16()),
    })
}

/// The body as text, of bounded size.
pub async fn text(mut answer: Response) -> Result<String, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| words(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MOST {
            return Err("its answer is too long".to_owned());
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Without the address: its path and query may hold a secret.
pub fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    let what = match error.is_connect() {
        true => "it cannot be reached",
        false => "the call broke off",
    };
    // The innermost cause is what people can mend: a certificate, a name, a port.
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    match cause {
        Some(cause) => format!("{what}: {}", beginning(&cause.to_string(), 200)),
        None => what.to_owned(),
    }
}
