//! The live document of a page reached without loading it from the server.

use leptos::prelude::*;
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use super::Caller;
use super::Failure;
use crate::live::{PageState, Topic};

/// The document as it stands now; the event stream goes on from there.
///
/// # Errors
/// If nobody is signed in, or the cluster or change is not there or not for the caller to see.
#[server(name = LoadPage, prefix = "/api/ui", endpoint = "page", input = Json)]
pub async fn load(topic: Topic) -> Result<PageState, Failure> {
    let caller = Caller::here()?;
    crate::live::opening_state(&caller.control, &caller.who, &topic)
        .await
        .map_err(|error| caller.failed(&error))
}
