//! The console as browsers and programs meet it: over HTTP, on a port of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../../control/tests/support/authenticator.rs"]
mod authenticator;

mod access_coverage;
mod approvals;
mod assertions;
mod assets;
mod audit_coverage;
mod audit_killed;
mod audit_log;
mod base_path;
mod client_address;
mod command_line;
mod configuration;
mod cross_site;
mod demo;
mod discovery;
mod documents;
mod doors;
mod erasing;
mod examples;
mod groups;
mod headers;
mod health;
mod killed_changes;
mod oidc;
mod openapi;
mod proxied;
mod rest;
mod sessions;
mod step_up;
mod streams;
