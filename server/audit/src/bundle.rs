//! Writing a bundle: one file with the records, their place in the tree, and what signs for them.
//!
//! All entries up to the checkpoint's size are given in order. Those the filter leaves out become
//! hashes of the largest subtrees they fill, so that a filtered bundle still proves where each of
//! its records stands, and tells nothing else of the others.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    io::{self, Read, Seek, SeekFrom, Write},
};

use serde::Deserialize;

use crate::{
    archive::{Archive, Started},
    checkpoint::Checkpoint,
    manifest::{Digesting, File, Manifest},
    note::{NoteError, SigningKey, VerifierKey},
    personal::{self, People},
    tree::{self, Frontier, Hash},
};

pub const README: &str = "README.txt";
pub const RECORDS: &str = "records.jsonl";
pub const GAPS: &str = "gaps";
pub const BLOCKS: &str = "blocks";
pub const KEYS: &str = "keys";
pub const PEOPLE: &str = "people";
pub const CHECKPOINTS: &str = "checkpoints";
pub const MANIFEST: &str = "manifest";
/// The members, in their order.
pub const MEMBERS: [&str; 8] = [
    README,
    RECORDS,
    GAPS,
    BLOCKS,
    KEYS,
    PEOPLE,
    CHECKPOINTS,
    MANIFEST,
];
/// Those of bundles from before anything in an entry was sealed.
pub const FORMER_MEMBERS: [&str; 7] = [README, RECORDS, GAPS, BLOCKS, KEYS, CHECKPOINTS, MANIFEST];

/// What a bundle says of itself to somebody who unpacks it.
pub const README_TEXT: &str = include_str!("bundle_readme.txt");

#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("writing the bundle")]
    Write(#[from] io::Error),
    #[error("signing the bundle")]
    Sign(#[from] NoteError),
    #[error("the log is not what its newest checkpoint says: nothing is signed")]
    Inconsistent,
}

/// A run of entries that are not shown: hashes of the largest subtrees they fill, in order.
#[derive(Default)]
struct Gap {
    /// Level, index at that level, hash.
    nodes: Vec<(u32, u64, Hash)>,
    /// Sizes at which a root is told: no subtree goes across.
    cuts: Vec<u64>,
}

impl Gap {
    fn add(&mut self, index: u64, leaf: Hash) {
        let (mut level, mut index, mut hash) = (0, index, leaf);
        while let Some((before, left, left_hash)) = self.nodes.last().copied() {
            let neighbours = before == level && left.is_multiple_of(2) && left + 1 == index;
            if !neighbours || self.is_cut(level, left) {
                break;
            }
            self.nodes.pop();
            hash = tree::node(left_hash, hash);
            level += 1;
            index = left / 2;
        }
        self.nodes.push((level, index, hash));
    }

    /// Whether a cut is inside of the node over `left` and its neighbour.
    fn is_cut(&self, level: u32, left: u64) -> bool {
        let (start, end) = (left << level, (left + 2) << level);
        self.cuts.iter().any(|cut| start < *cut && *cut < end)
    }

    fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        for (level, index, hash) in self.nodes.drain(..) {
            writeln!(out, "{level} {index} {hash}")?;
        }
        Ok(())
    }
}

/// A bundle that is being written to `out`; `gaps` and the like are gathered in `beside`.
pub struct Bundle<W: Write + Seek, S: Write> {
    archive: Archive<Digesting<W>>,
    records: Started,
    beside: io::BufWriter<S>,
    frontier: Frontier,
    gap: Gap,
    blocks: Vec<Hash>,
    entries: u64,
    /// Entries whose bytes were removed from the log.
    removed: u64,
    /// The keys that parts of the shown entries are sealed under.
    named: BTreeSet<String>,
    files: Vec<File>,
}

/// The parts of an entry that are sealed.
#[derive(Deserialize)]
struct Sealed<'a> {
    #[serde(borrow, default)]
    sealed: Vec<Cow<'a, str>>,
}

/// Writes through; seeking is only for headers, which are digested by nobody.
impl<W: Write + Seek> Seek for Digesting<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner().seek(to)
    }
}

impl<W: Write + Seek, S: Read + Write + Seek> Bundle<W, S> {
    /// # Errors
    /// Of writing.
    pub fn begin(out: W, beside: S) -> io::Result<Self> {
        let mut archive = Archive::new(Digesting::new(out));
        let mut files = Vec::new();
        member(&mut archive, README, README_TEXT.as_bytes(), &mut files)?;
        let records = archive.start(RECORDS)?;
        archive.out().take("");
        Ok(Self {
            archive,
            records,
            beside: io::BufWriter::new(beside),
            frontier: Frontier::default(),
            gap: Gap::default(),
            blocks: Vec::new(),
            entries: 0,
            removed: 0,
            named: BTreeSet::new(),
            files,
        })
    }

