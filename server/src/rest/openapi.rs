//! The description of REST version 1. A test holds it against the routes, both ways.

use serde_json::{Value, json};

/// The OpenAPI document.
///
/// # Panics
/// Never: the text is part of the program and a test reads it.
#[must_use]
pub fn document() -> Value {
    let text = include_str!("openapi.json");
    let mut document: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(info) = document.get_mut("info") {
        info["version"] = json!(env!("CARGO_PKG_VERSION"));
    }
    document
}
