//! What the driver reads, against upstream's own description: every field exists there under that
//! name, with that type. What the driver sends is held to it by the tests beside the stand-in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde::de::DeserializeOwned;

use super::answers::{InspectedValue, Integrity, IntegrityResult, Problem, Row, SnapshotMade};

#[path = "../../tests/openziti/description.rs"]
mod description;

use description::Description;

/// A value as the description says, in which every field differs from its default, as it is read.
fn read<T: DeserializeOwned>(description: &Description, name: &str) -> T {
    let sample = description.sample(&description.definition(name));
    serde_json::from_value(sample).unwrap_or_else(|why| panic!("{name}: {why}"))
}

#[test]
fn every_field_that_is_read_is_described_upstream() {
    let Some(description) = Description::read() else {
        return;
    };
    let text = || "told".to_owned();
    let row: Row = read(&description, "clusterMemberListValue");
    let told = Row {
        id: text(),
        address: text(),
        voter: true,
        leader: true,
        version: text(),
        connected: true,
        read_only: true,
        preferred_leader: true,
    };
    assert_eq!(row, told);
    let value: InspectedValue = read(&description, "inspectResponseValue");
    assert_eq!((value.app_id, value.name), (text(), text()));
    let made: SnapshotMade = read(&description, "databaseSnapshotCreateDetails");
    assert_eq!(made.path, "told");
    let integrity: Integrity = read(&description, "dataIntegrityCheckDetails");
    let told = Integrity {
        in_progress: true,
        start_time: Some(text()),
        too_many_errors: true,
        error: Some(text()),
        results: Some(vec![IntegrityResult {
            description: text(),
            fixed: true,
        }]),
    };
    assert_eq!(integrity, told);
    let envelope = description.sample(&description.definition("empty"));
    assert!(envelope.get("data").is_some());
}

#[test]
fn errors_are_read_as_they_are_described() {
    let Some(description) = Description::read() else {
        return;
    };
    let fields = &description.definition("apiError")["properties"];
    for field in ["code", "message", "cause", "causeMessage"] {
        assert!(fields.get(field).is_some(), "{field}");
    }
    for (definition, field) in [("apiFieldError", "reason"), ("apiError", "message")] {
        let fields = &description.definition(definition)["properties"];
        assert_eq!(fields[field]["type"], "string", "{definition}.{field}");
    }
    let body = br#"{"error":{"code":"told","message":"m","cause":{"reason":"the reason"}}}"#;
    let problem = Problem::of(body).unwrap();
    assert_eq!(
        (problem.code.as_str(), problem.text().as_str()),
        ("told", "the reason")
    );
}
