//! Changes: what one would do, asking for one, and how it goes.

use axum::{
    Json,
    extract::{Extension, Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use quorate_control::{Decision, Operator, Request as Wish};
use quorate_domain::{
    action::{Action, Verb},
    cluster::MemberId,
    job::Change,
    permission::{Permission, carried_by},
    plan::Preview,
};
use serde_json::json;

use super::{
    body::Fields,
    page::{self, Asked},
};
use crate::{guards::problems::Fault, state::Console};

/// As the core has it.
const KEY_LIMIT: usize = 255;

pub async fn preview(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Preview>, Fault> {
    let mut fields = Fields::of(request).await?;
    let action = action(&mut fields)?;
    let group = fields.text("group")?;
    fields.end(ACTION_FIELDS)?;
    let control = &console.control;
    let preview = control.preview_in(&who, &name, group.as_deref(), &action);
    Ok(Json(preview.await?))
}

pub async fn submit(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Fault> {
    let (action, wish) = match read(&headers, request).await {
        Ok(read) => read,
        // Whoever may change nothing is told that before anything about the body.
        Err(fault) => {
            return Err(if may_change(&who) {
                fault
            } else {
                not_allowed()
            });
        }
    };
    // A caller that goes away must not cut a change off between its record and its request.
    let submitted =
        tokio::spawn(async move { console.control.submit(&who, &name, &action, &wish).await });
    let change = submitted.await.map_err(|error| {
        tracing::error!("a change's request failed: {error}");
        Fault::internal()
    })??;
    Ok(accepted(&change))
}

async fn read(headers: &HeaderMap, request: Request) -> Result<(Action, Wish), Fault> {
    let idempotency_key = idempotency_key(headers)?;
    let mut fields = Fields::of(request).await?;
    let action = action(&mut fields)?;
    let wish = Wish {
        revision: fields.text("revision")?,
        fingerprint: fields.text("fingerprint")?,
        reason: fields.text("reason")?.unwrap_or_default(),
        ticket: fields.text("ticket")?,
        idempotency_key,
        group: fields.text("group")?,
    };
    fields.end(CHANGE_FIELDS)?;
    Ok((action, wish))
}

fn accepted(change: &Change) -> Response {
    let body = Json(json!({ "id": change.id, "state": change.state }));
    let mut response = (StatusCode::ACCEPTED, body).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/changes/{}", change.id)) {
        response
            .headers_mut()
            .insert(header::CONTENT_LOCATION, place);
    }
    response
}

const ACTION_FIELDS: &[&str] = &["action", "member", "address", "group"];
const CHANGE_FIELDS: &[&str] = &[
    "action",
    "member",
    "address",
    "group",
    "revision",
    "fingerprint",
    "reason",
    "ticket",
];

fn action(fields: &mut Fields) -> Result<Action, Fault> {
    let name = fields.text("action")?.unwrap_or_default();
    let verb = Verb::ALL.into_iter().find(|verb| verb.as_str() == name);
    let verb = verb.ok_or_else(|| {
        let names: Vec<&str> = Verb::ALL.iter().map(|verb| verb.as_str()).collect();
        Fault::malformed(
            format!(
                "`action` is \"{}\", which is not known.",
                page::short(&name)
            ),
            &format!("Known actions are: {}.", names.join(", ")),
        )
    })?;
    let member = match verb {
        Verb::Snapshot | Verb::CheckIntegrity => None,
        _ => fields.text("member")?.map(MemberId),
    };
    let needed = |member: Option<MemberId>| {
        member
            .filter(|member| !member.as_str().is_empty())
            .ok_or_else(|| Fault::malformed("`member` is missing.", "Name the member it is about."))
    };
    Ok(match verb {
        Verb::AddLearner => Action::AddLearner {
            address: fields.text("address")?.ok_or_else(|| {
                Fault::malformed("`address` is missing.", "Say where the new member is.")
            })?,
            member,
        },
        Verb::Promote => Action::Promote {
            member: needed(member)?,
        },
        Verb::Demote => Action::Demote {
            member: needed(member)?,
        },
        Verb::Remove => Action::Remove {
            member: needed(member)?,
        },
        Verb::Transfer => Action::Transfer { member },
        Verb::Snapshot => Action::Snapshot,
        Verb::Defragment => Action::Defragment {
            member: needed(member)?,
        },
        Verb::CheckIntegrity => Action::CheckIntegrity,
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    key.to_str()
        .ok()
        .filter(|key| !key.is_empty() && key.len() <= KEY_LIMIT)
        .map(|key| Some(key.to_owned()))
        .ok_or_else(|| {
            Fault::malformed(
                "The header `Idempotency-Key` is not understood.",
                "Give 1 to 255 printable characters.",
            )
        })
}

fn may_change(who: &Operator) -> bool {
    Verb::ALL.into_iter().any(|verb| {
        let roles = carried_by(Permission::Act(verb));
        who.grants.iter().any(|grant| roles.contains(&grant.role))
    })
}

fn not_allowed() -> Fault {
    Fault::new(
        StatusCode::FORBIDDEN,
        "not-allowed",
        "This needs the role operator or admin.",
        "Ask an admin of this console for a token with that role.",
    )
}

pub async fn one(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Change>, Fault> {
    Asked::of(&request, &[])?;
    Ok(Json(console.control.change(&who, &id).await?))
}

pub async fn list(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    request: Request,
) -> Result<Response, Fault> {
    let asked = Asked::of(&request, &["cluster", "after", "limit"])?;
    let (cluster, after) = (asked.text("cluster"), asked.text("after"));
    Ok(page::page(
        console
            .control
            .changes(&who, cluster, after, asked.limit()?)
            .await?,
    ))
}

/// Approves a change of somebody else's.
pub async fn approve(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Change>, Fault> {
    let decision = decision(request).await?;
    Ok(Json(console.control.approve(&who, &id, &decision).await?))
}

/// Denies one, for good.
pub async fn deny(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Change>, Fault> {
    let decision = decision(request).await?;
    Ok(Json(console.control.deny(&who, &id, &decision).await?))
}

/// Takes back one that waits.
pub async fn cancel(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Change>, Fault> {
    let decision = decision(request).await?;
    Ok(Json(console.control.cancel(&who, &id, &decision).await?))
}

async fn decision(request: Request) -> Result<Decision, Fault> {
    let mut fields = Fields::of(request).await?;
    let decision = Decision {
        reason: fields.text("reason")?.unwrap_or_default(),
        digest: fields.text("digest")?,
    };
    fields.end(&["reason", "digest"])?;
    Ok(decision)
}
