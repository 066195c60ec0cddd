//! What can go wrong in a use case, and the one translation to what the outside sees.

use quorate_domain::{job::ChangeState, preflight::Check, problem::Problem};

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("not signed in")]
    NotSignedIn,
    #[error("name or password is wrong")]
    SignInFailed,
    #[error("too many attempts; try again in {seconds} s")]
    Throttled { seconds: u64 },
    /// Each of them is being followed or was just asked for.
    #[error("{most} groups of this program are looked at already")]
    TooManyWatched { most: usize },
    /// `needs` names the roles that would do.
    #[error("not allowed: needs {needs}")]
    NotAllowed { needs: String },
    /// `ask` names the question to answer; `None` for whoever cannot answer one.
    #[error("this needs a proof that you are there")]
    StepUpNeeded { ask: Option<String> },
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
    #[error("this change does not wait for approval: it is {}", crate::wording::change_state(*state))]
    NotWaiting { state: ChangeState },
    #[error("you asked for this yourself: somebody else must approve it")]
    OwnRequest,
    #[error("you have approved this already: one person counts once")]
    AlreadyApproved,
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
    #[error("another console already works in {path}")]
    AlreadyRunning { path: String },
    /// A defect of the console itself; the log has the rest.
    #[error("the console failed while {doing}")]
    Internal { doing: &'static str },
}

impl ControlError {
    /// The one translation to what REST, page and command line show. `request_id` is set later.
    ///
    /// Causes inside the console (SQL, paths) stay out of it: they go to the log.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (status, code, hint) = self.parts();
        let mut problem = Problem::new(status, code, self.title(), hint);
        match self {
            Self::Moved { moved } => problem.moved.clone_from(moved),
            Self::Refused { checks } => problem.checks.clone_from(checks),
            Self::StepUpNeeded { ask } => problem.step_up.clone_from(ask),
            _ => {}
        }
        problem
    }

    fn title(&self) -> String {
        match self {
            Self::Refused { checks } => checks
                .iter()
                .find(|check| check.level == quorate_domain::preflight::Level::Refuse)
                .map_or_else(|| self.to_string(), |check| check.text.clone()),
            Self::File { .. } => "a file of the console cannot be used".to_owned(),
            Self::AlreadyRunning { .. } => {
                "another console works in this data directory".to_owned()
            }
            _ => self.to_string(),
        }
    }

    fn parts(&self) -> (u16, &'static str, String) {
        match self {
            Self::NotSignedIn => (
                401,
                "not-signed-in",
                "Sign in, or send a valid API token.".to_owned(),
            ),
            Self::SignInFailed => (
                401,
                "sign-in-failed",
                "Check name and password; an administrator can make a one-time link.".to_owned(),
            ),
            Self::Throttled { seconds } => (
                429,
                "throttled",
                format!("Wait {seconds} s, then try once more."),
            ),
            Self::TooManyWatched { .. } => (
                429,
                "too-many-watched",
                "Close pages and streams of groups that are not needed, then try once more; the \
                 list of groups tells of all of them at once."
                    .to_owned(),
            ),
            Self::NotAllowed { needs } => (
                403,
                "not-allowed",
                format!("Ask an administrator for a grant that has the role {needs} here."),
            ),
            Self::StepUpNeeded { ask } => (
                403,
                "step-up-needed",
                match ask {
                    Some(_) => "Nothing was sent. Prove on the console's page that it is you.",
                    None => {
                        "Nothing was sent. Ask for it on the console's page; `tokens` in \
                         `identity.step_up` decides whether API tokens may do without a proof."
                    }
                }
                .to_owned(),
            ),
            Self::NotFound { what, .. } => (
                404,
                "not-found",
                format!("Check the name; the {what} may be gone, or not yours to see."),
            ),
            Self::Invalid { hint, .. } => (400, "invalid", hint.clone()),
            Self::Moved { .. } => (
                409,
                "cluster-moved",
                "Look at the cluster as it is now, preview again, then decide.".to_owned(),
            ),
            Self::Refused { .. } => (
                422,
                "refused",
                "Nothing was sent. Settle what the checks name, then preview again.".to_owned(),
            ),
            Self::AddressNotAllowed { .. } => (
                422,
                "address-not-allowed",
                "Add the address (or its network) to the cluster's `join_allowed`.".to_owned(),
            ),
            Self::NotWaiting { .. } => (
                409,
                "change-not-waiting",
                "Read the change again: it says what became of it. Nothing was done.".to_owned(),
            ),
            Self::OwnRequest => (
                403,
                "own-change",
                "Ask somebody else who holds the role approver here. Nothing was done.".to_owned(),
            ),
            Self::AlreadyApproved => (
                409,
                "already-approved",
                "Ask another person who holds the role approver here.".to_owned(),
            ),
            Self::KeyReused => (
                422,
                "idempotency-key-reused",
                "Use a fresh Idempotency-Key for every new change.".to_owned(),
            ),
            Self::AuditUnavailable { source } => (
                503,
                "audit-unavailable",
                format!(
                    "{} Nothing was sent, and nothing will be until it can be; reading works.",
                    crate::audit::trouble::words(source)
                ),
            ),
            Self::Store { .. } => (
                503,
                "store-unavailable",
                "Check disk and permissions of the data directory; the log has the cause."
                    .to_owned(),
            ),
            Self::File { .. } => (
                500,
                "file-unavailable",
                "Check disk and permissions of the data directory; the log has the cause."
                    .to_owned(),
            ),
            Self::AlreadyRunning { .. } => (
                503,
                "already-running",
                "Stop the other console first, or use another data directory.".to_owned(),
            ),
            Self::Internal { .. } => (
                500,
                "internal",
                "Nothing more is known here; the log has the cause under the request's id."
                    .to_owned(),
            ),
        }
    }

    /// The store's failure while `doing`, for `map_err`.
    pub(crate) fn store(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Store { doing, source }
    }

    pub(crate) fn audit(source: sqlx::Error) -> Self {
        Self::AuditUnavailable { source }
    }

    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }

    pub(crate) fn invalid(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Invalid {
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn not_found(what: &'static str, name: &str) -> Self {
        Self::NotFound {
            what,
            name: name.chars().take(256).collect(),
        }
    }
}
