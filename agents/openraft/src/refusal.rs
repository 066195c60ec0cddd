//! Everything that is not a receipt, and how it looks on the wire.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::wire::LeaderHint;

/// Why a request was not carried out, or why nobody knows whether it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct Refusal {
    pub status: u16,
    /// Stable, kebab-case.
    pub code: &'static str,
    pub text: String,
    /// Where to go instead.
    pub leader: Option<LeaderHint>,
    /// The membership's revision as it is now, where that is the point.
    pub revision: Option<String>,
}

impl Refusal {
    fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            code,
            text: text.into(),
            leader: None,
            revision: None,
        }
    }

    pub(crate) fn malformed(text: impl Into<String>) -> Self {
        Self::new(400, "malformed", text)
    }

    pub(crate) fn unknown_group() -> Self {
        Self::new(404, "unknown-group", "No such group runs on this node.")
    }

    pub(crate) fn moved(now: &str) -> Self {
        let text = "The membership is another one than this change was decided on.";
        Self {
            revision: Some(now.to_owned()),
            ..Self::new(409, "revision-moved", text)
        }
    }

    pub(crate) fn in_progress(text: impl Into<String>) -> Self {
        Self::new(409, "change-in-progress", text)
    }

    pub(crate) fn not_leader(leader: Option<LeaderHint>) -> Self {
        let text = match &leader {
            Some(hint) => format!(
                "This node does not lead; {} does, as far as it knows.",
                hint.member
            ),
            None => "This node does not lead and knows of no leader.".to_owned(),
        };
        Self {
            leader,
            ..Self::new(421, "not-leader", text)
        }
    }

    /// A rule says no; nothing was sent to the core.
    pub(crate) fn rule(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(422, code, text)
    }

    pub(crate) fn no_quorum() -> Self {
        let text = "The leader has had no word from a majority within an election timeout.";
        Self::new(503, "no-quorum", text)
    }

    pub(crate) fn stopped(fault: &str) -> Self {
        Self::new(
            500,
            "core-stopped",
            format!("This node's Raft core does not run: {fault}."),
        )
    }

    pub(crate) fn broken() -> Self {
        Self::new(
            500,
            "agent-fault",
            "The agent failed; the Raft core was not touched by it.",
        )
    }

    pub(crate) fn unknown(text: impl Into<String>) -> Self {
        Self::new(504, "unknown", text)
    }

    /// Whether nobody knows if the change happened.
    #[must_use]
    pub const fn outcome_unknown(&self) -> bool {
        self.status == 504
    }

    /// Worth another look within the agent's patience: time alone may cure it.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.code, "not-heard" | "not-level" | "majority-at-risk")
    }

    fn body(&self) -> Value {
        json!({
            "type": "about:blank",
            "title": StatusCode::from_u16(self.status).ok().and_then(|s| s.canonical_reason()),
            "status": self.status,
            "code": self.code,
            "detail": self.text,
            "leader": self.leader,
            "revision": self.revision,
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.body())).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
