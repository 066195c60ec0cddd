//! The audit log as a document for people to read: what was looked at, what was left out and why,
//! figures, changes with before and after, refusals, and how to check all of it.
//!
//! It knows entries and a signed checkpoint, and neither database, network nor clock: the same
//! entries under the same checkpoint always make the same bytes.

mod archival;
mod cover;
mod document;
mod flow;
mod gathering;
mod labels;
mod ocsf;
mod picture;
mod sheet;
mod summary;
mod tables;
mod typeface;
mod verification;
mod words;

pub use gathering::{CHANGES_MOST, Gathering, OTHERS_MOST};
pub use ocsf::event as ocsf_event;
use quorate_audit::{
    checkpoint::{Checkpoint, Signed},
    manifest,
    note::VerifierKey,
};
use quorate_domain::audit::Filter;
pub use words::Language;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("a font of the report cannot be read")]
    Font,
    #[error("writing the report")]
    Write(#[from] std::io::Error),
}

/// What a report says of itself beside the entries.
pub struct About<'a> {
    pub language: Language,
    pub filter: &'a Filter,
    /// How many entries are gone from the log's beginning by the rules of retention.
    pub removed: u64,
    /// The conditions as JSON on one line, as the bundle's manifest has them.
    pub conditions: &'a str,
    pub signed: &'a Signed,
    /// The checkpoint's note, verbatim.
    pub note: &'a str,
    /// Every public key that signed the log.
    pub keys: &'a [VerifierKey],
    pub bundle: &'a Bundle,
}

impl About<'_> {
    const fn checkpoint(&self) -> &Checkpoint {
        &self.signed.checkpoint
    }
}

/// The bundle that accompanies a report: the record itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    pub name: String,
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub sha256: [u8; 32],
    /// What is in it.
    pub files: Vec<manifest::File>,
}

/// The report as a PDF file.
///
/// # Errors
/// `Font` and `Write` only if this program itself is damaged; never because of what entries say.
pub fn pdf(gathering: &Gathering, about: &About<'_>) -> Result<Vec<u8>, ReportError> {
    let mut flow = flow::Flow::new(words::Words(about.language))?;
    // The cover tells what the rest could not show, so it is laid out last and put first.
    summary::write(&mut flow, gathering);
    tables::write(&mut flow, gathering);
    verification::write(&mut flow, gathering, about);
    let body = flow.take();
    cover::write(&mut flow, gathering, about);
    flow.append(body);
    document::write(flow, about)
}

#[cfg(test)]
mod tests;
