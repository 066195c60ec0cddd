//! The file of a Unix socket: whether what lies there is dead, and that nobody else's is removed.

use std::{
    io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tokio::net::UnixStream;

/// The file of a socket that was bound here.
pub struct SocketFile {
    path: PathBuf,
    /// Its device and number: another file may have taken its name since.
    number: (u64, u64),
}

impl SocketFile {
    /// # Errors
    /// If it is gone already.
    pub fn bound(path: &Path) -> anyhow::Result<Self> {
        let found = std::fs::symlink_metadata(path)
            .with_context(|| format!("cannot see the socket {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            number: (found.dev(), found.ino()),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, unless it is another one by now: a console that was started meanwhile
    /// listens there.
    pub fn remove(self) {
        let still = std::fs::symlink_metadata(&self.path);
        if still.is_ok_and(|found| (found.dev(), found.ino()) == self.number) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket that a killed console left behind; one that answers stays, and so does
/// everything that is no socket.
///
/// # Errors
/// If it is dead and cannot be removed.
pub async fn remove_dead(path: &Path) -> anyhow::Result<()> {
    let is_socket = std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket());
    // Anything but a refusal may be a console that is busy, or another user's.
    let dead = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket
        && UnixStream::connect(path)
            .await
            .is_err_and(|error| dead(&error))
    {
        std::fs::remove_file(path)
            .with_context(|| format!("cannot remove the dead socket {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_goes_with_who_bound_it_and_one_that_took_its_name_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.sock");
        let _own = UnixListener::bind(&path).unwrap();
        let file = SocketFile::bound(&path).unwrap();
        assert_eq!(file.path(), path);
        file.remove();
        assert!(!path.exists());

        let _own = UnixListener::bind(&path).unwrap();
        let file = SocketFile::bound(&path).unwrap();
        // Kept under another name, so that its number is not given to the next one.
        std::fs::rename(&path, folder.path().join("old.sock")).unwrap();
        let _others = UnixListener::bind(&path).unwrap();
        file.remove();
        assert!(path.exists(), "it is another console's");
        std::fs::remove_file(&path).unwrap();
        assert!(SocketFile::bound(&path).is_err());
    }
}
