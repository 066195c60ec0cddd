//! Ends a session.

use leptos::prelude::*;
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use crate::api::Caller;
use crate::api::Failure;

/// # Errors
/// If the caller may not do this.
#[server(name = EndSession, prefix = "/api/ui", endpoint = "session-end", input = Json)]
pub async fn session_end(hash: String) -> Result<(), Failure> {
    let caller = Caller::here()?;
    caller
        .control
        .session_end(&caller.who, &hash)
        .await
        .map_err(|error| caller.failed(&error))
}
