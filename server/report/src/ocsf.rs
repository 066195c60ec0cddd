//! Entries as events of the Open Cybersecurity Schema Framework (OCSF), version 1.3.0: Account
//! Change (3001), Authentication (3002) and API Activity (6003). A mapping for other systems; the
//! record stays the entry, whose exact bytes travel along as `raw_data`.

use quorate_domain::audit::{Entry, EntryKind, Means, Outcome};
use serde_json::{Map, Value, json};

/// The version of the schema that events name.
pub const VERSION: &str = "1.3.0";

/// A class of events, and what happened in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    uid: u32,
    activity: u32,
    activity_name: &'static str,
}

const ACCOUNT_CHANGE: u32 = 3001;
const AUTHENTICATION: u32 = 3002;
const API_ACTIVITY: u32 = 6003;

/// The event of an entry, given the log's name and the entry's exact bytes.
#[must_use]
pub fn event(entry: &Entry, log: &str, bytes: &[u8]) -> Value {
    let class = class_of(entry);
    let (category, category_name, class_name) = match class.uid {
        ACCOUNT_CHANGE => (3, "Identity & Access Management", "Account Change"),
        AUTHENTICATION => (3, "Identity & Access Management", "Authentication"),
        _ => (6, "Application Activity", "API Activity"),
    };
    let (status, status_name) = status(entry);
    let (severity, severity_name) = severity(entry);
    let mut event = json!({
        "activity_id": class.activity,
        "activity_name": class.activity_name,
        "category_uid": category,
        "category_name": category_name,
        "class_uid": class.uid,
        "class_name": class_name,
        "type_uid": class.uid * 100 + class.activity,
        "type_name": format!("{class_name}: {}", class.activity_name),
        "severity_id": severity,
        "severity": severity_name,
        "time": entry.time.unix_ms(),
        "timezone_offset": 0,
        "status_id": status,
        "status": status_name,
        "message": entry.text,
        "metadata": {
            "version": VERSION,
            "product": {"name": "Quorate", "vendor_name": "Quorate", "lang": "en"},
            "uid": format!("{log}/{}", entry.seq),
            "sequence": entry.seq,
            "log_name": log,
            "event_code": entry.action,
            "original_time": entry.time.to_string(),
        },
        "actor": actor(entry),
        "src_endpoint": source(entry),
        "raw_data": String::from_utf8_lossy(bytes),
        "unmapped": unmapped(entry),
    });
    if let Some(event) = event.as_object_mut() {
        event.extend(own(class, entry));
        if let Some(took) = entry.took_ms {
            event.insert("duration".to_owned(), json!(took));
        }
    }
    if let Some(metadata) = event.get_mut("metadata") {
        written(metadata, entry);
    }
    if let (Some(change), Some(metadata)) = (&entry.change, event.get_mut("metadata"))
        && let Some(metadata) = metadata.as_object_mut()
    {
        metadata.insert("correlation_uid".to_owned(), json!(change));
    }
    event
}

/// By what the entry was written, and in which shape.
fn written(metadata: &mut Value, entry: &Entry) {
    if let (Some(schema), Some(fields)) = (entry.schema, metadata.as_object_mut()) {
        fields.insert("log_version".to_owned(), json!(schema.to_string()));
    }
    let product = metadata.get_mut("product").and_then(Value::as_object_mut);
    if let (Some(version), Some(product)) = (&entry.writer, product) {
        product.insert("version".to_owned(), json!(version));
    }
}

/// What only events of this class have.
fn own(class: Class, entry: &Entry) -> Map<String, Value> {
    let mut own = Map::new();
    let mut add = |name: &str, value: Value| own.insert(name.to_owned(), value);
    if let Some(agent) = &entry.source.user_agent {
        add("http_request", json!({ "user_agent": agent }));
    }
    let service = json!({ "name": "quorate" });
    match class.uid {
        AUTHENTICATION => {
            add("user", user(entry));
            add("service", service);
            add("auth_protocol_id", json!(99));
            add("auth_protocol", json!(word(&entry.actor.means)));
            add("is_remote", json!(entry.actor.means != Means::CommandLine));
            if let Some(session) = &entry.source.session {
                add("session", json!({ "uid": session }));
            }
        }
        ACCOUNT_CHANGE => {
            add("user", json!({ "name": account(entry) }));
        }
        _ => {
            let mut api = json!({ "operation": entry.action, "service": service });
            if let (Some(id), Some(api)) = (&entry.source.request_id, api.as_object_mut()) {
                api.insert("request".to_owned(), json!({ "uid": id }));
            }
            add("api", api);
            let cluster = entry.cluster.iter().map(|name| ("cluster", &name.0));
            let member = entry.member.iter().map(|id| ("member", &id.0));
            let group = entry.group.iter().map(|name| ("group", name));
            let resources: Vec<Value> = cluster
                .chain(group)
                .chain(member)
                .map(|(kind, name)| json!({ "type": kind, "name": name, "uid": name }))
                .collect();
            if !resources.is_empty() {
                add("resources", resources.into());
            }
        }
    }
    own
}

