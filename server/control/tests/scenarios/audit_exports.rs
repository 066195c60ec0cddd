//! The audit log as an auditor is given it: bundles, parts, lines and tables, and proofs of entries.

use quorate_audit::{table, tlog_proof::TlogProof};
use quorate_control::{ControlError, Format};
use quorate_domain::{
    audit::{EntryKind, Filter, Outcome},
    permission::{Duty, Grant},
};

use crate::{
    audit_signed::{bundle, bytes, export, keys, made, with_entries},
    stage::{CLUSTER, Stage, granted, person, promote},
};

#[tokio::test]
async fn a_bundle_is_whole_signed_deterministic_and_on_record() {
    let stage = with_entries(300).await;
    let mut first = made(&stage, Format::Bundle, &Filter::default(), None).await;
    let (size, sha256) = (first.size, first.sha256);
    let bytes = bytes(&mut first);
    let keys = keys(&stage.control).await;
    let report = bundle(&bytes, &keys);
    assert!(report.holds(), "{report}");
    assert_eq!((report.size, report.shown, report.hidden), (301, 301, 0));

    let recorded = stage.entries().await.pop().unwrap();
    assert_eq!(
        (recorded.action.as_str(), recorded.kind),
        ("audit_exported", EntryKind::Access)
    );
    let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(recorded.sent["sha256"], hex);
    assert_eq!(recorded.sent["entries"], 301);

    // The log has grown by the record of the export; up to the same checkpoint it is the same.
    let again = export(&stage, Format::Bundle, &Filter::default(), Some(size)).await;
    assert_eq!(again, bytes);
    let everything = Filter::default();
    let none = stage
        .control
        .audit_export(&stage.ada, Format::Csv, &everything, Some(7));
    assert!(matches!(none.await, Err(ControlError::NotFound { .. })));
    let left: Vec<_> = std::fs::read_dir(stage.directory.path()).unwrap().collect();
    assert!(!left.iter().any(|it| {
        it.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("export")
    }));
}

#[tokio::test]
async fn a_part_shows_its_entries_and_only_hashes_of_the_others() {
    let stage = with_entries(20).await;
    stage.done(&promote("n4")).await;
    let filter = Filter {
        cluster: Some(CLUSTER.to_owned()),
        ..Filter::default()
    };
    let bytes = export(&stage, Format::Bundle, &filter, None).await;
    let report = bundle(&bytes, &keys(&stage.control).await);
    assert!(report.holds(), "{report}");
    assert_eq!((report.shown, report.hidden), (2, 21));
    assert!(
        !bytes.windows(7).any(|it| it == b"refused"),
        "others' entries are not told"
    );
    let lines = export(&stage, Format::Jsonl, &filter, None).await;
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 2);

    // Who may read one cluster's entries may have these, and no others.
    let grant = Grant {
        role: Duty::Auditor,
        clusters: vec![CLUSTER.to_owned()],
        tags: Vec::new(),
    };
    let dan = granted("dan", vec![grant]);
    let control = &stage.control;
    assert!(
        control
            .audit_export(&dan, Format::Bundle, &filter, None)
            .await
            .is_ok()
    );
    let all = control
        .audit_export(&dan, Format::Bundle, &Filter::default(), None)
        .await;
    assert!(matches!(all, Err(ControlError::NotAllowed { .. })));
}

#[tokio::test]
async fn lines_are_the_exact_bytes_and_a_table_holds_no_formula() {
    let stage = with_entries(5).await;
    let filter = Filter {
        kinds: vec![EntryKind::Refusal],
        ..Filter::default()
    };
    let lines = String::from_utf8(export(&stage, Format::Jsonl, &filter, None).await).unwrap();
    for line in lines.lines() {
        let entry: quorate_domain::audit::Entry = serde_json::from_str(line).unwrap();
        let (_, stored) = stage
            .control
            .audit_entry(&stage.ada, entry.seq)
            .await
            .unwrap();
        assert_eq!(line, stored);
    }
    let csv = String::from_utf8(export(&stage, Format::Csv, &filter, None).await).unwrap();
    assert!(csv.starts_with(table::HEADER));
    assert_eq!(csv.lines().count(), 6);
    assert!(csv.contains(",'=1+1 refused,"));
    assert!(!csv.contains(",=1+1"));
}

#[tokio::test]
async fn every_entry_has_its_proof() {
    let stage = with_entries(520).await;
    let keys = keys(&stage.control).await;
    for seq in [1, 2, 255, 256, 257, 511, 512, 513, 520, 521] {
        let (proof, entry) = stage.control.audit_proof(&stage.ada, seq).await.unwrap();
        let read = TlogProof::parse(&proof).unwrap();
        assert_eq!(read.index + 1, seq);
        assert_eq!(read.check(&entry, &keys).unwrap().len(), 1);
        assert!(read.check(b"something else", &keys).is_err());
    }
    let none = stage.control.audit_proof(&stage.ada, 99_999).await;
    assert!(matches!(none, Err(ControlError::NotFound { .. })));
    let eve = person("eve", Duty::Viewer);
    let refused = stage.control.audit_proof(&eve, 1).await;
    assert!(matches!(refused, Err(ControlError::NotAllowed { .. })));
}

#[tokio::test]
async fn an_export_by_kind_or_outcome_holds_the_rows_of_the_list_whole() {
    let stage = Stage::small().await;
    stage.done(&promote("n4")).await;
    assert!(stage.ask(&stage.ada, &promote("n4")).await.is_err());
    let changes = vec![EntryKind::Intent];
    for (kinds, outcome, expected) in [
        (
            changes.clone(),
            Some(Outcome::Succeeded),
            vec!["intent", "outcome"],
        ),
        (changes.clone(), None, vec!["intent", "outcome"]),
        (changes, Some(Outcome::Failed), vec![]),
        (
            vec![EntryKind::Refusal],
            Some(Outcome::Refused),
            vec!["refusal"],
        ),
    ] {
        let filter = Filter {
            kinds,
            outcome,
            ..Filter::default()
        };
        let rows = stage.control.audit_rows(&stage.ada, &filter, None, 10);
        let listed = rows.await.unwrap().items.len();
        assert_eq!(listed == 0, expected.is_empty(), "{filter:?}");
        let text = export(&stage, Format::Jsonl, &filter, None).await;
        let text = String::from_utf8(text).unwrap();
        let found: Vec<&str> = ["intent", "outcome", "refusal", "access", "console"]
            .into_iter()
            .filter(|kind| text.contains(&format!("\"kind\":\"{kind}\"")))
            .collect();
        assert_eq!(found, expected, "{filter:?} {text}");
    }
}
