//! Proofs of RFC 6962: that one entry is in a tree, and that one tree is the beginning of another.

use crate::tree::{Hash, node};

/// Where hashes of complete subtrees come from.
pub trait Subtrees {
    /// The hash of the `index`-th subtree of `2^level` leaves; `None` if it is not to be had.
    fn subtree(&self, level: u32, index: u64) -> Option<Hash>;
}

impl Subtrees for [Hash] {
    fn subtree(&self, level: u32, index: u64) -> Option<Hash> {
        if level == 0 {
            return self.get(usize::try_from(index).ok()?).copied();
        }
        let left = self.subtree(level - 1, index.checked_mul(2)?)?;
        Some(node(left, self.subtree(level - 1, index * 2 + 1)?))
    }
}

/// The largest power of two below `count`, which is at least 2.
const fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// The root over the leaves `start..end`; `start` must be where such a subtree can begin.
fn range(tree: &(impl Subtrees + ?Sized), start: u64, end: u64) -> Option<Hash> {
    let count = end.checked_sub(start).filter(|count| *count > 0)?;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return tree.subtree(level, start >> level);
    }
    let middle = start + split(count);
    Some(node(range(tree, start, middle)?, range(tree, middle, end)?))
}

/// The root of the tree of the first `size` leaves.
#[must_use]
pub fn root(tree: &(impl Subtrees + ?Sized), size: u64) -> Option<Hash> {
    match size {
        0 => Some(crate::tree::empty()),
        size => range(tree, 0, size),
    }
}

