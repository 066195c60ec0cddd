//! What a report keeps of the entries while they pass, oldest first: figures, and the first so
//! many changes, refusals and failed sign-ins. Its memory is bounded, however long the log is.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::picture::{Picture, Step};
use quorate_audit::personal::People;
use quorate_domain::{
    audit::{Actor, Entry, EntryKind, Means, Outcome},
    moment::Timestamp,
};

/// Changes that the table shows; the bundle holds all.
pub const CHANGES_MOST: usize = 2_000;
/// Refusals, and failed sign-ins, that their tables show.
pub const OTHERS_MOST: usize = 500;
/// Persons, and clusters, that are counted one by one.
const NAMES_MOST: usize = 5_000;
/// Characters of a text that a row keeps.
const TEXT_MOST: usize = 700;

/// A change with what became of it.
#[derive(Clone, Debug)]
pub struct ChangeRow {
    pub seq: u64,
    pub time: Timestamp,
    /// Whether this is an outcome whose intent lies outside.
    pub without_intent: Option<u64>,
    pub who: String,
    pub means: Means,
    pub action: String,
    pub cluster: String,
    pub member: Option<String>,
    pub reason: Option<String>,
    pub ticket: Option<String>,
    pub approvals: Vec<String>,
    pub ending: Option<Ending>,
    before: Option<Picture>,
    pub steps: Difference,
}

/// Before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// One of the two was not seen.
    Unseen,
    Same,
    Steps(Vec<Step>),
}

#[derive(Clone, Debug)]
pub struct Ending {
    pub seq: u64,
    pub outcome: Option<Outcome>,
    pub text: String,
    /// The entry does not meet the conditions itself: it is shown with its intent.
    pub outside: bool,
}

/// A refusal or a failed sign-in.
#[derive(Clone, Debug)]
pub struct OtherRow {
    pub seq: u64,
    pub time: Timestamp,
    pub who: String,
    pub means: Means,
    pub from: Option<String>,
    pub action: String,
    pub cluster: Option<String>,
    pub member: Option<String>,
    pub text: String,
    pub reason: Option<String>,
}

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<String, u64>,
    others: u64,
}

