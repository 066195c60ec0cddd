//! Every route and the guards in front of it, outermost last.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::Uri,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodRouter, get, post},
};
use leptos_axum::{AxumRouteListing, generate_route_list};
use tower_http::{compression::CompressionLayer, limit::RequestBodyLimitLayer};

use crate::{
    assets, audit_files, break_glass, deciding, downloads, erasing, events,
    guards::{cross_site, headers, oversize, problems, request},
    health, overriding, pages, rest, server_functions, sessions, sign_in, sign_on,
    state::Console,
    step_up, visitor,
};

/// No body this console takes is longer.
pub const BODY_LIMIT: usize = 64 * 1024;

/// One method of one path. A table of these is what the tests count.
pub struct Route {
    method: &'static str,
    path: &'static str,
    handler: MethodRouter<Console>,
}

impl Route {
    pub const fn get(path: &'static str, handler: MethodRouter<Console>) -> Self {
        Self {
            method: "GET",
            path,
            handler,
        }
    }

    pub const fn post(path: &'static str, handler: MethodRouter<Console>) -> Self {
        Self {
            method: "POST",
            path,
            handler,
        }
    }

    pub const fn name(&self) -> (&'static str, &'static str) {
        (self.method, self.path)
    }
}

/// A router of a table's routes.
pub fn of(routes: Vec<Route>) -> Router<Console> {
    let add = |router: Router<Console>, route: Route| router.route(route.path, route.handler);
    routes.into_iter().fold(Router::new(), add)
}

/// Open to everybody.
fn open() -> Vec<Route> {
    vec![
        Route::get("/healthz", get(health::alive)),
        Route::get("/readyz", get(health::ready)),
        Route::get("/metrics", get(health::metrics)),
        Route::get("/assets/{name}", get(assets::serve)),
        // An OpenID provider carries no session; it is known by what it has signed.
        Route::post("/back-channel-logout", post(sign_on::left)),
    ]
}

/// What a browser's session carries, beside pages and server functions.
fn carried() -> Vec<Route> {
    vec![
        Route::get("/events", get(events::page)),
        Route::get("/snapshots/{id}/content", get(downloads::by_session)),
        Route::post("/audit/exports", post(audit_files::export_by_form)),
        Route::get("/audit/{seq}/proof", get(audit_files::proof_by_session)),
        Route::get("/sign-in/link/{secret}", get(sign_in::by_link)),
        Route::get("/sign-in/break-glass/{secret}", get(break_glass::enter)),
        Route::get("/sign-in/oidc", get(sign_on::begin)),
        Route::get("/sign-in/callback", get(sign_on::callback)),
        Route::get("/sign-in", get(pages::page)),
        Route::post("/sign-in", post(sign_in::by_password)),
        Route::get("/step-up/{id}", get(step_up::page)),
        Route::post("/step-up/{id}", post(step_up::answer)),
        Route::get("/step-up/{id}/sign-in", get(step_up::sign_in)),
        Route::get("/access/passkeys", get(step_up::passkeys::list)),
        Route::post("/access/passkeys", post(step_up::passkeys::begin)),
        Route::get("/access/passkeys/new/{id}", get(step_up::passkeys::making)),
        Route::post("/access/passkeys/new/{id}", post(step_up::passkeys::made)),
        Route::post("/access/passkeys/remove", post(step_up::passkeys::remove)),
        Route::get("/access/erase", get(erasing::page)),
        Route::post("/access/erase", post(erasing::by_form)),
        Route::post("/sign-out", post(sign_in::out)),
        Route::post("/password", post(sign_in::password)),
        Route::post("/clusters/{name}/override", post(overriding::by_form)),
        Route::post("/changes/{id}/word", post(deciding::by_form)),
    ]
}

/// Method and path of every route of the console, for the tests that hold each against a table.
#[must_use]
pub fn listed() -> Vec<(&'static str, String)> {
    let own = open()
        .into_iter()
        .chain(carried())
        .map(|route| (route.method, route.path.to_owned()));
    let rest = rest::listed()
        .into_iter()
        .map(|(method, path)| (method, format!("/api/v1{path}")));
    let functions = server_functions::paths()
        .into_iter()
        .map(|path| ("POST", path.to_owned()));
    let pages = page_paths().into_iter().map(|path| ("GET", path));
    let mut all: Vec<_> = own.chain(rest).chain(functions).chain(pages).collect();
    all.sort();
    all.dedup();
    all
}

pub fn build(console: &Console, life: std::time::Duration) -> Router {
    of(open())
        .nest("/api/v1", rest::routes(console))
        .merge(with_session(console, life))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(from_fn(|request, next| {
            oversize::refuse(BODY_LIMIT, request, next)
        }))
        .layer(CompressionLayer::new())
        .layer(from_fn(problems::shape))
        .layer(from_fn_with_state(console.clone(), headers::secure))
        .layer(from_fn_with_state(console.clone(), request::receive))
        .with_state(console.clone())
}

/// Everything a browser's session carries.
fn with_session(console: &Console, life: std::time::Duration) -> Router<Console> {
    let functions = Router::new().route("/api/ui/{*function}", post(server_functions::call));
    let mut router = of(carried()).merge(functions);
    for path in page_paths().into_iter().filter(|path| path != "/sign-in") {
        router = router.route(&path, get(pages::page));
    }
    router
        .fallback(pages::not_found)
        .layer(from_fn_with_state(console.clone(), cross_site::refuse))
        .layer(from_fn_with_state(console.clone(), visitor::identify))
        .layer(sessions::layer(
            &console.control,
            console.cookie_name(),
            console.secure,
            life,
        ))
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
pub fn below(base: &str) -> impl Fn(Request) -> Request + Clone + Send + Sync + 'static + use<> {
    let base = quorate_app::base::BasePath(base.to_owned());
    move |mut request: Request| {
        let inside = base.strip(request.uri().path());
        if inside != request.uri().path() {
            let query = request
                .uri()
                .query()
                .map(|query| format!("?{query}"))
                .unwrap_or_default();
            if let Ok(uri) = format!("{inside}{query}").parse::<Uri>() {
                *request.uri_mut() = uri;
            }
        }
        request
    }
}
