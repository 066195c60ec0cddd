//! Revokes an API token.

use leptos::prelude::*;
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use crate::api::Caller;
use crate::api::Failure;

/// # Errors
/// If the caller may not do this.
#[server(name = RevokeToken, prefix = "/api/ui", endpoint = "token-revoke", input = Json)]
pub async fn token_revoke(id: String) -> Result<(), Failure> {
    let caller = Caller::here()?;
    caller
        .control
        .token_revoke(&caller.who, &id)
        .await
        .map_err(|error| caller.failed(&error))
}
