//! Whoever is signed in, as pages and forms take them; everybody else is sent to sign in.

use axum::{extract::FromRequestParts, http::request::Parts, response::Response};
use quorate_app::session::Visitor;
use quorate_control::Operator;

use crate::{sign_in::back, state::Console};

pub struct SignedIn(pub Operator);

impl FromRequestParts<Console> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let visitor = parts.extensions.get::<Visitor>();
        let who = visitor.and_then(|Visitor(who)| who.clone());
        who.map(Self)
            .ok_or_else(|| back(console, "/sign-in", "not-signed-in", ""))
    }
}
