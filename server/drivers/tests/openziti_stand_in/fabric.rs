//! The fabric API: list and change members, snapshots, integrity, inspections.

use std::time::{Duration, Instant};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    edge::{ADMINISTRATOR, caller},
    routes::{Controller, answer, broken, empty, problem, problem_body, unauthorized},
    world::{Node, State as Cluster, Trap},
};

pub fn routes() -> Router<Controller> {
    Router::new()
        .route("/cluster/list-members", get(list))
        .route("/cluster/add-member", post(add))
        .route("/cluster/remove-member", post(remove))
        .route("/cluster/transfer-leadership", post(transfer))
        .route("/database/snapshot", post(snapshot))
        .route("/database", post(older_snapshot))
        .route("/database/check-data-integrity", post(check_integrity))
        .route("/database/data-integrity-results", get(integrity))
        .route("/inspections", post(inspect))
}

fn may(controller: &Controller, headers: &HeaderMap) -> bool {
    caller(controller, headers).as_deref() == Some(ADMINISTRATOR.0)
}

fn rows(state: &Cluster, id: &str) -> Vec<Value> {
    let node = state.node(id);
    let read_only = state.read_only(id);
    let row = |other: &str, address: &str, voter: bool, connected: bool| {
        let known = state.nodes.get(other);
        let version = match known {
            Some(known) if connected => known.version.as_str(),
            _ => "<not connected>",
        };
        let mut row = json!({
            "id": other, "address": address, "voter": voter, "leader": node.names() == Some(other),
            "version": version, "connected": connected, "readOnly": read_only,
        });
        if connected && known.is_some_and(|known| known.preferred) {
            row["preferredLeader"] = json!(true);
        }
        row
    };
    let listed = node.config.iter().map(|server| {
        let linked = state.linked(id, &server.id);
        row(&server.id, &server.address, server.voter, linked)
    });
    let strangers = state.strangers(id).into_iter();
    listed
        .chain(strangers.map(|other| row(&other.id, &other.address, false, true)))
        .collect()
}

async fn list(State(controller): State<Controller>, headers: HeaderMap) -> Response {
    if !may(&controller, &headers) {
        return unauthorized();
    }
    let mut state = controller.world.state();
    let body = json!({ "data": rows(&state, &controller.id) });
    if state.node_mut(&controller.id).springs(Trap::AnswersTwice) {
        let error = problem_body("UNHANDLED", "failed to get raft configuration", None);
        return (
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            Body::from(format!("{error}{body}")),
        )
            .into_response();
    }
    answer(200, body)
}

/// A body with a field of each of these names.
fn fields(body: &Bytes, names: &[&str]) -> Result<Value, Box<Response>> {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let missing = names.iter().find(|name| value.get(**name).is_none());
    match missing {
        None => Ok(value),
        Some(name) => {
            let mut body = problem_body(
                "COULD_NOT_VALIDATE",
                "The supplied request contains an invalid document",
                None,
            );
            body["error"]["cause"] = json!({
                "field": name, "reason": format!("{name} is required"), "value": ""
            });
            Err(Box::new(answer(400, body)))
        }
    }
}

/// What is to be done at the leader.
#[derive(Clone)]
enum Act {
    Add(String, bool),
    Remove(String),
    Transfer(Option<String>),
}

impl Act {
    async fn at(self, controller: &Controller, leader: &str) -> Result<(), String> {
        let world = &controller.world;
        match self {
            Self::Add(address, voter) => world.add_peer(leader, &address, voter).await,
            Self::Remove(id) => world.remove_peer(leader, &id).await,
            Self::Transfer(target) => world.transfer(leader, target.as_deref()).await,
        }
    }

    fn failure(&self, why: &str) -> Response {
        let invalid = |field: &str, value: &str, what: &str| {
            let cause = format!("the value '{value}' for '{field}' is invalid: {what}: [{why}]");
            problem(
                400,
                "INVALID_FIELD",
                "The field contains an invalid value",
                Some(&cause),
            )
        };
        match self {
            Self::Add(address, _) => invalid(
                "address",
                address,
                "unable to add cluster member for supplied address",
            ),
            Self::Remove(id) => invalid("id", id, "unable to remove cluster member"),
            Self::Transfer(_) => problem(
                500,
                "TRANSFER_LEADERSHIP_ERROR",
                "The leadership could not be transferred",
                Some(why),
            ),
        }
    }
}

