//! Requests that other sites make in a signed-in person's name: refused.
//!
//! A session cookie travels by itself, so everything that changes something, every event stream
//! and every download is allowed only when the browser says that this console's own page asked.
//! What it says is compared with the configured address; `Host` is no evidence.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use quorate_app::session::Visitor;
use quorate_domain::audit::Source;

use super::problems::{self, Fault};
use crate::{break_glass, state::Console};

/// Where a request comes from, as far as its headers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Here,
    Elsewhere,
    /// Typed, or opened from a bookmark.
    Nowhere,
    Unknown,
}

/// The guard in front of all routes that carry a session.
pub async fn refuse(State(console): State<Console>, request: Request, next: Next) -> Response {
    let own = if break_glass::is_here(&console) {
        match break_glass::origin(&request) {
            Some(own) => own,
            None => return misdirected(),
        }
    } else {
        console.origin.clone()
    };
    let from = origin(request.headers(), &own);
    let path = request.uri().path();
    let allowed = match *request.method() {
        Method::GET | Method::HEAD if is_ambient(path) => from != From::Elsewhere,
        Method::GET | Method::HEAD | Method::OPTIONS => true,
        _ => from == From::Here,
    };
    if !allowed {
        let signed_in = request
            .extensions()
            .get::<Visitor>()
            .is_some_and(|visitor| visitor.0.is_some());
        let source = request
            .extensions()
            .get::<Source>()
            .cloned()
            .unwrap_or_default();
        let text = format!(
            "{} {} from another site",
            request.method(),
            super::request::shown(request.uri().path())
        );
        record(&console, signed_in, &text, &source).await;
        return refused();
    }
    match wrong_body(&request) {
        Some(expected) => problems::wrong_type(expected).into_response(),
        None => next.run(request).await,
    }
}

/// Streams and downloads: safe methods whose answer is worth taking; and the way to the OpenID
/// provider, on which nobody is to be sent by somebody else.
fn is_ambient(path: &str) -> bool {
    let proof = path.starts_with("/audit/") && path.ends_with("/proof");
    let provider =
        path == "/sign-in/oidc" || path.starts_with("/step-up/") && path.ends_with("/sign-in");
    path == "/events" || provider || path.starts_with("/snapshots/") || proof
}

fn origin(headers: &HeaderMap, own: &str) -> From {
    if let Some(site) = headers.get("sec-fetch-site") {
        return match site.as_bytes() {
            b"same-origin" => From::Here,
            b"none" => From::Nowhere,
            _ => From::Elsewhere,
        };
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => From::Unknown,
        (Some(origin), None) if origin.as_bytes() == own.as_bytes() => From::Here,
        _ => From::Elsewhere,
    }
}

/// Forms post one type, server functions another; anything else is refused.
fn wrong_body(request: &Request) -> Option<&'static str> {
    if matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    ) {
        return None;
    }
    let is_function = request.uri().path().starts_with("/api/");
    let expected = if is_function {
        "application/json"
    } else {
        "application/x-www-form-urlencoded"
    };
    let given = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let given = given
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim();
    (!given.eq_ignore_ascii_case(expected)).then_some(expected)
}

/// Only where somebody is signed in: strangers must not be able to fill the audit log.
async fn record(console: &Console, signed_in: bool, text: &str, source: &Source) {
    tracing::warn!(
        request_id = source.request_id,
        "refused a request of another site"
    );
    if signed_in
        && let Err(error) = console
            .control
            .record_refusal("cross_site", text, source)
            .await
    {
        tracing::error!("cannot record a refusal: {error}");
    }
}

/// At the socket for emergencies: a name that was made to lead to this machine.
fn misdirected() -> Response {
    Fault::new(
        StatusCode::MISDIRECTED_REQUEST,
        "other-host",
        "This socket answers to this machine's own name alone.",
        "Open it as http://localhost, with the port of your tunnel.",
    )
    .into_response()
}

fn refused() -> Response {
    Fault::new(
        StatusCode::FORBIDDEN,
        "cross-site",
        "This request did not come from the console's own page.",
        "Open the console at its configured address (server.external_url) and try again.",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://raft.example";

    fn from(pairs: &[(&'static str, &'static str)]) -> From {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap_or_else(|_| unreachable!()));
        }
        origin(&headers, OWN)
    }

    #[test]
    fn what_the_browser_says_of_the_site_outranks_the_origin() {
        assert_eq!(from(&[("sec-fetch-site", "same-origin")]), From::Here);
        assert_eq!(from(&[("sec-fetch-site", "none")]), From::Nowhere);
        for site in ["same-site", "cross-site", "anything"] {
            assert_eq!(
                from(&[("sec-fetch-site", site), ("origin", OWN)]),
                From::Elsewhere
            );
        }
    }

    #[test]
    fn without_it_the_origin_must_be_exactly_the_configured_one() {
        assert_eq!(from(&[("origin", OWN)]), From::Here);
        for origin in [
            "http://raft.example",
            "https://raft.example:8443",
            "https://raft.example.evil",
            "null",
        ] {
            assert_eq!(from(&[("origin", origin)]), From::Elsewhere, "{origin}");
        }
        assert_eq!(from(&[("origin", OWN), ("origin", OWN)]), From::Elsewhere);
        assert_eq!(from(&[("host", "raft.example")]), From::Unknown);
    }
}