/// That the leaf at `index` (from 0) is in the tree of `size` leaves: the neighbours' hashes from
/// the leaf up.
#[must_use]
pub fn inclusion(tree: &(impl Subtrees + ?Sized), index: u64, size: u64) -> Option<Vec<Hash>> {
    if index >= size {
        return None;
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(tree, middle, end)?);
            end = middle;
        } else {
            path.push(range(tree, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// That the tree of `old` leaves is the beginning of the tree of `size` leaves.
#[must_use]
pub fn consistency(tree: &(impl Subtrees + ?Sized), old: u64, size: u64) -> Option<Vec<Hash>> {
    if old > size {
        return None;
    }
    if old == 0 || old == size {
        return Some(Vec::new());
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    // Down to the subtree in which the old tree ends.
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range(tree, middle, end)?);
            end = middle;
        } else {
            path.push(range(tree, start, middle)?);
            start = middle;
        }
    }
    // The old root itself need not be told.
    if start != 0 {
        path.push(range(tree, start, end)?);
    }
    path.reverse();
    Some(path)
}

/// Whether `proof` shows that the leaf at `index` is in the tree of `size` leaves with `root`.
#[must_use]
pub fn shows_inclusion(index: u64, size: u64, leaf: Hash, proof: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, leaf);
    for neighbour in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node(*neighbour, hash);
            climb_to_right_child(&mut place, &mut last);
        } else {
            hash = node(hash, *neighbour);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Whether `proof` shows that the tree of `old` leaves with `old_root` is the beginning of the
/// tree of `size` leaves with `root`.
#[must_use]
pub fn shows_consistency(old: u64, size: u64, old_root: Hash, root: Hash, proof: &[Hash]) -> bool {
    if old > size {
        return false;
    }
    if old == size {
        return proof.is_empty() && old_root == root;
    }
    if old == 0 {
        return proof.is_empty() && old_root == crate::tree::empty();
    }
    let mut path = proof.iter();
    let (mut place, mut last) = (old - 1, size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let first = if old.is_power_of_two() {
        Some(&old_root)
    } else {
        path.next()
    };
    let Some(first) = first else { return false };
    let (mut was, mut is) = (*first, *first);
    for neighbour in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            was = node(*neighbour, was);
            is = node(*neighbour, is);
            climb_to_right_child(&mut place, &mut last);
        } else {
            is = node(is, *neighbour);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && was == old_root && is == root
}

/// A last node without a right neighbour is its own parent, until it is a right child.
const fn climb_to_right_child(place: &mut u64, last: &mut u64) {
    while *place & 1 == 0 && *place != 0 {
        *place >>= 1;
        *last >>= 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::tree::{Frontier, leaf};

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
    }

    fn root_of(leaves: &[Hash]) -> Hash {
        let mut frontier = Frontier::default();
        for it in leaves {
            frontier.append(*it);
        }
        frontier.root()
    }

    fn published(text: &str) -> Hash {
        let byte = |at: usize| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap();
        Hash(std::array::from_fn(byte))
    }

    /// The tree of eight leaves that implementations of Certificate Transparency test against.
    fn published_leaves() -> Vec<Hash> {
        let bytes: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        bytes.map(leaf).to_vec()
    }

    #[test]
    fn proofs_are_the_published_ones() {
        let tree = published_leaves();
        let of = |hashes: &[&str]| Some(hashes.iter().map(|it| published(it)).collect::<Vec<_>>());
        let a = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
        let b = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
        let c = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
        assert_eq!(inclusion(&tree[..], 0, 8), of(&[a, b, c]));
        assert_eq!(
            inclusion(&tree[..], 5, 8),
            of(&[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ])
        );
        assert_eq!(consistency(&tree[..], 1, 1), of(&[]));
        assert_eq!(consistency(&tree[..], 1, 8), of(&[a, b, c]));
        assert_eq!(
            consistency(&tree[..], 6, 8),
            of(&[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ])
        );
        assert_eq!(
            consistency(&tree[..], 2, 5),
            of(&[
                b,
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
            ])
        );
    }

    #[test]
    fn every_entry_of_every_tree_up_to_sixty_six_is_proved_and_nothing_else() {
        let all = leaves(66);
        for size in 1..=66_u64 {
            let root = root_of(&all[..usize::try_from(size).unwrap()]);
            for index in 0..size {
                let at = all[usize::try_from(index).unwrap()];
                let proof = inclusion(&all[..], index, size).unwrap();
                assert!(shows_inclusion(index, size, at, &proof, root));
                assert!(!shows_inclusion(index, size, leaf(b"other"), &proof, root));
                let wrong_place = (index + 1) % size;
                assert!(size == 1 || !shows_inclusion(wrong_place, size, at, &proof, root));
                let mut longer = proof.clone();
                longer.push(at);
                assert!(!shows_inclusion(index, size, at, &longer, root));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!shows_inclusion(index, size, at, shorter, root));
                }
            }
            assert!(inclusion(&all[..], size, size).is_none());
        }
    }

    #[test]
    fn every_tree_is_the_beginning_of_every_larger_one_and_of_no_other() {
        let all = leaves(40);
        let mut forked = all.clone();
        forked[3] = leaf(b"replaced");
        for size in 1..=40_u64 {
            let root = root_of(&all[..usize::try_from(size).unwrap()]);
            for old in 0..=size {
                let beginning = usize::try_from(old).unwrap();
                let old_root = root_of(&all[..beginning]);
                let proof = consistency(&all[..], old, size).unwrap();
                assert!(shows_consistency(old, size, old_root, root, &proof));
                if old > 3 {
                    let other = root_of(&forked[..beginning]);
                    assert!(!shows_consistency(old, size, other, root, &proof));
                }
                let mut longer = proof.clone();
                longer.push(old_root);
                assert!(!shows_consistency(old, size, old_root, root, &longer));
            }
        }
        assert!(consistency(&all[..], 9, 8).is_none());
    }

    /// A server that gives the proof its client hopes for: hashes chosen to fit a root, for a
    /// leaf that never was (the kind of fault in GO-2022-1117).
    #[test]
    fn a_made_up_proof_shows_nothing() {
        let all = leaves(8);
        let root = root_of(&all);
        assert!(!shows_inclusion(0, 8, root, &[], root));
        assert!(!shows_inclusion(7, 8, root, &[], root));
        assert!(!shows_inclusion(8, 8, all[7], &[], root));
        assert!(!shows_inclusion(0, 0, all[0], &[], root));
        // A node's hash passed off as a leaf, with the path that leads from that node.
        let parent = node(all[0], all[1]);
        let path = inclusion(&all[..], 0, 8).unwrap();
        assert!(!shows_inclusion(0, 8, parent, &path[1..], root));
        assert!(!shows_consistency(8, 8, all[0], root, &[]));
        assert!(!shows_consistency(4, 8, root, root, &[]));
        assert!(!shows_consistency(9, 8, root, root, &[]));
    }
}
