//! One audit entry with everything recorded.

use leptos::prelude::*;
use quorate_domain::audit::Row;
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use super::Caller;
use super::Failure;

/// An entry, the entry it belongs with, and the exact stored bytes as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub row: Row,
    pub stored: String,
}

/// # Errors
/// If the caller may not read the log, or there is no such entry.
#[server(name = ReadAuditEntry, prefix = "/api/ui", endpoint = "audit-entry", input = Json)]
pub async fn entry(seq: u64) -> Result<AuditEntry, Failure> {
    let caller = Caller::here()?;
    let (row, stored) = caller
        .control
        .audit_entry(&caller.who, seq)
        .await
        .map_err(|error| caller.failed(&error))?;
    Ok(AuditEntry { row, stored })
}
