//! Time and restarts: what waits too long expires, what is approved and could not begin is tried
//! again, and after a restart of the console all of it goes on.

use std::time::Duration;

use quorate_domain::{
    approval::Stage,
    audit::{Entry, Filter, Outcome},
    job::{Change, ChangeState, StepState},
};

use super::is_awaited;
use crate::{Control, ControlError, audit::PAGE_MOST, jobs};

/// How often it is seen what has expired, and what may begin.
const EVERY: Duration = Duration::from_secs(1);

/// Entries that say that a change ended before it began.
const ENDS: [(&str, ChangeState); 4] = [
    ("denied", ChangeState::Denied),
    ("approval_expired", ChangeState::Expired),
    ("approval_void", ChangeState::Cancelled),
    ("change_cancelled", ChangeState::Cancelled),
];

/// Whether an entry of that action says so.
pub(crate) fn ends(action: &str) -> bool {
    ENDS.iter().any(|(name, _)| *name == action)
}

/// Until the console stops.
pub(crate) async fn keep(control: Control) {
    loop {
        tokio::select! {
            () = control.inner.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        for change in control.inner.book.open(|_| true) {
            if is_awaited(&change)
                && let Err(error) = control.kept(&change).await
            {
                tracing::warn!(%error, change = %change.id, "an approval could not be looked after");
            }
        }
    }
}

/// A change that a restart found: it waits on, unless the log says that it ended.
///
/// # Errors
/// `Store`.
pub(crate) async fn take_up(control: &Control, mut change: Change) -> Result<(), ControlError> {
    let ended = control.ended_by_record(&change).await?;
    if let Some((state, entry)) = ended {
        let text = entry.text.strip_prefix(&format!("{}: ", change.title));
        change.outcome = Some(text.unwrap_or(&entry.text).to_owned());
        change.outcome_seq = Some(entry.seq);
        change.state = state;
        change.waiting_for = None;
        change.ended_at = Some(entry.time);
        jobs::steps::end_running(&mut change, StepState::Failed, entry.time);
        control.save_ended(&change).await;
    } else {
        // It may hold a place that it took just before the console died.
        control.inner.store.change_leave_place(&change).await?;
    }
    control.inner.book.put(&change);
    Ok(())
}

impl Control {
    /// Under the lock: somebody may be deciding on it.
    async fn kept(&self, change: &Change) -> Result<(), ControlError> {
        let Some(approvals) = &change.approvals else {
            return Ok(());
        };
        let late = approvals.until <= self.now();
        if !late && Stage::of(change.state) != Stage::Approved {
            return Ok(());
        }
        let Some(watched) = self.watch_of(&change.cluster, change.group.as_deref()) else {
            return self.nowhere(change, late).await;
        };
        let _deciding = watched.deciding.lock().await;
        let change = self.change_at_hand(&change.id).await?;
        if !is_awaited(&change) {
            return Ok(());
        }
        let until = change.approvals.as_ref().map(|it| it.until);
        let late = until.is_some_and(|until| until <= self.now());
        if late {
            self.end_expired(&watched, change).await.map(|_| ())
        } else if Stage::of(change.state) == Stage::Approved {
            self.begin_approved(&watched, change).await.map(|_| ())
        } else {
            Ok(())
        }
    }

    /// Its cluster is registered no more: it can only expire.
    async fn nowhere(&self, change: &Change, late: bool) -> Result<(), ControlError> {
        if !late {
            return Ok(());
        }
        let mut change = change.clone();
        let text = "Expired: its cluster is registered no more. Nothing was sent.";
        let mut draft =
            crate::audit::Draft::console("approval_expired", format!("{}: {text}", change.title));
        draft.change = Some(change.id.clone());
        draft.cluster = Some(change.cluster.clone());
        let entry = self.inner.audit.append(draft).await?;
        change.state = ChangeState::Expired;
        change.outcome = Some(text.to_owned());
        change.outcome_seq = Some(entry.seq);
        change.waiting_for = None;
        change.ended_at = Some(self.now());
        self.inner.book.put(&change);
        self.save_ended(&change).await;
        Ok(())
    }

    /// The entry that ended it, where its row does not know of it.
    async fn ended_by_record(
        &self,
        change: &Change,
    ) -> Result<Option<(ChangeState, Entry)>, ControlError> {
        let filter = Filter {
            change: Some(change.id.0.clone()),
            ..Filter::default()
        };
        let console = self.command_line_operator();
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let after = entries.last().map_or(0, |entry| entry.seq);
            let page = self.audit(&console, &filter, after, PAGE_MOST).await?;
            entries.extend(page.items);
            if page.next.is_none() {
                break;
            }
        }
        // What was on record too late was answered by a failure, and is none.
        let failed = |entry: &Entry| entry.outcome == Some(Outcome::Failed);
        let undone = entries.iter().filter(|entry| failed(entry));
        let undone: Vec<u64> = undone.filter_map(|entry| entry.intent_seq).collect();
        let ended = entries.into_iter().find_map(|entry| {
            if failed(&entry) || undone.contains(&entry.seq) {
                return None;
            }
            let end = ENDS.iter().find(|(action, _)| *action == entry.action)?;
            Some((end.1, entry))
        });
        Ok(ended)
    }
}
