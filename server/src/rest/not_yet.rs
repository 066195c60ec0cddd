//! Calls of later versions: known, and answered as such.

use axum::{
    Router,
    routing::{any, post},
};

use crate::{guards::problems::Fault, state::Console};

/// Paths that answer `not-in-this-version` to every method.
pub const PATHS: &[&str] = &[
    "/clusters/{name}/groups",
    "/clusters/{name}/groups/{group}",
    "/clusters/{name}/history",
    "/audit/exports",
    "/audit/checkpoint",
];

/// What can later be done with a running change.
pub const CHANGE_PATHS: &[&str] = &[
    "/changes/{id}/approve",
    "/changes/{id}/deny",
    "/changes/{id}/pause",
    "/changes/{id}/resume",
    "/changes/{id}/cancel",
];

pub fn routes() -> Router<Console> {
    let router = PATHS.iter().fold(Router::new(), |router, path| router.route(path, any(answer)));
    CHANGE_PATHS.iter().fold(router, |router, path| router.route(path, post(answer)))
}

async fn answer() -> Fault {
    Fault::not_in_this_version()
}
