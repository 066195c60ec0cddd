//! Approving, denying, taking back: who may, what is refused, and what becomes of the change.

use std::sync::Arc;

use quorate_domain::{
    approval::{Act, Desk, Objection, Stage},
    audit::{EntryKind, Outcome},
    job::{Change, ChangeId},
    permission::{Permission, allows},
};

use super::{Asking, ending::End, execution::unseen, given, told, waiting_for};
use crate::{
    Control, ControlError, Operator,
    audit::Draft,
    escape,
    step_up::{Deed, Evidence, ProofId},
    watch::{LOOK_WAIT, Watched},
};

const REASON_LONGEST: usize = 500;

/// What somebody says about a change that waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Must be there to deny.
    pub reason: String,
    /// Of what they were shown; if it is given it must be the change's own.
    pub digest: Option<String>,
}

/// One decision on its way.
struct Word {
    who: Operator,
    id: ChangeId,
    decision: Decision,
    proof: Option<ProofId>,
}

/// A change that may be decided on, and its cluster.
struct Found {
    change: Change,
    asking: Asking,
    watched: Arc<Watched>,
    person: String,
}

impl Control {
    /// Approves somebody else's change; the last approval that is needed lets it run, with every
    /// check anew.
    ///
    /// # Errors
    /// In this order: `NotFound`; `NotAllowed`; `Invalid`; `NotWaiting`, `OwnRequest`,
    /// `AlreadyApproved`; `Refused` (the cluster cannot be seen now), `Moved` (the change is
    /// cancelled by that), `StepUpNeeded`;
    /// `AuditUnavailable`, `Store`.
    pub async fn approve(
        &self,
        who: &Operator,
        id: &str,
        decision: &Decision,
    ) -> Result<Change, ControlError> {
        self.approve_with(who, id, decision, None).await
    }

    /// As [`Control::approve`], with a proof that the person is there.
    pub(crate) async fn approve_with(
        &self,
        who: &Operator,
        id: &str,
        decision: &Decision,
        proof: Option<ProofId>,
    ) -> Result<Change, ControlError> {
        let mut word = Word::of(who, id, decision);
        word.proof = proof;
        let control = self.clone();
        // Its own task: a caller who goes away must not leave it half decided.
        finished(tokio::spawn(async move { word.approve(&control).await })).await
    }

    /// As [`Control::approve`], by a proof for this very approval. The proof is used up by this.
    ///
    /// # Errors
    /// As there; `StepUpNeeded` with a new question where the proof is none.
    pub async fn approve_proved(
        &self,
        who: &Operator,
        proof: ProofId,
        deed: &Deed,
    ) -> Result<Change, ControlError> {
        let Deed::Approve {
            change,
            basis,
            reason,
        } = deed
        else {
            return Err(ControlError::Internal {
                doing: "approving what is no approval",
            });
        };
        let decision = Decision {
            reason: reason.clone().unwrap_or_default(),
            digest: Some(basis.clone()),
        };
        self.approve_with(who, &change.0, &decision, Some(proof))
            .await
    }

    /// Denies somebody else's change, for good.
    ///
    /// # Errors
    /// As [`Control::approve`], but for `AlreadyApproved` and `Moved`.
    pub async fn deny(
        &self,
        who: &Operator,
        id: &str,
        decision: &Decision,
    ) -> Result<Change, ControlError> {
        let word = Word::of(who, id, decision);
        let control = self.clone();
        finished(tokio::spawn(async move { word.deny(&control).await })).await
    }

    /// Takes back a change that waits: for who asked for it, and for administrators of its cluster.
    ///
    /// # Errors
    /// `NotFound`, `NotAllowed`, `NotWaiting`, `AuditUnavailable`, `Store`.
    pub async fn cancel(
        &self,
        who: &Operator,
        id: &str,
        decision: &Decision,
    ) -> Result<Change, ControlError> {
        let word = Word::of(who, id, decision);
        let control = self.clone();
        finished(tokio::spawn(async move { word.cancel(&control).await })).await
    }
}

async fn finished(
    deciding: tokio::task::JoinHandle<Result<Change, ControlError>>,
) -> Result<Change, ControlError> {
    deciding.await.unwrap_or(Err(ControlError::Internal {
        doing: "deciding on an approval",
    }))
}

