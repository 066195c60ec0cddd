//! Hosts of very many groups that nobody runs: they speak the agent protocol and hold a table.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};

const HOSTS: usize = 3;

struct Group {
    leader: Option<usize>,
    term: u64,
    /// As hosts count them; nobody says who they are.
    learners: u32,
    moved: u64,
}

struct World {
    groups: Vec<Group>,
    moved: u64,
    origins: Vec<String>,
}

/// Three hosts on ports of their own; each group votes on all of them.
pub struct MadeUp {
    world: Arc<Mutex<World>>,
    /// Lines that were told since this was read last.
    told: Arc<AtomicU64>,
    stopped: Vec<Arc<AtomicBool>>,
    servers: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Clone)]
struct Host {
    number: usize,
    world: Arc<Mutex<World>>,
    told: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

pub fn name(group: usize) -> String {
    format!("group-{group:05}")
}

impl MadeUp {
    /// Leadership is spread evenly over the hosts.
    pub async fn start(groups: usize) -> Self {
        let group = |number| Group {
            leader: Some(number % HOSTS),
            term: 7,
            learners: 0,
            moved: 1,
        };
        let world = World {
            groups: (0..groups).map(group).collect(),
            moved: 1,
            origins: Vec::new(),
        };
        let mut made = Self {
            world: Arc::new(Mutex::new(world)),
            told: Arc::default(),
            stopped: Vec::new(),
            servers: Vec::new(),
        };
        for number in 0..HOSTS {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let origin = format!("http://{}", listener.local_addr().unwrap());
            made.world.lock().unwrap().origins.push(origin);
            let stopped: Arc<AtomicBool> = Arc::default();
            made.stopped.push(Arc::clone(&stopped));
            let host = Host {
                stopped,
                number,
                world: Arc::clone(&made.world),
                told: Arc::clone(&made.told),
            };
            let app = Router::new()
                .route("/quorate/agent/v1/identity", get(identity))
                .route("/quorate/agent/v1/groups", get(bulk))
                .route("/quorate/agent/v1/groups/{group}", get(view))
                .route("/quorate/agent/v1/groups/{group}/changes", post(change))
                .with_state(host);
            let serving = async move { axum::serve(listener, app).await.unwrap() };
            made.servers.push(tokio::spawn(serving));
        }
        made
    }

    pub fn origin(&self, host: usize) -> String {
        self.world.lock().unwrap().origins[host].clone()
    }

    /// The group has this leader, or none, in a new term.
    pub fn lead(&self, group: usize, leader: Option<usize>) {
        let mut world = self.world.lock().unwrap();
        world.moved += 1;
        let moved = world.moved;
        let group = &mut world.groups[group];
        group.leader = leader;
        group.term += 1;
        group.moved = moved;
    }

    /// The group has so many learners.
    #[allow(dead_code)]
    pub fn learn(&self, group: usize, learners: u32) {
        let mut world = self.world.lock().unwrap();
        world.moved += 1;
        let moved = world.moved;
        let group = &mut world.groups[group];
        (group.learners, group.moved) = (learners, moved);
    }

    /// How many lines were told since the last call.
    pub fn told(&self) -> u64 {
        self.told.swap(0, Ordering::SeqCst)
    }

    /// One host has nothing to say any more.
    #[allow(dead_code)]
    pub fn stop(&self, host: usize) {
        self.stopped[host].store(true, Ordering::SeqCst);
    }
}

impl Drop for MadeUp {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

fn host(number: usize) -> String {
    format!("host-{}", number + 1)
}

async fn identity(State(at): State<Host>) -> Result<Json<Value>, StatusCode> {
    at.runs()?;
    Ok(Json(json!({
        "protocol": 1, "implementation": "dragonboat", "library_version": "v4.0.0",
        "agent_version": "0", "program": "made up", "cluster_id": "c1",
        "member": host(at.number), "instance": "1", "rights": ["read", "change"],
        "capabilities": [{ "action": "transfer", "supported": true, "target": true, "note": null }],
    })))
}

#[derive(serde::Deserialize)]
struct Asked {
    since: Option<String>,
}

impl Host {
    fn runs(&self) -> Result<(), StatusCode> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        Ok(())
    }
}

async fn bulk(
    State(at): State<Host>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, StatusCode> {
    at.runs()?;
    let world = at.world.lock().unwrap();
    let since: Option<u64> = asked.since.and_then(|text| text.parse().ok());
    let groups = world.groups.iter().enumerate();
    let told = groups.filter(|(_, group)| since.is_none_or(|since| group.moved > since));
    let lines: Vec<Value> = told
        .map(|(number, group)| {
            json!({
                "member": host(at.number), "membership_revision": "3", "voters": HOSTS,
                "learners": group.learners, "fault": null, "group": name(number), "last_index": 100,
                "commit_index": 100, "term": group.term, "leader": group.leader.map(host),
                "state": if group.leader == Some(at.number) { "leader" } else { "follower" },
                "claims_leadership": group.leader == Some(at.number),
            })
        })
        .collect();
    at.told
        .fetch_add(u64::try_from(lines.len()).unwrap(), Ordering::SeqCst);
    let complete = since.is_none();
    Ok(Json(json!({
        "revision": world.moved.to_string(), "complete": complete, "groups": lines, "gone": [],
    })))
}

/// Leadership goes to whoever is named; there is no other change.
async fn change(
    State(at): State<Host>,
    Path(group): Path<String>,
    Json(asked): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let mut world = at.world.lock().unwrap();
    let target = (0..HOSTS).find(|number| asked["member"] == host(*number));
    let target = target.filter(|_| asked["action"] == "transfer");
    world.moved += 1;
    let moved = world.moved;
    let number = (0..world.groups.len()).find(|number| name(*number) == group);
    let (Some(target), Some(number)) = (target, number) else {
        return Err(StatusCode::NOT_FOUND);
    };
    let led = &mut world.groups[number];
    (led.leader, led.moved) = (Some(target), moved);
    led.term += 1;
    Ok(Json(json!({
        "action": "transfer", "member": host(target), "outcome": "done", "revision": "3",
        "leader": host(target), "term": led.term, "snapshot": null,
    })))
}

async fn view(
    State(at): State<Host>,
    Path(group): Path<String>,
) -> Result<Json<Value>, StatusCode> {
    at.runs()?;
    let world = at.world.lock().unwrap();
    let mut all = world.groups.iter().enumerate();
    let (_, found) = all
        .find(|(number, _)| name(*number) == group)
        .ok_or(StatusCode::NOT_FOUND)?;
    let leads = found.leader == Some(at.number);
    let member = |number: usize| {
        json!({
            "id": host(number), "name": host(number), "address": format!("10.0.0.{number}:1"),
            "agent_address": world.origins[number], "role": "voter",
        })
    };
    Ok(Json(json!({
        "group": group, "member": host(at.number), "instance": "1",
        "state": if leads { "leader" } else { "follower" }, "term": found.term,
        "leader": found.leader.map(host), "claims_leadership": leads,
        "quorum_evidence_ms": leads.then_some(1), "election_timeout_ms": 1000,
        "heartbeat_interval_ms": 100, "last_index": 100, "commit_index": 100,
        "applied_index": 100, "snapshot": null, "voter": true, "fault": null, "burned": [],
        "membership": {
            "revision": "3", "committed": true,
            "members": (0..HOSTS).map(member).collect::<Vec<_>>(),
            "configs": [(0..HOSTS).map(host).collect::<Vec<_>>()],
        },
        "progress": {},
    })))
}
