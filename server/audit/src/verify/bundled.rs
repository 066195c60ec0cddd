//! A bundle: one file that is read strictly, so that no bit of it is without meaning.

use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};

use quorate_domain::audit::Entry;
use sha2::{Digest as _, Sha256};

use super::{Known, Walk};
use crate::{
    archive::{self, ArchiveError, Place},
    bundle::{self, FORMER_MEMBERS, MEMBERS},
    checkpoint::Signed,
    manifest::Manifest,
    note::{self, Note},
    personal::People,
    report::Report,
    tree::Hash,
    trust::Trust,
};

/// The longest entry that is read, in bytes.
const ENTRY_MOST: u64 = 4 * 1024 * 1024;
/// The most bytes of a bundle's smaller files.
const SMALL_MOST: u64 = 64 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("reading")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{0} in the bundle is not what it should be")]
    Member(&'static str),
}

/// The members of a bundle, and where they stand.
struct Members {
    names: &'static [&'static str],
    places: Vec<Place>,
}

impl Members {
    /// Of a bundle as it is written now, or as it was before anything was sealed.
    fn find<R: Read + Seek>(file: &mut R) -> Result<Self, VerifyError> {
        let now = archive::places(file, &MEMBERS);
        let (names, places): (&'static [&'static str], _) = match now {
            Ok(places) => (&MEMBERS, places),
            Err(wrong) => match archive::places(file, &FORMER_MEMBERS) {
                Ok(places) => (&FORMER_MEMBERS, places),
                Err(_) => return Err(wrong.into()),
            },
        };
        Ok(Self { names, places })
    }

    fn place(&self, name: &'static str) -> Result<Place, VerifyError> {
        let at = self.names.iter().position(|member| *member == name);
        at.and_then(|at| self.places.get(at).copied())
            .ok_or(VerifyError::Member(name))
    }

    fn text<R: Read + Seek>(
        &self,
        file: &mut R,
        name: &'static str,
    ) -> Result<String, VerifyError> {
        text(file, self.place(name)?, name)
    }

    /// The keys of people; a bundle from before has none.
    fn people<R: Read + Seek>(&self, file: &mut R) -> Result<People, VerifyError> {
        if !self.names.contains(&bundle::PEOPLE) {
            return Ok(People::default());
        }
        let listed = self.text(file, bundle::PEOPLE)?;
        People::parse(&listed).ok_or(VerifyError::Member(bundle::PEOPLE))
    }
}

/// The entries of a bundle, opened as far as there are keys, in it or `more`; whether it is
/// believed is for [`bundle`] to say.
///
/// # Errors
/// If it cannot be read as a bundle, or `out` takes no more.
pub fn read<R: Read + Seek, W: io::Write>(
    mut file: R,
    more: &People,
    mut out: W,
) -> Result<(), VerifyError> {
    let members = Members::find(&mut file)?;
    let people = members.people(&mut file)?;
    let place = members.place(bundle::RECORDS)?;
    file.seek(SeekFrom::Start(place.offset))?;
    let wrong = |_| VerifyError::Member(bundle::RECORDS);
    for line in BufReader::new(file.take(place.size)).split(b'\n') {
        let mut entry: Entry = serde_json::from_slice(&line?).map_err(wrong)?;
        people.open_with(more, &mut entry);
        serde_json::to_writer(&mut out, &entry).map_err(|error| VerifyError::Read(error.into()))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Verifies a bundle.
///
/// # Errors
/// If it cannot be read as one at all; everything else is a fault in the report.
pub fn bundle<R: Read + Seek>(mut file: R, known: Known<'_>) -> Result<Report, VerifyError> {
    let members = Members::find(&mut file)?;
    let mut small = |name: &'static str| members.text(&mut file, name);
    let (keys, notes) = (small(bundle::KEYS)?, small(bundle::CHECKPOINTS)?);
    let (gaps, blocks) = (small(bundle::GAPS)?, small(bundle::BLOCKS)?);
    let signed_manifest = small(bundle::MANIFEST)?;
    let people = members.people(&mut file)?;
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
    digests(&mut file, &members, &manifest, &mut report)?;

    let mut walk = Walk::new(report);
    walk.with_people(people);
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
    records(&mut file, members.place(bundle::RECORDS)?, &gaps, &mut walk)?;
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
    found: &Members,
    manifest: &Manifest,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let names = found.names.iter();
    let members = names.filter(|name| **name != bundle::MANIFEST);
    let named: Vec<&str> = manifest.files.iter().map(|it| it.name.as_str()).collect();
    if !members.clone().eq(named.iter()) {
        report.fault("the manifest names other files than are here");
        return Ok(());
    }
    for (listed, place) in manifest.files.iter().zip(&found.places) {
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