impl Word {
    fn of(who: &Operator, id: &str, decision: &Decision) -> Self {
        Self {
            who: who.clone(),
            id: ChangeId(id.to_owned()),
            decision: Decision {
                reason: decision.reason.trim().to_owned(),
                digest: decision.digest.clone(),
            },
            proof: None,
        }
    }

    async fn approve(&self, control: &Control) -> Result<Change, ControlError> {
        let action = "approve";
        let change = self.may_approve(control, action).await?;
        self.well_said(&change, false)?;
        let watched = self.watched(control, &change, action).await?;
        let deciding = watched.deciding.lock().await;
        let mut found = self.found(control, &watched, action).await?;
        let against = found.desk().against_approving(&found.person, control.now());
        self.no_objection(control, &found, against, action).await?;
        // Those whose word counts no more are no reason to run it.
        control
            .lapse(&watched, &mut found.change, &mut found.asking)
            .await?;
        watched.look(LOOK_WAIT).await;
        let checks = unseen(&watched.view(control.now()), &found.change.action);
        if !checks.is_empty() {
            let error = ControlError::Refused { checks };
            let text = format!("Refused: {}", error.problem().title);
            let draft = self.refusal(&found.change, action, text);
            control.refused(draft).await;
            return Err(error);
        }
        let moved = control.moved_since(&watched, &found.change, &found.asking);
        if !moved.is_empty() {
            control.end_void(&watched, found.change, &moved).await?;
            return Err(ControlError::Moved { moved });
        }
        let proved = self.proved(control, &found.change).await?;
        let change = self.add(control, &mut found, proved).await?;
        let needed = change.approvals.as_ref().map_or(0, |it| it.needed);
        if found.asking.approved.len() < usize::try_from(needed).unwrap_or(usize::MAX) {
            return Ok(change);
        }
        let begun = control.begin_approved(&watched, change.clone()).await;
        drop(deciding);
        // What hinders it now is tried again for as long as it may begin; the change says why.
        Ok(begun.unwrap_or_else(|error| {
            tracing::warn!(%error, change = %change.id, "an approved change has not begun");
            control.inner.book.get(&change.id).unwrap_or(change)
        }))
    }

    /// The record, then the row.
    async fn add(
        &self,
        control: &Control,
        found: &mut Found,
        proved: Option<Evidence>,
    ) -> Result<Change, ControlError> {
        let mut draft = self.draft(&found.change, "approved", EntryKind::Console);
        draft.outcome = Some(Outcome::Succeeded);
        draft.text = format!(
            "{} approved: {}.",
            self.who.actor.name,
            crate::wording::clause(&found.change.title)
        );
        let view = found.watched.view(control.now());
        draft.seen = crate::actions::seen(&view, &[]);
        if let (Some(proved), Some(seen)) = (&proved, draft.seen.as_object_mut()) {
            seen.insert("step_up".to_owned(), proved.told());
        }
        let entry = control.inner.audit.append(draft.clone()).await?;
        let (mut change, mut asking) = (found.change.clone(), found.asking.clone());
        let now = control.now();
        asking.approved.push(found.person.clone());
        if let Some(approvals) = &mut change.approvals {
            let word = given(&self.who, now, &self.decision.reason, entry.seq);
            approvals.given.push(word);
            let last = asking.approved.len() >= usize::try_from(approvals.needed).unwrap_or(0);
            let act = if last { Act::ApproveLast } else { Act::Approve };
            let stage = Stage::of(change.state).after(act);
            change.state = stage.unwrap_or(Stage::Waiting).shown();
            if last {
                approvals.until = now.plus_ms(asking.execute_within_ms);
            }
            change.waiting_for = Some(waiting_for(approvals));
        }
        if let Err(error) = control.inner.store.asking_put(&change, &asking).await {
            let mut failed = draft;
            failed.intent_seq = Some(entry.seq);
            failed.outcome = Some(Outcome::Failed);
            failed.text = format!("Not done: {error}.");
            control.refused(failed).await;
            return Err(error);
        }
        found.asking = asking;
        control.show(&found.watched, &change);
        Ok(change)
    }

