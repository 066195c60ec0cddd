//! The first entry of a run of the console, and its last. The first says how the run before it ended: a console that
//! was killed, or whose machine failed, left a gap in which nobody watched and nothing was
//! recorded.

use quorate_domain::{audit::Entry, moment::Timestamp};
use serde_json::{Value, json};

use super::{Audit, Draft, reading};
use crate::{ControlError, store::entries};

/// Under which name a start tells of its configuration.
const CONFIGURATION: &str = "configuration";

/// Where the log stood when this run began.
pub(crate) struct Before {
    last: Option<Entry>,
    /// Under which configuration, where that is on record.
    configuration: Option<String>,
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
            let started = entries::last_started(&self.read).await?;
            // What cannot be read is for those to say who look at the log as a whole.
            let started = started.and_then(|bytes| entries::read_back(&bytes).ok());
            let told = started.as_ref().and_then(|it| it.seen.get(CONFIGURATION));
            let configuration = told.and_then(Value::as_str).map(str::to_owned);
            let signed = self.shared.newest.borrow().as_ref().map(|it| it.size);
            Ok(Before {
                last,
                configuration,
                stopped,
                signed,
            })
        };
        read.await.map_err(reading)
    }

    /// Records that this run begins, and under which configuration: that is read at no other time.
    pub(crate) async fn started(
        &self,
        (version, configuration): (&str, Option<&str>),
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
        if let Some(now) = configuration {
            let told = [(CONFIGURATION.to_owned(), json!(now))];
            match &mut draft.seen {
                Value::Object(seen) => seen.extend(told),
                seen => *seen = Value::Object(told.into_iter().collect()),
            }
            if before.configuration.as_deref().is_some_and(|it| it != now) {
                text.push_str(" Its configuration is another than at the start before.");
            }
        }
        draft.text = text;
        self.append(draft).await
    }

    /// Records that this run ends. Events of clusters are no entries; how many of them were lost
    /// is one of the things that it says.
    pub(crate) async fn stopped(
        &self,
        version: &str,
        events_not_kept: u64,
    ) -> Result<Entry, ControlError> {
        let mut draft = Draft::console("stopped", format!("Quorate {version} stopped."));
        if events_not_kept > 0 {
            draft.seen = json!({ "events_not_kept": events_not_kept });
            draft.text.push_str(&format!(
                " Of what happened to clusters, {events_not_kept} events could not be kept."
            ));
        }
        self.append(draft).await
    }
}
