//! One change from its intent to its outcome.

use std::{path::PathBuf, time::Duration};

use quorate_domain::{
    cluster::MemberId,
    job::Change,
    plan::{self, Expectation},
    view::ClusterView,
};
use quorate_drivers::SnapshotPlace;
use tokio::time::Instant;

use super::{Answer, Ending, Job, answer::How, steps};
use crate::{audit::Intent, watch::LOOK_WAIT, wording};

/// A changing call is bounded by its driver; this is for a driver that breaks its word.
const CALL_GRACE: Duration = Duration::from_secs(30);
/// Between two looks at a cluster a change runs on.
const NEXT_LOOK: Duration = Duration::from_millis(500);

/// What looking came to.
pub(super) enum Looked {
    Met,
    /// Time is up; the text says what is missing.
    NotMet(String),
    /// The console stops: the change stays open and is looked at again after the restart.
    Stopping,
}

/// Whatever happens in the run, even a panic, its outcome is recorded.
pub(super) async fn supervised(job: Job, intent: Intent) {
    let running = tokio::spawn(run(job.clone(), intent));
    match running.await {
        Ok(Some(ending)) => job.finish(ending).await,
        Ok(None) => {}
        Err(failure) => {
            tracing::error!(error = %failure, change = %job.id, "a change's run broke off");
            let text = "The console itself failed while this ran; whether it happened is to be \
                        seen at the cluster.";
            job.finish(Ending::unknown(text, None)).await;
        }
    }
}

/// `None` if the console stops before the end is known.
async fn run(job: Job, intent: Intent) -> Option<Ending> {
    let change = job.change()?;
    job.edit(|change| steps::begin_next(change, job.control.now()));
    let patience = job.control.patience(change.plan.patience_ms);
    let place = SnapshotPlace {
        file: job.snapshot_file(),
    };
    let step = &change.plan.step;
    let applied = job
        .watched
        .wire
        .send(intent, step, &place, patience + CALL_GRACE)
        .await;
    let answer = Answer::from(applied);
    job.keep_answer(&answer).await;
    job.conclude(&change, answer, patience).await
}

impl Job {
    async fn keep_answer(&self, answer: &Answer) {
        let Ok(text) = serde_json::to_string(answer) else {
            return;
        };
        if let Err(error) = self
            .control
            .inner
            .store
            .change_answered(&self.id, &text)
            .await
        {
            tracing::error!(%error, change = %self.id, "a change's answer could not be saved");
        }
    }

    /// From the backend's answer to the end, by looking.
    pub(super) async fn conclude(
        &self,
        change: &Change,
        answer: Answer,
        patience: Duration,
    ) -> Option<Ending> {
        let exchange = answer.exchange;
        match answer.how {
            How::Refused { code, text } => {
                let text = format!("The backend refused: {} ({code}).", wording::clause(&text));
                Some(Ending::failed(text, Some(exchange)))
            }
            How::Accepted {
                snapshot: Some(receipt),
                note,
                ..
            } => Some(self.snapshot_taken(receipt, exchange).await.noting(note)),
            How::Accepted { snapshot: None, .. }
                if change.plan.expectation == Expectation::Receipt =>
            {
                let text = "The backend accepted and gave no receipt that could be checked.";
                Some(Ending::unknown(text, Some(exchange)))
            }
            How::Accepted { member, note, .. } => {
                let mut change = change.clone();
                change.plan.expectation = expectation(&change.plan.expectation, member);
                self.edit(|shown| {
                    shown.plan.expectation = change.plan.expectation.clone();
                    steps::advance(shown, self.control.now());
                });
                let looked = self.look_for(&change.plan.expectation, patience).await;
                self.judge(&change, looked, None)
                    .map(|ending| ending.with(exchange).noting(note))
            }
            How::Lost { text } => {
                let waiting = format!("The answer was lost ({}).", wording::clause(&text));
                self.edit(|change| change.waiting_for = Some(waiting));
                if !change.plan.expectation.leaves_a_trace() {
                    let text = format!("The answer was lost: {}.", wording::clause(&text));
                    return Some(Ending::unknown(text, Some(exchange)));
                }
                let looked = self.look_for(&change.plan.expectation, patience).await;
                self.judge(change, looked, Some(&text))
                    .map(|ending| ending.with(exchange))
            }
        }
    }

