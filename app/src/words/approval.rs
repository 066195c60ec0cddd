//! The words of approval by other people.

use quorate_domain::moment::Timestamp;

pub const TITLE: &str = "Approval";
pub const WAITING: &str = "Waiting for approval";
pub const BY: &str = "Approved by";
pub const NOBODY_YET: &str = "nobody yet";
pub const DENIED_BY: &str = "Denied by";
pub const UNTIL: &str = "Until";
pub const BOUND_TO: &str = "Bound to";
pub const REASON: &str = "Your reason (kept in the audit log; needed to deny)";
pub const CANCEL_REASON: &str = "Your reason (optional, kept in the audit log)";
pub const APPROVE: &str = "Approve";
pub const DENY: &str = "Deny";
pub const CANCEL: &str = "Take it back";
pub const OWN: &str = "You asked for it: somebody else must approve it.";
pub const SPOKEN: &str = "You have approved it. You may still deny it.";
pub const MEANS: &str = "Approving means: exactly this change, on the cluster as it was seen. If the cluster moves, every approval is void. Denying is final.";

#[must_use]
pub fn so_far(given: usize, needed: u32) -> String {
    format!("{given} of {needed}")
}

/// "2026-11-21 14:02:52 UTC: looks right"
#[must_use]
pub fn word(at: Timestamp, reason: &str) -> String {
    match reason {
        "" => at.in_words(),
        reason => format!("{}: {reason}", at.in_words()),
    }
}

#[must_use]
pub fn waiting(count: usize) -> String {
    match count {
        1 => "1 change waits for approval.".to_owned(),
        count => format!("{count} changes wait for approval."),
    }
}

/// Why a word on a change did not count, by the problem's code.
#[must_use]
pub fn problem(code: &str) -> &'static str {
    match code {
        "own-change" => OWN,
        "already-approved" => "You have approved it already: one person counts once.",
        "change-not-waiting" => "It does not wait any more; below is what became of it.",
        "cluster-moved" => "The cluster moved since this was asked for, so nothing was sent.",
        "not-allowed" => "This needs the role approver on this cluster.",
        "audit-unavailable" => "Nothing was done: the audit log takes no entries.",
        _ => "Nothing was done: give a reason in one line of at most 500 characters.",
    }
}
