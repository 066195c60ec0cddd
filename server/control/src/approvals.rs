//! Approval by other people: a change that needs it waits, durably and without its cluster's
//! place, until enough of them have said yes; then it runs at once by the way of every change, with
//! every check anew.
//!
//! What may happen when is decided in the domain. Every word and every end is a record first. All
//! of it passes under the cluster's `deciding` lock, so that of two last approvals one is the last.

use std::sync::Arc;

use quorate_domain::{
    approval::{self, Approvals, Bound, Demand, Given, Needed, Rule, Stage},
    audit::{Actor, Source},
    job::{Change, StepRecord, StepState},
    moment::Timestamp,
    permission::{Grant, Permission, allows},
    plan::{Basis, Preview, StepText},
};
use serde::{Deserialize, Serialize};

use crate::{
    Control, ControlError, Operator, Request, actions, audit::Draft, secrets, watch::Watched,
};

mod deciding;
mod ending;
mod execution;
mod keeping;
mod people;

pub use deciding::Decision;
pub(crate) use execution::basis;
pub(crate) use keeping::{ends, keep, take_up};

/// More requests than this do not wait on one cluster: somebody must decide first.
const WAITING_MOST: usize = 50;
/// Names of people who may approve, in a preview.
const NAMES_MOST: usize = 12;

/// Which changes need approval, and what is known of who may give it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApprovalPolicy {
    pub rules: Vec<Rule>,
    /// Where roles come from groups: whom each grant is for, in words.
    pub granted: Vec<(String, Grant)>,
}

/// What the store keeps beside a change that others have to approve: all that is needed to run it
/// later as who asked for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Asking {
    pub(crate) actor: Actor,
    pub(crate) grants: Vec<Grant>,
    pub(crate) source: Source,
    /// The person behind the actor.
    pub(crate) person: String,
    pub(crate) request: Request,
    /// What it was decided on.
    pub(crate) basis: Basis,
    pub(crate) execute_within_ms: u64,
    /// The people behind the approvals, in their order.
    pub(crate) approved: Vec<String>,
}

impl Asking {
    /// Who asked, as they were then.
    pub(crate) fn operator(&self) -> Operator {
        Operator {
            actor: self.actor.clone(),
            grants: self.grants.clone(),
            source: self.source.clone(),
            session: None,
        }
    }
}

impl Control {
    pub(crate) fn approval_demand(
        &self,
        watched: &Watched,
        verb: quorate_domain::action::Verb,
    ) -> Option<Demand> {
        let (cluster, tags) = watched.place();
        approval::demand(&self.inner.approvals.rules, cluster, tags, verb)
    }

    /// Says in a preview whose approval the change will need.
    pub(crate) async fn foretell_approval(
        &self,
        who: &Operator,
        watched: &Watched,
        preview: &mut Preview,
    ) -> Result<(), ControlError> {
        let Some(demand) = self.approval_demand(watched, preview.action.verb()) else {
            return Ok(());
        };
        let from = self.approvers(who, watched).await?;
        preview.steps.insert(0, first_step(demand.approvals));
        preview.notes.push(note(demand, &from));
        preview.approvals = Some(Needed {
            needed: demand.approvals,
            from,
            expires_after_ms: demand.expires_after_ms,
        });
        Ok(())
    }

    /// What its approvers decide on: when it ends unapproved, what it binds them to.
    pub(crate) fn awaited(
        &self,
        change: &Change,
        who: &Operator,
        basis: &Basis,
        demand: Demand,
    ) -> Approvals {
        let bound = Bound {
            change: &change.id.0,
            cluster: &change.cluster,
            group: change.group.as_deref(),
            action: &change.action,
            issuer: &who.actor.issuer,
            subject: &who.actor.subject,
            reason: &change.reason,
            ticket: change.ticket.as_deref(),
            basis,
            needed: demand.approvals,
        };
        Approvals {
            needed: demand.approvals,
            until: change.created_at.plus_ms(demand.expires_after_ms),
            digest: secrets::digest(&bound.canonical()),
            seq: None,
            given: Vec::new(),
            denied: None,
        }
    }

