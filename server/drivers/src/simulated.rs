//! A Raft cluster in memory with scripted faults: for tests and load, never for real data.
//!
//! [`Cluster`] is the hand that kills, freezes, cuts off and lies; [`Cluster::driver`] is what
//! the console sees. Time is tokio's, so a paused clock works. Leaders fall and rise as in Raft:
//! a leader without its majority stops claiming after an election timeout, voters that can reach
//! each other elect the most advanced of them after another, and whoever is cut off goes on
//! naming whom it knew.

mod change;
mod look;
mod membership;
mod raft;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use quorate_domain::{
    cluster::{Kind, MemberId},
    observation::Observation,
    plan::Step,
};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

use crate::{Applied, Connection, Diagnosis, Driver, SnapshotPlace};
use raft::{Running, World};

/// What happens to the next changes that are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The backend says no.
    Refuse { code: String, text: String },
    /// It is carried out; its answer never arrives.
    LoseAnswer,
    /// It never arrives, and the console cannot know that.
    LoseRequest,
    /// It is accepted and never carried out, as OpenBao does with a demoted leader.
    Forget,
    /// The answer comes this much later.
    Slow(Duration),
    /// The answer comes once [`Cluster::carry_out`] is called.
    Held,
}

/// Handle on a simulated cluster. Clones lead to the same cluster.
#[derive(Clone)]
pub struct Cluster {
    world: Arc<Mutex<World>>,
    pushed: Arc<watch::Sender<u64>>,
}

impl Cluster {
    /// Voters `n1`…, then learners, at `10.0.0.1:7000`…; `n1` leads in term 1.
    #[must_use]
    pub fn healthy(voters: usize, learners: usize) -> Self {
        Self {
            world: Arc::new(Mutex::new(World::new(voters, learners))),
            pushed: Arc::new(watch::Sender::new(0)),
        }
    }

    /// The cluster as the console reaches it.
    #[must_use]
    pub fn driver(&self) -> Arc<dyn Driver> {
        Arc::new(Simulated {
            cluster: self.clone(),
        })
    }

    // What happens to members.

    /// The process is gone: refuses connections, takes no part.
    pub fn kill(&self, id: &str) {
        self.with(|world| world.set_running(id, Running::Killed));
    }

    /// The process stands still: connections open, nothing is answered.
    pub fn freeze(&self, id: &str) {
        self.with(|world| world.set_running(id, Running::Frozen));
    }

    /// It runs, locked, and takes no part.
    pub fn seal(&self, id: &str) {
        self.with(|world| world.set_running(id, Running::Sealed));
    }

    /// It runs again, after whatever befell it; with a new instance after a kill.
    pub fn revive(&self, id: &str) {
        self.with(|world| world.revive(id));
    }

    /// These members reach each other and nobody else; the console still reaches all.
    pub fn partition(&self, ids: &[&str]) {
        self.with(|world| world.partition(ids));
    }

    /// All reach all again.
    pub fn heal(&self) {
        self.with(World::heal);
    }

    /// The console no longer reaches it; the cluster does.
    pub fn hide(&self, id: &str) {
        self.with(|world| world.node(id, |node| node.hidden = true));
    }

    /// The console reaches it again.
    pub fn show(&self, id: &str) {
        self.with(|world| world.node(id, |node| node.hidden = false));
    }

    /// It says that it leads, in `term`, whatever the others know.
    pub fn lie(&self, id: &str, term: u64) {
        self.with(|world| world.node(id, |node| node.lie = Some(term)));
    }

    /// It stops lying, answering nonsense, and refusing to let us look.
    pub fn behave(&self, id: &str) {
        self.with(|world| world.node(id, raft::Node::behave));
    }

    /// It answers something that cannot be believed.
    pub fn misread(&self, id: &str, why: &str) {
        self.with(|world| world.node(id, |node| node.misread = Some(why.to_owned())));
    }

    /// It does not let us look.
    pub fn deny(&self, id: &str, why: &str) {
        self.with(|world| world.node(id, |node| node.denied = Some(why.to_owned())));
    }

    /// It says of itself that it cannot go on.
    pub fn fault(&self, id: &str, why: &str) {
        self.with(|world| world.node(id, |node| node.fault = Some(why.to_owned())));
    }

    /// It stays `entries` behind the leader; 0 lets it catch up.
    pub fn lag(&self, id: &str, entries: u64) {
        self.with(|world| world.node(id, |node| node.behind = entries));
    }

    // What happens to the cluster.

    /// The leader appends `entries`.
    pub fn write(&self, entries: u64) {
        self.with(|world| world.write(entries));
    }