    async fn deny(&self, control: &Control) -> Result<Change, ControlError> {
        let action = "deny";
        let change = self.may_approve(control, action).await?;
        self.well_said(&change, true)?;
        let watched = self.watched(control, &change, action).await?;
        let _deciding = watched.deciding.lock().await;
        let found = self.found(control, &watched, action).await?;
        let against = found.desk().against_deciding(&found.person, control.now());
        self.no_objection(control, &found, against, action).await?;
        let mut draft = self.draft(&found.change, "denied", EntryKind::Refusal);
        draft.outcome = Some(Outcome::Refused);
        let (name, reason) = (&self.who.actor.name, &self.decision.reason);
        let text = format!("Denied by {name}: {}.", crate::wording::clause(reason));
        draft.text = format!("{}: {text}", found.change.title);
        let end = End {
            stage: Stage::Denied,
            text,
            draft,
            denied_by: Some((self.who.clone(), reason.clone())),
        };
        control.end_awaited(&watched, found.change, end).await
    }

    async fn cancel(&self, control: &Control) -> Result<Change, ControlError> {
        let action = "cancel";
        let change = control.change(&self.who, &self.id.0).await?;
        let person = control.person(&self.who.actor).await?;
        let asking = control.inner.store.asking(&self.id).await?;
        let own = asking.is_some_and(|asking| asking.person == person);
        let tags = control.tags(&change);
        let place = Some((&change.cluster, tags.as_slice()));
        if !own && !allows(&self.who.grants, Permission::Administer, place) {
            let permission = Permission::Administer;
            return Err(self.not_allowed(control, &change, permission, action).await);
        }
        self.well_said(&change, false)?;
        let watched = self.watched(control, &change, action).await?;
        let _deciding = watched.deciding.lock().await;
        let found = self.found(control, &watched, action).await?;
        let stage = Stage::of(found.change.state);
        let against = stage.after(Act::Withdraw).is_none();
        let against = against.then_some(Objection::NotWaiting);
        self.no_objection(control, &found, against, action).await?;
        let mut draft = self.draft(&found.change, "change_cancelled", EntryKind::Console);
        draft.outcome = Some(Outcome::Succeeded);
        let text = format!(
            "Cancelled by {} before anything was sent.",
            self.who.actor.name
        );
        draft.text = format!("{}: {text}", found.change.title);
        let end = End {
            stage: Stage::Withdrawn,
            text,
            draft,
            denied_by: None,
        };
        control.end_awaited(&watched, found.change, end).await
    }

    /// The change, if they may see it and hold the right to approve on its cluster.
    async fn may_approve(&self, control: &Control, action: &str) -> Result<Change, ControlError> {
        let change = control.change(&self.who, &self.id.0).await?;
        let tags = control.tags(&change);
        let place = Some((&change.cluster, tags.as_slice()));
        let permission = Permission::Approve;
        let holds = allows(&self.who.grants, permission, place);
        // An account may have been disabled since this request was let in.
        let now = control.grants_now(&self.who.actor).await?;
        let still = now.is_none_or(|grants| allows(&grants, permission, place));
        if holds && still {
            return Ok(change);
        }
        Err(self.not_allowed(control, &change, permission, action).await)
    }

    async fn not_allowed(
        &self,
        control: &Control,
        change: &Change,
        permission: Permission,
        action: &str,
    ) -> ControlError {
        let needs = crate::wording::roles(permission);
        let text = crate::wording::not_allowed(action, Some(&change.cluster), &needs);
        control.refused(self.refusal(change, action, text)).await;
        ControlError::NotAllowed { needs }
    }

    fn well_said(&self, change: &Change, needs_reason: bool) -> Result<(), ControlError> {
        let reason = &self.decision.reason;
        if needs_reason && reason.is_empty() {
            return Err(ControlError::invalid(
                "a reason is missing",
                "Say in a few words why; it goes into the audit log.",
            ));
        }
        if reason.chars().count() > REASON_LONGEST || reason.chars().any(escape::steers) {
            return Err(ControlError::invalid(
                format!("the reason is more than {REASON_LONGEST} characters, or not plain text"),
                "Say it shorter, in one line.",
            ));
        }
        let own = change.approvals.as_ref().map(|it| it.digest.as_str());
        match &self.decision.digest {
            Some(seen) if own.is_some_and(|own| own != seen) => Err(ControlError::invalid(
                "this digest is of something else than this change",
                "Read the change again, and send its `approvals.digest`, or none.",
            )),
            _ => Ok(()),
        }
    }

