//! After a restart: what a former run of the console left open is looked at, never sent again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use quorate_domain::{
    audit::{Entry, EntryKind, Outcome, Source},
    job::{Change, ChangeId, ChangeState, StepState},
    plan::Expectation,
};
use tokio::time::Instant;

use super::{Answer, Ending, Job, run::Looked, steps};
use crate::{
    Control, ControlError, actions, approvals,
    audit::{Draft, console},
    watch::{LOOK_WAIT, Watched},
    wording,
};

/// However long ago it began, looking gets this much time.
const LOOK_AT_LEAST: Duration = Duration::from_secs(10);
/// How long an intent without a change waits for its cluster to be seen.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// Takes up every open change and every open intent.
pub(crate) async fn resume(control: &Control) -> Result<(), ControlError> {
    let mut known = BTreeSet::new();
    for (mut change, answer) in control.inner.store.changes_open().await? {
        known.insert(change.id.clone());
        change.intent_seq = control.inner.audit.intent_of(&change.id).await?;
        if change.intent_seq.is_none() {
            let asked = change.approvals.as_ref().and_then(|it| it.seq);
            match asked {
                Some(_) => approvals::take_up(control, change).await?,
                None => control.never_sent(change).await,
            }
            continue;
        }
        if let Some(outcome) = control.recorded_outcome(&change).await? {
            control.ended_before(change, &outcome).await;
            continue;
        }
        let answer = answer.and_then(|text| serde_json::from_str(&text).ok());
        match control.watch_of(&change.cluster, change.group.as_deref()) {
            Some(watched) => take_up(control, &watched, change, answer),
            None => control.cluster_gone(change).await,
        }
    }
    for intent in control.inner.audit.open_intents().await? {
        if !intent.change.as_ref().is_some_and(|id| known.contains(id)) {
            let closing = close(control.clone(), intent);
            control.inner.jobs.spawn(closing);
        }
    }
    Ok(())
}

fn take_up(control: &Control, watched: &Arc<Watched>, mut change: Change, answer: Option<Answer>) {
    change.state = ChangeState::Running;
    change.waiting_for =
        Some("The console was restarted; it looks for what became of this.".into());
    tracing::warn!(change = %change.id, "taking up a change that a restart left open");
    let job = Job::place(control, watched, &change);
    control.inner.jobs.spawn(async move {
        let looking = tokio::spawn(job.clone().taken_up(change, answer));
        match looking.await {
            Ok(Some(ending)) => job.finish(ending).await,
            Ok(None) => {}
            Err(failure) => {
                tracing::error!(error = %failure, "taking up a change broke off");
                job.finish(Ending::unknown("The console failed while looking.", None))
                    .await;
            }
        }
    });
}

impl Job {
    async fn taken_up(self, change: Change, answer: Option<Answer>) -> Option<Ending> {
        let age = Duration::from_millis(self.now().since(change.created_at));
        let patience = Duration::from_millis(change.plan.patience_ms);
        let left = patience.saturating_sub(age).max(LOOK_AT_LEAST);
        match answer {
            Some(answer) => {
                let ending = self.conclude(&change, answer, left).await?;
                Some(after_restart(ending))
            }
            None if change.plan.expectation == Expectation::Receipt => {
                Some(self.snapshot_found().await)
            }
            None if !change.plan.expectation.leaves_a_trace() => Some(Ending::unknown(
                "The console was restarted while this ran; whether it was done cannot be seen.",
                None,
            )),
            None => {
                let looked = self.look_for(&change.plan.expectation, left).await;
                let lost = matches!(looked, Looked::NotMet(_) | Looked::Met);
                let why = lost.then_some("the console was restarted while this ran");
                self.judge(&change, looked, why)
            }
        }
    }
}

fn after_restart(mut ending: Ending) -> Ending {
    ending.text = format!("{} (Found after a restart of the console.)", ending.text);
    ending
}

impl Control {
    /// Its intent was never recorded, so it was never sent.
    async fn never_sent(&self, mut change: Change) {
        change.state = ChangeState::Cancelled;
        change.outcome =
            Some("The console stopped before this was recorded; nothing was sent.".to_owned());
        change.ended_at = Some(self.now());
        self.save_ended(&change).await;
    }

    /// The outcome that was on record when the console died before its row said so. What came of
    /// a snapshot beside that is only in the row: it is looked for.
    async fn recorded_outcome(&self, change: &Change) -> Result<Option<Entry>, ControlError> {
        match change.intent_seq {
            Some(intent) if change.plan.expectation != Expectation::Receipt => {
                self.inner.audit.outcome_of(intent).await
            }
            _ => Ok(None),
        }
    }

