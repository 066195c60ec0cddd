//! The use cases: watch, preview, submit, record. Knows neither HTTP nor Leptos.
//!
//! Authorization and audit live here: the browser, the REST API and the command line pass the
//! same door, whose first parameter is always who asks.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use quorate_domain::{
    action::Action,
    audit::{Actor, Entry, Filter, Row, Source},
    cluster::{ClusterName, Thresholds},
    event::Event,
    health::Registration,
    job::{Change, ChangeId},
    moment::Timestamp,
    permission::{Duty, Grant},
    plan::Preview,
    view::{ClusterSummary, ClusterView},
};
use quorate_drivers::{Driver, Secret};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub mod error;

pub use error::ControlError;

/// Who asks, and what they may do. Made only by this crate (sign-in, token, session) or by the
/// command line on the console's own machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub actor: Actor,
    pub grants: Vec<Grant>,
    pub source: Source,
    /// Hash of the session's id, where a session carries the request.
    pub session: Option<String>,
}

/// A cluster to watch: what the configuration says, and a driver for it.
pub struct ClusterSetup {
    pub registration: Registration,
    pub driver: Arc<dyn Driver>,
    /// Where a new member may be: `https://10.20.0.0/16:8200` or an exact address.
    pub join_allowed: Vec<String>,
}

/// What `Control` needs to start.
pub struct Settings {
    pub data_dir: PathBuf,
    pub read_only: bool,
    pub clusters: Vec<ClusterSetup>,
    pub version: String,
    /// Idle and absolute life of a session.
    pub session_idle: Duration,
    pub session_absolute: Duration,
}

/// The console's core. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {}

/// What a change request carries beside the action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// One of the two must be given.
    pub revision: Option<String>,
    pub fingerprint: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    pub idempotency_key: Option<String>,
}

/// A local account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub name: String,
    pub grants: Vec<Grant>,
    pub disabled: bool,
    pub has_password: bool,
    pub created_at: Timestamp,
    pub last_sign_in: Option<Timestamp>,
}

/// An API token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub grants: Vec<Grant>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_used: Option<Timestamp>,
    pub revoked: bool,
}

/// A session in the list of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// SHA-256 of the session's id; enough to end it, useless to use it.
    pub hash: String,
    pub account: String,
    pub created_at: Timestamp,
    pub last_seen: Timestamp,
    pub expires_at: Timestamp,
    pub peer: Option<String>,
    pub user_agent: Option<String>,
    pub current: bool,
}

/// A snapshot taken through this console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: String,
    pub cluster: ClusterName,
    pub change: ChangeId,
    pub at: Timestamp,
    pub bytes: Option<u64>,
    pub sha256: Option<String>,
    pub index: Option<u64>,
    pub term: Option<u64>,
    /// Whether the content is here to be downloaded.
    pub here: bool,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

// The surface the server and the app are written against. Each block moves to the file named.
impl Control {
    /// Opens the store (creating it), writes the start entry, resolves changes a crash left
    /// open, starts one watch loop a cluster. [lib.rs]
    pub async fn start(_settings: Settings) -> Result<Self, ControlError> { todo!() }
    /// Opens store, accounts and tokens only: for commands on the console's own machine. [lib.rs]
    pub async fn offline(_data_dir: PathBuf) -> Result<Self, ControlError> { todo!() }
    /// Stops watching, waits for running steps' records to be written. [lib.rs]
    pub async fn stop(&self) { todo!() }
    /// Whether store and audit can be written. [lib.rs]
    pub async fn ready(&self) -> Result<(), ControlError> { todo!() }
    /// Never runs backwards: wall clock at start plus a monotonic clock. [clock.rs]
    pub fn now(&self) -> Timestamp { todo!() }
    pub fn read_only(&self) -> bool { todo!() }

    // watch.rs
    /// The clusters `who` may see, least tolerance first.
    pub fn fleet(&self, _who: &Operator) -> Vec<ClusterSummary> { todo!() }
    /// The view as it stands now; looks anew first if the last look is older than a second
    /// (bounded by one status call). `NotFound` also for clusters `who` may not see.
    pub async fn view(&self, _who: &Operator, _name: &str) -> Result<ClusterView, ControlError> { todo!() }
    /// The view as it stands now, without looking anew; marks the cluster as looked at.
    pub fn view_now(&self, _who: &Operator, _name: &str) -> Result<ClusterView, ControlError> { todo!() }
    /// Ticks whenever anything about the cluster (or, without a name, any cluster or change)
    /// may have changed. The receiver should still re-render about every 500 ms for ages.
    pub fn ticks(&self, _who: &Operator, _name: Option<&str>) -> Result<watch::Receiver<u64>, ControlError> { todo!() }
    /// "What happened", newest first.
    pub async fn events(&self, _who: &Operator, _cluster: Option<&str>, _limit: u32) -> Result<Vec<Event>, ControlError> { todo!() }

    // actions.rs
    pub async fn preview(&self, _who: &Operator, _cluster: &str, _action: &Action) -> Result<Preview, ControlError> { todo!() }
    /// Permission, look anew, plan anew, compare with what was seen, audit intent, slot, run.
    /// Returns once the intent is durable. `wait` for the end by polling [`Control::change`].
    pub async fn submit(&self, _who: &Operator, _cluster: &str, _action: &Action, _request: &Request) -> Result<Change, ControlError> { todo!() }

    // jobs.rs
    pub async fn change(&self, _who: &Operator, _id: &str) -> Result<Change, ControlError> { todo!() }
    /// Newest first; running ones before all others.
    pub async fn changes(&self, _who: &Operator, _cluster: Option<&str>, _after: Option<&str>, _limit: u32) -> Result<Page<Change>, ControlError> { todo!() }
    /// How many changes are running now, of those `who` may see.
    pub fn running_changes(&self, _who: &Operator) -> u32 { todo!() }

