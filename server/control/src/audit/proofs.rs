//! What is signed, and proofs for single entries.

use std::collections::BTreeMap;

use quorate_audit::{
    proof::{self, Subtrees},
    tlog_proof,
    tree::{BLOCK, BLOCK_LEVEL, Hash, node},
};
use quorate_domain::{audit::Standing, cluster::ClusterName};
use sqlx::SqlitePool;

use super::{reading, trouble::Trouble};
use crate::{
    Control, ControlError, Operator,
    store::{checkpoints, entries, removals},
};

/// The tree as far as a proof needs it: all blocks, and the leaves of some.
pub(super) struct Part {
    blocks: Vec<Hash>,
    /// By the number of the block.
    leaves: BTreeMap<u64, Vec<Hash>>,
}

impl Part {
    /// Of the tree of `size` entries, with the leaves beside the one at `index`.
    pub(super) async fn around(read: &SqlitePool, index: u64, size: u64) -> sqlx::Result<Self> {
        let blocks = checkpoints::blocks(read, size / BLOCK).await?;
        let mut leaves = BTreeMap::new();
        for block in [index / BLOCK, size / BLOCK] {
            let (start, end) = (block * BLOCK, ((block + 1) * BLOCK).min(size));
            leaves.insert(block, removals::leaves_of(read, start, end).await?);
        }
        Ok(Self { blocks, leaves })
    }
}

impl Subtrees for Part {
    fn subtree(&self, level: u32, index: u64) -> Option<Hash> {
        if level > BLOCK_LEVEL {
            let left = self.subtree(level - 1, index * 2)?;
            return Some(node(left, self.subtree(level - 1, index * 2 + 1)?));
        }
        if level == BLOCK_LEVEL {
            return self.blocks.get(usize::try_from(index).ok()?).copied();
        }
        let inside = BLOCK >> level;
        let leaves = self.leaves.get(&(index / inside))?;
        leaves.as_slice().subtree(level, index % inside)
    }
}

impl Control {
    /// How well the log is kept: signed up to where, copied where, and what is wrong with it.
    ///
    /// # Errors
    /// `NotAllowed` without the right to read the log on any cluster.
    pub async fn audit_standing(&self, who: &Operator) -> Result<Standing, ControlError> {
        self.may_read_audit_somewhere(who).await?;
        self.inner.audit.standing(self.now()).await
    }

    /// The newest signed checkpoint, as a note; `None` before the first.
    ///
    /// # Errors
    /// As [`Control::audit_standing`].
    pub async fn audit_checkpoint(&self, who: &Operator) -> Result<Option<String>, ControlError> {
        self.may_read_audit_somewhere(who).await?;
        let newest = checkpoints::newest(&self.inner.audit.read).await;
        Ok(newest.map_err(reading)?.map(|stored| stored.note))
    }

    /// Signs the log as it is now; the checkpoint as a note, `None` for an empty log.
    ///
    /// # Errors
    /// `AuditUnavailable`, or as [`Control::audit_standing`].
    pub async fn audit_signed(&self, who: &Operator) -> Result<Option<String>, ControlError> {
        self.may_read_audit_somewhere(who).await?;
        let stored = self.inner.audit.checkpoint().await?;
        Ok(stored.map(|stored| stored.note))
    }

    /// Every public key that signed the log, one a line.
    ///
    /// # Errors
    /// As [`Control::audit_standing`].
    pub async fn audit_keys(&self, who: &Operator) -> Result<Vec<String>, ControlError> {
        self.may_read_audit_somewhere(who).await?;
        checkpoints::keys(&self.inner.audit.read)
            .await
            .map_err(reading)
    }

    /// A proof that entry `seq` is in the log, and the entry's exact bytes. A new checkpoint is
    /// signed where the newest does not reach it yet.
    ///
    /// # Errors
    /// `NotFound`, `AuditUnavailable`, or as [`Control::audit`].
    pub async fn audit_proof(
        &self,
        who: &Operator,
        seq: u64,
    ) -> Result<(String, Vec<u8>), ControlError> {
        let (row, _) = self.audit_entry(who, seq).await?;
        let cluster = row.entry.cluster.as_ref().map(ClusterName::as_str);
        self.may_read_audit(who, cluster).await?;
        let read = &self.inner.audit.read;
        let mut newest = checkpoints::newest(read).await.map_err(reading)?;
        if newest.as_ref().is_none_or(|stored| stored.size < seq) {
            newest = self.inner.audit.checkpoint().await?;
        }
        let stored = newest.filter(|stored| stored.size >= seq);
        let missing = || ControlError::not_found("audit entry", &seq.to_string());
        let stored = stored.ok_or_else(missing)?;
        let index = seq.checked_sub(1).ok_or_else(missing)?;
        let bytes = entries::one(read, seq).await.map_err(reading)?;
        let part = Part::around(read, index, stored.size)
            .await
            .map_err(reading)?;
        let path = proof::inclusion(&part, index, stored.size)
            .ok_or(Trouble::Changed { size: stored.size })?;
        let text = tlog_proof::write(index, &path, &stored.note);
        Ok((text, bytes.ok_or_else(missing)?))
    }
}
