//! Verification: what a log, given entry by entry or as a bundle, is proved to be.
//!
//! Needs no database, no network and no clock. Whatever is wrong becomes a fault in the report; a
//! report without faults is a proof up to the entry it names, by the keys it names.

use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};

use quorate_domain::audit::EntryKind;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::{
    archive::{self, ArchiveError, Place},
    bundle::{self, MEMBERS},
    checkpoint::{Checkpoint, Signed},
    manifest::Manifest,
    note::{self, Note, VerifierKey},
    report::Report,
    tree::{BLOCK, Frontier, Hash},
    trust::Trust,
};

/// The longest entry that is read, in bytes.
const ENTRY_MOST: u64 = 4 * 1024 * 1024;
/// The most bytes of a bundle's smaller files.
const SMALL_MOST: u64 = 64 * 1024 * 1024;

/// What the verifier has from elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Public keys that are trusted. Without any, what is given vouches for itself only.
    pub keys: &'a [VerifierKey],
    /// Checkpoints that were kept outside of the console.
    pub outside: &'a [Signed],
}

/// A size at which the root is told, and by whom.
struct Mark {
    size: u64,
    root: Hash,
    by: String,
}

/// What every entry tells of its place.
#[derive(Deserialize)]
struct Head<'a> {
    seq: u64,
    time: &'a str,
    kind: EntryKind,
    #[serde(default)]
    intent_seq: Option<u64>,
}

/// Entries and gaps, one after the other, held against roots that are told for certain sizes.
pub struct Walk {
    frontier: Frontier,
    /// Largest first, once the first entry came.
    marks: Vec<Mark>,
    marks_sorted: bool,
    blocks: Vec<Hash>,
    blocks_seen: usize,
    broken_block: bool,
    /// One bit an entry: whether it is an intent.
    intents: Vec<u64>,
    last_time: String,
    pub report: Report,
}

impl Walk {
    #[must_use]
    pub fn new(report: Report) -> Self {
        Self {
            frontier: Frontier::default(),
            marks: Vec::new(),
            marks_sorted: false,
            blocks: Vec::new(),
            blocks_seen: 0,
            broken_block: false,
            intents: Vec::new(),
            last_time: String::new(),
            report,
        }
    }

    /// The tree's root at `checkpoint.size` must be its root; `by` says where it is from. All of
    /// them are told before the first entry.
    pub fn expect(&mut self, checkpoint: &Checkpoint, by: impl Into<String>) {
        self.marks.push(Mark {
            size: checkpoint.size,
            root: checkpoint.root,
            by: by.into(),
        });
        self.marks_sorted = false;
    }

    /// Hashes of each 256 entries, to find a changed one sooner.
    pub fn expect_blocks(&mut self, blocks: Vec<Hash>) {
        self.blocks = blocks;
    }

