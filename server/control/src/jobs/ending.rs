//! How a change ends: a last look, the outcome on record, the place given free, all shown.

use std::time::Duration;

use quorate_domain::{
    audit::{EntryKind, Outcome, Source},
    job::{Change, ChangeState, StepState},
    plan,
};
use quorate_drivers::Exchange;

use super::{Job, steps};
use crate::{
    actions,
    audit::{Draft, console},
    watch::LOOK_WAIT,
    wording,
};

/// How long the end of a change waits for its record before it is shown all the same.
const RECORD_FIRST: Duration = Duration::from_secs(5);
/// How long the record is tried in the background after that.
const RECORD_LATER: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct Ending {
    pub(crate) state: ChangeState,
    pub(crate) text: String,
    pub(crate) exchange: Exchange,
    pub(crate) snapshot: Option<String>,
}

impl Ending {
    pub(crate) fn succeeded(text: impl Into<String>) -> Self {
        Self::new(ChangeState::Succeeded, text, None)
    }

    pub(crate) fn failed(text: impl Into<String>, exchange: Option<Exchange>) -> Self {
        Self::new(ChangeState::Failed, text, exchange)
    }

    pub(crate) fn unknown(text: impl Into<String>, exchange: Option<Exchange>) -> Self {
        Self::new(ChangeState::Unknown, text, exchange)
    }

    pub(crate) fn with(mut self, exchange: Exchange) -> Self {
        self.exchange = exchange;
        self
    }

    /// With what the backend said beside its yes.
    pub(crate) fn noting(mut self, note: Option<String>) -> Self {
        if let Some(note) = note {
            let note = wording::clause(&note);
            self.text = format!("{} The backend says: {note}.", self.text);
        }
        self
    }

    fn new(state: ChangeState, text: impl Into<String>, exchange: Option<Exchange>) -> Self {
        Self {
            state,
            text: text.into(),
            exchange: exchange.unwrap_or_default(),
            snapshot: None,
        }
    }

    fn outcome(&self) -> Outcome {
        match self.state {
            ChangeState::Succeeded => Outcome::Succeeded,
            ChangeState::Queued | ChangeState::Running | ChangeState::Unknown => Outcome::Unknown,
            _ => Outcome::Failed,
        }
    }
}

impl Job {
    /// Once this shows the change as ended, the next view shows what it led to.
    pub(crate) async fn finish(&self, ending: Ending) {
        let Some(mut change) = self.change() else {
            return;
        };
        self.watched.look(LOOK_WAIT).await;
        let view = self.watched.view(self.now());
        change.seen = Some(plan::preview(&view, &change.action).before);
        let draft = outcome_draft(&change, &ending, actions::seen(&view, &[]));
        let recorded = self
            .control
            .inner
            .audit
            .complete(&draft, RECORD_FIRST)
            .await;
        change.outcome_seq = recorded.as_ref().ok().map(|entry| entry.seq);
        self.end(&mut change, ending);
        if recorded.is_ok() {
            self.save_ended(&change).await;
        } else {
            self.save(&change).await;
        }
        self.give_place_free(&change);
        self.tell(&change);
        metrics::counter!("quorate_changes_ended_total", "state" => state_name(change.state))
            .increment(1);
        if recorded.is_err() {
            self.record_later(change, draft);
        }
    }

    fn end(&self, change: &mut Change, ending: Ending) {
        let now = self.now();
        match ending.state {
            ChangeState::Succeeded => steps::all_done(change, now),
            ChangeState::Failed | ChangeState::Cancelled => {
                steps::end_running(change, StepState::Failed, now);
            }
            _ => steps::end_running(change, StepState::Unknown, now),
        }
        change.state = ending.state;
        change.outcome = Some(ending.text);
        change.snapshot = ending.snapshot;
        change.waiting_for = None;
        change.ended_at = Some(now);
    }

    fn give_place_free(&self, change: &Change) {
        if change.action.takes_the_slot() {
            self.watched.set_running_change(None);
        } else {
            self.watched.set_snapshotting(None);
        }
        self.control.inner.book.put(change);
    }

    /// The change has happened, so its record must come: tried until the log can be written. A
    /// console that ends before finds the intent open at its next start.
    fn record_later(&self, mut change: Change, draft: Draft) {
        let job = self.clone();
        tokio::spawn(async move {
            let stopping = job.control.inner.stopping.clone();
            let record = job.control.inner.audit.complete(&draft, RECORD_LATER);
            let entry = tokio::select! {
                entry = record => entry,
                () = stopping.cancelled() => return,
            };
            if let Ok(entry) = entry {
                change.outcome_seq = Some(entry.seq);
                job.save_ended(&change).await;
                job.control.inner.book.put(&change);
                job.tick();
            }
        });
    }
}

fn outcome_draft(change: &Change, ending: &Ending, seen: serde_json::Value) -> Draft {
    let mut draft = Draft::new(
        EntryKind::Outcome,
        change.action.verb().as_str(),
        console(),
        Source::default(),
        format!("{}: {}", change.title, ending.text),
    );
    draft.cluster = Some(change.cluster.clone());
    draft.group.clone_from(&change.group);
    draft.member = change.action.member().cloned();
    draft.change = Some(change.id.clone());
    draft.intent_seq = change.intent_seq;
    draft.outcome = Some(ending.outcome());
    draft.seen = seen;
    draft.sent = ending.exchange.sent.clone();
    draft.received = ending.exchange.received.clone();
    draft
}

const fn state_name(state: ChangeState) -> &'static str {
    match state {
        ChangeState::Queued => "queued",
        ChangeState::Running => "running",
        ChangeState::Succeeded => "succeeded",
        ChangeState::Failed => "failed",
        ChangeState::Unknown => "unknown",
        ChangeState::Cancelled => "cancelled",
        ChangeState::WaitingApproval => "waiting_approval",
        ChangeState::Denied => "denied",
        ChangeState::Expired => "expired",
    }
}
