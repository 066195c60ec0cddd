//! REST, version 1: bearer tokens only, one shape for lists and errors, nothing decided here.

mod audit;
mod bearer;
mod body;
mod changes;
mod clusters;
mod events;
mod groups;
mod history;
mod not_yet;
mod openapi;
mod overrides;
mod page;
mod problems;
mod snapshots;

use axum::{
    Json, Router,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};

pub use openapi::document;

use crate::{
    guards::problems::Fault,
    router::{self, Route},
    state::Console,
};

/// Everything that answers, below `/api/v1`, behind a token.
fn guarded() -> Vec<Route> {
    let mut routes = vec![
        Route::get("/clusters", get(clusters::list)),
        Route::get("/clusters/{name}", get(clusters::view)),
        Route::get("/clusters/{name}/groups", get(groups::list)),
        Route::get("/clusters/{name}/groups/{group}", get(groups::view)),
        Route::get("/clusters/{name}/events", get(events::stream)),
        Route::get("/clusters/{name}/history", get(history::list)),
        Route::post("/clusters/{name}/preview", post(changes::preview)),
        Route::post("/clusters/{name}/changes", post(changes::submit)),
        Route::post("/clusters/{name}/overrides", post(overrides::set)),
        Route::post("/clusters/{name}/overrides/lift", post(overrides::lift)),
        Route::get("/problems", get(problems::list)),
        Route::get("/changes", get(changes::list)),
        Route::get("/changes/{id}", get(changes::one)),
        Route::post("/changes/{id}/approve", post(changes::approve)),
        Route::post("/changes/{id}/deny", post(changes::deny)),
        Route::post("/changes/{id}/cancel", post(changes::cancel)),
        Route::get("/snapshots", get(snapshots::list)),
        Route::get("/snapshots/{id}/content", get(snapshots::content)),
        Route::get("/audit", get(audit::list)),
        Route::get("/audit/checkpoint", get(audit::checkpoint)),
        Route::get("/audit/keys", get(audit::keys)),
        Route::get("/audit/standing", get(audit::standing)),
        Route::get("/audit/{seq}/proof", get(audit::proof)),
        Route::post("/audit/exports", post(audit::export)),
    ];
    routes.extend(not_yet::routes());
    routes
}

/// Method and path of everything below `/api/v1`, for the tests that hold it against the
/// description and the table of who may do what.
#[must_use]
pub fn listed() -> Vec<(&'static str, &'static str)> {
    let described = ("GET", "/openapi.json");
    guarded()
        .iter()
        .map(Route::name)
        .chain([described])
        .collect()
}

/// The router for `/api/v1`.
pub fn routes(console: &Console) -> Router<Console> {
    let guarded = router::of(guarded())
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
