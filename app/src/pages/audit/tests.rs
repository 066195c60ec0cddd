//! The audit list's HTML.

use quorate_domain::{
    audit::{
        CopyStanding, DeliveryStanding, Entry, EntryKind, Outcome, ReportStanding, Row, Source,
        Standing,
    },
    job::ChangeId,
};
use serde_json::Value;

use super::{page, query::Query};
use crate::{
    api::{audit_entry::AuditEntry, audit_rows::AuditRows},
    pages::audit_entry::whole,
    rendered::{at, html, person},
    words::audit as words,
};

fn entry(seq: u64, kind: EntryKind, text: &str) -> Entry {
    Entry {
        seq,
        time: at(seq),
        kind,
        action: "promote".to_owned(),
        actor: person("admin"),
        source: Source::default(),
        cluster: Some("demo".into()),
        group: None,
        member: Some("node-4".into()),
        change: Some(ChangeId("0193-a".to_owned())),
        intent_seq: None,
        outcome: None,
        reason: Some("Third region goes live".to_owned()),
        ticket: Some("CHG-2294".to_owned()),
        text: text.to_owned(),
        seen: Value::Null,
        sent: Value::Null,
        received: Value::Null,
        origin: None,
        grants: Vec::new(),
        approvals: Vec::new(),
        running_ms: None,
        schema: None,
        writer: None,
        mapping_version: None,
        severity: None,
        category: None,
        id: None,
        took_ms: None,
        clock_synced: None,
        sealed: Vec::new(),
    }
}

fn answered(seq: u64, outcome: Outcome) -> Row {
    let intent = entry(seq, EntryKind::Intent, "Promote node-4");
    let later = Entry {
        intent_seq: Some(seq),
        outcome: Some(outcome),
        ..entry(seq + 4, EntryKind::Outcome, "node-4 is a voter")
    };
    Row {
        entry: intent,
        outcome: Some(later),
    }
}

fn signed() -> Standing {
    Standing {
        entries: 412,
        removed: 0,
        log: Some("quorate-audit/test".to_owned()),
        signed: 410,
        signed_at: Some(at(100)),
        keys: vec!["quorate-audit/test+c74f20a3".to_owned()],
        copies: Vec::new(),
        reports: Vec::new(),
        deliveries: Vec::new(),
        trouble: None,
    }
}

fn list(rows: Vec<Row>) -> String {
    let log = AuditRows {
        rows,
        next: Some("30".to_owned()),
        size: 412,
        now: at(100),
        standing: signed(),
        clusters: vec!["demo".to_owned()],
    };
    html(|| page(&Query::default(), &log))
}

#[test]
fn a_row_is_an_intent_with_its_outcome() {
    let html = list(vec![answered(40, Outcome::Succeeded)]);
    insta::assert_snapshot!(html);
    assert!(html.contains("succeeded, 4.0 s"));
}

#[test]
fn a_log_that_was_shortened_says_where_it_begins() {
    let mut now = signed();
    assert!(!words::signed(&now).contains("Removed"));
    now.removed = 1_024;
    let said = words::signed(&now);
    assert!(said.contains("retention: entries up to 1,024."), "{said}");
}

#[test]
fn an_intent_without_outcome_says_so() {
    let row = Row {
        entry: entry(40, EntryKind::Intent, "Promote node-4"),
        outcome: None,
    };
    assert!(list(vec![row]).contains(words::NO_OUTCOME_YET));
}

#[test]
fn unknown_is_not_called_failed() {
    let html = list(vec![answered(40, Outcome::Unknown)]);
    assert!(html.contains("outcome unknown, 4.0 s"));
    assert!(!html.contains("tone-bad"));
}

#[test]
fn older_entries_are_a_link_away() {
    assert!(list(vec![answered(40, Outcome::Failed)]).contains("href=\"/q/audit?before=30\""));
}

#[test]
fn an_empty_list_says_what_to_do() {
    assert!(list(Vec::new()).contains(words::EMPTY_HINT));
}

#[test]
fn hostile_names_and_reasons_stay_texts() {
    let hostile = "<img src=x onerror=alert(1)>";
    let mut row = answered(40, Outcome::Refused);
    row.entry.actor.name = hostile.to_owned();
    row.entry.reason = Some(hostile.to_owned());
    row.entry.text = hostile.to_owned();
    row.entry.cluster = Some(hostile.into());
    let html = list(vec![row]);
    assert!(!html.contains("<img"));
    assert!(html.contains("/q/clusters/%3Cimg"));
}