    /// It ended as the record says, and nothing is recorded again.
    async fn ended_before(&self, mut change: Change, outcome: &Entry) {
        change.state = match outcome.outcome {
            Some(Outcome::Succeeded) => ChangeState::Succeeded,
            Some(Outcome::Failed) => ChangeState::Failed,
            _ => ChangeState::Unknown,
        };
        match change.state {
            ChangeState::Succeeded => steps::all_done(&mut change, outcome.time),
            ChangeState::Failed => {
                steps::end_running(&mut change, StepState::Failed, outcome.time);
            }
            _ => steps::end_running(&mut change, StepState::Unknown, outcome.time),
        }
        let text = outcome.text.strip_prefix(&format!("{}: ", change.title));
        change.outcome = Some(text.unwrap_or(&outcome.text).to_owned());
        change.outcome_seq = Some(outcome.seq);
        change.waiting_for = None;
        change.ended_at = Some(outcome.time);
        self.save_ended(&change).await;
    }

    /// Nobody can look any more.
    async fn cluster_gone(&self, mut change: Change) {
        let text = "The console was restarted while this ran, and the cluster is registered no \
                    more: whether it happened is not known.";
        let mut draft = closing_draft(&change.id, change.action.verb().as_str(), text);
        draft.cluster = Some(change.cluster.clone());
        draft.group.clone_from(&change.group);
        draft.member = change.action.member().cloned();
        draft.intent_seq = change.intent_seq;
        if let Ok(entry) = self.inner.audit.append(draft).await {
            change.outcome_seq = Some(entry.seq);
            change.state = ChangeState::Unknown;
            change.outcome = Some(text.to_owned());
            change.ended_at = Some(self.now());
            self.save_ended(&change).await;
        }
    }

    pub(crate) async fn save_ended(&self, change: &Change) {
        if let Err(error) = self.inner.store.change_update(change).await {
            tracing::error!(%error, change = %change.id, "a change could not be saved");
        }
        self.inner.book.put(change);
    }
}

/// An intent without an open change: its outcome was decided and never recorded, or the store
/// is another one. Closed as unknown, with what the cluster shows.
async fn close(control: Control, intent: Entry) {
    let Some(id) = intent.change.clone() else {
        return;
    };
    let ended = control.change_at_hand(&id).await.ok();
    let (outcome, text) = match ended {
        Some(change) if change.state.is_final() => {
            let text = change.outcome.clone().unwrap_or_default();
            (
                decided(change.state),
                format!("{}: {text} (Recorded late.)", change.title),
            )
        }
        _ => (Outcome::Unknown, shown(&control, &intent).await),
    };
    let mut draft = closing_draft(&id, &intent.action, &text);
    draft.outcome = Some(outcome);
    draft.cluster.clone_from(&intent.cluster);
    draft.group.clone_from(&intent.group);
    draft.member.clone_from(&intent.member);
    draft.intent_seq = Some(intent.seq);
    if let Some(watched) = watch_of(&control, &intent) {
        draft.seen = actions::seen(&watched.view(control.now()), &[]);
    }
    if let Err(error) = control.inner.audit.complete(&draft, FIRST_LOOK).await {
        tracing::error!(%error, intent = intent.seq, "an open intent could not be closed");
    }
}

fn watch_of(control: &Control, intent: &Entry) -> Option<Arc<Watched>> {
    control.watch_of(intent.cluster.as_ref()?, intent.group.as_deref())
}

const fn decided(state: ChangeState) -> Outcome {
    match state {
        ChangeState::Succeeded => Outcome::Succeeded,
        ChangeState::Failed | ChangeState::Cancelled => Outcome::Failed,
        _ => Outcome::Unknown,
    }
}

/// What the intent's cluster shows of its target now, in words.
async fn shown(control: &Control, intent: &Entry) -> String {
    let what = "The console stopped while this ran.";
    let Some(watched) = watch_of(control, intent) else {
        return format!("{what} The cluster is registered no more, so nobody can look.");
    };
    let until = Instant::now() + FIRST_LOOK;
    while !watched.look(LOOK_WAIT).await && Instant::now() < until {}
    let view = watched.view(control.now());
    if view.members.is_empty() {
        return format!("{what} The cluster could not be seen afterwards.");
    }
    let leader = match &view.leader.member {
        Some(leader) => format!("{leader} leads"),
        None => "nobody is agreed to lead".to_owned(),
    };
    let Some(id) = &intent.member else {
        return format!("{what} The cluster shows: {leader}.");
    };
    match view.members.iter().find(|member| member.id == *id) {
        Some(member) => {
            let role = wording::role(member.role);
            format!(
                "{what} The cluster shows: {} is {role} now; {leader}.",
                member.name
            )
        }
        None => format!("{what} The cluster shows: {id} is no member; {leader}."),
    }
}

fn closing_draft(id: &ChangeId, action: &str, text: &str) -> Draft {
    let mut draft = Draft::new(
        EntryKind::Outcome,
        action,
        console(),
        Source::default(),
        text,
    );
    draft.change = Some(id.clone());
    draft.outcome = Some(Outcome::Unknown);
    draft
}
