//! Sets what an account may do.

use leptos::prelude::*;
use quorate_domain::permission::Grant;
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use crate::api::Caller;
use crate::api::Failure;

/// # Errors
/// If the caller may not do this.
#[server(name = GrantAccount, prefix = "/api/ui", endpoint = "account-grants", input = Json)]
pub async fn account_grants(name: String, grants: Vec<Grant>) -> Result<(), Failure> {
    let caller = Caller::here()?;
    caller
        .control
        .account_grants(&caller.who, &name, grants)
        .await
        .map_err(|error| caller.failed(&error))
}
