//! One module a page, named like its path.

pub mod access;
pub mod audit;
pub mod audit_entry;
pub mod change;
pub mod changes;
pub mod cluster;
pub mod fleet;
pub mod later;
pub mod not_found;
pub mod problems;
pub mod sign_in;