    /// The leader appends so many entries each second from now on.
    pub fn write_steadily(&self, per_second: u64) {
        self.with(|world| world.write_rate = per_second);
    }

    /// `id` becomes the leader in the next term, if a majority can follow it.
    pub fn elect(&self, id: &str) {
        self.with(|world| world.elect(&MemberId::from(id)));
    }

    /// A running process that is no member yet. Its address is returned.
    pub fn spare(&self, id: &str) -> String {
        self.with(|world| world.spare(id))
    }

    /// How long an election takes, and a leader believes in a majority it no longer hears.
    /// 1 s unless set.
    pub fn election_timeout(&self, timeout: Duration) {
        self.with(|world| world.election_timeout = timeout);
    }

    /// Changes are accepted at once and carried out this much later. 0 unless set.
    pub fn apply_after(&self, delay: Duration) {
        self.with(|world| world.apply_after = delay);
    }

    /// What was accepted and waits is carried out now, what is held is let go, and nothing waits
    /// from now on.
    pub fn carry_out(&self) {
        self.with(World::let_go);
    }

    /// How long one status call waits. 1 s unless set.
    pub fn status_timeout(&self, timeout: Duration) {
        self.with(|world| world.status_timeout = timeout);
    }

    /// What befalls the changes sent next, one fault each, in this order.
    pub fn next_change(&self, fault: Fault) {
        self.with(|world| world.faults.push_back(fault));
    }

    /// The leader cannot be chosen in a transfer (as with OpenBao).
    pub fn backend_chooses_leader(&self) {
        self.with(|world| world.chooses_leader = true);
    }

    /// Pushes a tick to the console at each call of this handle from now on.
    pub fn push_changes(&self) {
        self.with(|world| world.pushes = true);
    }

    // What can be asked of it.

    /// Every step that was sent, lost ones included.
    #[must_use]
    pub fn sent(&self) -> Vec<Step> {
        self.lock().sent.clone()
    }

    /// Who truly leads now, with a majority behind it.
    #[must_use]
    pub fn leader(&self) -> Option<MemberId> {
        self.with(|world| world.leader())
    }

    /// The members as the leader (or the most advanced voter) has them: (id, votes).
    #[must_use]
    pub fn members(&self) -> Vec<(String, bool)> {
        self.with(|world| {
            let members = world.membership();
            members
                .iter()
                .map(|member| (member.id.0.clone(), member.role.votes()))
                .collect()
        })
    }

    /// How often the console has looked.
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.lock().looks
    }

    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.lock();
        world.advance();
        let outcome = act(&mut world);
        world.advance();
        let pushes = world.pushes;
        drop(world);
        if pushes {
            self.pushed.send_modify(|count| *count += 1);
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Simulated {
    cluster: Cluster,
}

/// `simulated:5:1` as the seed gives five voters and a learner; anything else three and one.
pub(crate) fn from_seeds(connection: &Connection) -> Arc<dyn Driver> {
    let sizes = connection.seeds.first().and_then(|seed| {
        let (voters, learners) = seed.strip_prefix("simulated:")?.split_once(':')?;
        Some((voters.parse().ok()?, learners.parse().ok()?))
    });
    let (voters, learners): (usize, usize) = sizes.unwrap_or((3, 1));
    let cluster = Cluster::healthy(voters.clamp(1, 99), learners.min(99));
    cluster.status_timeout(connection.status_timeout);
    cluster.write_steadily(20);
    cluster.driver()
}

#[async_trait]
impl Driver for Simulated {
    fn kind(&self) -> Kind {
        Kind::Simulated
    }

    async fn observe(&self, deadline: Duration) -> Observation {
        let wait = {
            let mut world = self.cluster.lock();
            world.looks += 1;
            world.advance();
            world.silence().min(deadline)
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let mut world = self.cluster.lock();
        world.advance();
        look::look(&world)
    }

    async fn apply(&self, step: &Step, place: &SnapshotPlace) -> Applied {
        change::apply(&self.cluster, step, place).await
    }

    fn pushes(&self) -> Option<watch::Receiver<u64>> {
        self.cluster
            .lock()
            .pushes
            .then(|| self.cluster.pushed.subscribe())
    }

    async fn diagnose(&self) -> Vec<Diagnosis> {
        vec![Diagnosis {
            ok: true,
            code: "simulated".to_owned(),
            text: "The cluster is simulated; nothing has to be reached.".to_owned(),
            hint: None,
        }]
    }
}

#[cfg(test)]
mod tests;
