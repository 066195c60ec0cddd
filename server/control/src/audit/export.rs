//! The log, or a part of it, as a file: a bundle that can be verified, JSON lines, or a table.
//!
//! Made in a nameless file first, in bounded memory, so that its digests are known and on record
//! before the first byte is given out. The same log up to the same checkpoint with the same
//! filter always makes the same bytes.

use std::fs::File;

use quorate_audit::{
    checkpoint::Signed, manifest::hex, note::verifier_keys, personal::People, tree::Hash,
};
use quorate_domain::audit::Filter;
use quorate_report::Language;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::SqlitePool;
use tokio::sync::{Semaphore, mpsc};

use self::writing::Plan;
use super::{Draft, reading, trouble::Trouble};
use crate::{
    Control, ControlError, Operator,
    store::{
        checkpoints::{self, Stored},
        entries, people, removals,
    },
};

mod writing;

/// Entries read at once.
const RUN: u32 = 1_000;
/// Runs that wait to be written.
const RUNS_WAITING: usize = 2;
/// How often an export begins anew that entries were removed from meanwhile.
const ANEW_MOST: u32 = 3;
/// Exports that are made at once; others wait.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One file that `quorate audit verify` checks.
    Bundle,
    /// The exact stored bytes, one entry a line.
    Jsonl,
    /// A table for spreadsheets.
    Csv,
    /// A report for people, and beside it the bundle it speaks of.
    Pdf,
    /// Events of the Open Cybersecurity Schema Framework, one a line.
    Ocsf,
}

impl Format {
    pub const ALL: [Self; 5] = [Self::Bundle, Self::Jsonl, Self::Csv, Self::Pdf, Self::Ocsf];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Pdf => "pdf",
            Self::Ocsf => "ocsf",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }

    /// Its media type.
    #[must_use]
    pub const fn media(self) -> &'static str {
        match self {
            Self::Bundle => "application/x-tar",
            Self::Jsonl => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Pdf => "application/pdf",
            Self::Ocsf => "application/jsonl",
        }
    }

    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::Bundle => "tar",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Pdf => "pdf",
            Self::Ocsf => "ocsf.jsonl",
        }
    }

    /// Whether entries that do not meet the conditions are looked at too.
    const fn looks_at_all(self) -> bool {
        matches!(self, Self::Bundle | Self::Pdf)
    }
}

/// A finished export.
#[derive(Debug)]
pub struct Export {
    /// A safe name for the file.
    pub name: String,
    /// The file, at its beginning; it has no name and is gone when closed.
    pub content: File,
    pub bytes: u64,
    /// SHA-256 of all of it.
    pub sha256: [u8; 32],
    /// Entries in it.
    pub entries: u64,
    /// Entries of the log that were looked at.
    pub size: u64,
    /// The signed list of its contents and digests, as a note.
    pub manifest: String,
    /// The signed checkpoint it is made up to, as a note.
    pub checkpoint: String,
    /// The bundle that a report accompanies.
    pub bundle: Option<Box<Self>>,
}

impl Control {
    /// The entries that meet `filter`, up to the checkpoint of size `upto`, or up to now.
    ///
    /// # Errors
    /// As [`Control::audit_export_in`].
    pub async fn audit_export(
        &self,
        who: &Operator,
        format: Format,
        filter: &Filter,
        upto: Option<u64>,
    ) -> Result<Export, ControlError> {
        self.audit_export_in(who, Language::English, format, filter, upto)
            .await
    }

    /// The same, a report in this language.
    ///
    /// # Errors
    /// `NotFound` if nothing was signed at that size, `Invalid` for an empty log, `NotAllowed` as
    /// [`Control::audit`], `AuditUnavailable` if the log is not what was signed, or takes no
    /// record of this export: what cannot be recorded is not given out.
    pub async fn audit_export_in(
        &self,
        who: &Operator,
        language: Language,
        format: Format,
        filter: &Filter,
        upto: Option<u64>,
    ) -> Result<Export, ControlError> {
        self.may_read_audit(who, filter.cluster.as_deref()).await?;
        let stored = self.checkpoint_for(upto).await?;
        let export = self.export(language, format, filter, &stored).await?;
        let draft = Draft::access(who, "audit_exported", exported(format, filter, &export));
        let mut draft = draft.of_filter(filter);
        draft.sent = sent(format, filter, &export);
        self.inner.audit.append(draft).await?;
        Ok(export)
    }

