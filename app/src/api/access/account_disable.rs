//! Disables an account, which ends its sessions, or enables it again.

use leptos::prelude::*;
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use crate::api::Caller;
use crate::api::Failure;

/// # Errors
/// If the caller may not do this.
#[server(name = DisableAccount, prefix = "/api/ui", endpoint = "account-disable", input = Json)]
pub async fn account_disable(name: String, disabled: bool) -> Result<(), Failure> {
    let caller = Caller::here()?;
    caller
        .control
        .account_disable(&caller.who, &name, disabled)
        .await
        .map_err(|error| caller.failed(&error))
}
