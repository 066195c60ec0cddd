//! REST: shapes of lists and errors, and a change from preview to outcome.

use quorate_domain::permission::Duty;
use serde_json::{Value, json as body};

use crate::support::{Running, json, until};

struct Caller<'a> {
    console: &'a Running,
    token: String,
}

impl<'a> Caller<'a> {
    async fn new(console: &'a Running, duty: Duty) -> Self {
        Self {
            console,
            token: console.token(duty).await,
        }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let request = self
            .console
            .get(&format!("/api/v1{path}"))
            .bearer_auth(&self.token);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), json(response).await)
    }

    async fn post(&self, path: &str, body: &Value, key: Option<&str>) -> (u16, Value) {
        let mut request = self.console.call("POST", &format!("/api/v1{path}"));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request
            .bearer_auth(&self.token)
            .json(body)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), json(response).await)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_with_code_hint_and_request_id() {
    let console = Running::start().await;
    let token = console.token(Duty::Admin).await;
    let call = |method: &str, path: &str| console.call(method, path).bearer_auth(&token);
    let long = "x".repeat(70_000);
    let changes = "/api/v1/clusters/sim/changes";
    let json_type = ("content-type", "application/json");
    let cases = [
        (
            console.call("GET", "/api/v1/clusters"),
            401,
            "not-signed-in",
        ),
        (
            console
                .call("GET", "/api/v1/clusters")
                .bearer_auth("qt_wrong"),
            401,
            "not-signed-in",
        ),
        (
            console.call("GET", "/api/v1/clusters").bearer_auth("other"),
            401,
            "not-signed-in",
        ),
        (call("GET", "/api/v1/nothing"), 404, "not-found"),
        (call("GET", "/api/nothing"), 303, ""),
        (call("GET", "/api/v1/clusters/nowhere"), 404, "not-found"),
        (call("GET", "/api/v1/changes/nothing"), 404, "not-found"),
        (call("GET", "/api/v1/clusters/sim/groups"), 404, "not-found"),
        (
            call("POST", "/api/v1/changes/x/pause"),
            404,
            "not-in-this-version",
        ),
        (
            call("DELETE", "/api/v1/clusters"),
            405,
            "method-not-allowed",
        ),
        (call("POST", "/api/v1/clusters"), 405, "method-not-allowed"),
        (call("GET", "/api/v1/clusters?limit=0"), 400, "malformed"),
        (call("GET", "/api/v1/clusters?limit=1001"), 400, "malformed"),
        (
            call("GET", "/api/v1/clusters?limit=1&limit=2"),
            400,
            "malformed",
        ),
        (call("GET", "/api/v1/audit?form=x"), 400, "malformed"),
        (
            call("GET", "/api/v1/audit?from=yesterday"),
            400,
            "malformed",
        ),
        (call("POST", changes), 415, "unsupported-media-type"),
        (
            call("POST", changes).body("{}"),
            415,
            "unsupported-media-type",
        ),
        (
            call("POST", changes)
                .header(json_type.0, json_type.1)
                .body("{"),
            400,
            "malformed",
        ),
        (
            call("POST", changes)
                .header(json_type.0, json_type.1)
                .body("[]"),
            400,
            "malformed",
        ),
        (
            call("POST", changes)
                .header(json_type.0, json_type.1)
                .body(long.clone()),
            413,
            "body-too-large",
        ),
        (
            call("POST", "/api/ui/page")
                .header(json_type.0, json_type.1)
                .body(long.clone()),
            413,
            "body-too-large",
        ),
        (
            call("POST", changes).json(&body!({"action": "explode"})),
            400,
            "malformed",
        ),
        (
            call("POST", changes).json(&body!({"action": "promote"})),
            400,
            "malformed",
        ),
        (
            call("POST", changes).json(&body!({"action": 1})),
            400,
            "malformed",
        ),
        (
            call("POST", changes)
                .json(&body!({"action": "snapshot", "member": "n1", "reason": "x"})),
            400,
            "malformed",
        ),
        (
            call("POST", changes)
                .json(&body!({"action": "promote", "member": "n4", "resaon": "x"})),
            400,
            "malformed",
        ),
        (
            call("POST", changes)
                .header(json_type.0, json_type.1)
                .body(r#"{"action":"promote","action":"remove","member":"n4","reason":"x"}"#),
            400,
            "malformed",
        ),
    ];
    for (request, status, code) in cases {
        let response = request.send().await.unwrap();
        let url = response.url().clone();
        assert_eq!(response.status(), status, "{url} {code}");
        if code.is_empty() {
            continue;
        }
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json",
            "{url}"
        );
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let problem = json(response).await;
        assert_eq!(problem["code"], code, "{url} {problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], id.as_str());
        for field in ["title", "hint", "type"] {
            assert!(
                !problem[field].as_str().unwrap().is_empty(),
                "{url} {problem}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_far_too_much_reads_why_it_is_refused() {
    let console = Running::start().await;
    let token = console.token(Duty::Admin).await;
    // More than the buffers of both ends hold: the sender still writes when the answer is made.
    let request = console
        .call("POST", "/api/v1/clusters/sim/changes")
        .bearer_auth(&token)
        .header("content-type", "application/json")
        .body(vec![b'x'; 3 * 1024 * 1024]);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(json(response).await["code"], "body-too-large");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_change_nothing_is_told_so_before_anything_about_the_body() {
    let console = Running::start().await;
    let viewer = Caller::new(&console, Duty::Viewer).await;
    let (status, problem) = viewer
        .post("/clusters/sim/changes", &body!({"nonsense": 1}), None)
        .await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (403, Some("not-allowed"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_goes_from_preview_to_a_line_in_the_audit_log() {
    let console = Running::start().await;
    let admin = Caller::new(&console, Duty::Admin).await;
    let action = body!({"action": "promote", "member": "n4"});
    let (status, preview) = admin.post("/clusters/sim/preview", &action, None).await;
    assert_eq!(status, 200, "{preview}");
    for field in [
        "before",
        "after",
        "checks",
        "steps",
        "notes",
        "revision",
        "fingerprint",
    ] {
        assert!(preview.get(field).is_some(), "{field}");
    }
    let wish = body!({"action": "promote", "member": "n4", "reason": "more voters",
        "ticket": "OPS-1", "fingerprint": preview["fingerprint"]});
    let (status, accepted) = admin
        .post("/clusters/sim/changes", &wish, Some("key-1"))
        .await;
    assert_eq!(status, 202, "{accepted}");
    let (status, repeated) = admin
        .post("/clusters/sim/changes", &wish, Some("key-1"))
        .await;
    assert_eq!((status, &repeated["id"]), (202, &accepted["id"]));
    let path = format!("/changes/{}", accepted["id"].as_str().unwrap());
    until("the change's end", async || {
        admin.get(&path).await.1["state"] == "succeeded"
    })
    .await;
    let (_, view) = admin.get("/clusters/sim").await;
    let n4 = view["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|member| member["id"] == "n4");
    assert_eq!(n4.unwrap()["role"], "voter");
    assert_eq!(console.cluster.sent().len(), 1);
    let (_, log) = admin
        .get(&format!(
            "/audit?change={}",
            accepted["id"].as_str().unwrap()
        ))
        .await;
    let kinds: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].clone())
        .collect();
    assert_eq!(kinds, ["intent", "outcome"]);
    let intent = &log["items"][0];
    assert_eq!(intent["reason"], "more voters");
    assert_eq!(intent["ticket"], "OPS-1");
    assert_eq!(intent["actor"]["name"], "admin-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_on_an_older_picture_is_refused_with_what_moved() {
    let console = Running::start().await;
    let admin = Caller::new(&console, Duty::Admin).await;
    let action = body!({"action": "promote", "member": "n4"});
    let (_, preview) = admin.post("/clusters/sim/preview", &action, None).await;
    console.cluster.elect("n2");
    until("the new leader", async || {
        admin.get("/clusters/sim").await.1["leader"]["member"] == "n2"
    })
    .await;
    let wish = body!({"action": "promote", "member": "n4", "reason": "x", "fingerprint": preview["fingerprint"]});
    let (status, problem) = admin.post("/clusters/sim/changes", &wish, None).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (409, Some("cluster-moved"))
    );
    assert!(!problem["moved"].as_array().unwrap().is_empty());
    assert!(console.cluster.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_refuses_names_the_rule() {
    let console = Running::start().await;
    let admin = Caller::new(&console, Duty::Admin).await;
    let (_, view) = admin.get("/clusters/sim").await;
    let wish =
        body!({"action": "remove", "member": "n1", "reason": "x", "revision": view["revision"]});
    let (status, problem) = admin.post("/clusters/sim/changes", &wish, None).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("refused")));
    let checks = problem["checks"].as_array().unwrap();
    assert!(
        checks.iter().any(|check| check["code"] == "is-leader"),
        "{checks:?}"
    );
    assert!(console.cluster.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_told_oldest_first_in_pages_and_between_two_moments() {
    let console = Running::start().await;
    let viewer = Caller::new(&console, Duty::Viewer).await;
    let history = async |query: &str| {
        let (status, list) = viewer.get(&format!("/clusters/sim/history{query}")).await;
        assert_eq!(status, 200, "{list}");
        list
    };
    console.cluster.elect("n2");
    let mut told = Value::Null;
    until("the election is told", async || {
        told = history("").await;
        let mut events = told["items"].as_array().unwrap().iter();
        events.any(|event| event["event"] == "leader_agreed" && event["member"] == "n2")
    })
    .await;
    let events = told["items"].as_array().unwrap();
    let number = |event: &Value| event["id"].as_u64().unwrap();
    assert!(events.is_sorted_by_key(number), "{told}");
    assert!(events.len() > 1, "its first leader is told too: {told}");
    assert_eq!(told["next"], Value::Null);

    // Page by page the same; more may have happened since.
    let (mut paged, mut after) = (Vec::new(), String::new());
    while paged.len() < events.len() {
        let page = history(&format!("?limit=1{after}")).await;
        paged.extend(page["items"].as_array().unwrap().iter().cloned());
        after = format!("&after={}", number(paged.last().unwrap()));
    }
    assert_eq!(&paged, events);

    let (first, last) = (&events[0], events.last().unwrap());
    let until_first = format!("?to={}", first["at"].as_str().unwrap());
    let early = history(&until_first).await;
    assert_eq!(&early["items"][0], first);
    let later = history(&format!("?from={}", last["at"].as_str().unwrap())).await;
    let at = |event: &Value| event["at"].as_str().unwrap().to_owned();
    let later = later["items"].as_array().unwrap();
    assert!(later.contains(last) && later.iter().all(|event| at(event) >= at(last)));
    let none = history("?from=2999-01-01T00:00:00Z").await;
    assert_eq!(none["items"], body!([]));
    for (path, status) in [
        ("/clusters/sim/history?from=yesterday", 400),
        ("/clusters/sim/history?since=2026-01-01T00:00:00Z", 400),
        ("/clusters/sim/history?group=default", 404),
        ("/clusters/nowhere/history", 404),
    ] {
        assert_eq!(viewer.get(path).await.0, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_one_shape_and_can_be_paged() {
    let console = Running::start().await;
    let admin = Caller::new(&console, Duty::Admin).await;
    for path in ["/clusters", "/changes", "/snapshots", "/audit"] {
        let (status, list) = admin.get(path).await;
        assert_eq!(status, 200, "{path}");
        assert!(
            list["items"].is_array() && list.get("next").is_some(),
            "{path} {list}"
        );
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let (_, page) = admin.get(&format!("/audit?limit=1{after}")).await;
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["seq"].as_u64().unwrap()),
        );
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let expected: Vec<u64> = (1..=u64::try_from(seen.len()).unwrap()).collect();
    assert_eq!(seen, expected);
    assert!(seen.len() > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_figure_that_is_not_known_is_null() {
    let console = Running::start().await;
    console.cluster.kill("n3");
    let admin = Caller::new(&console, Duty::Viewer).await;
    until("the silence", async || {
        let (_, view) = admin.get("/clusters/sim").await;
        view["members"][2]["state"] == "unreachable"
    })
    .await;
    let (_, view) = admin.get("/clusters/sim").await;
    let object = view.as_object().unwrap();
    for field in [
        "name",
        "kind",
        "version",
        "revision",
        "observed_at",
        "age_ms",
        "sentence",
        "verdict",
        "leader",
        "quorum",
        "members",
        "findings",
        "capabilities",
    ] {
        assert!(object.contains_key(field), "{field}");
    }
    let member = view["members"][2].as_object().unwrap();
    for field in [
        "id",
        "name",
        "address",
        "api_address",
        "zone",
        "role",
        "wanted_role",
        "state",
        "override",
        "term",
        "last_index",
        "applied_index",
        "lag",
        "lag_source",
        "last_contact_ms",
        "age_ms",
        "readiness",
        "names_leader",
        "findings",
        "actions",
    ] {
        assert!(member.contains_key(field), "{field}");
    }
    assert_eq!(member["zone"], Value::Null);
    assert_eq!(member["wanted_role"], Value::Null);
}
