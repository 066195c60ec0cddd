//! Entries as rows of a table that people open in a spreadsheet: RFC 4180, and no cell that such a
//! program would take for a formula.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab, a line end or NUL (or the wide forms of the
//! first four) gets a `'` before it, and so does one that begins with `'` already: taking one
//! leading `'` away always gives the original back. The records themselves are the JSON lines.

use quorate_domain::audit::Entry;
use serde::Serialize;
use serde_json::Value;

pub const HEADER: &str = "seq,time,kind,action,outcome,issuer,subject,name,means,peer,user_agent,\
request_id,session,cluster,member,change,intent_seq,reason,ticket,text,seen,sent,received,\
client,group,origin,assurance,grants,approvals,step_up,running_ms,took_ms,clock_synced,\
schema,writer,mapping_version,severity,category,id\r\n";

/// One line of the table, with its line end.
#[must_use]
pub fn row(entry: &Entry) -> String {
    let mut row = String::with_capacity(512);
    row.push_str(&entry.seq.to_string());
    cell(&mut row, &entry.time.to_string());
    cell(&mut row, &word(&entry.kind));
    cell(&mut row, &entry.action);
    cell(
        &mut row,
        &entry.outcome.map(|it| word(&it)).unwrap_or_default(),
    );
    cell(&mut row, &entry.actor.issuer);
    cell(&mut row, &entry.actor.subject);
    cell(&mut row, &entry.actor.name);
    cell(&mut row, &word(&entry.actor.means));
    let source = &entry.source;
    for text in [
        &source.peer,
        &source.user_agent,
        &source.request_id,
        &source.session,
    ] {
        cell(&mut row, text.as_deref().unwrap_or_default());
    }
    cell(
        &mut row,
        entry.cluster.as_ref().map_or("", |it| it.0.as_str()),
    );
    cell(
        &mut row,
        entry.member.as_ref().map_or("", |it| it.0.as_str()),
    );
    cell(
        &mut row,
        entry.change.as_ref().map_or("", |it| it.0.as_str()),
    );
    cell(
        &mut row,
        &entry
            .intent_seq
            .map(|it| it.to_string())
            .unwrap_or_default(),
    );
    for text in [&entry.reason, &entry.ticket] {
        cell(&mut row, text.as_deref().unwrap_or_default());
    }
    cell(&mut row, &entry.text);
    for value in [&entry.seen, &entry.sent, &entry.received] {
        cell(&mut row, &json(value));
    }
    cell(&mut row, source.client.as_deref().unwrap_or_default());
    cell(&mut row, entry.group.as_deref().unwrap_or_default());
    newer(&mut row, entry);
    row.push_str("\r\n");
    row
}

/// What entries of earlier versions do not tell. New columns come after all others: programs that
/// count them go on reading.
fn newer(row: &mut String, entry: &Entry) {
    let number = |number: Option<u64>| number.map(|it| it.to_string()).unwrap_or_default();
    cell(row, &entry.origin.map(|it| word(&it)).unwrap_or_default());
    cell(row, entry.source.assurance.map_or("", |it| it.as_str()));
    cell(row, &list(&entry.grants));
    cell(row, &list(&entry.approvals));
    cell(
        row,
        &json(entry.seen.get("step_up").unwrap_or(&Value::Null)),
    );
    cell(row, &number(entry.running_ms));
    cell(row, &number(entry.took_ms));
    let synced = entry.clock_synced.map(|it| if it { "yes" } else { "no" });
    cell(row, synced.unwrap_or_default());
    cell(row, &number(entry.schema.map(u64::from)));
    for text in [
        &entry.writer,
        &entry.mapping_version,
        &entry.severity,
        &entry.category,
        &entry.id,
    ] {
        cell(row, text.as_deref().unwrap_or_default());
    }
}

/// As JSON; nothing where there is none.
fn list<T: Serialize>(all: &[T]) -> String {
    match all {
        [] => String::new(),
        some => serde_json::to_string(some).unwrap_or_default(),
    }
}

/// The word a closed list is written with.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

fn json(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

fn cell(row: &mut String, text: &str) {
    row.push(',');
    let guard = if may_be_formula(text) { "'" } else { "" };
    let quoted = text.contains(['"', ',', ';', '\r', '\n', '\t']) || text.trim() != text;
    if quoted {
        row.push('"');
        row.push_str(guard);
        row.push_str(&text.replace('"', "\"\""));
        row.push('"');
    } else {
        row.push_str(guard);
        row.push_str(text);
    }
}

fn may_be_formula(text: &str) -> bool {
    text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\0', '\'', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}',
        '\u{ff20}',
    ])
}

