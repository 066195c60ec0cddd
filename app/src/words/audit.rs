//! The words of the audit log's pages.

use quorate_domain::audit::{
    CopyStanding, DeliveryStanding, EntryKind, Outcome, ReportStanding, Standing,
};

use super::figures;
use crate::pages::audit::query::{Range, Sort};

/// How much there is. It does not say "verified": that is for an auditor to find out.
#[must_use]
pub fn sentence(size: u64) -> String {
    match size {
        0 => "The log is empty.".to_owned(),
        1 => "The log holds 1 entry.".to_owned(),
        more => format!("The log holds {} entries.", figures::number(more)),
    }
}
pub const SENTENCE_REST: &str =
    "An entry is written before anything is sent to a cluster, and is never changed.";

pub const FILTER: &str = "Filter";
pub const SHOW: &str = "Show";
pub const CLEAR: &str = "Show everything";
pub const TIME: &str = "Time";
pub const FROM_DAY: &str = "From (UTC day)";
pub const TO_DAY: &str = "To (UTC day)";
pub const CLUSTER: &str = "Cluster";
pub const PERSON: &str = "Person or token";
pub const KIND: &str = "Kind";
pub const OUTCOME: &str = "Outcome";
pub const ANY: &str = "Any";

#[must_use]
pub const fn range(range: Range) -> &'static str {
    match range {
        Range::Today => "Today",
        Range::Week => "7 days",
        Range::Month => "30 days",
        Range::All => "All time",
    }
}

#[must_use]
pub const fn sort(sort: Sort) -> &'static str {
    match sort {
        Sort::Changes => "Changes",
        Sort::Access => "Access",
        Sort::Refusals => "Refusals",
        Sort::Console => "Console",
    }
}

#[must_use]
pub const fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Intent => "intent",
        EntryKind::Outcome => "outcome",
        EntryKind::Refusal => "refusal",
        EntryKind::Access => "access",
        EntryKind::Console => "console",
    }
}

#[must_use]
pub const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
        Outcome::Unknown => "outcome unknown",
    }
}

/// An intent whose outcome is not on record yet.
pub const NO_OUTCOME_YET: &str = "no outcome yet";
pub const TABLE: &str = "Audit entries, newest first; times are UTC";
pub const ENTRY: &str = "Entry";
pub const TIME_UTC: &str = "Time (UTC)";
pub const WHO: &str = "Who";
pub const WHAT: &str = "What";
pub const TICKET: &str = "Ticket";
pub const NOTHING: &str = "–";
pub const EMPTY: &str = "No entry matches.";
pub const EMPTY_HINT: &str = "Take a condition away, or reach further back.";
pub const MORE_CONDITIONS: &str = "All conditions";
pub const PAGES: &str = "Pages of the list";
pub const OLDER: &str = "Older entries";
pub const NEWEST: &str = "Newest entries";
#[must_use]
pub fn listed(rows: usize) -> String {
    if rows == 1 {
        "1 row".to_owned()
    } else {
        format!("{rows} rows")
    }
}

// One entry.
pub const NO_NUMBER: (&str, &str) = (
    "Audit entries are named by numbers.",
    "Open the entry from the list of the audit log.",
);
pub const WHO_AND_WHY: &str = "Who, when, why";
pub const PARTNER: &str = "Belongs with";
#[must_use]
pub fn entry_title(seq: u64) -> String {
    format!("Audit entry {}", figures::number(seq))
}
pub const WHEN: &str = "When";
pub const ACTION: &str = "Action";
pub const MEMBER: &str = "Member";
pub const CHANGE: &str = "Change";
pub const REASON: &str = "Reason";
pub const IDENTIFIED_BY: &str = "Identified by";
pub const SUBJECT: &str = "Account or token id";
pub const PEER: &str = "From address";
pub const CLIENT: &str = "From address, before the proxies";
pub const USER_AGENT: &str = "Program";
pub const REQUEST_ID: &str = "Request";
pub const SESSION: &str = "Session (hash)";
pub const ENTRY_ID: &str = "Id of this entry";
pub const TOOK: &str = "Took";
pub const CLOCK: &str = "Clock";
/// Whether the console's clock could be believed when the entry was written.
#[must_use]
pub const fn clock(synced: bool) -> &'static str {
    match synced {
        true => "in step with a time server",
        false => "not in step with any time server",
    }
}
pub const ASSURANCE: &str = "Vouched for by";
pub const RECORDED: &str = "recorded";
pub const SEEN: &str = "What was seen";
pub const SENT: &str = "What was sent";
pub const RECEIVED: &str = "What came back";
pub const NOTHING_RECORDED: &str = "Nothing was seen, sent or received.";
pub const STORED: &str = "The entry as it is stored";
pub const STORED_HINT: &str = "Show the exact bytes on record";
/// Recorded names and what they are called on the page, in the order in which they stand there.
const FIELDS: [(&str, &str); 29] = [
    ("sentence", "In a sentence"),
    ("verdict", "Verdict"),
    ("action", "Action"),
    ("member", "Member"),
    ("id", "Id"),
    ("name", "Name"),
    ("role", "Role"),
    ("wanted_role", "Wanted role"),
    ("state", "State"),
    ("lag", "Behind"),
    ("address", "Address"),
    ("leader", "Leader"),
    ("leader_status", "The leader is"),
    ("quorum", "Quorum"),
    ("voters", "Voters"),
    ("answering", "Answering"),
    ("majority", "Majority"),
    ("tolerates", "May fail"),
    ("configs", "Who they are"),
    ("term", "Term"),
    ("revision", "Membership"),
    ("observed_at", "Seen at"),
    ("age_ms", "Age when it was decided on"),
    ("checks", "Checks"),
    ("members", "Members"),
    ("request", "Request"),
    ("to", "To"),
    ("status", "HTTP status"),
    ("body", "Content"),
];
/// Names whose values are words with `_` between them.
pub const IN_WORDS: [&str; 8] = [
    "verdict",
    "action",
    "role",
    "wanted_role",
    "state",
    "leader_status",
    "outcome",
    "verb",
];
/// Where a recorded name stands among the others.
#[must_use]
pub fn place(name: &str) -> usize {
    let known = FIELDS.iter().position(|(known, _)| *known == name);
    known.unwrap_or(FIELDS.len())
}
/// A recorded name as people read it; one that is not known is made of its own words.
#[must_use]
pub fn field(name: &str) -> String {
    if let Some((_, said)) = FIELDS.get(place(name)) {
        return (*said).to_owned();
    }
    let (name, _) = figures::unit(name).unwrap_or((name, ""));
    let mut said = name.replace('_', " ");
    if let Some(first) = said.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    said
}
pub const YES: &str = "yes";
pub const NO: &str = "no";
pub const NONE: &str = "none";
#[must_use]
pub fn its_outcome(seq: u64) -> String {
    format!("Its outcome: entry {}", figures::number(seq))
}
#[must_use]
pub fn its_intent(seq: u64) -> String {
    format!("The intent it answers: entry {}", figures::number(seq))
}
pub const ALL_OF_CHANGE: &str = "Open the change";

