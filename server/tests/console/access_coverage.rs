//! Who gets what, for every route, page and server function, and every role.

use quorate_domain::permission::Duty;
use reqwest::RequestBuilder;

use crate::{
    examples::{self, Example, Known},
    support::Running,
};

const TABLE: &str = include_str!("access.txt");
const WHO: [Option<Duty>; 6] = [
    None,
    Some(Duty::Viewer),
    Some(Duty::Operator),
    Some(Duty::Admin),
    Some(Duty::Approver),
    Some(Duty::Auditor),
];

/// How somebody is known to the console.
struct Credentials {
    token: String,
    cookie: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_every_role_as_the_table_says() {
    let table = examples::table(TABLE);
    examples::must_cover_every_route(&table);
    let console = Running::start().await;
    let known = Known::make(&console).await;
    let mut wrong = Vec::new();
    for (column, duty) in WHO.into_iter().enumerate() {
        let name = duty.map_or("anonymous", Duty::as_str);
        let credentials = match duty {
            Some(duty) => Some(credentials(&console, duty).await),
            None => None,
        };
        // What ends the session or the password goes last.
        let mut routes: Vec<_> = table.iter().collect();
        routes.sort_by_key(|((_, path), _)| (path == "/password", path == "/sign-out"));
        for ((method, path), expected) in routes {
            let example = examples::of(&console, &known, method, path, name).await;
            let example = example.unwrap_or_else(|| panic!("no example for {method} {path}"));
            let request = request(&console, method, &example, credentials.as_ref());
            let status = request.send().await.unwrap().status().as_u16().to_string();
            if Some(&status) != expected.get(column) {
                wrong.push(format!(
                    "{method} {path} as {name}: {status}, not {expected:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn credentials(console: &Running, duty: Duty) -> Credentials {
    Credentials {
        token: console.token(duty).await,
        cookie: console.session(duty).await,
    }
}

fn request(
    console: &Running,
    method: &str,
    example: &Example,
    credentials: Option<&Credentials>,
) -> RequestBuilder {
    let mut request = console
        .call(method, &example.path)
        .header("sec-fetch-site", "same-origin");
    if let Some(body) = &example.json {
        request = request.json(body);
    }
    if let Some(form) = example.form {
        request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
    }
    match credentials {
        Some(known) if example.path.starts_with("/api/v1/") => request.bearer_auth(&known.token),
        Some(known) => request.header("cookie", &known.cookie),
        None => request,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_ask_for_exactly_its_actions() {
    let console = Running::start().await;
    for (duty, cases) in [
        (
            Duty::Viewer,
            [
                ("promote", 403),
                ("transfer", 403),
                ("demote", 403),
                ("remove", 403),
            ],
        ),
        (
            Duty::Approver,
            [
                ("promote", 403),
                ("transfer", 403),
                ("demote", 403),
                ("remove", 403),
            ],
        ),
        (
            Duty::Auditor,
            [
                ("promote", 403),
                ("transfer", 403),
                ("demote", 403),
                ("remove", 403),
            ],
        ),
        (
            Duty::Operator,
            [
                ("promote", 409),
                ("transfer", 409),
                ("demote", 403),
                ("remove", 403),
            ],
        ),
        (
            Duty::Admin,
            [
                ("promote", 409),
                ("transfer", 409),
                ("demote", 409),
                ("remove", 409),
            ],
        ),
    ] {
        let token = console.token(duty).await;
        for (action, expected) in cases {
            let body = serde_json::json!({
                "action": action, "member": "n2", "revision": "stale", "reason": "test"
            });
            let asked = console
                .call("POST", "/api/v1/clusters/sim/changes")
                .json(&body);
            let status = asked.bearer_auth(&token).send().await.unwrap().status();
            assert_eq!(status, expected, "{duty:?} {action}");
        }
    }
    assert!(console.cluster.sent().is_empty());
}
