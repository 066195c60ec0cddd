//! One audit entry: everything recorded, readable first, then the exact bytes on record.

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
    words::{self as all, audit as words},
};

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
                <p class="field-hint">{words::STORED_HINT}</p>
                <pre class="stored">{stored}</pre>
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
        (words::KIND, plain(Some(words::kind(entry.kind).to_owned()))),
        (words::ACTION, code(&Some(entry.action.clone()))),
        (words::OUTCOME, Some(outcome(row))),
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
        (words::REQUEST_ID, code(&source.request_id)),
        (words::SESSION, code(&source.session)),
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

/// Nothing where nothing is recorded: a sign-in sends nothing to a cluster.
fn recorded(id: &'static str, title: &'static str, value: &Value) -> Option<AnyView> {
    if is_nothing(value) {
        return None;
    }
    let body = readable(value);
    Some(view! { <Panel id=id title=title><div class="panel-body">{body}</div></Panel> }.into_any())
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// JSON as nested lists of names and values. Names stay as they are recorded.
#[must_use]
pub fn readable(value: &Value) -> AnyView {
    match value {
        Value::Null => words::NONE.into_any(),
        Value::Bool(true) => words::YES.into_any(),
        Value::Bool(false) => words::NO.into_any(),
        Value::Number(number) => number.to_string().into_any(),
        Value::String(text) => {
            view! { <span class="recorded-text">{text.clone()}</span> }.into_any()
        }
        Value::Array(items) if items.is_empty() => words::NONE.into_any(),
        Value::Array(items) if is_table(items) => table(items),
        Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|it| view! { <li>{readable(it)}</li> })
                .collect();
            view! { <ul class="recorded-items">{items}</ul> }.into_any()
        }
        Value::Object(fields) if fields.is_empty() => words::NONE.into_any(),
        Value::Object(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, it)| {
                    view! { <div><dt>{label(name)}</dt><dd>{readable(it)}</dd></div> }
                })
                .collect();
            view! { <dl class="recorded">{fields}</dl> }.into_any()
        }
    }
}

/// A recorded name in words: `age_ms` is "age (ms)".
fn label(name: &str) -> String {
    match name.strip_suffix("_ms") {
        Some(name) => format!("{} (ms)", name.replace('_', " ")),
        None => name.replace('_', " "),
    }
}

/// Whether all items have the same names and no value holds more values.
fn is_table(items: &[Value]) -> bool {
    let mut shapes = items.iter().map(|item| {
        let fields = item.as_object()?;
        let flat = fields
            .values()
            .all(|value| !value.is_array() && !value.is_object());
        flat.then(|| fields.keys().collect::<Vec<_>>())
    });
    let first = shapes.next().flatten();
    items.len() > 1 && first.is_some() && shapes.all(|shape| shape == first)
}

fn table(items: &[Value]) -> AnyView {
    let fields = items.iter().filter_map(Value::as_object);
    let heads: Vec<_> = fields
        .clone()
        .take(1)
        .flat_map(|fields| fields.keys())
        .map(|name| view! { <th scope="col">{label(name)}</th> })
        .collect();
    let rows: Vec<_> = fields
        .map(|fields| {
            let cells: Vec<_> = fields
                .iter()
                .map(|(name, it)| view! { <td data-label=label(name)>{readable(it)}</td> })
                .collect();
            view! { <tr>{cells}</tr> }
        })
        .collect();
    view! {
        <table class="ledger recorded-table">
            <thead><tr>{heads}</tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rendered::html;

    #[test]
    fn alike_items_become_a_table_and_others_a_list() {
        let members = json!([{"id": "node-1", "lag": 0}, {"id": "node-2", "lag": null}]);
        let table = html(|| readable(&members));
        assert!(table.contains("<table") && table.contains("node-2"));
        let mixed = json!([{"id": "node-1"}, {"name": "node-2"}]);
        assert!(!html(|| readable(&mixed)).contains("<table"));
    }

    #[test]
    fn recorded_texts_stay_texts() {
        let hostile = json!({"<b>": "<script>alert(1)</script>"});
        let html = html(|| readable(&hostile));
        assert!(!html.contains("<script") && !html.contains("<b>"));
    }
}
