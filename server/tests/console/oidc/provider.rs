//! An OpenID provider that lets everybody in and can be told to lie.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::{Form, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::assertions::Signer;

pub const CLIENT: &str = "quorate";
pub const SECRET: &str = "the-client's secret/+";

pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

type Fields = HashMap<String, String>;
/// What becomes of an ID token's claims before they are signed.
pub type Change = Box<dyn FnMut(&mut Value) + Send>;
/// Signs claims in a way of its own.
pub type Sign = Box<dyn FnMut(&Signer, &Value) -> String + Send>;

/// What it does otherwise than it should; see [`Provider::lies`].
#[derive(Default)]
pub struct Lies {
    pub claims: Option<Change>,
    pub sign: Option<Sign>,
    /// What stands in discovery instead.
    pub discovery: Option<Value>,
    /// The `iss` of the answer; `Some(None)`: none at all.
    pub answer_issuer: Option<Option<String>>,
    pub userinfo: Option<Value>,
}

struct Shared {
    issuer: String,
    signer: Signer,
    /// Codes that were given out: what was asked for them.
    codes: Mutex<HashMap<String, Fields>>,
    lies: Mutex<Lies>,
    /// Bodies that came to the token endpoint.
    redeemed: Mutex<Vec<Fields>>,
}

#[derive(Clone)]
pub struct Provider(Arc<Shared>);

impl Provider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self(Arc::new(Shared {
            issuer,
            signer: Signer::new("k1"),
            codes: Mutex::default(),
            lies: Mutex::default(),
            redeemed: Mutex::default(),
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    pub fn signer(&self) -> &Signer {
        &self.0.signer
    }

    pub fn lies(&self) -> MutexGuard<'_, Lies> {
        self.0.lies.lock().unwrap()
    }

    pub fn redeemed(&self) -> Vec<Fields> {
        self.0.redeemed.lock().unwrap().clone()
    }

    /// A code that was given out for somebody else's sign-in.
    pub fn foreign_code(&self, nonce: &str, redirect: &str) -> String {
        let fields = [
            ("nonce", nonce),
            ("redirect_uri", redirect),
            ("code_challenge", "of-another-verifier"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.code(Fields::from(fields))
    }

    fn code(&self, asked: Fields) -> String {
        let mut codes = self.0.codes.lock().unwrap();
        let code = format!("code-{}-of-it", codes.len());
        codes.insert(code.clone(), asked);
        code
    }

    /// Claims of a logout token.
    pub fn logout(&self, jti: &str) -> Value {
        json!({
            "iss": self.issuer(), "aud": CLIENT, "sub": "4711", "jti": jti,
            "iat": now(), "exp": now() + 120,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        })
    }

    pub fn logout_token(&self, claims: &Value) -> String {
        let head = json!({ "alg": "ES256", "kid": "k1", "typ": "logout+jwt" });
        self.signer().token_with(&head, claims)
    }

    fn id_token(&self, asked: &Fields) -> String {
        let mut claims = json!({
            "iss": self.issuer(), "aud": CLIENT, "sub": "4711", "sid": "s-1",
            "email": "anna@example.com", "groups": ["ops"],
            "iat": now(), "exp": now() + 600, "nonce": asked["nonce"],
        });
        let mut lies = self.lies();
        if let Some(change) = &mut lies.claims {
            change(&mut claims);
        }
        match &mut lies.sign {
            Some(sign) => sign(self.signer(), &claims),
            None => self.signer().token(&claims),
        }
    }
}

async fn discovery(State(provider): State<Provider>) -> Json<Value> {
    let issuer = provider.issuer();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "end_session_endpoint": format!("{issuer}/leave?theme=\"dark\""),
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
    });
    if let Some(other) = &provider.lies().discovery {
        for (key, value) in other.as_object().unwrap() {
            document[key] = value.clone();
        }
    }
    Json(document)
}

async fn keys(State(provider): State<Provider>) -> Json<Value> {
    Json(json!({ "keys": [provider.signer().jwk()] }))
}

async fn authorize(State(provider): State<Provider>, Query(asked): Query<Fields>) -> Response {
    let state = asked["state"].clone();
    let redirect = asked["redirect_uri"].clone();
    let code = provider.code(asked);
    let issuer = match &provider.lies().answer_issuer {
        None => Some(provider.issuer().to_owned()),
        Some(other) => other.clone(),
    };
    let mut place = url::Url::parse(&redirect).unwrap();
    place
        .query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &state);
    if let Some(issuer) = issuer {
        place.query_pairs_mut().append_pair("iss", &issuer);
    }
    let place = [(header::LOCATION, place.to_string())];
    (StatusCode::SEE_OTHER, place).into_response()
}

async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(asked): Form<Fields>,
) -> Response {
    provider.0.redeemed.lock().unwrap().push(asked.clone());
    let refused = |error: &str| {
        let body = json!({ "error": error, "error_description": "a detail that nobody repeats" });
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    };
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{encoded}")));
    let given = headers.get("authorization");
    let known = given.is_some_and(|given| given.as_bytes() == basic.as_bytes());
    if !known && asked.get("client_secret").map(String::as_str) != Some(SECRET) {
        return refused("invalid_client");
    }
    // Good for one request, whatever comes of it.
    let code = provider.0.codes.lock().unwrap().remove(&asked["code"]);
    let Some(code) = code else {
        return refused("invalid_grant");
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(asked["code_verifier"].as_bytes()));
    if code["code_challenge"] != challenge || code["redirect_uri"] != asked["redirect_uri"] {
        return refused("invalid_grant");
    }
    Json(json!({
        "token_type": "Bearer", "expires_in": 60, "access_token": "the-access-token",
        "refresh_token": "the-refresh-token", "id_token": provider.id_token(&code),
    }))
    .into_response()
}

async fn userinfo(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    let known = headers
        .get("authorization")
        .is_some_and(|given| given == "Bearer the-access-token");
    match &provider.lies().userinfo {
        Some(claims) if known => Json(claims.clone()).into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}