impl Tally {
    fn add(&mut self, name: &str) {
        if let Some(count) = self.counts.get_mut(name) {
            *count += 1;
        } else if self.counts.len() < NAMES_MOST {
            self.counts.insert(name.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }

    /// The most frequent first; what is beyond `most` as one sum.
    pub fn ranked(&self, most: usize) -> (Vec<(&str, u64)>, u64) {
        let mut all: Vec<(&str, u64)> = self
            .counts
            .iter()
            .map(|(it, n)| (it.as_str(), *n))
            .collect();
        // Stable: of equals, the one that comes first in the alphabet.
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let rest = all.split_off(all.len().min(most));
        let others: u64 = rest.iter().map(|(_, count)| count).sum();
        (all, others + self.others)
    }
}

/// What was gathered.
#[derive(Default)]
pub struct Gathering {
    /// Entries that meet the conditions, and those that do not.
    pub shown: u64,
    pub left_out: u64,
    pub first: Option<(u64, Timestamp)>,
    pub last: Option<(u64, Timestamp)>,
    pub kinds: [u64; 5],
    /// Succeeded, failed, refused, unknown; of changes by their last word, else of single entries.
    pub outcomes: [u64; 4],
    /// Changes without an outcome among these entries.
    pub open: u64,
    pub persons: Tally,
    pub clusters: Tally,
    pub changes: Vec<ChangeRow>,
    pub changes_all: u64,
    /// Words of approval on those changes.
    pub approved: Vec<OtherRow>,
    pub approved_all: u64,
    pub refusals: Vec<OtherRow>,
    pub refusals_all: u64,
    pub sign_ins: Vec<OtherRow>,
    pub sign_ins_all: u64,
    /// Outcomes shown with their intents though the conditions leave their entries out.
    pub outside: u64,
    /// Texts that were cut for the tables.
    pub cut: u64,
    people: People,
    by_intent: HashMap<u64, usize>,
    /// Changes beyond the table that have no outcome yet.
    beyond: HashSet<u64>,
}

impl Gathering {
    /// The next entry of the log by its bytes, and whether the conditions want it. `Err` if it is
    /// none.
    ///
    /// # Errors
    /// The entry's bytes are not an entry's.
    pub fn entry(&mut self, bytes: &[u8], shown: bool) -> Result<(), serde_json::Error> {
        if shown {
            self.add(&self.opened(bytes)?);
        } else {
            self.left_out += 1;
            if !self.by_intent.is_empty() && answers_something(bytes) {
                self.beside(&self.opened(bytes)?);
            }
        }
        Ok(())
    }

    /// The keys of people that exist; who has none is shown as erased.
    #[must_use]
    pub fn with_people(mut self, people: People) -> Self {
        self.people = people;
        self
    }

    fn opened(&self, bytes: &[u8]) -> Result<Entry, serde_json::Error> {
        let mut entry = serde_json::from_slice(bytes)?;
        self.people.open(&mut entry);
        Ok(entry)
    }

    fn add(&mut self, entry: &Entry) {
        self.shown += 1;
        let here = (entry.seq, entry.time);
        self.first.get_or_insert(here);
        self.last = Some(here);
        let kind = EntryKind::ALL.iter().position(|it| *it == entry.kind);
        if let Some(count) = kind.and_then(|at| self.kinds.get_mut(at)) {
            *count += 1;
        }
        // An outcome is written by the console for whoever asked.
        if entry.kind != EntryKind::Outcome {
            self.persons.add(&person(entry));
        }
        if let Some(cluster) = &entry.cluster {
            self.clusters.add(cluster.as_str());
        }
        match entry.kind {
            EntryKind::Intent => self.intent(entry),
            EntryKind::Outcome => self.outcome(entry),
            EntryKind::Refusal => {
                self.count(entry.outcome);
                self.refusals_all += 1;
                if self.refusals.len() < OTHERS_MOST {
                    let row = self.other(entry);
                    self.refusals.push(row);
                }
            }
            EntryKind::Access | EntryKind::Console => {
                self.count(entry.outcome);
                if failed_to_sign_in(entry) {
                    self.sign_ins_all += 1;
                    if self.sign_ins.len() < OTHERS_MOST {
                        let row = self.other(entry);
                        self.sign_ins.push(row);
                    }
                }
            }
        }
    }

    fn count(&mut self, outcome: Option<Outcome>) {
        if let Some(outcome) = outcome {
            let [succeeded, failed, refused, unknown] = &mut self.outcomes;
            match outcome {
                Outcome::Succeeded => *succeeded += 1,
                Outcome::Failed => *failed += 1,
                Outcome::Refused => *refused += 1,
                Outcome::Unknown => *unknown += 1,
            }
        }
    }

    fn intent(&mut self, entry: &Entry) {
        self.changes_all += 1;
        self.open += 1;
        self.approved(entry);
        if self.changes.len() < CHANGES_MOST {
            self.by_intent.insert(entry.seq, self.changes.len());
            let row = self.change(entry);
            self.changes.push(row);
        } else {
            self.beyond.insert(entry.seq);
        }
    }

    /// Who approved it, when and why, one row each.
    fn approved(&mut self, entry: &Entry) {
        for given in &entry.approvals {
            self.approved_all += 1;
            if self.approved.len() < OTHERS_MOST {
                let mut row = self.other(entry);
                row.seq = given.seq;
                row.time = given.at;
                row.who = named(&given.by);
                row.means = given.by.means;
                row.from = None;
                row.reason = self.kept(Some(&given.reason));
                self.approved.push(row);
            }
        }
    }

    fn outcome(&mut self, entry: &Entry) {
        let intent = entry.intent_seq.unwrap_or(0);
        if let Some(at) = self.by_intent.get(&intent).copied() {
            self.answer(at, entry, false);
            return;
        }
        self.count(entry.outcome);
        if self.beyond.remove(&intent) {
            self.open = self.open.saturating_sub(1);
            return;
        }
        // Of one before these entries.
        self.changes_all += 1;
        if self.changes.len() >= CHANGES_MOST {
            return;
        }
        let mut row = self.change(entry);
        row.without_intent = Some(intent);
        row.ending = Some(self.ending(entry, false));
        self.changes.push(row);
    }

    /// An entry that does not meet the conditions, beside a change that does.
    fn beside(&mut self, entry: &Entry) {
        let intent = entry.intent_seq.unwrap_or(0);
        if let Some(at) = self.by_intent.get(&intent).copied() {
            self.outside += 1;
            self.answer(at, entry, true);
        } else if self.beyond.remove(&intent) {
            self.outside += 1;
            self.count(entry.outcome);
            self.open = self.open.saturating_sub(1);
        }
    }

    fn answer(&mut self, at: usize, entry: &Entry, outside: bool) {
        let ending = self.ending(entry, outside);
        let Some(row) = self.changes.get_mut(at) else {
            return;
        };
        let after = Picture::of(&entry.seen);
        row.steps = match (&row.before, after) {
            (Some(before), Some(after)) => match before.difference(&after) {
                steps if steps.is_empty() => Difference::Same,
                steps => Difference::Steps(steps),
            },
            _ => Difference::Unseen,
        };
        row.approvals.extend(approvals(entry));
        let earlier = row.ending.replace(ending).and_then(|it| it.outcome);
        match earlier {
            // A later word on the same change: counted once, by the last.
            Some(earlier) => self.uncount(earlier),
            None => self.open = self.open.saturating_sub(1),
        }
        self.count(entry.outcome);
    }

    fn uncount(&mut self, outcome: Outcome) {
        let [succeeded, failed, refused, unknown] = &mut self.outcomes;
        let count = match outcome {
            Outcome::Succeeded => succeeded,
            Outcome::Failed => failed,
            Outcome::Refused => refused,
            Outcome::Unknown => unknown,
        };
        *count = count.saturating_sub(1);
    }

    fn change(&mut self, entry: &Entry) -> ChangeRow {
        ChangeRow {
            seq: entry.seq,
            time: entry.time,
            without_intent: None,
            who: person(entry),
            means: entry.actor.means,
            action: entry.action.clone(),
            cluster: place(entry).unwrap_or_default(),
            member: entry.member.as_ref().map(|it| it.0.clone()),
            reason: self.kept(entry.reason.as_deref()),
            ticket: self.kept(entry.ticket.as_deref()),
            approvals: approvals(entry),
            ending: None,
            before: Picture::of(&entry.seen),
            steps: Difference::Unseen,
        }
    }

    fn ending(&mut self, entry: &Entry, outside: bool) -> Ending {
        Ending {
            seq: entry.seq,
            outcome: entry.outcome,
            text: self.kept(Some(&entry.text)).unwrap_or_default(),
            outside,
        }
    }

    fn other(&mut self, entry: &Entry) -> OtherRow {
        OtherRow {
            seq: entry.seq,
            time: entry.time,
            who: person(entry),
            means: entry.actor.means,
            from: Some(entry.source.address().to_owned()).filter(|it| !it.is_empty()),
            action: entry.action.clone(),
            cluster: place(entry),
            member: entry.member.as_ref().map(|it| it.0.clone()),
            text: self.kept(Some(&entry.text)).unwrap_or_default(),
            reason: self.kept(entry.reason.as_deref()),
        }
    }

    fn kept(&mut self, text: Option<&str>) -> Option<String> {
        let text = text.filter(|text| !text.is_empty())?;
        Some(match text.char_indices().nth(TEXT_MOST) {
            Some((at, _)) => {
                self.cut += 1;
                format!("{}…", text.get(..at).unwrap_or_default())
            }
            None => text.to_owned(),
        })
    }
}

/// Whether the stored bytes name an intent; entries without one need not be read.
fn answers_something(bytes: &[u8]) -> bool {
    const NAME: &[u8] = b"\"intent_seq\":";
    let mut windows = bytes.windows(NAME.len() + 1);
    windows.any(|window| window.starts_with(NAME) && window.last().is_some_and(u8::is_ascii_digit))
}

/// The cluster, and in a program of many groups which of them.
fn place(entry: &Entry) -> Option<String> {
    let cluster = entry.cluster.as_ref()?;
    Some(match &entry.group {
        Some(group) => format!("{cluster}/{group}"),
        None => cluster.to_string(),
    })
}

fn failed_to_sign_in(entry: &Entry) -> bool {
    let about_signing_in = entry.action.starts_with("sign_in")
        || entry.action.starts_with("link")
        || entry.actor.means == Means::Nobody;
    about_signing_in && matches!(entry.outcome, Some(Outcome::Failed | Outcome::Refused))
}

/// Who approved, as the entry tells it.
fn approvals(entry: &Entry) -> Vec<String> {
    let given = entry.approvals.iter();
    given.map(|given| named(&given.by)).collect()
}

/// A name at a provider may be anybody's choice: what tells people apart is the subject.
fn person(entry: &Entry) -> String {
    named(&entry.actor)
}

fn named(actor: &Actor) -> String {
    let own = ["local", "machine", "console", "none"].contains(&actor.issuer.as_str());
    if own || actor.name == actor.subject {
        actor.name.clone()
    } else {
        format!("{} ({})", actor.name, actor.subject)
    }
}
