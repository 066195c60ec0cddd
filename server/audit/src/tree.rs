//! The hash tree of RFC 6962: what a leaf and a node are, and the edge of a growing tree.
//!
//! A leaf is the hash of the exact bytes on record; nothing is ever serialised again to be hashed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// Entries per block, as a power of two. A block's hash is kept beside the entries, so that a
/// proof reads one block instead of the whole log.
pub const BLOCK_LEVEL: u32 = 8;
/// Entries per block.
pub const BLOCK: u64 = 1 << BLOCK_LEVEL;

/// A SHA-256 hash of a leaf, a node or a tree. Written as base64.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Reads base64 of exactly 32 bytes, and no other way of writing them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::of_bytes(&STANDARD.decode(text).ok()?)
    }

    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// The hash of an entry: SHA-256 of a zero byte and the entry's bytes.
#[must_use]
pub fn leaf(bytes: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(bytes);
    Hash(hasher.finalize().into())
}

/// The hash of two neighbours: SHA-256 of a one byte, the left and the right.
#[must_use]
pub fn node(left: Hash, right: Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left.0);
    hasher.update(right.0);
    Hash(hasher.finalize().into())
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The right edge of a tree: all that is needed to append to it and to tell its root.
///
/// It holds one hash for each complete subtree, largest first: one for each set bit of the size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    stack: Vec<Hash>,
}

/// A subtree was put where none of its size can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of the tree does not stand where one of its size can")]
pub struct Misplaced;

impl Frontier {
    /// Entries in the tree.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; gives the block's hash if that completed a block of 256.
    pub fn append(&mut self, leaf: Hash) -> Option<Hash> {
        let block = self.merge(0, leaf);
        self.size = self.size.saturating_add(1);
        block
    }

    /// Appends a complete subtree of `2^level` leaves that are not known one by one.
    ///
    /// # Errors
    /// If no such subtree can begin here.
    pub fn append_subtree(&mut self, level: u32, hash: Hash) -> Result<(), Misplaced> {
        let leaves = 1_u64.checked_shl(level).ok_or(Misplaced)?;
        let size = self.size.checked_add(leaves).ok_or(Misplaced)?;
        if !self.size.is_multiple_of(leaves) {
            return Err(Misplaced);
        }
        self.merge(level, hash);
        self.size = size;
        Ok(())
    }

    fn merge(&mut self, mut level: u32, mut hash: Hash) -> Option<Hash> {
        let mut block = None;
        let mut before = self.size >> level;
        while before & 1 == 1 {
            let Some(left) = self.stack.pop() else { break };
            hash = node(left, hash);
            level += 1;
            before >>= 1;
            if level == BLOCK_LEVEL {
                block = Some(hash);
            }
        }
        self.stack.push(hash);
        block
    }

    #[must_use]
    pub fn root(&self) -> Hash {
        let mut rest = self.stack.iter().rev();
        let Some(last) = rest.next() else {
            return empty();
        };
        rest.fold(*last, |right, left| node(*left, right))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The leaves and roots that implementations of Certificate Transparency test against.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn hex(hash: Hash) -> String {
        hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn roots_are_the_published_ones() {
        let mut frontier = Frontier::default();
        assert_eq!(hex(frontier.root()), ROOTS[0]);
        for (bytes, root) in LEAVES.iter().zip(&ROOTS[1..]) {
            frontier.append(leaf(bytes));
            assert_eq!(hex(frontier.root()), *root);
        }
    }

    #[test]
    fn a_block_is_given_when_it_is_complete_and_stands_for_its_entries() {
        let leaves: Vec<Hash> = (0..1_000_u32).map(|n| leaf(&n.to_be_bytes())).collect();
        let mut whole = Frontier::default();
        let blocks: Vec<Hash> = leaves.iter().filter_map(|it| whole.append(*it)).collect();
        assert_eq!(blocks.len(), 3);
        let mut shorter = Frontier::default();
        for block in &blocks {
            shorter.append_subtree(BLOCK_LEVEL, *block).unwrap();
        }
        for it in &leaves[768..] {
            shorter.append(*it);
        }
        assert_eq!(shorter, whole);
    }

    #[test]
    fn a_subtree_stands_only_where_one_of_its_size_can() {
        let mut frontier = Frontier::default();
        frontier.append(leaf(b"a"));
        assert_eq!(frontier.append_subtree(1, leaf(b"b")), Err(Misplaced));
        assert_eq!(frontier.append_subtree(64, leaf(b"b")), Err(Misplaced));
        frontier.append_subtree(0, leaf(b"b")).unwrap();
        frontier.append_subtree(1, leaf(b"c")).unwrap();
        assert_eq!(frontier.size(), 4);
    }

    #[test]
    fn a_hash_is_written_in_one_way_only() {
        let hash = leaf(b"");
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        let text = hash.to_string();
        let padded_otherwise = text.replace("=", "");
        assert_eq!(Hash::parse(&padded_otherwise), None);
        // The last character carries two bits that mean nothing; they must be zero.
        let mut odd = text.into_bytes();
        odd[42] += 1;
        assert_eq!(Hash::parse(std::str::from_utf8(&odd).unwrap()), None);
    }
}
