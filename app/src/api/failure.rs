//! The error of every server function: a [`Problem`] that reaches the browser whole.

use quorate_domain::problem::Problem;
use serde::{Deserialize, Serialize};
use server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};

use crate::words::actions as words;

/// A [`Problem`] as a server function's error. It reads exactly as `application/problem+json`
/// does, so an answer written by a guard in front of the function is understood as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Failure(pub Problem);

/// The code of a request that brought no answer: whether the console got it is not known.
pub const CONSOLE_UNREACHABLE: &str = "console-unreachable";
/// The code of an answer that is no answer of this console's: a sign-on proxy's page, perhaps.
const ANSWER_NOT_UNDERSTOOD: &str = "answer-not-understood";
/// The code of a request without a session.
pub const NOT_SIGNED_IN: &str = "not-signed-in";

impl Failure {
    #[must_use]
    pub fn not_signed_in() -> Self {
        Self(Problem::new(
            401,
            NOT_SIGNED_IN,
            words::NOT_SIGNED_IN,
            words::NOT_SIGNED_IN_HINT,
        ))
    }

    /// Whether the request may have been carried out although no answer came.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.0.code == CONSOLE_UNREACHABLE
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.title)
    }
}

impl std::error::Error for Failure {}

impl FromServerFnError for Failure {
    type Encoder = JsonEncoding;

    // The library's own texts may quote what was sent, so none of them is shown.
    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let (status, code, (title, hint)) = match error {
            ServerFnErrorErr::Request(_) => (503, CONSOLE_UNREACHABLE, words::CONSOLE_UNREACHABLE),
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                (400, "malformed", words::MALFORMED)
            }
            // The console deserializes what was sent to it, a page what it was answered.
            ServerFnErrorErr::Deserialization(_) if cfg!(feature = "ssr") => {
                (400, "malformed", words::MALFORMED)
            }
            ServerFnErrorErr::Deserialization(_) => {
                (502, ANSWER_NOT_UNDERSTOOD, words::ANSWER_NOT_UNDERSTOOD)
            }
            ServerFnErrorErr::Registration(_)
            | ServerFnErrorErr::UnsupportedRequestMethod(_)
            | ServerFnErrorErr::ServerError(_)
            | ServerFnErrorErr::MiddlewareError(_)
            | ServerFnErrorErr::Serialization(_)
            | ServerFnErrorErr::Response(_) => (500, "internal", words::INTERNAL),
        };
        #[cfg(feature = "hydrate")]
        if matches!(code, CONSOLE_UNREACHABLE | ANSWER_NOT_UNDERSTOOD) {
            crate::stream::doubt();
        }
        let failure = Self(Problem::new(status, code, title, hint));
        #[cfg(feature = "ssr")]
        let failure = super::caller::answered(failure);
        failure
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use quorate_domain::preflight::{Axis, Check, Level, ReasonCode};

    use super::*;

    #[test]
    fn a_problem_reaches_the_browser_with_its_checks_and_what_moved() {
        let mut problem = Problem::new(409, "cluster-moved", "It moved.", "Review again.");
        problem.request_id = "r-1".to_owned();
        problem.moved = vec!["n2 leads now.".to_owned()];
        problem.checks = vec![Check {
            code: ReasonCode::EvenVoters,
            level: Level::Warn,
            axis: Axis::Availability,
            text: "Even.".to_owned(),
        }];
        let failure = Failure(problem);
        assert_eq!(Failure::de(failure.ser()), failure);
    }

    #[test]
    fn a_guards_problem_document_is_understood() {
        let body = br#"{"type":"about:blank","status":403,"code":"cross-site","title":"No.","hint":"Reload."}"#;
        let failure = Failure::de(body.to_vec().into());
        assert_eq!(
            (failure.0.status, failure.0.code.as_str()),
            (403, "cross-site")
        );
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn a_body_the_console_does_not_understand_is_the_senders_fault() {
        let error = ServerFnErrorErr::Deserialization("key must be a string".to_owned());
        let failure = Failure::from_server_fn_error(error);
        assert_eq!(
            (failure.0.status, failure.0.code.as_str()),
            (400, "malformed")
        );
    }

    #[test]
    fn what_was_sent_is_never_quoted_in_an_error() {
        let failure = Failure::from_server_fn_error(ServerFnErrorErr::Args("hunter2".to_owned()));
        assert!(!serde_json::to_string(&failure).unwrap().contains("hunter2"));
    }
}