    pub(super) async fn checkpoint_for(&self, upto: Option<u64>) -> Result<Stored, ControlError> {
        let audit = &self.inner.audit;
        let Some(size) = upto else {
            let signed = match audit.checkpoint().await {
                Ok(signed) => signed,
                // A log that cannot be signed any more is given up to where it was.
                Err(_) => checkpoints::newest(&audit.read).await.map_err(reading)?,
            };
            return signed.ok_or_else(|| {
                ControlError::invalid("the audit log is empty", "There is nothing to export yet.")
            });
        };
        let found = checkpoints::of_size(&audit.read, size).await;
        found
            .map_err(reading)?
            .ok_or_else(|| ControlError::not_found("checkpoint", &size.to_string()))
    }

    /// Makes it, without permission and record: those are the caller's.
    pub(super) async fn export(
        &self,
        language: Language,
        format: Format,
        filter: &Filter,
        stored: &Stored,
    ) -> Result<Export, ControlError> {
        self.export_with((language, format), filter, stored, None)
            .await
    }

    /// The same, with these keys of people in the place of all there are.
    pub(super) async fn export_with(
        &self,
        (language, format): (Language, Format),
        filter: &Filter,
        stored: &Stored,
        people: Option<People>,
    ) -> Result<Export, ControlError> {
        let _place = AT_ONCE
            .acquire()
            .await
            .map_err(|_| ControlError::Internal {
                doing: "writing an export",
            })?;
        let removed = removed(&self.inner.audit.read, stored.size).await?;
        self.export_after(removed, (language, format), (filter, stored), people)
            .await
    }

    /// The same, once `removed` is known to be gone from the log's beginning. Entries that are
    /// removed while it is written make it begin anew.
    async fn export_after(
        &self,
        mut removed: Vec<Hash>,
        how: (Language, Format),
        what: (&Filter, &Stored),
        people: Option<People>,
    ) -> Result<Export, ControlError> {
        for _ in 0..ANEW_MOST {
            let gone = removed.len();
            let made = self.export_once(removed, how, what, people.clone()).await;
            removed = self::removed(&self.inner.audit.read, what.1.size).await?;
            if made.is_ok() || removed.len() == gone {
                return made;
            }
        }
        self.export_once(removed, how, what, people).await
    }

    async fn export_once(
        &self,
        removed: Vec<Hash>,
        (language, format): (Language, Format),
        (filter, stored): (&Filter, &Stored),
        people: Option<People>,
    ) -> Result<Export, ControlError> {
        let read = &self.inner.audit.read;
        let failed = |_| ControlError::from(Trouble::Changed { size: stored.size });
        let signed = Signed::parse(&stored.note).map_err(failed)?;
        let own = checkpoints::keys(read).await.map_err(reading)?.join("\n");
        let conditions = filter_value(filter).to_string();
        let plan = Plan {
            format,
            language,
            stem: stem(stored.size, &conditions),
            filter: filter.clone(),
            conditions,
            signed,
            note: stored.note.clone(),
            earlier: checkpoints::successions(read, stored.size)
                .await
                .map_err(reading)?,
            own: verifier_keys(&own).map_err(failed)?,
            keys: self.inner.audit.keys.read()?,
            people: match people {
                Some(people) => people,
                None => people::all(read).await.map_err(reading)?,
            },
            removed,
        };
        let directory = self.inner.data_dir.clone();
        let (runs, waiting) = mpsc::channel(RUNS_WAITING);
        let size = stored.size;
        let writing = tokio::task::spawn_blocking(move || plan.write(&directory, waiting));
        let only = !format.looks_at_all();
        let mut after = 0;
        loop {
            let run = entries::run_matched(read, (filter, only), after, size, RUN).await;
            let run = run.map_err(reading)?;
            let Some((last, _, _)) = run.last() else {
                break;
            };
            after = *last;
            // The writer is gone only if it failed, and says why below.
            if runs.send(run).await.is_err() {
                break;
            }
        }
        drop(runs);
        match writing.await {
            Ok(written) => written,
            Err(_) => Err(ControlError::Internal {
                doing: "writing an export",
            }),
        }
    }
}

/// The leaves of entries that were removed, as far as the tree of `size` entries has them.
async fn removed(read: &SqlitePool, size: u64) -> Result<Vec<Hash>, ControlError> {
    let mut all = Vec::new();
    for block in 0..removals::blocks(read).await.map_err(reading)? {
        let leaves = removals::leaves(read, block).await.map_err(reading)?;
        all.extend(leaves.unwrap_or_default());
    }
    all.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    Ok(all)
}

