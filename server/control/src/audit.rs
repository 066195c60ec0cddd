//! The audit log: append-only, gapless, intent and outcome as separate records.
//!
//! An entry's exact bytes are stored and are what is read back. One task writes, entry by entry,
//! each on disk before the answer. [`Intent`] can be made here only, and the wire to a cluster
//! wants one: nothing is sent before its intent is durable.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use quorate_domain::{
    audit::{Actor, Entry, EntryKind, Filter, Means, Outcome, Row, Source},
    cluster::{ClusterName, MemberId},
    job::ChangeId,
    moment::Timestamp,
    permission::{Permission, allows},
};
use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Control, ControlError, Operator, Page,
    clock::Clock,
    escape::{self, TEXT_MOST},
    store::{self, entries, migrations},
};

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

enum Order {
    Append {
        draft: Box<Draft>,
        reply: oneshot::Sender<sqlx::Result<Entry>>,
    },
    Probe {
        reply: oneshot::Sender<sqlx::Result<()>>,
    },
    LimitPages {
        pages: u32,
        reply: oneshot::Sender<sqlx::Result<()>>,
    },
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

/// The only connection that writes to the log.
struct Writer {
    file: PathBuf,
    /// `None` after a failure: a full disk may have ended a transaction behind its back.
    connection: Option<SqliteConnection>,
    /// A rehearsal's limit on the file's size.
    pages: Option<u32>,
    clock: Arc<Clock>,
}

impl Writer {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        while let Some(order) = orders.recv().await {
            match order {
                // Whoever gave up waiting was told that nothing was written, so nothing is.
                Order::Append { reply, .. } if reply.is_closed() => {}
                Order::Append { draft, reply } => {
                    let _gone = reply.send(self.append(*draft).await);
                }
                Order::Probe { reply } => {
                    let _gone = reply.send(self.probe().await);
                }
                Order::LimitPages { pages, reply } => {
                    self.pages = Some(pages);
                    self.connection = None;
                    let _gone = reply.send(self.connected().await.map(|_| ()));
                }
            }
        }
        if let Some(connection) = self.connection
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "closing the audit log");
        }
    }

    async fn append(&mut self, draft: Draft) -> sqlx::Result<Entry> {
        let clock = Arc::clone(&self.clock);
        let appended = entries::append(self.connected().await?, |seq| {
            let entry = draft.finish(seq, clock.now());
            let bytes =
                serde_json::to_vec(&entry).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
            Ok((entry, bytes))
        });
        let appended = appended.await;
        self.after(&appended).await;
        if appended.is_ok() {
            metrics::counter!("quorate_audit_entries_total").increment(1);
        }
        appended
    }

    async fn probe(&mut self) -> sqlx::Result<()> {
        let probed = store::probe(self.connected().await?).await;
        self.after(&probed).await;
        probed
    }

    async fn connected(&mut self) -> sqlx::Result<&mut SqliteConnection> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                store::options(&self.file)
                    .create_if_missing(false)
                    .connect()
                    .await?
            }
        };
        if let Some(pages) = self.pages {
            let pragma = format!("PRAGMA max_page_count = {pages}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(pragma))
                .execute(&mut connection)
                .await?;
        }
        Ok(self.connection.insert(connection))
    }

    async fn after<T>(&mut self, done: &sqlx::Result<T>) {
        if done.is_err()
            && let Some(broken) = self.connection.take()
        {
            let _closed_anyway = broken.close_hard().await;
        }
    }
}

