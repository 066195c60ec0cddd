//! States set by hand, and taken back: of a cluster's member, or of a group's in a program of many.

use std::time::Duration;

use axum::{
    Json,
    extract::{Extension, Path, Request, State},
    http::StatusCode,
};
use quorate_control::Operator;
use quorate_domain::{health::Override, moment::Timestamp};

use super::body::Fields;
use crate::{guards::problems::Fault, state::Console};

pub async fn set(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Override>, Fault> {
    let mut fields = Fields::of(request).await?;
    let member = needed(&mut fields, "member")?;
    let until = needed(&mut fields, "until")?;
    let reason = fields.text("reason")?.unwrap_or_default();
    let place = place(&name, fields.text("group")?);
    fields.end(&["member", "until", "reason", "group"])?;
    let until = Timestamp::parse(&until).ok_or_else(|| {
        Fault::malformed(
            "`until` is not understood.",
            "Give a time like 2026-11-21T14:00:00Z.",
        )
    })?;
    let life = Duration::from_millis(until.since(console.control.now()));
    let control = &console.control;
    Ok(Json(
        control
            .override_set(&who, &place, &member, &reason, life)
            .await?,
    ))
}

pub async fn lift(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(name): Path<String>,
    request: Request,
) -> Result<StatusCode, Fault> {
    let mut fields = Fields::of(request).await?;
    let member = needed(&mut fields, "member")?;
    let place = place(&name, fields.text("group")?);
    fields.end(&["member", "group"])?;
    console.control.override_lift(&who, &place, &member).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How control names a cluster, or one group of a program of many.
fn place(cluster: &str, group: Option<String>) -> String {
    match group {
        None => cluster.to_owned(),
        Some(group) => format!("{cluster}/{group}"),
    }
}

fn needed(fields: &mut Fields, name: &str) -> Result<String, Fault> {
    fields.text(name)?.ok_or_else(|| {
        Fault::malformed(
            format!("`{name}` is missing."),
            "Give the member and, to set its state, until when and why.",
        )
    })
}
