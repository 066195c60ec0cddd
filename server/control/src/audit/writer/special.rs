//! What the writer does beside appending, each in one transaction with the record of it: keys of
//! people destroyed, entries removed, holds put on the log and taken off.

use std::time::Duration;

use quorate_audit::tree::{BLOCK, Frontier, leaf};
use quorate_domain::audit::Entry;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use tokio::time::Instant;

use super::{Erased, Erasure, HoldChange, Writer};
use crate::{
    audit::{Draft, settling, trouble::Trouble},
    store::{
        checkpoints, entries,
        people::{self, Whom},
        removals,
    },
};

/// How often cutting the write-ahead file off is tried while everybody waits, and the pause between.
const CUT_OFF_TRIES: u32 = 10;
const CUT_OFF_PAUSE: Duration = Duration::from_millis(100);

impl Writer {
    pub(super) async fn erase(&mut self, whom: &Whom, draft: Draft) -> sqlx::Result<Erased> {
        let mut connection = self.connected().await?;
        let mut erased = self.erase_on(&mut connection, whom, draft).await;
        // What was written ahead has the keys, too, until it is moved and cut off.
        if let Ok(Erased::Done(erasure)) = &mut erased {
            erasure.settled = self.cut_off(&mut connection).await;
        }
        self.put_back(connection, erased.is_ok()).await;
        self.ring.forget();
        erased
    }

    /// Tries for a while; the console goes on beside the writer.
    async fn cut_off(&mut self, connection: &mut SqliteConnection) -> bool {
        self.shared.leaves_traces();
        for _ in 0..CUT_OFF_TRIES {
            match settling::cut_off(connection).await {
                Ok(true) => {
                    self.shared.takes_traces();
                    return true;
                }
                Ok(false) => tokio::time::sleep(CUT_OFF_PAUSE).await,
                Err(error) => {
                    tracing::warn!(%error, "the log's write-ahead file could not be cut off");
                    break;
                }
            }
        }
        tracing::warn!("what was written ahead keeps destroyed keys until it can be cut off");
        false
    }

    async fn erase_on(
        &mut self,
        connection: &mut SqliteConnection,
        whom: &Whom,
        mut draft: Draft,
    ) -> sqlx::Result<Erased> {
        let began = Instant::now();
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut tree = self.tree(&mut transaction).await?;
        let ids = people::ids(&mut *transaction, whom).await?;
        if ids.is_empty() {
            self.tree = Some(tree);
            return Ok(Erased::Nobody);
        }
        // A hold that came since it was looked wins.
        if people::held_under(&mut transaction, &ids).await?.is_some() {
            self.tree = Some(tree);
            return Ok(Erased::Held);
        }
        people::forget(&mut transaction, &ids).await?;
        self.ring.forget();
        draft.sent = json!({ "keys": &ids });
        let drafts = [&draft.escaped()];
        self.write(&mut transaction, &mut tree, &drafts).await?;
        self.commit(transaction, tree, began).await?;
        Ok(Erased::Done(Erasure {
            keys: ids.len(),
            settled: false,
        }))
    }

    /// The record first; the entries go block by block after it.
    pub(super) async fn say_removed(&mut self, upto: u64, draft: Draft) -> sqlx::Result<Entry> {
        let mut connection = self.connected().await?;
        let said = self.say_removed_on(&mut connection, upto, draft).await;
        self.put_back(connection, said.is_ok()).await;
        said
    }

