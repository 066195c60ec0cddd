//! What can go wrong in a use case, and the one translation to what the outside sees.

use quorate_domain::{preflight::Check, problem::Problem};

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("not signed in")]
    NotSignedIn,
    #[error("name or password is wrong")]
    SignInFailed,
    #[error("too many attempts; try again in {seconds} s")]
    Throttled { seconds: u64 },
    /// `needs` names the roles that would do.
    #[error("not allowed: needs {needs}")]
    NotAllowed { needs: String },
    #[error("no {what} named {name}")]
    NotFound { what: &'static str, name: String },
    #[error("{what}")]
    Invalid { what: String, hint: String },
    #[error("the cluster moved since it was seen")]
    Moved { moved: Vec<String> },
    #[error("refused by a rule")]
    Refused { checks: Vec<Check> },
    #[error("new members may not be at {address}")]
    AddressNotAllowed { address: String },
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    #[error("the audit log cannot be written, so nothing was done")]
    AuditUnavailable {
        #[source]
        source: sqlx::Error,
    },
    #[error("the store cannot be used: {doing}")]
    Store {
        doing: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("cannot use {path}")]
    File {
        path: String,
        #[source]
        source: std::io::Error,
    },
}

impl ControlError {
    /// The one translation to what REST, page and command line show. `request_id` is set later.
    #[must_use]
    pub fn problem(&self) -> Problem {
        todo!()
    }
}
