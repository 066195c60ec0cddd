//! What an entry holds, for people: names in words, in the order in which one asks for them, and
//! what says nothing left out. The exact record stands below it on the page.

use leptos::prelude::*;
use quorate_domain::preflight::Level;
use serde_json::{Map, Value};

use crate::{
    components::change_dialog::checks,
    words::{audit as words, figures},
};

/// Nothing where nothing is recorded: a sign-in sends nothing to a cluster.
pub fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_nothing),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Any value under its recorded name.
#[must_use]
pub fn readable(name: &str, value: &Value) -> AnyView {
    match value {
        Value::Array(items) if items.iter().all(|item| plain(name, item).is_some()) => {
            let items: Vec<_> = items.iter().filter_map(|item| plain(name, item)).collect();
            items.join(", ").into_any()
        }
        Value::Array(items) if let [item] = items.as_slice() => readable(name, item),
        Value::Array(items) => checked(items)
            .or_else(|| table(items))
            .unwrap_or_else(|| list(name, items)),
        Value::Object(fields) => {
            let fields: Vec<_> = ordered(fields)
                .filter(|(_, it)| !is_nothing(it))
                .map(|(name, it)| {
                    view! { <div><dt>{words::field(name)}</dt><dd>{readable(name, it)}</dd></div> }
                })
                .collect();
            view! { <dl class="recorded">{fields}</dl> }.into_any()
        }
        _ => {
            let text = plain(name, value).unwrap_or_default();
            view! { <span class="recorded-text">{text}</span> }.into_any()
        }
    }
}

/// What stands on one line: no list and no table.
fn plain(name: &str, value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => words::NONE.to_owned(),
        Value::Bool(true) => words::YES.to_owned(),
        Value::Bool(false) => words::NO.to_owned(),
        Value::Number(number) => {
            let figure = number
                .as_u64()
                .map_or_else(|| number.to_string(), figures::number);
            match figures::unit(name) {
                Some((_, unit)) => format!("{figure} {unit}"),
                None => figure,
            }
        }
        Value::String(text) if name.ends_with("_at") => moment(text),
        Value::String(text) if words::IN_WORDS.contains(&name) => text.replace('_', " "),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// To the second, as moments stand elsewhere on the page.
fn moment(text: &str) -> String {
    match (text.get(..10), text.get(10..11), text.get(11..19)) {
        (Some(day), Some("T"), Some(clock)) if text.ends_with('Z') => format!("{day} {clock} UTC"),
        _ => text.to_owned(),
    }
}

/// Names people ask for first come first, the others as they are recorded.
fn ordered(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| words::place(name));
    fields.into_iter()
}

fn list(name: &str, items: &[Value]) -> AnyView {
    let items: Vec<_> = items
        .iter()
        .map(|it| view! { <li>{readable(name, it)}</li> })
        .collect();
    view! { <ul class="recorded-items">{items}</ul> }.into_any()
}

/// The checks of a change, as its dialog showed them.
fn checked(items: &[Value]) -> Option<AnyView> {
    let items: Option<Vec<_>> = items
        .iter()
        .map(|item| {
            let level = match item.get("level")?.as_str()? {
                "allow" => Level::Allow,
                "warn" => Level::Warn,
                "refuse" => Level::Refuse,
                _ => return None,
            };
            Some(checks::line(level, item.get("text")?.as_str()?))
        })
        .collect();
    Some(view! { <ul class="checks">{items?}</ul> }.into_any())
}

/// A table, if all items have the same names and no value holds more values. Columns without any
/// value are left out.
fn table(items: &[Value]) -> Option<AnyView> {
    let rows: Vec<_> = items.iter().map(Value::as_object).collect::<Option<_>>()?;
    let first = rows.first()?;
    let alike = |row: &&Map<String, Value>| {
        let flat = row.iter().all(|(name, value)| plain(name, value).is_some());
        flat && row.keys().eq(first.keys())
    };
    if !rows.iter().all(alike) {
        return None;
    }
    let columns: Vec<_> = ordered(first)
        .map(|(name, _)| name)
        .filter(|name| rows.iter().any(|row| !row[*name].is_null()))
        .collect();
    let heads: Vec<_> = columns
        .iter()
        .map(|name| view! { <th scope="col">{words::field(name)}</th> })
        .collect();
    let cell = |name: &&String, row: &Map<String, Value>| {
        let value = plain(name, &row[*name]).unwrap_or_default();
        view! { <td data-label=words::field(name)>{value}</td> }
    };
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let cells: Vec<_> = columns.iter().map(|name| cell(name, row)).collect();
            view! { <tr>{cells}</tr> }
        })
        .collect();
    let table = view! {
        <table class="ledger recorded-table">
            <thead><tr>{heads}</tr></thead>
            <tbody>{rows}</tbody>
        </table>
    };
    Some(table.into_any())
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rendered::html;

    fn said(value: Value) -> String {
        html(move || readable("", &value))
    }

    #[test]
    fn alike_items_become_a_table_and_others_a_list() {
        let table = said(json!([{"id": "node-1", "lag": 0}, {"id": "node-2", "lag": null}]));
        assert!(table.contains("<table") && table.contains("node-2"));
        assert!(!said(json!([{"id": "node-1"}, {"name": "node-2"}])).contains("<table"));
    }

    #[test]
    fn recorded_texts_stay_texts() {
        let html = said(json!({"<b>": "<script>alert(1)</script>"}));
        assert!(!html.contains("<script") && !html.contains("<b>"));
    }

    #[test]
    fn names_and_figures_are_in_words_and_what_says_nothing_is_not_there() {
        let html = said(json!({
            "age_ms": 1234, "leader_status": "agreed", "wanted_role": null,
            "observed_at": "2026-11-21T22:22:29.110Z", "keep_mb": 5, "something_else": "as_it_is",
            "members": [{"id": "n1", "state": "in_step", "wanted_role": null},
                        {"id": "n2", "state": "unknown", "wanted_role": null}],
        }));
        for there in [
            "1,234 ms",
            "2026-11-21 22:22:29 UTC",
            "5 MB",
            "in step",
            "Something else",
            "as_it_is",
        ] {
            assert!(html.contains(there), "{there}: {html}");
        }
        for absent in ["age_ms", "leader_status", "in_step", "anted role", "_mb"] {
            assert!(!html.contains(absent), "{absent}: {html}");
        }
    }

    #[test]
    fn checks_are_told_as_in_the_dialog_and_lists_of_names_on_one_line() {
        let check =
            json!({"axis": "availability", "code": "even", "level": "warn", "text": "Even."});
        let html = said(json!({"checks": [check.clone(), check], "configs": [["n1", "n2"]]}));
        assert!(html.contains("data-level=\"warn\"") && !html.contains("availability"));
        assert!(html.contains("n1, n2"));
    }
}
