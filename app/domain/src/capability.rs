//! What a backend kind and version can do, and the reason when it cannot.

use serde::{Deserialize, Serialize};

use crate::action::Verb;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    pub action: Verb,
    pub supported: bool,
    /// Why it is not supported, or what is particular about it, in words.
    pub note: Option<String>,
    /// Whether a transfer may name its target. Always true for other actions.
    #[serde(default = "yes")]
    pub target: bool,
}

const fn yes() -> bool {
    true
}

/// The capability for `verb`, if the backend's kind is known well enough to say.
#[must_use]
pub fn of(capabilities: &[Capability], verb: Verb) -> Option<&Capability> {
    capabilities
        .iter()
        .find(|capability| capability.action == verb)
}
