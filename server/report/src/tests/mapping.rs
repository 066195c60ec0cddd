use serde_json::{Value, json};

use super::{entry, failed, promoted, promotion, refusal};
use crate::ocsf_event;

/// What the schema requires of each class, and of the objects in it, beside what all events have:
/// OCSF 1.3.0, `events/iam/account_change`, `events/iam/authentication`,
/// `events/application/api_activity` and `events/base_event`.
const EVERY: [&str; 8] = [
    "/activity_id",
    "/category_uid",
    "/class_uid",
    "/type_uid",
    "/severity_id",
    "/time",
    "/metadata/version",
    "/metadata/product/name",
];
const OWN: [(u64, &[&str]); 3] = [
    (3001, &["/user/name"]),
    (3002, &["/user/name", "/service/name"]),
    (
        6003,
        &["/actor/user/name", "/api/operation", "/src_endpoint"],
    ),
];

fn mapped(bytes: &[u8]) -> Value {
    ocsf_event(
        &serde_json::from_slice(bytes).unwrap(),
        "quorate.example/log",
        bytes,
    )
}

#[test]
fn every_event_has_what_its_class_requires() {
    let account = |action: &str| {
        entry(
            9,
            json!({"action": action, "outcome": "succeeded", "sent": {"account": "bob"}}),
        )
    };
    let access = |action: &str| entry(9, json!({"action": action, "outcome": "succeeded"}));
    let table = [
        (promotion(2), 6003, 3, 99),
        (promoted(3, 2), 6003, 3, 1),
        (refusal(4, "no"), 6003, 4, 2),
        (failed(5), 3002, 1, 2),
        (access("sign_in"), 3002, 1, 1),
        (access("sign_out"), 3002, 2, 1),
        (account("account_created"), 3001, 1, 1),
        (account("account_enabled"), 3001, 2, 1),
        (account("password_set"), 3001, 3, 1),
        (account("link_created"), 3001, 4, 1),
        (account("account_disabled"), 3001, 5, 1),
        (account("account_grants"), 3001, 7, 1),
        // An entry of an earlier version, which does not tell whose account it was.
        (access("account_created"), 6003, 1, 1),
        (access("audit_exported"), 6003, 2, 1),
        (access("token_revoked"), 6003, 4, 1),
        (access("started"), 6003, 99, 1),
        (
            entry(
                1,
                json!({"source": {}, "kind": "console", "action": "clock_set"}),
            ),
            6003,
            3,
            99,
        ),
    ];
    for (bytes, class, activity, status) in table {
        let event = mapped(&bytes);
        assert_eq!(event["class_uid"], class, "{event}");
        assert_eq!(event["activity_id"], activity, "{event}");
        assert_eq!(event["type_uid"], class * 100 + activity, "{event}");
        assert_eq!(event["status_id"], status, "{event}");
        assert_eq!(event["category_uid"], class / 1000, "{event}");
        let own = OWN.iter().find(|(it, _)| *it == class).unwrap().1;
        for required in EVERY.iter().chain(own) {
            let value = event.pointer(required);
            assert!(
                value.is_some_and(|it| !it.is_null() && *it != ""),
                "{required} {event}"
            );
        }
        // An endpoint is named by at least one of these.
        let endpoint = &event["src_endpoint"];
        assert!(
            endpoint["ip"].is_string() || endpoint["name"].is_string(),
            "{event}"
        );
        assert_eq!(event["metadata"]["version"], "1.3.0");
        assert_eq!(event["raw_data"].as_str().unwrap().as_bytes(), bytes);
    }
}

#[test]
fn an_event_names_its_entry_its_change_and_what_it_is_about() {
    let event = mapped(&promotion(2));
    assert_eq!(event["metadata"]["uid"], "quorate.example/log/2");
    assert_eq!(event["metadata"]["correlation_uid"], "0193-a");
    assert_eq!(
        event["resources"][0],
        json!({"type": "cluster", "name": "vault-eu", "uid": "vault-eu"})
    );
    assert_eq!(event["resources"][1]["name"], "n4");
    assert_eq!(event["unmapped"]["reason"], "capacity 扩容");
    assert_eq!(event["time"], 1_795_269_772_412_u64);
}

#[test]
fn an_event_has_what_newer_entries_tell_and_nothing_of_it_for_older_ones() {
    let older = mapped(&promoted(3, 2));
    assert!(older.get("duration").is_none(), "{older}");
    assert!(older["metadata"].get("log_version").is_none(), "{older}");
    assert!(older["unmapped"].get("id").is_none(), "{older}");
    let mut entry: Value = serde_json::from_slice(&promoted(3, 2)).unwrap();
    let newer = json!({
        "schema": 3, "writer": "0.1.0", "severity": "info", "category": "change", "id": "0193-b",
        "took_ms": 95, "running_ms": 1200, "clock_synced": true, "mapping_version": "ab12",
        "origin": "console", "seen": {"step_up": {"means": "passkey"}},
        "approvals": [{"at": "2026-11-21T14:02:50.000Z", "reason": "agreed", "seq": 2,
            "by": {"issuer": "local", "subject": "0194", "name": "bob", "means": "password"}}],
    });
    for (name, value) in newer.as_object().unwrap() {
        entry[name] = value.clone();
    }
    let event = mapped(&serde_json::to_vec(&entry).unwrap());
    assert_eq!(event["duration"], 95);
    assert_eq!(event["metadata"]["log_version"], "3");
    assert_eq!(event["metadata"]["product"]["version"], "0.1.0");
    let unmapped = &event["unmapped"];
    for name in [
        "severity",
        "category",
        "id",
        "running_ms",
        "clock_synced",
        "mapping_version",
    ] {
        assert_eq!(unmapped[name], newer[name], "{name}");
    }
    assert_eq!(unmapped["origin"], "console");
    assert_eq!(unmapped["step_up"]["means"], "passkey");
    assert_eq!(unmapped["approvals"][0]["by"]["name"], "bob");
}
