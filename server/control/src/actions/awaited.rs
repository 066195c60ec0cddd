//! A change that others have to approve first: asked for as any other, and then it waits.

use std::sync::Arc;

use quorate_domain::{
    approval::Demand, audit::EntryKind, job::Change, job::ChangeState, view::ClusterView,
};

use super::{Asked, Key, seen};
use crate::{
    Control, ControlError,
    approvals::{self, Asking},
    step_up::Evidence,
    store::changes::Placed,
    watch::Watched,
};

impl Asked {
    pub(super) async fn await_approval(
        &self,
        control: &Control,
        watched: &Arc<Watched>,
        view: &ClusterView,
        key: Option<&Key>,
        (demand, proved): (Demand, Option<Evidence>),
    ) -> Result<Change, ControlError> {
        control.too_many_wait(watched)?;
        let basis = approvals::basis(view, &self.action);
        let mut change = self.change(control, view);
        let approvals = control.awaited(&change, &self.who, &basis, demand);
        change.state = ChangeState::WaitingApproval;
        change.waiting_for = Some(approvals::waiting_for(&approvals));
        change.approvals = Some(approvals);
        let first = approvals::first_record(demand.approvals, change.created_at);
        change.steps.insert(0, first);
        let asking = Asking {
            actor: self.who.actor.clone(),
            grants: self.who.grants.clone(),
            source: self.who.source(),
            person: control.person(&self.who.actor).await?,
            request: self.request.clone(),
            basis,
            execute_within_ms: demand.execute_within_ms,
            approved: Vec::new(),
        };
        match control.inner.store.change_insert(&change, key).await? {
            Placed::Done => {}
            Placed::Repeat(id) => return control.change_at_hand(&id).await,
            Placed::KeyReused => return Err(ControlError::KeyReused),
            Placed::Busy => {
                return Err(ControlError::Internal {
                    doing: "putting a change apart that waits",
                });
            }
        }
        let text = format!("{}: approval was asked for.", change.title);
        let mut draft = self.draft(EntryKind::Console, text);
        draft.seen = seen(view, &change.checks);
        if let (Some(proved), Some(seen)) = (&proved, draft.seen.as_object_mut()) {
            seen.insert("step_up".to_owned(), proved.told());
        }
        control.waits(watched, change, asking, draft).await
    }
}
