//! What is removed once it is over or too much. The audit log is not.

use std::time::Duration;

use crate::{Control, ControlError};

const EVERY: Duration = Duration::from_secs(10 * 60);
/// A repeat of a request with an Idempotency-Key is known this long after the request: 30 days.
const KEYS_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

pub(crate) async fn keep(control: Control) {
    loop {
        tokio::select! {
            () = control.inner.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = control.sessions_prune().await {
            tracing::warn!(%error, "sessions that are over could not be removed");
        }
        if let Err(error) = keys_forget(&control).await {
            tracing::warn!(%error, "keys of old requests could not be removed");
        }
        if let Err(error) = control.snapshots_prune().await {
            tracing::warn!(%error, "older snapshots could not be removed");
        }
    }
}

async fn keys_forget(control: &Control) -> Result<(), ControlError> {
    let before = control.now().minus_ms(KEYS_KEPT_MS);
    control.inner.store.keys_forget(before).await
}
