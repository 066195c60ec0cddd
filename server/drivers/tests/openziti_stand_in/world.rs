//! The simulated cluster behind the stand-in controllers: one Raft configuration, one log, who
//! reaches whom, and what each controller believes. Knows nothing of HTTP.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::broadcast;

/// The times controllers go by, shortened.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Silence after which a follower gives its leader up.
    pub election: Duration,
    /// How long the leader tries to reach a newcomer; 15 s in truth.
    pub dial: Duration,
    /// How long a follower waits for what it has forwarded; 5 s in truth.
    pub forward: Duration,
    /// After which every call is cut off; 10 s in truth.
    pub cut_off: Duration,
    /// After which a leader hands over to a preferred one; 10 s in truth.
    pub hand_back: Duration,
    /// How long somebody connected may be no member; 1 min in truth.
    pub drop_strangers: Duration,
    /// How often a snapshot may be made; 1 min in truth.
    pub snapshots: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            election: Duration::from_millis(150),
            dial: Duration::from_millis(900),
            forward: Duration::from_millis(300),
            cut_off: Duration::from_millis(600),
            hand_back: Duration::from_millis(600),
            drop_strangers: Duration::from_secs(4),
            snapshots: Duration::from_millis(400),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Running,
    /// Takes connections and answers nothing.
    Frozen,
    Dead,
}

/// A line of the Raft configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub id: String,
    pub address: String,
    pub voter: bool,
}

/// What goes wrong with one call of one controller, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// A change of role stops after the removal.
    StopsHalfWay,
    /// It is done, and the answer is 503.
    TimesOutAfterwards,
    /// It is done, and the connection breaks.
    BreaksAfterwards,
    /// The list of members is two documents, the first an error.
    AnswersTwice,
}

/// One controller.
#[derive(Clone, Debug)]
pub struct Node {
    pub id: String,
    /// `tls:127.0.0.1:…`, where its control plane would be.
    pub address: String,
    /// Where its API is, without a path.
    pub url: String,
    pub life: Life,
    pub slow: Duration,
    pub version: String,
    /// Only controllers of the same part reach one another.
    pub part: u8,
    /// Its own copy of the configuration.
    pub config: Vec<Server>,
    pub believes: Option<String>,
    /// Whom it names whatever it believes.
    pub lies: Option<String>,
    pub applied: u64,
    /// Its log stands still.
    pub held: bool,
    pub preferred: bool,
    /// Whether its line in the list of controllers has addresses.
    pub announces: bool,
    /// Connected as a stranger, to these, until then.
    pub stranger_to: BTreeSet<String>,
    pub stranger_until: Option<Instant>,
    pub traps: Vec<Trap>,
    /// The data with the console's identity have reached it.
    pub knows_identities: bool,
    pub snapshot_at: Option<Instant>,
    /// It knows the call without a path only.
    pub older_snapshots: bool,
    /// What the last integrity check found, and what one would find now.
    pub integrity: Option<Value>,
    /// How often one has begun, and how many times more it tells that it is not over.
    pub integrity_checks: u32,
    pub integrity_runs: u32,
    pub flaws: Vec<String>,
    contact: Instant,
}

pub struct State {
    pub nodes: BTreeMap<String, Node>,
    pub log: u64,
    /// Index of the last write that routers are told of.
    pub model: u64,
    pub config: Vec<Server>,
    pub leader: Option<String>,
    pub leader_since: Instant,
    leader_lost: Option<Instant>,
    pub timeline: String,
    pub pace: Pace,
    /// All controllers have channels to all others (from 2.1 on), or only the leader has.
    pub mesh: bool,
    /// Whose a session or token is, and until when.
    pub tokens: BTreeMap<String, (String, Instant)>,
}

/// Shared by all controllers.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    /// Events: who emits it, and its JSON.
    pub events: broadcast::Sender<(String, Value)>,
}

