//! The use cases: watch, preview, submit, record. Knows neither HTTP nor Leptos.
//!
//! Authorization and audit live here: the browser, the REST API and the command line pass the
//! same door, whose first parameter is always who asks.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use quorate_domain::{
    audit::{Actor, Source},
    cluster::ClusterName,
    health::Registration,
    job::ChangeId,
    moment::Timestamp,
    permission::{Duty, Grant},
};
use quorate_drivers::Driver;
use serde::{Deserialize, Serialize};
use tokio::sync::watch::Sender;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod accounts;
mod actions;
mod approvals;
mod asserted;
mod audit;
mod book;
mod break_glass;
mod clock;
mod clusters;
pub mod error;
mod escape;
mod events;
mod groups;
mod housekeeping;
mod jobs;
mod overrides;
mod passwords;
mod problems;
mod secrets;
mod sessions;
mod sign_in;
mod snapshots;
pub mod step_up;
mod store;
mod throttle;
mod tokens;
mod watch;
mod wire;
mod wording;

pub use approvals::{ApprovalPolicy, Decision};
pub use asserted::{Departure, SIGNED_ON, key};
pub use audit::{
    Content, Erasure, ErasurePreview, Every, Export, Format, Hold, Keeping, Outside, OutsideFile,
    Parcel, Recipient, ReportFile, ReportPlan, Retention, Terms, What, audit_people, hold_entries,
    verify_log,
};
pub use break_glass::{BREAK_GLASS, BREAK_GLASS_LIFE, ENTERED, Emergency, Entered};
pub use clusters::is_join_rule;
pub use error::ControlError;
pub use quorate_report::Language;
pub use sessions::{Moving, Renewal};
pub use snapshots::SnapshotsKept;

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
    /// Which changes other people have to approve.
    pub approvals: ApprovalPolicy,
    /// The beginning of the digest of the configuration that it starts with, for the record;
    /// `None` where there is none.
    pub configuration: Option<String>,
}

/// The console's core. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {
    approvals: ApprovalPolicy,
    clock: Arc<clock::Clock>,
    store: store::Store,
    audit: audit::Audit,
    data_dir: PathBuf,
    read_only: bool,
    version: String,
    session_idle: Duration,
    session_absolute: Duration,
    clusters: BTreeMap<ClusterName, Arc<watch::Watched>>,
    /// Moves when anything about any cluster or change may have changed.
    tick: Sender<u64>,
    events: events::EventLog,
    book: book::Book,
    passwords: passwords::Passwords,
    throttle: throttle::SignInThrottle,
    flood: throttle::Flood,
    moved: sessions::Moved,
    /// Which snapshots stay on this machine.
    shelf: snapshots::Shelf,
    /// What is to be proved before something dangerous, and what was.
    step_up: step_up::Ledger,
    step_up_rules: std::sync::RwLock<step_up::Rules>,
    /// What is wrong with the console itself.
    noticed: problems::Noticed,
    /// What was told last of an emergency.
    emergency: break_glass::Told,
    stopping: CancellationToken,
    /// Watch loops and house-keeping; they end as soon as the console stops.
    loops: TaskTracker,
    /// Running changes; stopping waits for their records.
    jobs: TaskTracker,
    /// Copies of checkpoints; stopping waits for the last ones.
    copies: TaskTracker,
    copying: CancellationToken,
    /// A rehearsal's limit on how long changes are waited for.
    patience: std::sync::Mutex<Option<Duration>>,
    /// Held by a console, not by a command beside it.
    _lock: Option<std::fs::File>,
}

