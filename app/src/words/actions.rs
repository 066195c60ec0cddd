//! The words of changes: the dialog that asks for one, its progress, its page, and the errors
//! of asking.

use quorate_domain::{
    action::Verb,
    cluster::Kind,
    job::{ChangeState, StepState},
    moment::Timestamp,
    preflight::Level,
};

// Errors of server functions that have no words of their own: (what happened, what to do).
pub const NOT_SIGNED_IN: &str = "You are not signed in.";
pub const NOT_SIGNED_IN_HINT: &str = "Sign in again; nothing was done.";
pub const CONSOLE_UNREACHABLE: (&str, &str) = (
    "The console did not answer.",
    "See whether it runs and can be reached, then try again. If you had asked for a change, look under Changes first: it may have been recorded.",
);
pub const MALFORMED: (&str, &str) = (
    "The console did not understand this page's request.",
    "Reload the page: it may be older than the console. Nothing was done.",
);
pub const ANSWER_NOT_UNDERSTOOD: (&str, &str) = (
    "This page did not understand the answer.",
    "Reload the page: you may have been signed out, or it is older than the console. If you had asked for a change, look under Changes first.",
);
pub const INTERNAL: (&str, &str) = (
    "The console failed to answer.",
    "Look under Changes whether anything was recorded; the console's own log says what failed.",
);
pub const WHAT_MOVED: &str = "What moved";

/// The dialog's title before the preview brings the exact one.
#[must_use]
pub fn title(verb: Verb, member: Option<&str>, cluster: &str) -> String {
    let member = member.unwrap_or("a member");
    match verb {
        Verb::AddLearner => format!("Add a learner to {cluster}"),
        Verb::Promote => format!("Promote {member} to voter in {cluster}"),
        Verb::Demote => format!("Demote {member} to learner in {cluster}"),
        Verb::Remove => format!("Remove {member} from {cluster}"),
        Verb::Transfer => format!("Transfer leadership in {cluster}"),
        Verb::Snapshot => format!("Take a snapshot of {cluster}"),
        Verb::Defragment => format!("Defragment {member} of {cluster}"),
        Verb::CheckIntegrity => format!("Check the integrity of {cluster}"),
    }
}

// The dialog.
#[must_use]
pub fn basis(age: &str, membership: &str) -> String {
    format!(
        "Decided on the cluster as seen {age} ago, membership {membership}. If it changes before you confirm, nothing is done."
    )
}
pub const LOOKING: &str = "Looking at the cluster and working out what this would do.";
pub const ADDRESS_FIRST: &str = "Give the newcomer's address to see what adding it would do. Nothing is sent to the cluster until you confirm.";
pub const BEFORE: &str = "Now";
pub const AFTER: &str = "Afterwards";
pub const FORESEEN: &str = "Foreseen";
pub const SEEN: &str = "Seen at the end";
pub const SEEN_BEFORE: &str = "Before";
pub const VOTERS: &str = "Voters";
pub const MAJORITY: &str = "Majority";
pub const MAY_FAIL: &str = "May fail";
pub const LEARNERS: &str = "Learners";
pub const LEADER: &str = "Leader";
pub const NONE: &str = "none";
pub const NOT_KNOWN: &str = "not known";

#[must_use]
pub fn voters(voters: u32, answering: u32) -> String {
    format!("{voters}, {answering} answer")
}

/// How many more voters may fail.
#[must_use]
pub fn may_fail(tolerates: Option<i64>) -> String {
    match tolerates {
        None => NOT_KNOWN.to_owned(),
        Some(0) => "none".to_owned(),
        Some(more) if more > 0 => format!("{more} more"),
        Some(missing) => format!("majority lost, {} missing", missing.unsigned_abs()),
    }
}

pub const CHECKS: &str = "Checks";
pub const STEPS: &str = "What will be done";
pub const NOTES: &str = "Notes";
pub const SAME_AS_COMMAND: &str = "The same as a command";
pub const NEWCOMERS_COMMAND: &str = "Starts the newcomer";
pub const COPY: &str = "Copy";
pub const COPIED: &str = "Copied";
pub const COPY_FAILED: &str = "Could not copy; select it instead";

#[must_use]
pub const fn level(level: Level) -> &'static str {
    match level {
        Level::Allow => "holds",
        Level::Warn => "warning",
        Level::Refuse => "refused",
    }
}

/// The shape in front of a check; never the only sign.
#[must_use]
pub const fn level_mark(level: Level) -> &'static str {
    match level {
        Level::Allow => "✓",
        Level::Warn => "!",
        Level::Refuse => "✕",
    }
}

pub const REASON: &str = "Reason (kept in the audit log)";
pub const REASON_LIMIT: usize = 500;
pub const TICKET: &str = "Ticket (optional)";
pub const TICKET_LIMIT: usize = 100;
#[must_use]
pub fn counted(used: usize, limit: usize) -> String {
    format!("{used} of {limit} characters")
}
pub const ADDRESS: &str = "Address of the newcomer";

