//! The one task that writes to the log. What waits is written together, durable with one
//! synchronisation of the disk; each entry is on disk before its writer is answered.
//!
//! The hash tree grows in the same transaction. A checkpoint is signed when the writers have been
//! answered, at most one a second: nobody waits for a signature. A log that was never signed is
//! signed with its first entries, and beside a console every entry is.

use std::{path::PathBuf, sync::Arc, time::Duration};

use quorate_audit::note::VerifierKey;
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{keys::KeyFile, sealing::Ring, settling, shared::Shared, tree::Tree};
use crate::{
    clock::Clock,
    store::{checkpoints, checkpoints::Stored},
};

/// The most entries of one transaction.
const TOGETHER_MOST: usize = 256;
/// The longest an entry stays without a signed checkpoint over it, while the console runs.
const SIGN_AFTER: Duration = Duration::from_secs(1);
/// Pause after a checkpoint that could not be signed or stored.
const SIGN_AGAIN: Duration = Duration::from_secs(5);

mod batch;
mod connection;
mod orders;
mod special;

pub(super) use batch::Begun;
pub(super) use connection::{identity, options};
pub use orders::Erasure;
pub(super) use orders::{Erased, HoldChange, Order, Reply};

/// When checkpoints are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signing {
    /// At most one a second, after the commit: the console.
    EverySecond,
    /// In the same commit as every entry: commands, which may end at any time.
    AtOnce,
}

/// The only connection that writes to the log.
pub(super) struct Writer {
    pub(super) file: PathBuf,
    /// Device and number of the file that was opened first.
    pub(super) identity: Option<(u64, u64)>,
    /// `None` after a failure: a full disk may have ended a transaction behind its back.
    pub(super) connection: Option<SqliteConnection>,
    /// `None` before the first entry and after a failure.
    pub(super) tree: Option<Tree>,
    /// The keys of people that entries are sealed under.
    pub(super) ring: Ring,
    pub(super) keys: KeyFile,
    pub(super) signing: Signing,
    /// When to sign what is not signed yet, and when that was done last.
    pub(super) sign_at: Option<Instant>,
    pub(super) signed_at: Option<Instant>,
    /// A rehearsal's limit on the file's size.
    pub(super) pages: Option<u32>,
    /// Since when intents of this run are on record.
    pub(super) begun: Begun,
    pub(super) clock: Arc<Clock>,
    pub(super) shared: Arc<Shared>,
    /// Told how far the log has grown; gone when the writer is.
    pub(super) grown: watch::Sender<u64>,
}

