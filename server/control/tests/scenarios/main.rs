//! Stories of changes and sign-ins, played on the simulated cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accidents;
mod audit_coverage;
mod audit_log;
mod audit_reports;
mod audit_signed;
mod changes;
mod overrides;
mod people;
mod places;
mod restart;
mod role_coverage;
mod seeing;
mod stage;
