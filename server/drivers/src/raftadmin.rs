//! Programs around hashicorp/raft that are administered by github.com/Jille/raftadmin, over gRPC:
//! for those that have it already; the agent in `agents/hashicorp-raft` tells and guards more.
//!
//! Every member is asked itself, at the address its Raft has (or the one a pattern makes of it);
//! changes go to the leader alone. raftadmin checks nobody and nothing, so what the library would
//! do without a word is looked at here before it is sent. `ApplyLog` and `Shutdown`, which it
//! offers to everybody, are not even known by name here.

mod answers;
mod ask;
mod capability;
mod change;
mod check;
mod grpc;
mod meaning;
mod memory;
mod messages;
mod operation;
mod picture;
mod places;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::future::join_all;
use quorate_domain::{cluster::Kind, observation::Observation, plan::Step};
use url::Url;

use crate::{
    Applied, ConnectError, Connection, Diagnosis, Driver, SnapshotPlace,
    http::{Http2, Wire, origin},
    patience::Patience,
};
use ask::{Asked, ask};
use memory::Memory;
use places::Places;

/// A connection to one cluster.
pub struct Raftadmin {
    clients: Http2,
    seeds: Vec<String>,
    status_timeout: Duration,
    change_timeout: Duration,
    memory: Mutex<Memory>,
    patience: Patience,
}

impl Raftadmin {
    /// # Errors
    /// If a seed is no address, or the certificates cannot be used.
    pub fn new(connection: Connection) -> Result<Self, ConnectError> {
        let clients = Http2::new(&connection)?;
        let seeds: Vec<Url> = connection
            .seeds
            .iter()
            .map(|seed| origin(seed))
            .collect::<Result<_, _>>()?;
        let remembered: Vec<Url> = connection
            .remembered
            .iter()
            .filter_map(|seed| origin(seed).ok())
            .collect();
        let tellers = if seeds.is_empty() {
            &remembered
        } else {
            &seeds
        };
        Ok(Self {
            clients,
            status_timeout: connection.status_timeout,
            change_timeout: connection.change_timeout,
            memory: Mutex::new(Memory {
                places: Places::new(connection.api_address_pattern, tellers),
                seeds,
                remembered,
                membership: None,
                former: BTreeMap::new(),
                differed: BTreeMap::new(),
            }),
            seeds: connection.seeds,
            patience: Patience::default(),
        })
    }

    /// Never held across an await.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks everybody known; whom they name beyond that is asked in a second round.
    async fn look(&self, deadline: Duration) -> Observation {
        let until = Instant::now() + deadline;
        let mut asked: Vec<Asked> = Vec::new();
        for _ in 0..2 {
            let mut targets = self.memory().targets();
            targets.retain(|(url, _)| asked.iter().all(|one| one.url != *url));
            if targets.is_empty() {
                break;
            }
            let asking = targets
                .into_iter()
                .map(|(url, expected)| self.ask(url, expected, until));
            asked.extend(join_all(asking).await);
            self.memory().learn(&asked);
        }
        picture::picture(&mut self.memory(), &asked)
    }

    async fn ask(&self, url: Url, expected: Option<String>, until: Instant) -> Asked {
        let began = Instant::now();
        let left = until.saturating_duration_since(began);
        let most = self.status_timeout.min(left).max(Duration::from_millis(10));
        let wait = self.patience.with(&url, most, began);
        let asking = ask(&self.clients.reads, url.clone(), expected, wait);
        // The calls bound themselves; this holds even if they are asked twice.
        let asked = match tokio::time::timeout(wait, asking).await {
            Ok(asked) => asked,
            Err(_) => Asked::silent(url, &Wire::TimedOut(wait)),
        };
        let ran_out = asked.words.is_none() && began.elapsed() >= wait;
        self.patience.learn(&asked.url, ran_out, began);
        asked
    }
}

#[async_trait]
impl Driver for Raftadmin {
    fn kind(&self) -> Kind {
        Kind::Raftadmin
    }

    fn seeds(&self) -> Vec<String> {
        self.seeds.clone()
    }

    fn begin_at(&self, seeds: &[Url]) {
        let mut memory = self.memory();
        memory.places.begin_at(seeds);
        memory.seeds = seeds.to_vec();
    }

    fn recall(&self, places: &[Url]) {
        self.memory().recall(places);
    }

    async fn observe(&self, deadline: Duration) -> Observation {
        self.look(deadline).await
    }

    async fn apply(&self, step: &Step, _place: &SnapshotPlace) -> Applied {
        self.carry_out(step).await
    }

    async fn diagnose(&self) -> Vec<Diagnosis> {
        self.check().await
    }
}
