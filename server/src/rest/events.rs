//! One cluster's view as an event stream, or one group's of a program of many (`?group=`).

use axum::{
    extract::{Extension, Path, Request, State},
    http::{HeaderMap, header},
    response::Response,
};
use quorate_control::{ControlError, Operator};
use quorate_domain::view::ClusterView;
use quorate_drivers::Secret;

use super::{groups, page::Asked};
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
    request: Request,
) -> Result<Response, Fault> {
    let group = Asked::of(&request, &["group"])?
        .text("group")
        .map(str::to_owned);
    // Says at once, with a status, what the stream could only say by ending.
    show(&console, &who, &name, group.as_deref()).await?;
    let followed = match &group {
        None => name.clone(),
        Some(group) => format!("{name}/{group}"),
    };
    let ticks = console.control.ticks(&who, Some(&followed))?;
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
        let (source, name, group) = (who.source.clone(), name.clone(), group.clone());
        let future: futures::future::BoxFuture<'static, _> = Box::pin(async move {
            // A revoked token or a changed role counts at once.
            let who = console.control.operator_by_token(&token, source).await;
            let who = who.map_err(|error| end(&error))?;
            let view = show(&console, &who, &name, group.as_deref()).await;
            groups::told(&view.map_err(|error| end(&error))?).map_err(|_| End::Broken)
        });
        future
    });
    stream::open(&console, &headers, ticks, render)
}

async fn show(
    console: &Console,
    who: &Operator,
    name: &str,
    group: Option<&str>,
) -> Result<ClusterView, ControlError> {
    match group {
        None => console.control.view_now(who, name),
        Some(group) => console.control.group_view(who, name, group).await,
    }
}

fn end(error: &ControlError) -> End {
    match error {
        ControlError::NotSignedIn => End::SignedOut,
        _ => End::Broken,
    }
}
