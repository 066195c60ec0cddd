//! What places outside have kept, in whatever form they keep it: files of checkpoints, lines of a
//! syslog receiver, objects. Believed is nothing of it here; that is for verification.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    checkpoint::Signed,
    note::NoteError,
    tree::{Hash, leaf},
};

/// Where a checkpoint begins on a line of syslog, and an entry on any line.
const CHECKPOINT: &str = "{\"quorate_checkpoint\":";
const ENTRY: &str = "{\"seq\":";

/// All that was found.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    pub checkpoints: Vec<Signed>,
    /// Of each entry the hash of its leaf, by its number.
    pub entries: BTreeMap<u64, Hash>,
    /// Entries that were kept twice, and differ.
    pub differing: Vec<u64>,
    /// Lines that were cut off: a receiver's limit, or the end of a file.
    pub cut: u64,
}

#[derive(Deserialize)]
struct Said {
    quorate_checkpoint: String,
}

#[derive(Deserialize)]
struct Head {
    seq: u64,
}

impl Gathered {
    /// Adds what a file holds.
    ///
    /// # Errors
    /// `Malformed` if nothing in it is a checkpoint or an entry.
    pub fn read(&mut self, text: &str) -> Result<(), NoteError> {
        if let Ok(all) = Signed::all(text)
            && !all.is_empty()
        {
            self.checkpoints.extend(all);
            return Ok(());
        }
        let before = (self.checkpoints.len(), self.entries.len(), self.cut);
        for line in text.lines() {
            self.line(line);
        }
        match before == (self.checkpoints.len(), self.entries.len(), self.cut)
            && !text.lines().any(|line| line.contains(ENTRY))
        {
            true => Err(NoteError::Malformed),
            false => Ok(()),
        }
    }

    fn line(&mut self, line: &str) {
        let from = |mark: &str| line.find(mark).and_then(|at| line.get(at..));
        if let Some(json) = from(CHECKPOINT) {
            let said = serde_json::from_str::<Said>(json.trim_end());
            match said.map(|said| Signed::parse(&said.quorate_checkpoint)) {
                Ok(Ok(signed)) => self.checkpoints.push(signed),
                _ => self.cut += 1,
            }
        } else if let Some(entry) = from(ENTRY) {
            match serde_json::from_str::<Head>(entry) {
                Ok(head) => self.entry(head.seq, leaf(entry.as_bytes())),
                Err(_) => self.cut += 1,
            }
        }
    }

    /// At least once means that it may be there twice, and then it is the same.
    fn entry(&mut self, seq: u64, hash: Hash) {
        if self
            .entries
            .insert(seq, hash)
            .is_some_and(|other| other != hash)
        {
            self.differing.push(seq);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{checkpoint::Checkpoint, note::SigningKey};

    fn note(size: u64) -> String {
        let key = SigningKey::of_seed("example.com/log", [3; 32]).unwrap();
        let checkpoint = Checkpoint {
            origin: "example.com/log".to_owned(),
            size,
            root: leaf(&size.to_be_bytes()),
        };
        checkpoint.sign(&[key]).unwrap()
    }

    #[test]
    fn checkpoints_and_entries_are_found_in_the_lines_of_a_receiver() {
        let said = serde_json::json!({ "quorate_checkpoint": note(7) });
        let entry = r#"{"seq":3,"text":"Größe [\"x\"]"}"#;
        let text = format!(
            "Nov 21 14:00:00 raft-1 quorate[7] {said}\n\
             <110>1 - raft-1 quorate 7 intent [a@1 b=\"{{\\\"seq\\\":9\"] \u{feff}{entry}\n\
             Nov 21 14:00:00 raft-1 other: nothing of ours\n\
             Nov 21 14:00:00 raft-1 quorate: {{\"seq\":4,\"te\n"
        );
        let mut gathered = Gathered::default();
        gathered.read(&text).unwrap();
        gathered.read(&(note(8) + "\n" + &note(9))).unwrap();
        let sizes: Vec<u64> = gathered
            .checkpoints
            .iter()
            .map(|signed| signed.checkpoint.size)
            .collect();
        assert_eq!(sizes, [7, 8, 9]);
        assert_eq!(gathered.entries.len(), 1);
        assert_eq!(gathered.entries[&3], leaf(entry.as_bytes()));
        assert_eq!(gathered.cut, 1);
        // Twice the same is fine, another one is not.
        gathered.read(&format!("{entry}\n{{\"seq\":3}}\n")).unwrap();
        assert_eq!(gathered.differing, [3]);
        assert!(gathered.read("nothing\n").is_err());
        assert!(gathered.read("").is_err());
    }
}
