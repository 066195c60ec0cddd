//! Secrets the console makes itself, and the digests it keeps of them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_drivers::Secret;
use rand::{TryRngCore as _, rngs::OsRng};
use sha2::{Digest as _, Sha256};

use crate::ControlError;

/// 256 bits from the system, as URL-safe text behind `prefix`.
pub(crate) fn fresh(prefix: &str) -> Result<Secret, ControlError> {
    let mut bytes = [0_u8; 32];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| ControlError::Internal {
            doing: "asking the system for random bytes",
        })?;
    Ok(Secret::new(format!(
        "{prefix}{}",
        URL_SAFE_NO_PAD.encode(bytes)
    )))
}

/// SHA-256 in hexadecimal. Enough for secrets of 256 random bits.
pub(crate) fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
