//! Snapshots taken through this console.

use axum::{
    extract::{Extension, Path, Request, State},
    response::Response,
};
use quorate_control::Operator;

use super::page::{self, Asked};
use crate::{downloads, guards::problems::Fault, state::Console};

pub async fn list(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    request: Request,
) -> Result<Response, Fault> {
    Asked::of(&request, &[])?;
    Ok(page::whole(console.control.snapshots(&who).await?))
}

pub async fn content(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    downloads::content(&console, &who, &id).await
}
