//! What a verification proved, in words.

use crate::tree::Hash;

/// Faults and notes beyond this many are counted only.
const MOST: usize = 20;

/// Entries from the log's beginning on that were removed by its rules; their hashes remain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The last of them.
    pub upto: u64,
    /// The entry that says so, and when it was written.
    pub entry: u64,
    pub time: String,
}

/// What was proved, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// `bundle` or `database`.
    pub what: &'static str,
    /// The log's name.
    pub origin: String,
    /// Entries up to which the tree was computed.
    pub size: u64,
    pub root: Option<Hash>,
    /// Entries whose bytes were read.
    pub shown: u64,
    /// Entries of which only hashes are here.
    pub hidden: u64,
    /// What is not here because it was removed; all of `hidden`.
    pub removed: Option<Removed>,
    /// Entries that name somebody whose key is not here.
    pub erased: u64,
    /// The conditions of a part, as JSON.
    pub filter: Option<String>,
    /// Keys that signed the newest checkpoint and are believed.
    pub signers: Vec<String>,
    /// Whether keys were given from elsewhere.
    pub pinned: bool,
    /// Entries after the newest checkpoint.
    pub unsigned: u64,
    pub first_time: Option<String>,
    pub last_time: Option<String>,
    successions: Vec<(String, u64)>,
    outside: Vec<u64>,
    faults: Vec<String>,
    faults_more: u64,
    notes: Vec<String>,
}

impl Report {
    #[must_use]
    pub fn new(what: &'static str, origin: &str) -> Self {
        Self {
            what,
            origin: origin.to_owned(),
            ..Self::default()
        }
    }

    /// Whether nothing at all is wrong.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.faults.is_empty() && !self.signers.is_empty()
    }

    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    pub fn fault(&mut self, fault: impl Into<String>) {
        match self.faults.len() < MOST {
            true => self.faults.push(fault.into()),
            false => self.faults_more += 1,
        }
    }

    pub fn note(&mut self, note: impl Into<String>) {
        if self.notes.len() < MOST {
            self.notes.push(note.into());
        }
    }

    /// Whether something that was told from elsewhere agrees at this size or a larger one.
    pub(crate) fn agrees_beyond(&self, size: u64) -> bool {
        self.outside.iter().any(|it| *it >= size)
    }

    pub(crate) fn succession(&mut self, key: String, size: u64) {
        self.successions.push((key, size));
    }

    pub(crate) fn matched(&mut self, size: u64, by: &str) {
        if by == "the outside copy" {
            self.outside.push(size);
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "log        {}", self.origin)?;
        if let Some(root) = self.root {
            writeln!(f, "root       {root} over {} entries", self.size)?;
        }
        if let (Some(first), Some(last)) = (&self.first_time, &self.last_time) {
            writeln!(f, "time       {first} to {last}")?;
        }
        for key in &self.signers {
            writeln!(f, "signed by  {key}")?;
        }
        for (key, size) in &self.successions {
            writeln!(
                f,
                "succession {key} was vouched for by the key before it, at entry {size}"
            )?;
        }
        if let Some(most) = self.outside.iter().max() {
            let count = self.outside.len();
            writeln!(
                f,
                "outside    {count} kept elsewhere agree, the newest at entry {most}"
            )?;
        }
        if let Some(filter) = &self.filter {
            writeln!(f, "part       {} entries that meet {filter}", self.shown)?;
        }
        if let Some(removed) = &self.removed {
            writeln!(
                f,
                "removed    entries 1 to {} were removed by policy on {} (entry {}); their hashes \
                 remain",
                removed.upto, removed.time, removed.entry
            )?;
        }
        if self.erased > 0 {
            writeln!(
                f,
                "erased     {} entries name somebody whose key is not here: erased on purpose, or \
                 left out",
                self.erased
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note       {note}")?;
        }
        if !self.pinned && self.holds() {
            writeln!(
                f,
                "note       no key was given: the {} vouches for itself; compare the key's name \
                 with the one you were told, or give it with --key",
                self.what
            )?;
        }
        if self.unsigned > 0 {
            writeln!(
                f,
                "note       the newest {} entries are not signed yet",
                self.unsigned
            )?;
        }
        for fault in &self.faults {
            writeln!(f, "WRONG      {fault}")?;
        }
        if self.faults_more > 0 {
            writeln!(f, "WRONG      and {} more", self.faults_more)?;
        }
        match (self.holds(), self.hidden) {
            (false, _) => write!(f, "NOT PROVED"),
            (true, 0) => write!(
                f,
                "proved     entries 1 to {}: complete, in order, unchanged",
                self.size.saturating_sub(self.unsigned)
            ),
            (true, _) if self.removed.is_some() => write!(
                f,
                "proved     entries {} to {}: complete, in order, unchanged; of those before, the \
                 hashes",
                self.hidden + 1,
                self.size.saturating_sub(self.unsigned)
            ),
            (true, hidden) => write!(
                f,
                "proved     {} entries are in the log of {}, at their places, unchanged; {hidden} \
                 are not shown, and that they do not meet the conditions is not proved",
                self.shown, self.size
            ),
        }
    }
}
