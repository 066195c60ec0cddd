//! Which keys are believed: those given from elsewhere, and those that took over from them.

use crate::{
    checkpoint::Signed,
    note::{Note, NoteError, VerifierKey},
    report::Report,
    verify::Walk,
};

/// The keys that are believed.
pub struct Trust {
    keys: Vec<VerifierKey>,
    origin: String,
}

impl Trust {
    /// `given` are trusted; where there are none, the log's `own` keys vouch for themselves, and
    /// the report says so. A key takes over where a checkpoint is signed by it and by one that is
    /// believed already. The newest of `notes` must be signed by a believed key.
    #[must_use]
    pub fn settle(
        given: &[VerifierKey],
        own: &[VerifierKey],
        notes: &[Signed],
        report: &mut Report,
    ) -> Self {
        report.pinned = !given.is_empty();
        let origin = notes
            .last()
            .map(|newest| newest.checkpoint.origin.clone())
            .unwrap_or_default();
        let mut keys: Vec<VerifierKey> = match given {
            [] => own.to_vec(),
            given => given.to_vec(),
        };
        for signed in notes {
            if signed.checkpoint.origin != origin {
                report.fault("the checkpoints are of different logs");
            }
            if signed.note.signers(&keys).is_err() {
                continue;
            }
            for next in signed.note.signers(own).unwrap_or_default() {
                if !keys.contains(next) && next.key().name == origin {
                    report.succession(next.key().to_string(), signed.checkpoint.size);
                    keys.push(next.clone());
                }
            }
        }
        let trust = Self { keys, origin };
        if let Some(newest) = notes.last() {
            trust.needs(&newest.note, "the newest checkpoint", report);
            let signers = newest.note.signers(&trust.keys).unwrap_or_default();
            report.signers = signers.iter().map(|key| key.key().to_string()).collect();
        }
        trust
    }

    /// `note` must be signed by a believed key that has the log's name.
    pub fn needs(&self, note: &Note, what: &str, report: &mut Report) {
        if let Some(why) = self.doubts(note) {
            report.fault(format!("{what} is not believed: {why}"));
        }
    }

    fn doubts(&self, note: &Note) -> Option<String> {
        let named = || {
            note.named()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        match note.signers(&self.keys) {
            Ok(signers) if signers.iter().any(|key| key.key().name == self.origin) => None,
            Ok(_) => Some(format!("its key is not of the log {}", self.origin)),
            Err(NoteError::NotSigned) => Some(format!(
                "it is signed by {}, which is none of the keys given",
                named()
            )),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Outside copies must be of this log, signed by a believed key, and its beginning.
    pub fn expect_outside(&self, outside: &[Signed], walk: &mut Walk) {
        for signed in outside {
            let size = signed.checkpoint.size;
            if signed.checkpoint.origin != self.origin {
                walk.report.fault(format!(
                    "the outside copy for entry {size} is of another log: {}",
                    signed.checkpoint.origin
                ));
            } else if let Some(why) = self.doubts(&signed.note) {
                walk.report.fault(format!(
                    "the outside copy for entry {size} is not of this log: {why}"
                ));
            } else {
                walk.expect(&signed.checkpoint, "the outside copy");
            }
        }
    }
}
