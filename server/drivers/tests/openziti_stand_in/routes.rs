//! What every call of a stand-in controller goes through: frozen, slow, cut off, written down.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{edge, fabric, provider, server::until_it_runs, socket, world::World};

/// One call and its answer, as they stood on the wire.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub node: String,
    pub method: String,
    pub path: String,
    pub request: Option<Value>,
    pub status: u16,
    pub answer: Bytes,
}

/// What a controller's handlers know.
#[derive(Clone)]
pub struct Controller {
    pub id: String,
    pub world: World,
    pub access: Arc<Access>,
    pub exchanges: Arc<Mutex<Vec<Exchange>>>,
    pub requests: Arc<Mutex<provider::Requests>>,
}

/// Who may sign in, and how.
pub struct Access {
    pub oidc: bool,
    pub multi_factor: bool,
    /// What sessions and tokens last.
    pub life: Duration,
    /// Certificate (DER) of an administrator.
    pub administrator: Vec<u8>,
    /// How many sign-ins were tried.
    pub sign_ins: std::sync::atomic::AtomicUsize,
}

pub fn routes(controller: Controller) -> Router {
    Router::new()
        .merge(edge::routes())
        .merge(provider::routes())
        .nest("/fabric/v1", fabric::routes().merge(socket::routes()))
        .layer(from_fn_with_state(controller.clone(), through))
        .with_state(controller)
}

/// The most that is written down.
const KEPT: usize = 20_000;

async fn through(State(controller): State<Controller>, request: Request, next: Next) -> Response {
    let Controller { id, world, .. } = &controller;
    until_it_runs(world, id).await;
    let slow = world.state().node(id).slow;
    if slow > Duration::ZERO {
        tokio::time::sleep(slow).await;
    }
    let is_socket = request.uri().path().ends_with("/ws-api");
    if is_socket {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.unwrap_or_default();
    let told = serde_json::from_slice(&body).ok();
    let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
    let cut_off = world.state().pace.cut_off;
    let request = Request::from_parts(head, Body::from(body));
    let response = match tokio::time::timeout(cut_off, next.run(request)).await {
        Ok(response) => response,
        Err(_) => problem(503, "TIMEOUT", "the request timed out", None),
    };
    until_it_runs(world, id).await;
    let (head, body) = response.into_parts();
    let answer = match to_bytes(body, 8 * 1024 * 1024).await {
        Ok(answer) => answer,
        // It breaks on purpose.
        Err(_) => return Response::from_parts(head, broken()),
    };
    let exchange = Exchange {
        node: id.clone(),
        method,
        path,
        request: told,
        status: head.status.as_u16(),
        answer: answer.clone(),
    };
    let mut exchanges = controller
        .exchanges
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if exchanges.len() < KEPT {
        exchanges.push(exchange);
    }
    Response::from_parts(head, Body::from(answer))
}

/// A body that ends before it is whole.
pub fn broken() -> Body {
    let failing = futures::stream::iter([
        Ok(Bytes::from_static(b"{\"da")),
        Err(std::io::Error::other("the connection breaks here")),
    ]);
    Body::from_stream(failing)
}

/// An answer of nothing but success.
pub fn empty(status: u16) -> Response {
    answer(status, json!({ "data": {}, "meta": {} }))
}

pub fn answer(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, Json(body)).into_response()
}

pub fn problem(status: u16, code: &str, message: &str, cause: Option<&str>) -> Response {
    answer(status, problem_body(code, message, cause))
}

pub fn problem_body(code: &str, message: &str, cause: Option<&str>) -> Value {
    let mut error = json!({ "code": code, "message": message, "requestId": "abc123" });
    if let Some(cause) = cause {
        error["cause"] = json!({ "code": "UNHANDLED", "message": cause });
    }
    json!({ "error": error, "meta": { "apiEnrollmentVersion": "0.0.1", "apiVersion": "0.0.1" } })
}

pub fn unauthorized() -> Response {
    problem(
        401,
        "UNAUTHORIZED",
        "The request could not be completed. The session is not authorized or the credentials are invalid",
        None,
    )
}
