//! An approved change begins: by the way of every change, as who asked for it, with every check
//! anew. What the approvals are bound to must still be so.

use std::sync::Arc;

use quorate_domain::{
    action::Action,
    approval::{self, Act, Stage},
    audit::EntryKind,
    job::{Change, ChangeState, StepState},
    permission::{Permission, allows},
    plan::{self, Basis},
    preflight::{self, Check, Level, ReasonCode},
    view::ClusterView,
};
use serde_json::Value;

use super::Asking;
use crate::{
    Control, ControlError,
    actions::{self, Asked},
    jobs,
    store::changes::Placed,
    watch::{LOOK_WAIT, Watched},
};

/// Why it does not begin.
enum Hindrance {
    /// It may a little later: another change runs.
    ForNow(&'static str),
    /// Never: what was approved is not so any more.
    ForGood(Vec<String>),
}

impl Control {
    /// Begins it if it can begin now. Under the cluster's `deciding` lock only.
    ///
    /// # Errors
    /// `AuditUnavailable`, `Store`: it has not begun and may be tried again.
    pub(super) async fn begin_approved(
        &self,
        watched: &Arc<Watched>,
        change: Change,
    ) -> Result<Change, ControlError> {
        let asking = self.inner.store.asking(&change.id).await?;
        let (Some(mut asking), mut change) = (asking, change) else {
            return Err(ControlError::Internal {
                doing: "beginning an approved change",
            });
        };
        self.lapse(watched, &mut change, &mut asking).await?;
        if Stage::of(change.state).after(Act::Begin).is_none() {
            return Ok(change);
        }
        watched.look(LOOK_WAIT).await;
        let view = watched.view(self.now());
        match self.hindrance(watched, &view, &change, &asking).await? {
            Some(Hindrance::ForGood(why)) => return self.end_void(watched, change, &why).await,
            Some(Hindrance::ForNow(what)) => return Ok(self.not_yet(watched, change, what)),
            None => {}
        }
        self.run_approved(watched, &view, change, &asking).await
    }

    fn not_yet(&self, watched: &Watched, mut change: Change, what: &str) -> Change {
        let before = change.waiting_for.replace(what.to_owned());
        if before != change.waiting_for {
            self.show(watched, &change);
        }
        change
    }

    async fn hindrance(
        &self,
        watched: &Arc<Watched>,
        view: &ClusterView,
        change: &Change,
        asking: &Asking,
    ) -> Result<Option<Hindrance>, ControlError> {
        let permission = Permission::Act(change.action.verb());
        let grants = self.grants_now(&asking.actor).await?;
        let grants = grants.unwrap_or_else(|| asking.grants.clone());
        if !allows(&grants, permission, Some(watched.place())) {
            // Without a name: the record of it is the console's own.
            let why = "Who asked for it may not do this here any more.".to_owned();
            return Ok(Some(Hindrance::ForGood(vec![why])));
        }
        // The configuration may be another one since: fewer than it asks for now are too few.
        let demand = self.approval_demand(watched, change.action.verb());
        let demanded = demand.map_or(0, |it| it.approvals);
        if demanded > change.approvals.as_ref().map_or(0, |it| it.needed) {
            let why = format!("The rules ask for {demanded} approvals now.");
            return Ok(Some(Hindrance::ForGood(vec![why])));
        }
        if !unseen(view, &change.action).is_empty() {
            return Ok(Some(Hindrance::ForNow(UNSEEN)));
        }
        let moved = self.moved_since(watched, change, asking);
        if !moved.is_empty() {
            return Ok(Some(Hindrance::ForGood(moved)));
        }
        let checks = preflight::check(view, &change.action);
        let against = checks.iter().filter(|check| check.level == Level::Refuse);
        let (for_now, for_good): (Vec<&Check>, Vec<&Check>) =
            against.partition(|check| check.code == ReasonCode::ChangeRunning);
        if !for_good.is_empty() {
            let why = for_good.iter().map(|check| check.text.clone()).collect();
            return Ok(Some(Hindrance::ForGood(why)));
        }
        if let Err(error) = watched.may_join(&change.action) {
            return Ok(Some(Hindrance::ForGood(vec![format!("{error}.")])));
        }
        let busy =
            !for_now.is_empty() || actions::snapshot_running(watched, &change.action).is_some();
        Ok(busy.then_some(Hindrance::ForNow(BUSY)))
    }

    /// What is different from what was to be approved; another change that runs just now is not.
    pub(super) fn moved_since(
        &self,
        watched: &Watched,
        change: &Change,
        asking: &Asking,
    ) -> Vec<String> {
        let view = watched.view(self.now());
        approval::moved(&asking.basis, &basis(&view, &change.action))
    }

    /// Its place, its intent with who approved, its run.
    async fn run_approved(
        &self,
        watched: &Arc<Watched>,
        view: &ClusterView,
        change: Change,
        asking: &Asking,
    ) -> Result<Change, ControlError> {
        let asked = Asked {
            who: asking.operator(),
            cluster: change.cluster.clone(),
            action: change.action.clone(),
            request: asking.request.clone(),
            proof: None,
        };
        let mut begun = change.clone();
        begun.plan = plan::plan(view, &change.action);
        begun.checks = preflight::check(view, &change.action);
        begun.waiting_for = None;
        if let Placed::Busy = self.inner.store.change_take_place(&begun).await? {
            return Ok(self.not_yet(watched, change, BUSY));
        }
        let mut draft = asked.draft(EntryKind::Intent, format!("{}.", change.title));
        draft.change = Some(change.id.clone());
        draft.seen = actions::seen(view, &begun.checks);
        draft.sent = serde_json::to_value(&begun.plan.step).unwrap_or(Value::Null);
        let given = change.approvals.as_ref().map(|it| it.given.clone());
        draft.approvals = given.unwrap_or_default();
        let intent = match self.inner.audit.begin(draft).await {
            Ok(intent) => intent,
            Err(error) => {
                self.inner.store.change_leave_place(&change).await?;
                self.not_yet(watched, change, NOT_WRITABLE);
                return Err(error);
            }
        };
        jobs::steps::end_running(&mut begun, StepState::Done, self.now());
        begun.intent_seq = Some(intent.seq());
        begun.state = ChangeState::Running;
        jobs::start(self, watched, begun.clone(), intent).await;
        Ok(begun)
    }
}

const BUSY: &str = "the end of another change on this cluster; it is approved";
const UNSEEN: &str = "a look at the cluster as it is now; it is approved";
const NOT_WRITABLE: &str = "the audit log, which cannot be written; it is approved";

/// Why nobody can say whether the cluster moved: it was not seen, or not just now. That makes
/// nothing void.
pub(super) fn unseen(view: &ClusterView, action: &Action) -> Vec<Check> {
    let mut checks = preflight::check(view, action);
    checks.retain(|check| matches!(check.code, ReasonCode::NotSeenYet | ReasonCode::LookTooOld));
    checks
}

/// What a decision rests on, without what only says that another change runs.
pub(crate) fn basis(view: &ClusterView, action: &Action) -> Basis {
    let mut checks = preflight::check(view, action);
    checks.retain(|check| check.code != ReasonCode::ChangeRunning);
    Basis::of(view, &checks)
}
