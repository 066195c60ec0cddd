//! Whether a snapshot file of etcd is whole: the bytes of the store and then their SHA-256, as
//! `etcdctl snapshot save` writes it; and what the store says of itself.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    Broken, Verified,
    bolt::{self, Store},
    hex,
};

/// The digest at the end.
const DIGEST: u64 = 32;
/// Stores are written in whole blocks.
const BLOCK: u64 = 512;

/// Whether what begins like this is a snapshot of etcd.
pub(super) fn begins_one(head: &[u8]) -> bool {
    bolt::begins_one(head)
}

/// Reads `file` from its beginning to its end.
pub(super) fn verify(mut file: File) -> Result<Verified, Broken> {
    let bytes = file.metadata().map_err(Broken::Read)?.len();
    let length = bytes.checked_sub(DIGEST).ok_or(Broken::NoDigest)?;
    if length == 0 || length % BLOCK != 0 {
        return Err(Broken::NoDigest);
    }
    let sha256 = digest(&mut file, length)?;
    let store = store(file, length)?;
    Ok(Verified {
        index: store.index,
        term: store.term,
        configuration_index: None,
        members: store.members,
        bytes,
        sha256,
    })
}

/// Checks the digest at the end, and returns that of the whole file.
fn digest(file: &mut File, length: u64) -> Result<String, Broken> {
    file.seek(SeekFrom::Start(0)).map_err(Broken::Read)?;
    let (mut store, mut whole) = (Sha256::new(), Sha256::new());
    let mut left = length;
    let mut piece = vec![0_u8; 64 * 1024];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        let buffer = piece.get_mut(..most).unwrap_or_default();
        file.read_exact(buffer).map_err(Broken::Cut)?;
        store.update(&*buffer);
        whole.update(&*buffer);
        left = left.saturating_sub(u64::try_from(most).unwrap_or(u64::MAX));
    }
    let mut told = Vec::new();
    file.read_to_end(&mut told).map_err(Broken::Read)?;
    whole.update(&told);
    if store.finalize().as_slice() == told.as_slice() {
        Ok(hex(&whole.finalize()))
    } else {
        Err(Broken::Digest("the store".to_owned()))
    }
}

/// What the store says of itself.
struct Told {
    index: Option<u64>,
    term: Option<u64>,
    members: Vec<(String, bool)>,
}

fn store(file: File, length: u64) -> Result<Told, Broken> {
    let damaged = |_| Broken::Malformed("the store");
    let mut store = Store::open(file, length).map_err(damaged)?;
    let meta = store
        .bucket("meta")
        .map_err(damaged)?
        .ok_or(Broken::Missing("the bucket `meta`"))?;
    let meta = store.pairs(&meta).map_err(damaged)?;
    let number = |name: &str| {
        let found = meta.iter().find(|(key, _)| key == name.as_bytes());
        found.and_then(|(_, value)| Some(u64::from_be_bytes(value.as_slice().try_into().ok()?)))
    };
    let members = match store.bucket("members").map_err(damaged)? {
        Some(bucket) => store.pairs(&bucket).map_err(damaged)?,
        None => Vec::new(),
    };
    Ok(Told {
        // etcd 3.4 writes it with the first value that is stored.
        index: number("consistent_index"),
        // Told from etcd 3.5 on.
        term: number("term"),
        members: members
            .iter()
            .map(|(key, value)| member(key, value))
            .collect(),
    })
}

