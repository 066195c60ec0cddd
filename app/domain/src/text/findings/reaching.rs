//! What is wrong with the console's own way to a cluster: addresses, credentials, what it may see.

use super::{Statement, say};
use crate::{
    cluster::Kind,
    moment::Timestamp,
    text::{duration, listed},
};

#[must_use]
pub fn misread(address: &str, why: &str) -> Statement {
    say(
        format!("What {address} answers cannot be believed: {why}."),
        "Check that the address leads to this cluster and that its certificate is trusted.",
    )
}

/// A node that was asked and never answered, while nobody tells who the members are.
#[must_use]
pub fn never_heard(name: &str, why: &str) -> String {
    if why.is_empty() {
        format!("{name} does not answer.")
    } else {
        format!("{name} does not answer: {why}.")
    }
}

#[must_use]
pub fn plain_http(address: &str) -> Statement {
    say(
        format!(
            "{address} is reached by plain HTTP: credentials and answers can be read on the way."
        ),
        "Use https and name the authority in ca_file.",
    )
}

/// A program that lets everybody do everything.
#[must_use]
pub fn no_authentication(kind: Kind) -> Statement {
    say(
        format!(
            "{} asks nobody who they are: whoever reaches a member's port may change the membership, write to the log and shut members down.",
            kind.title()
        ),
        "Let it listen on loopback only, or ask for client certificates and deny ApplyLog and Shutdown by an interceptor.",
    )
}

#[must_use]
pub fn missing_permission(what: &str) -> Statement {
    say(
        format!("The console's credential lacks a right: {what}."),
        "Extend its policy; quorate check lists all that is missing.",
    )
}

#[must_use]
pub fn credential_expires(left_ms: u64) -> Statement {
    if left_ms == 0 {
        return say("The console's credential has ended.", "Give it a new one.");
    }
    say(
        format!("The console's credential ends in {}.", duration(left_ms)),
        "Renew it or give the console a new one.",
    )
}

#[must_use]
pub fn two_clusters(addresses: &[String]) -> Statement {
    say(
        format!(
            "The seeds lead to different clusters: {}.",
            listed(addresses)
        ),
        "Register each cluster under its own name.",
    )
}

#[must_use]
pub fn membership_remembered(told_at: Option<Timestamp>) -> Statement {
    let from = told_at.map_or_else(String::new, |at| {
        format!(", last known from {}", at.in_words())
    });
    say(
        format!("Nobody told the membership in the last look; the one shown is remembered{from}."),
        "Check that this console reaches the nodes.",
    )
}

#[must_use]
pub fn source_failed(source: &str, why: &str, hint: &str, kept: u64) -> Statement {
    let kept = match kept {
        0 => "It has told no address yet.".to_owned(),
        1 => "The address it told last stays in use.".to_owned(),
        kept => format!("The {kept} addresses it told last stay in use."),
    };
    say(
        format!("{source} does not tell where members are: {why}. {kept}"),
        hint,
    )
}
