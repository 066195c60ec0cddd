//! The audit log: append-only, gapless, intent and outcome as separate records.
//!
//! An entry's exact bytes are stored and are what is read back. One task writes, what waits
//! together, each entry on disk before the answer; a hash tree over the entries is signed at short
//! intervals. [`Intent`] can be made here only, and the wire to a cluster wants one: nothing is
//! sent before its intent is durable.

use std::{path::Path, sync::Arc, time::Duration};

use quorate_domain::{
    approval::Given,
    audit::{Actor, Entry, EntryKind, Filter, Means, Outcome, SCHEMA, Source, Standing},
    cluster::{ClusterName, MemberId},
    job::ChangeId,
    moment::Timestamp,
    permission::Grant,
};
use serde_json::Value;
use sqlx::{ConnectOptions as _, SqlitePool};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    ControlError, Operator,
    clock::Clock,
    escape::{self, TEXT_MOST},
    store::{
        self,
        checkpoints::{self, Stored},
        entries, migrations, removals,
    },
};

mod beginning;
mod check;
mod copied;
mod copies;
mod erasure;
mod export;
mod keys;
mod late;
mod proofs;
mod reading;
mod reports;
mod retention;
mod rotation;
mod sealing;
mod settling;
mod shared;
mod tree;
pub(crate) mod trouble;
mod verification;
mod writer;
mod wrongs;

pub use copied::hold_entries;
pub use copies::{Content, Outside, OutsideFile, Parcel, Terms, What};
pub use erasure::ErasurePreview;
pub use export::{Export, Format};
pub use reports::{Every, Keeping, Recipient, ReportFile, ReportPlan};
pub use retention::{Hold, Retention};
pub use verification::{people as audit_people, verify_log};

use keys::KeyFile;
use sealing::Ring;
use shared::Shared;
pub use writer::Erasure;
use writer::{Begun, Order, Signing, Writer};
pub(crate) use wrongs::Wrong;

const AUDIT_FILE: &str = "quorate-audit.db";
/// Entries waiting to be written; beyond it, writers wait.
const QUEUE: usize = 256;
/// How long a use case waits for its entry; a hanging disk must not hang the console.
const APPEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Retries of an outcome: the change has happened, so its record must come.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);
/// The most entries one page of a list holds.
pub(crate) const PAGE_MOST: u32 = 1_000;

/// An entry before it has number and time.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) kind: EntryKind,
    pub(crate) action: String,
    pub(crate) actor: Actor,
    pub(crate) source: Source,
    pub(crate) cluster: Option<ClusterName>,
    pub(crate) group: Option<String>,
    pub(crate) member: Option<MemberId>,
    pub(crate) change: Option<ChangeId>,
    pub(crate) intent_seq: Option<u64>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) reason: Option<String>,
    pub(crate) ticket: Option<String>,
    pub(crate) text: String,
    pub(crate) seen: Value,
    pub(crate) sent: Value,
    pub(crate) received: Value,
    /// What the actor may do.
    pub(crate) grants: Vec<Grant>,
    /// Whose account it is about, by name.
    pub(crate) about: Option<String>,
    /// Who approved it.
    pub(crate) approvals: Vec<Given>,
}