    /// Entries so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The next entry's exact bytes. They must say of themselves that they are the next.
    pub fn entry(&mut self, bytes: &[u8]) {
        self.reached();
        let seq = self.frontier.size() + 1;
        self.report.shown += 1;
        match serde_json::from_slice::<Head<'_>>(bytes) {
            Ok(head) => self.look(seq, &head),
            Err(_) => self.report.fault(format!("entry {seq} cannot be read")),
        }
        let block = self.frontier.append(crate::tree::leaf(bytes));
        if let Some(block) = block {
            self.block(block);
        }
    }

    fn look(&mut self, seq: u64, head: &Head<'_>) {
        if head.seq != seq {
            self.report.fault(format!(
                "entry {} stands where entry {seq} belongs",
                head.seq
            ));
        }
        if self.report.first_time.is_none() {
            self.report.first_time = Some(head.time.to_owned());
        }
        if head.time < self.last_time.as_str() {
            self.report.note(format!(
                "the clock stood earlier at entry {seq} ({}) than before ({})",
                head.time, self.last_time
            ));
        }
        head.time.clone_into(&mut self.last_time);
        match (head.kind, head.intent_seq) {
            (EntryKind::Intent, _) => self.mark_intent(seq),
            (EntryKind::Outcome, Some(intent)) => self.answered(seq, intent),
            (EntryKind::Outcome, None) => self
                .report
                .fault(format!("entry {seq} is an outcome of nothing")),
            _ => {}
        }
    }

    fn mark_intent(&mut self, seq: u64) {
        let Ok(word) = usize::try_from(seq / 64) else {
            return;
        };
        if self.intents.len() <= word {
            self.intents.resize(word + 1, 0);
        }
        if let Some(bits) = self.intents.get_mut(word) {
            *bits |= 1 << (seq % 64);
        }
    }

    fn answered(&mut self, seq: u64, intent: u64) {
        let word = usize::try_from(intent / 64).unwrap_or(usize::MAX);
        let is_intent = self
            .intents
            .get(word)
            .is_some_and(|bits| bits >> (intent % 64) & 1 == 1);
        // In a part of the log the intent may be among the entries that are not shown.
        let known = is_intent || (self.report.hidden > 0 && intent < seq);
        if !known {
            self.report.fault(format!(
                "entry {seq} answers entry {intent}, which is no intent before it"
            ));
        }
    }

    fn block(&mut self, found: Hash) {
        let told = self.blocks.get(self.blocks_seen).copied();
        self.blocks_seen += 1;
        let end = self.frontier.size();
        if told.is_some_and(|told| told != found) && !self.broken_block {
            self.broken_block = true;
            self.report.fault(format!(
                "among the entries {} to {end} is the first that is not as it was recorded",
                end + 1 - BLOCK
            ));
        }
    }

    /// A subtree of entries that are not shown.
    pub fn gap(&mut self, level: u32, index: u64, hash: Hash) {
        self.reached();
        let at = self.frontier.size();
        let stands = index.checked_mul(1_u64.checked_shl(level).unwrap_or(0)) == Some(at);
        if !stands || self.frontier.append_subtree(level, hash).is_err() {
            self.report.fault(format!(
                "the gap after entry {at} does not fit into the tree"
            ));
            return;
        }
        self.report.hidden += self.frontier.size() - at;
    }

    /// Compares with what is told for the size reached.
    fn reached(&mut self) {
        if !self.marks_sorted {
            self.marks.sort_by_key(|mark| std::cmp::Reverse(mark.size));
            self.marks_sorted = true;
        }
        let size = self.frontier.size();
        while let Some(mark) = self.marks.last().filter(|mark| mark.size <= size) {
            let (here, right) = (mark.size == size, mark.root == self.frontier.root());
            let by = mark.by.clone();
            if !here {
                self.report.fault(format!(
                    "{by} for entry {} cannot be checked: it ends among entries that are not shown",
                    mark.size
                ));
            } else if !right {
                self.report.fault(format!(
                    "{by} for entry {size} is not that of these entries: something was changed, \
                     left out, added or moved among the first {size}"
                ));
            } else {
                self.report.matched(size, &by);
            }
            self.marks.pop();
        }
    }

    /// All entries were given.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.reached();
        let size = self.frontier.size();
        while let Some(mark) = self.marks.pop() {
            self.report.fault(format!(
                "{} reaches entry {}, but these entries end at {size}: the newest {} are missing",
                mark.by,
                mark.size,
                mark.size - size
            ));
        }
        self.report.size = size;
        self.report.root = Some(self.frontier.root());
        self.report.last_time = Some(self.last_time).filter(|time| !time.is_empty());
        self.report
    }
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("reading")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{0} in the bundle is not what it should be")]
    Member(&'static str),
}

/// Verifies a bundle.
///
/// # Errors
/// If it cannot be read as one at all; everything else is a fault in the report.
pub fn bundle<R: Read + Seek>(mut file: R, known: Known<'_>) -> Result<Report, VerifyError> {
    let places = archive::places(&mut file, &MEMBERS)?;
    let mut small = |name: &'static str| text(&mut file, place(&places, name)?, name);
    let (keys, notes) = (small(bundle::KEYS)?, small(bundle::CHECKPOINTS)?);
    let (gaps, blocks) = (small(bundle::GAPS)?, small(bundle::BLOCKS)?);
    let signed_manifest = small(bundle::MANIFEST)?;
    let own = note::verifier_keys(&keys).map_err(|_| VerifyError::Member(bundle::KEYS))?;
    let notes = Signed::all(&notes).map_err(|_| VerifyError::Member(bundle::CHECKPOINTS))?;
    let newest = notes
        .last()
        .ok_or(VerifyError::Member(bundle::CHECKPOINTS))?;
    let manifest_note =
        Note::parse(&signed_manifest).map_err(|_| VerifyError::Member(bundle::MANIFEST))?;
    let manifest = Manifest::of(&manifest_note).ok_or(VerifyError::Member(bundle::MANIFEST))?;

    let mut report = Report::new("bundle", &newest.checkpoint.origin);
    report.filter = Some(manifest.filter.clone()).filter(|filter| filter != "{}");
    let trust = Trust::settle(known.keys, &own, &notes, &mut report);
    trust.needs(&manifest_note, "the manifest", &mut report);
    // Whoever may add lines to a note must not be able to do so unseen.
    if !manifest_note
        .named()
        .all(|key| own.iter().any(|own| own.key() == key))
        || manifest_note.signers(&own).map_or(0, |it| it.len()) != manifest_note.named().count()
    {
        report.fault("the manifest carries a signature of a key that the bundle does not name");
    }
    let said = &newest.checkpoint;
    if (&manifest.origin, manifest.size, manifest.root) != (&said.origin, said.size, said.root) {
        report.fault("the manifest is of another log, size or root than the checkpoint");
    }
    digests(&mut file, &places, &manifest, &mut report)?;

    let mut walk = Walk::new(report);
    walk.expect_blocks(
        blocks
            .lines()
            .map(Hash::parse)
            .collect::<Option<_>>()
            .ok_or(VerifyError::Member(bundle::BLOCKS))?,
    );
    for signed in &notes {
        walk.expect(&signed.checkpoint, "the bundle's checkpoint");
    }
    trust.expect_outside(known.outside, &mut walk);
    records(
        &mut file,
        place(&places, bundle::RECORDS)?,
        &gaps,
        &mut walk,
    )?;
    let mut report = walk.finish();
    if report.size != said.size {
        report.fault(format!(
            "the entries end at {}, the checkpoint at {}",
            report.size, said.size
        ));
    }
    if report.shown != manifest.entries {
        report.fault(format!(
            "the manifest counts {} records, here are {}",
            manifest.entries, report.shown
        ));
    }
    Ok(report)
}

