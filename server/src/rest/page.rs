//! Lists: one shape, one way to page through them, one way to ask for less.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use quorate_control::Page;
use quorate_domain::moment::Timestamp;
use serde::Serialize;

use crate::guards::problems::Fault;

pub const LIMIT: u32 = 1_000;
const DEFAULT_LIMIT: u32 = 100;

#[derive(Serialize)]
pub struct Items<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// A list that is whole.
pub fn whole<T: Serialize>(items: Vec<T>) -> Response {
    Json(Items { items, next: None }).into_response()
}

/// One page of a list.
pub fn page<T: Serialize>(page: Page<T>) -> Response {
    Json(Items {
        items: page.items,
        next: page.next,
    })
    .into_response()
}

/// A request's query, each name once, only names that are known here.
pub struct Asked(BTreeMap<String, String>);

impl Asked {
    /// # Errors
    /// If a name is not known here.
    pub fn of(request: &Request, known: &[&str]) -> Result<Self, Fault> {
        let asked = pairs(request);
        match asked.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Fault::malformed(
                format!("`{}` cannot be asked for here.", short(name)),
                &match known {
                    [] => "This address takes no query.".to_owned(),
                    known => format!("Known here are: {}.", known.join(", ")),
                },
            )),
            None => Ok(Self(asked)),
        }
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    /// # Errors
    /// If it is no whole number from 1 to [`LIMIT`].
    pub fn limit(&self) -> Result<u32, Fault> {
        let Some(text) = self.text("limit") else {
            return Ok(DEFAULT_LIMIT);
        };
        text.parse()
            .ok()
            .filter(|limit| (1..=LIMIT).contains(limit))
            .ok_or_else(|| {
                Fault::malformed(
                    "`limit` is not understood.",
                    "Give a whole number from 1 to 1000.",
                )
            })
    }

    /// # Errors
    /// If it is no number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    Fault::malformed(
                        format!("`{name}` is not understood."),
                        "Give a whole number.",
                    )
                })
            })
            .transpose()
    }

    /// # Errors
    /// If it is no RFC 3339 time.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, Fault> {
        self.text(name)
            .map(|text| {
                Timestamp::parse(text).ok_or_else(|| {
                    Fault::malformed(
                        format!("`{name}` is not understood."),
                        "Give a time like 2026-11-21T14:00:00Z.",
                    )
                })
            })
            .transpose()
    }
}

/// A name given twice could be read differently by whoever stands in front: refused everywhere.
pub async fn refuse_repeated(request: Request, next: Next) -> Response {
    let count =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).count();
    if count != pairs(&request).len() {
        let title = "A name stands in the query twice.";
        return Fault::malformed(title, "Give each name once.").into_response();
    }
    next.run(request).await
}

fn pairs(request: &Request) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}

/// What somebody sent, cut for an answer.
pub fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}
