//! What the browser asks of the console, one server function a file.
//!
//! Every body is three to five lines: who asks, one call of a use case, one translation of the
//! error. Authorization and audit live in `control`, not here. All of them are POST: nothing
//! that changes a cluster or the console may be reached by following a link.

pub mod access;
pub mod audit_entry;
pub mod audit_rows;
#[cfg(feature = "ssr")]
mod caller;
pub mod change;
mod failure;
pub mod groups;
pub mod page;
pub mod preview;
pub mod submit;

#[cfg(feature = "ssr")]
pub use caller::Caller;
pub use failure::{CONSOLE_UNREACHABLE, Failure, NOT_SIGNED_IN};
