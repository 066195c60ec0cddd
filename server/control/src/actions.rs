//! Preview and submit: the one door to every change.
//!
//! Tried in this order: not allowed, malformed or unknown, moved since it was seen, refused by a
//! rule, audit not writable. After that the intent is durable and the change runs.

use std::sync::Arc;

use quorate_domain::{
    action::Action,
    audit::{EntryKind, Means, Outcome},
    cluster::ClusterName,
    event::Happening,
    job::{Change, ChangeId, ChangeState, StepRecord, StepState},
    permission::{Permission, allows},
    plan::{self, Basis, Preview},
    preflight::{self, Axis, Check, Level, ReasonCode},
    view::ClusterView,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Control, ControlError, Operator, Request,
    audit::Draft,
    jobs, secrets,
    step_up::{Deed, Evidence, ProofId},
    store::changes::{Key, Placed},
    watch::{LOOK_WAIT, Watched},
    wording,
};

mod awaited;
mod request;

use request::{bad_fingerprint, trimmed, well_asked, well_formed};

impl Control {
    /// Before → after with checks and steps, on a fresh look; changes nothing.
    ///
    /// # Errors
    /// `NotFound` (cluster or member), `Invalid`, `AddressNotAllowed`.
    pub async fn preview(
        &self,
        who: &Operator,
        cluster: &str,
        action: &Action,
    ) -> Result<Preview, ControlError> {
        self.preview_in(who, cluster, None, action).await
    }

    /// As [`Control::preview`], in one group of a program of many.
    ///
    /// # Errors
    /// As there; also `Invalid` for a program of many groups of which none is named.
    pub async fn preview_in(
        &self,
        who: &Operator,
        cluster: &str,
        group: Option<&str>,
        action: &Action,
    ) -> Result<Preview, ControlError> {
        let watched = self.changeable(who, cluster, group).await?;
        well_formed(action)?;
        let view = self.fresh(&watched).await;
        known_member(&view, action)?;
        watched.may_join(action)?;
        let mut preview = plan::preview(&view, action);
        if let Some(check) = snapshot_running(&watched, action) {
            preview.checks.insert(0, check);
        }
        let deed = Deed::Change {
            cluster: watched.name().clone(),
            action: action.clone(),
            request: Box::default(),
        };
        if self.asks_for_proof(who, &deed) {
            preview.notes.push(proof_first(who).to_owned());
        }
        self.foretell_approval(who, &watched, &mut preview).await?;
        Ok(preview)
    }

    /// Permission, look anew, plan anew, compare with what was seen, audit intent, slot, run.
    /// Returns once the intent is durable. `wait` for the end by polling [`Control::change`].
    ///
    /// # Errors
    /// In this order: `NotAllowed`; `Invalid`, `NotFound`, `KeyReused`; `Moved`; `Refused`,
    /// `AddressNotAllowed`; `AuditUnavailable`. Whatever it is, nothing was sent.
    pub async fn submit(
        &self,
        who: &Operator,
        cluster: &str,
        action: &Action,
        request: &Request,
    ) -> Result<Change, ControlError> {
        self.submit_with(who, cluster, action, request, None).await
    }

    /// As [`Control::submit`], with a proof that the person is there.
    pub(crate) async fn submit_with(
        &self,
        who: &Operator,
        cluster: &str,
        action: &Action,
        request: &Request,
        proof: Option<ProofId>,
    ) -> Result<Change, ControlError> {
        // Its own task: a caller who goes away must not leave a change half begun.
        let asked = Asked {
            who: who.clone(),
            cluster: ClusterName::from(cluster),
            action: action.clone(),
            request: trimmed(request),
            proof,
        };
        let control = self.clone();
        tokio::spawn(async move { asked.submit(&control).await })
            .await
            .unwrap_or(Err(ControlError::Internal {
                doing: "deciding on a change",
            }))
    }
}

/// One request for a change on its way through the door.
pub(crate) struct Asked {
    pub(crate) who: Operator,
    pub(crate) cluster: ClusterName,
    pub(crate) action: Action,
    pub(crate) request: Request,
    pub(crate) proof: Option<ProofId>,
}

