//! The first entry of a run of the console. It says how the run before it ended: a console that
//! was killed, or whose machine failed, left a gap in which nobody watched and nothing was
//! recorded.

use quorate_domain::{audit::Entry, moment::Timestamp};
use serde_json::json;

use super::{Audit, Draft, reading};
use crate::{ControlError, store::entries};

/// Where the log stood when this run began.
pub(crate) struct Before {
    last: Option<Entry>,
    stopped: bool,
    /// How many entries a checkpoint was over.
    signed: Option<u64>,
}

impl Audit {
    /// How the run before left the log. To be asked before this run writes anything.
    pub(crate) async fn before(&self) -> Result<Before, ControlError> {
        let read = async {
            let last = match entries::size(&self.read).await? {
                0 => None,
                last => entries::one(&self.read, last).await?,
            };
            let last = last.as_deref().map(entries::read_back).transpose()?;
            let stopped = entries::last_stopped(&self.read).await?;
            let signed = self.shared.newest.borrow().as_ref().map(|it| it.size);
            Ok(Before {
                last,
                stopped,
                signed,
            })
        };
        read.await.map_err(reading)
    }

    /// Records that this run begins.
    pub(crate) async fn started(
        &self,
        version: &str,
        before: &Before,
        now: Timestamp,
    ) -> Result<Entry, ControlError> {
        let mut text = format!("Quorate {version} started.");
        let mut draft = Draft::console("started", "");
        if let Some(last) = &before.last {
            draft.seen = json!({
                "last_entry": last.seq,
                "last_time": last.time,
                "stopped": before.stopped,
                "signed": before.signed,
                "gap_ms": now.since(last.time),
            });
            if now < last.time {
                text.push_str(
                    " The clock stands before the last entry's time: times before and after this \
                     do not compare.",
                );
            }
            if !before.stopped {
                text.push_str(" It was not stopped before: nothing is on record between entry ");
                text.push_str(&format!(
                    "{} of {} and now.",
                    last.seq,
                    last.time.in_words()
                ));
            }
        }
        draft.text = text;
        self.append(draft).await
    }
}
