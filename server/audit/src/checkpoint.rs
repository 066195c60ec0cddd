//! Checkpoints (c2sp.org/tlog-checkpoint): how large a log was and what its root was then, signed.

use crate::{
    note::{Note, NoteError, SigningKey},
    tree::Hash,
};

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Entries in it.
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// # Errors
    /// As [`Note::sign`].
    pub fn sign(&self, keys: &[SigningKey]) -> Result<String, NoteError> {
        Note::sign(&self.text(), keys)
    }

    /// What the note says, believed or not. Exactly three lines, in the one way to write them.
    #[must_use]
    pub fn of(note: &Note) -> Option<Self> {
        let mut lines = note.text().lines();
        let read = Self {
            origin: lines.next()?.to_owned(),
            size: lines.next()?.parse().ok()?,
            root: Hash::parse(lines.next()?)?,
        };
        (read.text() == note.text()).then_some(read)
    }
}

/// A checkpoint and the note that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub checkpoint: Checkpoint,
    pub note: Note,
}

impl Signed {
    /// # Errors
    /// `Malformed` if it is no note, or its text no checkpoint's.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let note = Note::parse(text)?;
        let checkpoint = Checkpoint::of(&note).ok_or(NoteError::Malformed)?;
        Ok(Self { checkpoint, note })
    }

    /// All checkpoints of a file to which they were appended, in its order.
    ///
    /// # Errors
    /// `Malformed` if anything else stands between them.
    pub fn all(text: &str) -> Result<Vec<Self>, NoteError> {
        let mut all = Vec::new();
        let mut one = String::new();
        let mut signed = false;
        for line in text.split_inclusive('\n') {
            let is_signature = line.starts_with('\u{2014}');
            if signed && !is_signature {
                all.push(Self::parse(&one)?);
                one.clear();
            }
            signed = is_signature;
            if !(one.is_empty() && line == "\n") {
                one.push_str(line);
            }
        }
        if !one.is_empty() {
            all.push(Self::parse(&one)?);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::tree::leaf;

    fn at(size: u64) -> Checkpoint {
        Checkpoint {
            origin: "example.com/log42".to_owned(),
            size,
            root: leaf(&size.to_be_bytes()),
        }
    }

    fn key() -> SigningKey {
        SigningKey::of_seed("example.com/log42", [3; 32]).unwrap()
    }

    #[test]
    fn the_example_of_the_specification_is_read() {
        let text = "example.com/behind-the-sofa\n20852163\n\
            CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} example.com/behind-the-sofa \
            Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
        let signed = Signed::parse(text).unwrap();
        assert_eq!(signed.checkpoint.size, 20_852_163);
        assert_eq!(signed.checkpoint.origin, "example.com/behind-the-sofa");
    }

    #[test]
    fn a_checkpoint_reads_back_and_is_written_in_one_way_only() {
        let signed = Signed::parse(&at(7).sign(&[key()]).unwrap()).unwrap();
        assert_eq!(signed.checkpoint, at(7));
        for other in ["07", "+7", " 7", "7 ", "-7", "7\nmore"] {
            let text = at(7).text().replacen("\n7\n", &format!("\n{other}\n"), 1);
            let note = Note::parse(&Note::sign(&text, &[key()]).unwrap()).unwrap();
            assert_eq!(Checkpoint::of(&note), None, "{other:?}");
        }
    }

    #[test]
    fn appended_checkpoints_are_all_read_with_and_without_empty_lines_between() {
        let notes: Vec<String> = (1..4)
            .map(|size| at(size).sign(&[key(), key()]).unwrap())
            .collect();
        for joint in ["", "\n", "\n\n"] {
            let all = Signed::all(&notes.join(joint)).unwrap();
            let sizes: Vec<u64> = all.iter().map(|it| it.checkpoint.size).collect();
            assert_eq!(sizes, [1, 2, 3]);
        }
        assert!(Signed::all("").unwrap().is_empty());
        assert!(Signed::all(&format!("{}cut off", notes[0])).is_err());
        let torn = &notes[1][..notes[1].len() - 10];
        assert!(Signed::all(&format!("{}{torn}", notes[0])).is_err());
    }
}
