//! Verification: what a log, given entry by entry or as a bundle, is proved to be.
//!
//! Needs no database, no network and no clock. Whatever is wrong becomes a fault in the report; a
//! report without faults is a proof up to the entry it names, by the keys it names.

use std::borrow::Cow;

use quorate_domain::audit::EntryKind;
use serde::Deserialize;

use crate::{
    checkpoint::{Checkpoint, Signed},
    note::VerifierKey,
    personal::{self, People},
    report::{Removed, Report},
    tree::{BLOCK, Frontier, Hash},
};

mod bundled;

pub use bundled::{VerifyError, bundle, read};

/// What the verifier has from elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Public keys that are trusted. Without any, what is given vouches for itself only.
    pub keys: &'a [VerifierKey],
    /// Checkpoints that were kept outside of the console.
    pub outside: &'a [Signed],
}

/// A size at which the root is told, and by whom.
struct Mark {
    size: u64,
    root: Hash,
    by: String,
}

/// The action of an entry that says which entries are removed from the log.
pub const REMOVED: &str = "audit_entries_removed";

/// What every entry tells of its place.
#[derive(Deserialize)]
struct Head<'a> {
    seq: u64,
    time: &'a str,
    kind: EntryKind,
    #[serde(default)]
    intent_seq: Option<u64>,
    #[serde(borrow, default)]
    action: Cow<'a, str>,
    #[serde(default)]
    schema: Option<u16>,
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    sealed: Vec<Cow<'a, str>>,
}

/// What [`REMOVED`] says: the last of the entries, and the tree's root over all up to it.
#[derive(Deserialize)]
struct Removal<'a> {
    #[serde(borrow)]
    sent: Range<'a>,
}

#[derive(Deserialize)]
struct Range<'a> {
    upto: u64,
    root: &'a str,
}

/// Entries and gaps, one after the other, held against roots that are told for certain sizes.
pub struct Walk {
    frontier: Frontier,
    /// Largest first, once the first entry came.
    marks: Vec<Mark>,
    marks_sorted: bool,
    blocks: Vec<Hash>,
    broken_block: bool,
    /// One bit an entry: whether it is an intent.
    intents: Vec<u64>,
    last_time: String,
    /// Keys that open what names people.
    people: People,
    /// Where the first entry stands that is here, and the root over those before it.
    beginning: Option<(u64, Hash)>,
    /// The removals on record, and the roots they tell.
    removals: Vec<(Removed, Option<Hash>)>,
    /// Roots that were told for sizes among entries that are not here, and by whom.
    unchecked: Vec<(u64, String)>,
    pub report: Report,
}

impl Walk {
    #[must_use]
    pub fn new(report: Report) -> Self {
        Self {
            frontier: Frontier::default(),
            marks: Vec::new(),
            marks_sorted: false,
            blocks: Vec::new(),
            broken_block: false,
            intents: Vec::new(),
            last_time: String::new(),
            people: People::default(),
            beginning: None,
            removals: Vec::new(),
            unchecked: Vec::new(),
            report,
        }
    }

    /// The keys of people that exist: what is sealed under one of them must open.
    pub fn with_people(&mut self, people: People) {
        self.people = people;
    }

    /// The tree's root at `checkpoint.size` must be its root; `by` says where it is from. All of
    /// them are told before the first entry.
    pub fn expect(&mut self, checkpoint: &Checkpoint, by: impl Into<String>) {
        self.marks.push(Mark {
            size: checkpoint.size,
            root: checkpoint.root,
            by: by.into(),
        });
        self.marks_sorted = false;
    }

    /// Hashes of each 256 entries, to find a changed one sooner.
    pub fn expect_blocks(&mut self, blocks: Vec<Hash>) {
        self.blocks = blocks;
    }

