//! The OpenID provider inside a controller: authorization code with a proof key. Tokens are good
//! at every controller.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, atomic::Ordering},
    time::Instant,
};

use axum::{
    Form, Router,
    extract::{ConnectInfo, Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    edge::{who, word},
    routes::{Controller, answer, problem},
    server::Caller,
};

type Fields = BTreeMap<String, String>;

/// Authorizations under way at one controller.
#[derive(Default)]
pub struct Requests {
    begun: BTreeMap<String, Fields>,
    proven: BTreeMap<String, (Fields, String)>,
    codes: BTreeMap<String, (Fields, String)>,
    refreshes: BTreeMap<String, String>,
}

pub fn routes() -> Router<Controller> {
    Router::new()
        .route("/oidc/.well-known/openid-configuration", get(offer))
        .route("/oidc/authorize", get(authorize))
        .route("/oidc/login/{method}", get(page).post(login))
        .route("/oidc/authorize/callback", get(callback))
        .route("/oidc/oauth/token", post(token))
}

fn requests(controller: &Controller) -> std::sync::MutexGuard<'_, Requests> {
    controller
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn moved(to: &str) -> Response {
    (StatusCode::FOUND, [("location", to.to_owned())]).into_response()
}

async fn offer(State(controller): State<Controller>, headers: HeaderMap) -> Response {
    let url = controller.world.state().node(&controller.id).url.clone();
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    if !controller.access.oidc || host.is_none_or(|host| url != format!("https://{host}")) {
        return problem(404, "NOT_FOUND", "The resource is not found", None);
    }
    answer(
        200,
        json!({
            "issuer": format!("{url}/oidc"),
            "authorization_endpoint": format!("{url}/oidc/authorize"),
            "token_endpoint": format!("{url}/oidc/oauth/token"),
        }),
    )
}

async fn authorize(State(controller): State<Controller>, Query(fields): Query<Fields>) -> Response {
    let is = |key: &str, value: &str| fields.get(key).is_some_and(|given| given == value);
    let right = is("client_id", "native")
        && is("response_type", "code")
        && is("code_challenge_method", "S256")
        && is("scope", "openid offline_access")
        && fields.contains_key("code_challenge");
    if !right {
        return problem(400, "INVALID_REQUEST", "not this way", None);
    }
    let id = word();
    requests(&controller).begun.insert(id.clone(), fields);
    moved(&format!("/oidc/login/username?authRequestID={id}"))
}

async fn page(State(_): State<Controller>, Query(fields): Query<Fields>) -> Response {
    let id = fields.get("authRequestID").cloned().unwrap_or_default();
    (StatusCode::OK, [("auth-request-id", id)], "<form></form>").into_response()
}

async fn login(
    State(controller): State<Controller>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(method): Path<String>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    controller.access.sign_ins.fetch_add(1, Ordering::SeqCst);
    let accepts = headers.get("accept").and_then(|it| it.to_str().ok());
    if accepts != Some("application/json") {
        return problem(
            406,
            "NOT_ACCEPTABLE",
            "unable to satisfy accept header",
            None,
        );
    }
    // The older ones know the password's path by this name only, and show the form again.
    let old = controller
        .world
        .state()
        .node(&controller.id)
        .version
        .as_str()
        < "v2";
    let method = match method.as_str() {
        "username" => "password",
        "password" if old => return problem(404, "NOT_FOUND", "no such page", None),
        other => other,
    };
    let id = fields.get("id").cloned().unwrap_or_default();
    let Some(begun) = requests(&controller).begun.remove(&id) else {
        return problem(404, "NOT_FOUND", "no such request", None);
    };
    let body = json!({ "username": fields.get("username"), "password": fields.get("password") });
    let Some(name) = who(&controller, method, &body, &caller) else {
        if old && method == "password" {
            return (
                StatusCode::OK,
                "<form>the authentication request failed</form>",
            )
                .into_response();
        }
        return problem(
            401,
            "INVALID_AUTH",
            "The authentication request failed",
            None,
        );
    };
    if controller.access.multi_factor {
        let queries = json!({ "authQueries": [{ "typeId": "MFA" }] });
        return ([("totp-required", "true")], answer(200, queries)).into_response();
    }
    requests(&controller)
        .proven
        .insert(id.clone(), (begun, name));
    moved(&format!("/oidc/authorize/callback?id={id}"))
}

async fn callback(State(controller): State<Controller>, Query(fields): Query<Fields>) -> Response {
    let id = fields.get("id").cloned().unwrap_or_default();
    let Some((begun, name)) = requests(&controller).proven.remove(&id) else {
        return problem(404, "NOT_FOUND", "no such request", None);
    };
    let code = word();
    let (back, state) = (begun["redirect_uri"].clone(), begun["state"].clone());
    requests(&controller)
        .codes
        .insert(code.clone(), (begun, name));
    moved(&format!("{back}?code={code}&state={state}"))
}

async fn token(State(controller): State<Controller>, Form(fields): Form<Fields>) -> Response {
    let field = |key: &str| fields.get(key).cloned().unwrap_or_default();
    let name = match field("grant_type").as_str() {
        "authorization_code" => {
            let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier").as_bytes()));
            let found = requests(&controller).codes.remove(&field("code"));
            found
                .filter(|(begun, _)| begun["code_challenge"] == proof)
                .map(|(_, name)| name)
        }
        "refresh_token" => requests(&controller)
            .refreshes
            .remove(&field("refresh_token")),
        _ => None,
    };
    let Some(name) = name else {
        return answer(400, json!({ "error": "invalid_grant" }));
    };
    let (access, refresh) = (word(), word());
    let key = format!("oidc/{access}");
    let life = controller.access.life;
    let held = (name.clone(), Instant::now() + life);
    controller.world.state().tokens.insert(key, held);
    requests(&controller)
        .refreshes
        .insert(refresh.clone(), name);
    answer(
        200,
        json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer",
            "expires_in": life.as_secs() }),
    )
}