impl Writer {
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        while let Some(order) = self.next(&mut orders).await {
            let mut left = Some(order);
            while let Some(order) = left.take() {
                left = self.carry_out(order, &mut orders).await;
            }
        }
        if let Some(connection) = self.connection
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "closing the audit log");
        }
    }

    /// The next order; signs when it is time to.
    async fn next(&mut self, orders: &mut mpsc::Receiver<Order>) -> Option<Order> {
        loop {
            let Some(at) = self.sign_at else {
                return orders.recv().await;
            };
            if Instant::now() < at {
                tokio::select! {
                    order = orders.recv() => return order,
                    () = tokio::time::sleep_until(at) => {}
                }
            }
            if let Err(error) = self.sign().await {
                tracing::error!(%error, "the audit log could not be signed");
                self.shared.told(Some(&error));
                self.sign_at = Some(Instant::now() + SIGN_AGAIN);
            }
        }
    }

    /// Carries an order out; gives back one that was taken from the queue and is of another sort.
    async fn carry_out(
        &mut self,
        order: Order,
        orders: &mut mpsc::Receiver<Order>,
    ) -> Option<Order> {
        match order {
            Order::Append {
                draft,
                asked,
                reply,
            } => {
                waited(asked);
                let mut batch = vec![(draft, reply)];
                let mut other = None;
                while batch.len() < TOGETHER_MOST && other.is_none() {
                    match orders.try_recv() {
                        Ok(Order::Append {
                            draft,
                            asked,
                            reply,
                        }) => {
                            waited(asked);
                            batch.push((draft, reply));
                        }
                        Ok(order) => other = Some(order),
                        Err(_) => break,
                    }
                }
                self.append_all(batch).await;
                self.settle_if_long().await;
                return other;
            }
            Order::Probe { reply } => {
                let _gone = reply.send(self.probe().await);
            }
            Order::LimitPages { pages, reply } => {
                self.pages = Some(pages);
                self.connection = None;
                let limited = match self.connected().await {
                    Ok(connection) => {
                        self.connection = Some(connection);
                        Ok(())
                    }
                    Err(error) => Err(error),
                };
                let _gone = reply.send(limited);
            }
            Order::Sign { reply } => {
                let _gone = reply.send(self.sign().await);
            }
            Order::Register { key, reply } => {
                let _gone = reply.send(self.register(&key).await);
            }
            Order::Erase { whom, draft, reply } => {
                let _gone = reply.send(self.erase(&whom, *draft).await);
            }
            Order::Remove { upto, draft, reply } => {
                let _gone = reply.send(self.say_removed(upto, *draft).await);
            }
            Order::RemoveBlock { reply } => {
                let _gone = reply.send(self.remove_block().await);
            }
            Order::Hold {
                change,
                draft,
                reply,
            } => {
                let _gone = reply.send(self.hold(&change, *draft).await);
            }
            Order::Copied { name, size, reply } => {
                let _gone = reply.send(self.copied(&name, size).await);
            }
        }
        None
    }

    /// Signs where that is due at once, and commits.
    async fn commit(
        &mut self,
        mut transaction: Transaction<'_, Sqlite>,
        mut tree: Tree,
        began: Instant,
    ) -> sqlx::Result<()> {
        let signed = match self.signing == Signing::AtOnce || tree.signed == 0 {
            true => Some(
                tree.sign(&mut transaction, &self.keys, self.clock.now())
                    .await?,
            ),
            false => None,
        };
        let committing = Instant::now();
        transaction.commit().await?;
        took("commit", committing);
        self.committed(tree, signed.as_ref(), began);
        Ok(())
    }

    /// What was written is on disk.
    fn committed(&mut self, tree: Tree, signed: Option<&Stored>, began: Instant) {
        self.begun.committed();
        self.shared.grew(tree.size());
        self.grown.send_replace(tree.size());
        self.tree = Some(tree);
        match signed {
            Some(stored) => self.signed(stored),
            None => {
                let due = self.signed_at.map_or(began, |at| at + SIGN_AFTER);
                self.sign_at = self.sign_at.or(Some(due));
            }
        }
    }

    fn signed(&mut self, stored: &Stored) {
        self.signed_at = Some(Instant::now());
        self.sign_at = None;
        self.shared.signed(stored);
    }

    /// The tree as the file has it now.
    async fn tree(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<Tree> {
        if let Some(trouble) = self.shared.broken() {
            return Err(trouble.into());
        }
        let mut tree = match self.tree.take() {
            Some(tree) => tree,
            None => Tree::load(connection, &self.keys).await?,
        };
        let known = tree.size();
        tree.catch_up(connection).await?;
        if tree.size() != known {
            // Another process has written: perhaps that somebody was erased, and has left traces
            // of it, since this one was reading.
            self.ring.forget();
            self.shared.leaves_traces();
        }
        Ok(tree)
    }

    /// A checkpoint over all entries; the newest one where that is over all of them already.
    async fn sign(&mut self) -> sqlx::Result<Option<Stored>> {
        let began = Instant::now();
        let mut connection = self.connected().await?;
        let signed = self.sign_on(&mut connection).await;
        self.put_back(connection, signed.is_ok()).await;
        let signed = signed?;
        metrics::histogram!("quorate_audit_sign_seconds").record(began.elapsed().as_secs_f64());
        match &signed {
            Some(stored) => self.signed(stored),
            None => self.sign_at = None,
        }
        Ok(signed)
    }

    async fn sign_on(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<Option<Stored>> {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut tree = self.tree(&mut transaction).await?;
        let stored = match tree.size() {
            0 => None,
            size if size == tree.signed => checkpoints::of_size(&mut *transaction, size).await?,
            _ => {
                tree.store_blocks(&mut transaction).await?;
                Some(
                    tree.sign(&mut transaction, &self.keys, self.clock.now())
                        .await?,
                )
            }
        };
        transaction.commit().await?;
        self.tree = Some(tree);
        Ok(stored)
    }

    /// What is written ahead is moved beside the writer; where that falls behind, here.
    async fn settle_if_long(&mut self) {
        if !self.shared.is_long() {
            return;
        }
        let Ok(mut connection) = self.connected().await else {
            return;
        };
        let settled = settling::settle(&mut connection).await;
        self.put_back(connection, settled.is_ok()).await;
        match settled {
            Ok(moved) => self.shared.settled(&moved),
            Err(error) => {
                tracing::warn!(%error, "what the audit log wrote ahead could not be moved");
            }
        }
    }

    async fn register(&mut self, key: &VerifierKey) -> sqlx::Result<()> {
        let mut connection = self.connected().await?;
        let id = key.key().to_string();
        let done = checkpoints::insert_key(&mut connection, &id, &key.to_string()).await;
        self.put_back(connection, done.is_ok()).await;
        done
    }

    async fn copied(&mut self, name: &str, size: u64) -> sqlx::Result<()> {
        let mut connection = self.connected().await?;
        let done = checkpoints::copied(&mut connection, name, size, self.clock.now()).await;
        self.put_back(connection, done.is_ok()).await;
        done
    }
}

/// How long an entry waited for the writer.
fn waited(asked: Instant) {
    took("wait", asked);
}

fn took(part: &'static str, since: Instant) {
    metrics::histogram!("quorate_audit_append_seconds", "part" => part)
        .record(since.elapsed().as_secs_f64());
}
