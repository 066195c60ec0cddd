//! One file a backend behind one trait.
//!
//! A driver gathers facts and carries out one step. It never decides whether a step is wise,
//! never repeats a change that may have been done, and says [`Applied::Unknown`] when it cannot
//! know whether a change that was sent happened. A half-dead cluster is an [`Observation`], not an error.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use quorate_domain::{cluster::Kind, observation::Observation, plan::Step};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use url::Url;

pub mod agent;
pub mod clock;
mod diagnosis;
pub mod discovery;
pub mod etcd;
pub mod http;
pub mod openbao;
pub mod openziti;
mod patience;
pub mod raftadmin;
pub mod secret;
pub mod simulated;
pub mod snapshot;
mod word;

pub use secret::Secret;

/// A backend's wire.
#[async_trait]
pub trait Driver: Send + Sync {
    fn kind(&self) -> Kind;

    /// One look. Asks every member at once, each call bounded, the whole by `deadline`.
    async fn observe(&self, deadline: Duration) -> Observation;

    /// Carries out one step: one changing request; another only after the backend has certainly
    /// not begun with the first.
    async fn apply(&self, step: &Step, place: &SnapshotPlace) -> Applied;

    /// The seeds as they are configured: what is remembered of a cluster holds for these only.
    fn seeds(&self) -> Vec<String> {
        Vec::new()
    }

    /// Where to begin from now on: DNS or a catalogue has told anew. Never empty.
    fn begin_at(&self, _seeds: &[Url]) {}

    /// Where members answered in an earlier life of the console: asked beside the seeds for as
    /// long as nobody has told who the members are.
    fn recall(&self, _places: &[Url]) {}

    /// Moves whenever the backend pushed something, so that the next look need not wait.
    fn pushes(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// What is known of the groups of a program that runs many, kept up by [`Driver::observe`];
    /// `None` for every other.
    fn groups(&self) -> Option<Arc<std::sync::RwLock<quorate_domain::groups::Fleet>>> {
        None
    }

    /// A driver for one group of such a program, whether or not there is one of that name.
    fn group(&self, _group: &str) -> Option<Arc<dyn Driver>> {
        None
    }

    /// Problems with reaching, trusting or being allowed to use the cluster, one line each.
    async fn diagnose(&self) -> Vec<Diagnosis>;
}

/// Where a snapshot may be written.
#[derive(Clone, Debug)]
pub struct SnapshotPlace {
    /// The final file is written here by rename, once verified to its end.
    pub file: PathBuf,
}

/// What became of a step.
#[derive(Clone, Debug)]
pub enum Applied {
    /// The backend took it. Whether it has happened is seen by looking.
    Accepted(Receipt),
    /// The backend (or the wire before it) said no; nothing changed.
    Refused {
        exchange: Exchange,
        code: String,
        text: String,
    },
    /// It was sent, and nobody knows.
    Unknown { exchange: Exchange, text: String },
}

/// What was sent and what came back, without secrets: for the audit log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Exchange {
    pub sent: Value,
    pub received: Value,
}

#[derive(Clone, Debug)]
pub struct Receipt {
    pub exchange: Exchange,
    /// For a snapshot.
    pub snapshot: Option<SnapshotReceipt>,
    /// The id the backend gave to a newcomer, where it tells.
    pub member: Option<quorate_domain::cluster::MemberId>,
    /// The backend took the wish and will carry it out later, in its own loop.
    pub deferred: bool,
    /// What the backend said beside its yes, for people: often what is left to be done by hand.
    pub note: Option<String>,
}

/// A snapshot that was verified to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotReceipt {
    /// `None` where the backend keeps the snapshot itself.
    pub file: Option<PathBuf>,
    pub bytes: Option<u64>,
    pub sha256: Option<String>,
    pub index: Option<u64>,
    pub term: Option<u64>,
    /// Member that made it.
    pub member: Option<String>,
}

/// One line of `quorate check`.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    pub ok: bool,
    pub code: String,
    pub text: String,
    pub hint: Option<String>,
}

/// How to reach a cluster; the configuration's `[[clusters]]` with secrets read.
#[derive(Clone, Debug)]
pub struct Connection {
    pub name: String,
    pub kind: Kind,
    pub seeds: Vec<String>,
    pub token: Option<Secret>,
    /// For backends that give a token for a name and a password.
    pub login: Option<Login>,
    /// PEM bundle of authorities to trust in addition to the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// PEM of certificate chain and key together.
    pub client_pem: Option<Secret>,
    /// `https://{host}:8200`, where the cluster does not tell a member's API address.
    pub api_address_pattern: Option<String>,
    /// Where the members were when they were last seen, for the time when no seed answers.
    pub remembered: Vec<String>,
    /// How names among the seeds are looked up.
    pub lookups: Lookups,
    /// How long one status call waits. 1 s in production.
    pub status_timeout: Duration,
    /// How long one changing call waits.
    pub change_timeout: Duration,
}

/// Who is asked for the names among a cluster's seeds. The default: the system's DNS, and Consul
/// without a token.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    /// The DNS server for SRV records and for the hosts of the cluster's addresses.
    pub resolver: Option<SocketAddr>,
    /// For Consul's catalogue alone; no member is ever sent it.
    pub consul_token: Option<Secret>,
}

/// A name and its password.
#[derive(Clone, Debug)]
pub struct Login {
    pub username: String,
    pub password: Secret,
}

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("seed `{seed}` is not an address of scheme, host and port, like https://host:8200")]
    Seed { seed: String },
    #[error("cannot use the certificates given for {cluster}")]
    Certificates {
        cluster: String,
        #[source]
        source: reqwest::Error,
    },
    #[error(transparent)]
    Source(#[from] discovery::SeedError),
    #[error("{kind:?} clusters are not in this version")]
    Kind { kind: Kind },
}

/// The driver for `connection`; reaches no member yet. Where DNS or a catalogue is among the
/// seeds, it is asked from now on, and Tokio must be running.
///
/// # Errors
/// If what the configuration gives cannot be used at all.
pub fn connect(connection: Connection) -> Result<Arc<dyn Driver>, ConnectError> {
    discovery::connect(connection, reach)
}

fn reach(connection: Connection) -> Result<Arc<dyn Driver>, ConnectError> {
    match connection.kind {
        Kind::Agent => agent::Agent::connect(connection),
        Kind::Simulated => Ok(simulated::from_seeds(&connection)),
        Kind::Openbao | Kind::Vault => Ok(Arc::new(openbao::Openbao::new(connection)?)),
        Kind::Openziti => Ok(Arc::new(openziti::Openziti::new(connection)?)),
        Kind::Etcd => Ok(Arc::new(etcd::Etcd::new(connection)?)),
        Kind::Raftadmin => Ok(Arc::new(raftadmin::Raftadmin::new(connection)?)),
    }
}
