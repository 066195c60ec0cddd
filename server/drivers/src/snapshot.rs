//! Whether a snapshot file is whole: read to its end, every part there, every digest right. Here
//! those of OpenBao and Vault, where a streaming reader alone does not notice a file that was
//! cut; those of etcd in a file of their own.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use flate2::bufread::GzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod bolt;
mod etcd;

/// What a whole snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Where the snapshot tells it.
    pub index: Option<u64>,
    /// Where the snapshot tells it.
    pub term: Option<u64>,
    /// Index of the membership it holds, where it tells.
    pub configuration_index: Option<u64>,
    /// (id, votes) of the members it holds.
    pub members: Vec<(String, bool)>,
    /// Of the whole file.
    pub bytes: u64,
    pub sha256: String,
}

/// Why a file is no whole snapshot.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    #[error("this is not a snapshot of OpenBao, Vault or etcd")]
    NotGzip,
    #[error("the file is cut or damaged: it does not unpack to its end")]
    Cut(#[source] io::Error),
    #[error("the store ends without its digest: the file is cut")]
    NoDigest,
    #[error("the archive ends without its closing blocks: the file is cut")]
    NoEnd,
    #[error("{0} is missing: the file is cut or no snapshot")]
    Missing(&'static str),
    #[error("{0} is empty")]
    Empty(&'static str),
    #[error("{0} does not stand where it belongs")]
    OutOfOrder(String),
    #[error("{0} cannot be understood")]
    Malformed(&'static str),
    #[error("{0} is not what its digest says: the file is damaged")]
    Digest(String),
    #[error("there is something after the end of the snapshot")]
    Trailing,
}

const META: &str = "meta.json";
const STATE: &str = "state.bin";
const SUMS: &str = "SHA256SUMS";
const SEALED: &str = "SHA256SUMS.sealed";
const ORDER: [&str; 4] = [META, STATE, SUMS, SEALED];

/// The parts other than the state are small; more than this is no snapshot.
const SMALL: u64 = 4 * 1024 * 1024;

/// Reads `file` to its end and checks everything that can be checked without the cluster's seal.
/// Blocks; holds no more than a few megabytes at once.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(file: &Path) -> Result<Verified, Broken> {
    let mut file = File::open(file).map_err(Broken::Read)?;
    let mut head = Vec::new();
    (&mut file)
        .take(64)
        .read_to_end(&mut head)
        .map_err(Broken::Read)?;
    file.seek(SeekFrom::Start(0)).map_err(Broken::Read)?;
    if etcd::begins_one(&head) {
        return etcd::verify(file);
    }
    verify_reader(file)
}

/// [`verify`] for anything that can be read.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify_reader(file: impl Read) -> Result<Verified, Broken> {
    let mut whole = BufReader::new(Counted::new(file));
    let parts = {
        let mut gzip = GzDecoder::new(&mut whole);
        if gzip.header().is_none() {
            return Err(Broken::NotGzip);
        }
        unpack(&mut gzip)?
    };
    let mut after = [0_u8; 1];
    if whole.read(&mut after).map_err(Broken::Read)? != 0 {
        return Err(Broken::Trailing);
    }
    let file = whole.into_inner();
    let meta = parts.meta()?;
    Ok(Verified {
        index: Some(meta.index),
        term: Some(meta.term),
        configuration_index: Some(meta.configuration_index),
        members: meta.members(),
        bytes: file.bytes,
        sha256: hex(&file.digest.finalize()),
    })
}

/// What was read of the archive.
#[derive(Default)]
struct Parts {
    names: Vec<String>,
    digests: BTreeMap<String, String>,
    small: BTreeMap<String, Vec<u8>>,
    state_size: u64,
}

/// Goes through the archive by itself, and then on to the end of the gzip stream, whose trailer
/// holds length and checksum of everything.
fn unpack(gzip: &mut impl Read) -> Result<Parts, Broken> {
    let mut watched = Watched {
        inner: gzip,
        tail_zeros: 0,
    };
    let mut parts = Parts::default();
    {
        let mut archive = tar::Archive::new(&mut watched);
        for entry in archive.entries().map_err(Broken::Cut)? {
            let mut entry = entry.map_err(Broken::Cut)?;
            let name = entry
                .path()
                .map_err(Broken::Cut)?
                .to_string_lossy()
                .into_owned();
            parts.take(name, &mut entry)?;
        }
    }
    io::copy(&mut watched, &mut io::sink()).map_err(Broken::Cut)?;
    // Two blocks of zeros end an archive. A reader that streams takes a missing end for an end.
    if watched.tail_zeros < 1024 {
        return Err(Broken::NoEnd);
    }
    parts.check()?;
    Ok(parts)
}

impl Parts {
    fn take(&mut self, name: String, content: &mut impl Read) -> Result<(), Broken> {
        if ORDER
            .get(self.names.len())
            .is_none_or(|expected| *expected != name)
        {
            return Err(Broken::OutOfOrder(name));
        }
        let mut digest = Sha256::new();
        if name == STATE {
            let mut counting = Digesting {
                digest: &mut digest,
                bytes: 0,
            };
            io::copy(content, &mut counting).map_err(Broken::Cut)?;
            self.state_size = counting.bytes;
        } else {
            let mut text = Vec::new();
            content
                .take(SMALL)
                .read_to_end(&mut text)
                .map_err(Broken::Cut)?;
            digest.update(&text);
            self.small.insert(name.clone(), text);
        }
        self.digests.insert(name.clone(), hex(&digest.finalize()));
        self.names.push(name);
        Ok(())
    }

    fn check(&self) -> Result<(), Broken> {
        if let Some(missing) = ORDER.get(self.names.len()) {
            return Err(Broken::Missing(missing));
        }
        if self.small.get(SEALED).is_none_or(Vec::is_empty) {
            return Err(Broken::Empty(SEALED));
        }
        let sums = self.small.get(SUMS).map_or(&[][..], Vec::as_slice);
        let sums = std::str::from_utf8(sums).map_err(|_| Broken::Malformed(SUMS))?;
        let told: BTreeMap<&str, &str> = sums
            .lines()
            .filter_map(|line| line.split_once(char::is_whitespace))
            .map(|(digest, name)| (name.trim(), digest))
            .collect();
        for name in [META, STATE] {
            let told = told.get(name).ok_or(Broken::Malformed(SUMS))?;
            if self
                .digests
                .get(name)
                .is_none_or(|found| !found.eq_ignore_ascii_case(told))
            {
                return Err(Broken::Digest(name.to_owned()));
            }
        }
        Ok(())
    }

    fn meta(&self) -> Result<Meta, Broken> {
        let text = self.small.get(META).map_or(&[][..], Vec::as_slice);
        let meta: Meta = serde_json::from_slice(text).map_err(|_| Broken::Malformed(META))?;
        if meta.size == self.state_size {
            Ok(meta)
        } else {
            Err(Broken::Malformed(META))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    index: u64,
    term: u64,
    #[serde(default)]
    configuration_index: u64,
    #[serde(default)]
    configuration: Configuration,
    size: u64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    #[serde(default)]
    servers: Vec<Server>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Server {
    /// 0 votes, 1 does not.
    suffrage: u8,
    #[serde(rename = "ID")]
    id: String,
}

impl Meta {
    fn members(&self) -> Vec<(String, bool)> {
        let servers = &self.configuration.servers;
        servers
            .iter()
            .map(|server| (server.id.clone(), server.suffrage == 0))
            .collect()
    }
}

/// Counts and digests what passes through.
struct Counted<R> {
    inner: R,
    digest: Sha256,
    bytes: u64,
}

impl<R> Counted<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            digest: Sha256::new(),
            bytes: 0,
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.digest.update(buffer.get(..length).unwrap_or_default());
        self.bytes += u64::try_from(length).unwrap_or(0);
        Ok(length)
    }
}

/// Remembers how many zeros came last.
struct Watched<R> {
    inner: R,
    tail_zeros: usize,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        let read = buffer.get(..length).unwrap_or_default();
        let zeros = read.iter().rev().take_while(|byte| **byte == 0).count();
        self.tail_zeros = if zeros == length {
            self.tail_zeros + zeros
        } else {
            zeros
        };
        Ok(length)
    }
}

struct Digesting<'a> {
    digest: &'a mut Sha256,
    bytes: u64,
}

impl io::Write for Digesting<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.digest.update(buffer);
        self.bytes += u64::try_from(buffer.len()).unwrap_or(0);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
