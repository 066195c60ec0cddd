//! A new one-time sign-in link for an account.

use leptos::prelude::*;
use server_fn::codec::Json;

use super::ShownOnce;
#[cfg(feature = "ssr")]
use crate::api::Caller;
use crate::api::Failure;

/// # Errors
/// If the caller may not do this.
#[server(name = LinkAccount, prefix = "/api/ui", endpoint = "account-link", input = Json)]
pub async fn account_link(name: String) -> Result<ShownOnce, Failure> {
    let caller = Caller::here()?;
    let secret = caller
        .control
        .account_link(&caller.who, &name)
        .await
        .map_err(|error| caller.failed(&error))?;
    Ok(super::link(secret.reveal()))
}
