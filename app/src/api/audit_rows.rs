//! A page of the audit log.

use leptos::prelude::*;
use quorate_domain::{
    audit::{Row, Standing},
    moment::Timestamp,
};
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use super::Caller;
use super::Failure;
use crate::pages::audit::query::Query;

/// What the audit page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRows {
    pub rows: Vec<Row>,
    /// Where the next, older page begins.
    pub next: Option<String>,
    /// How many entries the log holds in all.
    pub size: u64,
    /// The console's clock when it read the log; "today" is this moment's day.
    pub now: Timestamp,
    /// How far it is signed and copied, and what is wrong with it.
    pub standing: Standing,
    /// Names to choose from.
    pub clusters: Vec<String>,
}

#[cfg(feature = "ssr")]
const ROWS: u32 = 50;

/// # Errors
/// If the caller may not read the log.
#[server(name = ReadAuditRows, prefix = "/api/ui", endpoint = "audit-rows", input = Json)]
pub async fn rows(query: Query) -> Result<AuditRows, Failure> {
    let caller = Caller::here()?;
    let (control, who) = (&caller.control, &caller.who);
    let now = control.now();
    let page = control
        .audit_rows(who, &query.filter(now), query.before, ROWS)
        .await;
    let page = page.map_err(|error| caller.failed(&error))?;
    let size = control
        .audit_size(who)
        .await
        .map_err(|error| caller.failed(&error))?;
    let standing = control
        .audit_standing(who)
        .await
        .map_err(|error| caller.failed(&error))?;
    let clusters = control
        .fleet(who)
        .into_iter()
        .map(|cluster| cluster.name.0)
        .collect();
    Ok(AuditRows {
        rows: page.items,
        next: page.next,
        size,
        now,
        standing,
        clusters,
    })
}
