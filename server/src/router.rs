//! Every route and the guards in front of it, outermost last.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::Uri,
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use leptos_axum::{AxumRouteListing, generate_route_list};
use tower_http::compression::CompressionLayer;

use crate::{
    assets, downloads, events,
    guards::{cross_site, headers, problems, request},
    health, pages, rest, server_functions, sessions, sign_in,
    state::Console,
    visitor,
};

/// No body this console takes is longer.
pub const BODY_LIMIT: usize = 64 * 1024;

pub fn build(console: &Console, life: std::time::Duration) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/assets/{name}", get(assets::serve))
        .nest("/api/v1", rest::routes(console))
        .merge(with_session(console, life))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CompressionLayer::new())
        .layer(from_fn(problems::shape))
        .layer(from_fn_with_state(console.clone(), headers::secure))
        .layer(from_fn(request::receive))
        .with_state(console.clone())
}

/// Everything a browser's session carries.
fn with_session(console: &Console, life: std::time::Duration) -> Router<Console> {
    let mut router = Router::new()
        .route("/events", get(events::page))
        .route("/snapshots/{id}/content", get(downloads::by_session))
        .route("/sign-in/link/{secret}", get(sign_in::by_link))
        .route("/sign-out", post(sign_in::out))
        .route("/password", post(sign_in::password))
        .route("/api/ui/{*function}", post(server_functions::call))
        .route("/sign-in", get(pages::page).post(sign_in::by_password));
    for path in page_paths().into_iter().filter(|path| path != "/sign-in") {
        router = router.route(&path, get(pages::page));
    }
    router
        .fallback(pages::not_found)
        .layer(from_fn_with_state(console.clone(), cross_site::refuse))
        .layer(from_fn_with_state(console.clone(), visitor::identify))
        .layer(sessions::layer(&console.control, console.secure, life))
}

/// The app's pages, as routes of axum.
#[must_use]
pub fn page_paths() -> Vec<String> {
    let mut paths: Vec<String> = generate_route_list(quorate_app::app::App)
        .iter()
        .map(AxumRouteListing::path)
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// `/quorate/audit` and `/audit` are the same: a proxy may take the base path off or leave it.
pub fn below(base: &str) -> impl Fn(Request) -> Request + Clone + Send + Sync + 'static {
    let base = quorate_app::base::BasePath(base.to_owned());
    move |mut request: Request| {
        let inside = base.strip(request.uri().path());
        if inside != request.uri().path() {
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            if let Ok(uri) = format!("{inside}{query}").parse::<Uri>() {
                *request.uri_mut() = uri;
            }
        }
        request
    }
}
