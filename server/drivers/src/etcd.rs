//! etcd 3.4 to 3.6, through its JSON gateway.
//!
//! Knows etcd's calls and what their answers are worth: the same error comes with different HTTP
//! statuses in different versions, a call without quorum may never be answered, a frozen member
//! looks healthy to its leader. Decides nothing: it reports what each member says, carries out
//! one step, and says what it cannot know.

mod answers;
mod ask;
mod change;
mod check;
mod contact;
mod directory;
mod failure;
mod gateway;
mod notes;
mod picture;
mod read;
mod session;
mod snapshot;

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use quorate_domain::{
    cluster::{Kind, MemberId, Membership},
    observation::Observation,
    plan::Step,
};
use url::Url;

use crate::{
    Applied, ConnectError, Connection, Diagnosis, Driver, SnapshotPlace,
    http::{self, Client},
    patience::Patience,
};
use contact::Contact;
use directory::Directory;
use session::Session;

/// A connection to one etcd cluster.
pub struct Etcd {
    client: Client,
    session: Session,
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
    cluster_id: Option<u64>,
    leader: Option<MemberId>,
    /// Voters beside the leader that were level with it in the last look.
    level: Vec<(MemberId, Url)>,
    /// Whether every voter answered the last look.
    all_voters_answer: bool,
    /// Who answered the last look.
    answered: BTreeSet<Url>,
    /// When the leader has heard learners.
    contact: Contact,
}

impl Etcd {
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
        Ok(Self {
            client,
            session: Session::new(connection.login, connection.token),
            status_timeout: connection.status_timeout,
            change_timeout: connection.change_timeout,
            memory: Mutex::new(Memory {
                directory,
                remembered,
                membership: None,
                cluster_id: None,
                leader: None,
                level: Vec::new(),
                all_voters_answer: false,
                answered: BTreeSet::new(),
                contact: Contact::default(),
            }),
            patience: Patience::default(),
        })
    }

    /// Never held across an await.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Driver for Etcd {
    fn kind(&self) -> Kind {
        Kind::Etcd
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
