//! The log, or a part of it, as a file: a bundle that can be verified, JSON lines, or a table.
//!
//! Made in a nameless file first, in bounded memory, so that its digests are known and on record
//! before the first byte is given out. The same log up to the same checkpoint with the same
//! filter always makes the same bytes.

use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use quorate_audit::{
    bundle::{Bundle, BundleError, Ending},
    checkpoint::Signed,
    manifest::{Digesting, Manifest, hex},
    note::{SigningKey, VerifierKey, verifier_keys},
    table,
};
use quorate_domain::audit::{Entry, Filter};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{Draft, reading, trouble::Trouble};
use crate::{
    Control, ControlError, Operator,
    store::{
        checkpoints::{self, Stored},
        entries,
    },
};

/// Entries read at once.
const RUN: u32 = 1_000;
/// Runs that wait to be written.
const RUNS_WAITING: usize = 2;

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One file that `quorate audit verify` checks.
    Bundle,
    /// The exact stored bytes, one entry a line.
    Jsonl,
    /// A table for spreadsheets.
    Csv,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Bundle, Self::Jsonl, Self::Csv];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
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
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Bundle => "tar",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
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
}

impl Control {
    /// The entries that meet `filter`, up to the checkpoint of size `upto`, or up to now.
    ///
    /// # Errors
    /// `NotFound` if nothing was signed at that size, `Invalid` for an empty log, `NotAllowed` as
    /// [`Control::audit`], `AuditUnavailable` if the log is not what was signed.
    pub async fn audit_export(
        &self,
        who: &Operator,
        format: Format,
        filter: &Filter,
        upto: Option<u64>,
    ) -> Result<Export, ControlError> {
        self.may_read_audit(who, filter.cluster.as_deref()).await?;
        let stored = self.checkpoint_for(upto).await?;
        let export = self.export(format, filter, &stored).await?;
        let mut draft = Draft::access(who, "audit_exported", exported(format, filter, &export));
        draft.sent = json!({
            "format": format.as_str(),
            "filter": filter_value(filter),
            "size": export.size,
            "entries": export.entries,
            "bytes": export.bytes,
            "sha256": hex(&export.sha256),
        });
        if let Err(error) = self.inner.audit.append(draft).await {
            // Reading goes on when nothing can be recorded; the console's own log has this.
            tracing::error!(%error, "an export of the audit log could not be recorded");
        }
        Ok(export)
    }

