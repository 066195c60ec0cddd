//! One cluster's view as an event stream.

use axum::{
    extract::{Extension, Path, State},
    http::{HeaderMap, header},
    response::Response,
};
use quorate_control::{ControlError, Operator};
use quorate_drivers::Secret;

use super::groups;
use crate::{
    guards::problems::Fault,
    state::Console,
    stream::{self, End},
};

pub async fn stream(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    console.control.view_now(&who, &name)?;
    let ticks = console.control.ticks(&who, Some(&name))?;
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = token
        .and_then(|value| value.split_once(' '))
        .map(|(_, token)| Secret::new(token.trim()));
    let token = token.ok_or_else(Fault::not_signed_in)?;
    let watched = console.clone();
    let render = Box::new(move || {
        let (console, token) = (watched.clone(), token.clone());
        let (source, name) = (who.source.clone(), name.clone());
        let future: futures::future::BoxFuture<'static, _> = Box::pin(async move {
            // A revoked token or a changed role counts at once.
            let who = console.control.operator_by_token(&token, source).await;
            let who = who.map_err(|error| end(&error))?;
            let view = console
                .control
                .view_now(&who, &name)
                .map_err(|error| end(&error))?;
            groups::told(&view).map_err(|_| End::Broken)
        });
        future
    });
    stream::open(&console, &headers, ticks, render)
}

fn end(error: &ControlError) -> End {
    match error {
        ControlError::NotSignedIn => End::SignedOut,
        _ => End::Broken,
    }
}