    // audit.rs
    /// Oldest first, entries with `seq > after`.
    pub async fn audit(&self, _who: &Operator, _filter: &Filter, _after: u64, _limit: u32) -> Result<Page<Entry>, ControlError> { todo!() }
    /// Newest first, one row an intent with its outcome, rows with `seq < before`.
    pub async fn audit_rows(&self, _who: &Operator, _filter: &Filter, _before: Option<u64>, _limit: u32) -> Result<Page<Row>, ControlError> { todo!() }
    /// One entry, its row partner, and the exact stored bytes as text.
    pub async fn audit_entry(&self, _who: &Operator, _seq: u64) -> Result<(Row, String), ControlError> { todo!() }
    /// How many entries there are.
    pub async fn audit_size(&self, _who: &Operator) -> Result<u64, ControlError> { todo!() }

    // snapshots.rs
    pub async fn snapshots(&self, _who: &Operator) -> Result<Vec<Snapshot>, ControlError> { todo!() }
    /// Path of the verified file; records the download in the audit log first.
    pub async fn snapshot_file(&self, _who: &Operator, _id: &str) -> Result<PathBuf, ControlError> { todo!() }

    // accounts.rs
    pub async fn accounts(&self, _who: &Operator) -> Result<Vec<Account>, ControlError> { todo!() }
    /// New account without password, and its one-time link secret (15 minutes, single use).
    pub async fn account_create(&self, _who: &Operator, _name: &str, _grants: Vec<Grant>) -> Result<(Account, Secret), ControlError> { todo!() }
    /// A new one-time link secret for an account.
    pub async fn account_link(&self, _who: &Operator, _name: &str) -> Result<Secret, ControlError> { todo!() }
    pub async fn account_disable(&self, _who: &Operator, _name: &str, _disabled: bool) -> Result<(), ControlError> { todo!() }
    pub async fn account_grants(&self, _who: &Operator, _name: &str, _grants: Vec<Grant>) -> Result<(), ControlError> { todo!() }
    /// One's own password. `current` is needed if there is one. Ends one's other sessions.
    pub async fn password_set(&self, _who: &Operator, _current: Option<Secret>, _new: Secret) -> Result<(), ControlError> { todo!() }
    /// Whether the signed-in account has a password yet.
    pub async fn has_password(&self, _who: &Operator) -> Result<bool, ControlError> { todo!() }
    /// Throttled per account and peer; the same work and answer for unknown names.
    pub async fn sign_in(&self, _name: &str, _password: Secret, _source: &Source) -> Result<Account, ControlError> { todo!() }
    /// Uses up a one-time link.
    pub async fn sign_in_by_link(&self, _secret: Secret, _source: &Source) -> Result<Account, ControlError> { todo!() }
    pub async fn signed_out(&self, _who: &Operator) -> Result<(), ControlError> { todo!() }
    /// The operator of a session's account id as it stands now; `None` if disabled or gone.
    pub async fn operator(&self, _account: &str, _session_hash: &str, _source: Source) -> Result<Option<Operator>, ControlError> { todo!() }

    // tokens.rs
    pub async fn tokens(&self, _who: &Operator) -> Result<Vec<Token>, ControlError> { todo!() }
    /// The token's secret (`qt_…`) is shown once.
    pub async fn token_create(&self, _who: &Operator, _name: &str, _grants: Vec<Grant>, _life: Duration) -> Result<(Token, Secret), ControlError> { todo!() }
    pub async fn token_revoke(&self, _who: &Operator, _id_or_name: &str) -> Result<(), ControlError> { todo!() }
    /// The operator behind a bearer token, or `NotSignedIn`.
    pub async fn operator_by_token(&self, _secret: &Secret, _source: Source) -> Result<Operator, ControlError> { todo!() }

    // sessions.rs: rows of the session store (hashed ids, absolute and idle expiry)
    /// Inserts a session record; `hash` is SHA-256 of the id.
    pub async fn session_insert(&self, _hash: &str, _record: SessionRecord) -> Result<(), ControlError> { todo!() }
    /// Updates only: an ended session never comes back. False if there is none.
    pub async fn session_update(&self, _hash: &str, _record: SessionRecord) -> Result<bool, ControlError> { todo!() }
    /// `None` when ended, idle too long or over its absolute life.
    pub async fn session_load(&self, _hash: &str) -> Result<Option<SessionRecord>, ControlError> { todo!() }
    pub async fn session_delete(&self, _hash: &str) -> Result<(), ControlError> { todo!() }
    /// Own sessions; all of them for those who may administer.
    pub async fn sessions(&self, _who: &Operator) -> Result<Vec<Session>, ControlError> { todo!() }
    pub async fn session_end(&self, _who: &Operator, _hash: &str) -> Result<(), ControlError> { todo!() }

    // on the console's own machine
    /// The operator for `quorate user …` and `quorate token …`: whoever may write the data directory.
    pub fn command_line_operator(&self) -> Operator { todo!() }
    /// Records a refused request that never reached a use case (forged origin, no sign-in…).
    pub async fn record_refusal(&self, _action: &str, _text: &str, _source: &Source) -> Result<(), ControlError> { todo!() }
}

/// A stored session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Empty before sign-in.
    pub account: Option<String>,
    pub data: BTreeMap<String, serde_json::Value>,
    pub expires_at: Timestamp,
    pub peer: Option<String>,
    pub user_agent: Option<String>,
}

/// Role names as they are written on the command line and in forms.
#[must_use]
pub fn everywhere(roles: &[Duty]) -> Vec<Grant> {
    roles.iter().copied().map(Grant::everywhere).collect()
}

const _: fn() -> Thresholds = Thresholds::default;