/// Which of a newcomer's addresses is meant.
#[must_use]
pub const fn address_hint(kind: Kind) -> &'static str {
    match kind {
        Kind::Openbao | Kind::Vault => "Its API address.",
        Kind::Etcd => "Its peer address, as it will advertise it.",
        Kind::Openziti => "Its control address.",
        Kind::Raftadmin => "Its Raft address: host and port.",
        Kind::Agent | Kind::Simulated => "The address of its agent.",
    }
}

/// What a newcomer's address looks like there.
#[must_use]
pub const fn address_form(kind: Kind) -> &'static str {
    match kind {
        Kind::Openbao | Kind::Vault => "https://10.20.0.4:8200",
        Kind::Etcd => "https://10.20.0.4:2380",
        Kind::Openziti => "tls:ctrl4.example:6262",
        Kind::Raftadmin => "10.20.0.4:7000",
        Kind::Agent | Kind::Simulated => "http://127.0.0.1:7001",
    }
}

/// The field for a newcomer's id, and what it is for.
#[must_use]
pub const fn expected_id(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Raftadmin => ("Its id", "As its own program has it: raftadmin cannot ask."),
        _ => (
            "Its id (optional)",
            "Checked if given, where the backend tells it.",
        ),
    }
}
pub const SHOW_WHAT_HAPPENS: &str = "Show what it would do";
pub const TARGET: &str = "New leader";
pub const TARGET_BY_BACKEND: &str = "Chosen by the cluster";
#[must_use]
pub fn type_the_name(name: &str) -> String {
    format!("Type {name} to remove it")
}
pub const CANCEL: &str = "Cancel";
pub const CLOSE: &str = "Close";

// Why the confirm button cannot be used.
pub const WHY_LOOKING: &str = "Waits for the preview.";
pub const WHY_NO_PREVIEW: &str = "There is no preview to decide on.";
pub const WHY_REFUSED: &str = "Refused by the checks above.";
pub const WHY_MOVED: &str = "The cluster has moved; review again.";
pub const WHY_REASON: &str = "Give a reason first.";
pub const WHY_REASON_LONG: &str = "The reason is too long.";
pub const WHY_TICKET_LONG: &str = "The ticket is too long.";
pub const WHY_NAME: &str = "Type the member's name first.";
pub const WHY_ADDRESS: &str = "Give an address first.";
pub const WHY_UNSEEN: &str = "See first what it would do.";
pub const WHY_SENDING: &str = "Being recorded.";

pub const MOVED_TITLE: &str = "The cluster has moved since this was worked out.";
pub const REVIEW_AGAIN: &str = "Review again";
pub const NOT_DONE: &str = "Nothing was done.";
pub const MAYBE_DONE: &str = "It is not known whether the console recorded this change.";
pub const LOOK_UNDER_CHANGES: &str = "Look under Changes";
pub const TRY_AGAIN: &str = "Try again";
pub const RUNS_ON: &str = "The change runs on when this is closed; it is listed under Changes.";
pub const PROGRESS_UNSEEN: &str =
    "The change was recorded, but its progress cannot be read now; it runs on.";
pub const OPEN_CHANGE: &str = "Open the change";
#[must_use]
pub fn request_entry(seq: u64) -> String {
    format!("Audit entry {seq} (request)")
}
#[must_use]
pub fn intent_entry(seq: u64) -> String {
    format!("Audit entry {seq} (intent)")
}
#[must_use]
pub fn outcome_entry(seq: u64) -> String {
    format!("Audit entry {seq} (outcome)")
}
/// `what` is a sentence of what is seen so far; of a change that waits for approval it is a clause.
#[must_use]
pub fn waits(state: ChangeState, what: &str) -> String {
    match state {
        ChangeState::WaitingApproval => format!("Waits for {what}"),
        _ => format!("Waiting: {what}"),
    }
}

#[must_use]
pub const fn step_state(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "not begun",
        StepState::Running => "under way",
        StepState::Done => "done",
        StepState::Failed => "failed",
        StepState::Unknown => "outcome unknown",
    }
}

#[must_use]
pub const fn step_mark(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "○",
        StepState::Running => "◐",
        StepState::Done => "✓",
        StepState::Failed => "✕",
        StepState::Unknown => "?",
    }
}

// Changes.
/// Said when the change itself brought no sentence.
#[must_use]
pub const fn outcome(state: ChangeState) -> &'static str {
    match state {
        ChangeState::Queued => "It is recorded and has not begun.",
        ChangeState::Running => "It is under way.",
        ChangeState::Succeeded => "It was done, and seen to be done.",
        ChangeState::Failed => "It was not done.",
        ChangeState::Unknown => "It is not known whether it was done.",
        ChangeState::Cancelled => "It was cancelled before anything was sent.",
        ChangeState::WaitingApproval => "It waits for approval.",
        ChangeState::Denied => "It was denied; nothing was sent.",
        ChangeState::Expired => "It was not approved in time; nothing was sent.",
    }
}