    /// Entries so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The next entry's exact bytes. They must say of themselves that they are the next.
    pub fn entry(&mut self, bytes: &[u8]) {
        self.reached();
        let seq = self.frontier.size() + 1;
        self.beginning
            .get_or_insert_with(|| (self.frontier.size(), self.frontier.root()));
        self.report.shown += 1;
        match serde_json::from_slice::<Head<'_>>(bytes) {
            Ok(head) => {
                self.look(seq, &head);
                self.opened(seq, &head);
                if head.action == REMOVED {
                    self.removed(seq, head.time, bytes);
                }
            }
            Err(_) => self.report.fault(format!("entry {seq} cannot be read")),
        }
        let block = self.frontier.append(crate::tree::leaf(bytes));
        if let Some(block) = block {
            self.block(block);
        }
    }

    fn look(&mut self, seq: u64, head: &Head<'_>) {
        if head.seq != seq {
            self.report.fault(format!(
                "entry {} stands where entry {seq} belongs",
                head.seq
            ));
        }
        if self.report.first_time.is_none() {
            self.report.first_time = Some(head.time.to_owned());
        }
        if head.time < self.last_time.as_str() {
            self.report.note(format!(
                "the clock stood earlier at entry {seq} ({}) than before ({})",
                head.time, self.last_time
            ));
        }
        head.time.clone_into(&mut self.last_time);
        match (head.kind, head.intent_seq) {
            (EntryKind::Intent, _) => self.mark_intent(seq),
            (EntryKind::Outcome, Some(intent)) => self.answered(seq, intent),
            (EntryKind::Outcome, None) => self
                .report
                .fault(format!("entry {seq} is an outcome of nothing")),
            _ => {}
        }
    }

    /// What names people opens under the keys there are; without one, somebody was erased.
    fn opened(&mut self, seq: u64, head: &Head<'_>) {
        let mut erased = false;
        let binding = personal::Binding::new(head.schema, head.seq, &head.id);
        for part in &head.sealed {
            let Some((id, sealed)) = personal::split(part) else {
                self.report
                    .fault(format!("entry {seq} is sealed in no way that is known"));
                continue;
            };
            match self.people.key(id) {
                None => erased = true,
                Some(key) if key.open(sealed, &binding).is_some() => {}
                Some(_) => self.report.fault(format!(
                    "what entry {seq} has sealed does not open under the key that it names"
                )),
            }
        }
        self.report.erased += u64::from(erased);
    }

    fn removed(&mut self, seq: u64, time: &str, bytes: &[u8]) {
        match serde_json::from_slice::<Removal<'_>>(bytes) {
            Ok(Removal { sent }) if sent.upto < seq => {
                let removed = Removed {
                    upto: sent.upto,
                    entry: seq,
                    time: time.to_owned(),
                };
                self.removals.push((removed, Hash::parse(sent.root)));
            }
            _ => self.report.fault(format!(
                "entry {seq} tells of removed entries, and not of which"
            )),
        }
    }

    /// Whether all that is not here was removed, as an entry says that is. Only a removal that was
    /// not finished leaves more than it says.
    fn explained(&mut self) {
        let (size, root) = self.beginning.unwrap_or_default();
        if size == 0 || self.report.hidden != size {
            return;
        }
        let Some((removed, told)) = self.removals.iter().find(|(it, _)| it.upto >= size) else {
            return;
        };
        if removed.upto == size && *told != Some(root) {
            let fault = format!(
                "entry {} tells another root of the removed entries than their hashes make",
                removed.entry
            );
            self.report.fault(fault);
            return;
        }
        self.report.removed = Some(Removed {
            upto: size,
            ..removed.clone()
        });
    }

    /// Roots for sizes among entries that are not here: of no weight where they were removed and a
    /// later copy agrees, which is over them as well.
    fn judge_unchecked(&mut self) {
        let upto = self.report.removed.as_ref().map_or(0, |it| it.upto);
        let later = self.report.agrees_beyond(upto);
        for (size, by) in std::mem::take(&mut self.unchecked) {
            let text =
                format!("{by} for entry {size} cannot be checked: it ends among entries that are");
            if size < upto && later {
                self.report.note(format!("{text} removed"));
            } else {
                self.report.fault(format!("{text} not shown"));
            }
        }
    }

    fn mark_intent(&mut self, seq: u64) {
        let Ok(word) = usize::try_from(seq / 64) else {
            return;
        };
        if self.intents.len() <= word {
            self.intents.resize(word + 1, 0);
        }
        if let Some(bits) = self.intents.get_mut(word) {
            *bits |= 1 << (seq % 64);
        }
    }

    fn answered(&mut self, seq: u64, intent: u64) {
        let word = usize::try_from(intent / 64).unwrap_or(usize::MAX);
        let is_intent = self
            .intents
            .get(word)
            .is_some_and(|bits| bits >> (intent % 64) & 1 == 1);
        // In a part of the log the intent may be among the entries that are not shown.
        let known = is_intent || (self.report.hidden > 0 && intent < seq);
        if !known {
            self.report.fault(format!(
                "entry {seq} answers entry {intent}, which is no intent before it"
            ));
        }
    }

    fn block(&mut self, found: Hash) {
        let end = self.frontier.size();
        let number = usize::try_from(end / BLOCK).unwrap_or(usize::MAX);
        let told = self.blocks.get(number.saturating_sub(1)).copied();
        if told.is_some_and(|told| told != found) && !self.broken_block {
            self.broken_block = true;
            self.report.fault(format!(
                "among the entries {} to {end} is the first that is not as it was recorded",
                end + 1 - BLOCK
            ));
        }
    }

    /// A subtree of entries that are not shown.
    pub fn gap(&mut self, level: u32, index: u64, hash: Hash) {
        self.reached();
        let at = self.frontier.size();
        let stands = index.checked_mul(1_u64.checked_shl(level).unwrap_or(0)) == Some(at);
        if !stands || self.frontier.append_subtree(level, hash).is_err() {
            self.report.fault(format!(
                "the gap after entry {at} does not fit into the tree"
            ));
            return;
        }
        self.report.hidden += self.frontier.size() - at;
    }

    /// Compares with what is told for the size reached.
    fn reached(&mut self) {
        if !self.marks_sorted {
            self.marks.sort_by_key(|mark| std::cmp::Reverse(mark.size));
            self.marks_sorted = true;
        }
        let size = self.frontier.size();
        while let Some(mark) = self.marks.last().filter(|mark| mark.size <= size) {
            let (here, right) = (mark.size == size, mark.root == self.frontier.root());
            let by = mark.by.clone();
            if !here {
                self.unchecked.push((mark.size, by));
            } else if !right {
                self.report.fault(format!(
                    "{by} for entry {size} is not that of these entries: something was changed, \
                     left out, added or moved among the first {size}"
                ));
            } else {
                self.report.matched(size, &by);
            }
            self.marks.pop();
        }
    }

    /// All entries were given.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.reached();
        let size = self.frontier.size();
        while let Some(mark) = self.marks.pop() {
            self.report.fault(format!(
                "{} reaches entry {}, but these entries end at {size}: the newest {} are missing",
                mark.by,
                mark.size,
                mark.size - size
            ));
        }
        self.explained();
        self.judge_unchecked();
        self.report.size = size;
        self.report.root = Some(self.frontier.root());
        self.report.last_time = Some(self.last_time).filter(|time| !time.is_empty());
        self.report
    }
}
