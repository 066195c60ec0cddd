//! The signed list of what an export holds: which log, which filter, which files with which
//! digests. The same log and filter always make the same manifest, to the byte.

use sha2::{Digest as _, Sha256};

use crate::{
    note::{Note, NoteError, SigningKey},
    tree::Hash,
};

const FORMAT: &str = "quorate-audit-export/1";

/// One file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub bytes: u64,
    pub sha256: [u8; 32],
}

/// What an export holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The log's name.
    pub origin: String,
    /// The conditions, as JSON on one line; `{}` for the whole log.
    pub filter: String,
    /// Entries that were looked at: all up to this one.
    pub size: u64,
    /// The log's root at that size.
    pub root: Hash,
    /// Entries that meet the conditions.
    pub entries: u64,
    pub files: Vec<File>,
}

impl Manifest {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}\n{FORMAT}\nfilter {}\nsize {}\nroot {}\nentries {}\n",
            self.origin, self.filter, self.size, self.root, self.entries
        );
        for file in &self.files {
            text.push_str(&format!(
                "{} {} {}\n",
                hex(&file.sha256),
                file.bytes,
                file.name
            ));
        }
        text
    }

    /// # Errors
    /// As [`Note::sign`].
    pub fn sign(&self, keys: &[SigningKey]) -> Result<String, NoteError> {
        Note::sign(&self.text(), keys)
    }

    /// What the note says, believed or not; only in the one way to write it.
    #[must_use]
    pub fn of(note: &Note) -> Option<Self> {
        let mut lines = note.text().lines();
        let origin = lines.next()?.to_owned();
        lines.next().filter(|line| *line == FORMAT)?;
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let read = Self {
            origin,
            filter: field("filter")?.to_owned(),
            size: field("size")?.parse().ok()?,
            root: Hash::parse(field("root")?)?,
            entries: field("entries")?.parse().ok()?,
            files: lines.map(file).collect::<Option<_>>()?,
        };
        (read.text() == note.text()).then_some(read)
    }

    #[must_use]
    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| file.name == name)
    }
}

fn file(line: &str) -> Option<File> {
    let (sha256, rest) = line.split_once(' ')?;
    let (bytes, name) = rest.split_once(' ')?;
    Some(File {
        name: name.to_owned(),
        bytes: bytes.parse().ok()?,
        sha256: from_hex(sha256)?,
    })
}

/// As `sha256sum` writes a digest.
#[must_use]
pub fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut digest = [0; 32];
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// Counts and digests what is written through it.
pub struct Digesting<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W> Digesting<W> {
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            bytes: 0,
        }
    }

    pub const fn inner(&mut self) -> &mut W {
        &mut self.inner
    }

    pub fn into_inner(self) -> W {
        self.inner
    }

    /// The file written since the last call, under this name.
    pub fn take(&mut self, name: &str) -> File {
        let bytes = std::mem::take(&mut self.bytes);
        File {
            name: name.to_owned(),
            bytes,
            sha256: std::mem::take(&mut self.hasher).finalize().into(),
        }
    }
}

impl<W: std::io::Write> std::io::Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(written).unwrap_or(0));
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write as _;

    use super::*;
    use crate::tree::leaf;

    #[test]
    fn a_manifest_reads_back_and_is_written_in_one_way_only() {
        let mut digesting = Digesting::new(Vec::new());
        digesting.write_all(b"abc").unwrap();
        let manifest = Manifest {
            origin: "example.com/log".to_owned(),
            filter: "{}".to_owned(),
            size: 12,
            root: leaf(b""),
            entries: 12,
            files: vec![
                digesting.take("records.jsonl"),
                digesting.take("with space"),
            ],
        };
        let known =
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3 records.jsonl";
        assert!(manifest.text().contains(known), "{}", manifest.text());
        let key = SigningKey::of_seed("example.com/log", [1; 32]).unwrap();
        let note = Note::parse(&manifest.sign(&[key]).unwrap()).unwrap();
        assert_eq!(Manifest::of(&note), Some(manifest.clone()));
        for (from, to) in [
            ("size 12", "size 012"),
            ("ba78", "BA78"),
            (" 3 ", " 03 "),
            ("/1\n", "/2\n"),
        ] {
            let key = SigningKey::of_seed("example.com/log", [1; 32]).unwrap();
            let other = manifest.text().replacen(from, to, 1);
            let note = Note::parse(&Note::sign(&other, &[key]).unwrap()).unwrap();
            assert_eq!(Manifest::of(&note), None, "{to}");
        }
    }
}
