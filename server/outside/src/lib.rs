//! Places outside of the console, to which copies of the audit log are sent and reports delivered.
//!
//! Each place knows one wire: files are `control`'s own; here are webhooks, syslog and object
//! storage. A place decides nothing: when something is sent, how often and what is on record is
//! `control`'s. It sends what it is given once, within a time limit of its own, follows no
//! redirect, and says in words, without secrets, why it could not.

mod calling;
mod objects;
mod sigv4;
mod syslog;
mod webhook;

use std::time::Duration;

use quorate_control::Terms;
use quorate_drivers::Secret;

pub use objects::{Lock, LockMode, ObjectSettings, Objects};
pub use syslog::{Syslog, SyslogSettings, Transport};
pub use webhook::{Webhook, WebhookSettings, signature};

/// How long one call of a copy may take; shorter than what `control` waits.
const CALL: Duration = Duration::from_secs(8);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a delivered file may take, beside a second for each of its [`PACE`] bytes.
const FILE: Duration = Duration::from_secs(30);
/// The slowest a file is sent, in bytes a second.
const PACE: u64 = 256 * 1024;

/// Why a place cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    #[error("the certificates given cannot be used: {0}")]
    Certificates(String),
    #[error("no client could be made: {0}")]
    Client(String),
}

/// What a place is called, and on which terms it takes copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub terms: Terms,
}

/// Authorities beside the system's, and what this console shows of itself; all in PEM.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    pub authorities: Option<String>,
    /// Certificate and key.
    pub identity: Option<Secret>,
}

/// The first `most` characters of an answer, on one line: it may come from anybody.
fn beginning(text: &str, most: usize) -> String {
    text.chars()
        .take(most)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn seconds_since_epoch() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