/// Does it here if this one leads; else passes it to the leader and waits a short while.
async fn carry_out(controller: Controller, act: Act) -> Response {
    let (leader, itself, forward) = {
        let state = controller.world.state();
        let believed = state.node(&controller.id).believes.clone();
        let itself = state.leader.as_deref() == Some(controller.id.as_str());
        (believed, itself, state.pace.forward)
    };
    let Some(leader) = leader else {
        return problem(503, "CLUSTER_NO_LEADER", "The cluster has no leader", None);
    };
    let (doing, at) = (act.clone(), leader.clone());
    let on = controller.clone();
    // It goes on when the call is cut off.
    let running = tokio::spawn(async move { doing.at(&on, &at).await });
    let outcome = if itself {
        running.await.unwrap()
    } else {
        match tokio::time::timeout(forward, running).await {
            Ok(outcome) => outcome.unwrap(),
            Err(_) => Err("timeout waiting for message reply: context deadline exceeded".into()),
        }
    };
    if let Err(why) = outcome {
        return act.failure(&why);
    }
    let (times_out, breaks) = {
        let mut state = controller.world.state();
        let node = state.node_mut(&controller.id);
        (
            node.springs(Trap::TimesOutAfterwards),
            node.springs(Trap::BreaksAfterwards),
        )
    };
    if times_out {
        return problem(503, "TIMEOUT", "the request timed out", None);
    }
    if breaks {
        return Response::new(broken());
    }
    empty(200)
}

async fn add(State(controller): State<Controller>, headers: HeaderMap, body: Bytes) -> Response {
    if !may(&controller, &headers) {
        return unauthorized();
    }
    match fields(&body, &["address", "isVoter"]) {
        Err(refusal) => *refusal,
        Ok(body) => {
            let address = body["address"].as_str().unwrap_or_default().to_owned();
            let voter = body["isVoter"].as_bool().unwrap_or_default();
            carry_out(controller, Act::Add(address, voter)).await
        }
    }
}

async fn remove(State(controller): State<Controller>, headers: HeaderMap, body: Bytes) -> Response {
    if !may(&controller, &headers) {
        return unauthorized();
    }
    match fields(&body, &["id"]) {
        Err(refusal) => *refusal,
        Ok(body) => {
            let id = body["id"].as_str().unwrap_or_default().to_owned();
            carry_out(controller, Act::Remove(id)).await
        }
    }
}

async fn transfer(
    State(controller): State<Controller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !may(&controller, &headers) {
        return unauthorized();
    }
    match fields(&body, &[]) {
        Err(refusal) => *refusal,
        Ok(body) => {
            let target = body["newLeaderId"].as_str().map(str::to_owned);
            carry_out(controller, Act::Transfer(target)).await
        }
    }
}

async fn snapshot(
    State(controller): State<Controller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !may(&controller, &headers) {
        return unauthorized();
    }
    let body = fields(&body, &[]).unwrap_or(Value::Null);
    let mut state = controller.world.state();
    if state.node(&controller.id).older_snapshots {
        return axum::http::StatusCode::NOT_FOUND.into_response();
    }
    let pause = state.pace.snapshots;
    let node = state.node_mut(&controller.id);
    if node.snapshot_at.is_some_and(|at| at.elapsed() < pause) {
        return busy();
    }
    node.snapshot_at = Some(Instant::now());
    let path = body["path"]
        .as_str()
        .unwrap_or("__DB_DIR__/__DB_FILE__-__DATE__-__TIME__")
        .replace("__DB_DIR__", "/var/lib/ziti")
        .replace("__DB_FILE__", "ctrl.db")
        .replace("__DATE__", "20260820")
        .replace("__TIME__", "100000")
        .replace("__RAFT_INDEX__", &node.applied.to_string());
    answer(200, json!({ "data": { "path": path }, "meta": {} }))
}

/// Without a path, and without a word where it is.
async fn older_snapshot(State(controller): State<Controller>, headers: HeaderMap) -> Response {
    if !may(&controller, &headers) {
        return unauthorized();
    }
    empty(200)
}

