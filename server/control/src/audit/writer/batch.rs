//! Entries that are written together: numbered, sealed, stored, and their askers answered.

use std::collections::BTreeMap;

use quorate_domain::{
    audit::{Entry, EntryKind},
    moment::Timestamp,
};
use sqlx::{Connection as _, SqliteConnection};
use tokio::time::Instant;

use super::{Reply, Writer, took};
use crate::{
    audit::{Draft, late::answered, tree::Tree},
    store::entries,
};

/// Intents whose beginning is kept at hand; an outcome beyond them does not tell how long it took.
const BEGUN_MOST: usize = 4_096;

/// When intents of this run were written, by the clock that nobody can set.
#[derive(Default)]
pub(in crate::audit) struct Begun(BTreeMap<u64, u64>);

impl Begun {
    fn begins(&mut self, intent: u64, running_ms: u64) {
        if self.0.len() >= BEGUN_MOST {
            self.0.pop_first();
        }
        self.0.insert(intent, running_ms);
    }

    /// Milliseconds from an intent's record to now; `None` if another run wrote it.
    fn took(&self, intent: u64, running_ms: u64) -> Option<u64> {
        let begun = self.0.get(&intent)?;
        Some(running_ms.saturating_sub(*begun))
    }

    /// What the writer alone knows of an entry that is numbered.
    fn tell(&mut self, entry: &mut Entry, running_ms: u64) {
        match (entry.kind, entry.intent_seq) {
            (EntryKind::Intent, _) => self.begins(entry.seq, running_ms),
            (EntryKind::Outcome, Some(intent)) => entry.took_ms = self.took(intent, running_ms),
            _ => {}
        }
    }
}

/// An id whose beginning is the entry's own time, so that ids come in the order of times.
fn id_of(time: Timestamp) -> String {
    let millis = u64::try_from(time.unix_ms()).unwrap_or(0);
    let nanos = u32::try_from(millis % 1_000 * 1_000_000).unwrap_or(0);
    let at = uuid::Timestamp::from_unix(uuid::NoContext, millis / 1_000, nanos);
    uuid::Uuid::new_v7(at).to_string()
}

/// Appends that are carried out together.
pub(super) type Batch = Vec<(Box<Draft>, Reply<Entry>)>;

impl Writer {
    /// Together, or one by one if together they cannot be: one that does not fit must not take
    /// the others with it.
    pub(super) async fn append_all(&mut self, mut batch: Batch) {
        // Whoever gave up waiting was told that nothing was written, so nothing is.
        batch.retain(|(_, reply)| !reply.is_closed());
        if let [_, _, ..] = batch.as_slice() {
            let drafts: Vec<&Draft> = batch.iter().map(|(draft, _)| &**draft).collect();
            if let Ok(written) = self.append(&drafts).await {
                let late = batch.into_iter().zip(written);
                let late = late.filter_map(|((_, reply), entry)| answered(reply, Ok(entry)));
                let late: Vec<Draft> = late.collect();
                return self.take_back(&late).await;
            }
        }
        for (draft, reply) in batch {
            let written = self.append(&[&draft]).await;
            let one = written.and_then(|mut it| it.pop().ok_or(sqlx::Error::RowNotFound));
            let late: Vec<Draft> = answered(reply, one).into_iter().collect();
            self.take_back(&late).await;
        }
    }

    /// What was on disk only after its asker had given up was not done, and the log says so.
    async fn take_back(&mut self, late: &[Draft]) {
        let late: Vec<&Draft> = late.iter().collect();
        if late.is_empty() {
            return;
        }
        if let Err(error) = self.append(&late).await {
            tracing::error!(%error, "an entry that came too late could not be answered");
        }
    }

    async fn append(&mut self, drafts: &[&Draft]) -> sqlx::Result<Vec<Entry>> {
        let appended = match self.connected().await {
            Ok(mut connection) => {
                let appended = self.append_on(&mut connection, drafts).await;
                self.put_back(connection, appended.is_ok()).await;
                appended
            }
            Err(error) => Err(error),
        };
        self.shared.told(appended.as_ref().err());
        if let Ok(written) = &appended {
            let count = u64::try_from(written.len()).unwrap_or(0);
            metrics::counter!("quorate_audit_entries_total").increment(count);
        }
        appended
    }

    async fn append_on(
        &mut self,
        connection: &mut SqliteConnection,
        drafts: &[&Draft],
    ) -> sqlx::Result<Vec<Entry>> {
        let began = Instant::now();
        // Numbers are given under the write lock: the command line may write beside the console.
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut tree = self.tree(&mut transaction).await?;
        let written = self.write(&mut transaction, &mut tree, drafts).await?;
        took("statements", began);
        self.commit(transaction, tree, began).await?;
        Ok(written)
    }

    /// Numbers, seals and inserts; gives the entries as they are to be read.
    pub(super) async fn write(
        &mut self,
        transaction: &mut SqliteConnection,
        tree: &mut Tree,
        drafts: &[&Draft],
    ) -> sqlx::Result<Vec<Entry>> {
        let (mapping, synced) = (self.shared.mapping(), self.clock.synced());
        let mut rows = Vec::with_capacity(drafts.len());
        let mut written = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let number = tree.size() + 1;
            let running = self.clock.running_ms();
            let mut entry = (*draft).clone().finish(number, self.clock.now(), running);
            entry.mapping_version.clone_from(&mapping);
            entry.id = Some(id_of(entry.time));
            entry.clock_synced = synced;
            self.begun.tell(&mut entry, running);
            let about = draft.about.as_deref();
            let stored = self.ring.sealed(transaction, entry.clone(), about).await?;
            let bytes = serde_json::to_vec(&stored)
                .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
            tree.add(&bytes);
            rows.push((stored, bytes));
            written.push(entry);
        }
        entries::insert(transaction, &rows).await?;
        tree.store_blocks(transaction).await?;
        Ok(written)
    }
}
