//! Agents that are wrong on purpose: the checks must find each of them out.

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    checks::Subject,
    cluster::{Cluster, TOKEN},
};

/// What a wrong agent does differently.
#[derive(Clone, Copy)]
enum Wrong {
    LetsEverybodyIn,
    TellsMoments,
    CallsNoOpsDone,
    ForgetsFields,
    NeverPushes,
}

#[derive(Clone)]
struct Stand {
    origin: String,
    http: reqwest::Client,
    wrong: Wrong,
}

/// Passes everything on to a right agent but for one thing.
async fn pass(State(stand): State<Stand>, request: Request, _next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let url = format!("{}{}", stand.origin, parts.uri);
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let changes = parts.uri.path().ends_with("/changes");
    let mut on = stand.http.request(parts.method, url).body(body);
    for (name, value) in &parts.headers {
        if *name != header::HOST && *name != header::AUTHORIZATION {
            on = on.header(name, value);
        }
    }
    on = match (stand.wrong, parts.headers.get(header::AUTHORIZATION)) {
        (Wrong::LetsEverybodyIn, _) => on.bearer_auth(TOKEN),
        (_, Some(value)) => on.header(header::AUTHORIZATION, value),
        (_, None) => on,
    };
    if matches!(stand.wrong, Wrong::NeverPushes) && parts.uri.path().ends_with("/events") {
        let known = parts
            .headers
            .get(header::AUTHORIZATION)
            .is_some_and(|v| v.as_bytes().ends_with(TOKEN.as_bytes()));
        if known {
            let silent =
                Body::from_stream(futures::stream::pending::<Result<String, std::io::Error>>());
            return ([(header::CONTENT_TYPE, "text/event-stream")], silent).into_response();
        }
    }
    let response = on.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    if headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "text/event-stream")
    {
        return (headers, Body::from_stream(response.bytes_stream())).into_response();
    }
    if matches!(stand.wrong, Wrong::CallsNoOpsDone) && changes && status == 422 {
        return (StatusCode::OK, Json(json!({ "outcome": "done" }))).into_response();
    }
    let mut body: Value = response.json().await.unwrap_or_default();
    spoil(stand.wrong, &mut body);
    let kind = headers.get(header::CONTENT_TYPE).cloned();
    let mut answer = (status, Json(body)).into_response();
    if let Some(kind) = kind {
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    answer
}

fn spoil(wrong: Wrong, body: &mut Value) {
    let Some(fields) = body.as_object_mut() else {
        return;
    };
    match wrong {
        Wrong::TellsMoments if fields.contains_key("quorum_evidence_ms") => {
            fields.insert(
                "quorum_evidence_ms".to_owned(),
                json!(1_795_239_871_138_294_267_u64),
            );
        }
        Wrong::ForgetsFields => {
            fields.remove("fault");
        }
        _ => {}
    }
}

async fn complaint(cluster: &Cluster, wrong: Wrong) -> String {
    let leader = cluster.leader().await;
    let stand = Stand {
        origin: format!("http://{}", cluster.nodes[&leader].address),
        http: cluster.http.clone(),
        wrong,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().layer(middleware::from_fn_with_state(stand, pass));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let outcome = Subject::new(&address, TOKEN).soon().conforms().await;
    server.abort();
    outcome.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_are_wrong_on_purpose_are_found_out() {
    let cluster = Cluster::start(3, 0).await;
    for (wrong, finding) in [
        (Wrong::LetsEverybodyIn, "lets strangers in"),
        (Wrong::TellsMoments, "no age"),
        (Wrong::CallsNoOpsDone, "200 instead of 422"),
        (Wrong::ForgetsFields, "`fault` is missing"),
        (Wrong::NeverPushes, "no event came"),
    ] {
        let complaint = complaint(&cluster, wrong).await;
        assert!(complaint.contains(finding), "{complaint}");
    }
}
