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
pub(in crate::audit) struct Begun {
    recorded: BTreeMap<u64, u64>,
    /// Of the transaction under way: nothing began where it fails, and their numbers are others'.
    writing: Vec<(u64, u64)>,
}

impl Begun {
    /// A transaction begins to be written; what one before it wrote, and is not on disk, is not.
    fn anew(&mut self) {
        self.writing.clear();
    }

    /// The transaction is on disk.
    pub(super) fn committed(&mut self) {
        for (intent, running_ms) in self.writing.drain(..) {
            if self.recorded.len() >= BEGUN_MOST {
                self.recorded.pop_first();
            }
            self.recorded.insert(intent, running_ms);
        }
    }

    /// Milliseconds from an intent's record to now; `None` if another run wrote it.
    fn took(&self, intent: u64, running_ms: u64) -> Option<u64> {
        let begun = self.recorded.get(&intent)?;
        Some(running_ms.saturating_sub(*begun))
    }

    /// What the writer alone knows of an entry that is numbered.
    fn tell(&mut self, entry: &mut Entry, running_ms: u64) {
        match (entry.kind, entry.intent_seq) {
            (EntryKind::Intent, _) => self.writing.push((entry.seq, running_ms)),
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
        self.begun.anew();
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

#[cfg(test)]
mod tests {
    use quorate_domain::audit::Source;

    use super::*;
    use crate::audit::console;

    /// An entry as the writer tells it what it alone knows, at this moment of its clock.
    fn told(
        begun: &mut Begun,
        at: u64,
        kind: EntryKind,
        (seq, intent): (u64, Option<u64>),
    ) -> Entry {
        let mut draft = Draft::new(kind, "promote", console(), Source::default(), "");
        draft.intent_seq = intent;
        let mut entry = draft.finish(seq, Timestamp::default(), at);
        begun.tell(&mut entry, at);
        entry
    }

    #[test]
    fn what_took_long_is_told_of_intents_that_are_on_disk_alone() {
        let mut begun = Begun::default();
        begun.anew();
        told(&mut begun, 100, EntryKind::Intent, (7, None));
        // That transaction failed; its number is another entry's now.
        begun.anew();
        told(&mut begun, 200, EntryKind::Refusal, (7, None));
        begun.committed();
        let outcome = told(&mut begun, 900, EntryKind::Outcome, (8, Some(7)));
        assert_eq!(outcome.took_ms, None);

        begun.anew();
        told(&mut begun, 1_000, EntryKind::Intent, (9, None));
        begun.committed();
        let outcome = told(&mut begun, 1_250, EntryKind::Outcome, (10, Some(9)));
        assert_eq!(outcome.took_ms, Some(250));
    }
}
