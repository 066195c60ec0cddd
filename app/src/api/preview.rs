//! What a change would do.

use leptos::prelude::*;
use quorate_domain::{action::Action, plan::Preview};
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use super::Caller;
use super::Failure;

/// Before → after, checks, steps and the fingerprint of what was seen; changes nothing.
///
/// # Errors
/// If the caller may not do this, or the cluster or member is unknown.
#[server(name = PreviewChange, prefix = "/api/ui", endpoint = "preview", input = Json)]
pub async fn preview(cluster: String, action: Action) -> Result<Preview, Failure> {
    let caller = Caller::here()?;
    let (cluster, group) = crate::live::place(&cluster);
    caller
        .control
        .preview_in(&caller.who, cluster, group, &action)
        .await
        .map_err(|error| caller.failed(&error))
}
