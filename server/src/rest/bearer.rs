//! Who calls: the API token in `Authorization`, and nothing else. Cookies are not read here.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use quorate_domain::audit::Source;
use quorate_drivers::Secret;

use crate::{break_glass, guards::problems::Fault, state::Console};

/// Puts the token's [`quorate_control::Operator`] into the request, or refuses it.
pub async fn identify(
    State(console): State<Console>,
    mut request: Request,
    next: Next,
) -> Response {
    let source = request
        .extensions()
        .get::<Source>()
        .cloned()
        .unwrap_or_default();
    if break_glass::is_here(&console) {
        return match break_glass::by_bearer(&console, request.headers(), source).await {
            Ok(who) => {
                request.extensions_mut().insert(who);
                next.run(request).await
            }
            Err(fault) => fault.into_response(),
        };
    }
    let Some(token) = token(request.headers()) else {
        return Fault::not_signed_in().into_response();
    };
    match console.control.operator_by_token(&token, source).await {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(error) => Fault::from(error).into_response(),
    }
}

/// Exactly one header, with exactly one token of ours.
fn token(headers: &HeaderMap) -> Option<Secret> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (given.next()?.to_str().ok()?, given.next()) else {
        return None;
    };
    let (scheme, token) = value.split_once(' ')?;
    let ours = scheme.eq_ignore_ascii_case("bearer") && token.starts_with("qt_");
    ours.then(|| Secret::new(token.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_token(values: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                header::AUTHORIZATION,
                header::HeaderValue::from_static(value),
            );
        }
        token(&headers).is_some()
    }

    #[test]
    fn only_one_bearer_value_that_begins_like_our_tokens_is_taken_for_one() {
        assert!(is_token(&["Bearer qt_abc"]));
        assert!(is_token(&["bearer qt_abc"]));
        for values in [
            &["Bearer abc"][..],
            &["Basic qt_abc"],
            &["qt_abc"],
            &["Bearer qt_a", "Bearer qt_b"],
            &[],
        ] {
            assert!(!is_token(values), "{values:?}");
        }
    }
}