    /// Looks until the cluster shows what is expected, but not longer than `patience`.
    pub(super) async fn look_for(&self, expected: &Expectation, patience: Duration) -> Looked {
        let began = Instant::now();
        let planned = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        // What was seen before the step was sent proves nothing.
        let mut fresh = self.watched.look(LOOK_WAIT).await;
        loop {
            let missing = if fresh {
                match plan::met(expected, &self.watched.view(self.now())) {
                    Ok(()) => return Looked::Met,
                    Err(missing) => missing,
                }
            } else {
                "The cluster could not be looked at.".to_owned()
            };
            if self.control.inner.stopping.is_cancelled() {
                return Looked::Stopping;
            }
            if began.elapsed() >= self.control.patience(planned) {
                return Looked::NotMet(missing);
            }
            self.edit(|change| change.waiting_for = Some(missing));
            if fresh {
                tokio::select! {
                    () = self.watched.next_look(NEXT_LOOK) => {}
                    () = self.control.inner.stopping.cancelled() => {}
                }
            } else {
                fresh = self.watched.look(LOOK_WAIT).await;
            }
        }
    }

    /// In words, what looking came to. `lost` is why there was no answer, if there was none.
    pub(super) fn judge(
        &self,
        change: &Change,
        looked: Looked,
        lost: Option<&str>,
    ) -> Option<Ending> {
        let view = self.watched.view(self.now());
        let lost = lost.map(wording::clause);
        match (looked, lost) {
            (Looked::Stopping, _) => None,
            (Looked::Met, None) => Some(Ending::succeeded(found(change, &view))),
            (Looked::Met, Some(why)) => Some(Ending::succeeded(format!(
                "The answer was lost ({why}), but the cluster shows it: {}",
                found(change, &view)
            ))),
            (Looked::NotMet(missing), lost) => {
                let time = self.control.patience(change.plan.patience_ms).as_millis();
                let time = wording::duration(u64::try_from(time).unwrap_or(u64::MAX));
                let how = match lost {
                    None => "Accepted, but not".to_owned(),
                    Some(why) => format!("The answer was lost ({why}), and not"),
                };
                let moved = leadership(change, &view).unwrap_or_default();
                let missing = wording::clause(&missing);
                let text = format!("{how} confirmed within {time}: {missing}.{moved}");
                Some(Ending::unknown(text, None))
            }
        }
    }

    pub(crate) fn snapshot_file(&self) -> PathBuf {
        crate::snapshots::file(&self.control.inner.data_dir, self.watched.name(), &self.id)
    }
}

/// The backend may have named the newcomer that was known by its address only.
fn expectation(planned: &Expectation, told: Option<MemberId>) -> Expectation {
    match (planned, told) {
        (
            Expectation::MemberHasRole {
                member: None,
                address,
                role,
            },
            Some(told),
        ) => Expectation::MemberHasRole {
            member: Some(told),
            address: address.clone(),
            role: *role,
        },
        _ => planned.clone(),
    }
}

/// A change decided on one leader and not carried out by the next is told as that.
fn leadership(change: &Change, view: &ClusterView) -> Option<String> {
    let before = change.plan.step.leader.as_ref()?;
    let now = view.leader.member.as_ref()?;
    let transfer = matches!(change.plan.expectation, Expectation::LeaderMoved { .. });
    (before != now && !transfer).then(|| {
        let (before, now) = (view.name_of(before), view.name_of(now));
        format!(" Leadership moved from {before} to {now} after this was decided.")
    })
}

/// What the cluster shows of the change's target now, in words.
pub(super) fn found(change: &Change, view: &ClusterView) -> String {
    match &change.plan.expectation {
        Expectation::MemberHasRole {
            member, address, ..
        } => {
            let shown = view.members.iter().find(|shown| {
                member.as_ref().is_some_and(|id| shown.id == *id)
                    || member.is_none()
                        && address.as_ref().is_some_and(|address| {
                            shown.address == *address || shown.api_address.as_ref() == Some(address)
                        })
            });
            match (shown, member) {
                (Some(shown), _) => format!("{} is {} now.", shown.name, wording::role(shown.role)),
                (None, Some(id)) => format!("{id} is no member."),
                (None, None) => "The newcomer is no member.".to_owned(),
            }
        }
        Expectation::MemberGone { member } => {
            match view.members.iter().find(|shown| shown.id == *member) {
                Some(shown) => format!("{} is still {}.", shown.name, wording::role(shown.role)),
                None => {
                    let mut before = change.before.members.iter();
                    let was = before.find(|shown| shown.id == *member);
                    let name = was.map_or(member.as_str(), |shown| shown.name.as_str());
                    format!("{name} is no longer a member.")
                }
            }
        }
        Expectation::LeaderMoved { .. } => match &view.leader.member {
            Some(leader) => format!("{} leads now.", view.name_of(leader)),
            None => "Nobody is agreed to lead.".to_owned(),
        },
        Expectation::Receipt => "A snapshot leaves no trace in the cluster.".to_owned(),
        Expectation::MemberAnswers { member } => {
            format!("{} answers.", view.name_of(member))
        }
    }
}
