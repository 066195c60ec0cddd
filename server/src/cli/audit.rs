//! `quorate audit`: the log on this machine, exported, proved and verified without a server.

use std::{
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use quorate_audit::{
    manifest::{Digesting, Manifest, hex},
    note::{Note, VerifierKey, verifier_keys},
    outside::Gathered,
    report::Report,
    tlog_proof::{self, TlogProof},
    verify::{self, Known},
};
use quorate_control::{Control, Format, Language};
use quorate_domain::{
    audit::{EntryKind, Filter, Outcome},
    moment::Timestamp,
};

use super::{output, place::Place};
use crate::exit::Exit;

mod keeping;

#[derive(Debug, Args)]
pub struct Audit {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the log, or a part of it, to a file
    Export(Export),
    /// Check a bundle, a proof, an export with its manifest, or a console's data directory
    Verify(Verify),
    /// Write a proof that one entry is in the log
    Prove {
        /// The entry's number
        seq: u64,
        /// Where to write the proof; the entry itself is written beside it, ending in .json
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign the log as it is now, and print the checkpoint
    Checkpoint,
    /// The keys that sign the log
    #[command(subcommand)]
    Key(Key),
    /// Print the records of a bundle with the names that are sealed in them; checks nothing
    Read(keeping::Read),
    /// Erase a person: what names them becomes unreadable, for ever
    Erase(keeping::Erase),
    /// What keeps entries from being removed
    #[command(subcommand)]
    Hold(keeping::Hold),
}

#[derive(Debug, Args)]
struct Export {
    /// Where to write it; exports of tables and lines get their manifest beside them
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// bundle, jsonl, csv, ocsf, or pdf: a report, with the bundle it speaks of beside it
    #[arg(long, default_value = "bundle", value_parser = format)]
    format: Format,
    /// The language of a report: en or zh
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
    /// Entries from this time on, like 2026-11-21T14:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Entries before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Entries about this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Entries of this person or token
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// intent, outcome, refusal, access or console; may be given several times
    #[arg(long = "kind", value_name = "KIND", value_parser = kind)]
    kinds: Vec<EntryKind>,
    /// succeeded, failed, refused or unknown
    #[arg(long, value_parser = outcome)]
    outcome: Option<Outcome>,
    /// Entries of this change
    #[arg(long, value_name = "ID")]
    change: Option<String>,
    /// Up to the checkpoint of this size, for the same bytes as an earlier export
    #[arg(long, value_name = "ENTRIES")]
    size: Option<u64>,
}

#[derive(Debug, Args)]
struct Verify {
    /// A bundle, a .tlog-proof, a .manifest, or a console's data directory
    what: PathBuf,
    /// A public key, or a file of them, that you have from elsewhere; may be given several times
    #[arg(long = "key", value_name = "FILE|KEY")]
    keys: Vec<String>,
    /// What was kept outside: a file of checkpoints or entries, a syslog receiver's file, or a
    /// folder of objects; may be given several times
    #[arg(
        long = "checkpoint",
        visible_alias = "copies",
        value_name = "FILE|FOLDER"
    )]
    checkpoints: Vec<PathBuf>,
    /// For a proof: the entry's bytes [default: the proof's name ending in .json]
    #[arg(long, value_name = "FILE")]
    entry: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Key {
    /// Print the public keys that sign now, to be given to whoever verifies
    List,
    /// Add a key; it signs beside the others
    Add,
    /// Retire a key, named as `list` prints it or by its id
    Retire { id: String },
    /// Make a new key in the place of one that was lost; no earlier key vouches for it
    Renew,
}

impl Audit {
    pub fn run(self) -> Exit {
        if let What::Verify(verify) = self.what {
            return super::wait_for(verify.answer());
        }
        if let What::Read(read) = self.what {
            return super::wait_for(read.answer());
        }
        if !self.place.is_named() {
            return output::misused("name the console: --config FILE or --data DIR");
        }
        super::wait_for(self.answer())
    }

    async fn answer(self) -> anyhow::Result<Exit> {
        let here = self.place.open().await?;
        let (control, who) = (&here.control, here.control.command_line_operator());
        match self.what {
            What::Export(export) => return export.write(control).await,
            What::Erase(erase) => return erase.answer(control).await,
            What::Hold(hold) => hold.answer(control).await?,
            What::Verify(_) | What::Read(_) => {}
            What::Prove { seq, out } => {
                let (proof, entry) = control.audit_proof(&who, seq).await?;
                write_new(&out, proof.as_bytes())?;
                write_new(&entry_of(&out), &entry)?;
                output::say(format!("{}\n{}", out.display(), entry_of(&out).display()));
            }
            What::Checkpoint => match control.audit_signed(&who).await? {
                Some(note) => output::say(note.trim_end()),
                None => output::tell("the log is empty; nothing is signed yet"),
            },
            What::Key(key) => key.answer(control).await?,
        }
        Ok(Exit::Done)
    }
}

impl Key {
    async fn answer(self, control: &Control) -> anyhow::Result<()> {
        let who = control.command_line_operator();
        match self {
            Self::List => {
                for key in control.audit_signers(&who).await? {
                    output::say(key);
                }
            }
            Self::Add => output::say(control.audit_key_add(&who).await?),
            Self::Renew => output::say(control.audit_key_renew(&who).await?),
            Self::Retire { id } => {
                let id = VerifierKey::parse(&id).map_or(id, |key| key.key().to_string());
                control.audit_key_retire(&who, &id).await?;
                output::say(format!("{id} is retired"));
            }
        }
        Ok(())
    }
}

impl Export {
    async fn write(self, control: &Control) -> anyhow::Result<Exit> {
        let filter = Filter {
            from: self.from,
            to: self.to,
            cluster: self.cluster,
            actor: self.actor,
            kinds: self.kinds,
            outcome: self.outcome,
            change: self.change,
        };
        let who = control.command_line_operator();
        let mut export = control
            .audit_export_in(&who, self.language, self.format, &filter, self.size)
            .await?;
        let bundle = export.bundle.take();
        write_export(&self.out, &mut export)?;
        if self.format != Format::Bundle {
            write_new(&beside(&self.out, "manifest"), export.manifest.as_bytes())?;
        }
        if let Some(mut bundle) = bundle {
            // The report names it so.
            let path = self.out.with_file_name(&bundle.name);
            if same(&path, &bundle) {
                output::say(format!("{} is there already", path.display()));
            } else {
                write_export(&path, &mut bundle)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn write_export(path: &Path, export: &mut quorate_control::Export) -> anyhow::Result<()> {
    let mut out = new_file(path)?;
    std::io::copy(&mut export.content, &mut out)
        .and_then(|_| out.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    output::say(format!(
        "{}: {} of {} entries, sha256 {}",
        path.display(),
        export.entries,
        export.size,
        hex(&export.sha256)
    ));
    Ok(())
}

/// Whether this very file is there: two reports may speak of one bundle.
fn same(path: &Path, export: &quorate_control::Export) -> bool {
    let digest = || {
        let mut file = std::fs::File::open(path)?;
        let mut digest = Digesting::new(std::io::sink());
        std::io::copy(&mut file, &mut digest)?;
        std::io::Result::Ok(digest.take("").sha256)
    };
    digest().is_ok_and(|found| found == export.sha256)
}

impl Verify {
    async fn answer(self) -> anyhow::Result<Exit> {
        let keys = self.keys()?;
        let mut outside = Gathered::default();
        for path in &self.checkpoints {
            gather(path, &mut outside)?;
        }
        let known = Known {
            keys: &keys,
            outside: &outside.checkpoints,
        };
        if self.what.is_dir() {
            let mut report = quorate_control::verify_log(&self.what, known).await?;
            quorate_control::hold_entries(&self.what, &outside, &mut report).await?;
            return Ok(told(&report));
        }
        anyhow::ensure!(
            outside.entries.is_empty(),
            "copies of entries are held against a console's data directory"
        );
        let mut file = std::fs::File::open(&self.what)
            .with_context(|| format!("cannot open {}", self.what.display()))?;
        let mut beginning = [0; 64];
        let read = file.read(&mut beginning)?;
        if tlog_proof::is_one(beginning.get(..read).unwrap_or_default()) {
            return self.proof(&keys);
        }
        if self.what.extension().is_some_and(|it| it == "manifest") {
            return self.manifest(&keys);
        }
        match verify::bundle(file, known) {
            Ok(report) => Ok(told(&report)),
            Err(error) => {
                output::say(format!("WRONG      {error}\nNOT PROVED"));
                Ok(Exit::Failed)
            }
        }
    }

    fn keys(&self) -> anyhow::Result<Vec<VerifierKey>> {
        let mut keys = Vec::new();
        for given in &self.keys {
            match VerifierKey::parse(given.trim()) {
                Ok(key) => keys.push(key),
                Err(_) => {
                    let some = verifier_keys(&text(Path::new(given))?);
                    keys.extend(some.with_context(|| format!("{given} holds no public key"))?);
                }
            }
        }
        anyhow::ensure!(
            self.keys.is_empty() || !keys.is_empty(),
            "the files given hold no public key"
        );
        Ok(keys)
    }

    fn proof(&self, keys: &[VerifierKey]) -> anyhow::Result<Exit> {
        if keys.is_empty() {
            return Ok(output::misused(
                "a proof is checked with the log's public key: --key",
            ));
        }
        let path = self.entry.clone().unwrap_or_else(|| entry_of(&self.what));
        let entry =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        // A line of records.jsonl may have kept its end.
        let entry = entry.strip_suffix(b"\n").unwrap_or(&entry);
        let checked = TlogProof::parse(&text(&self.what)?)
            .and_then(|proof| Ok((proof.check(entry, keys)?.len(), proof)));
        match checked {
            Ok((_, proof)) => {
                let said = &proof.checkpoint.checkpoint;
                for key in proof.checkpoint.note.signers(keys).unwrap_or_default() {
                    output::say(format!("signed by  {}", key.key()));
                }
                output::say(format!(
                    "proved     {} is entry {} of the {} in {}",
                    path.display(),
                    proof.index + 1,
                    said.size,
                    said.origin
                ));
                Ok(Exit::Done)
            }
            Err(error) => {
                output::say(format!("WRONG      {error}\nNOT PROVED"));
                Ok(Exit::Failed)
            }
        }
    }

    /// A table or lines, beside which the manifest lies.
    fn manifest(&self, keys: &[VerifierKey]) -> anyhow::Result<Exit> {
        if keys.is_empty() {
            return Ok(output::misused(
                "a manifest is checked with the log's public key: --key",
            ));
        }
        let export = self.what.with_extension("");
        let mut file = std::fs::File::open(&export)
            .with_context(|| format!("cannot open {}", export.display()))?;
        let mut digest = Digesting::new(std::io::sink());
        std::io::copy(&mut file, &mut digest)?;
        let found = digest.take("");
        let note = Note::parse(&text(&self.what)?);
        let signers = note
            .as_ref()
            .map(|note| note.signers(keys).unwrap_or_default());
        let manifest = note.as_ref().ok().and_then(Manifest::of);
        let (Ok([_, ..]), Some(manifest)) = (signers.as_deref(), manifest) else {
            output::say("WRONG      the manifest is not signed by a key given\nNOT PROVED");
            return Ok(Exit::Failed);
        };
        let named = manifest
            .files
            .iter()
            .any(|file| (file.bytes, file.sha256) == (found.bytes, found.sha256));
        if !named {
            output::say(format!(
                "WRONG      {} is not the file that the manifest names\nNOT PROVED",
                export.display()
            ));
            return Ok(Exit::Failed);
        }
        output::say(format!(
            "log        {}\nproved     {} is what the console exported: {} entries that meet {}, \
             of {}. That these are in the log's tree is for a bundle to prove",
            manifest.origin,
            export.display(),
            manifest.entries,
            manifest.filter,
            manifest.size
        ));
        Ok(Exit::Done)
    }
}

/// A file, or every file of a folder.
fn gather(path: &Path, outside: &mut Gathered) -> anyhow::Result<()> {
    let shown = || path.display().to_string();
    if !path.is_dir() {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", shown()))?;
        let read = outside.read(&String::from_utf8_lossy(&bytes));
        return read.with_context(|| format!("{} holds no checkpoints and no entries", shown()));
    }
    let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
        .and_then(|all| all.map(|entry| entry.map(|entry| entry.path())).collect())
        .with_context(|| format!("cannot read {}", shown()))?;
    inside.sort();
    for path in inside {
        gather(&path, outside)?;
    }
    Ok(())
}

fn told(report: &Report) -> Exit {
    output::say(report.to_string());
    match report.holds() {
        true => Exit::Done,
        false => Exit::Failed,
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn entry_of(proof: &Path) -> PathBuf {
    beside(proof, "json")
}

/// Never over a file that is there: it may be somebody's evidence.
fn new_file(path: &Path) -> anyhow::Result<std::fs::File> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot create {}", path.display()))
}

fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = new_file(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

fn format(text: &str) -> Result<Format, String> {
    Format::parse(text).ok_or_else(|| "expected bundle, jsonl, csv, pdf or ocsf".to_owned())
}

fn language(text: &str) -> Result<Language, String> {
    Language::parse(text).ok_or_else(|| "expected en or zh".to_owned())
}

fn outcome(text: &str) -> Result<Outcome, String> {
    Outcome::parse(text).ok_or_else(|| "expected succeeded, failed, refused or unknown".to_owned())
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "expected a time like 2026-11-21T14:00:00Z".to_owned())
}

fn kind(text: &str) -> Result<EntryKind, String> {
    EntryKind::parse(text)
        .ok_or_else(|| "expected intent, outcome, refusal, access or console".to_owned())
}
