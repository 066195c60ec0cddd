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

/// Every place where a route may be added; each of them is read by `router::listed`, against which
/// the table is held. A route that is added anywhere else would be in no table.
const ADDED: [(&str, usize); 2] = [
    // Of a table; the server functions; the pages.
    ("router.rs", 3),
    // The description of REST, which is listed by name.
    ("rest/mod.rs", 1),
];
/// Where routers are put together, and from what.
const PUT_TOGETHER: [(&str, &[&str]); 2] = [
    (
        "router.rs",
        &[
            ".merge(functions)",
            ".merge(with_session(console, life))",
            ".nest(\"/api/v1\", rest::routes(console))",
        ],
    ),
    ("rest/mod.rs", &[".merge(guarded)"]),
];

/// What each source of the program says, by its path.
fn sources(folder: &std::path::Path, found: &mut Vec<(String, String)>) {
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // Tests have routers of their own.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            found.push((path.display().to_string(), text.to_owned()));
        }
    }
}

#[test]
fn no_route_is_added_where_no_table_sees_it() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    sources(&root, &mut all);
    assert!(all.len() > 50, "{} sources", all.len());
    let mut wrong = Vec::new();
    for (path, text) in &all {
        let here = path.strip_prefix(&format!("{}/", root.display()));
        let here = here.unwrap_or(path);
        let may = ADDED.iter().find(|(file, _)| *file == here);
        let count = text.matches(".route(").count();
        if count != may.map_or(0, |(_, count)| *count) {
            wrong.push(format!("{here}: {count} routes"));
        }
        let may = PUT_TOGETHER.iter().find(|(file, _)| *file == here);
        let mut rest = text.clone();
        for known in may.map_or(&[][..], |(_, known)| *known) {
            assert!(rest.contains(known), "{here}: {known} is gone");
            rest = rest.replacen(known, "", 1);
        }
        for other in [
            ".merge(",
            ".nest(",
            "route_service(",
            "nest_service(",
            "fallback_service(",
        ] {
            if rest.contains(other) && rest.contains("Router") {
                wrong.push(format!("{here}: {other}…)"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