fn class_of(entry: &Entry) -> Class {
    let authentication = |activity, activity_name| Class {
        uid: AUTHENTICATION,
        activity,
        activity_name,
    };
    match entry.action.as_str() {
        "sign_in" | "break_glass_sign_in" => return authentication(1, "Logon"),
        "sign_out" | "session_ended" => return authentication(2, "Logoff"),
        _ => {}
    }
    // Of whose account it is, only newer entries tell.
    if account(entry).is_some()
        && let Some((activity, activity_name)) = of_account(&entry.action)
    {
        return Class {
            uid: ACCOUNT_CHANGE,
            activity,
            activity_name,
        };
    }
    let (activity, activity_name) = of_api(&entry.action);
    Class {
        uid: API_ACTIVITY,
        activity,
        activity_name,
    }
}

fn of_account(action: &str) -> Option<(u32, &'static str)> {
    Some(match action {
        "account_created" => (1, "Create"),
        "account_enabled" => (2, "Enable"),
        "password_set" => (3, "Password Change"),
        "link_created" => (4, "Password Reset"),
        "account_disabled" => (5, "Disable"),
        "account_grants" => (7, "Attach Policy"),
        _ => return None,
    })
}

fn of_api(action: &str) -> (u32, &'static str) {
    let ends = |with: &[&str]| with.iter().any(|end| action.ends_with(end));
    match action {
        "add_learner" | "snapshot" => (1, "Create"),
        "remove" => (4, "Delete"),
        "promote" | "demote" | "transfer" | "defragment" => (3, "Update"),
        "check_integrity" => (2, "Read"),
        _ if ends(&["_read", "_exported", "_downloaded"]) => (2, "Read"),
        _ if ends(&["_created", "_added"]) => (1, "Create"),
        _ if ends(&["_revoked", "_retired", "_lifted"]) => (4, "Delete"),
        _ if ends(&["_set", "_renewed", "_changed", "_grants"]) => (3, "Update"),
        _ => (99, "Other"),
    }
}

/// The account an entry is about, where it tells.
fn account(entry: &Entry) -> Option<&str> {
    entry.sent.get("account").and_then(Value::as_str)
}

fn user(entry: &Entry) -> Value {
    let actor = &entry.actor;
    json!({ "name": actor.name, "uid": actor.subject, "domain": actor.issuer })
}

fn actor(entry: &Entry) -> Value {
    let mut actor = json!({ "user": user(entry) });
    if let (Some(session), Some(fields)) = (&entry.source.session, actor.as_object_mut()) {
        let session = json!({ "uid": session, "issuer": entry.actor.issuer });
        fields.insert("session".to_owned(), session);
    }
    actor
}

fn source(entry: &Entry) -> Value {
    let peer = entry.source.address();
    match peer.parse::<std::net::IpAddr>() {
        Ok(address) => json!({ "ip": address.to_string() }),
        Err(_) if peer.is_empty() => json!({ "name": word(&entry.actor.means) }),
        Err(_) => json!({ "name": peer }),
    }
}

const fn status(entry: &Entry) -> (u32, &'static str) {
    match (entry.outcome, entry.kind) {
        (Some(Outcome::Succeeded), _) => (1, "Success"),
        (Some(Outcome::Failed | Outcome::Refused), _) => (2, "Failure"),
        (Some(Outcome::Unknown), _) => (0, "Unknown"),
        (None, EntryKind::Intent) => (99, "Intent"),
        (None, _) => (99, "Noted"),
    }
}

fn severity(entry: &Entry) -> (u32, &'static str) {
    let emergency =
        matches!(entry.actor.means, Means::BreakGlass) || entry.action.starts_with("break_glass");
    match (entry.outcome, entry.kind) {
        _ if emergency => (4, "High"),
        (Some(Outcome::Unknown), _) => (4, "High"),
        (Some(Outcome::Failed), EntryKind::Outcome) => (4, "High"),
        (Some(Outcome::Failed | Outcome::Refused), _) => (3, "Medium"),
        _ => (1, "Informational"),
    }
}

fn unmapped(entry: &Entry) -> Value {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    add("kind", json!(entry.kind));
    add("means", json!(entry.actor.means));
    if let Some(assurance) = entry.source.assurance {
        add("assurance", json!(assurance));
    }
    if let Some(origin) = entry.origin {
        add("origin", json!(origin));
    }
    if !entry.grants.is_empty() {
        add("grants", json!(entry.grants));
    }
    if !entry.approvals.is_empty() {
        add("approvals", json!(entry.approvals));
    }
    if let Some(proved) = entry.seen.get("step_up") {
        add("step_up", proved.clone());
    }
    if let Some(running) = entry.running_ms {
        add("running_ms", json!(running));
    }
    if let Some(synced) = entry.clock_synced {
        add("clock_synced", json!(synced));
    }
    for (name, value) in [
        ("reason", &entry.reason),
        ("ticket", &entry.ticket),
        ("mapping_version", &entry.mapping_version),
        ("severity", &entry.severity),
        ("category", &entry.category),
        ("id", &entry.id),
    ] {
        if let Some(value) = value {
            add(name, json!(value));
        }
    }
    if let Some(intent) = entry.intent_seq {
        add("intent_seq", json!(intent));
    }
    if let Some(outcome) = entry.outcome {
        add("outcome", json!(outcome));
    }
    Value::Object(fields)
}

/// The word a closed list is written with.
pub fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}
