//! What the writer does beside appending, each in one transaction with the record of it: keys of
//! people destroyed, entries removed, holds put on the log and taken off.

use quorate_audit::tree::{BLOCK, Frontier, leaf};
use quorate_domain::audit::Entry;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use tokio::time::Instant;

use super::{Draft, HoldChange, Writer};
use crate::{
    audit::trouble::Trouble,
    store::{
        checkpoints, entries,
        people::{self, Whom},
        removals,
    },
};

impl Writer {
    /// `None` if there is no key of this person.
    pub(super) async fn erase(&mut self, whom: &Whom, draft: Draft) -> sqlx::Result<Option<Entry>> {
        let mut connection = self.connected().await?;
        let erased = self.erase_on(&mut connection, whom, draft).await;
        // What was written ahead has the keys, too, until it is moved and cut off.
        if matches!(erased, Ok(Some(_))) {
            let moved = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(&mut connection)
                .await;
            if let Err(error) = moved {
                tracing::warn!(%error, "what was written ahead keeps destroyed keys for a while");
            }
        }
        self.put_back(connection, erased.is_ok()).await;
        self.ring.forget();
        erased
    }

    async fn erase_on(
        &mut self,
        connection: &mut SqliteConnection,
        whom: &Whom,
        mut draft: Draft,
    ) -> sqlx::Result<Option<Entry>> {
        let began = Instant::now();
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut tree = self.tree(&mut transaction).await?;
        let ids = people::ids(&mut *transaction, whom).await?;
        if ids.is_empty() {
            self.tree = Some(tree);
            return Ok(None);
        }
        people::forget(&mut transaction, &ids).await?;
        self.ring.forget();
        draft.sent = json!({ "keys": ids });
        let written = self
            .write(&mut transaction, &mut tree, &[&draft.escaped()])
            .await?;
        self.commit(transaction, tree, began).await?;
        Ok(written.into_iter().next())
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
        let sound = upto.is_multiple_of(BLOCK) && upto > before && upto <= tree.signed && complete;
        if !sound {
            self.tree = Some(tree);
            return Err(sqlx::Error::Protocol(
                "only whole signed blocks are removed".to_owned(),
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
