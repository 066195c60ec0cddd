//! One change as it stands.

use leptos::prelude::*;
use quorate_domain::job::Change;
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use super::Caller;
use super::Failure;

/// # Errors
/// If there is no such change for the caller to see.
#[server(name = ReadChange, prefix = "/api/ui", endpoint = "change", input = Json)]
pub async fn change(id: String) -> Result<Change, Failure> {
    let caller = Caller::here()?;
    caller
        .control
        .change(&caller.who, &id)
        .await
        .map_err(|error| caller.failed(&error))
}