fn busy() -> Response {
    problem(
        429,
        "RATE_LIMITED",
        "The resource is rate limited and the rate limit has been exceeded. Please try again later",
        None,
    )
}

/// How often a check of integrity is told as not over.
const RUNS: u32 = 2;

fn idle() -> Value {
    json!({
        "inProgress": false, "fixingErrors": false, "tooManyErrors": false, "startTime": null,
        "endTime": null, "error": "", "results": []
    })
}

async fn check_integrity(State(controller): State<Controller>, headers: HeaderMap) -> Response {
    if !may(&controller, &headers) {
        return unauthorized();
    }
    let mut state = controller.world.state();
    let node = state.node_mut(&controller.id);
    if node.integrity_runs > 0 {
        return busy();
    }
    let found = |flaw: &String| json!({ "description": flaw, "fixed": false });
    node.integrity_checks += 1;
    node.integrity_runs = RUNS;
    let mut results = idle();
    results["results"] = node.flaws.iter().map(found).collect();
    results["startTime"] = json!(format!(
        "2026-08-20T10:{:02}:00.000Z",
        node.integrity_checks
    ));
    results["endTime"] = json!(format!(
        "2026-08-20T10:{:02}:01.000Z",
        node.integrity_checks
    ));
    node.integrity = Some(results);
    if node.springs(Trap::TimesOutAfterwards) {
        return problem(503, "TIMEOUT", "the request timed out", None);
    }
    empty(202)
}

async fn integrity(State(controller): State<Controller>, headers: HeaderMap) -> Response {
    if !may(&controller, &headers) {
        return unauthorized();
    }
    let mut state = controller.world.state();
    let node = state.node_mut(&controller.id);
    let mut results = node.integrity.clone().unwrap_or_else(idle);
    if node.integrity_runs > 0 {
        node.integrity_runs -= 1;
        results["inProgress"] = json!(true);
        results["endTime"] = json!(null);
        results["results"] = json!([]);
    }
    answer(200, json!({ "data": results, "meta": {} }))
}

/// Since the second preview of 2.1 the applied index; before that the last write routers are
/// told of.
fn index(state: &Cluster, node: &Node) -> u64 {
    if node.version.as_str() >= "v2.1" {
        node.applied
    } else {
        state.model.min(node.applied)
    }
}

/// `^(a|b)$` as the driver writes it.
fn names(pattern: &str) -> Vec<String> {
    let inner = pattern.trim_start_matches("^(").trim_end_matches(")$");
    inner
        .split('|')
        .map(|name| name.replace('\\', ""))
        .collect()
}

async fn inspect(
    State(controller): State<Controller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !may(&controller, &headers) {
        return unauthorized();
    }
    let body = match fields(&body, &["appRegex", "requestedValues"]) {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let wanted = names(body["appRegex"].as_str().unwrap_or_default());
    let asked: Vec<String> = serde_json::from_value(body["requestedValues"].clone()).unwrap();
    let mut values = Vec::new();
    for id in wanted {
        let linked = {
            let state = controller.world.state();
            state.nodes.contains_key(&id) && state.linked(&controller.id, &id)
        };
        // Who is not connected is absent, without a word.
        if !linked {
            continue;
        }
        if id != controller.id {
            let slow = controller.world.state().node(&id).slow;
            tokio::time::sleep(slow.min(Duration::from_secs(10))).await;
        }
        let state = controller.world.state();
        let node = state.node(&id);
        for name in &asked {
            let value = match name.as_str() {
                "data-model-index" => {
                    json!({ "index": index(&state, node), "timeline": state.timeline })
                }
                "connected-peers" => json!(peers(&state, &id)),
                _ => continue,
            };
            values.push(json!({ "appId": id, "name": name, "value": value }));
        }
    }
    answer(
        200,
        json!({ "success": true, "errors": null, "values": values }),
    )
}

fn peers(state: &Cluster, id: &str) -> Vec<Value> {
    let peer = |row: Value| {
        json!({
            "id": row["id"], "addr": row["address"], "isVoter": row["voter"],
            "isLeader": row["leader"], "version": row["version"], "isConnected": row["connected"],
            "isPreferredLeader": row.get("preferredLeader").is_some(),
        })
    };
    rows(state, id).into_iter().map(peer).collect()
}
