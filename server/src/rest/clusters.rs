//! The clusters one may see, and one cluster's view.

use axum::{
    Json,
    extract::{Extension, Path, Request, State},
    response::{IntoResponse, Response},
};
use quorate_control::Operator;
use quorate_domain::{
    cluster::{ClusterName, Kind},
    health::{Finding, Verdict},
    quorum::Quorum,
    view::{ClusterSummary, Leader},
};
use serde::Serialize;

use super::{
    groups,
    page::{self, Asked},
};
use crate::{guards::problems::Fault, state::Console};

/// One line of the list. A program of many groups has no one leader and no one quorum.
#[derive(Serialize)]
struct Line {
    name: ClusterName,
    kind: Kind,
    version: Option<String>,
    tags: Vec<String>,
    sentence: String,
    verdict: Verdict,
    leader: Option<Leader>,
    quorum: Option<Quorum>,
    worst_lag: Option<u64>,
    findings: Vec<Finding>,
    age_ms: Option<u64>,
}

impl Line {
    fn of(cluster: ClusterSummary, many: bool) -> Self {
        Self {
            name: cluster.name,
            kind: cluster.kind,
            version: cluster.version,
            tags: cluster.tags,
            sentence: cluster.sentence,
            verdict: cluster.verdict,
            leader: (!many).then_some(cluster.leader),
            quorum: (!many).then_some(cluster.quorum),
            worst_lag: cluster.worst_lag,
            findings: cluster.findings,
            age_ms: cluster.age_ms,
        }
    }
}

pub async fn list(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    request: Request,
) -> Result<Response, Fault> {
    let asked = Asked::of(&request, &["limit", "after"])?;
    let limit = usize::try_from(asked.limit()?).unwrap_or(usize::MAX);
    console.control.refresh(&who, None).await;
    let mut lines: Vec<Line> = console
        .control
        .fleet(&who)
        .into_iter()
        .map(|cluster| {
            let many = console.control.runs_many(&cluster.name);
            Line::of(cluster, many)
        })
        .collect();
    let Some(after) = asked.text("after") else {
        return Ok(paged(lines, limit));
    };
    let passed = lines.iter().position(|line| line.name.as_str() == after);
    let rest = lines.split_off(passed.map_or(lines.len(), |index| index + 1));
    Ok(paged(rest, limit))
}

fn paged(mut lines: Vec<Line>, limit: usize) -> Response {
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines
        .last()
        .filter(|_| more)
        .map(|line| line.name.0.clone());
    Json(page::Items { items: lines, next }).into_response()
}

pub async fn view(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<serde_json::Value>, Fault> {
    Asked::of(&request, &[])?;
    let view = console.control.view(&who, &name).await?;
    groups::told(&view).map(Json).map_err(|_| Fault::internal())
}
