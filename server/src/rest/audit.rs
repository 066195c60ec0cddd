//! The audit log, oldest first.

use axum::{
    extract::{Extension, Request, State},
    response::Response,
};
use quorate_control::Operator;
use quorate_domain::audit::Filter;

use super::page::{self, Asked};
use crate::{guards::problems::Fault, state::Console};

pub async fn list(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    request: Request,
) -> Result<Response, Fault> {
    let asked = Asked::of(
        &request,
        &["from", "to", "cluster", "actor", "change", "after", "limit"],
    )?;
    let filter = Filter {
        from: asked.time("from")?,
        to: asked.time("to")?,
        cluster: asked.text("cluster").map(str::to_owned),
        actor: asked.text("actor").map(str::to_owned),
        change: asked.text("change").map(str::to_owned),
        ..Filter::default()
    };
    let after = asked.number("after")?.unwrap_or(0);
    Ok(page::page(
        console
            .control
            .audit(&who, &filter, after, asked.limit()?)
            .await?,
    ))
}
