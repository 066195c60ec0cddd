//! A node's HTTP: Raft messages from peers, keys and values, the demo's switches.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use openraft::{
    BasicNode, ReadPolicy,
    async_runtime::watch::WatchReceiver,
    errors::{ClientWriteError, Fatal, ForwardToLeader, LinearizableReadError, RaftError},
    raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    faults::{Faults, Switches},
    host::Hello,
    identity::Identity,
    machine::Machine,
    network::FROM,
    types::{Command, Raft, Snapshot, TypeConfig, member_of},
};

/// How long a client's read or write may take.
const CLIENT_LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Shared {
    pub identity: Arc<Identity>,
    pub raft: Raft,
    pub machine: Machine,
    pub faults: Arc<Faults>,
    pub token: Arc<str>,
}

pub fn router(shared: Shared) -> Router {
    let peers = Router::new()
        .route("/raft/append", post(append))
        .route("/raft/vote", post(vote))
        .route("/raft/pre-vote", post(pre_vote))
        .route("/raft/snapshot", post(snapshot))
        .route("/raft/transfer", post(transfer))
        .layer(DefaultBodyLimit::max(256 * 1024 * 1024));
    let guarded = Router::new()
        .merge(peers)
        .route("/demo/init", post(init))
        .route("/demo/load", get(load).post(set_load))
        .route("/demo/fault", get(fault).post(set_fault))
        .route("/demo/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(shared.clone(), guard));
    Router::new()
        .merge(guarded)
        .route("/demo/hello", get(hello))
        .route("/kv", get(list))
        .route("/kv/{key}", get(read).put(write))
        .with_state(shared)
}

async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !has_token(headers, &shared.token) {
        return (StatusCode::UNAUTHORIZED, "the cluster's token is needed\n").into_response();
    }
    let from = headers
        .get(FROM)
        .and_then(|from| from.to_str().ok())
        .unwrap_or_default();
    if shared.faults.cuts(from) {
        return (StatusCode::SERVICE_UNAVAILABLE, "cut by a fault switch\n").into_response();
    }
    next.run(request).await
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    // Equal length and no differing byte, without stopping at the first.
    let differing = given
        .bytes()
        .zip(token.bytes())
        .fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differing == 0 && !token.is_empty()
}

