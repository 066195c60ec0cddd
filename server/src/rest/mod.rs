//! REST, version 1: bearer tokens only, one shape for lists and errors, nothing decided here.

mod audit;
mod bearer;
mod body;
mod changes;
mod clusters;
mod events;
mod not_yet;
mod openapi;
mod page;
mod snapshots;

use axum::{
    Json, Router,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};

pub use openapi::document;

use crate::{guards::problems::Fault, state::Console};

/// Everything below `/api/v1`.
pub fn routes(console: &Console) -> Router<Console> {
    let guarded = Router::new()
        .route("/clusters", get(clusters::list))
        .route("/clusters/{name}", get(clusters::view))
        .route("/clusters/{name}/events", get(events::stream))
        .route("/clusters/{name}/preview", post(changes::preview))
        .route("/clusters/{name}/changes", post(changes::submit))
        .route("/changes", get(changes::list))
        .route("/changes/{id}", get(changes::one))
        .route("/snapshots", get(snapshots::list))
        .route("/snapshots/{id}/content", get(snapshots::content))
        .route("/audit", get(audit::list))
        .merge(not_yet::routes())
        .fallback(nothing)
        .layer(from_fn_with_state(console.clone(), bearer::identify));
    Router::new()
        .route("/openapi.json", get(described))
        .merge(guarded)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(page::refuse_repeated))
}

async fn nothing() -> Fault {
    Fault::not_found()
}

async fn wrong_method() -> Response {
    StatusCode::METHOD_NOT_ALLOWED.into_response()
}

async fn described() -> Json<serde_json::Value> {
    Json(document())
}