impl Draft {
    pub(crate) fn new(
        kind: EntryKind,
        action: &str,
        actor: Actor,
        source: Source,
        text: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            action: action.to_owned(),
            actor,
            source,
            cluster: None,
            group: None,
            member: None,
            change: None,
            intent_seq: None,
            outcome: None,
            reason: None,
            ticket: None,
            text: text.into(),
            seen: Value::Null,
            sent: Value::Null,
            received: Value::Null,
            grants: Vec::new(),
            about: None,
            approvals: Vec::new(),
        }
    }

    /// Something `who` did to accounts, tokens or sessions.
    pub(crate) fn access(who: &Operator, action: &str, text: impl Into<String>) -> Self {
        let mut draft = Self::new(
            EntryKind::Access,
            action,
            who.actor.clone(),
            who.source(),
            text,
        );
        draft.outcome = Some(Outcome::Succeeded);
        draft.grants.clone_from(&who.grants);
        draft
    }

    /// Whom, beside who did it, its text names.
    pub(crate) fn naming(mut self, name: &str) -> Self {
        self.about = Some(name.to_owned());
        self
    }

    /// Whose account it is about.
    pub(crate) fn of_account(mut self, name: &str) -> Self {
        self.sent = serde_json::json!({ "account": name });
        self.about = Some(name.to_owned());
        self
    }

    /// Whom a condition of reading or exporting names.
    pub(crate) fn of_filter(mut self, filter: &Filter) -> Self {
        self.about.clone_from(&filter.actor);
        self
    }

    /// Something `who` asked for and was not given.
    pub(crate) fn refusal(who: &Operator, action: &str, text: impl Into<String>) -> Self {
        let mut draft = Self::new(
            EntryKind::Refusal,
            action,
            who.actor.clone(),
            who.source(),
            text,
        );
        draft.outcome = Some(Outcome::Refused);
        draft.grants.clone_from(&who.grants);
        draft
    }

    /// The console's own doing.
    pub(crate) fn console(action: &str, text: impl Into<String>) -> Self {
        Self::new(
            EntryKind::Console,
            action,
            console(),
            Source::default(),
            text,
        )
    }

    /// Capped, without control characters: as it is stored.
    fn escaped(mut self) -> Self {
        self.action = escape::text(&self.action, TEXT_MOST);
        self.actor = escape::actor(self.actor);
        self.source = escape::source(self.source);
        self.cluster = self
            .cluster
            .map(|name| escape::text(&name.0, TEXT_MOST).into());
        self.group = self.group.map(|name| escape::text(&name, TEXT_MOST));
        self.member = self.member.map(|id| escape::text(&id.0, TEXT_MOST).into());
        self.reason = self.reason.map(|text| escape::text(&text, TEXT_MOST));
        self.ticket = self.ticket.map(|text| escape::text(&text, TEXT_MOST));
        self.text = escape::text(&self.text, TEXT_MOST);
        self.about = self.about.map(|name| escape::text(&name, TEXT_MOST));
        self.seen = escape::value(self.seen);
        self.sent = escape::value(self.sent);
        self.received = escape::value(self.received);
        for given in &mut self.approvals {
            given.by = escape::actor(given.by.clone());
            given.reason = escape::text(&given.reason, TEXT_MOST);
        }
        for grant in &mut self.grants {
            for name in grant.clusters.iter_mut().chain(&mut grant.tags) {
                *name = escape::text(name, TEXT_MOST);
            }
        }
        self
    }

    /// The entry as it is stored, of an escaped draft, without what only the writer knows.
    fn finish(self, seq: u64, time: Timestamp, running_ms: u64) -> Entry {
        Entry {
            origin: Some(self.actor.means.origin()),
            grants: self.grants,
            approvals: self.approvals,
            running_ms: Some(running_ms),
            schema: Some(SCHEMA),
            writer: Some(env!("CARGO_PKG_VERSION").to_owned()),
            mapping_version: None,
            severity: Some(Entry::severity_of(self.outcome, &self.action).to_owned()),
            category: Some(Entry::category_of(self.kind, &self.action).to_owned()),
            id: None,
            took_ms: None,
            clock_synced: None,
            sealed: Vec::new(),
            seq,
            time,
            kind: self.kind,
            action: self.action,
            actor: self.actor,
            source: self.source,
            cluster: self.cluster,
            group: self.group,
            member: self.member,
            change: self.change,
            intent_seq: self.intent_seq,
            outcome: self.outcome,
            reason: self.reason,
            ticket: self.ticket,
            text: self.text,
            seen: self.seen,
            sent: self.sent,
            received: self.received,
        }
    }
}

