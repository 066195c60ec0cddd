//! The thin shell of the program: configuration, sessions, guards, event streams, REST, command
//! line. What is decided, is decided in `quorate_control` and `quorate_domain`.

pub mod assets;
mod audit_files;
mod break_glass;
pub mod cli;
pub mod configuration;
pub mod console;
mod copies;
mod deciding;
mod downloads;
mod erasing;
mod events;
pub mod exit;
mod former_id;
#[doc(hidden)]
pub mod fuzzed;
pub mod guards;
mod health;
pub mod identity;
pub mod listening;
mod logs;
mod merge;
mod overriding;
mod pages;
mod renewal;
pub mod rest;
pub mod router;
mod server_functions;
pub mod sessions;
mod sign_in;
mod sign_on;
mod signed_in;
pub mod state;
mod step_up;
mod stream;
mod visitor;

/// What every key, command and kind of a later version answers.
pub const NOT_IN_THIS_VERSION: &str = "not in this version";
