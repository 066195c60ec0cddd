//! The simulated cluster itself: nodes, who reaches whom, elections, replication.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use quorate_domain::{
    action::Action,
    cluster::{Member, MemberId, Membership, Role},
    plan::Step,
    quorum::majority,
};
use tokio::time::Instant;

use super::Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Running {
    Up,
    Killed,
    Frozen,
    Sealed,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub address: String,
    pub running: Running,
    /// Nodes on the same side of a partition reach each other.
    pub side: u32,
    pub hidden: bool,
    pub lie: Option<u64>,
    pub misread: Option<String>,
    pub denied: Option<String>,
    pub fault: Option<String>,
    pub behind: u64,
    pub term: u64,
    pub last_index: u64,
    pub applied_index: u64,
    pub names_leader: Option<MemberId>,
    pub leads: bool,
    /// When a majority last followed it (for a leader), or it last heard of one.
    pub heard: Instant,
    /// Its own copy of the membership; empty while it belongs to no cluster.
    pub members: Vec<Member>,
    pub instance: u64,
}

impl Node {
    pub(super) fn behave(&mut self) {
        self.lie = None;
        self.misread = None;
        self.denied = None;
        self.fault = None;
    }

    pub(super) fn votes(&self, id: &MemberId) -> bool {
        self.members
            .iter()
            .any(|member| member.id == *id && member.role.votes())
    }
}

/// An accepted change that waits to be carried out.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub action: Action,
    /// `None`: never.
    pub due: Option<Instant>,
}

pub(super) struct World {
    pub nodes: BTreeMap<MemberId, Node>,
    pub pending: Vec<Pending>,
    pub faults: VecDeque<Fault>,
    pub sent: Vec<Step>,
    pub looks: u64,
    pub election_timeout: Duration,
    pub apply_after: Duration,
    /// Whether changes that are held wait on.
    pub holds: bool,
    pub status_timeout: Duration,
    pub write_rate: u64,
    pub chooses_leader: bool,
    pub pushes: bool,
    written_until: Instant,
    next_side: u32,
}

impl World {
    pub(super) fn new(voters: usize, learners: usize) -> Self {
        let now = Instant::now();
        let ids: Vec<MemberId> = (1..=voters + learners)
            .map(|number| MemberId(format!("n{number}")))
            .collect();
        let members: Vec<Member> = ids
            .iter()
            .enumerate()
            .map(|(at, id)| {
                let role = if at < voters {
                    Role::Voter
                } else {
                    Role::Learner
                };
                member(id, &address(id), role)
            })
            .collect();
        let leader = ids.first().cloned();
        let nodes = ids
            .into_iter()
            .map(|id| {
                let mut node = fresh(&id, now);
                node.members = members.clone();
                node.names_leader = leader.clone();
                node.leads = leader.as_ref() == Some(&id);
                (node.term, node.last_index, node.applied_index) = (1, 100, 100);
                (id, node)
            })
            .collect();
        Self {
            nodes,
            pending: Vec::new(),
            faults: VecDeque::new(),
            sent: Vec::new(),
            looks: 0,
            election_timeout: Duration::from_secs(1),
            apply_after: Duration::ZERO,
            holds: true,
            status_timeout: Duration::from_secs(1),
            write_rate: 0,
            chooses_leader: false,
            pushes: false,
            written_until: now,
            next_side: 1,
        }
    }

    pub(super) fn node<T: Default>(&mut self, id: &str, act: impl FnOnce(&mut Node) -> T) -> T {
        self.nodes
            .get_mut(&MemberId::from(id))
            .map(act)
            .unwrap_or_default()
    }

    pub(super) fn set_running(&mut self, id: &str, running: Running) {
        self.node(id, |node| {
            node.running = running;
            if matches!(running, Running::Killed | Running::Sealed) {
                node.leads = false;
            }
        });
    }

    pub(super) fn revive(&mut self, id: &str) {
        let now = Instant::now();
        self.node(id, |node| {
            if node.running != Running::Frozen {
                node.instance += 1;
                node.names_leader = None;
            }
            node.running = Running::Up;
            node.heard = now;
        });
    }