impl World {
    pub fn new(pace: Pace, mesh: bool) -> Self {
        let state = State {
            nodes: BTreeMap::new(),
            log: 100,
            model: 90,
            config: Vec::new(),
            leader: None,
            leader_since: Instant::now(),
            leader_lost: None,
            timeline: "MMt19ldHR".to_owned(),
            pace,
            mesh,
            tokens: BTreeMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            events: broadcast::channel(256).0,
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn emit(&self, from: &str, event: &str, more: Value) {
        let mut body = json!({
            "namespace": "cluster", "event_src_id": from,
            "timestamp": "2026-08-20T10:00:00.1Z", "eventType": event,
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let _ = self.events.send((from.to_owned(), body));
    }

    /// Everybody who holds the configuration tells that it changed.
    pub fn emit_members(&self) {
        let (holders, more) = {
            let mut state = self.state();
            state.spread();
            let peers: Vec<Value> = state.config.iter().map(peer_line).collect();
            let running = state
                .nodes
                .values()
                .filter(|node| node.life == Life::Running);
            let holders: Vec<String> = running
                .filter(|node| node.config == state.config)
                .map(|node| node.id.clone())
                .collect();
            (holders, json!({ "index": state.log, "peers": peers }))
        };
        for id in holders {
            self.emit(&id, "members.changed", more.clone());
        }
    }

    /// One moment: elections, steps down, what the leader sends to the others.
    pub fn tick(&self) {
        let moved = {
            let mut state = self.state();
            let before = state.leader.clone();
            state.elect();
            state.hand_back();
            state.spread();
            (before != state.leader).then(|| (before, state.leader.clone()))
        };
        // Bystanders of a change without a gap emit nothing.
        match moved {
            Some((Some(_), Some(winner)) | (None, Some(winner))) => {
                let more = json!({ "leaderId": winner });
                self.emit(&winner, "leadership.gained", json!({}));
                self.emit(&winner, "state.has_leader", more);
            }
            Some((Some(loser), None)) => self.emit(&loser, "leadership.lost", json!({})),
            _ => {}
        }
    }
}

fn peer_line(server: &Server) -> Value {
    json!({
        "id": server.id, "addr": server.address, "apiAddresses": null, "isPreferredLeader": false
    })
}

impl Node {
    pub fn new(id: &str, address: String, url: String, version: &str) -> Self {
        Self {
            id: id.to_owned(),
            address,
            url,
            life: Life::Running,
            slow: Duration::ZERO,
            version: version.to_owned(),
            part: 0,
            config: Vec::new(),
            believes: None,
            lies: None,
            applied: 0,
            held: false,
            preferred: false,
            announces: true,
            stranger_to: BTreeSet::new(),
            stranger_until: None,
            traps: Vec::new(),
            knows_identities: true,
            snapshot_at: None,
            older_snapshots: false,
            integrity: None,
            integrity_checks: 0,
            integrity_runs: 0,
            flaws: Vec::new(),
            contact: Instant::now(),
        }
    }

    /// What it says whom it follows.
    pub fn names(&self) -> Option<&str> {
        self.lies.as_deref().or(self.believes.as_deref())
    }

    pub fn springs(&mut self, trap: Trap) -> bool {
        let found = self.traps.iter().position(|other| *other == trap);
        found.map(|place| self.traps.remove(place)).is_some()
    }
}

impl State {
    pub fn node(&self, id: &str) -> &Node {
        &self.nodes[id]
    }

    pub fn node_mut(&mut self, id: &str) -> &mut Node {
        self.nodes.get_mut(id).expect("a controller of this name")
    }

    pub fn reach(&self, one: &str, other: &str) -> bool {
        let (Some(one), Some(other)) = (self.nodes.get(one), self.nodes.get(other)) else {
            return false;
        };
        let runs = |node: &Node| node.life == Life::Running;
        runs(one) && runs(other) && (one.part == other.part || one.id == other.id)
    }

    fn voters(&self) -> Vec<&str> {
        let voters = self.config.iter().filter(|server| server.voter);
        voters.map(|server| server.id.as_str()).collect()
    }

    /// `id` reaches a majority of the voters.
    pub fn has_quorum(&self, id: &str) -> bool {
        let voters = self.voters();
        let reached = voters.iter().filter(|voter| self.reach(id, voter)).count();
        reached * 2 > voters.len()
    }

    fn may_lead(&self, id: &str) -> bool {
        self.voters().contains(&id) && self.has_quorum(id)
    }

    fn elect(&mut self) {
        let stands = self.leader.as_deref().is_some_and(|id| self.may_lead(id));
        if stands {
            self.leader_lost = None;
            return;
        }
        let lost = *self.leader_lost.get_or_insert_with(Instant::now);
        if lost.elapsed() < self.pace.election {
            return;
        }
        if self.leader.take().is_some() {
            // The election itself takes its time.
            self.leader_lost = Some(Instant::now());
            return;
        }
        let mut candidates: Vec<&str> = self.voters();
        candidates.retain(|id| self.may_lead(id));
        candidates.sort_by_key(|id| std::cmp::Reverse(self.node(id).applied));
        if let Some(winner) = candidates.first().map(|id| (*id).to_owned()) {
            self.lead(&winner);
        }
    }

    pub fn lead(&mut self, id: &str) {
        self.leader = Some(id.to_owned());
        self.leader_since = Instant::now();
        self.leader_lost = None;
        self.log += 1;
        self.spread();
    }

    fn hand_back(&mut self) {
        let Some(leader) = self.leader.clone() else {
            return;
        };
        if self.node(&leader).preferred || self.leader_since.elapsed() < self.pace.hand_back {
            return;
        }
        let preferred = self
            .voters()
            .into_iter()
            .find(|id| self.node(id).preferred && self.reach(&leader, id) && !self.node(id).held);
        if let Some(id) = preferred.map(str::to_owned) {
            self.lead(&id);
        }
    }

    /// What the leader sends, and what everybody believes.
    pub fn spread(&mut self) {
        let (config, log, leader) = (self.config.clone(), self.log, self.leader.clone());
        let election = self.pace.election;
        let ids: Vec<String> = self.nodes.keys().cloned().collect();
        for id in ids {
            let hears = leader
                .as_deref()
                .is_some_and(|leader| self.reach(leader, &id));
            let listed = config.iter().any(|server| server.id == id);
            let drop_after = self.pace.drop_strangers;
            let node = self.node_mut(&id);
            if node.life != Life::Running {
                continue;
            }
            let was_listed = node.config.iter().any(|server| server.id == id);
            if hears && (listed || was_listed) {
                if was_listed && !listed {
                    node.stranger_until = Some(Instant::now() + drop_after);
                }
                node.contact = Instant::now();
                node.config.clone_from(&config);
                if !node.held {
                    node.applied = log;
                }
                node.believes = leader.clone().filter(|_| listed);
            } else if node.contact.elapsed() > election {
                node.believes = None;
            }
        }
    }

    /// Whether `one` shows `other` as connected.
    pub fn linked(&self, one: &str, other: &str) -> bool {
        if one == other {
            return true;
        }
        let through_leader = |id: &str| self.leader.as_deref() == Some(id);
        self.reach(one, other) && (self.mesh || through_leader(one) || through_leader(other))
    }

    /// Those connected to `id` that its configuration does not have.
    pub fn strangers(&self, id: &str) -> Vec<&Node> {
        let config = &self.node(id).config;
        let listed = |other: &Node| config.iter().any(|server| server.address == other.address);
        let stays = |other: &Node| {
            let invited = other.stranger_to.contains(id);
            let leaves = other
                .stranger_until
                .is_some_and(|until| until > Instant::now());
            invited || leaves && self.linked(id, &other.id)
        };
        let others = self.nodes.values().filter(|other| other.id != id);
        others
            .filter(|other| self.reach(id, &other.id) && !listed(other) && stays(other))
            .collect()
    }

    /// All builds that are connected must be the same.
    pub fn read_only(&self, id: &str) -> bool {
        let own = &self.node(id).version;
        let mut others = self
            .config
            .iter()
            .filter(|server| self.reach(id, &server.id));
        others.any(|server| self.node(&server.id).version != *own)
    }

    pub fn by_address(&self, address: &str) -> Option<&Node> {
        self.nodes.values().find(|node| node.address == address)
    }
}
