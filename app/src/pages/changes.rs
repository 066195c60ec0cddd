//! The changes of all clusters: running ones first, then the newest.

use leptos::prelude::*;
use quorate_domain::job::{Change, ChangeState};

use crate::{
    base::{change_path, cluster_path, path},
    components::{
        change_dialog::progress::sentence,
        moment::moment,
        page_head::PageHead,
        panel::Panel,
        states::{EmptyState, ErrorState},
        tags::ChangeTag,
    },
    live::use_live,
    words::{self as all, actions as words, approval, figures},
};

#[component]
pub fn ChangesPage() -> impl IntoView {
    let live = use_live();
    let changes = memo(move || live.state.with(|state| state.changes.clone()));
    let sentence = move || {
        changes.with(|changes| {
            let said = words::changes_sentence(running(changes).count(), changes.len());
            match waiting(changes).count() {
                0 => said,
                count => format!("{said} {}", approval::waiting(count)),
            }
        })
    };
    view! {
        <PageHead title=all::CHANGES sentence=Signal::derive(sentence)/>
        {move || match live.problem.get() {
            Some(problem) => view! { <ErrorState problem/> }.into_any(),
            None => changes.with(|changes| lists(changes)),
        }}
    }
}

fn running(changes: &[Change]) -> impl Iterator<Item = &Change> {
    let open = changes.iter().filter(|change| !change.state.is_final());
    open.filter(|change| change.state != ChangeState::WaitingApproval)
}

fn waiting(changes: &[Change]) -> impl Iterator<Item = &Change> {
    let waits = |change: &&Change| change.state == ChangeState::WaitingApproval;
    changes.iter().filter(waits)
}

fn lists(changes: &[Change]) -> AnyView {
    if changes.is_empty() {
        return view! {
            <EmptyState title=words::NO_CHANGE hint=words::CHANGES_EMPTY>
                <a class="button" href=path("/")>{all::TO_FLEET}</a>
            </EmptyState>
        }
        .into_any();
    }
    let awaited: Vec<&Change> = waiting(changes).collect();
    let under_way: Vec<&Change> = running(changes).collect();
    let done: Vec<&Change> = changes
        .iter()
        .filter(|change| change.state.is_final())
        .collect();
    view! {
        {(!awaited.is_empty()).then(|| panel("waiting", approval::WAITING, &awaited))}
        {(!under_way.is_empty()).then(|| panel("running", words::RUNNING, &under_way))}
        {(!done.is_empty()).then(|| panel("done", words::DONE, &done))}
    }
    .into_any()
}

fn panel(id: &'static str, title: &'static str, changes: &[&Change]) -> AnyView {
    let table = table(title, changes);
    view! { <Panel id=id title=title>{table}</Panel> }.into_any()
}

/// A table that turns into cards where there is no room for one.
#[must_use]
pub fn table(caption: &'static str, changes: &[&Change]) -> AnyView {
    let rows: Vec<_> = changes.iter().map(|change| row(change)).collect();
    view! {
        <table class="ledger">
            <caption class="unseen">{words::changes_table(caption)}</caption>
            <thead>
                <tr>
                    <th scope="col">{words::WHAT}</th>
                    <th scope="col">{words::STATE}</th>
                    <th scope="col">{words::CLUSTER}</th>
                    <th scope="col">{words::WHO}</th>
                    <th scope="col">{words::ASKED_AT}</th>
                    <th scope="col">{words::TOOK}</th>
                    <th scope="col">{words::TICKET_SHORT}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn row(change: &Change) -> AnyView {
    let took = change
        .ended_at
        .map(|ended| figures::duration(ended.since(change.created_at)));
    view! {
        <tr>
            <th scope="row">
                <a href=change_path(&change.id.0)>{change.title.clone()}</a>
                <p class="under">{change.reason.clone()}</p>
            </th>
            <td data-label=words::STATE>
                <ChangeTag state=change.state/>
                <p class="under">{sentence(change)}</p>
            </td>
            <td data-label=words::CLUSTER>
                <a href=cluster_path(change.cluster.as_str())>{change.cluster.0.clone()}</a>
            </td>
            <td data-label=words::WHO>{change.requested_by.name.clone()}</td>
            <td data-label=words::ASKED_AT>{moment(change.created_at)}</td>
            <td data-label=words::TOOK>{took}</td>
            <td data-label=words::TICKET_SHORT>{change.ticket.clone()}</td>
        </tr>
    }
    .into_any()
}