impl Control {
    /// Oldest first, entries with `seq > after`.
    ///
    /// # Errors
    /// `NotAllowed` without the right to read the log (as a whole, or of the filter's cluster).
    pub async fn audit(
        &self,
        who: &Operator,
        filter: &Filter,
        after: u64,
        limit: u32,
    ) -> Result<Page<Entry>, ControlError> {
        self.may_read_audit(who, filter.cluster.as_deref()).await?;
        let limit = limit.clamp(1, PAGE_MOST);
        let read = async {
            let rows = entries::list(&self.inner.audit.read, filter, after, limit + 1).await?;
            rows.iter()
                .map(|bytes| entries::read_back(bytes))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        let items: Vec<Entry> = read.await.map_err(reading)?;
        Ok(page(items, limit, |entry| entry.seq))
    }

    /// Newest first, one row an intent with its outcome, rows with `seq < before`.
    ///
    /// # Errors
    /// As [`Control::audit`].
    pub async fn audit_rows(
        &self,
        who: &Operator,
        filter: &Filter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page<Row>, ControlError> {
        self.may_read_audit(who, filter.cluster.as_deref()).await?;
        let limit = limit.clamp(1, PAGE_MOST);
        let read = async {
            let rows = entries::rows(&self.inner.audit.read, filter, before, limit + 1).await?;
            rows.iter()
                .map(|(entry, answer)| row(entry, answer.as_deref()))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        let items: Vec<Row> = read.await.map_err(reading)?;
        Ok(page(items, limit, |row| row.entry.seq))
    }

    /// One entry, its row partner, and the exact stored bytes as text. An outcome's partner is
    /// its intent, in the place of the row's entry.
    ///
    /// # Errors
    /// `NotFound`, or as [`Control::audit`].
    pub async fn audit_entry(
        &self,
        who: &Operator,
        seq: u64,
    ) -> Result<(Row, String), ControlError> {
        let read = &self.inner.audit.read;
        let found = entries::one(read, seq).await.map_err(reading)?;
        let entry = found
            .as_deref()
            .map(entries::read_back)
            .transpose()
            .map_err(reading)?;
        let cluster = entry.as_ref().and_then(|entry| entry.cluster.clone());
        self.may_read_audit(who, cluster.as_ref().map(ClusterName::as_str))
            .await?;
        let (Some(bytes), Some(entry)) = (found, entry) else {
            return Err(ControlError::not_found("audit entry", &seq.to_string()));
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let intent = match entry.intent_seq {
            Some(intent) => entries::one(read, intent).await.map_err(reading)?,
            None => None,
        };
        let found = match intent {
            Some(intent) => row(&intent, Some(&bytes)),
            None => {
                let answer = entries::answer(read, seq).await.map_err(reading)?;
                row(&bytes, answer.as_deref())
            }
        };
        Ok((found.map_err(reading)?, text))
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// `NotAllowed` without the right to read the log on any cluster.
    pub async fn audit_size(&self, who: &Operator) -> Result<u64, ControlError> {
        let somewhere = self
            .inner
            .clusters
            .values()
            .any(|watched| allows(&who.grants, Permission::ReadAudit, Some(watched.place())));
        if !somewhere {
            self.may_read_audit(who, None).await?;
        }
        entries::size(&self.inner.audit.read).await.map_err(reading)
    }

    /// Records a refused request that never reached a use case (forged origin, no sign-in…).
    /// Floods are cut: what strangers send must not fill the disk.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    pub async fn record_refusal(
        &self,
        action: &str,
        text: &str,
        source: &Source,
    ) -> Result<(), ControlError> {
        let peer = source.peer.as_deref().unwrap_or_default();
        if !self.inner.flood.admits(action, peer) {
            metrics::counter!("quorate_audit_suppressed_total").increment(1);
            return Ok(());
        }
        let mut draft = Draft::new(
            EntryKind::Refusal,
            action,
            nobody("nobody signed in"),
            source.clone(),
            text,
        );
        draft.outcome = Some(Outcome::Refused);
        self.inner.audit.append(draft).await.map(|_| ())
    }

    /// Limits the log's file to `pages` pages of 4 KiB, so that a full disk can be rehearsed.
    /// Holds until the console ends.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    #[doc(hidden)]
    pub async fn rehearse_full_audit(&self, pages: u32) -> Result<(), ControlError> {
        self.inner.audit.limit_pages(pages).await
    }

    /// Records a refusal as far as it can be; the caller is refused either way.
    pub(crate) async fn refused(&self, draft: Draft) {
        if let Err(error) = self.inner.audit.append(draft).await {
            tracing::error!(%error, "a refusal could not be recorded");
        }
    }

    /// `NotAllowed`, recorded: `who` wanted `permission` (called `action` in the log).
    pub(crate) async fn not_allowed(
        &self,
        who: &Operator,
        permission: Permission,
        action: &str,
        cluster: Option<&ClusterName>,
    ) -> ControlError {
        let needs = crate::wording::roles(permission);
        let mut draft = Draft::refusal(
            who,
            action,
            crate::wording::not_allowed(action, cluster, &needs),
        );
        draft.cluster = cluster.cloned();
        self.refused(draft).await;
        ControlError::NotAllowed { needs }
    }

    async fn may_read_audit(
        &self,
        who: &Operator,
        cluster: Option<&str>,
    ) -> Result<(), ControlError> {
        let name = cluster.map(ClusterName::from);
        let of_cluster = name.as_ref().is_some_and(|name| {
            let tags = self
                .inner
                .clusters
                .get(name)
                .map(|watched| watched.place().1);
            allows(
                &who.grants,
                Permission::ReadAudit,
                Some((name, tags.unwrap_or_default())),
            )
        });
        if of_cluster || allows(&who.grants, Permission::ReadAudit, None) {
            return Ok(());
        }
        Err(self
            .not_allowed(who, Permission::ReadAudit, "read_audit", name.as_ref())
            .await)
    }
}

fn row(entry: &[u8], answer: Option<&[u8]>) -> sqlx::Result<Row> {
    Ok(Row {
        entry: entries::read_back(entry)?,
        outcome: answer.map(entries::read_back).transpose()?,
    })
}

/// A page of at most `limit` of `items`, with the last one's number as the cursor.
fn page<T>(mut items: Vec<T>, limit: u32, number: impl Fn(&T) -> u64) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items
        .last()
        .filter(|_| more)
        .map(|item| number(item).to_string());
    Page { items, next }
}