impl Asked {
    async fn submit(&self, control: &Control) -> Result<Change, ControlError> {
        let watched = self.admitted(control).await?;
        let key = self.key();
        if let Some(first) = self.first_answer(control, key.as_ref()).await? {
            return Ok(first);
        }
        let _deciding = watched.deciding.lock().await;
        // The same request may have come twice at once.
        if let Some(first) = self.first_answer(control, key.as_ref()).await? {
            return Ok(first);
        }
        watched.look(LOOK_WAIT).await;
        let view = watched.view(control.now());
        self.judged(control, &watched, &view).await?;
        let proved = self.proved(control).await?;
        self.begin(control, &watched, &view, key.as_ref(), proved)
            .await
    }

    /// Is the person there, where that has to be proved?
    async fn proved(&self, control: &Control) -> Result<Option<Evidence>, ControlError> {
        let deed = Deed::Change {
            cluster: self.cluster.clone(),
            action: self.action.clone(),
            request: Box::new(self.request.clone()),
        };
        control
            .stepped_up(&self.who, &deed, self.proof.as_ref())
            .await
    }

    /// Who may do this, and is it a request at all?
    async fn admitted(&self, control: &Control) -> Result<Arc<Watched>, ControlError> {
        let permission = Permission::Act(self.action.verb());
        let found = control
            .visible(&self.who, self.cluster.as_str())
            .ok()
            .cloned();
        let tags = found
            .as_ref()
            .map(|watched| watched.place().1)
            .unwrap_or_default();
        if !allows(&self.who.grants, permission, Some((&self.cluster, tags))) {
            let cluster = found.as_ref().map(|watched| watched.name());
            return Err(self.not_allowed(control, permission, cluster).await);
        }
        well_formed(&self.action)?;
        well_asked(&self.action, &self.request)?;
        found.ok_or_else(|| ControlError::not_found("cluster", self.cluster.as_str()))?;
        let (cluster, group) = (self.cluster.as_str(), self.request.group.as_deref());
        control.changeable(&self.who, cluster, group).await
    }

    /// Recorded with all that was asked, as far as it is fit to be kept.
    async fn not_allowed(
        &self,
        control: &Control,
        permission: Permission,
        cluster: Option<&ClusterName>,
    ) -> ControlError {
        let needs = wording::roles(permission);
        let verb = self.action.verb().as_str();
        let text = wording::not_allowed(verb, cluster, &needs);
        let mut draft = Draft::refusal(&self.who, verb, text);
        draft.cluster = cluster.cloned();
        draft.group.clone_from(&self.request.group);
        if well_formed(&self.action).is_ok() {
            draft.member = self.action.member().cloned();
        }
        if well_asked(&self.action, &self.request).is_ok() {
            draft.reason = Some(self.request.reason.clone());
            draft.ticket.clone_from(&self.request.ticket);
        }
        control.refused(draft).await;
        ControlError::NotAllowed { needs }
    }

    fn key(&self) -> Option<Key> {
        let key = self.request.idempotency_key.clone()?;
        let asked = json!([
            self.cluster,
            self.action,
            self.request.revision,
            self.request.fingerprint,
            self.request.reason,
            self.request.ticket
        ]);
        let asked = match &self.request.group {
            Some(group) => json!([asked, group]),
            None => asked,
        };
        let actor = format!("{}:{}", self.who.actor.issuer, self.who.actor.subject);
        Some(Key {
            actor,
            key,
            digest: secrets::digest(&asked.to_string()),
        })
    }

    async fn first_answer(
        &self,
        control: &Control,
        key: Option<&Key>,
    ) -> Result<Option<Change>, ControlError> {
        let Some(key) = key else { return Ok(None) };
        match control.inner.store.change_by_key(key).await? {
            Some(Placed::Repeat(id)) => control.change_at_hand(&id).await.map(Some),
            Some(Placed::KeyReused) => Err(ControlError::KeyReused),
            _ => Ok(None),
        }
    }

