//! What is wrong with the console itself, beside the clusters it watches. Places outside are named
//! as the configuration calls them: everybody who is signed in reads this.

pub const AUDIT_REFUSES: &str =
    "The audit log takes no entries, so nothing is sent to any cluster.";
/// For those who may not read the log, instead of the reason.
pub const AUDIT_ASK: &str = "Whoever may read the audit log is told why.";

#[must_use]
pub fn audit_copy_behind(place: &str) -> String {
    format!(
        "The copy of the audit log to {place} has been behind for too long: what is newer could be \
         cut off without a trace."
    )
}

/// Why it is behind, where nothing failed.
pub const AUDIT_COPY_SLOW: &str = "It does not keep up. The Audit page says how far it reaches.";

#[must_use]
pub fn audit_copy_fails(place: &str) -> String {
    format!("The copy of the audit log to {place} fails. It is tried again.")
}

#[must_use]
pub fn audit_report_fails(report: &str) -> String {
    format!("The report {report} cannot be made. It is tried again.")
}

#[must_use]
pub fn audit_delivery_fails(place: &str) -> String {
    format!("Reports cannot be delivered to {place}. It is tried again.")
}

#[must_use]
pub fn audit_reports_aside(place: &str, count: u64) -> String {
    match count {
        1 => format!("A report for {place} was set aside and is not delivered."),
        more => format!("{more} reports for {place} were set aside and are not delivered."),
    }
}

/// What is to be done about reports that were set aside.
#[must_use]
pub fn audit_aside_hint(count: u64) -> String {
    let (files, them) = match count {
        1 => (
            "Its files were lost or changed while it waited. It lies",
            "it",
        ),
        _ => (
            "Their files were lost or changed while they waited. They lie",
            "each",
        ),
    };
    format!("{files} in the data directory, in audit-outbox; an export makes {them} anew.")
}

/// The reason as a sentence.
#[must_use]
pub fn audit_because(why: &str) -> String {
    format!("The reason: {}.", why.trim_end_matches('.'))
}