// How far it is signed and copied, and files.
/// File formats and what their buttons say.
pub const FILES: [(&str, &str); 5] = [
    ("bundle", "Download to verify"),
    ("pdf", "Download report (PDF)"),
    ("csv", "Download as table"),
    ("jsonl", "Download as JSON lines"),
    ("ocsf", "Download as OCSF events"),
];
pub const FILE_OPTIONS: &str = "More about files";
pub const REPORT_LANGUAGE: &str = "Language of the report";
/// Values as in REST, each language by its own name.
pub const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("zh", "中文")];
pub const UP_TO: &str = "Up to this signed entry (empty: now)";
pub const UP_TO_HINT: &str = "A report names the bundle that goes with it and the entry it is signed \
    up to; with that number here, the download to verify is that bundle.";
pub const REPORTS: &str = "Reports by schedule";
#[must_use]
pub fn report(report: &ReportStanding) -> String {
    let next = format!("next at {}", report.next.in_words());
    match (&report.error, &report.file, report.last) {
        (Some(error), _, _) => format!("Report {}: fails: {error}; {next}", report.name),
        (None, Some(file), Some(last)) => format!(
            "Report {}: {file} delivered for {}; {next}",
            report.name,
            last.in_words()
        ),
        _ => format!("Report {}: {next}", report.name),
    }
}
pub const PROOF: &str = "Download the proof that it is in the log";
pub const NO_COPIES: &str = "No checkpoint is copied outside: nobody could tell if the newest \
    entries were cut off by somebody who holds this machine.";
#[must_use]
pub fn signed(now: &Standing) -> String {
    let (Some(at), [.., key]) = (now.signed_at, now.keys.as_slice()) else {
        return "Nothing is signed yet.".to_owned();
    };
    let mut said = format!(
        "Signed up to entry {} at {} {} UTC with key {key}.",
        figures::number(now.signed),
        at.day(),
        at.clock()
    );
    if now.removed > 0 {
        said.push_str(" Removed by the rules of retention: entries up to ");
        said.push_str(&figures::number(now.removed));
        said.push('.');
    }
    said
}
#[must_use]
pub fn copy(copy: &CopyStanding) -> String {
    let how = match copy.handed_over {
        true => "handed over up to entry",
        false => "reaches entry",
    };
    let at = copy.at.map(|at| format!(", last at {}", at.in_words()));
    let reaches = format!("{}: {how} {}", copy.name, figures::number(copy.reaches));
    let last = at.unwrap_or_default();
    match (&copy.error, copy.behind) {
        (Some(error), _) => format!("{reaches}{last}; it fails: {error}"),
        (None, 0) => format!("{reaches}: all that is signed{last}"),
        (None, behind) => format!("{reaches}; {} behind{last}", figures::number(behind)),
    }
}
#[must_use]
pub fn delivery(delivery: &DeliveryStanding) -> String {
    let to = format!("Reports to {}", delivery.to);
    let said = match (&delivery.error, &delivery.last) {
        (Some(error), _) => format!("{to}: {} wait; fails: {error}", delivery.waiting),
        (None, Some(last)) => format!("{to}: {last} delivered"),
        (None, None) => format!("{to}: nothing waits"),
    };
    match delivery.set_aside {
        0 => said,
        aside => format!("{said}; set aside, since lost or changed while waiting: {aside}"),
    }
}
#[must_use]
pub fn trouble(why: &str) -> String {
    format!("Nothing is recorded, so nothing is sent to any cluster. {why}")
}
