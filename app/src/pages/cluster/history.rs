//! "What happened": elections, findings, changes and snapshots in one line of time.

use leptos::prelude::*;
use quorate_domain::{
    event::{Event, Happening},
    job::ChangeId,
};

use crate::{
    base::change_path,
    components::panel::Panel,
    live::{PageState, use_live},
    words::cluster as say,
};

#[component]
pub fn History() -> impl IntoView {
    let live = use_live();
    let events = memo(move || live.state.with(|state| told_once(&state.events)));
    let today = memo(move || live.now.get().day());
    let none = memo(move || events.with(Vec::is_empty));
    let aside = view! { <span class="panel-aside">{say::UTC}</span> }.into_any();
    view! {
        <Panel id="history" title=say::WHAT_HAPPENED aside>
            <ol class="history" tabindex="0" aria-labelledby="history-title">
                {listed(
                    move || events.with(|events| events.iter().map(key).collect()),
                    move |wanted| {
                        let today = today.get_untracked();
                        let told = events.with_untracked(|events| {
                            let event = events.iter().find(|event| key(event) == wanted)?;
                            let name = |state: &PageState| say::happening(&event.what, state.cluster.as_ref());
                            Some(line(event, live.state.with_untracked(name), &today))
                        });
                        told.unwrap_or_else(|| ().into_any())
                    },
                )}
            </ol>
            {anew(move || none.get().then(|| view! { <p class="history-none">{say::NOTHING_HAPPENED}</p> }))}
        </Panel>
    }
    .into_any()
}

/// A new moment makes another line of an event.
fn key(event: &Event) -> String {
    format!("{} {}", event.id, event.at.unix_ms())
}

/// Of a change that has ended, only its end.
fn told_once(events: &[Event]) -> Vec<Event> {
    let ended = |of: &ChangeId| {
        events.iter().any(|event| match &event.what {
            Happening::Change { id, state, .. } => id == of && state.is_final(),
            _ => false,
        })
    };
    let told = |event: &&Event| match &event.what {
        Happening::Change { id, state, .. } => state.is_final() || !ended(id),
        _ => true,
    };
    events.iter().filter(told).cloned().collect()
}

fn line(event: &Event, (who, what, below): (String, String, String), today: &str) -> AnyView {
    let day = event.at.day();
    let clock = event.at.clock();
    // Older than today: the day stands above the clock.
    let day = (day != today).then(|| view! { <span class="history-day">{day}</span> });
    let who = (!who.is_empty()).then(|| view! { <strong>{who}</strong> " " });
    let what = match &event.what {
        Happening::Change { id, .. } => view! { <a href=change_path(&id.0)>{what}</a> }.into_any(),
        _ => what.into_any(),
    };
    view! {
        <li class="history-line">
            <time class="history-time" datetime=event.at.to_string()>{day} {clock}</time>
            <div>
                <p>{who} {what}</p>
                <p class="history-below">{below}</p>
            </div>
        </li>
    }
    .into_any()
}
