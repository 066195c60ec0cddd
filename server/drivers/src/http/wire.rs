//! What goes wrong between the console and a node, in words an operator can act on.

use std::{error::Error, io, time::Duration};

use quorate_domain::observation::Answer;
use reqwest::StatusCode;

use crate::word::one_line;

/// Why a call brought no usable answer. Never holds a secret: addresses, statuses and the
/// other side's own words only, and these cut short.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wire {
    #[error("nothing listens there (connection refused)")]
    Refused,
    #[error("no connection within {} ms", .0.as_millis())]
    ConnectTimedOut(Duration),
    #[error("no complete answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the name is not known to DNS")]
    NameNotFound,
    #[error("the network says: {0}")]
    Unreachable(String),
    #[error("its certificate is not trusted: {0}")]
    Untrusted(String),
    #[error("it does not speak TLS there; http:// instead of https://, or another port?")]
    NotTls,
    #[error("it expects TLS there; use https://")]
    NeedsTls,
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    #[error("the connection broke before the answer was complete")]
    Broken,
    #[error("what came is not HTTP")]
    NotHttp,
    #[error("what answers there does not speak gRPC")]
    NotGrpc,
    #[error("the answer is not JSON")]
    NotJson,
    #[error("the answer has another shape than expected: {0}")]
    Shape(String),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("it redirects to {0}; redirects are not followed")]
    Redirected(String),
    #[error("it does not let us ({status}): {text}")]
    Denied { status: u16, text: String },
    #[error("it answers {status}: {text}")]
    Status { status: u16, text: String },
    #[error("the request cannot be made: {0}")]
    Request(String),
}

impl Wire {
    /// Whether the peer may have received the request.
    #[must_use]
    pub const fn was_sent(&self) -> bool {
        !matches!(
            self,
            Self::Refused
                | Self::ConnectTimedOut(_)
                | Self::NameNotFound
                | Self::Unreachable(_)
                | Self::Untrusted(_)
                | Self::NotTls
                | Self::Handshake(_)
                | Self::Request(_)
        )
    }

    /// How a node that could not be read stands in an observation.
    #[must_use]
    pub fn answer(&self) -> Answer {
        match self {
            Self::Refused
            | Self::ConnectTimedOut(_)
            | Self::TimedOut(_)
            | Self::NameNotFound
            | Self::Unreachable(_)
            | Self::Broken
            | Self::Request(_) => Answer::Silent(self.to_string()),
            Self::Denied { .. } => Answer::Denied(self.to_string()),
            Self::Untrusted(_)
            | Self::NotTls
            | Self::NeedsTls
            | Self::Handshake(_)
            | Self::NotHttp
            | Self::NotGrpc
            | Self::NotJson
            | Self::Shape(_)
            | Self::TooLarge(_)
            | Self::Redirected(_)
            | Self::Status { .. } => Answer::Misread(self.to_string()),
        }
    }

    /// Stable, kebab-case; for diagnoses and refusals.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused => "connection-refused",
            Self::ConnectTimedOut(_) | Self::TimedOut(_) => "timed-out",
            Self::NameNotFound => "name-not-found",
            Self::Unreachable(_) => "unreachable",
            Self::Untrusted(_) => "certificate-not-trusted",
            Self::NotTls => "not-tls",
            Self::NeedsTls => "needs-tls",
            Self::Handshake(_) => "tls-failed",
            Self::Broken => "connection-broken",
            Self::NotHttp => "not-http",
            Self::NotGrpc => "not-grpc",
            Self::NotJson => "not-json",
            Self::Shape(_) => "unexpected-shape",
            Self::TooLarge(_) => "too-large",
            Self::Redirected(_) => "redirected-elsewhere",
            Self::Denied { .. } => "denied",
            Self::Status { .. } => "unexpected-status",
            Self::Request(_) => "bad-request",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Refused => "Check that the process runs and that address and port are right.",
            Self::ConnectTimedOut(_) | Self::TimedOut(_) => {
                "Check that the process is not stuck and that no firewall drops the packets."
            }
            Self::NameNotFound => "Check the spelling of the host name and this machine's DNS.",
            Self::Unreachable(_) => "Check the network between here and there.",
            Self::Broken => {
                "Check that the port is the right one and speaks what the address begins with \
                 (http:// or https://), and the network between here and there."
            }
            Self::Untrusted(_) => {
                "Name the authority that signed it in `ca_file`, and check the host name."
            }
            Self::NotTls => "Use http:// in the seed, or the port that speaks TLS.",
            Self::NeedsTls => "Use https:// in the seed.",
            Self::Handshake(_) => {
                "Check whether it asks for a client certificate (`cert_file`, `key_file`)."
            }
            Self::NotHttp | Self::NotGrpc | Self::NotJson | Self::Shape(_) | Self::TooLarge(_) => {
                "Check that the address leads to the API of the kind that is configured."
            }
            Self::Redirected(_) => "Give the member's own address, not that of a load balancer.",
            Self::Denied { .. } => "Check that the token is valid and which policy it carries.",
            Self::Status { .. } => "See the log of the node.",
            Self::Request(_) => "Check the address and the token file.",
        }
    }

    /// The error of a call that failed below HTTP.
    pub(crate) fn of(error: &reqwest::Error, wait: Duration) -> Self {
        if let Some(found) = chain(error).find_map(by_source) {
            return found;
        }
        if error.is_timeout() {
            return if error.is_connect() {
                Self::ConnectTimedOut(wait)
            } else {
                Self::TimedOut(wait)
            };
        }
        if error.is_builder() {
            return Self::Request("address, header or body is malformed".to_owned());
        }
        if error.is_connect() {
            return Self::Unreachable(innermost(error));
        }
        Self::Broken
    }

    /// The error an HTTP status stands for; `None` for success.
    pub(crate) fn of_status(
        status: StatusCode,
        location: Option<&str>,
        body: &[u8],
    ) -> Option<Self> {
        if status.is_success() {
            return None;
        }
        if status.is_redirection() {
            return Some(Self::Redirected(elsewhere(location)));
        }
        let text = excerpt(body);
        let code = status.as_u16();
        Some(match code {
            401 | 403 => Self::Denied { status: code, text },
            400 if speaks_tls(&text) => Self::NeedsTls,
            _ => Self::Status { status: code, text },
        })
    }
}