#[must_use]
pub fn changes_sentence(running: usize, listed: usize) -> String {
    match (running, listed) {
        (0, 0) => NO_CHANGE.to_owned(),
        (0, _) => "No change is running.".to_owned(),
        (1, _) => "1 change is running.".to_owned(),
        (more, _) => format!("{more} changes are running."),
    }
}
pub const CHANGES_EMPTY: &str = "Changes begin on a cluster's page: add a learner, promote, demote, remove, transfer, take a snapshot.";
pub const NO_CHANGE: &str = "No change has been asked for yet.";
#[must_use]
pub fn changes_table(which: &str) -> String {
    format!("{which} changes; times are UTC")
}
pub const RUNNING: &str = "Running";
pub const DONE: &str = "Done";
pub const WHAT: &str = "What";
pub const CLUSTER: &str = "Cluster";
pub const WHO: &str = "Who";
pub const WHY: &str = "Why";
pub const STATE: &str = "State";
pub const ASKED_AT: &str = "Asked at (UTC)";
pub const ASKED: &str = "Asked";
pub const ENDED: &str = "Ended";
#[must_use]
pub fn after(span: &str) -> String {
    format!("after {span}")
}
pub const TOOK: &str = "Took";
pub const TICKET_SHORT: &str = "Ticket";
pub const STEPS_TAKEN: &str = "Steps";
pub const BEFORE_AND_AFTER: &str = "Before and after";
pub const REQUEST: &str = "Request";
pub const RECORDED_AS: &str = "Recorded as";
pub const CHECKS_THEN: &str = "Checks when it was asked for";
pub const AFTERWARDS: &str = "What remains";
pub const WHAT_NOW: &str = "What to do now";
pub const CHANGE_ID: &str = "Change";
pub const MEMBERSHIP_DECIDED_ON: &str = "Membership decided on";

/// What to do when a change ended without a known outcome.
#[must_use]
pub fn after_unknown(cluster: &str) -> [String; 2] {
    [
        format!("Look at {cluster} first: its members and leader show what holds now."),
        "Ask again only if it has not happened and nothing waits in the cluster; a request sent twice may be carried out twice.".to_owned(),
    ]
}

#[must_use]
pub fn after_failed(cluster: &str) -> String {
    format!("Nothing of it holds in {cluster}. Remove the cause, then ask again.")
}

pub const SNAPSHOT: &str = "Snapshot";
pub const DOWNLOAD_SNAPSHOT: &str = "Download the snapshot";
pub const DOWNLOAD_SNAPSHOT_HINT: &str = "A file with all data of the cluster. The download is recorded in the audit log and needs the role admin. Here the newest of each cluster stay; older ones are removed, which is an entry of the log too.";

// Problems.
pub const NOTHING_WRONG: &str = "Nothing is wrong.";
pub const NO_CLUSTERS: &str = "No cluster is registered, so nothing is watched.";
#[must_use]
pub fn problems_sentence(findings: usize, clusters: usize, console: bool) -> String {
    let findings = if findings == 1 {
        "1 finding".to_owned()
    } else {
        format!("{findings} findings")
    };
    let clusters = if clusters == 1 {
        "1 cluster".to_owned()
    } else {
        format!("{clusters} clusters")
    };
    match (clusters.as_str(), console) {
        ("0 clusters", _) => format!("{findings} in the console itself."),
        (_, true) => format!("{findings} in {clusters} and in the console itself."),
        (_, false) => format!("{findings} in {clusters}."),
    }
}
#[must_use]
pub fn all_watched(clusters: usize) -> String {
    if clusters == 1 {
        "1 cluster is watched.".to_owned()
    } else {
        format!("{clusters} clusters are watched.")
    }
}
pub const PROBLEMS_EMPTY: &str =
    "What is found in any cluster is listed here as soon as it is seen, worst first.";
pub const SEVERITY_BAD: &str = "urgent";
pub const SEVERITY_WARN: &str = "warning";
pub const SEVERITY_INFO: &str = "note";
#[must_use]
pub fn since(moment: Timestamp) -> String {
    format!("since {} {} UTC", moment.day(), moment.clock())
}
#[must_use]
pub fn open_cluster(name: &str) -> String {
    format!("Open {name}")
}
pub const OPEN_CLUSTER: &str = "Open";
pub const OPEN_AUDIT: &str = "Open the audit log";
/// Where a finding about the console itself is listed instead of a cluster.
pub const CONSOLE_ITSELF: &str = "the console itself";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_majority_is_never_called_tolerance() {
        assert_eq!(may_fail(Some(1)), "1 more");
        assert_eq!(may_fail(Some(0)), "none");
        assert_eq!(may_fail(Some(-2)), "majority lost, 2 missing");
        assert_eq!(may_fail(None), "not known");
    }
}