    async fn say_removed_on(
        &mut self,
        connection: &mut SqliteConnection,
        upto: u64,
        mut draft: Draft,
    ) -> sqlx::Result<Entry> {
        let began = Instant::now();
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut tree = self.tree(&mut transaction).await?;
        let before = removals::upto(&mut *transaction).await?;
        let blocks = checkpoints::blocks(&mut *transaction, upto / BLOCK).await?;
        let complete = u64::try_from(blocks.len()).is_ok_and(|count| count == upto / BLOCK);
        // What was put on hold since it was looked.
        let held = removals::held(&mut transaction, before, upto).await?;
        let complete = complete && held.is_none();
        let sound = upto.is_multiple_of(BLOCK) && upto > before && upto <= tree.signed && complete;
        if !sound {
            self.tree = Some(tree);
            return Err(sqlx::Error::Protocol(
                "only whole signed blocks are removed, and nothing that is held".to_owned(),
            ));
        }
        let mut frontier = Frontier::default();
        for block in &blocks {
            let changed = |_| Trouble::Changed { size: upto };
            frontier
                .append_subtree(quorate_audit::tree::BLOCK_LEVEL, *block)
                .map_err(changed)?;
        }
        if let Some(sent) = draft.sent.as_object_mut() {
            sent.insert("from".to_owned(), json!(before + 1));
            sent.insert("upto".to_owned(), json!(upto));
            sent.insert("count".to_owned(), json!(upto - before));
            sent.insert("root".to_owned(), json!(frontier.root().to_string()));
        }
        let drafts = [&draft.escaped()];
        let mut written = self.write(&mut transaction, &mut tree, &drafts).await?;
        let entry = written.pop().ok_or(sqlx::Error::RowNotFound)?;
        removals::say(&mut transaction, upto, entry.seq).await?;
        self.commit(transaction, tree, began).await?;
        Ok(entry)
    }

    /// Only what is still as it was recorded: what was changed is evidence, and stays.
    pub(super) async fn remove_block(&mut self) -> sqlx::Result<bool> {
        let mut connection = self.connected().await?;
        let removed = self.remove_block_on(&mut connection).await;
        self.put_back(connection, removed.is_ok()).await;
        removed
    }

    async fn remove_block_on(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<bool> {
        if let Some(trouble) = self.shared.broken() {
            return Err(trouble.into());
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let block = removals::blocks(&mut *transaction).await?;
        let (start, end) = (block * BLOCK, (block + 1) * BLOCK);
        if end > removals::upto(&mut *transaction).await? {
            return Ok(false);
        }
        // A hold that came after it was said wins: the block stays, and goes when that is released.
        if removals::held(&mut transaction, start, end)
            .await?
            .is_some()
        {
            return Ok(false);
        }
        let run = entries::run(&mut *transaction, start, end, u32::MAX).await?;
        let leaves: Vec<_> = run.iter().map(|(_, bytes)| leaf(bytes)).collect();
        let mut frontier = Frontier::default();
        for leaf in &leaves {
            frontier.append(*leaf);
        }
        let told = checkpoints::blocks(&mut *transaction, block + 1).await?;
        if frontier.size() != BLOCK || told.last() != Some(&frontier.root()) {
            let trouble = Trouble::Changed { size: end };
            self.shared.break_off(trouble.clone());
            return Err(trouble.into());
        }
        removals::remove(&mut transaction, block, &leaves).await?;
        transaction.commit().await?;
        Ok(true)
    }

    pub(super) async fn hold(&mut self, change: &HoldChange, draft: Draft) -> sqlx::Result<Entry> {
        let mut connection = self.connected().await?;
        let held = self.hold_on(&mut connection, change, draft).await;
        self.put_back(connection, held.is_ok()).await;
        held
    }

    async fn hold_on(
        &mut self,
        connection: &mut SqliteConnection,
        change: &HoldChange,
        draft: Draft,
    ) -> sqlx::Result<Entry> {
        let began = Instant::now();
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut tree = self.tree(&mut transaction).await?;
        match change {
            HoldChange::Add(hold) => removals::hold(&mut transaction, hold).await?,
            HoldChange::Release(id) => removals::release(&mut transaction, id).await?,
        }
        let drafts = [&draft.escaped()];
        let mut written = self.write(&mut transaction, &mut tree, &drafts).await?;
        self.commit(transaction, tree, began).await?;
        written.pop().ok_or(sqlx::Error::RowNotFound)
    }
}