/// A peer's own words, cut to what fits a line. Where they are wrapped in one of the usual JSON
/// forms of an error, without the wrapping.
fn excerpt(body: &[u8]) -> String {
    let text = unwrapped(body)
        .unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(800)]).into_owned());
    let line = one_line(&text, 200);
    // It stands in a sentence that has a full stop of its own.
    match line.trim_end_matches('.') {
        "" => "(no text)".to_owned(),
        line => line.to_owned(),
    }
}

fn unwrapped(body: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    if let Some(errors) = json.get("errors").and_then(serde_json::Value::as_array) {
        let texts: Vec<&str> = errors
            .iter()
            .filter_map(serde_json::Value::as_str)
            .collect();
        return Some(texts.join("; "));
    }
    let keys = ["detail", "title", "error", "message"];
    keys.iter()
        .find_map(|key| json.get(key)?.as_str().map(str::to_owned))
}

/// What servers in Go and nginx say to plain HTTP on their TLS port.
fn speaks_tls(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("http request to an https server")
        || text.contains("plain http request was sent to https port")
}

/// The target of a redirect without its path, which may hold anything.
fn elsewhere(location: Option<&str>) -> String {
    match location.map(url::Url::parse) {
        Some(Ok(url)) => super::address_of(&url),
        Some(Err(_)) => "another path".to_owned(),
        None => "nowhere".to_owned(),
    }
}

fn chain<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
    std::iter::from_fn(move || {
        let present = next?;
        // `io::Error` hides what it wraps from `source()`.
        let wrapped = present
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => present.source(),
        };
        Some(present)
    })
}

fn by_source(error: &(dyn Error + 'static)) -> Option<Wire> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(by_tls(tls));
    }
    if let Some(error) = error.downcast_ref::<io::Error>()
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        return Some(Wire::Refused);
    }
    // The HTTP library keeps these two types to itself; their texts are their only mark.
    let text = error.to_string();
    if text.starts_with("dns error") || text.contains("failed to lookup address") {
        return Some(Wire::NameNotFound);
    }
    (text.starts_with("invalid HTTP") || text.starts_with("message head is too large"))
        .then_some(Wire::NotHttp)
}

fn by_tls(error: &rustls::Error) -> Wire {
    use rustls::{CertificateError as Certificate, Error as Tls};
    match error {
        Tls::InvalidCertificate(why) => Wire::Untrusted(match why {
            Certificate::UnknownIssuer => "an unknown authority signed it".to_owned(),
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "it is for another host name".to_owned()
            }
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                "it has expired".to_owned()
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "it is not valid yet".to_owned()
            }
            Certificate::Revoked => "it was revoked".to_owned(),
            Certificate::Other(_) => {
                "it is no server's certificate (self-signed, or of an unknown form)".to_owned()
            }
            other => other.to_string().chars().take(120).collect(),
        }),
        Tls::InvalidMessage(_) => Wire::NotTls,
        other => Wire::Handshake(other.to_string()),
    }
}

fn innermost(error: &reqwest::Error) -> String {
    let text = chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default();
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_sides_words_fit_a_sentence_and_steer_nothing() {
        let long = "x".repeat(5_000);
        for (body, expected) in [
            ("", "(no text)"),
            (" \n.", "(no text)"),
            (r#"{"detail":"A token is needed."}"#, "A token is needed"),
            (
                "<h1>502</h1>\n\u{1b}[31m\u{202e}gone",
                "<h1>502</h1> [31mgone",
            ),
            (long.as_str(), "x".repeat(200).as_str()),
        ] {
            assert_eq!(excerpt(body.as_bytes()), expected);
        }
    }
}