    /// Moved, refused, or at an address that is not allowed? Each is a record of its own.
    async fn judged(
        &self,
        control: &Control,
        watched: &Watched,
        view: &ClusterView,
    ) -> Result<(), ControlError> {
        let mut checks = preflight::check(view, &self.action);
        let moved = self.not_moved(view, &checks);
        checks.splice(0..0, snapshot_running(watched, &self.action));
        let judgement = known_member(view, &self.action)
            .and(moved)
            .and_then(|()| refused(&checks))
            .and_then(|()| watched.may_join(&self.action));
        if let Err(error) = &judgement {
            self.record_refusal(control, view, &checks, error).await;
        }
        judgement
    }

    fn not_moved(&self, view: &ClusterView, checks: &[Check]) -> Result<(), ControlError> {
        let mut moved = Vec::new();
        if let Some(text) = &self.request.fingerprint {
            let seen = Basis::parse(text).ok_or_else(bad_fingerprint)?;
            moved = seen.moved(&Basis::of(view, checks));
        }
        if let (Some(seen), Some(now)) = (&self.request.revision, &view.revision)
            && seen != now.as_str()
            && moved.is_empty()
        {
            moved.push(format!(
                "The membership is another one now (revision {now})."
            ));
        }
        if moved.is_empty() {
            Ok(())
        } else {
            Err(ControlError::Moved { moved })
        }
    }

    async fn record_refusal(
        &self,
        control: &Control,
        view: &ClusterView,
        checks: &[Check],
        error: &ControlError,
    ) {
        let text = match error {
            ControlError::Moved { moved } => {
                format!(
                    "Refused: the cluster moved since it was seen. {}",
                    moved.join(" ")
                )
            }
            ControlError::Refused { .. } => format!("Refused: {}", error.problem().title),
            other => format!("Refused: {other}."),
        };
        let mut draft = self.draft(EntryKind::Refusal, text);
        draft.outcome = Some(Outcome::Refused);
        draft.seen = seen(view, checks);
        control.refused(draft).await;
    }

    pub(crate) fn draft(&self, kind: EntryKind, text: String) -> Draft {
        let verb = self.action.verb().as_str();
        let mut draft = Draft::new(kind, verb, self.who.actor.clone(), self.who.source(), text);
        draft.grants.clone_from(&self.who.grants);
        draft.cluster = Some(self.cluster.clone());
        draft.group.clone_from(&self.request.group);
        draft.member = self.action.member().cloned();
        draft.reason = Some(self.request.reason.clone());
        draft.ticket.clone_from(&self.request.ticket);
        draft
    }

    /// Its place, its intent, its run.
    async fn begin(
        &self,
        control: &Control,
        watched: &Arc<Watched>,
        view: &ClusterView,
        key: Option<&Key>,
        proved: Option<Evidence>,
    ) -> Result<Change, ControlError> {
        if let Some(demand) = control.approval_demand(watched, self.action.verb()) {
            let with = (demand, proved);
            return self.await_approval(control, watched, view, key, with).await;
        }
        let mut change = self.change(control, view);
        match control.inner.store.change_insert(&change, key).await? {
            Placed::Done => {}
            Placed::Repeat(id) => return control.change_at_hand(&id).await,
            Placed::KeyReused => return Err(ControlError::KeyReused),
            Placed::Busy => return Err(self.busy(control, view).await),
        }
        let mut draft = self.draft(EntryKind::Intent, format!("{}.", change.title));
        draft.change = Some(change.id.clone());
        draft.seen = seen(view, &change.checks);
        if let (Some(proved), Some(seen)) = (&proved, draft.seen.as_object_mut()) {
            seen.insert("step_up".to_owned(), proved.told());
        }
        draft.sent = serde_json::to_value(&change.plan.step).unwrap_or(Value::Null);
        let intent = match control.inner.audit.begin(draft).await {
            Ok(intent) => intent,
            Err(error) => {
                jobs::forget(control, &change.id).await;
                return Err(error);
            }
        };
        change.intent_seq = Some(intent.seq());
        change.state = ChangeState::Running;
        jobs::start(control, watched, change.clone(), intent).await;
        Ok(change)
    }

    async fn busy(&self, control: &Control, view: &ClusterView) -> ControlError {
        let checks = vec![Check {
            code: ReasonCode::ChangeRunning,
            level: Level::Refuse,
            axis: Axis::Availability,
            text: "Another change runs on this cluster.".to_owned(),
        }];
        let error = ControlError::Refused {
            checks: checks.clone(),
        };
        self.record_refusal(control, view, &checks, &error).await;
        error
    }

