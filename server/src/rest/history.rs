//! What happened to a cluster, or to one group of a program of many (`?group=`): elections,
//! findings, members that change, changes; oldest first, from one moment to another.

use axum::{
    extract::{Extension, Path, Request, State},
    response::Response,
};
use quorate_control::Operator;

use super::page::{self, Asked};
use crate::{guards::problems::Fault, state::Console};

pub async fn list(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let asked = Asked::of(&request, &["from", "to", "group", "after", "limit"])?;
    let place = (name.as_str(), asked.text("group"));
    let between = (asked.time("from")?, asked.time("to")?);
    let (after, limit) = (asked.number("after")?.unwrap_or(0), asked.limit()?);
    let events = console.control.history(&who, place, between, after, limit);
    Ok(page::page(events.await?))
}
