//! The modules of the console's program that read what comes from outside, compiled as they are:
//! the program itself would bring all pages along.
#![allow(dead_code, unused_imports)]

#[path = "../../server/src/configuration/mod.rs"]
pub mod configuration;
#[path = "../../server/src/fuzzed.rs"]
pub mod fuzzed;
#[path = "../../server/src/identity/mod.rs"]
pub mod identity;

#[path = "../../server/src/guards/client.rs"]
pub mod client;

pub mod guards {
    pub use crate::client;
}

/// Of the program's own `events`; what it is matters to no text.
pub mod events {
    pub const RENEWED_EVERY: std::time::Duration = std::time::Duration::from_secs(60);
}

pub const NOT_IN_THIS_VERSION: &str = "not in this version";
