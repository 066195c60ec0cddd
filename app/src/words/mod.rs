//! The labels of the page: titles, buttons, column heads, and how figures are written.
//!
//! What is said about a cluster stands in `quorate_domain::text`; here are the words around it.

use quorate_domain::{
    action::Verb,
    audit::Means,
    cluster::Role,
    job::ChangeState,
    permission::Duty,
    readiness::{Readiness, Reads},
    view::MemberState,
};

pub mod access;
pub mod actions;
pub mod approval;
pub mod audit;
pub mod cluster;
#[cfg(feature = "ssr")]
pub mod erasure;
pub mod figures;
pub mod fleet;
pub mod groups;
pub mod ring;
#[cfg(feature = "ssr")]
pub mod step_up;

pub const PRODUCT: &str = "Quorate";
pub const DESCRIPTION: &str = "One console for every Raft cluster.";

pub const FLEET: &str = "Fleet";
pub const PROBLEMS: &str = "Problems";
pub const CHANGES: &str = "Changes";
pub const CHANGE: &str = "Change";
pub const AUDIT: &str = "Audit";
pub const AUDIT_ENTRY: &str = "Audit entry";
pub const ACCESS: &str = "Access";
pub const SIGN_IN: &str = "Sign in";
pub const SIGN_OUT: &str = "Sign out";

pub const SKIP_TO_CONTENT: &str = "Skip to content";
pub const CONSOLE: &str = "Console";
pub const MAIN_NAVIGATION: &str = "Main";
pub const WHERE_I_AM: &str = "Where I am";
pub const THEME: &str = "Theme";
pub const SINGLE_KEYS: &str = "Single keys ( / j k )";
pub const THEME_SYSTEM: &str = "System";
pub const THEME_LIGHT: &str = "Light";
pub const THEME_DARK: &str = "Dark";

pub const RELOAD: &str = "Reload";
pub const RECONNECTING: &str = "Reconnecting";
pub const CONNECTING: &str = "Connecting";
pub const SIGNED_OUT: &str = "Signed out";
pub const SIGN_IN_AGAIN: &str = "Sign in again";
pub const CONSOLE_UNREACHABLE: &str = "Console unreachable";
pub const LOADING: &str = "Asking the console";

pub const PART_MISSING: &str = "This part of the console could not be loaded";
pub const PART_MISSING_HINT: &str = "This page is of an older version of the console, or the console cannot be reached. Nothing was lost: reload the page.";
pub const UPGRADED: &str = "This page is of an older version of the console: reload it.";

pub const NOT_FOUND: &str = "There is no such page";
pub const NOT_FOUND_HINT: &str = "The address may be mistyped, or what it showed is gone.";
pub const TO_FLEET: &str = "To the fleet";
pub const REQUEST: &str = "Request";

/// What happened as a sentence: "the cluster is not there" reads "The cluster is not there."
#[must_use]
pub fn sentence(title: &str) -> String {
    // What ends with a full stop is a sentence already, and may begin with a name.
    if title.ends_with(['.', '?']) {
        return title.to_owned();
    }
    // The console's own titles begin with plain letters; all of Unicode's would be a table larger
    // than all these words.
    let mut sentence = title.to_owned();
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    sentence.push('.');
    sentence
}

/// "live, 0.4 s ago"
#[must_use]
pub fn live(age: &str) -> String {
    format!("live, {age}")
}

/// "As of 14:02:52 UTC"
#[must_use]
pub fn as_of(clock: &str) -> String {
    format!("As of {clock} UTC")
}

/// "Reconnecting, last seen 12 s ago"
#[must_use]
pub fn last_seen(what: &str, age: &str) -> String {
    format!("{what}, last seen {age}")
}

#[must_use]
pub const fn role(role: Role) -> &'static str {
    match role {
        Role::Voter => "voter",
        Role::Learner => "learner",
        Role::Witness => "witness",
    }
}

pub const LEADER: &str = "leader";

#[must_use]
pub const fn state(state: MemberState) -> &'static str {
    match state {
        MemberState::InStep => "in step",
        MemberState::CatchingUp => "catching up",
        MemberState::Unreachable => "unreachable",
        MemberState::NotStarted => "not started",
        MemberState::Sealed => "sealed",
        MemberState::Unconfirmed => "unconfirmed",
        MemberState::Removed => "removed",
        MemberState::Unknown => "unknown",
    }
}

pub const OVERRIDDEN: &str = "set by hand";

#[must_use]
pub const fn change_state(state: ChangeState) -> &'static str {
    match state {
        ChangeState::Queued => "queued",
        ChangeState::Running => "running",
        ChangeState::Succeeded => "succeeded",
        ChangeState::Failed => "failed",
        ChangeState::Unknown => "outcome unknown",
        ChangeState::Cancelled => "cancelled",
        ChangeState::WaitingApproval => "waits for approval",
        ChangeState::Denied => "denied",
        ChangeState::Expired => "expired",
    }
}

/// What a button says.
#[must_use]
pub const fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::AddLearner => "Add learner",
        Verb::Promote => "Promote",
        Verb::Demote => "Demote",
        Verb::Remove => "Remove",
        Verb::Transfer => "Transfer leadership",
        Verb::Snapshot => "Take snapshot",
        Verb::Defragment => "Defragment",
        Verb::CheckIntegrity => "Check integrity",
    }
}

#[must_use]
pub const fn readiness(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Unknown => "unknown",
        Readiness::Starting => "starting",
        Readiness::NoLeader => "knows no leader",
        Readiness::CatchingUp => "catching up",
        Readiness::Ready => "ready",
    }
}

#[must_use]
pub const fn reads(reads: Reads) -> &'static str {
    match reads {
        Reads::None => "none",
        Reads::Stale => "stale reads",
        Reads::BoundedStaleness => "stale reads with a known bound",
        Reads::Linearizable => "linearizable reads",
    }
}

#[must_use]
pub const fn duty(duty: Duty) -> &'static str {
    duty.as_str()
}

/// Said on every page while somebody is in by the socket, and on Problems afterwards.
#[cfg(feature = "ssr")]
#[must_use]
pub fn emergency(
    open: bool,
    by: &str,
    at: quorate_domain::moment::Timestamp,
    reason: &str,
) -> String {
    let at = format!("{} {} UTC", at.day(), at.clock());
    if open {
        format!(
            "Break-glass is open: somebody came in by the console's own socket ({by}), {at}. Reason: {reason}"
        )
    } else {
        format!("Break-glass was used ({by}), {at}. Reason: {reason}")
    }
}

/// How somebody was identified, under their name.
#[must_use]
pub const fn means(means: Means) -> &'static str {
    match means {
        Means::Password => "Local account, by password",
        Means::SignInLink => "Local account, by one-time link",
        Means::Token => "API token",
        Means::TrustedHeader => "Unsigned identity, from the sign-on proxy's headers",
        Means::JwtHeader => "Sign-on proxy, by signed assertion",
        Means::Oidc => "OpenID Connect (oidc)",
        Means::BreakGlass => "Break-glass, by the socket on the console's machine",
        Means::CommandLine => "Command line on the console's machine",
        Means::Console => "The console itself",
        Means::Nobody => "Not identified",
    }
}

/// What was shown is not there any more: (what happened, what to do).
#[must_use]
pub fn gone(status: u16) -> (String, &'static str) {
    (
        format!("The console answers {status} for what this page shows."),
        "It may have been taken out of the configuration. Go back to the fleet.",
    )
}
