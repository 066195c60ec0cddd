//! Stories of changes and sign-ins, played on the simulated cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/authenticator.rs"]
mod authenticator;

mod accidents;
mod approvals;
mod audit_copies;
mod audit_coverage;
mod audit_erasure;
mod audit_exports;
mod audit_former;
mod audit_log;
mod audit_reports;
mod audit_retention;
mod audit_signed;
mod changes;
mod consequences;
mod overrides;
mod passkeys;
mod people;
mod places;
mod restart;
mod role_coverage;
mod seeing;
mod sessions;
mod snapshots;
mod stage;
mod step_up;
mod tokens;
