//! The audit log: append-only, gapless, intent and outcome as separate records.
//!
//! An entry's exact bytes are stored and are what is read back. One task writes, what waits
//! together, each entry on disk before the answer; a hash tree over the entries is signed at short
//! intervals. [`Intent`] can be made here only, and the wire to a cluster wants one: nothing is
//! sent before its intent is durable.

use std::{path::Path, sync::Arc, time::Duration};

use quorate_domain::audit::Entry;
use sqlx::{ConnectOptions as _, SqlitePool};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    ControlError,
    clock::Clock,
    store::{
        self,
        checkpoints::{self, Stored},
        migrations,
    },
};

mod beginning;
mod check;
mod copied;
mod copies;
mod draft;
mod erasure;
mod export;
mod intents;
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
mod standing;
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

pub(crate) use draft::{Draft, console, nobody};
pub(crate) use intents::Intent;
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
/// The most entries one page of a list holds.
pub(crate) const PAGE_MOST: u32 = 1_000;

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
}

fn reading(source: sqlx::Error) -> ControlError {
    ControlError::Store {
        doing: "reading the audit log",
        source,
    }
}