fn place(places: &[Place], name: &'static str) -> Result<Place, VerifyError> {
    MEMBERS
        .iter()
        .position(|member| *member == name)
        .and_then(|at| places.get(at).copied())
        .ok_or(VerifyError::Member(name))
}

fn text<R: Read + Seek>(
    file: &mut R,
    place: Place,
    name: &'static str,
) -> Result<String, VerifyError> {
    if place.size > SMALL_MOST {
        return Err(VerifyError::Member(name));
    }
    let mut text = String::new();
    file.seek(SeekFrom::Start(place.offset))?;
    match file.by_ref().take(place.size).read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(VerifyError::Member(name)),
        Err(error) => Err(error.into()),
    }
}

/// Holds every file against the digest that the manifest names.
fn digests<R: Read + Seek>(
    file: &mut R,
    places: &[Place],
    manifest: &Manifest,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let members = MEMBERS.iter().filter(|name| **name != bundle::MANIFEST);
    let named: Vec<&str> = manifest.files.iter().map(|it| it.name.as_str()).collect();
    if !members.clone().eq(named.iter()) {
        report.fault("the manifest names other files than are here");
        return Ok(());
    }
    for (listed, place) in manifest.files.iter().zip(places) {
        let mut hasher = Sha256::new();
        file.seek(SeekFrom::Start(place.offset))?;
        let mut left = place.size;
        let mut buffer = vec![0; 256 * 1024];
        while left > 0 {
            let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let part = buffer.get_mut(..most).unwrap_or_default();
            file.read_exact(part)?;
            hasher.update(&*part);
            left -= u64::try_from(most).unwrap_or(left);
        }
        if listed.bytes != place.size || listed.sha256 != <[u8; 32]>::from(hasher.finalize()) {
            report.fault(format!(
                "{} is not the file that the manifest names",
                listed.name
            ));
        }
    }
    Ok(())
}

/// Records and gaps in the order of the log.
fn records<R: Read + Seek>(
    file: &mut R,
    place: Place,
    gaps: &str,
    walk: &mut Walk,
) -> Result<(), VerifyError> {
    file.seek(SeekFrom::Start(place.offset))?;
    let mut lines = BufReader::with_capacity(256 * 1024, file.by_ref().take(place.size));
    let mut gaps = gaps.lines().map(gap).peekable();
    let mut line = Vec::new();
    loop {
        while let Some(gap) = gaps.next_if(|gap| gap.is_none_or(|it| begins(it, walk.size()))) {
            let (level, index, hash) = gap.ok_or(VerifyError::Member(bundle::GAPS))?;
            walk.gap(level, index, hash);
        }
        line.clear();
        lines
            .by_ref()
            .take(ENTRY_MOST)
            .read_until(b'\n', &mut line)?;
        match line.pop() {
            None => break,
            Some(b'\n') => walk.entry(&line),
            Some(_) => return Err(VerifyError::Member(bundle::RECORDS)),
        }
    }
    match gaps.next() {
        None => Ok(()),
        Some(_) => Err(VerifyError::Member(bundle::GAPS)),
    }
}

fn begins((level, index, _): (u32, u64, Hash), at: u64) -> bool {
    1_u64
        .checked_shl(level)
        .and_then(|leaves| leaves.checked_mul(index))
        == Some(at)
}

fn gap(line: &str) -> Option<(u32, u64, Hash)> {
    let (level, rest) = line.split_once(' ')?;
    let (index, hash) = rest.split_once(' ')?;
    let read = (level.parse().ok()?, index.parse().ok()?, Hash::parse(hash)?);
    (format!("{} {} {}", read.0, read.1, read.2) == line).then_some(read)
}