/// A Raft core that has ended answers nobody.
fn answer<T: Serialize, E: std::error::Error>(result: Result<T, E>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn append(
    State(shared): State<Shared>,
    Json(rpc): Json<AppendEntriesRequest<TypeConfig>>,
) -> Response {
    answer(shared.raft.append_entries(rpc).await)
}

async fn vote(State(shared): State<Shared>, Json(rpc): Json<VoteRequest<TypeConfig>>) -> Response {
    answer(shared.raft.vote(rpc).await)
}

async fn pre_vote(
    State(shared): State<Shared>,
    Json(rpc): Json<VoteRequest<TypeConfig>>,
) -> Response {
    answer(shared.raft.pre_vote(rpc).await)
}

async fn snapshot(State(shared): State<Shared>, body: Bytes) -> Response {
    let end = body
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(body.len());
    let Ok((vote, meta)) = serde_json::from_slice(body.get(..end).unwrap_or_default()) else {
        return (StatusCode::BAD_REQUEST, "not a snapshot\n").into_response();
    };
    let data = body
        .get(end.saturating_add(1)..)
        .unwrap_or_default()
        .to_vec();
    let snapshot = Snapshot {
        meta,
        snapshot: data,
    };
    answer::<_, Fatal<TypeConfig>>(shared.raft.install_full_snapshot(vote, snapshot).await)
}

async fn transfer(
    State(shared): State<Shared>,
    Json(rpc): Json<TransferLeaderRequest<TypeConfig>>,
) -> Response {
    answer(shared.raft.handle_transfer_leader(rpc).await)
}

async fn init(State(shared): State<Shared>, Json(voters): Json<BTreeMap<u64, String>>) -> Response {
    let voters: BTreeMap<u64, BasicNode> = voters
        .into_iter()
        .map(|(id, address)| (id, BasicNode::new(address)))
        .collect();
    answer(shared.raft.initialize(voters).await)
}

/// What openraft says of itself, in its own words: the agent's can be held against them.
async fn metrics(State(shared): State<Shared>) -> Response {
    Json(shared.raft.metrics().borrow_watched().clone()).into_response()
}

async fn hello(State(shared): State<Shared>) -> Response {
    let Identity { id, cluster_id, .. } = shared.identity.as_ref().clone();
    let initialized = shared.raft.is_initialized().await;
    answer(initialized.map(|initialized| Hello {
        id,
        cluster_id,
        empty: !initialized,
    }))
}

#[derive(Deserialize)]
struct Reading {
    /// Answer from this node's own state, however old.
    #[serde(default)]
    stale: bool,
    #[serde(default)]
    prefix: String,
}

async fn list(State(shared): State<Shared>, Query(reading): Query<Reading>) -> Response {
    if let Err(response) = linearize(&shared, &reading).await {
        return response;
    }
    answer(shared.machine.all(&reading.prefix))
}

async fn read(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Query(reading): Query<Reading>,
) -> Response {
    if let Err(response) = linearize(&shared, &reading).await {
        return response;
    }
    match shared.machine.get(&key) {
        Ok(Some(value)) => value.into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Makes sure that what is read next is no older than this moment.
async fn linearize(shared: &Shared, reading: &Reading) -> Result<(), Response> {
    if reading.stale {
        return Ok(());
    }
    let confirmed = shared.raft.ensure_linearizable(ReadPolicy::ReadIndex);
    match tokio::time::timeout(CLIENT_LIMIT, confirmed).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)))) => {
            Err(elsewhere(&forward))
        }
        Ok(Err(error)) => Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response()),
        Err(_) => Err((StatusCode::SERVICE_UNAVAILABLE, "no answer in time").into_response()),
    }
}

async fn write(State(shared): State<Shared>, Path(key): Path<String>, value: String) -> Response {
    submit(&shared, Command::Set { key, value }).await
}

/// 200 once a majority has it on disk; 421 with the leader's address; 503 or 504 otherwise.
async fn submit(shared: &Shared, command: Command) -> Response {
    match tokio::time::timeout(CLIENT_LIMIT, shared.raft.client_write(command)).await {
        Ok(Ok(written)) => Json(json!({ "index": written.log_id.index() })).into_response(),
        Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => {
            elsewhere(&forward)
        }
        Ok(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
        Err(_) => (
            StatusCode::GATEWAY_TIMEOUT,
            "not known whether it was written",
        )
            .into_response(),
    }
}

fn elsewhere(forward: &ForwardToLeader<TypeConfig>) -> Response {
    let address = forward
        .leader_node
        .as_ref()
        .map(|node| format!("http://{}", node.addr));
    let body = json!({ "leader": forward.leader_id.map(member_of), "address": address });
    let known = forward.leader_id.is_some();
    let status = if known {
        StatusCode::MISDIRECTED_REQUEST
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(body)).into_response()
}

async fn load(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({ "per_second": shared.machine.load() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Load {
    per_second: u32,
}

/// The load is part of the replicated state: it stays when leadership moves. Any node takes the
/// order; one that does not lead names the leader.
async fn set_load(State(shared): State<Shared>, Json(Load { per_second }): Json<Load>) -> Response {
    submit(&shared, Command::Load { per_second }).await
}

async fn fault(State(shared): State<Shared>) -> Json<Switches> {
    Json(shared.faults.get())
}

async fn set_fault(State(shared): State<Shared>, Json(switches): Json<Switches>) -> Json<Switches> {
    shared.faults.set(switches);
    Json(shared.faults.get())
}
