//! Who may look and who may change.

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use subtle::ConstantTimeEq;

use crate::{Options, Refusal, Token};

/// What a caller may do.
///
/// Where the host ends mutual TLS itself, it puts the rights of the verified certificate into the
/// request's extensions before the agent's routes; then no bearer token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    Read,
    Change,
}

impl Rights {
    pub(crate) fn names(self) -> Vec<String> {
        match self {
            Self::Read => vec!["read".to_owned()],
            Self::Change => vec!["read".to_owned(), "change".to_owned()],
        }
    }
}

/// Lets a request through with its [`Rights`], or answers 401.
pub(crate) async fn admit(
    State(options): State<Arc<Options>>,
    given: Option<Extension<Rights>>,
    mut request: Request,
    next: Next,
) -> Response {
    let rights = given
        .map(|Extension(rights)| rights)
        .or_else(|| by_token(&options, request.headers()));
    let Some(rights) = rights else {
        return unauthorized();
    };
    request.extensions_mut().insert(rights);
    next.run(request).await
}

fn unauthorized() -> Response {
    let mut refusal = Refusal::malformed("A bearer token or a client certificate is needed.");
    (refusal.status, refusal.code) = (401, "not-signed-in");
    let mut response = refusal.into_response();
    let challenge = axum::http::HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}

pub(crate) fn need_change(rights: Rights) -> Result<(), Refusal> {
    if rights >= Rights::Change {
        return Ok(());
    }
    let mut refusal = Refusal::malformed("This credential may look, not change.");
    (refusal.status, refusal.code) = (403, "not-allowed");
    Err(refusal)
}

fn by_token(options: &Options, headers: &HeaderMap) -> Option<Rights> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, given) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let given = given.trim().as_bytes();
    if holds(&options.change_tokens, given) {
        Some(Rights::Change)
    } else if holds(&options.read_tokens, given) {
        Some(Rights::Read)
    } else {
        None
    }
}

/// Compares with every token in constant time. An empty token is never one.
fn holds(tokens: &[Token], given: &[u8]) -> bool {
    let mut found = false;
    for token in tokens {
        let equal: bool = token.as_bytes().ct_eq(given).into();
        found |= equal && !given.is_empty();
    }
    found
}
