//! Programs of many groups: the list, and one group's view.

use axum::{
    Json,
    extract::{Extension, Path, Request, State},
    response::Response,
};
use quorate_control::Operator;
use quorate_domain::{groups::Class, view::ClusterView};
use serde_json::{Value, json};

use super::page::{self, Asked};
use crate::{guards::problems::Fault, state::Console};

pub async fn list(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let asked = Asked::of(&request, &["class", "q", "after", "limit"])?;
    let (class, q) = (class(&asked)?, asked.text("q"));
    let (after, limit) = (asked.text("after"), asked.limit()?);
    let groups = console.control.groups(&who, &name, class, q, after, limit);
    Ok(page::page(groups.await?))
}

pub async fn view(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path((name, group)): Path<(String, String)>,
    request: Request,
) -> Result<Json<ClusterView>, Fault> {
    Asked::of(&request, &[])?;
    Ok(Json(console.control.group_view(&who, &name, &group).await?))
}

fn class(asked: &Asked) -> Result<Option<Class>, Fault> {
    let Some(text) = asked.text("class") else {
        return Ok(None);
    };
    Class::parse(text).map(Some).ok_or_else(|| {
        let known = Class::ALL.map(Class::as_str).join(", ");
        let hint = format!("Known classes are: {known}.");
        Fault::malformed("`class` is not understood.", &hint)
    })
}

/// A view as REST has it. Of a program of many groups there is no one leader, quorum or
/// membership: these are null, and its hosts and classes are told.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn told(view: &ClusterView) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(view)?;
    if let (Some(groups), Value::Object(fields)) = (&view.groups, &mut value) {
        for name in ["leader", "quorum", "members", "revision", "leader_sentence"] {
            fields.insert(name.to_owned(), Value::Null);
        }
        fields.insert("groups".to_owned(), json!(groups.total));
        fields.insert("hosts".to_owned(), json!(groups.hosts));
        fields.insert("classes".to_owned(), json!(groups.classes));
    }
    Ok(value)
}
