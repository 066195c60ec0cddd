//! The protocol over HTTP. Knows nothing of openraft.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{DefaultBodyLimit, Path, Query, Request, State, rejection::JsonRejection},
    middleware::{self, Next},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures::{FutureExt, Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    BASE, GROUP, Options, Refusal, Rights,
    node::{self, Node},
    rights, view,
    wire::{ChangeRequest, GroupView, Groups, Identity, Receipt},
};

/// A change request is a few names; nothing larger is read.
const BODY_LIMIT: usize = 16 * 1024;

/// How often a silent event stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

pub(crate) fn router(node: Arc<dyn Node>, options: Arc<Options>) -> Router {
    let routes = Router::new()
        .route("/identity", get(identity))
        .route("/groups", get(groups))
        .route("/groups/{group}", get(group))
        .route("/groups/{group}/changes", post(change))
        .route("/events", get(events))
        .with_state(node)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(options, rights::admit))
        .layer(middleware::from_fn(contain));
    Router::new().nest(BASE, routes)
}

/// A panic in the agent becomes an answer; it never reaches the host.
async fn contain(request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.unwrap_or_else(|_| Refusal::broken().into_response())
}

async fn identity(
    State(node): State<Arc<dyn Node>>,
    Extension(rights): Extension<Rights>,
) -> Json<Identity> {
    Json(node.identity(rights))
}

#[derive(Deserialize)]
struct Since {
    since: Option<String>,
}

async fn groups(
    State(node): State<Arc<dyn Node>>,
    Query(Since { since }): Query<Since>,
) -> Json<Groups> {
    let summary = view::summary(&node.view().await);
    let revision = summary.revision();
    let same = since.as_ref() == Some(&revision);
    let groups = if same { Vec::new() } else { vec![summary] };
    Json(Groups {
        revision,
        complete: !same,
        groups,
        gone: Vec::new(),
    })
}

async fn group(
    State(node): State<Arc<dyn Node>>,
    Path(group): Path<String>,
) -> Result<Json<GroupView>, Refusal> {
    known(&group)?;
    Ok(Json(node.view().await))
}

async fn change(
    State(node): State<Arc<dyn Node>>,
    Extension(rights): Extension<Rights>,
    Path(group): Path<String>,
    request: Result<Json<ChangeRequest>, JsonRejection>,
) -> Result<Json<Receipt>, Refusal> {
    rights::need_change(rights)?;
    known(&group)?;
    let Json(request) = request.map_err(|error| Refusal::malformed(error.body_text()))?;
    node::change_to_its_end(node, request).await.map(Json)
}

fn known(group: &str) -> Result<(), Refusal> {
    if group == GROUP {
        Ok(())
    } else {
        Err(Refusal::unknown_group())
    }
}

async fn events(
    State(node): State<Arc<dyn Node>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(node.follow(sender));
    let events = ReceiverStream::new(receiver).map(|view| Ok(event(&view)));
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

fn event(view: &GroupView) -> Event {
    let revision = view::summary(view).revision();
    let event = Event::default().event("group").id(revision);
    event
        .json_data(view)
        .unwrap_or_else(|_| Event::default().event("group").data("null"))
}
