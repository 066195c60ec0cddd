//! How a change ends that never began: denied, expired, void, taken back. The record first.

use std::sync::Arc;

use quorate_domain::{
    approval::Stage,
    audit::{EntryKind, Outcome, Source},
    job::{Change, StepState},
};

use super::{Asking, given, told, waiting_for};
use crate::{
    Control, ControlError, Operator,
    audit::{Draft, console},
    jobs,
    watch::Watched,
};

/// One end.
pub(super) struct End {
    pub(super) stage: Stage,
    pub(super) text: String,
    pub(super) draft: Draft,
    pub(super) denied_by: Option<(Operator, String)>,
}

impl Control {
    /// Nothing was sent, and nothing will be.
    pub(super) async fn end_awaited(
        &self,
        watched: &Arc<Watched>,
        mut change: Change,
        end: End,
    ) -> Result<Change, ControlError> {
        let entry = self.inner.audit.append(end.draft).await?;
        let now = self.now();
        if let (Some((who, reason)), Some(approvals)) = (&end.denied_by, &mut change.approvals) {
            approvals.denied = Some(given(who, now, reason, entry.seq));
        }
        change.state = end.stage.shown();
        change.outcome = Some(end.text);
        change.waiting_for = None;
        change.ended_at = Some(now);
        change.outcome_seq = Some(entry.seq);
        jobs::steps::end_running(&mut change, StepState::Failed, now);
        // Shown first: what is on record as ended must not run because a row could not be written.
        self.show(watched, &change);
        self.save_ended(&change).await;
        Ok(change)
    }

    pub(super) async fn end_expired(
        &self,
        watched: &Arc<Watched>,
        change: Change,
    ) -> Result<Change, ControlError> {
        let text = match (&change.approvals, Stage::of(change.state)) {
            (Some(approvals), Stage::Waiting) => format!(
                "Expired: {} of {} approved it in time. Nothing was sent.",
                approvals.given.len(),
                approvals.needed
            ),
            _ => "Expired: it was approved and could not begin in time. Nothing was sent.".into(),
        };
        let end = self.by_console(&change, "approval_expired", Stage::Expired, text);
        self.end_awaited(watched, change, end).await
    }

    /// What was approved is not what would be done now.
    pub(super) async fn end_void(
        &self,
        watched: &Arc<Watched>,
        change: Change,
        why: &[String],
    ) -> Result<Change, ControlError> {
        let text = format!(
            "Void: what was to be approved is no longer so. {} Nothing was sent.",
            why.join(" ")
        );
        let end = self.by_console(&change, "approval_void", Stage::Void, text);
        self.end_awaited(watched, change, end).await
    }

    fn by_console(&self, change: &Change, action: &str, stage: Stage, text: String) -> End {
        let mut draft = about(change, EntryKind::Refusal, action);
        draft.outcome = Some(Outcome::Refused);
        draft.text = format!("{}: {text}", change.title);
        if let Some(watched) = self.watch_of(&change.cluster, change.group.as_deref()) {
            draft.seen = crate::actions::seen(&watched.view(self.now()), &[]);
        }
        End {
            stage,
            text,
            draft,
            denied_by: None,
        }
    }

    /// Takes out the words of those who may not approve here any more, each with a record.
    pub(super) async fn lapse(
        &self,
        watched: &Arc<Watched>,
        change: &mut Change,
        asking: &mut Asking,
    ) -> Result<(), ControlError> {
        let Some(approvals) = change.approvals.clone() else {
            return Ok(());
        };
        let mut kept = (Vec::new(), Vec::new());
        for (word, person) in approvals.given.iter().zip(&asking.approved) {
            if self.still_approves(&word.by, watched).await? {
                kept.0.push(word.clone());
                kept.1.push(person.clone());
                continue;
            }
            let mut draft = about(change, EntryKind::Refusal, "approval_lapsed");
            draft.outcome = Some(Outcome::Refused);
            draft.text = format!(
                "{}: the approval of entry {} counts no more: who gave it may not approve here now.",
                change.title, word.seq
            );
            self.inner.audit.append(draft).await?;
        }
        if kept.0.len() == approvals.given.len() {
            return Ok(());
        }
        asking.approved = kept.1;
        change.state = Stage::Waiting.shown();
        if let Some(approvals) = &mut change.approvals {
            approvals.given = kept.0;
            change.waiting_for = Some(waiting_for(approvals));
        }
        self.inner.store.asking_put(change, asking).await?;
        self.show(watched, change);
        Ok(())
    }
}

fn about(change: &Change, kind: EntryKind, action: &str) -> Draft {
    let mut draft = Draft::new(kind, action, console(), Source::default(), "");
    draft.cluster = Some(change.cluster.clone());
    draft.group.clone_from(&change.group);
    draft.member = change.action.member().cloned();
    draft.change = Some(change.id.clone());
    draft.reason = Some(change.reason.clone());
    draft.ticket.clone_from(&change.ticket);
    draft.sent = told(change);
    draft
}
