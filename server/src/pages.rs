//! Pages: rendered by the app with what it needs in context, complete before the first byte.
//! Visitors without a session are sent to sign in.

use axum::{
    body::Body,
    extract::{Extension, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use leptos::prelude::{provide_context, use_context};
use leptos_axum::ResponseOptions;
use quorate_app::{base::segment, opening::Opening, session::Visitor};

use crate::{
    break_glass,
    guards::{headers::page_policy, problems::Fault},
    sign_in::{inside, see_other},
    state::Console,
};

/// No page is longer; thousands of rows fit.
const PAGE_LIMIT: usize = 32 * 1024 * 1024;

/// What every page and server function finds in its context.
pub fn context(console: &Console, visitor: &Visitor) -> impl Fn() + Clone + Send + Sync + 'static {
    let (console, visitor) = (console.clone(), visitor.clone());
    move || {
        provide_context(console.control.clone());
        provide_context(visitor.clone());
        provide_context(console.base.clone());
        provide_context(console.assets.clone());
    }
}

/// A page of the app.
pub async fn page(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let path = request.uri().path();
    if visitor.0.is_none() && break_glass::is_here(&console) {
        return break_glass::nobody().into_response();
    }
    if visitor.0.is_none() && path != "/sign-in" {
        return to_sign_in(&console, &request);
    }
    // Behind a proxy this page says how signing in and out is done, so it is there for everybody.
    let local = console.identity.proxied().is_none();
    if visitor.0.is_some() && path == "/sign-in" && local {
        return see_other(&console, &wanted(&request));
    }
    render(&console, &visitor, request).await
}

/// Where somebody wanted to who came to sign in and is signed in, in another window perhaps.
fn wanted(request: &Request) -> String {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let next = pairs.find(|(name, _)| name == "next");
    inside(&next.map_or_else(String::new, |(_, next)| next.into_owned()))
}

/// The page of an address that leads nowhere.
pub async fn not_found(
    State(console): State<Console>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let mut response = page(State(console), Extension(visitor), request).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

async fn render(console: &Console, visitor: &Visitor, request: Request) -> Response {
    let mut opening = Opening::gather(
        &console.control,
        visitor.0.as_ref(),
        &console.base,
        request.uri().path(),
        request.headers(),
    )
    .await;
    opening.proxied = console.identity.proxied().is_some();
    opening.sign_on = console.identity.oidc().map(|oidc| oidc.name().to_owned());
    let status = opening
        .problem
        .as_ref()
        .and_then(|problem| StatusCode::from_u16(problem.status).ok());
    let given = context(console, visitor);
    let given = move || {
        given();
        provide_context(opening.clone());
        let Some(options) = use_context::<ResponseOptions>() else {
            return;
        };
        if let Some(status) = status {
            options.set_status(status);
        }
        // The policy names the nonce that this rendering has just been given.
        if let Some(nonce) = leptos::nonce::use_nonce()
            && let Ok(policy) = HeaderValue::from_str(&page_policy(&nonce))
        {
            options.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
    };
    let html = leptos_axum::render_app_async_with_context(given, quorate_app::shell::shell);
    let response: Response<Body> = html(request).await;
    whole(response).await
}

/// The whole page before its first byte: what goes wrong while the last of it is made can still
/// be answered with a problem instead of a broken connection.
async fn whole(response: Response<Body>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    match axum::body::to_bytes(body, PAGE_LIMIT).await {
        Ok(bytes) => Response::from_parts(parts, Body::from(bytes)),
        Err(error) => {
            tracing::error!("a page could not be rendered: {error}");
            Fault::internal().into_response()
        }
    }
}

fn to_sign_in(console: &Console, request: &Request) -> Response {
    let asked = request
        .uri()
        .path_and_query()
        .map_or("/", |asked| asked.as_str());
    let to = match inside(asked).as_str() {
        "/" => "/sign-in".to_owned(),
        next => format!("/sign-in?next={}", segment(next)),
    };
    see_other(console, &to)
}
