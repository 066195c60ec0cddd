//! An error as the outside sees it: RFC 9457 with a stable code and a hint.

use serde::{Deserialize, Serialize};

/// `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{title}")]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Stable, kebab-case.
    pub code: String,
    /// What happened, one sentence.
    pub title: String,
    /// More, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do.
    pub hint: String,
    #[serde(default)]
    pub request_id: String,
    /// For `refused`: the checks; for `cluster-moved`: what moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<crate::preflight::Check>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<String>,
    /// For `step-up-needed`: where a person proves that it is them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_up: Option<String>,
}

impl Problem {
    #[must_use]
    pub fn new(status: u16, code: &str, title: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            title: title.into(),
            detail: None,
            hint: hint.into(),
            request_id: String::new(),
            checks: Vec::new(),
            moved: Vec::new(),
            step_up: None,
        }
    }
}
