//! The one file a bundle is: a tar archive that can be written in one way only.
//!
//! Any tar unpacks it. Reading here is stricter: every header, every padding byte and the end must
//! be exactly as written, so that no bit of the file is without meaning.

use std::io::{self, Read, Seek, SeekFrom, Write};

const BLOCK: usize = 512;
const BLOCK_LONG: u64 = 512;
/// Eleven octal digits.
const SIZE_MOST: u64 = 0o77_777_777_777;

#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("reading the file")]
    Read(#[from] io::Error),
    #[error("byte {at} of the file is not as a bundle has it")]
    NotCanonical { at: u64 },
}

/// The header of a member.
fn header(name: &str, size: u64) -> Option<[u8; BLOCK]> {
    if name.is_empty() || name.len() > 99 || size > SIZE_MOST {
        return None;
    }
    let mut header = [0; BLOCK];
    put(&mut header, 0, name.as_bytes());
    put(&mut header, 100, b"0000644\x000000000\x000000000\0");
    put(&mut header, 124, format!("{size:011o}\0").as_bytes());
    put(&mut header, 136, b"00000000000\0        0");
    put(&mut header, 257, b"ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
    Some(header)
}

fn put(header: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    for (to, from) in header.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

const fn padding(size: u64) -> u64 {
    (BLOCK_LONG - size % BLOCK_LONG) % BLOCK_LONG
}

/// Writes an archive, member after member.
pub struct Archive<W> {
    out: W,
}

fn too_long() -> io::Error {
    io::Error::other("a file is too long for a bundle; export a shorter time")
}

impl<W: Write + Seek> Archive<W> {
    pub const fn new(out: W) -> Self {
        Self { out }
    }

    /// # Errors
    /// Of writing.
    pub fn member(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let started = self.start(name)?;
        self.out.write_all(content)?;
        self.end(&started)
    }

    /// Begins a member whose length is not known yet; its content is written to [`Self::out`].
    ///
    /// # Errors
    /// Of writing.
    pub fn start(&mut self, name: &str) -> io::Result<Started> {
        let at = self.out.stream_position()?;
        let header = header(name, 0).ok_or_else(too_long)?;
        self.out.write_all(&header)?;
        Ok(Started {
            name: name.to_owned(),
            at,
        })
    }

    /// Ends it: its header now tells how long it became.
    ///
    /// # Errors
    /// Of writing; `Other` if it became longer than an archive can hold.
    pub fn end(&mut self, started: &Started) -> io::Result<()> {
        let end = self.out.stream_position()?;
        let size = end.saturating_sub(started.at + BLOCK_LONG);
        let header = header(&started.name, size).ok_or_else(too_long)?;
        self.out.seek(SeekFrom::Start(started.at))?;
        self.out.write_all(&header)?;
        self.out.seek(SeekFrom::Start(end))?;
        io::copy(&mut io::repeat(0).take(padding(size)), &mut self.out)?;
        Ok(())
    }

    pub const fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// # Errors
    /// Of writing.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// A member that is being written.
pub struct Started {
    name: String,
    at: u64,
}

/// Where a member's content stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub offset: u64,
    pub size: u64,
}

/// Finds the members, which must be exactly `names` in this order.
///
/// # Errors
/// `NotCanonical` with the first place that is not as this module writes it.
pub fn places<R: Read + Seek>(file: &mut R, names: &[&str]) -> Result<Vec<Place>, ArchiveError> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut at = 0;
    let mut places = Vec::new();
    for name in names {
        let found: [u8; BLOCK] = read_at(file, at, length)?;
        let size = size_of(&found).ok_or(ArchiveError::NotCanonical { at })?;
        let expected = header(name, size).ok_or(ArchiveError::NotCanonical { at })?;
        same(&found, &expected, at)?;
        let place = Place {
            offset: at + BLOCK_LONG,
            size,
        };
        let end = place.offset + size;
        at = end + padding(size);
        zeros(file, end, at, length)?;
        places.push(place);
    }
    zeros(file, at, at + 2 * BLOCK_LONG, length)?;
    match at + 2 * BLOCK_LONG == length {
        true => Ok(places),
        false => Err(ArchiveError::NotCanonical {
            at: at + 2 * BLOCK_LONG,
        }),
    }
}

fn size_of(header: &[u8; BLOCK]) -> Option<u64> {
    let digits = std::str::from_utf8(header.get(124..135)?).ok()?;
    u64::from_str_radix(digits, 8).ok()
}

fn read_at<R: Read + Seek>(
    file: &mut R,
    at: u64,
    length: u64,
) -> Result<[u8; BLOCK], ArchiveError> {
    if at + BLOCK_LONG > length {
        return Err(ArchiveError::NotCanonical { at: length });
    }
    let mut block = [0; BLOCK];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut block)?;
    Ok(block)
}

fn zeros<R: Read + Seek>(
    file: &mut R,
    from: u64,
    to: u64,
    length: u64,
) -> Result<(), ArchiveError> {
    if to > length {
        return Err(ArchiveError::NotCanonical { at: length });
    }
    // At most a block of padding, or the two blocks at the end.
    let count = usize::try_from(to - from).unwrap_or(0).min(2 * BLOCK);
    let mut found = [0; 2 * BLOCK];
    let found = found.get_mut(..count).unwrap_or_default();
    file.seek(SeekFrom::Start(from))?;
    file.read_exact(found)?;
    match (from..).zip(found).find(|(_, byte)| **byte != 0) {
        Some((at, _)) => Err(ArchiveError::NotCanonical { at }),
        None => Ok(()),
    }
}

fn same(found: &[u8], expected: &[u8], start: u64) -> Result<(), ArchiveError> {
    for (at, (found, expected)) in (start..).zip(found.iter().zip(expected)) {
        if found != expected {
            return Err(ArchiveError::NotCanonical { at });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Cursor;

    use super::*;

    fn written() -> Vec<u8> {
        let mut archive = Archive::new(Cursor::new(Vec::new()));
        archive.member("a", b"one").unwrap();
        let started = archive.start("b").unwrap();
        archive.out().write_all(&[7; 512]).unwrap();
        archive.end(&started).unwrap();
        archive.member("c", b"").unwrap();
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn members_are_found_where_they_were_written() {
        let bytes = written();
        let places = places(&mut Cursor::new(&bytes), &["a", "b", "c"]).unwrap();
        let sizes: Vec<u64> = places.iter().map(|it| it.size).collect();
        assert_eq!(sizes, [3, 512, 0]);
        assert_eq!(&bytes[512..515], b"one");
    }

    #[test]
    fn any_other_archive_is_refused() {
        let bytes = written();
        let read = |bytes: &[u8], names: &[&str]| places(&mut Cursor::new(bytes), names);
        assert!(read(&bytes, &["a", "c", "b"]).is_err());
        assert!(read(&bytes, &["a", "b"]).is_err());
        assert!(read(&bytes, &["a", "b", "c", "d"]).is_err());
        assert!(read(&[], &["a"]).is_err());
        assert!(read(&bytes[..bytes.len() - 1], &["a", "b", "c"]).is_err());
        assert!(read(&[bytes.as_slice(), &[0]].concat(), &["a", "b", "c"]).is_err());
        let content = (512..515).chain(1536..2048);
        for at in (0..bytes.len()).filter(|at| !content.clone().any(|it| it == *at)) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(read(&changed, &["a", "b", "c"]).is_err(), "byte {at}");
        }
    }
}
