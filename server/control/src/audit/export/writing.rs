//! Writing an export on a thread of its own, as entries come: nameless files first, so that
//! digests are known before the first byte is given out.

use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use quorate_audit::{
    bundle::{Bundle, BundleError, Ending},
    checkpoint::Signed,
    manifest::{self, Digesting, Manifest},
    note::{SigningKey, VerifierKey},
    personal::People,
    table,
    tree::Hash,
};
use quorate_domain::audit::{Entry, Filter};
use quorate_report::{About, Gathering, Language, ReportError};
use tokio::sync::mpsc;

use super::{Export, Format};
use crate::{ControlError, audit::trouble::Trouble};

/// Number, exact bytes, and whether the entry meets the filter.
type Run = Vec<(u64, Vec<u8>, bool)>;

/// Ends the writing of each entry.
const LINE_END: &[u8] = b"\n";

/// Everything the writing thread needs.
pub(super) struct Plan {
    pub(super) format: Format,
    pub(super) language: Language,
    /// The name of its files without their endings.
    pub(super) stem: String,
    pub(super) filter: Filter,
    /// The filter as JSON on one line.
    pub(super) conditions: String,
    pub(super) signed: Signed,
    pub(super) note: String,
    pub(super) earlier: Vec<String>,
    pub(super) own: Vec<VerifierKey>,
    pub(super) keys: Vec<SigningKey>,
    /// The keys of people that exist.
    pub(super) people: People,
    /// Leaves of the entries that were removed.
    pub(super) removed: Vec<Hash>,
}

impl Plan {
    pub(super) fn write(
        self,
        directory: &Path,
        runs: mpsc::Receiver<Run>,
    ) -> Result<Export, ControlError> {
        let written = match self.format {
            Format::Bundle => self.bundle(directory, runs, |_, _| Ok(())).map(|it| it.0),
            Format::Pdf => self.report(directory, runs),
            Format::Jsonl | Format::Csv | Format::Ocsf => self.lines(directory, runs),
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
        mut beside: impl FnMut(&[u8], bool) -> Result<(), serde_json::Error>,
    ) -> Result<(Export, Manifest), BundleError> {
        let out = BufWriter::with_capacity(256 * 1024, nameless(directory)?);
        let earlier = self.earlier.iter().filter_map(|it| Signed::parse(it).ok());
        let cuts = earlier.map(|signed| signed.checkpoint.size).collect();
        let mut bundle = Bundle::begin(out, nameless(directory)?)?.with_cuts(cuts);
        for leaf in &self.removed {
            bundle.removed(*leaf);
        }
        while let Some(run) = runs.blocking_recv() {
            for (_, bytes, shown) in run {
                bundle.entry(&bytes, shown)?;
                beside(&bytes, shown).map_err(|error| BundleError::Write(error.into()))?;
            }
        }
        let (out, manifest) = bundle.finish(&Ending {
            checkpoint: &self.signed.checkpoint,
            note: &self.note,
            earlier: &self.earlier,
            keys: &self.own,
            people: &self.people,
            filter: &self.conditions,
            signing: &self.keys,
        })?;
        let mut content = out
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        content.seek(SeekFrom::Start(0))?;
        let mut hasher = Digesting::new(std::io::sink());
        std::io::copy(&mut content, &mut hasher)?;
        let whole = hasher.take(&self.name(Format::Bundle));
        Ok((self.export(content, &whole, &manifest)?, manifest))
    }

    /// The bundle, and a report on what it holds.
    fn report(&self, directory: &Path, runs: mpsc::Receiver<Run>) -> Result<Export, BundleError> {
        let mut gathering = Gathering::default().with_people(self.people.clone());
        let (bundle, inside) = self.bundle(directory, runs, |bytes, shown| {
            gathering.entry(bytes, shown)
        })?;
        let about = About {
            language: self.language,
            filter: &self.filter,
            removed: u64::try_from(self.removed.len()).unwrap_or(u64::MAX),
            conditions: &self.conditions,
            signed: &self.signed,
            note: &self.note,
            keys: &self.own,
            bundle: &quorate_report::Bundle {
                name: bundle.name.clone(),
                bytes: bundle.bytes,
                sha256: bundle.sha256,
                files: inside.files,
            },
        };
        let report = quorate_report::pdf(&gathering, &about).map_err(|error| match error {
            ReportError::Write(error) => BundleError::Write(error),
            ReportError::Font => BundleError::Write(std::io::Error::other(error)),
        })?;
        let mut out = Digesting::new(nameless(directory)?);
        out.write_all(&report)?;
        let file = out.take(&self.name(Format::Pdf));
        let manifest = self.manifest(gathering.shown, file.clone());
        let mut export = self.export(out.into_inner(), &file, &manifest)?;
        export.bundle = Some(Box::new(bundle));
        Ok(export)
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
                self.line(&mut out, &bytes)?;
            }
        }
        let file = out.take(&self.name(self.format));
        let manifest = self.manifest(entries, file.clone());
        let content = out.into_inner().into_inner();
        let content = content.map_err(std::io::IntoInnerError::into_error)?;
        self.export(content, &file, &manifest)
    }

    fn line(&self, out: &mut impl std::io::Write, bytes: &[u8]) -> Result<(), BundleError> {
        let entry = || -> Result<Entry, BundleError> {
            let read = serde_json::from_slice(bytes);
            let mut entry: Entry = read.map_err(|error| BundleError::Write(error.into()))?;
            self.people.open(&mut entry);
            Ok(entry)
        };
        match self.format {
            Format::Csv => out.write_all(table::row(&entry()?).as_bytes())?,
            Format::Ocsf => {
                let log = &self.signed.checkpoint.origin;
                let event = quorate_report::ocsf_event(&entry()?, log, bytes);
                out.write_all(event.to_string().as_bytes())?;
                out.write_all(LINE_END)?;
            }
            _ => {
                out.write_all(bytes)?;
                out.write_all(LINE_END)?;
            }
        }
        Ok(())
    }

    fn name(&self, format: Format) -> String {
        let language = match (format, self.language) {
            (Format::Pdf, Language::Chinese) => ".zh",
            _ => "",
        };
        format!("{}{language}.{}", self.stem, format.extension())
    }

    fn manifest(&self, entries: u64, file: manifest::File) -> Manifest {
        let checkpoint = &self.signed.checkpoint;
        Manifest {
            origin: checkpoint.origin.clone(),
            filter: self.conditions.clone(),
            size: checkpoint.size,
            root: checkpoint.root,
            entries,
            files: vec![file],
        }
    }

    fn export(
        &self,
        mut content: File,
        file: &manifest::File,
        manifest: &Manifest,
    ) -> Result<Export, BundleError> {
        content.seek(SeekFrom::Start(0))?;
        Ok(Export {
            name: file.name.clone(),
            content,
            bytes: file.bytes,
            sha256: file.sha256,
            entries: manifest.entries,
            size: manifest.size,
            manifest: manifest.sign(&self.keys)?,
            checkpoint: self.note.clone(),
            bundle: None,
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
