//! Intents, and what answers them. [`Intent`] can be made here only.

use std::time::Duration;

use quorate_domain::{
    audit::{Entry, EntryKind},
    job::ChangeId,
};
use tokio::time::Instant;

use super::{Audit, Draft, reading, sealing};
use crate::{ControlError, store::entries};

/// Retries of an outcome: the change has happened, so its record must come.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);

/// Proof that an intent is on disk. It cannot be copied: one intent, at most one request.
pub(crate) struct Intent {
    seq: u64,
}

impl Intent {
    pub(crate) const fn seq(&self) -> u64 {
        self.seq
    }
}

impl Audit {
    /// The one way to an [`Intent`].
    pub(crate) async fn begin(&self, mut draft: Draft) -> Result<Intent, ControlError> {
        draft.kind = EntryKind::Intent;
        let entry = self.append(draft).await?;
        Ok(Intent { seq: entry.seq })
    }

    /// Records an outcome, trying again for as long as `patience` lasts.
    pub(crate) async fn complete(
        &self,
        draft: &Draft,
        patience: Duration,
    ) -> Result<Entry, ControlError> {
        let until = Instant::now() + patience;
        let mut pause = RETRY_FIRST;
        loop {
            match self.append(draft.clone()).await {
                Err(_) if Instant::now() + pause < until => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_MOST);
                }
                ended => return ended,
            }
        }
    }

    /// Intents nobody answered, oldest first.
    pub(crate) async fn open_intents(&self) -> Result<Vec<Entry>, ControlError> {
        let read = async {
            let rows = entries::open_intents(&self.read).await?;
            sealing::opened(&self.read, &rows).await
        };
        read.await.map_err(reading)
    }

    /// The newest entry that answers an intent.
    pub(crate) async fn outcome_of(&self, intent: u64) -> Result<Option<Entry>, ControlError> {
        let read = async {
            let found = entries::answer(&self.read, intent).await?;
            match found {
                Some(bytes) => sealing::opened_one(&self.read, bytes).await.map(Some),
                None => Ok(None),
            }
        };
        read.await.map_err(reading)
    }

    pub(crate) async fn intent_of(&self, change: &ChangeId) -> Result<Option<u64>, ControlError> {
        entries::intent_of(&self.read, &change.0)
            .await
            .map_err(reading)
    }
}
