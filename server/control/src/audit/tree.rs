//! The hash tree as the writer keeps it: the right edge in memory, hashes of blocks in the file.
//!
//! When it is taken up again, it is held against the newest checkpoint first. A log that does not
//! agree with what was signed is not written to and not signed any more.

use quorate_audit::{
    checkpoint::{Checkpoint, Signed},
    note::{NoteError, SigningKey, VerifierKey},
    tree::{BLOCK, BLOCK_LEVEL, Frontier, Hash, leaf},
};
use quorate_domain::moment::Timestamp;
use sqlx::SqliteConnection;

use super::{keys::KeyFile, trouble::Trouble};
use crate::store::{
    checkpoints::{self, Stored},
    entries,
};

/// Entries read at once.
const RUN: u32 = 1_024;

/// The tree over all entries that are in the file, or about to be in the same transaction.
#[derive(Clone)]
pub(super) struct Tree {
    frontier: Frontier,
    /// Blocks whose hashes are in the file.
    stored: u64,
    /// Hashes of blocks that are not.
    fresh: Vec<Hash>,
    pub(super) origin: String,
    /// Entries the newest checkpoint is over.
    pub(super) signed: u64,
}

impl Tree {
    /// Takes the tree up where the newest checkpoint stands; makes the first key of a new log.
    pub(super) async fn load(
        connection: &mut SqliteConnection,
        file: &KeyFile,
    ) -> sqlx::Result<Self> {
        let keys = file.read()?;
        let newest = checkpoints::newest(&mut *connection).await?;
        let Some(newest) = newest else {
            let keys = match keys.is_empty() {
                true => file.create()?,
                false => keys,
            };
            return Self::at(connection, 0, origin_of(&keys)?).await;
        };
        let known = checkpoints::keys(&mut *connection).await?;
        let signed = signed_by(&newest, &keys, &known)?;
        let size = signed.checkpoint.size;
        let have = entries::last(connection).await?;
        if have < size {
            return Err(Trouble::Truncated { have, signed: size }.into());
        }
        let tree = Self::at(connection, size, signed.checkpoint.origin).await?;
        if tree.frontier.size() != size || tree.frontier.root() != signed.checkpoint.root {
            return Err(Trouble::Changed { size }.into());
        }
        Ok(tree)
    }

    /// The tree of the first `size` entries, from blocks as far as there are any.
    async fn at(
        connection: &mut SqliteConnection,
        size: u64,
        origin: String,
    ) -> sqlx::Result<Self> {
        let blocks = checkpoints::blocks(&mut *connection, size / BLOCK).await?;
        let mut frontier = Frontier::default();
        for block in &blocks {
            frontier
                .append_subtree(BLOCK_LEVEL, *block)
                .map_err(|_| Trouble::Changed { size })?;
        }
        let mut tree = Self {
            stored: frontier.size() / BLOCK,
            frontier,
            fresh: Vec::new(),
            origin,
            signed: size,
        };
        tree.read_up_to(connection, size).await?;
        Ok(tree)
    }

    pub(super) const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Takes in what another process has written meanwhile.
    pub(super) async fn catch_up(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let have = entries::last(connection).await?;
        if have < self.size() {
            let signed = self.size();
            return Err(Trouble::Truncated { have, signed }.into());
        }
        if have > self.size() {
            self.read_up_to(connection, have).await?;
            let newest = checkpoints::newest(&mut *connection).await?;
            self.signed = newest.map_or(self.signed, |newest| self.signed.max(newest.size));
            self.forget_stored(connection).await?;
        }
        Ok(())
    }

    async fn read_up_to(
        &mut self,
        connection: &mut SqliteConnection,
        size: u64,
    ) -> sqlx::Result<()> {
        while self.size() < size {
            let run = entries::run(&mut *connection, self.size(), size, RUN).await?;
            if run.is_empty() {
                break;
            }
            for (_, bytes) in run {
                self.add(&bytes);
            }
        }
        Ok(())
    }

    /// Blocks that the other process has stored too.
    async fn forget_stored(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let stored: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM blocks")
            .fetch_one(connection)
            .await?;
        while self.stored < u64::try_from(stored).unwrap_or(0) && !self.fresh.is_empty() {
            self.fresh.remove(0);
            self.stored += 1;
        }
        Ok(())
    }

    /// Appends an entry's exact bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.fresh.extend(self.frontier.append(leaf(bytes)));
    }

    /// Stores hashes of blocks that are complete now.
    pub(super) async fn store_blocks(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> sqlx::Result<()> {
        checkpoints::insert_blocks(connection, self.stored, &self.fresh).await?;
        self.stored += u64::try_from(self.fresh.len()).unwrap_or(0);
        self.fresh.clear();
        Ok(())
    }

    /// Signs the tree as it is with every key of the file, and stores that.
    pub(super) async fn sign(
        &mut self,
        connection: &mut SqliteConnection,
        file: &KeyFile,
        time: Timestamp,
    ) -> sqlx::Result<Stored> {
        let keys = file.read()?;
        if keys.is_empty() {
            return Err(Trouble::KeyGone.into());
        }
        if origin_of(&keys)? != self.origin {
            return Err(Trouble::OtherKey.into());
        }
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: self.size(),
            root: self.frontier.root(),
        };
        let stored = Stored {
            size: checkpoint.size,
            time,
            note: checkpoint.sign(&keys).map_err(|_| Trouble::OtherKey)?,
        };
        let ids: Vec<String> = keys
            .iter()
            .map(|key| key.public().key().to_string())
            .collect();
        for (key, id) in keys.iter().zip(&ids) {
            checkpoints::insert_key(connection, id, &key.public().to_string()).await?;
        }
        checkpoints::insert(connection, &stored, &ids.join(" ")).await?;
        self.signed = stored.size;
        Ok(stored)
    }
}

fn origin_of(keys: &[SigningKey]) -> Result<String, Trouble> {
    let mut names = keys.iter().map(|key| key.public().key().name.as_str());
    let first = names.next().ok_or(Trouble::KeyGone)?;
    match names.all(|name| name == first) {
        true => Ok(first.to_owned()),
        false => Err(Trouble::Origin(first.to_owned())),
    }
}

/// The stored checkpoint, if one of the file's keys signed it, or was put on record as the
/// replacement of one that did.
fn signed_by(stored: &Stored, keys: &[SigningKey], known: &[String]) -> Result<Signed, Trouble> {
    if keys.is_empty() {
        return Err(Trouble::KeyGone);
    }
    let signed = Signed::parse(&stored.note).map_err(|_| Trouble::Changed { size: stored.size })?;
    let public: Vec<VerifierKey> = keys.iter().map(|key| key.public().clone()).collect();
    match signed.note.signers(&public) {
        Ok(_) if signed.checkpoint.size == stored.size => Ok(signed),
        Err(NoteError::NotSigned) if public.iter().all(|key| known.contains(&key.to_string())) => {
            Ok(signed)
        }
        _ => Err(Trouble::OtherKey),
    }
}
