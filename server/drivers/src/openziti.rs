//! OpenZiti's controllers as a cluster, from 1.4 to 2.x.
//!
//! Knows their management and fabric APIs and what the answers are worth: a list holds whoever is
//! connected beside the members, a change of role removes before it adds, a follower forwards and
//! gives up early, a removed id that nobody has is answered with success. Decides nothing: it
//! reports what each controller says, carries out one step, and says what it cannot know.

mod answers;
mod ask;
mod change;
mod check;
mod directory;
mod events;
mod frame;
mod identity;
mod integrity;
mod notes;
mod oidc;
mod outcome;
mod picture;
mod read;
mod sign_in;
mod standing;
mod version;

#[cfg(test)]
mod described;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use quorate_domain::{
    cluster::{Kind, MemberId, Membership, Revision, Role},
    observation::Observation,
    plan::Step,
};
use tokio::sync::watch;
use url::Url;

use crate::{
    Applied, ConnectError, Connection, Diagnosis, Driver, SnapshotPlace,
    http::{self, Client},
    patience::Patience,
};
use ask::Asker;
use directory::Directory;
use events::Followers;
use sign_in::{Credentials, Sessions};
use standing::Known;

/// A member whose role was being changed counts as left outside once it is missing for so long:
/// right after the second half the lists may not have it yet.
const SETTLING: Duration = Duration::from_secs(2);
/// A call that never ended is given up at the latest after this; controllers cut off at 10 s.
const CUT_OFF: Duration = Duration::from_secs(40);

/// A connection to one cluster of controllers.
pub struct Openziti {
    asker: Asker,
    followers: Followers,
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
    /// When the announced addresses were last read, and for which membership.
    addresses: Option<(Instant, Option<Revision>)>,
    membership: Option<Membership>,
    known: Known,
    /// The network, by the controllers' certificates.
    domain: Option<String>,
    leader: Option<MemberId>,
    /// Roles that were asked to change, until the member is seen with its new one.
    role_changes: BTreeMap<MemberId, RoleChange>,
    integrity: Option<String>,
    integrity_at: Option<Instant>,
}

/// A change of role is removing and adding: in between the member is nobody's.
#[derive(Clone, Debug)]
struct RoleChange {
    address: String,
    role: Role,
    begun: Instant,
    /// When its answer came, or nothing more could come.
    ended: Option<Instant>,
}

impl Openziti {
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
        let credentials = match (connection.login, &connection.client_pem) {
            (Some(login), _) => Credentials::Password(login),
            (None, Some(_)) => Credentials::Certificate,
            (None, None) => Credentials::Missing,
        };
        let sessions = Sessions::new(client.clone(), credentials);
        let asker = Asker { client, sessions };
        let directory = Directory::new(connection.api_address_pattern, seeds);
        Ok(Self {
            followers: Followers::new(asker.clone()),
            asker,
            status_timeout: connection.status_timeout,
            change_timeout: connection.change_timeout,
            memory: Mutex::new(Memory::new(directory, remembered)),
            patience: Patience::default(),
        })
    }

    /// Never held across an await.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    const fn new(directory: Directory, remembered: Vec<Url>) -> Self {
        Self {
            directory,
            remembered,
            addresses: None,
            membership: None,
            known: Known::nothing(),
            domain: None,
            leader: None,
            role_changes: BTreeMap::new(),
            integrity: None,
            integrity_at: None,
        }
    }

    /// Forgets the changes of role that the leader's own list shows done, or that have been
    /// repaired since.
    fn learn_roles(&mut self, membership: &Membership) {
        self.role_changes.retain(|id, change| {
            let there = membership.member(id);
            let settled = change.is_settled();
            match there {
                Some(member) => member.role != change.role && !settled,
                None => true,
            }
        });
    }

    /// Members that a change of role has left outside, with the address to add them at.
    fn outside(&self) -> Vec<(MemberId, String)> {
        let settled = self.role_changes.iter().filter(|(_, it)| it.is_settled());
        settled
            .map(|(id, change)| (id.clone(), change.address.clone()))
            .collect()
    }
}

impl RoleChange {
    fn is_settled(&self) -> bool {
        let answered = self.ended.is_some_and(|ended| ended.elapsed() > SETTLING);
        answered || self.begun.elapsed() > CUT_OFF
    }
}

#[async_trait]
impl Driver for Openziti {
    fn kind(&self) -> Kind {
        Kind::Openziti
    }

    async fn observe(&self, deadline: Duration) -> Observation {
        self.look(deadline).await
    }

    async fn apply(&self, step: &Step, _place: &SnapshotPlace) -> Applied {
        self.carry_out(step).await
    }

    fn pushes(&self) -> Option<watch::Receiver<u64>> {
        Some(self.followers.pushes())
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