    async fn watched(
        &self,
        control: &Control,
        change: &Change,
        action: &str,
    ) -> Result<Arc<Watched>, ControlError> {
        if super::is_awaited(change)
            && let Some(watched) = control.watch_of(&change.cluster, change.group.as_deref())
        {
            return Ok(watched);
        }
        Err(self.not_waiting(control, change, action).await)
    }

    async fn not_waiting(&self, control: &Control, change: &Change, action: &str) -> ControlError {
        let error = ControlError::NotWaiting {
            state: change.state,
        };
        let text = format!("Refused: {error}.");
        control.refused(self.refusal(change, action, text)).await;
        error
    }

    /// As it stands under the lock.
    async fn found(
        &self,
        control: &Control,
        watched: &Arc<Watched>,
        action: &str,
    ) -> Result<Found, ControlError> {
        let change = control.change_at_hand(&self.id).await?;
        let asking = control.inner.store.asking(&self.id).await?;
        let Some(asking) = asking.filter(|_| super::is_awaited(&change)) else {
            return Err(self.not_waiting(control, &change, action).await);
        };
        Ok(Found {
            change,
            asking,
            watched: Arc::clone(watched),
            person: control.person(&self.who.actor).await?,
        })
    }

    async fn no_objection(
        &self,
        control: &Control,
        found: &Found,
        objection: Option<Objection>,
        action: &str,
    ) -> Result<(), ControlError> {
        let error = match objection {
            None => return Ok(()),
            Some(Objection::NotWaiting) => ControlError::NotWaiting {
                state: found.change.state,
            },
            Some(Objection::TooLate) => {
                let ended = control.end_expired(&found.watched, found.change.clone());
                ControlError::NotWaiting {
                    state: ended.await?.state,
                }
            }
            Some(Objection::OwnRequest) => ControlError::OwnRequest,
            Some(Objection::AlreadyApproved) => ControlError::AlreadyApproved,
        };
        let text = format!("Refused: {error}.");
        let draft = self.refusal(&found.change, action, text);
        control.refused(draft).await;
        Err(error)
    }

    async fn proved(
        &self,
        control: &Control,
        change: &Change,
    ) -> Result<Option<Evidence>, ControlError> {
        let reason = &self.decision.reason;
        let basis = change.approvals.as_ref().map(|it| it.digest.clone());
        let deed = Deed::Approve {
            change: change.id.clone(),
            basis: basis.unwrap_or_default(),
            reason: Some(reason.clone()).filter(|reason| !reason.is_empty()),
        };
        control
            .stepped_up(&self.who, &deed, self.proof.as_ref())
            .await
    }

    fn draft(&self, change: &Change, action: &str, kind: EntryKind) -> Draft {
        let who = &self.who;
        let mut draft = Draft::new(kind, action, who.actor.clone(), who.source(), "");
        draft.grants.clone_from(&who.grants);
        self.about(&mut draft, change);
        draft.sent = told(change);
        draft
    }

    fn refusal(&self, change: &Change, action: &str, text: String) -> Draft {
        let mut draft = Draft::refusal(&self.who, action, text);
        self.about(&mut draft, change);
        draft
    }

    fn about(&self, draft: &mut Draft, change: &Change) {
        draft.cluster = Some(change.cluster.clone());
        draft.group.clone_from(&change.group);
        draft.member = change.action.member().cloned();
        draft.change = Some(change.id.clone());
        draft.ticket.clone_from(&change.ticket);
        let reason = &self.decision.reason;
        let fits = (1..=REASON_LONGEST).contains(&reason.chars().count());
        draft.reason = fits.then(|| reason.clone());
    }
}

impl Found {
    fn desk(&self) -> Desk<'_> {
        let until = self.change.approvals.as_ref().map(|it| it.until);
        Desk {
            stage: Stage::of(self.change.state),
            until: until.unwrap_or_default(),
            requester: &self.asking.person,
            approved: &self.asking.approved,
        }
    }
}
