//! One working request for every route, so that tables of what must happen can be walked.

use std::collections::BTreeMap;

use quorate_domain::permission::Duty;
use serde_json::{Value, json};

use crate::support::{CLUSTER, Running};

/// What a request is made of.
#[derive(Clone, Debug, Default)]
pub struct Example {
    pub path: String,
    pub json: Option<Value>,
    pub form: Option<&'static str>,
}

/// Ids that exist in this console.
pub struct Known {
    pub change: String,
    pub snapshot: String,
}

impl Known {
    /// Takes a snapshot, so that there is a change and a snapshot to ask for.
    pub async fn make(console: &Running) -> Self {
        use quorate_domain::action::Action;

        let who = console.control.command_line_operator();
        let preview = console
            .control
            .preview(&who, CLUSTER, &Action::Snapshot)
            .await
            .unwrap();
        let request = quorate_control::Request {
            fingerprint: Some(preview.fingerprint),
            reason: "an example".to_owned(),
            ..Default::default()
        };
        let change = console
            .control
            .submit(&who, CLUSTER, &Action::Snapshot, &request)
            .await;
        let id = change.unwrap().id.0;
        crate::support::until("the snapshot", async || {
            console
                .control
                .change(&who, &id)
                .await
                .unwrap()
                .state
                .is_final()
        })
        .await;
        let change = console.control.change(&who, &id).await.unwrap();
        let snapshot = change.snapshot.clone();
        Self {
            snapshot: snapshot.unwrap_or_else(|| panic!("{change:?}")),
            change: id,
        }
    }
}

/// The example of a route. `unique` goes into names that may exist once only.
pub async fn of(
    console: &Running,
    known: &Known,
    method: &str,
    route: &str,
    unique: &str,
) -> Option<Example> {
    let grants = json!([{ "role": "viewer", "clusters": ["*"], "tags": [] }]);
    let path = route
        .replace("{secret}", "no-such-secret")
        .replace("{group}", "1")
        .replace(
            "{name}",
            if route.contains("assets") {
                "none.css"
            } else {
                CLUSTER
            },
        )
        .replace("{seq}", "1")
        .replace(
            "{id}",
            if route.contains("snapshots") {
                &known.snapshot
            } else {
                &known.change
            },
        );
    let promote = json!({ "action": "promote", "member": "n4" });
    let stale = "q1.stale";
    let body = match (method, route) {
        ("GET", "/events") => {
            return Some(Example {
                path: "/events?page=fleet".to_owned(),
                ..Example::default()
            });
        }
        ("GET", _) => None,
        ("POST", "/sign-in") => return form(path, "name=nobody&password=wrong-password"),
        ("POST", "/back-channel-logout") => return form(path, "logout_token=x"),
        ("POST", "/sign-out") => return form(path, ""),
        ("POST", "/password") => return form(path, "new=correct-horse-battery-staple"),
        ("POST", "/api/v1/clusters/{name}/preview") => Some(promote),
        ("POST", "/api/v1/clusters/{name}/changes") => Some(
            json!({ "action": "promote", "member": "n4", "revision": "stale", "reason": "test" }),
        ),
        ("POST", "/api/v1/clusters/{name}/overrides") => {
            let until = console.control.now().plus_ms(3_600_000).to_string();
            Some(json!({ "member": "n1", "until": until, "reason": "an example" }))
        }
        ("POST", "/api/v1/clusters/{name}/overrides/lift") => Some(json!({ "member": "n1" })),
        ("POST", "/clusters/{name}/override") => {
            return form(path, "member=n2&hours=1&reason=an+example");
        }
        ("POST", "/step-up/{id}") => return form(path, "method=password&password=x"),
        // Shows what it would do.
        ("POST", "/access/erase") => {
            return form(path, "by=name&whom=admin&reason=an+example");
        }
        ("POST", "/access/passkeys") => return form(path, "name=laptop"),
        ("POST", "/access/passkeys/new/{id}") => {
            return form(path, "client_data=x&authenticator_data=x");
        }
        ("POST", "/access/passkeys/remove") => return form(path, "id=none"),
        ("POST", "/changes/{id}/word") => return form(path, "word=approve&digest=ab"),
        ("POST", "/audit/exports") => return form(path, "format=csv&range=week"),
        ("POST", route) if route.starts_with("/api/v1/") => Some(json!({})),
        ("POST", "/api/ui/preview") => Some(json!({ "cluster": CLUSTER, "action": promote })),
        ("POST", "/api/ui/submit") => Some(json!({ "wish": {
            "cluster": CLUSTER, "action": promote, "fingerprint": stale, "reason": "test",
            "ticket": null, "key": format!("key-{unique}"),
        } })),
        ("POST", "/api/ui/page") => Some(json!({ "topic": { "page": "fleet" } })),
        ("POST", "/api/ui/group-rows") => Some(json!({ "query": {
            "cluster": CLUSTER, "class": null, "q": null, "after": null,
        } })),
        ("POST", "/api/ui/change") => Some(json!({ "id": known.change })),
        ("POST", "/api/ui/audit-entry") => Some(json!({ "seq": 1 })),
        ("POST", "/api/ui/audit-rows") => Some(json!({ "query": {
            "range": "all", "from": null, "to": null, "cluster": null, "actor": null,
            "sort": null, "outcome": null, "before": null,
        } })),
        ("POST", "/api/ui/access") => Some(json!({})),
        ("POST", "/api/ui/account-create") => {
            Some(json!({ "name": format!("made-{unique}"), "grants": grants }))
        }
        ("POST", "/api/ui/account-grants") => {
            let name = victim(console, "granted", unique).await;
            Some(json!({ "name": name, "grants": grants }))
        }
        ("POST", "/api/ui/account-disable") => {
            let name = victim(console, "disabled", unique).await;
            Some(json!({ "name": name, "disabled": true }))
        }
        ("POST", "/api/ui/account-link") => {
            Some(json!({ "name": victim(console, "linked", unique).await }))
        }
        ("POST", "/api/ui/token-create") => {
            Some(json!({ "name": format!("made-{unique}"), "grants": grants, "days": 1 }))
        }
        ("POST", "/api/ui/token-revoke") => {
            Some(json!({ "id": token_to_revoke(console, unique).await }))
        }
        ("POST", "/api/ui/session-end") => {
            Some(json!({ "hash": session_to_end(console, unique).await }))
        }
        _ => return None,
    };
    Some(Example {
        path,
        json: body,
        form: None,
    })
}

