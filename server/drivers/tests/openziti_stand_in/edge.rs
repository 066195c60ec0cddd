//! The management API's part: version, the older sign-in, the controllers' API addresses.

use std::{sync::atomic::Ordering, time::Instant};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Query, State},
    http::HeaderMap,
    response::Response,
    routing::{delete, get, post},
};
use rand::Rng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    routes::{Controller, answer, empty, problem, unauthorized},
    server::Caller,
};

/// An administrator, and somebody who may see nothing.
pub const ADMINISTRATOR: (&str, &str) = ("quorate", "correct horse battery");
pub const NOBODY: (&str, &str) = ("reader", "staple");

pub fn routes() -> Router<Controller> {
    Router::new()
        .route("/edge/management/v1/version", get(version))
        .route("/edge/management/v1/authenticate", post(authenticate))
        .route(
            "/edge/management/v1/current-api-session",
            delete(async || empty(200)),
        )
        .route("/edge/management/v1/controllers", get(controllers))
}

async fn version(State(controller): State<Controller>) -> Response {
    let state = controller.world.state();
    let mut capabilities = vec!["HA_CONTROLLER"];
    if controller.access.oidc {
        capabilities.push("OIDC_AUTH");
    }
    let body = json!({
        "version": state.node(&controller.id).version, "capabilities": capabilities,
        "apiVersions": { "edge": { "v1": { "path": "/edge/client/v1" } } },
    });
    answer(200, json!({ "data": body, "meta": {} }))
}

#[derive(Deserialize)]
struct Method {
    method: String,
}

/// The name behind credentials, or `None`.
pub fn who(controller: &Controller, method: &str, body: &Value, caller: &Caller) -> Option<String> {
    if !controller
        .world
        .state()
        .node(&controller.id)
        .knows_identities
    {
        return None;
    }
    match method {
        "password" => {
            let given = (body["username"].as_str()?, body["password"].as_str()?);
            let known = [ADMINISTRATOR, NOBODY].contains(&given);
            known.then(|| given.0.to_owned())
        }
        "cert" => {
            let shown = caller.certificate.as_ref()?;
            let known = *shown == controller.access.administrator;
            known.then(|| ADMINISTRATOR.0.to_owned())
        }
        _ => None,
    }
}

/// A word nobody can guess.
pub fn word() -> String {
    let number: u128 = rand::rng().random();
    format!("{number:032x}")
}

async fn authenticate(
    State(controller): State<Controller>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Query(Method { method }): Query<Method>,
    Json(body): Json<Value>,
) -> Response {
    controller.access.sign_ins.fetch_add(1, Ordering::SeqCst);
    let Some(name) = who(&controller, &method, &body, &caller) else {
        return problem(
            401,
            "INVALID_AUTH",
            "The authentication request failed",
            None,
        );
    };
    let token = word();
    let mut state = controller.world.state();
    // Good at this controller only.
    let key = format!("{}/{token}", controller.id);
    let until = Instant::now() + controller.access.life;
    state.tokens.insert(key, (name, until));
    let queries = if controller.access.multi_factor {
        json!([{ "typeId": "MFA" }])
    } else {
        json!([])
    };
    let body = json!({
        "token": token, "expirationSeconds": controller.access.life.as_secs(), "authQueries": queries,
        "expiresAt": "2026-08-20T10:30:00.000Z", "identity": { "id": "i1" },
    });
    answer(200, json!({ "data": body, "meta": {} }))
}

/// Who makes a call, by its session or its token.
pub fn caller(controller: &Controller, headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let state = controller.world.state();
    if !state.node(&controller.id).knows_identities {
        return None;
    }
    let key = match (text("zt-session"), text("authorization")) {
        (Some(session), _) => format!("{}/{session}", controller.id),
        (None, Some(bearer)) => format!("oidc/{}", bearer.strip_prefix("Bearer ")?),
        (None, None) => return None,
    };
    let (name, until) = state.tokens.get(&key)?;
    (*until > Instant::now()).then(|| name.clone())
}

#[derive(Deserialize)]
struct Page {
    limit: Option<usize>,
    offset: Option<usize>,
}

async fn controllers(
    State(controller): State<Controller>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Response {
    if caller(&controller, &headers).is_none() {
        return unauthorized();
    }
    let state = controller.world.state();
    let known = state.nodes.values().filter(|node| {
        let member = state.config.iter().any(|server| server.id == node.id);
        member || !node.stranger_to.is_empty()
    });
    let lines: Vec<Value> = known
        .map(|node| {
            let addresses = if node.announces {
                json!({ "fabric": [{ "url": format!("{}/fabric/v1", node.url), "version": "v1" }],
                        "health-checks": [] })
            } else {
                json!({})
            };
            json!({
                "id": node.id, "name": node.id, "ctrlAddress": node.address, "isOnline": true,
                "lastJoinedAt": "2026-08-20T10:00:00.000Z", "isPreferredLeader": node.preferred,
                "fingerprint": "ab", "certPem": "", "apiAddresses": addresses, "tags": {},
                "createdAt": "2026-08-20T10:00:00.000Z", "updatedAt": "2026-08-20T10:00:00.000Z",
                "_links": {},
            })
        })
        .collect();
    let (limit, offset) = (page.limit.unwrap_or(10), page.offset.unwrap_or(0));
    let total = lines.len();
    let shown: Vec<Value> = lines.into_iter().skip(offset).take(limit).collect();
    answer(
        200,
        json!({ "data": shown, "meta": { "filterableFields": [],
            "pagination": { "limit": limit, "offset": offset, "totalCount": total } } }),
    )
}
