//! The most urgent finding with its one next step, and the change that runs now.

use leptos::prelude::*;
use quorate_domain::{
    health::{Finding, Severity},
    job::ChangeId,
};

use super::{
    inspector,
    seen::{Seen, name_of},
};
use crate::{base::change_path, live::use_live, words::cluster as say};

#[component]
pub fn Banner(seen: Seen) -> impl IntoView {
    let urgent = memo(move || {
        seen.look(|view| {
            let finding = view
                .findings
                .first()
                .filter(|f| f.severity > Severity::Info)?
                .clone();
            let member = finding
                .member
                .as_ref()
                .filter(|id| view.members.iter().any(|m| m.id == **id));
            let name = member.map(|id| (id.to_string(), name_of(view, id)));
            Some((finding, name))
        })
        .flatten()
    });
    anew(move || {
        urgent
            .get()
            .map(|(finding, member)| banner(finding, member))
    })
}

fn banner(finding: Finding, member: Option<(String, String)>) -> AnyView {
    let class = match finding.severity {
        Severity::Bad => "banner tone-bad",
        Severity::Warn | Severity::Info => "banner tone-warn",
    };
    let step = member.map(|(id, name)| {
        view! {
            <a class="button" href=inspector::address(&id) data-noscroll="true">{say::LOOK_AT} " " {name}</a>
        }
    });
    view! {
        <section class=class aria-label=say::NEXT>
            <p class="banner-text">{finding.text}</p>
            <p class="banner-hint">{finding.hint}</p>
            {step}
        </section>
    }
    .into_any()
}

#[component]
pub fn Running(seen: Seen) -> impl IntoView {
    let state = use_live().state;
    let running = memo(move || {
        let id: ChangeId = seen.look(|view| view.running_change.clone()).flatten()?;
        let told = state.with(|state| {
            let change = state.changes.iter().find(|change| change.id == id)?;
            Some((change.title.clone(), say::progress(change)))
        });
        let (title, progress) =
            told.unwrap_or_else(|| (say::CHANGE_RUNS.to_owned(), String::new()));
        Some((id.to_string(), title, progress))
    });
    anew(move || {
        running.get().map(|(id, title, progress)| {
            view! {
                <section class="banner running" aria-label=say::CHANGE_RUNS>
                    <p class="banner-text">{title}</p>
                    <p class="banner-hint">{progress}</p>
                    <a class="button" href=change_path(&id)>{say::OPEN_CHANGE}</a>
                </section>
            }
        })
    })
}