/// (name, votes); the id where it has no name.
fn member(key: &[u8], value: &[u8]) -> (String, bool) {
    #[derive(Default, Deserialize)]
    struct Row {
        #[serde(default)]
        name: String,
        #[serde(default, rename = "isLearner")]
        is_learner: bool,
    }
    let row: Row = serde_json::from_slice(value).unwrap_or_default();
    let id = String::from_utf8_lossy(key).into_owned();
    let name = if row.name.is_empty() { id } else { row.name };
    (name, !row.is_learner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{fs, path::Path};

    use super::*;
    use crate::snapshot;

    /// A leaf page with these (flags, key, value).
    fn leaf(number: u64, entries: &[(u32, &[u8], Vec<u8>)]) -> Vec<u8> {
        let mut page = Vec::new();
        page.extend(number.to_le_bytes());
        page.extend(2_u16.to_le_bytes());
        page.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        page.extend(0_u32.to_le_bytes());
        let mut data: Vec<u8> = Vec::new();
        for (at, (flags, key, value)) in entries.iter().enumerate() {
            let position = (entries.len() - at) * 16 + data.len();
            for number in [
                *flags,
                u32::try_from(position).unwrap(),
                u32::try_from(key.len()).unwrap(),
                u32::try_from(value.len()).unwrap(),
            ] {
                page.extend(number.to_le_bytes());
            }
            data.extend(*key);
            data.extend(value);
        }
        page.extend(data);
        page
    }

    fn meta(number: u64, transaction: u64) -> Vec<u8> {
        let mut page = Vec::new();
        page.extend(number.to_le_bytes());
        page.extend([4, 0, 0, 0, 0, 0, 0, 0]);
        for number in [0xED0C_DAED_u32, 2, 4096, 0] {
            page.extend(number.to_le_bytes());
        }
        for number in [2, 0, 3, 4, transaction, 0_u64] {
            page.extend(number.to_le_bytes());
        }
        page
    }

    /// A store with a bucket inline and one on its own page.
    fn whole() -> Vec<u8> {
        let index = leaf(
            0,
            &[(0, b"consistent_index", 507_u64.to_be_bytes().to_vec())],
        );
        let inline = [vec![0; 16], index].concat();
        let paged = [3_u64.to_le_bytes(), [0; 8]].concat();
        let root = leaf(2, &[(1, b"members", paged), (1, b"meta", inline)]);
        let members = leaf(
            3,
            &[
                (0, b"a1", br#"{"name":"m1"}"#.to_vec()),
                (0, b"b2", br#"{"isLearner":true}"#.to_vec()),
            ],
        );
        let mut bytes = Vec::new();
        for mut page in [meta(0, 8), meta(1, 7), root, members] {
            page.resize(4096, 0);
            bytes.extend(page);
        }
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        bytes
    }

    fn verified(dir: &Path, bytes: &[u8]) -> Result<Verified, Broken> {
        let file = dir.join("a.snap");
        fs::write(&file, bytes).unwrap();
        snapshot::verify(&file)
    }

    #[test]
    fn a_whole_one_tells_index_and_members() {
        let dir = tempfile::tempdir().unwrap();
        let found = verified(dir.path(), &whole()).unwrap();
        assert_eq!((found.index, found.term), (Some(507), None));
        assert_eq!(
            found.members,
            [("m1".to_owned(), true), ("b2".to_owned(), false)]
        );
        assert_eq!(found.sha256, hex(&Sha256::digest(whole())));
    }

    #[test]
    fn whatever_is_cut_off_or_changed_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let whole = whole();
        for keep in [whole.len() - 1, whole.len() - 32, 4096, 4096 + 32, 100, 24] {
            assert!(verified(dir.path(), &whole[..keep]).is_err(), "{keep}");
        }
        for at in (0..whole.len()).step_by(97) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            assert!(verified(dir.path(), &bytes).is_err(), "{at}");
        }
    }

    #[test]
    fn a_store_that_points_anywhere_is_damaged_and_nothing_worse() {
        let dir = tempfile::tempdir().unwrap();
        let whole = whole();
        let length = whole.len() - 32;
        for at in 0..4096 * 3 {
            // Positions, counts and page numbers become absurd; the digest is right.
            let mut bytes = whole[..length].to_vec();
            if at % 4096 > 200 {
                continue;
            }
            bytes[at] = 0xFF;
            let digest = Sha256::digest(&bytes);
            bytes.extend(digest);
            let _ = verified(dir.path(), &bytes);
        }
    }
}
