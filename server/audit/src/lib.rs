//! What an auditor checks: the hash tree over the audit log, signed checkpoints, bundles, and
//! their verification.
//!
//! Small on purpose, so that it can be read whole: it knows no database, no network and no clock.
//! The formats are those of RFC 6962 and c2sp.org (signed note, checkpoint, proof).

pub mod archive;
pub mod bundle;
pub mod checkpoint;
pub mod manifest;
pub mod note;
pub mod outside;
pub mod personal;
pub mod proof;
pub mod report;
pub mod table;
pub mod tlog_proof;
pub mod tree;
pub mod trust;
pub mod verify;

#[cfg(test)]
mod bundle_tests;
