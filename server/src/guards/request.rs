//! Every request: an id, where it came from, an end in time, a line in the log, and a problem
//! instead of a broken connection when the console itself fails.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt as _;
use quorate_domain::audit::{Assurance, Source};
use rand::RngCore as _;

use super::{client, peer::Peer, problems::Fault};
use crate::{break_glass, state::Console};

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer than any single look or step's first answer. What is under way then goes on; only the
/// answer is given up.
const PATIENCE: Duration = Duration::from_secs(60);
const USER_AGENT_LIMIT: usize = 256;

/// Gives the request its [`Source`], takes what claims an identity out of it, and answers for
/// panics.
pub async fn receive(State(console): State<Console>, mut request: Request, next: Next) -> Response {
    join_cookies(request.headers_mut());
    let source = source(&console, &request);
    let by = request.extensions().get::<ConnectInfo<Peer>>();
    let by = by.map(|ConnectInfo(peer)| peer.shown.clone());
    let by = by.unwrap_or_default();
    let presented = console.identity.take(request.headers_mut(), by);
    request.extensions_mut().insert(presented);
    let method = request.method().clone();
    let path = shown(request.uri().path());
    let id = source.request_id.clone().unwrap_or_default();
    request.extensions_mut().insert(source);
    let began = Instant::now();
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!(request_id = id, %method, path, "a request's handler panicked");
            Fault::internal().into_response()
        }
        Err(_) => timed_out(),
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    note(
        &id,
        method.as_str(),
        &path,
        response.status(),
        began.elapsed(),
    );
    response
}

fn note(id: &str, method: &str, path: &str, status: StatusCode, took: Duration) {
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let status = status.as_u16();
    metrics::counter!("quorate_requests_total", "status" => status.to_string()).increment(1);
    metrics::histogram!("quorate_request_seconds").record(took.as_secs_f64());
    if status >= 500 {
        tracing::error!(
            request_id = id,
            method,
            path,
            status,
            milliseconds,
            "request"
        );
    } else {
        tracing::debug!(
            request_id = id,
            method,
            path,
            status,
            milliseconds,
            "request"
        );
    }
}

fn timed_out() -> Response {
    Fault::new(
        StatusCode::GATEWAY_TIMEOUT,
        "timed-out",
        "The answer took too long.",
        "If this was a change, look at the list of changes before trying again.",
    )
    .into_response()
}

/// HTTP/2 may send each cookie by itself (RFC 9113, 8.2.3); whoever reads them reads one line.
fn join_cookies(headers: &mut HeaderMap) {
    let pieces: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if pieces.len() > 1
        && let Ok(line) = HeaderValue::from_bytes(&pieces.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, line);
    }
}

fn source(console: &Console, request: &Request) -> Source {
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let peer = peer.map(|ConnectInfo(peer)| peer.address.clone());
    let proxies = peer.as_deref().zip(console.proxies.as_ref());
    let client = proxies.and_then(|(peer, all)| client::address(request.headers(), peer, all));
    let agent = request
        .headers()
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    Source {
        peer,
        client,
        user_agent: agent.map(|agent| agent.chars().take(USER_AGENT_LIMIT).collect()),
        request_id: Some(new_id()),
        assurance: break_glass::is_here(console).then_some(Assurance::Socket),
        session: None,
    }
}

fn new_id() -> String {
    let mut bytes = [0_u8; 8];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The path as it may stand in a log: the secret of a one-time link does not.
#[must_use]
pub fn shown(path: &str) -> String {
    for link in ["/sign-in/link/", "/sign-in/break-glass/"] {
        if let Some(at) = path.find(link) {
            return format!("{}{link}***", path.get(..at).unwrap_or_default());
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_that_come_one_by_one_are_one_line() {
        let mut headers = HeaderMap::new();
        join_cookies(&mut headers);
        assert!(headers.is_empty());
        for pair in ["quorate=a", "theme=dark", "quorate=b"] {
            headers.append(header::COOKIE, HeaderValue::from_static(pair));
        }
        join_cookies(&mut headers);
        let lines: Vec<_> = headers.get_all(header::COOKIE).iter().collect();
        assert_eq!(lines, ["quorate=a; theme=dark; quorate=b"]);
    }

    #[test]
    fn a_one_time_link_is_never_shown_whole() {
        assert_eq!(shown("/q/sign-in/link/abc"), "/q/sign-in/link/***");
        assert_eq!(
            shown("/sign-in/break-glass/abc"),
            "/sign-in/break-glass/***"
        );
        assert_eq!(shown("/clusters/a"), "/clusters/a");
    }
}