    /// Makes a change wait: its row, then its record, and it is shown.
    pub(crate) async fn waits(
        &self,
        watched: &Arc<Watched>,
        mut change: Change,
        asking: Asking,
        mut draft: Draft,
    ) -> Result<Change, ControlError> {
        draft.action = "approval_requested".to_owned();
        draft.change = Some(change.id.clone());
        draft.sent = told(&change);
        let entry = match self.inner.audit.append(draft).await {
            Ok(entry) => entry,
            Err(error) => {
                crate::jobs::forget(self, &change.id).await;
                return Err(error);
            }
        };
        if let Some(approvals) = &mut change.approvals {
            approvals.seq = Some(entry.seq);
        }
        // A row without its record's number is one that never came to wait.
        if let Err(error) = self.inner.store.asking_put(&change, &asking).await {
            crate::jobs::forget(self, &change.id).await;
            return Err(error);
        }
        metrics::counter!("quorate_approvals_requested_total").increment(1);
        self.show(watched, &change);
        Ok(change)
    }

    /// Whether so many wait on this cluster that another one must not.
    pub(crate) fn too_many_wait(&self, watched: &Watched) -> Result<(), ControlError> {
        let waiting = self.inner.book.open(|name| name == watched.name());
        let waiting = waiting.iter().filter(|change| is_awaited(change)).count();
        if waiting < WAITING_MOST {
            return Ok(());
        }
        Err(ControlError::invalid(
            format!("{waiting} changes wait for approval on this cluster"),
            "Have some of them approved, denied or cancelled first.",
        ))
    }

    /// The change as it stands now, for whoever looks.
    pub(crate) fn show(&self, watched: &Watched, change: &Change) {
        self.inner.book.put(change);
        let happened = vec![actions::happening(change)];
        self.inner.events.add(watched.name(), self.now(), happened);
        watched.tick();
        self.inner.tick();
    }

    /// Of the changes that wait, those `who` could approve now, as far as grants tell.
    pub(crate) fn waits_for(&self, who: &Operator, change: &Change) -> bool {
        let tags = self.inner.clusters.get(&change.cluster);
        let tags = tags.map(|watched| watched.place().1).unwrap_or_default();
        let own = |actor: &Actor| actor.subject == who.actor.subject;
        let spoke = change.approvals.iter().flat_map(|it| &it.given);
        allows(
            &who.grants,
            Permission::Approve,
            Some((&change.cluster, tags)),
        ) && !own(&change.requested_by)
            && !spoke.map(|given| &given.by).any(own)
    }
}

/// Whether it waits for approvals, or has them and has not begun.
pub(crate) fn is_awaited(change: &Change) -> bool {
    change.approvals.is_some()
        && matches!(Stage::of(change.state), Stage::Waiting | Stage::Approved)
}

/// The waiting, as the first of a change's steps.
pub(crate) fn first_record(needed: u32, now: Timestamp) -> StepRecord {
    let step = first_step(needed);
    StepRecord {
        lead: step.lead,
        rest: step.rest,
        state: StepState::Running,
        started_at: Some(now),
        ended_at: None,
    }
}

fn first_step(needed: u32) -> StepText {
    StepText {
        lead: "Wait".to_owned(),
        rest: format!("until {} approved it", others(needed, "has", "have")),
    }
}

fn others(count: u32, one: &str, more: &str) -> String {
    match count {
        1 => format!("1 other person {one}"),
        count => format!("{count} other people {more}"),
    }
}

fn note(demand: Demand, from: &[String]) -> String {
    let whom = if from.is_empty() {
        "Nobody else holds the role approver here now".to_owned()
    } else {
        format!("May approve here: {}", from.join(", "))
    };
    let role = Permission::Approve;
    format!(
        "{} with the role {} must approve this within {} before anything is sent. {whom}.",
        others(demand.approvals, "", "").trim_end(),
        crate::wording::roles(role),
        crate::wording::duration(demand.expires_after_ms),
    )
}

/// Where it stands, for the page and for scripts.
pub(crate) fn waiting_for(approvals: &Approvals) -> String {
    format!(
        "approval: {} of {}, until {}",
        approvals.given.len(),
        approvals.needed,
        approvals.until.in_words()
    )
}

/// Of the request, in its records: what is approved and how far it is.
fn told(change: &Change) -> serde_json::Value {
    let approvals = change.approvals.as_ref();
    serde_json::json!({
        "step": change.plan.step,
        "digest": approvals.map(|it| &it.digest),
        "needed": approvals.map(|it| it.needed),
        "given": approvals.map(|it| it.given.len()),
        "until": approvals.map(|it| it.until),
    })
}

/// Somebody's word as it stands with the change.
fn given(who: &Operator, at: Timestamp, reason: &str, seq: u64) -> Given {
    Given {
        by: who.actor.clone(),
        at,
        reason: reason.to_owned(),
        seq,
    }
}
