//! The app's server functions, below `/api/ui/`: only those that are registered, only with a
//! session. Who may do what is decided behind them, in `quorate_control`.

use axum::{
    extract::{Extension, Request, State},
    http::header,
    response::{IntoResponse, Response},
};
use quorate_app::session::Visitor;

use crate::{guards::problems::Fault, pages, state::Console};

/// Every registered function's path.
#[must_use]
pub fn paths() -> Vec<&'static str> {
    let mut paths: Vec<_> = server_fn::axum::server_fn_paths()
        .map(|(path, _)| path)
        .collect();
    paths.sort_unstable();
    paths
}

pub async fn call(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    mut request: Request,
) -> Response {
    if !paths().contains(&request.uri().path()) {
        return Fault::not_found().into_response();
    }
    if visitor.0.is_none() {
        return Fault::not_signed_in().into_response();
    }
    // A form's answer would be a redirect to whatever `Referer` says.
    request.headers_mut().remove(header::REFERER);
    request.headers_mut().remove(header::ACCEPT);
    let context = pages::context(&console, &visitor);
    // A browser that goes away must not cut a change off between its record and its request.
    let answer = tokio::spawn(async move {
        leptos_axum::handle_server_fns_with_context(context, request)
            .await
            .into_response()
    });
    match answer.await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!("a server function failed: {error}");
            Fault::internal().into_response()
        }
    }
}