    pub(super) fn partition(&mut self, ids: &[&str]) {
        let side = self.next_side;
        self.next_side += 1;
        for id in ids {
            self.node(id, |node| node.side = side);
        }
    }

    pub(super) fn heal(&mut self) {
        self.nodes.values_mut().for_each(|node| node.side = 0);
    }

    pub(super) fn write(&mut self, entries: u64) {
        if let Some(leader) = self.leader() {
            self.node(leader.as_str(), |node| node.last_index += entries);
        }
    }

    pub(super) fn spare(&mut self, id: &str) -> String {
        let id = MemberId::from(id);
        let node = fresh(&id, Instant::now());
        let address = node.address.clone();
        self.nodes.insert(id, node);
        address
    }

    /// The node that leads with a majority behind it.
    pub(super) fn leader(&self) -> Option<MemberId> {
        let leaders = self
            .nodes
            .iter()
            .filter(|(id, node)| node.leads && self.has_majority(id));
        leaders
            .max_by_key(|(_, node)| node.term)
            .map(|(id, _)| id.clone())
    }

    /// The membership that counts: the leader's, else that of the most advanced node.
    pub(super) fn membership(&self) -> Vec<Member> {
        let of_leader = self.leader().and_then(|id| self.nodes.get(&id));
        of_leader
            .or_else(|| {
                let insiders = self.nodes.values().filter(|node| !node.members.is_empty());
                insiders.max_by_key(|node| (node.term, node.last_index))
            })
            .map(|node| node.members.clone())
            .unwrap_or_default()
    }

    pub(super) fn revision(&self) -> quorate_domain::cluster::Revision {
        Membership::hash(&self.membership())
    }

    /// How long a look must wait for members that never answer.
    pub(super) fn silence(&self) -> Duration {
        let frozen = |node: &Node| node.running == Running::Frozen || node.hidden;
        if self.nodes.values().any(frozen) {
            self.status_timeout
        } else {
            Duration::ZERO
        }
    }

    /// Makes `id` leader of its side in a new term, if a majority can follow it.
    pub(super) fn elect(&mut self, id: &MemberId) {
        let able = self.nodes.get(id).is_some_and(|node| {
            node.running == Running::Up && node.votes(id) && self.has_majority(id)
        });
        if !able {
            return;
        }
        let term = 1 + self.nodes.values().map(|node| node.term).max().unwrap_or(0);
        let side = self.nodes.get(id).map_or(0, |node| node.side);
        for (other, node) in &mut self.nodes {
            if node.side == side && node.running == Running::Up {
                node.leads = other == id;
            }
        }
        let now = Instant::now();
        self.node(id.as_str(), |node| {
            node.term = term;
            node.last_index += 1;
            node.heard = now;
        });
        self.replicate();
    }

    /// Lets happen what time brings: steady writes, lost and won elections, replication,
    /// accepted changes whose time has come.
    pub(super) fn advance(&mut self) {
        let now = Instant::now();
        self.write_steadily(now);
        self.drop_leaders_without_majority(now);
        self.replicate();
        self.hold_elections(now);
        self.carry_out(now);
        self.replicate();
    }

    /// Nothing waits any more.
    pub(super) fn let_go(&mut self) {
        let now = Instant::now();
        self.holds = false;
        self.apply_after = Duration::ZERO;
        for pending in &mut self.pending {
            pending.due = pending.due.map(|_| now);
        }
    }

    fn write_steadily(&mut self, now: Instant) {
        if self.write_rate == 0 {
            self.written_until = now;
            return;
        }
        let passed = now
            .saturating_duration_since(self.written_until)
            .as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        let entries = passed.saturating_mul(self.write_rate) / 1000;
        if entries > 0 {
            self.written_until = now;
            self.write(entries);
        }
    }

    /// Voters of `id`'s own membership that run and are on its side, against its majority.
    fn has_majority(&self, id: &MemberId) -> bool {
        let Some(node) = self.nodes.get(id) else {
            return false;
        };
        if node.running != Running::Up {
            return false;
        }
        let voters: Vec<&Member> = node
            .members
            .iter()
            .filter(|member| member.role.votes())
            .collect();
        let reached = voters
            .iter()
            .filter_map(|member| self.nodes.get(&member.id))
            .filter(|other| other.running == Running::Up && other.side == node.side)
            .count();
        let all = u32::try_from(voters.len()).unwrap_or(u32::MAX);
        u32::try_from(reached).unwrap_or(u32::MAX) >= majority(all).max(1)
    }

