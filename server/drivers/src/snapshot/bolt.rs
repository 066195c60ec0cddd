//! As much of a bbolt file as it takes to read a few small buckets. Knows the file format only;
//! whatever is cut, circular or absurd is [`Damaged`], never a panic and never a large read.

use std::io::{Read, Seek, SeekFrom};

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const HEADER: usize = 16;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const IS_BUCKET: u32 = 1;
/// Trees of small buckets are two or three levels deep.
const DEEPEST: u32 = 16;
/// The most one page with its overflow, and the most entries of one bucket, may be.
const LARGEST_PAGE: u64 = 16 * 1024 * 1024;
const MOST_ENTRIES: usize = 100_000;

/// The file is no store, or a damaged one.
#[derive(Debug, thiserror::Error)]
#[error("the store in it is damaged")]
pub(super) struct Damaged;

/// Where a bucket begins.
#[derive(Debug)]
pub(super) enum Bucket {
    Page(u64),
    /// Small ones stand within their parent.
    Inline(Vec<u8>),
}

/// A key and its value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

#[derive(Debug)]
struct Entry {
    key: Vec<u8>,
    is_bucket: bool,
    value: Vec<u8>,
}

/// An open file; `length` bytes of it belong to the store.
pub(super) struct Store<R> {
    file: R,
    length: u64,
    page_size: u64,
    root: u64,
}

/// Whether what begins like this is a bbolt file.
pub(super) fn begins_one(head: &[u8]) -> bool {
    u32_at(head, HEADER) == Some(MAGIC)
}

impl<R: Read + Seek> Store<R> {
    pub fn open(mut file: R, length: u64) -> Result<Self, Damaged> {
        let first = read_at(&mut file, length, 0, 4096)?;
        let (page_size, first_root, first_transaction) = meta(&first)?;
        // The other of the two is the newer one every second time.
        let second = read_at(&mut file, length, page_size, 4096)?;
        let root = match meta(&second) {
            Ok((_, root, transaction)) if transaction > first_transaction => root,
            _ => first_root,
        };
        Ok(Self {
            file,
            length,
            page_size,
            root,
        })
    }

    /// The bucket called `name` at the top.
    pub fn bucket(&mut self, name: &str) -> Result<Option<Bucket>, Damaged> {
        let entries = self.entries(&Bucket::Page(self.root))?;
        let found = entries
            .into_iter()
            .find(|entry| entry.is_bucket && entry.key == name.as_bytes());
        let Some(found) = found else { return Ok(None) };
        let root = u64_at(&found.value, 0).ok_or(Damaged)?;
        if root != 0 {
            return Ok(Some(Bucket::Page(root)));
        }
        let inline = found.value.get(16..).ok_or(Damaged)?;
        Ok(Some(Bucket::Inline(inline.to_vec())))
    }

    /// The keys and values of a bucket, without the buckets within it.
    pub fn pairs(&mut self, bucket: &Bucket) -> Result<Vec<Pair>, Damaged> {
        let entries = self.entries(bucket)?.into_iter();
        Ok(entries
            .filter(|entry| !entry.is_bucket)
            .map(|entry| (entry.key, entry.value))
            .collect())
    }

    fn entries(&mut self, bucket: &Bucket) -> Result<Vec<Entry>, Damaged> {
        let mut found = Vec::new();
        match bucket {
            Bucket::Inline(page) => leaf(page, &mut found)?,
            Bucket::Page(page) => self.gather(*page, 0, &mut found)?,
        }
        Ok(found)
    }

    fn gather(&mut self, page: u64, depth: u32, found: &mut Vec<Entry>) -> Result<(), Damaged> {
        if depth > DEEPEST {
            return Err(Damaged);
        }
        let page = self.page(page)?;
        match u16_at(&page, 8) {
            Some(LEAF) => leaf(&page, found),
            Some(BRANCH) => {
                for child in branch(&page)? {
                    self.gather(child, depth + 1, found)?;
                }
                Ok(())
            }
            _ => Err(Damaged),
        }
    }

    fn page(&mut self, number: u64) -> Result<Vec<u8>, Damaged> {
        let offset = number.checked_mul(self.page_size).ok_or(Damaged)?;
        let head = read_at(&mut self.file, self.length, offset, 16)?;
        let overflow = u64::from(u32_at(&head, 12).ok_or(Damaged)?);
        let size = (overflow + 1).checked_mul(self.page_size).ok_or(Damaged)?;
        if size > LARGEST_PAGE {
            return Err(Damaged);
        }
        read_at(&mut self.file, self.length, offset, size)
    }
}

/// Page size, root page and transaction of a meta page.
fn meta(page: &[u8]) -> Result<(u64, u64, u64), Damaged> {
    let number = |offset| u32_at(page, HEADER + offset).ok_or(Damaged);
    if number(0)? != MAGIC || number(4)? != VERSION {
        return Err(Damaged);
    }
    let page_size = u64::from(number(8)?);
    let wide = |offset| u64_at(page, HEADER + offset).ok_or(Damaged);
    let usual = page_size.is_power_of_two() && (1024..=65_536).contains(&page_size);
    usual
        .then_some((page_size, wide(16)?, wide(48)?))
        .ok_or(Damaged)
}

fn leaf(page: &[u8], found: &mut Vec<Entry>) -> Result<(), Damaged> {
    for at in elements(page)? {
        let part = |offset| u32_at(page, at + offset).ok_or(Damaged);
        let (flags, key) = (part(0)?, at.checked_add(size(part(4)?)?).ok_or(Damaged)?);
        let value = key.checked_add(size(part(8)?)?).ok_or(Damaged)?;
        let end = value.checked_add(size(part(12)?)?).ok_or(Damaged)?;
        if found.len() >= MOST_ENTRIES {
            return Err(Damaged);
        }
        found.push(Entry {
            key: page.get(key..value).ok_or(Damaged)?.to_vec(),
            is_bucket: flags & IS_BUCKET != 0,
            value: page.get(value..end).ok_or(Damaged)?.to_vec(),
        });
    }
    Ok(())
}

fn branch(page: &[u8]) -> Result<Vec<u64>, Damaged> {
    let children = elements(page)?.map(|at| u64_at(page, at + 8).ok_or(Damaged));
    children.collect()
}

/// Where the elements of a page stand; each is described in 16 bytes.
fn elements(page: &[u8]) -> Result<impl Iterator<Item = usize>, Damaged> {
    let count = usize::from(u16_at(page, 10).ok_or(Damaged)?);
    Ok((0..count).map(|number| HEADER + number * 16))
}

fn read_at<R: Read + Seek>(
    file: &mut R,
    length: u64,
    offset: u64,
    size: u64,
) -> Result<Vec<u8>, Damaged> {
    if offset.checked_add(size).is_none_or(|end| end > length) {
        return Err(Damaged);
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| Damaged)?];
    file.seek(SeekFrom::Start(offset)).map_err(|_| Damaged)?;
    file.read_exact(&mut bytes).map_err(|_| Damaged)?;
    Ok(bytes)
}

fn size(number: u32) -> Result<usize, Damaged> {
    usize::try_from(number).map_err(|_| Damaged)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let part = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(part.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let part = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(part.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(part.try_into().ok()?))
}