    async fn checkpoint_for(&self, upto: Option<u64>) -> Result<Stored, ControlError> {
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

    async fn export(
        &self,
        format: Format,
        filter: &Filter,
        stored: &Stored,
    ) -> Result<Export, ControlError> {
        let read = &self.inner.audit.read;
        let failed = |_| ControlError::from(Trouble::Changed { size: stored.size });
        let signed = Signed::parse(&stored.note).map_err(failed)?;
        let own = checkpoints::keys(read).await.map_err(reading)?.join("\n");
        let plan = Plan {
            format,
            name: format!("quorate-audit-{}.{}", stored.size, format.extension()),
            filter: filter_value(filter).to_string(),
            signed,
            note: stored.note.clone(),
            earlier: checkpoints::successions(read, stored.size)
                .await
                .map_err(reading)?,
            own: verifier_keys(&own).map_err(failed)?,
            keys: self.inner.audit.keys.read()?,
        };
        let directory = self.inner.data_dir.clone();
        let (runs, waiting) = mpsc::channel(RUNS_WAITING);
        let size = stored.size;
        let writing = tokio::task::spawn_blocking(move || plan.write(&directory, waiting));
        let only = format != Format::Bundle;
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

/// Number, exact bytes, and whether the entry meets the filter.
type Run = Vec<(u64, Vec<u8>, bool)>;

/// Everything the writing thread needs.
struct Plan {
    format: Format,
    name: String,
    filter: String,
    signed: Signed,
    note: String,
    earlier: Vec<String>,
    own: Vec<VerifierKey>,
    keys: Vec<SigningKey>,
}

impl Plan {
    fn write(self, directory: &Path, runs: mpsc::Receiver<Run>) -> Result<Export, ControlError> {
        let written = match self.format {
            Format::Bundle => self.bundle(directory, runs),
            Format::Jsonl | Format::Csv => self.lines(directory, runs),
        };
        written.map_err(|error| match error {
            BundleError::Write(error) => ControlError::file(directory)(error),
            BundleError::Sign(_) => Trouble::KeyGone.into(),
            BundleError::Inconsistent => Trouble::Changed {
                size: self.signed.checkpoint.size,
            }
            .into(),
        })
    }

    fn bundle(
        &self,
        directory: &Path,
        mut runs: mpsc::Receiver<Run>,
    ) -> Result<Export, BundleError> {
        let out = BufWriter::with_capacity(256 * 1024, nameless(directory)?);
        let mut bundle = Bundle::begin(out, nameless(directory)?)?;
        while let Some(run) = runs.blocking_recv() {
            for (_, bytes, shown) in run {
                bundle.entry(&bytes, shown)?;
            }
        }
        let (out, manifest) = bundle.finish(&Ending {
            checkpoint: &self.signed.checkpoint,
            note: &self.note,
            earlier: &self.earlier,
            keys: &self.own,
            filter: &self.filter,
            signing: &self.keys,
        })?;
        let mut content = out
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        content.seek(SeekFrom::Start(0))?;
        let mut hasher = Digesting::new(std::io::sink());
        std::io::copy(&mut content, &mut hasher)?;
        let whole = hasher.take("");
        self.export(content, whole.bytes, whole.sha256, &manifest)
    }

    fn lines(
        &self,
        directory: &Path,
        mut runs: mpsc::Receiver<Run>,
    ) -> Result<Export, BundleError> {
        let file = BufWriter::with_capacity(256 * 1024, nameless(directory)?);
        let mut out = Digesting::new(file);
        let mut entries = 0;
        if self.format == Format::Csv {
            out.write_all(table::HEADER.as_bytes())?;
        }
        while let Some(run) = runs.blocking_recv() {
            for (_, bytes, _) in run {
                entries += 1;
                if self.format == Format::Csv {
                    let entry: Entry = serde_json::from_slice(&bytes)
                        .map_err(|error| BundleError::Write(error.into()))?;
                    out.write_all(table::row(&entry).as_bytes())?;
                } else {
                    out.write_all(&bytes)?;
                    out.write_all(b"\n")?;
                }
            }
        }
        let file = out.take(&self.name);
        let (bytes, sha256) = (file.bytes, file.sha256);
        let checkpoint = &self.signed.checkpoint;
        let manifest = Manifest {
            origin: checkpoint.origin.clone(),
            filter: self.filter.clone(),
            size: checkpoint.size,
            root: checkpoint.root,
            entries,
            files: vec![file],
        };
        let content = out.into_inner().into_inner();
        let content = content.map_err(std::io::IntoInnerError::into_error)?;
        self.export(content, bytes, sha256, &manifest)
    }

    fn export(
        &self,
        mut content: File,
        bytes: u64,
        sha256: [u8; 32],
        manifest: &Manifest,
    ) -> Result<Export, BundleError> {
        content.seek(SeekFrom::Start(0))?;
        Ok(Export {
            name: self.name.clone(),
            content,
            bytes,
            sha256,
            entries: manifest.entries,
            size: manifest.size,
            manifest: manifest.sign(&self.keys)?,
            checkpoint: self.note.clone(),
        })
    }
}

/// A file without a name, for the console's user alone; it is gone when it is closed.
fn nameless(directory: &Path) -> std::io::Result<File> {
    let path = directory.join(format!("export-{}.part", uuid::Uuid::now_v7()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
