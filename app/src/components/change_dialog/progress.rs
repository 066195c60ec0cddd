//! A change as it runs: its steps, what it waits for, how it ended.

use leptos::prelude::*;
use quorate_domain::{
    job::{Change, ChangeState, StepRecord, StepState},
    text,
};

use super::command::Command;
use crate::{
    base::{change_path, path},
    components::tags::ChangeTag,
    words::{actions as words, figures},
};

/// How it ended, or what it waits for, as one sentence.
#[must_use]
pub fn sentence(change: &Change) -> String {
    if change.state.is_final() {
        return change
            .outcome
            .clone()
            .unwrap_or_else(|| words::outcome(change.state).to_owned());
    }
    let waiting = change.waiting_for.as_deref();
    let waiting = waiting.map(|what| words::waits(change.state, what));
    waiting.unwrap_or_else(|| words::outcome(change.state).to_owned())
}

/// The steps with their states, and how long each took.
#[must_use]
pub fn steps(steps: &[StepRecord]) -> AnyView {
    let items: Vec<_> = steps.iter().map(step).collect();
    view! { <ol class="progress-steps">{items}</ol> }.into_any()
}

fn step(step: &StepRecord) -> AnyView {
    let state = match step.state {
        StepState::Pending => "pending",
        StepState::Running => "running",
        StepState::Done => "done",
        StepState::Failed => "failed",
        StepState::Unknown => "unknown",
    };
    let took = match (step.started_at, step.ended_at) {
        (Some(began), Some(ended)) => Some(figures::duration(ended.since(began))),
        _ => None,
    };
    view! {
        <li class="progress-step" data-state=state>
            <span class="progress-mark" aria-hidden="true">{words::step_mark(step.state)}</span>
            <span class="progress-what"><strong>{step.lead.clone()}</strong>" "{step.rest.clone()}</span>
            <span class="progress-state">
                {words::step_state(step.state)}
                {took.map(|took| format!(", {took}"))}
            </span>
        </li>
    }
    .into_any()
}

/// A change's progress, as the dialog shows it. Each part is replaced only when it differs, so
/// that a focused link stays focused.
#[component]
pub fn Progress(
    change: Signal<Option<Change>>,
    /// The change runs, but cannot be read at the moment.
    #[prop(into)]
    unseen: Signal<bool>,
) -> impl IntoView {
    let state = memo(move || change.with(|it| it.as_ref().map(|it| it.state)));
    let said = memo(move || change.with(|it| it.as_ref().map(sentence)));
    let records = memo(move || change.with(|it| it.as_ref().map(|it| it.steps.clone())));
    let entries = memo(move || {
        change.with(|it| {
            it.as_ref()
                .map(|it| (it.id.0.clone(), it.intent_seq, it.outcome_seq))
        })
    });
    let remaining = move || {
        let over = state.get().is_some_and(ChangeState::is_final);
        over.then(|| change.with_untracked(|it| it.as_ref().map(what_remains)))
    };
    let under_way = move || {
        let over = state.get().is_none_or(ChangeState::is_final);
        let lost = unseen.get().then_some(words::PROGRESS_UNSEEN);
        (!over).then(|| view! { <p class="hint">{lost.unwrap_or(words::RUNS_ON)}</p> })
    };
    view! {
        <div class="progress">
            <p class="progress-sentence" role="status">
                {move || state.get().map(|state| view! { <ChangeTag state/> })}
                " "
                {move || said.get()}
            </p>
            {move || records.with(|records| records.as_deref().map(steps))}
            {remaining}
            {under_way}
            {move || entries.get().map(|(id, intent, outcome)| links(&id, intent, outcome))}
        </div>
    }
}

/// What is left to do by hand once it has ended.
#[must_use]
pub fn what_remains(change: &Change) -> AnyView {
    let cluster = change.cluster.as_str();
    let now = match change.state {
        ChangeState::Unknown => words::after_unknown(cluster).to_vec(),
        ChangeState::Failed => vec![words::after_failed(cluster)],
        _ => Vec::new(),
    };
    view! {
        {(!now.is_empty()).then(|| notes(words::WHAT_NOW, &now))}
        {(!change.notes.is_empty()).then(|| notes(words::NOTES, &change.notes))}
    }
    .into_any()
}

fn links(id: &str, intent: Option<u64>, outcome: Option<u64>) -> AnyView {
    view! {
        <p class="progress-links">
            <a href=change_path(id)>{words::OPEN_CHANGE}</a>
            {intent.map(|seq| entry_link(seq, words::intent_entry(seq)))}
            {outcome.map(|seq| entry_link(seq, words::outcome_entry(seq)))}
        </p>
    }
    .into_any()
}

/// A link to an audit entry.
#[must_use]
pub fn entry_link(seq: u64, text: String) -> AnyView {
    view! { <a href=path(&format!("/audit/{seq}"))>{text}</a> }.into_any()
}

/// A sentence, or a command to be typed elsewhere.
fn said(note: &str) -> AnyView {
    if text::is_command(note) {
        let command = note.to_owned();
        return view! { <Command command label=words::NEWCOMERS_COMMAND/> }.into_any();
    }
    note.to_owned().into_any()
}

/// Sentences under a heading; without one where a panel's title stands above them.
#[must_use]
pub fn notes(title: &str, notes: &[String]) -> AnyView {
    let items: Vec<_> = notes
        .iter()
        .map(|note| view! { <li>{said(note)}</li> })
        .collect();
    let title = (!title.is_empty()).then(|| view! { <h3>{title.to_owned()}</h3> });
    view! { <section class="notes">{title} <ul>{items}</ul></section> }.into_any()
}
