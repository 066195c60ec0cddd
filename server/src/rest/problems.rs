//! All that is wrong in one list: of every cluster one may see, and of the console itself.

use axum::{
    extract::{Extension, Request, State},
    response::Response,
};
use quorate_control::Operator;
use quorate_domain::{cluster::ClusterName, health::Finding};
use serde::Serialize;

use super::page::{self, Asked};
use crate::{guards::problems::Fault, state::Console};

/// `cluster` is null for what is wrong with the console itself.
#[derive(Serialize)]
struct Line {
    cluster: Option<ClusterName>,
    #[serde(flatten)]
    finding: Finding,
}

pub async fn list(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    request: Request,
) -> Result<Response, Fault> {
    Asked::of(&request, &[])?;
    console.control.refresh(&who, None).await;
    let problems = console.control.problems(&who).into_iter();
    let lines = problems.map(|(cluster, finding)| Line { cluster, finding });
    Ok(page::whole(lines.collect()))
}
