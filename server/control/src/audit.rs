//! The audit log: append-only, gapless, intent and outcome as separate records.
//!
//! An entry's exact bytes are stored and are what is read back. One task writes, entry by entry,
//! each on disk before the answer. [`Intent`] can be made here only, and the wire to a cluster
//! wants one: nothing is sent before its intent is durable.

use std::{path::Path, sync::Arc, time::Duration};

use quorate_domain::{
    audit::{Actor, Entry, EntryKind, Means, Outcome, Source},
    cluster::{ClusterName, MemberId},
    job::ChangeId,
    moment::Timestamp,
};
use serde_json::Value;
use sqlx::{ConnectOptions as _, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use crate::{
    ControlError, Operator,
    clock::Clock,
    escape::{self, TEXT_MOST},
    store::{self, entries, migrations},
};

mod reading;
mod writer;

use writer::{Order, Writer};

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
        draft
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

    /// The entry as it is stored: capped, without control characters.
    fn finish(self, seq: u64, time: Timestamp) -> Entry {
        Entry {
            seq,
            time,
            kind: self.kind,
            action: escape::text(&self.action, TEXT_MOST),
            actor: escape::actor(self.actor),
            source: escape::source(self.source),
            cluster: self
                .cluster
                .map(|name| escape::text(&name.0, TEXT_MOST).into()),
            member: self.member.map(|id| escape::text(&id.0, TEXT_MOST).into()),
            change: self.change,
            intent_seq: self.intent_seq,
            outcome: self.outcome,
            reason: self.reason.map(|text| escape::text(&text, TEXT_MOST)),
            ticket: self.ticket.map(|text| escape::text(&text, TEXT_MOST)),
            text: escape::text(&self.text, TEXT_MOST),
            seen: escape::value(self.seen),
            sent: escape::value(self.sent),
            received: escape::value(self.received),
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
}

impl Audit {
    /// Opens (creating and migrating) the log in `directory` and starts its writer.
    pub(crate) async fn open(directory: &Path, clock: Arc<Clock>) -> Result<Self, ControlError> {
        let file = directory.join(AUDIT_FILE);
        store::private_file(&file)?;
        let opening = ControlError::audit;
        let mut write = store::options(&file).connect().await.map_err(opening)?;
        migrations::apply(&mut write, migrations::AUDIT)
            .await
            .map_err(opening)?;
        let read = store::readers(&file).await.map_err(opening)?;
        let (orders, waiting) = mpsc::channel(QUEUE);
        let writer = Writer {
            file,
            connection: Some(write),
            pages: None,
            clock,
        };
        tokio::spawn(writer.run(waiting));
        Ok(Self { orders, read })
    }

    /// Durable when this returns; fails closed.
    pub(crate) async fn append(&self, draft: Draft) -> Result<Entry, ControlError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Append {
            draft: Box::new(draft),
            reply,
        };
        self.give(order, answer).await.map_err(|source| {
            metrics::counter!("quorate_audit_errors_total").increment(1);
            tracing::error!(error = %source, "the audit log cannot be written");
            ControlError::AuditUnavailable { source }
        })
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
        let until = tokio::time::Instant::now() + patience;
        let mut pause = RETRY_FIRST;
        loop {
            match self.append(draft.clone()).await {
                Err(_) if tokio::time::Instant::now() + pause < until => {
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
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Intents nobody answered, oldest first.
    pub(crate) async fn open_intents(&self) -> Result<Vec<Entry>, ControlError> {
        let read = async {
            let rows = entries::open_intents(&self.read).await?;
            rows.iter()
                .map(|bytes| entries::read_back(bytes))
                .collect::<sqlx::Result<Vec<_>>>()
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
