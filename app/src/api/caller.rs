//! Who calls a server function: found in the request's context, never in its arguments.

use axum::http::StatusCode;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use quorate_control::{Control, ControlError, Operator};

use super::Failure;
use crate::session::Visitor;

/// The console's core and the signed-in operator of this request.
pub struct Caller {
    pub control: Control,
    pub who: Operator,
}

impl Caller {
    /// # Errors
    /// `not-signed-in` without a session.
    pub fn here() -> Result<Self, Failure> {
        let control = use_context::<Control>();
        let visitor = use_context::<Visitor>().and_then(|Visitor(visitor)| visitor);
        match (control, visitor) {
            (Some(control), Some(who)) => Ok(Self { control, who }),
            _ => Err(answered(Failure::not_signed_in())),
        }
    }

    /// The one translation of a use case's error for the page; logs what is the console's fault.
    #[must_use]
    pub fn failed(&self, error: &ControlError) -> Failure {
        let mut problem = error.problem();
        problem.request_id = self.who.source.request_id.clone().unwrap_or_default();
        if problem.status >= 500 {
            let causes = causes(error);
            tracing::error!(
                code = problem.code,
                request_id = problem.request_id,
                causes,
                "{error}"
            );
        }
        answered(Failure(problem))
    }
}

/// Gives the HTTP answer the problem's own status.
pub(super) fn answered(failure: Failure) -> Failure {
    if let (Some(options), Ok(status)) = (
        use_context::<ResponseOptions>(),
        StatusCode::from_u16(failure.0.status),
    ) {
        options.set_status(status);
    }
    failure
}

/// The causes of an error, outermost first, as one line of the log.
fn causes(error: &ControlError) -> String {
    let mut next = std::error::Error::source(error);
    let mut causes = Vec::new();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}