    fn drop_leaders_without_majority(&mut self, now: Instant) {
        let timeout = self.election_timeout;
        let leading: Vec<(MemberId, bool)> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.leads && node.running == Running::Up)
            .map(|(id, _)| (id.clone(), self.has_majority(id)))
            .collect();
        for (id, majority) in leading {
            self.node(id.as_str(), |node| {
                if majority {
                    node.heard = now;
                } else if now.saturating_duration_since(node.heard) >= timeout {
                    node.leads = false;
                    node.names_leader = None;
                }
            });
        }
    }

    /// Every node that reaches a leader of its term or a newer one follows it.
    pub(super) fn replicate(&mut self) {
        let mut leaders: Vec<(MemberId, Node)> = self
            .nodes
            .iter()
            .filter(|(id, node)| node.leads && self.has_majority(id))
            .map(|(id, node)| (id.clone(), node.clone()))
            .collect();
        leaders.sort_by_key(|(_, node)| node.term);
        for (leader, source) in leaders {
            for (id, node) in &mut self.nodes {
                follow(id, node, &leader, &source);
            }
        }
    }

    fn hold_elections(&mut self, now: Instant) {
        let sides: Vec<u32> = self.nodes.values().map(|node| node.side).collect();
        for side in sides {
            let led = self
                .nodes
                .iter()
                .any(|(id, node)| node.side == side && node.leads && self.has_majority(id));
            if led {
                continue;
            }
            let candidates = self.nodes.iter().filter(|(id, node)| {
                node.side == side
                    && node.votes(id)
                    && self.has_majority(id)
                    && now.saturating_duration_since(node.heard) >= self.election_timeout
            });
            let best = candidates
                .max_by(|(a, x), (b, y)| x.last_index.cmp(&y.last_index).then(b.cmp(a)))
                .map(|(id, _)| id.clone());
            if let Some(id) = best {
                self.elect(&id);
            }
        }
    }
}

fn follow(id: &MemberId, node: &mut Node, leader: &MemberId, source: &Node) {
    if node.running != Running::Up || node.side != source.side || node.term > source.term {
        return;
    }
    // Members the leader has, and those it has just removed, which still hear of it once.
    let member = source.members.iter().any(|member| member.id == *id);
    let known = member || node.members.iter().any(|member| member.id == *leader);
    if !member {
        if known && node.members.iter().any(|member| member.id == *id) {
            node.members.clone_from(&source.members);
        }
        return;
    }
    if id != leader {
        node.leads = false;
        node.heard = source.heard;
    }
    node.term = source.term;
    node.names_leader = Some(leader.clone());
    node.members.clone_from(&source.members);
    node.last_index = source.last_index.saturating_sub(node.behind);
    node.applied_index = node.last_index;
}

pub(super) fn member(id: &MemberId, address: &str, role: Role) -> Member {
    Member {
        id: id.clone(),
        name: id.0.clone(),
        address: address.to_owned(),
        api_address: Some(format!("http://{address}")),
        zone: None,
        role,
        wanted_role: None,
    }
}

fn fresh(id: &MemberId, now: Instant) -> Node {
    Node {
        address: address(id),
        running: Running::Up,
        side: 0,
        hidden: false,
        lie: None,
        misread: None,
        denied: None,
        fault: None,
        behind: 0,
        term: 0,
        last_index: 0,
        applied_index: 0,
        names_leader: None,
        leads: false,
        heard: now,
        members: Vec::new(),
        instance: 1,
    }
}

fn address(id: &MemberId) -> String {
    let number = id
        .as_str()
        .trim_start_matches(|letter: char| !letter.is_ascii_digit());
    match number.parse::<u8>() {
        Ok(number) => format!("10.0.0.{number}:7000"),
        Err(_) => format!("{id}:7000"),
    }
}