    fn change(&self, control: &Control, view: &ClusterView) -> Change {
        let preview = plan::preview(view, &self.action);
        let suffix = format!(" in {}", self.cluster);
        let steps = preview.steps.into_iter().map(|step| StepRecord {
            lead: step.lead,
            rest: step.rest,
            state: StepState::Pending,
            started_at: None,
            ended_at: None,
        });
        let title = preview.title.strip_suffix(&suffix);
        let title = title.unwrap_or(&preview.title);
        Change {
            id: ChangeId(Uuid::now_v7().to_string()),
            cluster: self.cluster.clone(),
            group: self.request.group.clone(),
            action: self.action.clone(),
            title: match &self.request.group {
                Some(group) => format!("{title} in {group}"),
                None => title.to_owned(),
            },
            state: ChangeState::Queued,
            waiting_for: None,
            outcome: None,
            requested_by: self.who.actor.clone(),
            reason: self.request.reason.clone(),
            ticket: self.request.ticket.clone(),
            created_at: control.now(),
            ended_at: None,
            steps: steps.collect(),
            checks: preview.checks,
            before: preview.before,
            after: preview.after,
            seen: None,
            plan: plan::plan(view, &self.action),
            notes: preview.notes,
            intent_seq: None,
            outcome_seq: None,
            snapshot: None,
            approvals: None,
        }
    }
}

/// What a preview says where somebody will have to prove that it is them.
fn proof_first(who: &Operator) -> &'static str {
    if who.actor.means == Means::Token {
        "It needs a proof that a person is there, which a token cannot give: ask for it on the page."
    } else {
        "Before it is done you are asked to prove that it is you."
    }
}

/// Two snapshots of one cluster at once are refused; they take no place from other changes.
pub(crate) fn snapshot_running(watched: &Watched, action: &Action) -> Option<Check> {
    let running = watched
        .snapshotting
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .is_some();
    (running && matches!(action, Action::Snapshot)).then(|| Check {
        code: ReasonCode::ChangeRunning,
        level: Level::Refuse,
        axis: Axis::Durability,
        text: "A snapshot of this cluster is being taken already.".to_owned(),
    })
}

fn refused(checks: &[Check]) -> Result<(), ControlError> {
    if preflight::worst(checks) < Level::Refuse {
        return Ok(());
    }
    Err(ControlError::Refused {
        checks: checks.to_vec(),
    })
}

/// A member the action is about must be one, as far as any member is known.
fn known_member(view: &ClusterView, action: &Action) -> Result<(), ControlError> {
    let Some(member) = action.member() else {
        return Ok(());
    };
    let newcomer = matches!(action, Action::AddLearner { .. });
    if newcomer || view.members.is_empty() || view.members.iter().any(|seen| seen.id == *member) {
        return Ok(());
    }
    Err(ControlError::not_found("member", member.as_str()))
}

/// What was seen when deciding, for the audit log.
pub(crate) fn seen(view: &ClusterView, checks: &[Check]) -> Value {
    let members: Vec<Value> = view
        .members
        .iter()
        .map(|member| {
            json!({
                "id": member.id, "role": member.role, "wanted_role": member.wanted_role,
                "state": member.state, "address": member.address, "lag": member.lag,
            })
        })
        .collect();
    json!({
        "revision": view.revision, "leader": view.leader.member, "leader_status": view.leader.status,
        "term": view.leader.term, "verdict": view.verdict, "sentence": view.sentence,
        "observed_at": view.observed_at, "age_ms": view.age_ms,
        "quorum": view.quorum, "members": members, "checks": checks,
    })
}

/// The event of a change's beginning or end.
pub(crate) fn happening(change: &Change) -> Happening {
    let text = match &change.outcome {
        Some(outcome) => format!("{}: {}", change.title, wording::clause(outcome)),
        None => change.title.clone(),
    };
    Happening::Change {
        id: change.id.clone(),
        state: change.state,
        text,
        actor: change.requested_by.name.clone(),
        ticket: change.ticket.clone(),
    }
}