impl Inner {
    fn tick(&self) {
        self.tick
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// What a change request carries beside the action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// One of the two must be given.
    pub revision: Option<String>,
    pub fingerprint: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    pub idempotency_key: Option<String>,
    /// The group it is about, in a program of many.
    pub group: Option<String>,
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
    /// What it was made with; in the list of tokens what it holds of that now.
    pub grants: Vec<Grant>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_used: Option<Timestamp>,
    pub revoked: bool,
    /// Whether `grants` are fewer than it was made with: whoever made it could not hand on more now.
    #[serde(default)]
    pub cut: bool,
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

impl Control {
    /// Opens the store (creating it), writes the start entry, resolves changes a crash left
    /// open, starts one watch loop a cluster.
    ///
    /// # Errors
    /// `AlreadyRunning`, `File`, `Store`, `AuditUnavailable`, and `Invalid` for a `join_allowed`
    /// entry that is neither an address nor a network.
    pub async fn start(settings: Settings) -> Result<Self, ControlError> {
        let lock = store::lock(&settings.data_dir)?;
        let version = settings.version.clone();
        let configuration = settings.configuration.clone();
        let (control, events) = Self::open(settings, Some(lock)).await?;
        let before = control.inner.audit.before().await?;
        control.start_loops(events);
        jobs::resume(&control).await?;
        let now = control.now();
        let this = (version.as_str(), configuration.as_deref());
        if let Err(error) = control.inner.audit.started(this, &before, now).await {
            // Reading stays possible with a full disk; nothing will be changed.
            tracing::error!(%error, "the start could not be recorded");
        }
        Ok(control)
    }

    /// Opens store, accounts and tokens only: for commands on the console's own machine.
    ///
    /// # Errors
    /// `File`, `Store`, `AuditUnavailable`.
    pub async fn offline(data_dir: PathBuf) -> Result<Self, ControlError> {
        let settings = Settings {
            data_dir,
            read_only: false,
            clusters: Vec::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            session_idle: Duration::from_secs(30 * 60),
            session_absolute: Duration::from_secs(8 * 60 * 60),
            approvals: ApprovalPolicy::default(),
            configuration: None,
        };
        let (control, _no_events) = Self::open(settings, None).await?;
        Ok(control)
    }

    async fn open(
        settings: Settings,
        lock: Option<std::fs::File>,
    ) -> Result<(Self, events::Waiting), ControlError> {
        let clock = Arc::new(clock::Clock::new());
        let store = store::Store::open(&settings.data_dir).await?;
        let beside = lock.is_none();
        let audit = audit::Audit::open(&settings.data_dir, Arc::clone(&clock), beside).await?;
        snapshots::prepare(&settings.data_dir)?;
        let clusters = clusters::watched(settings.clusters, settings.read_only, &store).await?;
        let (events, waiting) = events::EventLog::load(&store, clusters.keys()).await?;
        let book = book::Book::load(store.changes_newest(book::Book::wants()).await?);
        let inner = Inner {
            approvals: settings.approvals,
            clock,
            store,
            audit,
            data_dir: settings.data_dir,
            read_only: settings.read_only,
            version: settings.version,
            session_idle: settings.session_idle,
            session_absolute: settings.session_absolute,
            clusters,
            tick: Sender::new(0),
            events,
            book,
            passwords: passwords::Passwords::new(),
            throttle: throttle::SignInThrottle::default(),
            flood: throttle::Flood::default(),
            moved: sessions::Moved::default(),
            shelf: snapshots::Shelf::default(),
            step_up: step_up::Ledger::default(),
            step_up_rules: std::sync::RwLock::default(),
            noticed: problems::Noticed::default(),
            emergency: break_glass::Told::default(),
            stopping: CancellationToken::new(),
            loops: TaskTracker::new(),
            jobs: TaskTracker::new(),
            copies: TaskTracker::new(),
            copying: CancellationToken::new(),
            patience: std::sync::Mutex::new(None),
            _lock: lock,
        };
        Ok((
            Self {
                inner: Arc::new(inner),
            },
            waiting,
        ))
    }

    fn start_loops(&self, events: events::Waiting) {
        let inner = &self.inner;
        tokio::spawn(events::keep(Arc::downgrade(inner), events));
        for watched in inner.clusters.values() {
            inner
                .loops
                .spawn(watch::run(Arc::clone(inner), Arc::clone(watched)));
        }
        inner.loops.spawn(housekeeping::keep(self.clone()));
        inner.loops.spawn(approvals::keep(self.clone()));
        inner.loops.spawn(problems::watch(self.clone()));
        inner.loops.spawn(clock::watch(self.clone()));
        let (audit, stopping) = (inner.audit.clone(), inner.stopping.clone());
        inner.loops.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                checked = audit.check() => if let Err(error) = checked {
                    tracing::warn!(%error, "the audit log could not be checked");
                }
            }
        });
    }

    /// Stops watching, waits for running steps' records to be written. What is still open then
    /// is looked at after the next start.
    pub async fn stop(&self) {
        let inner = &self.inner;
        inner.stopping.cancel();
        inner.jobs.close();
        if tokio::time::timeout(STOP_WAIT, inner.jobs.wait())
            .await
            .is_err()
        {
            tracing::warn!("changes are still open; they are looked at after the next start");
        }
        let unkept = inner.events.settled(EVENTS_WAIT).await;
        if let Err(error) = inner.audit.stopped(&inner.version, unkept).await {
            tracing::error!(%error, "the stop could not be recorded");
        }
        if let Err(error) = inner.audit.checkpoint().await {
            tracing::error!(%error, "the audit log could not be signed");
        }
        inner.copying.cancel();
        inner.copies.close();
        // Each gives up by itself.
        inner.copies.wait().await;
        inner.loops.close();
        inner.loops.wait().await;
        // What the last looks saw, after the stop was on record.
        let last = inner
            .events
            .settled(EVENTS_WAIT)
            .await
            .saturating_sub(unkept);
        if last > 0 {
            tracing::warn!(events = last, "the last events could not be kept");
        }
        inner.store.close().await;
    }

    /// Whether store and audit can be written.
    ///
    /// # Errors
    /// `Store`, `AuditUnavailable`.
    pub async fn ready(&self) -> Result<(), ControlError> {
        self.inner.store.probe().await?;
        self.inner.audit.probe().await
    }

    #[must_use]
    pub fn read_only(&self) -> bool {
        self.inner.read_only
    }
}

/// How long stopping waits for answers that are under way.
const STOP_WAIT: Duration = Duration::from_secs(8);
/// How long stopping waits, twice, for events on their way to the store.
const EVENTS_WAIT: Duration = Duration::from_secs(2);
/// How long copies of the last checkpoint may take when the console stops.
const COPY_WAIT: Duration = Duration::from_secs(3);
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
