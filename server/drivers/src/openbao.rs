//! OpenBao 2.5 to 2.7, and Vault, which answers the same paths and can do less.
//!
//! Knows OpenBao's API and what its answers are worth: a promotion is accepted long before it
//! happens, a standby goes on naming a dead leader, a removed node answers as before. Decides
//! nothing: it reports what each node says, carries out one step, and says what it cannot know.

mod answers;
mod ask;
mod change;
mod check;
mod directory;
mod join;
mod notes;
mod picture;
mod read;
mod rights;

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use quorate_domain::{
    cluster::{Kind, MemberId, Membership},
    observation::Observation,
    plan::Step,
};
use url::Url;

use crate::{
    Applied, ConnectError, Connection, Diagnosis, Driver, Secret, SnapshotPlace,
    http::{self, Client},
    patience::Patience,
};
use directory::Directory;
use rights::Rights;

/// A connection to one OpenBao or Vault cluster.
pub struct Openbao {
    kind: Kind,
    name: String,
    client: Client,
    token: Option<Secret>,
    ca_pem: Option<Vec<u8>>,
    status_timeout: Duration,
    change_timeout: Duration,
    memory: Mutex<Memory>,
    patience: Patience,
}

/// What one look leaves for the next.
struct Memory {
    directory: Directory,
    /// Where members were in an earlier life of the console.
    remembered: Vec<Url>,
    membership: Option<Membership>,
    cluster_id: Option<String>,
    leader: Option<MemberId>,
    /// Where the leader says that it answers.
    leader_address: Option<Url>,
    leader_since: Instant,
    rights: Option<Rights>,
    rights_at: Option<Instant>,
    /// Who answered the last look.
    answered: BTreeSet<Url>,
}

impl Openbao {
    /// # Errors
    /// If a seed is no address, or the certificates cannot be used.
    pub fn new(connection: Connection) -> Result<Self, ConnectError> {
        let client = Client::new(&connection)?;
        let seeds: Vec<Url> = connection
            .seeds
            .iter()
            .map(|seed| http::origin(seed))
            .collect::<Result<_, _>>()?;
        let remembered = connection
            .remembered
            .iter()
            .filter_map(|seed| http::origin(seed).ok())
            .collect();
        let directory = Directory::new(connection.api_address_pattern, seeds);
        let memory = Memory {
            directory,
            remembered,
            membership: None,
            cluster_id: None,
            leader: None,
            leader_address: None,
            leader_since: Instant::now(),
            rights: None,
            rights_at: None,
            answered: BTreeSet::new(),
        };
        Ok(Self {
            kind: connection.kind,
            name: connection.name,
            client,
            token: connection.token,
            ca_pem: connection.ca_pem,
            status_timeout: connection.status_timeout,
            change_timeout: connection.change_timeout,
            memory: Mutex::new(memory),
            patience: Patience::default(),
        })
    }

    /// Never held across an await.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Driver for Openbao {
    fn kind(&self) -> Kind {
        self.kind
    }

    async fn observe(&self, deadline: Duration) -> Observation {
        self.look(deadline).await
    }

    async fn apply(&self, step: &Step, place: &SnapshotPlace) -> Applied {
        self.carry_out(step, place).await
    }

    fn begin_at(&self, seeds: &[Url]) {
        self.memory().directory.begin_at(seeds);
    }

    fn recall(&self, places: &[Url]) {
        self.memory().remembered = places.to_vec();
    }

    async fn diagnose(&self) -> Vec<Diagnosis> {
        self.check().await
    }
}