fn shown(standing: &Standing) -> String {
    let query = Query {
        cluster: Some("vault-eu".to_owned()),
        ..Query::default()
    };
    html(|| super::standing::standing("", &query, standing))
}

#[test]
fn the_page_says_how_far_it_is_signed_and_that_no_copy_is_outside() {
    let html = shown(&signed());
    assert!(html.contains("Signed up to entry 410"), "{html}");
    assert!(html.contains("No checkpoint is copied outside"));
    assert!(
        html.contains("name=\"cluster\" value=\"vault-eu\""),
        "{html}"
    );
    assert!(html.contains("action=\"/audit/exports\""));
    assert!(!html.contains("role=\"alert\""));
}

#[test]
fn a_log_that_cannot_be_written_and_a_copy_that_is_behind_are_said() {
    let copy = CopyStanding {
        name: "file /mnt/audit".to_owned(),
        reaches: 300,
        at: Some(at(90)),
        behind: 110,
        alarm: true,
        error: None,
        handed_over: false,
    };
    let html = shown(&Standing {
        copies: vec![copy],
        trouble: Some("The disk with the audit log is full.".to_owned()),
        ..signed()
    });
    assert!(html.contains("role=\"alert\""));
    assert!(html.contains("The disk with the audit log is full."));
    assert!(html.contains("reaches entry 300; 110 behind"), "{html}");
    assert!(html.contains("audit-alarm"));
}

#[test]
fn what_nobody_acknowledges_and_what_cannot_be_delivered_is_said() {
    let copy = CopyStanding {
        name: "siem: syslog logs.example:6514".to_owned(),
        reaches: 410,
        at: Some(at(90)),
        behind: 0,
        alarm: false,
        error: None,
        handed_over: true,
    };
    let delivery = DeliveryStanding {
        to: "archive".to_owned(),
        waiting: 2,
        error: Some("it answers 500".to_owned()),
        ..DeliveryStanding::default()
    };
    let aside = DeliveryStanding {
        to: "board".to_owned(),
        set_aside: 1,
        ..DeliveryStanding::default()
    };
    let html = shown(&Standing {
        copies: vec![copy],
        deliveries: vec![delivery, aside],
        ..signed()
    });
    assert!(
        html.contains("handed over up to entry 410: all that is signed"),
        "{html}"
    );
    let said = "Reports to archive: 2 wait; fails: it answers 500";
    assert!(html.contains(said), "{html}");
    let said = "Reports to board: nothing waits; set aside, since lost or changed while waiting: 1";
    assert!(html.contains(said), "{html}");
    assert_eq!(html.matches("audit-alarm").count(), 2, "{html}");
}

#[test]
fn reports_by_schedule_say_what_came_what_comes_and_what_fails() {
    let report = |name: &str, error: Option<&str>| ReportStanding {
        name: name.to_owned(),
        next: at(86_400),
        last: Some(at(60)),
        file: Some(format!("{name}-2026-11-21.pdf")),
        error: error.map(str::to_owned),
    };
    let html = shown(&Standing {
        reports: vec![
            report("daily", None),
            report("board", Some("the folder is full")),
        ],
        ..signed()
    });
    assert!(
        html.contains("daily-2026-11-21.pdf delivered for"),
        "{html}"
    );
    assert!(
        html.contains("Report board: fails: the folder is full; next at"),
        "{html}"
    );
    assert!(
        html.contains("name=\"language\"") && html.contains("value=\"pdf\""),
        "{html}"
    );
}

#[test]
fn an_entry_tells_its_id_how_long_it_took_and_whether_the_clock_was_in_step() {
    let mut row = answered(40, Outcome::Succeeded);
    if let Some(outcome) = &mut row.outcome {
        outcome.id = Some("0193-own".to_owned());
        outcome.took_ms = Some(4_100);
        outcome.clock_synced = Some(false);
    }
    let found = AuditEntry {
        row,
        stored: "{}".to_owned(),
    };
    let page = |seq: &'static str| html(|| whole(&found, seq));
    let outcome = page("44");
    for said in ["0193-own", "4.1 s", words::clock(false)] {
        assert!(outcome.contains(said), "{said}: {outcome}");
    }
    // What an entry does not tell is left out.
    let intent = page("40");
    for absent in [words::TOOK, words::CLOCK, words::ENTRY_ID] {
        let term = format!("<dt>{absent}</dt>");
        assert!(!intent.contains(&term), "{absent}: {intent}");
    }
}
