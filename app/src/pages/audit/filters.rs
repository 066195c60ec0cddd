//! The conditions of the audit list: the usual ones as links, all of them as a form. Both are
//! plain HTML, so they work with scripts off and can be sent to somebody else.

use leptos::prelude::*;
use quorate_domain::audit::Outcome;

use super::query::{OUTCOMES, Query, Range, Sort};
use crate::{api::audit_rows::AuditRows, components::chip::Chip, words::audit as words};

#[must_use]
pub fn filters(base: &str, query: &Query, log: &AuditRows) -> AnyView {
    view! {
        <div class="audit-filters">
            <nav class="chips" aria-label=words::FILTER>{chips(base, query)}</nav>
            <span class="audit-count">{words::listed(log.rows.len())}</span>
        </div>
        <details class="audit-more" open=query.is_detailed()>
            <summary>{words::MORE_CONDITIONS}</summary>
            {form(base, query, log)}
        </details>
    }
    .into_any()
}

/// Each chip is this list with one condition set or taken away.
fn chips(base: &str, query: &Query) -> Vec<AnyView> {
    let changed = |change: &dyn Fn(&mut Query)| {
        let mut next = Query {
            before: None,
            ..query.clone()
        };
        change(&mut next);
        next.link(base)
    };
    let mut chips = Vec::new();
    for range in [Range::Today, Range::Week] {
        let chosen = query.range == range;
        let wanted = if chosen { Range::All } else { range };
        chips.push(chip(
            changed(&|it| it.range = wanted),
            words::range(range),
            chosen,
        ));
    }
    for sort in Sort::ALL {
        let chosen = query.sort == Some(sort);
        let wanted = (!chosen).then_some(sort);
        chips.push(chip(
            changed(&|it| it.sort = wanted),
            words::sort(sort),
            chosen,
        ));
    }
    for outcome in [Outcome::Failed, Outcome::Unknown] {
        let chosen = query.outcome == Some(outcome);
        let wanted = (!chosen).then_some(outcome);
        chips.push(chip(
            changed(&|it| it.outcome = wanted),
            words::outcome(outcome),
            chosen,
        ));
    }
    if let Some(cluster) = &query.cluster {
        chips.push(chip(changed(&|it| it.cluster = None), cluster, true));
    }
    if let Some(actor) = &query.actor {
        chips.push(chip(changed(&|it| it.actor = None), actor, true));
    }
    if query.is_narrowed() {
        chips.push(chip(Query::default().link(base), words::CLEAR, false));
    }
    chips
}

fn chip(href: String, label: &str, chosen: bool) -> AnyView {
    view! { <Chip href=href label=label.to_owned() chosen=Signal::stored(chosen)/> }.into_any()
}

fn form(base: &str, query: &Query, log: &AuditRows) -> AnyView {
    let outcome = OUTCOMES
        .iter()
        .find(|(it, _)| Some(*it) == query.outcome)
        .map(|(_, name)| *name);
    let outcomes = OUTCOMES.map(|(it, name)| (name.to_owned(), words::outcome(it).to_owned()));
    let sorts = Sort::ALL.map(|it| (it.as_str().to_owned(), words::sort(it).to_owned()));
    let ranges = Range::ALL.map(|it| (it.as_str().to_owned(), words::range(it).to_owned()));
    let mut clusters: Vec<String> = log.clusters.clone();
    clusters.extend(
        query
            .cluster
            .clone()
            .filter(|cluster| !log.clusters.contains(cluster)),
    );
    let clusters: Vec<_> = clusters.into_iter().map(|it| (it.clone(), it)).collect();
    view! {
        <form class="audit-form" method="get" action=format!("{base}/audit")>
            {select("range", words::TIME, false, &ranges, Some(query.range.as_str()))}
            {input("from", "date", words::FROM_DAY, query.from.clone())}
            {input("to", "date", words::TO_DAY, query.to.clone())}
            {select("cluster", words::CLUSTER, true, &clusters, query.cluster.as_deref())}
            {input("actor", "text", words::PERSON, query.actor.clone())}
            {select("kind", words::KIND, true, &sorts, query.sort.map(Sort::as_str))}
            {select("outcome", words::OUTCOME, true, &outcomes, outcome)}
            <button class="button" type="submit">{words::SHOW}</button>
        </form>
    }
    .into_any()
}

fn select(
    name: &'static str,
    label: &'static str,
    any: bool,
    options: &[(String, String)],
    chosen: Option<&str>,
) -> AnyView {
    let id = format!("audit-{name}");
    let option = |(value, text): &(String, String)| {
        let selected = chosen == Some(value.as_str());
        view! { <option value=value.clone() selected=selected>{text.clone()}</option> }
    };
    let options: Vec<_> = options.iter().map(option).collect();
    view! {
        <div class="field">
            <label class="field-label" for=id.clone()>{label}</label>
            <select class="input" id=id name=name>
                {any.then(|| view! { <option value="">{words::ANY}</option> })}
                {options}
            </select>
        </div>
    }
    .into_any()
}

fn input(
    name: &'static str,
    kind: &'static str,
    label: &'static str,
    value: Option<String>,
) -> AnyView {
    let id = format!("audit-{name}");
    view! {
        <div class="field">
            <label class="field-label" for=id.clone()>{label}</label>
            <input class="input" id=id name=name type=kind value=value autocomplete="off"/>
        </div>
    }
    .into_any()
}
