//! A new account and the one-time link that opens it.

use leptos::prelude::*;
use quorate_domain::permission::Grant;
use server_fn::codec::Json;

use super::ShownOnce;
#[cfg(feature = "ssr")]
use crate::api::Caller;
use crate::api::Failure;

/// # Errors
/// If the caller may not do this.
#[server(name = CreateAccount, prefix = "/api/ui", endpoint = "account-create", input = Json)]
pub async fn account_create(name: String, grants: Vec<Grant>) -> Result<ShownOnce, Failure> {
    let caller = Caller::here()?;
    let (_, secret) = caller
        .control
        .account_create(&caller.who, &name, grants)
        .await
        .map_err(|error| caller.failed(&error))?;
    Ok(super::link(secret.reveal()))
}
