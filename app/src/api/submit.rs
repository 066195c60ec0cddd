//! Asks for a change that was previewed.

use leptos::prelude::*;
use quorate_domain::{action::Action, job::Change};
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use super::Caller;
use super::Failure;

/// What the dialog sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    pub cluster: String,
    pub action: Action,
    /// From the preview the operator decided on.
    pub fingerprint: String,
    pub reason: String,
    pub ticket: Option<String>,
    /// One a dialog: pressing twice, or again after a lost answer, never makes two changes.
    pub key: String,
}

/// Returns once the intent is on record; the change runs on by itself.
///
/// # Errors
/// 403 not allowed, 409 `cluster-moved` with what moved, 422 `refused` with the checks,
/// 503 `audit-unavailable`: in each case nothing was done.
#[server(name = SubmitChange, prefix = "/api/ui", endpoint = "submit", input = Json)]
pub async fn submit(wish: Wish) -> Result<Change, Failure> {
    let caller = Caller::here()?;
    let (cluster, group) = crate::live::place(&wish.cluster);
    let request = quorate_control::Request {
        revision: None,
        fingerprint: Some(wish.fingerprint),
        reason: wish.reason,
        ticket: wish.ticket,
        idempotency_key: Some(wish.key),
        group: group.map(str::to_owned),
    };
    caller
        .control
        .submit(&caller.who, cluster, &wish.action, &request)
        .await
        .map_err(|error| at_its_place(caller.failed(&error)))
}

/// Where a proof is asked for, as an address below this console's own.
#[cfg(feature = "ssr")]
fn at_its_place(mut failure: Failure) -> Failure {
    let base = use_context::<crate::base::BasePath>().unwrap_or_default();
    let place = |ask: String| base.path(&format!("/step-up/{}", crate::base::segment(&ask)));
    failure.0.step_up = failure.0.step_up.take().map(place);
    failure
}
