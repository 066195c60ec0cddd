//! Progress of a change's steps: asked, waited for, checked.

use quorate_domain::{
    job::{Change, StepState},
    moment::Timestamp,
};

/// The first step that is not over begins.
pub(crate) fn begin_next(change: &mut Change, now: Timestamp) {
    if let Some(step) = change
        .steps
        .iter_mut()
        .find(|step| step.state == StepState::Pending)
    {
        step.state = StepState::Running;
        step.started_at = Some(now);
    }
}

/// The running step is done, and the next one begins.
pub(crate) fn advance(change: &mut Change, now: Timestamp) {
    end_running(change, StepState::Done, now);
    begin_next(change, now);
}

/// Everything that was to be done was seen.
pub(crate) fn all_done(change: &mut Change, now: Timestamp) {
    for step in &mut change.steps {
        if matches!(step.state, StepState::Pending | StepState::Running) {
            step.state = StepState::Done;
            step.started_at.get_or_insert(now);
            step.ended_at = Some(now);
        }
    }
}

/// It ended in the middle: the running step says how, later ones were never begun.
pub(crate) fn end_running(change: &mut Change, state: StepState, now: Timestamp) {
    if let Some(step) = change
        .steps
        .iter_mut()
        .find(|step| step.state == StepState::Running)
    {
        step.state = state;
        step.ended_at = Some(now);
    }
}
