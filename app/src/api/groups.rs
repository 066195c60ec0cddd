//! A page of the groups of a program that runs many.

use leptos::prelude::*;
use quorate_domain::{groups::GroupRow, moment::Timestamp};
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use super::Caller;
use super::Failure;
use crate::pages::groups::query::Query;

/// Rows, and where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRows {
    pub rows: Vec<GroupRow>,
    pub next: Option<String>,
    /// When: the rows' ages are as of then.
    pub at: Timestamp,
}

#[cfg(feature = "ssr")]
const ROWS: u32 = 100;

/// # Errors
/// If there is no such program, or it is not for the caller to see.
#[server(name = ReadGroupRows, prefix = "/api/ui", endpoint = "group-rows", input = Json)]
pub async fn rows(query: Query) -> Result<GroupRows, Failure> {
    let caller = Caller::here()?;
    let (q, after) = (query.q.as_deref(), query.after.as_deref());
    let class = query.class.as_deref();
    let class = class.and_then(quorate_domain::groups::Class::parse);
    let page = caller
        .control
        .groups(&caller.who, &query.cluster, class, q, after, ROWS)
        .await
        .map_err(|error| caller.failed(&error))?;
    Ok(GroupRows {
        rows: page.items,
        next: page.next,
        at: caller.control.now(),
    })
}
