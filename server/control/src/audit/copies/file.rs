//! A file to which checkpoints, or entries, are appended: on another disk, or a share of another
//! machine. The one place that can tell what it keeps without being asked over a network.

use std::{
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use futures::future::BoxFuture;

use super::{Content, Outside, Parcel, Terms, What};

/// A file to which checkpoints are appended: on another disk, or a share of another machine.
pub struct OutsideFile {
    path: PathBuf,
    name: String,
    terms: Terms,
}

impl OutsideFile {
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let name = format!("file {}", path.display());
        let terms = Terms::of(&name);
        Self { path, name, terms }
    }

    /// On other terms, by a name of its own.
    #[must_use]
    pub fn with(path: PathBuf, name: String, terms: Terms) -> Self {
        Self { path, name, terms }
    }
}

impl Outside for OutsideFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    fn keep<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), String>> {
        let path = self.path.clone();
        let bytes = match &parcel.content {
            // An empty line ends it.
            Content::Checkpoint { note, .. } => format!("{note}\n").into_bytes(),
            Content::Entries(_) => parcel.body(),
        };
        Box::pin(blocking(move || append(&path, &bytes)))
    }

    fn kept<'a>(
        &'a self,
        _log: &'a str,
        _size: u64,
    ) -> BoxFuture<'a, Result<Option<String>, String>> {
        let path = self.path.clone();
        match self.terms.what {
            What::Checkpoints => Box::pin(blocking(move || last_note(&path))),
            What::Entries => Box::pin(async { Ok(None) }),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("it was given up".to_owned()),
    }
}

fn append(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    // One write: what another reader sees is whole.
    file.write_all(bytes)?;
    file.sync_all()
}

/// How much of a file's end is read first; a note is much shorter.
const TAIL: u64 = 64 * 1024;

/// The text of the last whole note; what a crash cut off behind it is left out.
fn last_note(path: &Path) -> std::io::Result<Option<String>> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let mut tail = TAIL;
    loop {
        let from = length.saturating_sub(tail);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        (&mut file).take(tail).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let found = last_of(&text, from > 0);
        if found.is_some() || from == 0 {
            return Ok(found);
        }
        tail = tail.saturating_mul(8);
    }
}

/// The last whole note of a text. If its beginning was cut off, so may be its first note.
fn last_of(text: &str, cut: bool) -> Option<String> {
    let text = match (cut, text.find("\n\n\u{2014}")) {
        (false, _) => text,
        // From the end of the first signatures on.
        (true, Some(at)) => {
            let rest = text.get(at + 2..)?;
            rest.get(rest.find("\n\n")? + 2..)?
        }
        (true, None) => return None,
    };
    let mut notes = String::new();
    let mut newest = None;
    for line in text.split_inclusive('\n') {
        notes.push_str(line);
        if line == "\n" && notes.contains('\u{2014}') {
            newest = Some(notes.trim_start_matches('\n').trim_end().to_owned() + "\n");
            notes.clear();
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn note(size: u32) -> String {
        format!("example.com/log\n{size}\nroot{size}\n\n\u{2014} example.com/log key{size}\n")
    }

    #[test]
    fn the_last_whole_note_is_found_at_the_end_of_a_long_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoints");
        assert_eq!(last_note(&path).unwrap(), None);
        let all: String = (0..5_000).map(|size| note(size) + "\n").collect();
        assert!(all.len() > 4 * usize::try_from(TAIL).unwrap());
        // Wherever the tail begins, and whatever a crash left behind it.
        for (more, cut) in [
            (0, ""),
            (1, "example.com/log\n77\nro"),
            (37, "exam"),
            (41, "\n"),
        ] {
            let text = "x".repeat(more) + "\n" + &all + cut;
            std::fs::write(&path, text).unwrap();
            assert_eq!(last_note(&path).unwrap(), Some(note(4_999)));
        }
        std::fs::write(&path, note(1) + "\n").unwrap();
        assert_eq!(last_note(&path).unwrap(), Some(note(1)));
        for text in ["", "example.com/log\n1\n", &"y".repeat(300_000)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(last_note(&path).unwrap(), None);
        }
    }
}
