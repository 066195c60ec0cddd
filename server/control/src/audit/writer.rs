//! The one task that writes to the log, entry by entry.

use std::{path::PathBuf, sync::Arc};

use quorate_domain::audit::Entry;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::Draft;
use crate::{
    clock::Clock,
    store::{self, entries},
};

pub(super) enum Order {
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

/// The only connection that writes to the log.
pub(super) struct Writer {
    pub(super) file: PathBuf,
    /// `None` after a failure: a full disk may have ended a transaction behind its back.
    pub(super) connection: Option<SqliteConnection>,
    /// A rehearsal's limit on the file's size.
    pub(super) pages: Option<u32>,
    pub(super) clock: Arc<Clock>,
}

impl Writer {
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
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