/// What a cell's text was before it was made harmless.
#[must_use]
pub fn original(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use quorate_domain::{
        audit::{Actor, Assurance, EntryKind, Means, Origin, Source},
        moment::Timestamp,
        permission::{Duty, Grant},
    };

    use super::*;

    fn entry(text: &str) -> Entry {
        let some = || Some(text.to_owned());
        Entry {
            seq: 7,
            time: Timestamp::from_unix_ms(0),
            kind: EntryKind::Intent,
            action: text.to_owned(),
            actor: Actor {
                issuer: text.to_owned(),
                subject: text.to_owned(),
                name: text.to_owned(),
                means: Means::SignInLink,
            },
            source: Source {
                peer: some(),
                user_agent: some(),
                request_id: some(),
                session: some(),
                client: some(),
                assurance: None,
            },
            cluster: some().map(|it| it.as_str().into()),
            group: some(),
            member: some().map(|it| it.as_str().into()),
            change: None,
            intent_seq: None,
            outcome: None,
            reason: some(),
            ticket: some(),
            text: text.to_owned(),
            seen: serde_json::json!({ "step_up": text }),
            sent: serde_json::json!({ "a": text }),
            received: Value::String(text.to_owned()),
            origin: None,
            grants: Vec::new(),
            approvals: Vec::new(),
            running_ms: None,
            schema: None,
            writer: some(),
            mapping_version: some(),
            severity: some(),
            category: some(),
            id: some(),
            took_ms: None,
            clock_synced: None,
            sealed: Vec::new(),
        }
    }

    /// A reader of RFC 4180 that knows nothing of the writer.
    fn cells(line: &str) -> Vec<String> {
        let (mut cells, mut cell, mut inside) = (Vec::new(), String::new(), false);
        let line = line.strip_suffix("\r\n").unwrap();
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            match (c, inside) {
                ('"', true) if rest.peek() == Some(&'"') => {
                    rest.next();
                    cell.push('"');
                }
                ('"', _) => inside = !inside,
                (',', false) => cells.push(std::mem::take(&mut cell)),
                (c, _) => cell.push(c),
            }
        }
        cells.push(cell);
        cells
    }

    #[test]
    fn the_header_names_every_cell() {
        let names = cells(HEADER);
        assert_eq!(names.len(), cells(&row(&entry("a"))).len());
        assert_eq!(names[0], "seq");
        assert_eq!(cells(&row(&entry("a")))[8], "sign_in_link");
    }

    #[test]
    fn what_newer_entries_tell_stands_in_columns_of_its_own() {
        let mut entry = entry("a");
        entry.origin = Some(Origin::Token);
        entry.source.assurance = Some(Assurance::Mtls);
        entry.grants = vec![Grant::everywhere(Duty::Operator)];
        entry.seen = serde_json::json!({ "step_up": { "means": "passkey" } });
        (entry.running_ms, entry.took_ms, entry.clock_synced) = (Some(7), Some(12), Some(false));
        entry.schema = Some(3);
        let (names, cells) = (cells(HEADER), cells(&row(&entry)));
        for (name, told) in [
            ("origin", "token"),
            ("assurance", "mtls"),
            ("approvals", ""),
            ("step_up", r#"{"means":"passkey"}"#),
            ("running_ms", "7"),
            ("took_ms", "12"),
            ("clock_synced", "no"),
            ("schema", "3"),
            ("severity", "a"),
        ] {
            let at = names.iter().position(|it| it == name).unwrap();
            assert_eq!(cells[at], told, "{name}");
        }
        let at = names.iter().position(|it| it == "grants").unwrap();
        let grants: Vec<Grant> = serde_json::from_str(&cells[at]).unwrap();
        assert_eq!(grants, entry.grants);
    }

    /// CSV injection: ASVS 1.2.10.
    #[test]
    fn no_cell_is_taken_for_a_formula_and_every_text_comes_back() {
        for payload in [
            "=HYPERLINK(\"http://evil\",\"x\")",
            "=cmd|' /C calc'!A0",
            "+1+1",
            "-2+3",
            "@SUM(1+1)",
            "\t=1",
            "\r=1",
            "\0=1",
            "'=1",
            "''",
            "\u{ff1d}1+1",
            "plain",
            " leading",
            "a;b",
            "a\"b",
            "",
        ] {
            check(payload);
        }
    }

    fn check(payload: &str) {
        let cells = cells(&row(&entry(payload)));
        // Text cells: action, issuer, subject, name, peer to session, cluster, member, reason, ticket, text, client, group,
        // writer, mapping, severity, category, id.
        for at in [
            3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 17, 18, 19, 23, 24, 34, 35, 36, 37, 38,
        ] {
            let cell = cells.get(at).unwrap();
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\0', '\u{ff1d}']),
                "{cell:?}"
            );
            assert_eq!(original(cell), payload);
        }
    }

    proptest! {
        #[test]
        fn whatever_people_write_comes_back(payload in "[-=+@'\"\t,;a-z\r\n ]{0,12}") {
            check(&payload);
        }
    }
}
