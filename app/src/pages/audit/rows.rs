//! The rows of the audit list: one an intent, with its latest outcome.

use leptos::prelude::*;
use quorate_domain::audit::{Entry, EntryKind, Outcome, Row};

use crate::{
    base::{cluster_path, path},
    components::{
        moment::moment,
        tags::{Tag, Tone},
    },
    words::{self as all, audit as words, figures},
};

/// A table that turns into cards where there is no room for one.
#[must_use]
pub fn rows(rows: &[Row]) -> AnyView {
    let rows: Vec<_> = rows.iter().map(row).collect();
    view! {
        <div class="panel">
            <table class="ledger audit-rows">
                <caption class="unseen">{words::TABLE}</caption>
                <thead>
                    <tr>
                        <th scope="col">{words::ENTRY}</th>
                        <th scope="col">{words::TIME_UTC}</th>
                        <th scope="col">{words::WHO}</th>
                        <th scope="col">{words::WHAT}</th>
                        <th scope="col">{words::CLUSTER}</th>
                        <th scope="col">{words::OUTCOME}</th>
                        <th scope="col">{words::TICKET}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(row: &Row) -> AnyView {
    let entry = &row.entry;
    let cluster = entry.cluster.as_ref().map(|cluster| {
        view! { <a href=cluster_path(cluster.as_str())>{cluster.0.clone()}</a> }
    });
    view! {
        <tr>
            <th scope="row" class="mono">
                <a href=path(&format!("/audit/{}", entry.seq))>
                    <span class="unseen">{words::ENTRY}" "</span>
                    {figures::number(entry.seq)}
                </a>
            </th>
            <td data-label=words::TIME_UTC class="mono">{moment(entry.time)}</td>
            <td data-label=words::WHO>
                {name(entry)}
                <p class="under">{all::means(entry.actor.means)}</p>
            </td>
            <td data-label=words::WHAT>
                {entry.text.clone()}
                {entry.reason.clone().map(|reason| view! { <p class="under">{reason}</p> })}
            </td>
            <td data-label=words::CLUSTER>{cluster}</td>
            <td data-label=words::OUTCOME>{outcome(row)}</td>
            <td data-label=words::TICKET class="mono">{entry.ticket.clone()}</td>
        </tr>
    }
    .into_any()
}

/// Whoever was not identified is told apart by address alone.
#[must_use]
pub fn name(entry: &Entry) -> String {
    if !entry.actor.name.is_empty() {
        return entry.actor.name.clone();
    }
    entry
        .source
        .peer
        .clone()
        .unwrap_or_else(|| words::NOTHING.to_owned())
}

/// What became of it: the outcome's own word with how long it took, or that none is on record.
#[must_use]
pub fn outcome(row: &Row) -> AnyView {
    let last = row.outcome.as_ref().unwrap_or(&row.entry);
    match (last.outcome, row.entry.kind) {
        (Some(outcome), _) => {
            let word = words::outcome(outcome);
            let text = match &row.outcome {
                Some(later) => {
                    let took = figures::duration(later.time.since(row.entry.time));
                    format!("{word}, {took}")
                }
                None => word.to_owned(),
            };
            view! { <Tag tone=tone(outcome) text=text/> }.into_any()
        }
        (None, EntryKind::Intent) => {
            view! { <Tag tone=Tone::Warn text=words::NO_OUTCOME_YET/> }.into_any()
        }
        (None, EntryKind::Refusal) => {
            view! { <Tag tone=Tone::Bad text=words::outcome(Outcome::Refused)/> }.into_any()
        }
        (None, EntryKind::Outcome | EntryKind::Access | EntryKind::Console) => {
            view! { <Tag tone=Tone::Plain text=words::RECORDED/> }.into_any()
        }
    }
}

/// The colour beside an outcome's word.
#[must_use]
pub const fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Succeeded => Tone::Ok,
        Outcome::Failed | Outcome::Refused => Tone::Bad,
        Outcome::Unknown => Tone::Warn,
    }
}
