//! Every route that changes something leaves its line in the audit log; every other says why not.

use quorate_domain::{audit::Filter, permission::Duty};

use crate::{
    examples::{self, Known},
    support::{CLUSTER, Running},
};

/// `METHOD path  action` as it is recorded, or `nothing` for what changes nothing.
const TABLE: &str = include_str!("audit.txt");

async fn actions(console: &Running) -> Vec<String> {
    let who = console.control.command_line_operator();
    let log = console
        .control
        .audit(&who, &Filter::default(), 0, 1_000)
        .await
        .unwrap();
    log.items.into_iter().map(|entry| entry.action).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_that_changes_something_leaves_its_line() {
    let table = examples::table(TABLE);
    examples::must_cover_every_route(&table);
    let console = Running::start().await;
    let known = Known::make(&console).await;
    let token = console.token(Duty::Admin).await;
    let mut cookie = console.session(Duty::Admin).await;
    let mut wrong = Vec::new();
    for (number, ((method, path), expected)) in table.iter().enumerate() {
        let unique = format!("a{number}");
        let mut example = examples::of(&console, &known, method, path, &unique)
            .await
            .expect("an example");
        if path == "/sign-in/link/{secret}" {
            let secret = console.account(&unique, Duty::Viewer).await;
            example.path = format!("/sign-in/link/{secret}");
        }
        if path.ends_with("/submit") || path.ends_with("/changes") && method == "POST" {
            example.json = Some(fresh(&console, path, &unique).await);
        }
        let before = actions(&console).await.len();
        let mut request = console.call(method, &example.path);
        request = request.header("sec-fetch-site", "same-origin");
        request = match (&example.json, example.form) {
            (Some(body), _) => request.json(body),
            (_, Some(form)) => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form),
            _ => request,
        };
        request = if path.starts_with("/api/v1/") {
            request.bearer_auth(&token)
        } else if path.starts_with("/sign-in") {
            // Signing in as somebody else would end the session the others need.
            request
        } else {
            request.header("cookie", &cookie)
        };
        drop(request.send().await.unwrap());
        settled(&console).await;
        let new: Vec<String> = actions(&console).await.split_off(before);
        let expected = expected.first().map_or("nothing", String::as_str);
        let right = match expected {
            "nothing" => new.is_empty(),
            action => match action.strip_suffix('?') {
                Some(action) => new.iter().all(|only| only == action),
                None => new.first().is_some_and(|first| first == action),
            },
        };
        if !right {
            wrong.push(format!("{method} {path}: {new:?}, not {expected}"));
        }
        if path == "/sign-out" {
            let who = console.control.command_line_operator();
            let link = console.control.account_link(&who, "admin").await.unwrap();
            let link = console.get(&format!("/sign-in/link/{}", link.reveal()));
            cookie = crate::support::cookie(&link.send().await.unwrap());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Until no change runs any more: its outcome belongs to the request before.
async fn settled(console: &Running) {
    let who = console.control.command_line_operator();
    crate::support::until("the change's end", async || {
        console.control.running_changes(&who) == 0
    })
    .await;
}

/// A change that can be carried out now; leadership moves back and forth.
async fn fresh(console: &Running, path: &str, unique: &str) -> serde_json::Value {
    use quorate_domain::action::Action;

    let who = console.control.command_line_operator();
    let view = console.control.view(&who, CLUSTER).await.unwrap();
    let to = if view.leader.member.unwrap().as_str() == "n1" {
        "n2"
    } else {
        "n1"
    };
    let action = Action::Transfer {
        member: Some(to.into()),
    };
    let preview = console
        .control
        .preview(&who, CLUSTER, &action)
        .await
        .unwrap();
    if path.starts_with("/api/v1/") {
        return serde_json::json!({
            "action": "transfer", "member": to, "fingerprint": preview.fingerprint,
            "reason": "test",
        });
    }
    serde_json::json!({ "wish": {
        "cluster": CLUSTER, "action": { "action": "transfer", "member": to },
        "fingerprint": preview.fingerprint, "reason": "test", "ticket": null,
        "key": format!("key-{unique}"),
    } })
}
