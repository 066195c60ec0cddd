//! Passwords: what is accepted, and how they are hashed. Knows no accounts.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use quorate_domain::password::{LONGEST, SHORTEST};
use quorate_drivers::Secret;
use tokio::sync::Semaphore;

use crate::ControlError;

/// Memory in KiB, passes and lanes of argon2id: the floor OWASP recommends.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Each hash takes its memory and a core for tens of milliseconds.
const AT_ONCE: usize = 2;

/// What people choose when they are told "at least 12".
const COMMON: &[&str] = &[
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456781234",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopas",
    "qwertyqwerty",
    "qwerty123456",
    "abcdefghijkl",
    "abcd12345678",
    "abc123456789",
    "iloveyou1234",
    "letmeinletmein",
    "letmein12345",
    "welcome12345",
    "welcome123456",
    "administrator",
    "administrator1",
    "adminadminadmin",
    "admin1234567",
    "admin12345678",
    "changemeplease",
    "changeme1234",
    "changemechangeme",
    "trustno1trustno1",
    "monkey123456",
    "football1234",
    "baseball1234",
    "superman1234",
    "sunshine1234",
    "princess1234",
    "dragon123456",
    "master123456",
    "default12345",
    "temporary123",
    "temppassword",
    "temppassword1",
    "mypassword123",
    "newpassword1",
    "newpassword123",
    "secretsecret",
    "secret123456",
    "p@ssw0rd1234",
    "p@ssword1234",
    "passw0rd1234",
    "pa$$word1234",
    "correcthorsebatterystaple",
    "rootrootroot",
    "rootroot1234",
    "testtesttest",
    "test12345678",
    "summer2025!!",
    "winter2025!!",
    "openbaoopenbao",
    "vaultvaultvault",
    "quoratequorate",
    "quorate12345",
];

/// Hashes and verifies, a few at once and off the runtime's threads.
#[derive(Clone)]
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
}

/// What a verification found.
pub(crate) struct Verified {
    pub(crate) right: bool,
    /// The same password under today's parameters, if the stored hash has others.
    pub(crate) renewed: Option<String>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    pub(crate) async fn hash(&self, password: Secret) -> Result<String, ControlError> {
        self.off_thread(move || hash(&password)).await?
    }

    /// Verifies against `stored`; for `None` does the same work and finds it wrong.
    pub(crate) async fn verify(
        &self,
        password: Secret,
        stored: Option<String>,
    ) -> Result<Verified, ControlError> {
        self.off_thread(move || verify(&password, stored.as_deref()))
            .await?
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ControlError> {
        const DOING: ControlError = ControlError::Internal {
            doing: "hashing a password",
        };
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| DOING)?;
        let work = move || {
            let done = work();
            drop(place);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| DOING)
    }
}

fn hasher() -> Result<Argon2<'static>, ControlError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| ControlError::Internal {
            doing: "hashing a password",
        })?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &Secret) -> Result<String, ControlError> {
    hasher()?
        .hash_password(password.reveal().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|_| ControlError::Internal {
            doing: "hashing a password",
        })
}

fn verify(password: &Secret, stored: Option<&str>) -> Result<Verified, ControlError> {
    let Some(stored) = stored else {
        hash(password)?;
        return Ok(Verified {
            right: false,
            renewed: None,
        });
    };
    let right = hasher()?
        .verify_password(password.reveal().as_bytes(), stored)
        .is_ok();
    let renewed = if right && !current(stored) {
        Some(hash(password)?)
    } else {
        None
    };
    Ok(Verified { right, renewed })
}

/// Whether a stored hash was made with today's parameters.
fn current(stored: &str) -> bool {
    PasswordHash::new(stored)
        .ok()
        .and_then(|hash| Params::try_from(&hash).ok())
        .is_some_and(|params| {
            (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
        })
}

/// Whether a new password will do for the account `name`.
pub(crate) fn acceptable(password: &Secret, name: &str) -> Result<(), ControlError> {
    let text = password.reveal();
    let length = text.chars().count();
    let lower = text.to_lowercase();
    let refuse = |what: String| {
        Err(ControlError::invalid(
            what,
            "Take several unrelated words, or let a password store make one.",
        ))
    };
    if length < SHORTEST {
        return refuse(format!("a password has at least {SHORTEST} characters"));
    }
    if length > LONGEST {
        return refuse(format!("a password has at most {LONGEST} characters"));
    }
    if name.len() >= 3 && lower.contains(name) {
        return refuse("a password may not contain the account's name".to_owned());
    }
    let distinct: std::collections::BTreeSet<char> = lower.chars().collect();
    if COMMON.contains(&lower.as_str()) || distinct.len() < 5 {
        return refuse("this password is among the first that are guessed".to_owned());
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_told_why() {
        let long = "x7#k".repeat(33);
        for (password, why) in [
            ("short", "at least 12"),
            (long.as_str(), "at most 128"),
            ("my-ada-is-here", "account's name"),
            ("Password1234", "first that are guessed"),
            ("abababababab", "first that are guessed"),
        ] {
            let error = acceptable(&Secret::new(password), "ada").unwrap_err();
            assert!(error.to_string().contains(why), "{password}: {error}");
        }
        acceptable(&Secret::new("kelp violin tundra"), "ada").unwrap();
    }

    #[test]
    fn a_hash_with_other_parameters_is_renewed() {
        let weaker = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(8 * 1_024, 1, 1, None).unwrap(),
        );
        let stored = weaker
            .hash_password(b"kelp violin tundra")
            .unwrap()
            .to_string();
        let verified = verify(&Secret::new("kelp violin tundra"), Some(&stored)).unwrap();
        assert!(verified.right);
        assert!(current(&verified.renewed.unwrap()));
    }

    #[test]
    fn todays_hash_is_kept_and_a_wrong_password_is_wrong() {
        let stored = hash(&Secret::new("kelp violin tundra")).unwrap();
        let right = verify(&Secret::new("kelp violin tundra"), Some(&stored)).unwrap();
        assert!(right.right && right.renewed.is_none());
        assert!(
            !verify(&Secret::new("kelp violin tundrA"), Some(&stored))
                .unwrap()
                .right
        );
        assert!(
            !verify(&Secret::new("kelp violin tundra"), None)
                .unwrap()
                .right
        );
    }
}
