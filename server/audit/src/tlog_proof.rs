//! A proof for one entry in a file of its own (c2sp.org/tlog-proof): its place, the way to the
//! root, and the checkpoint with that root.

use crate::{
    checkpoint::Signed,
    note::{NOTE_MOST, NoteError, VerifierKey},
    proof,
    tree::{self, Hash},
};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof as it was read: shows nothing before [`TlogProof::check`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// The entry's place, counted from 0: its number less one.
    pub index: u64,
    pub path: Vec<Hash>,
    pub checkpoint: Signed,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("this is no proof")]
    Malformed,
    #[error("the checkpoint in it: {0}")]
    Checkpoint(#[from] NoteError),
    #[error("the checkpoint in it is of another log: {0}")]
    OtherLog(String),
    #[error("it does not show that these bytes are entry {0}")]
    NotShown(u64),
}

/// Writes a proof; `checkpoint` is the signed note, verbatim.
#[must_use]
pub fn write(index: u64, path: &[Hash], checkpoint: &str) -> String {
    let path: String = path.iter().map(|hash| format!("{hash}\n")).collect();
    format!("{HEADER}\nindex {index}\n{path}\n{checkpoint}")
}

/// Whether a file begins as a proof does.
#[must_use]
pub fn is_one(beginning: &[u8]) -> bool {
    beginning.starts_with(HEADER.as_bytes())
}

impl TlogProof {
    /// # Errors
    /// `Malformed`, or that the checkpoint is.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        if text.len() > 2 * NOTE_MOST {
            return Err(ProofError::Malformed);
        }
        let rest = text
            .strip_prefix(HEADER)
            .and_then(|rest| rest.strip_prefix('\n'))
            .ok_or(ProofError::Malformed)?;
        // Extra data is not signed; nothing in it is looked at.
        let rest = match rest.strip_prefix("extra ") {
            Some(rest) => rest.split_once('\n').ok_or(ProofError::Malformed)?.1,
            None => rest,
        };
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(ProofError::Malformed)?;
        let mut lines = head.split('\n');
        let number = lines.next().and_then(|line| line.strip_prefix("index "));
        let number = number.ok_or(ProofError::Malformed)?;
        let index: u64 = number.parse().map_err(|_| ProofError::Malformed)?;
        let path: Option<Vec<Hash>> = lines.map(Hash::parse).collect();
        let path = path.filter(|path| path.len() <= 64);
        if index.to_string() != number {
            return Err(ProofError::Malformed);
        }
        Ok(Self {
            index,
            path: path.ok_or(ProofError::Malformed)?,
            checkpoint: Signed::parse(checkpoint)?,
        })
    }

    /// That `entry` is in the log at this place, by a checkpoint that one of `keys` signed; gives
    /// those that did.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check<'k>(
        &self,
        entry: &[u8],
        keys: &'k [VerifierKey],
    ) -> Result<Vec<&'k VerifierKey>, ProofError> {
        let signers = self.checkpoint.note.signers(keys)?;
        let said = &self.checkpoint.checkpoint;
        if signers.iter().any(|key| key.key().name != said.origin) {
            return Err(ProofError::OtherLog(said.origin.clone()));
        }
        let leaf = tree::leaf(entry);
        if !proof::shows_inclusion(self.index, said.size, leaf, &self.path, said.root) {
            return Err(ProofError::NotShown(self.index.saturating_add(1)));
        }
        Ok(signers)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{checkpoint::Checkpoint, note::SigningKey, tree::leaf};

    const LOG: &str = "example.com/log";

    fn key(seed: u8) -> SigningKey {
        SigningKey::of_seed(LOG, [seed; 32]).unwrap()
    }

    fn entry(number: u64) -> Vec<u8> {
        format!("entry {number}").into_bytes()
    }

    fn proof_of(index: u64, size: u64, origin: &str) -> String {
        let leaves: Vec<Hash> = (0..size).map(|n| leaf(&entry(n))).collect();
        let checkpoint = Checkpoint {
            origin: origin.to_owned(),
            size,
            root: proof::root(&leaves[..], size).unwrap(),
        };
        let path = proof::inclusion(&leaves[..], index, size).unwrap();
        write(index, &path, &checkpoint.sign(&[key(1)]).unwrap())
    }

    #[test]
    fn an_entry_is_proved_by_file_entry_and_public_key() {
        let keys = [key(1).public().clone()];
        for (index, size) in [(0, 1), (0, 7), (6, 7), (3, 300), (299, 300)] {
            let text = proof_of(index, size, LOG);
            let read = TlogProof::parse(&text).unwrap();
            assert_eq!(read.check(&entry(index), &keys).unwrap(), [&keys[0]]);
            assert!(matches!(
                read.check(&entry(index + 1), &keys),
                Err(ProofError::NotShown(_))
            ));
            let others = [key(2).public().clone()];
            assert!(read.check(&entry(index), &others).is_err());
            let extra = text.replacen("\nindex", "\nextra aGVsbG8=\nindex", 1);
            assert!(
                TlogProof::parse(&extra)
                    .unwrap()
                    .check(&entry(index), &keys)
                    .is_ok()
            );
        }
        let other_log = TlogProof::parse(&proof_of(0, 3, "example.com/other")).unwrap();
        assert!(matches!(
            other_log.check(&entry(0), &keys),
            Err(ProofError::OtherLog(_))
        ));
    }

    #[test]
    fn every_single_bit_of_a_proof_counts() {
        let keys = [key(1).public().clone()];
        let text = proof_of(3, 21, LOG).into_bytes();
        for at in 0..text.len() * 8 {
            let mut changed = text.clone();
            changed[at / 8] ^= 1 << (at % 8);
            let read = String::from_utf8(changed).ok();
            let read = read.and_then(|text| TlogProof::parse(&text).ok());
            assert!(
                read.is_none_or(|it| it.check(&entry(3), &keys).is_err()),
                "bit {at}"
            );
        }
    }
}