fn exported(format: Format, filter: &Filter, export: &Export) -> String {
    let part = match *filter == Filter::default() {
        true => "the whole log",
        false => "a part of the log",
    };
    format!(
        "Exported {part} up to entry {} as {}: {} entries.",
        export.size,
        format.as_str(),
        export.entries
    )
}

/// The conditions that are set, in a fixed order.
pub(super) fn filter_value(filter: &Filter) -> Value {
    let mut set = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            set.insert(name.to_owned(), value);
        }
    };
    add("actor", filter.actor.clone().map(Value::from));
    add("change", filter.change.clone().map(Value::from));
    add("cluster", filter.cluster.clone().map(Value::from));
    add("from", filter.from.map(|time| json!(time)));
    add(
        "kinds",
        (!filter.kinds.is_empty()).then(|| json!(filter.kinds)),
    );
    add("outcome", filter.outcome.map(|outcome| json!(outcome)));
    add("to", filter.to.map(|time| json!(time)));
    Value::Object(set)
}

/// What a record tells of an export.
pub(super) fn sent(format: Format, filter: &Filter, export: &Export) -> Value {
    let mut sent = json!({
        "format": format.as_str(),
        "filter": filter_value(filter),
        "size": export.size,
        "entries": export.entries,
        "bytes": export.bytes,
        "sha256": hex(&export.sha256),
    });
    if let (Some(bundle), Some(fields)) = (&export.bundle, sent.as_object_mut()) {
        fields.insert("bundle_sha256".to_owned(), json!(hex(&bundle.sha256)));
    }
    sent
}

/// The name of files without its ending; parts of the log have the beginning of a digest of their
/// conditions in it, so that two of them can lie in one folder.
fn stem(size: u64, conditions: &str) -> String {
    if conditions == "{}" {
        return format!("quorate-audit-{size}");
    }
    let digest: [u8; 32] = Sha256::digest(conditions.as_bytes()).into();
    let digest: String = hex(&digest).chars().take(6).collect();
    format!("quorate-audit-{size}-part-{digest}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use quorate_audit::verify::{self, Known};

    use super::*;
    use crate::audit::retention::{Retention, at_once};

    /// A log of three blocks, the first of which goes, and what an export knew before that.
    async fn shortened(directory: &std::path::Path) -> (Control, Vec<Hash>, Stored) {
        let control = Control::offline(directory.to_owned()).await.unwrap();
        at_once::entries(&control, 600).await;
        let stored = control.checkpoint_for(None).await.unwrap();
        let before = removed(&control.inner.audit.read, stored.size)
            .await
            .unwrap();
        let retention = Retention {
            keep_days: 400,
            archive_dir: None,
        };
        let gone = control.audit_remove_old(&retention, at_once::later(&control));
        assert_eq!(gone.await.unwrap(), Some(512));
        (control, before, stored)
    }

    #[tokio::test]
    async fn an_export_that_meets_a_removal_begins_anew_and_is_sound() {
        let directory = tempfile::tempdir().unwrap();
        let (control, before, stored) = shortened(directory.path()).await;
        assert!(before.is_empty());
        let how = (Language::English, Format::Bundle);
        let everything = Filter::default();
        let what = (&everything, &stored);
        let once = control.export_once(before.clone(), how, what, None).await;
        assert!(once.is_err(), "what it knew is no more so");
        let export = control.export_after(before, how, what, None).await.unwrap();
        let report = verify::bundle(export.content, Known::default()).unwrap();
        assert!(report.holds(), "{report}");
        assert_eq!((report.size, report.hidden), (600, 512));
        assert_eq!(report.shown, 88);
    }

    #[tokio::test]
    async fn an_export_of_a_log_that_is_not_what_was_signed_fails_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let (control, _, mut stored) = shortened(directory.path()).await;
        let all = removed(&control.inner.audit.read, stored.size)
            .await
            .unwrap();
        // One entry less than its checkpoint is over.
        stored.size -= 1;
        let how = (Language::English, Format::Bundle);
        let everything = Filter::default();
        let what = (&everything, &stored);
        let made = control.export_after(all, how, what, None).await;
        assert!(matches!(made, Err(ControlError::AuditUnavailable { .. })));
    }
}
