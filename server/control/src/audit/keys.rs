//! The keys that sign the log: in a file of their own, for the console's user alone.
//!
//! Every key in the file signs every checkpoint. The file is read anew before each signature, so
//! that a key added or retired from the command line counts at once.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use quorate_audit::note::SigningKey;
use rand::RngCore as _;

use super::trouble::Trouble;

const KEY_FILE: &str = "audit.key";
const HEAD: &str =
    "# Private keys that sign this console's audit log. Keep a copy somewhere safe.\n";

/// Where the keys are.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile(PathBuf);

impl KeyFile {
    pub(crate) fn of(directory: &Path) -> Self {
        Self(directory.join(KEY_FILE))
    }

    /// The keys; none if there is no file.
    pub(crate) fn read(&self) -> Result<Vec<SigningKey>, Trouble> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => SigningKey::all(&text).map_err(|_| self.unreadable("it holds no key")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.unreadable(&error.to_string())),
        }
    }

    /// A new key for the log of this name.
    pub(crate) fn fresh(origin: &str) -> Result<SigningKey, Trouble> {
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        SigningKey::of_seed(origin, seed).map_err(|_| Trouble::Origin(origin.to_owned()))
    }

    /// The first key of a log that has none; what another process made meanwhile is left.
    pub(crate) fn create(&self) -> Result<Vec<SigningKey>, Trouble> {
        let mut name = [0; 6];
        rand::rng().fill_bytes(&mut name);
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = Self::fresh(&format!("quorate-audit/{name}"))?;
        let made = self.write_beside(&[key])?;
        match std::fs::hard_link(&made, &self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(self.unreadable(&error.to_string()));
            }
            _ => {}
        }
        let _ = std::fs::remove_file(&made);
        self.read()
    }

    /// Replaces the file by one with these keys.
    pub(crate) fn write(&self, keys: &[SigningKey]) -> Result<(), Trouble> {
        let made = self.write_beside(keys)?;
        std::fs::rename(&made, &self.0)
            .and_then(|()| {
                self.0
                    .parent()
                    .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
            })
            .map_err(|error| self.unreadable(&error.to_string()))
    }

    fn write_beside(&self, keys: &[SigningKey]) -> Result<PathBuf, Trouble> {
        let path = self.0.with_extension(format!("key.{}", std::process::id()));
        let mut text = HEAD.to_owned();
        for key in keys {
            text.push_str(&key.reveal());
            text.push('\n');
        }
        let _ = std::fs::remove_file(&path);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .map_err(|error| self.unreadable(&error.to_string()))?;
        Ok(path)
    }

    fn unreadable(&self, why: &str) -> Trouble {
        Trouble::KeyFile {
            path: self.0.display().to_string(),
            why: why.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_first_key_is_made_once_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = KeyFile::of(directory.path());
        assert!(file.read().unwrap().is_empty());
        let made = file.create().unwrap();
        let again = file.create().unwrap();
        assert_eq!(made[0].reveal(), again[0].reveal());
        let mode = std::fs::metadata(&file.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_without_a_key_is_not_taken_for_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = KeyFile::of(directory.path());
        std::fs::write(&file.0, "PRIVATE+KEY+cut+off").unwrap();
        assert!(file.read().is_err());
    }
}