fn form(path: String, form: &'static str) -> Option<Example> {
    Some(Example {
        path,
        json: None,
        form: Some(form),
    })
}

/// An account something can be done to.
async fn victim(console: &Running, what: &str, unique: &str) -> String {
    let name = format!("{what}-{unique}");
    console.account(&name, Duty::Viewer).await;
    name
}

async fn token_to_revoke(console: &Running, unique: &str) -> String {
    let who = console.control.command_line_operator();
    let life = std::time::Duration::from_secs(60);
    let (name, grants) = (
        format!("revoked-{unique}"),
        quorate_control::everywhere(&[Duty::Viewer]),
    );
    console
        .control
        .token_create(&who, &name, grants, life)
        .await
        .unwrap()
        .0
        .id
}

async fn session_to_end(console: &Running, unique: &str) -> String {
    let name = format!("session-{unique}");
    let secret = console.account(&name, Duty::Viewer).await;
    console
        .get(&format!("/sign-in/link/{secret}"))
        .send()
        .await
        .unwrap();
    let who = console.control.command_line_operator();
    let sessions = console.control.sessions(&who).await.unwrap();
    sessions
        .into_iter()
        .find(|session| session.account == name)
        .unwrap()
        .hash
}

/// A table checked in beside the tests: `METHOD path  word word …`, `#` begins a comment.
pub fn table(text: &str) -> BTreeMap<(String, String), Vec<String>> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            let key = (words.next().unwrap(), words.next().unwrap());
            (key, words.collect())
        })
        .collect()
}

/// Fails unless `table` has exactly the console's routes.
pub fn must_cover_every_route(table: &BTreeMap<(String, String), Vec<String>>) {
    let routes: std::collections::BTreeSet<(String, String)> = quorate::router::listed()
        .into_iter()
        .map(|(method, path)| (method.to_owned(), path))
        .collect();
    let missing: Vec<_> = routes
        .iter()
        .filter(|route| !table.contains_key(*route))
        .collect();
    let gone: Vec<_> = table
        .keys()
        .filter(|route| !routes.contains(*route))
        .collect();
    assert!(
        missing.is_empty(),
        "routes without a line in the table: {missing:#?}"
    );
    assert!(
        gone.is_empty(),
        "lines in the table without a route: {gone:#?}"
    );
}
