//! One audit entry: what was recorded, in words first, then the exact bytes on record.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use quorate_domain::{
    audit::{Entry, Row},
    problem::Problem,
};
use serde_json::Value;

use crate::{
    api::{self, Failure, audit_entry::AuditEntry},
    base::{change_path, cluster_path, path},
    components::{
        change_dialog::progress::entry_link,
        moment::moment_utc,
        page_head::PageHead,
        panel::Panel,
        states::{ErrorState, LoadingState},
    },
    pages::audit::rows::{name, outcome},
    words::{self as all, audit as words, figures},
};

pub(crate) mod recorded;

use recorded::{is_nothing, readable};

#[component]
pub fn AuditEntryPage() -> impl IntoView {
    let parameters = use_params_map();
    let seq = memo(move || parameters.with(|map| map.get("seq")).unwrap_or_default());
    let entry = Resource::new(
        move || seq.get(),
        |seq| async move {
            match seq.parse() {
                Ok(seq) => api::audit_entry::entry(seq).await,
                Err(_) => Err(no_number(&seq)),
            }
        },
    );
    let title = move || {
        seq.get()
            .parse()
            .map_or_else(|_| all::AUDIT_ENTRY.to_owned(), words::entry_title)
    };
    let sentence = move || match entry.get() {
        Some(Ok(found)) => found.row.entry.text,
        _ => String::new(),
    };
    view! {
        <Transition fallback=|| view! { <LoadingState/> }>
            <PageHead title=Signal::derive(title) sentence=Signal::derive(sentence)/>
            {move || entry.get().map(|answer| match answer {
                Ok(found) => whole(&found, &seq.get()),
                Err(failure) => view! { <ErrorState problem=failure.0/> }.into_any(),
            })}
        </Transition>
    }
}

fn no_number(seq: &str) -> Failure {
    let (title, hint) = words::NO_NUMBER;
    let mut problem = Problem::new(404, "not-found", title, hint);
    problem.detail = Some(seq.to_owned());
    Failure(problem)
}

/// Everything recorded of one entry. A row holds an intent and its outcome; `seq` says which of
/// the two the page is about.
#[must_use]
pub fn whole(found: &AuditEntry, seq: &str) -> AnyView {
    let row = &found.row;
    let entry = match &row.outcome {
        Some(outcome) if outcome.seq.to_string() == seq => outcome,
        _ => &row.entry,
    };
    let stored = found.stored.clone();
    let proof = path(&format!("/audit/{}/proof", entry.seq));
    let mut panels = Vec::new();
    panels.extend(recorded("seen", words::SEEN, &entry.seen));
    panels.extend(recorded("sent", words::SENT, &entry.sent));
    panels.extend(recorded("received", words::RECEIVED, &entry.received));
    let panels = if panels.is_empty() {
        view! { <p class="field-hint">{words::NOTHING_RECORDED}</p> }.into_any()
    } else {
        panels.into_any()
    };
    view! {
        <div class="columns">
            <div>{panels}</div>
            <div>{who_and_why(row, entry)}</div>
        </div>
        <Panel id="stored" title=words::STORED>
            <div class="panel-body">
                <details class="stored-whole">
                    <summary>{words::STORED_HINT}</summary>
                    <pre class="stored">{stored}</pre>
                </details>
                <a class="button" href=proof download=true rel="external">
                    {words::PROOF}
                </a>
            </div>
        </Panel>
    }
    .into_any()
}

fn who_and_why(row: &Row, entry: &Entry) -> AnyView {
    let cluster = entry
        .cluster
        .as_ref()
        .map(|it| view! { <a href=cluster_path(it.as_str())>{it.0.clone()}</a> }.into_any());
    let change = entry
        .change
        .as_ref()
        .map(|it| view! { <a href=change_path(&it.0)>{words::ALL_OF_CHANGE}</a> }.into_any());
    let code = |text: &Option<String>| {
        text.clone()
            .map(|text| view! { <code>{text}</code> }.into_any())
    };
    let plain = |text: Option<String>| text.map(IntoAny::into_any);
    let source = &entry.source;
    let facts = [
        (words::WHEN, Some(moment_utc(entry.time))),
        (
            words::CLOCK,
            plain(entry.clock_synced.map(|it| words::clock(it).to_owned())),
        ),
        (words::KIND, plain(Some(words::kind(entry.kind).to_owned()))),
        (words::ACTION, plain(Some(words::field(&entry.action)))),
        (words::OUTCOME, Some(outcome(row))),
        (words::TOOK, plain(entry.took_ms.map(figures::duration))),
        (words::WHO, plain(Some(name(entry)))),
        (
            words::IDENTIFIED_BY,
            plain(Some(all::means(entry.actor.means).to_owned())),
        ),
        (words::REASON, plain(entry.reason.clone())),
        (words::TICKET, plain(entry.ticket.clone())),
        (words::CLUSTER, cluster),
        (
            words::MEMBER,
            code(&entry.member.as_ref().map(|member| member.0.clone())),
        ),
        (words::CHANGE, change),
        (words::PARTNER, partner(row, entry)),
        (
            words::SUBJECT,
            code(&Some(format!(
                "{}/{}",
                entry.actor.issuer, entry.actor.subject
            ))),
        ),
        (words::CLIENT, code(&source.client)),
        (words::PEER, code(&source.peer)),
        (words::USER_AGENT, plain(source.user_agent.clone())),
        (words::ENTRY_ID, code(&entry.id)),
        (words::REQUEST_ID, code(&source.request_id)),
        (words::SESSION, code(&source.session)),
        (
            words::ASSURANCE,
            plain(source.assurance.map(|how| how.as_str().to_owned())),
        ),
    ];
    let facts: Vec<_> = facts
        .into_iter()
        .filter_map(|(name, value)| Some(view! { <div><dt>{name}</dt><dd>{value?}</dd></div> }))
        .collect();
    let facts = view! { <dl class="facts">{facts}</dl> };
    view! { <Panel id="who" title=words::WHO_AND_WHY>{facts}</Panel> }.into_any()
}

/// The other half of an intent and its outcome.
fn partner(row: &Row, entry: &Entry) -> Option<AnyView> {
    if let Some(intent) = entry.intent_seq {
        return Some(entry_link(intent, words::its_intent(intent)));
    }
    let outcome = row
        .outcome
        .as_ref()
        .filter(|outcome| outcome.seq != entry.seq)?;
    Some(entry_link(outcome.seq, words::its_outcome(outcome.seq)))
}

fn recorded(id: &'static str, title: &'static str, value: &Value) -> Option<AnyView> {
    if is_nothing(value) {
        return None;
    }
    let body = readable(id, value);
    Some(view! { <Panel id=id title=title><div class="panel-body">{body}</div></Panel> }.into_any())
}
