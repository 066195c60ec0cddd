//! A new API token; its secret is in the answer and nowhere else.

use leptos::prelude::*;
use quorate_domain::permission::Grant;
use server_fn::codec::Json;

use super::ShownOnce;
#[cfg(feature = "ssr")]
use crate::api::Caller;
use crate::api::Failure;

/// # Errors
/// If the caller may not do this.
#[server(name = CreateToken, prefix = "/api/ui", endpoint = "token-create", input = Json)]
pub async fn token_create(
    name: String,
    grants: Vec<Grant>,
    days: u32,
) -> Result<ShownOnce, Failure> {
    let caller = Caller::here()?;
    let life = std::time::Duration::from_secs(u64::from(days).saturating_mul(86_400));
    let (_, secret) = caller
        .control
        .token_create(&caller.who, &name, grants, life)
        .await
        .map_err(|error| caller.failed(&error))?;
    Ok(ShownOnce(secret.reveal().to_owned()))
}