/// The console as an actor.
pub(crate) fn console() -> Actor {
    Actor {
        issuer: "console".to_owned(),
        subject: "console".to_owned(),
        name: "Quorate".to_owned(),
        means: Means::Console,
    }
}

/// Nobody in particular: a request without a believable identity.
pub(crate) fn nobody(name: &str) -> Actor {
    Actor {
        issuer: "none".to_owned(),
        subject: "unauthenticated".to_owned(),
        name: name.to_owned(),
        means: Means::Nobody,
    }
}

/// Proof that an intent is on disk. It cannot be copied: one intent, at most one request.
pub(crate) struct Intent {
    seq: u64,
}

impl Intent {
    pub(crate) const fn seq(&self) -> u64 {
        self.seq
    }
}

/// The log. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Audit {
    orders: mpsc::Sender<Order>,
    read: SqlitePool,
    keys: KeyFile,
    shared: Arc<Shared>,
    /// How the reports stand that are made by a schedule.
    reports: reports::Shown,
    /// And how they stand with those they are delivered to.
    deliveries: reports::Deliveries,
}

impl Audit {
    /// Opens (creating and migrating) the log in `directory` and starts its writer. Beside a
    /// console, as a command, every entry is signed at once.
    pub(crate) async fn open(
        directory: &Path,
        clock: Arc<Clock>,
        beside: bool,
    ) -> Result<Self, ControlError> {
        let file = directory.join(AUDIT_FILE);
        store::private_file(&file)?;
        let opening = ControlError::audit;
        let signing = match beside {
            true => Signing::AtOnce,
            false => Signing::EverySecond,
        };
        let write = writer::options(&file, signing).connect().await;
        let mut write = write.map_err(opening)?;
        migrations::apply(&mut write, migrations::AUDIT)
            .await
            .map_err(opening)?;
        let read = store::readers(&file).await.map_err(opening)?;
        let (orders, waiting) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared::default());
        // A run that broke off may have left keys in it that it had destroyed.
        shared.leaves_traces();
        if let Some(newest) = checkpoints::newest(&read).await.map_err(opening)? {
            shared.signed(&newest);
        }
        for (name, size, at) in checkpoints::copies(&read).await.map_err(opening)? {
            shared.copied_before(&name, size, at);
        }
        let keys = KeyFile::of(directory);
        let identity = writer::identity(&file);
        let (grown, growing) = watch::channel(0);
        if !beside {
            let settling = settling::run(file.clone(), identity, growing, Arc::clone(&shared));
            tokio::spawn(settling);
        }
        let writer = Writer {
            identity,
            file,
            connection: Some(write),
            tree: None,
            ring: Ring::default(),
            keys: keys.clone(),
            signing,
            sign_at: None,
            signed_at: None,
            pages: None,
            begun: Begun::default(),
            clock,
            shared: Arc::clone(&shared),
            grown,
        };
        tokio::spawn(writer.run(waiting));
        Ok(Self {
            orders,
            read,
            keys,
            shared,
            reports: reports::Shown::default(),
            deliveries: reports::Deliveries::default(),
        })
    }

    /// Durable when this returns; fails closed.
    pub(crate) async fn append(&self, draft: Draft) -> Result<Entry, ControlError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Append {
            draft: Box::new(draft.escaped()),
            asked: Instant::now(),
            reply,
        };
        self.give(order, answer).await.map_err(|source| {
            metrics::counter!("quorate_audit_errors_total").increment(1);
            tracing::error!(error = %source, "the audit log cannot be written");
            ControlError::AuditUnavailable { source }
        })
    }

    /// A signed checkpoint over all entries; `None` for an empty log.
    pub(crate) async fn checkpoint(&self) -> Result<Option<Stored>, ControlError> {
        let (reply, answer) = oneshot::channel();
        self.give(Order::Sign { reply }, answer)
            .await
            .map_err(ControlError::audit)
    }

    /// The one way to an [`Intent`].
    pub(crate) async fn begin(&self, mut draft: Draft) -> Result<Intent, ControlError> {
        draft.kind = EntryKind::Intent;
        let entry = self.append(draft).await?;
        Ok(Intent { seq: entry.seq })
    }

    /// Records an outcome, trying again for as long as `patience` lasts.
    pub(crate) async fn complete(
        &self,
        draft: &Draft,
        patience: Duration,
    ) -> Result<Entry, ControlError> {
        let until = Instant::now() + patience;
        let mut pause = RETRY_FIRST;
        loop {
            match self.append(draft.clone()).await {
                Err(_) if Instant::now() + pause < until => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_MOST);
                }
                ended => return ended,
            }
        }
    }

    pub(crate) async fn probe(&self) -> Result<(), ControlError> {
        let (reply, answer) = oneshot::channel();
        self.give(Order::Probe { reply }, answer)
            .await
            .map_err(ControlError::audit)
    }

    pub(crate) async fn limit_pages(&self, pages: u32) -> Result<(), ControlError> {
        let (reply, answer) = oneshot::channel();
        self.give(Order::LimitPages { pages, reply }, answer)
            .await
            .map_err(ControlError::audit)
    }

    async fn give<T>(
        &self,
        order: Order,
        answer: oneshot::Receiver<sqlx::Result<T>>,
    ) -> sqlx::Result<T> {
        let both = async {
            self.orders
                .send(order)
                .await
                .map_err(|_| sqlx::Error::WorkerCrashed)?;
            answer.await.map_err(|_| sqlx::Error::WorkerCrashed)?
        };
        tokio::time::timeout(APPEND_TIMEOUT, both)
            .await
            .unwrap_or_else(|_| {
                let error = sqlx::Error::PoolTimedOut;
                self.shared.told(Some(&error));
                Err(error)
            })
    }

    /// How well it is kept.
    pub(crate) async fn standing(&self, now: Timestamp) -> Result<Standing, ControlError> {
        let newest = self.shared.newest.borrow().clone();
        let signed = newest
            .as_ref()
            .and_then(|stored| quorate_audit::checkpoint::Signed::parse(&stored.note).ok());
        let size = signed.as_ref().map_or(0, |it| it.checkpoint.size);
        let keys = signed
            .iter()
            .flat_map(|it| it.note.named().map(ToString::to_string))
            .collect();
        let gone = removals::blocks(&self.read).await.map_err(reading)?;
        Ok(Standing {
            entries: entries::size(&self.read).await.map_err(reading)?,
            removed: gone * quorate_audit::tree::BLOCK,
            log: signed.map(|it| it.checkpoint.origin),
            signed: size,
            signed_at: newest.map(|stored| stored.time),
            keys,
            copies: self.shared.copies(size, now),
            reports: self
                .reports
                .lock()
                .map(|shown| shown.clone())
                .unwrap_or_default(),
            deliveries: reports::standings(&self.deliveries),
            trouble: self.shared.why(),
        })
    }

    /// Intents nobody answered, oldest first.
    pub(crate) async fn open_intents(&self) -> Result<Vec<Entry>, ControlError> {
        let read = async {
            let rows = entries::open_intents(&self.read).await?;
            sealing::opened(&self.read, &rows).await
        };
        read.await.map_err(reading)
    }

    /// The newest entry that answers an intent.
    pub(crate) async fn outcome_of(&self, intent: u64) -> Result<Option<Entry>, ControlError> {
        let read = async {
            let found = entries::answer(&self.read, intent).await?;
            match found {
                Some(bytes) => sealing::opened_one(&self.read, bytes).await.map(Some),
                None => Ok(None),
            }
        };
        read.await.map_err(reading)
    }

    pub(crate) async fn intent_of(&self, change: &ChangeId) -> Result<Option<u64>, ControlError> {
        entries::intent_of(&self.read, &change.0)
            .await
            .map_err(reading)
    }
}

fn reading(source: sqlx::Error) -> ControlError {
    ControlError::Store {
        doing: "reading the audit log",
        source,
    }
}
