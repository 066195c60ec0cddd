//! The words of erasing a person from the audit log.

use super::figures;

pub const TITLE: &str = "Erase a person from the audit log";
pub const SENTENCE: &str = "What names a person in the log is sealed under a key of theirs. Erasing \
    destroys the keys: nobody can read it any more, and every proof stays. It cannot be undone.";
pub const BY: &str = "Known by";
pub const BY_NAME: &str = "a name";
pub const BY_SUBJECT: &str = "their id (subject)";
pub const WHOM: &str = "Name or id, exactly as the log has it";
pub const REASON: &str = "Reason: who asked for it and on which ground, without naming the person";
/// Blanks are no reason: three characters that are none.
pub const REASON_PATTERN: &str = r".*\S.*\S.*\S.*";
pub const REASON_LEAST: &str = "At least 3 characters that are not blanks";
pub const PREVIEW: &str = "Show what would be erased";
pub const ERASE: &str = "Erase for ever";
pub const PEOPLE: &str = "Whose keys are destroyed";
pub const GIVEN_REASON: &str = "Reason";
pub const BECOMES: &str = "Becomes unreadable";
pub const STAYS: &str = "What stays";
/// What an erasure does not reach.
pub const STAYING: [&str; 5] = [
    "who vouched for them (issuer), their id (subject) unless it is a name, their rights, and what was done",
    "exports and reports that were made, also those that wait for their delivery or were set aside, and backups of the data directory",
    "entries from before names were sealed",
    "what people wrote into reasons and tickets",
    "the console's own lists of accounts, sessions and changes: an account that goes on is named anew with its next entry, so disable it first",
];
pub const HOLDS: &str = "Holds in force: nobody is erased whose entries one of them keeps";
pub const DONE: &str = "The keys are destroyed. That it was done is an entry, which names nobody.";
pub const UNSETTLED: &str = "The keys are destroyed. Somebody is reading the log: until they have \
    read, the keys still stand in its write-ahead file; the console goes on cutting them off.";
pub const BACK: &str = "Start anew";

#[must_use]
pub fn person(issuer: &str, subject: &str, name: &str) -> String {
    match issuer {
        "none" => format!("{name}, as it was typed or told"),
        _ => format!("{name} ({issuer}/{subject})"),
    }
}

#[must_use]
pub fn entries(count: u64) -> String {
    match count {
        0 => "nothing: no entry names them any more".to_owned(),
        1 => "the name, address and browser in 1 entry".to_owned(),
        more => format!(
            "names, addresses and browsers in {} entries",
            figures::number(more)
        ),
    }
}

#[must_use]
pub fn held(seq: u64) -> String {
    format!(
        "A hold keeps entry {} and names this person there, so nothing is erased. Whoever put it \
         there may release it: quorate audit hold list, quorate audit hold release.",
        figures::number(seq)
    )
}

#[must_use]
pub fn hold(from: Option<&str>, to: Option<&str>, reason: &str) -> String {
    let from = from.unwrap_or("the first entry");
    match to {
        Some(to) => format!("from {from} to {to}: {reason}"),
        None => format!("from {from} on: {reason}"),
    }
}

/// Why nothing was done, by the code in the URL.
#[must_use]
pub fn problem(code: &str) -> (&'static str, &'static str) {
    match code {
        "not-found" => (
            "Nothing in the log is sealed for such a person.",
            "Look at the name or the id as an entry shows it; capital letters count.",
        ),
        "invalid" => (
            "Nothing was erased.",
            "It needs a name or an id, a reason of at least 3 characters, and no hold on entries that name the person.",
        ),
        code => super::step_up::problem(code),
    }
}