    /// The sizes of the checkpoints that [`Ending::earlier`] will hold, so that their roots can be
    /// computed. To be said before the first entry.
    #[must_use]
    pub fn with_cuts(mut self, sizes: Vec<u64>) -> Self {
        self.gap.cuts = sizes;
        self
    }

    /// The next entry of the log was removed from it; its leaf remains.
    pub fn removed(&mut self, leaf: Hash) {
        self.removed += 1;
        self.gap.add(self.frontier.size(), leaf);
        self.blocks.extend(self.frontier.append(leaf));
    }

    /// The next entry of the log, and whether the filter wants it.
    ///
    /// # Errors
    /// Of writing.
    pub fn entry(&mut self, bytes: &[u8], shown: bool) -> io::Result<()> {
        let leaf = tree::leaf(bytes);
        if shown {
            self.gap.write(&mut self.beside)?;
            self.entries += 1;
            self.names(bytes);
            self.archive.out().write_all(bytes)?;
            self.archive.out().write_all(b"\n")?;
        } else {
            self.gap.add(self.frontier.size(), leaf);
        }
        self.blocks.extend(self.frontier.append(leaf));
        Ok(())
    }

    fn names(&mut self, bytes: &[u8]) {
        let parts = serde_json::from_slice::<Sealed<'_>>(bytes).map_or(Vec::new(), |it| it.sealed);
        for (id, _) in parts.iter().filter_map(|part| personal::split(part)) {
            if !self.named.contains(id) {
                self.named.insert(id.to_owned());
            }
        }
    }

    /// Ends it. `checkpoint` is the signed note for exactly the entries given; `earlier` are notes
    /// that tie its keys to older ones.
    ///
    /// # Errors
    /// `Inconsistent` if the entries do not make the checkpoint's root; of writing and signing.
    pub fn finish(mut self, ending: &Ending<'_>) -> Result<(W, Manifest), BundleError> {
        let Ending { checkpoint, .. } = ending;
        if self.frontier.size() != checkpoint.size || self.frontier.root() != checkpoint.root {
            return Err(BundleError::Inconsistent);
        }
        self.gap.write(&mut self.beside)?;
        self.files.push(self.archive.out().take(RECORDS));
        self.archive.end(&self.records)?;
        let mut beside = self
            .beside
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        beside.seek(SeekFrom::Start(0))?;
        let started = self.archive.start(GAPS)?;
        self.archive.out().take("");
        io::copy(&mut beside, self.archive.out())?;
        self.files.push(self.archive.out().take(GAPS));
        self.archive.end(&started)?;
        // Only for the whole log: of a part, blocks would tell more than they help.
        let whole = self.entries + self.removed == checkpoint.size;
        let blocks: String = self
            .blocks
            .iter()
            .filter(|_| whole)
            .map(|it| format!("{it}\n"))
            .collect();
        let keys: String = ending.keys.iter().map(|it| format!("{it}\n")).collect();
        let notes = [ending.earlier, &[ending.note.to_owned()]]
            .concat()
            .concat();
        let people = ending.people.text(|id| self.named.contains(id));
        for (name, content) in [
            (BLOCKS, &blocks),
            (KEYS, &keys),
            (PEOPLE, &people),
            (CHECKPOINTS, &notes),
        ] {
            member(&mut self.archive, name, content.as_bytes(), &mut self.files)?;
        }
        let manifest = Manifest {
            origin: checkpoint.origin.clone(),
            filter: ending.filter.to_owned(),
            size: checkpoint.size,
            root: checkpoint.root,
            entries: self.entries,
            files: self.files,
        };
        let signed = manifest.sign(ending.signing)?;
        self.archive.member(MANIFEST, signed.as_bytes())?;
        Ok((self.archive.finish()?.into_inner(), manifest))
    }
}

/// What stands at the end of a bundle.
pub struct Ending<'a> {
    pub checkpoint: &'a Checkpoint,
    /// The checkpoint's signed note, verbatim.
    pub note: &'a str,
    /// Older checkpoints, oldest first, that show which key followed which.
    pub earlier: &'a [String],
    /// Every public key that signed any of them.
    pub keys: &'a [VerifierKey],
    /// The keys of people that exist; those that shown entries are sealed under go along.
    pub people: &'a People,
    /// The conditions as JSON on one line.
    pub filter: &'a str,
    pub signing: &'a [SigningKey],
}

fn member<W: Write + Seek>(
    archive: &mut Archive<Digesting<W>>,
    name: &str,
    content: &[u8],
    files: &mut Vec<File>,
) -> io::Result<()> {
    let started = archive.start(name)?;
    archive.out().take("");
    archive.out().write_all(content)?;
    files.push(archive.out().take(name));
    archive.end(&started)
}
