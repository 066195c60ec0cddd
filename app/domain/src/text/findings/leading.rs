//! Who leads, where that is not plain.

use super::{Statement, say};
use crate::{
    leader::Doubt,
    text::{listed, who_names_whom},
};

#[must_use]
pub fn no_leader() -> Statement {
    say(
        "Nobody leads. Nothing can be written until a leader is elected.",
        "An election takes seconds; if none succeeds, check that the voters reach one another.",
    )
}

/// A member that is named as the leader, and does not pass for it.
#[derive(Clone, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) name: &'a str,
    pub(crate) by: Vec<String>,
    /// All voters that answer name it.
    pub(crate) by_all: bool,
    pub(crate) doubt: Doubt,
}

/// Everybody names one member, and that is not enough to call it the leader. That nothing can be
/// written is said only where the named one cannot lead any more.
#[must_use]
pub(crate) fn leader_unconfirmed(named: &Named<'_>) -> Statement {
    let name = named.name;
    let by = if named.by_all {
        "all".to_owned()
    } else {
        listed(&named.by)
    };
    let verb = if named.by.len() == 1 && !named.by_all {
        "names"
    } else {
        "name"
    };
    let elected =
        "An election takes seconds; if none succeeds, check that the voters reach one another.";
    let (why, hint) = match named.doubt {
        Doubt::Silent => (
            format!(
                "{by} still {verb} {name}, which does not answer. Nothing can be written until a leader is elected."
            ),
            elected,
        ),
        Doubt::Superseded => (
            format!(
                "{by} still {verb} {name}, and a higher term was seen. Nothing can be written until a leader is elected."
            ),
            elected,
        ),
        Doubt::NoClaim => (
            format!("{by} {verb} {name}, which does not say that it leads."),
            elected,
        ),
        Doubt::Unproven => (
            format!(
                "{name} is named by {by}, but its proof of a majority is older than an election timeout."
            ),
            "Wait a moment; if it stays, check that its majority reaches it.",
        ),
        Doubt::TooFew => (
            format!(
                "{name} claims to lead, but only {} {verb} it.",
                listed(&named.by)
            ),
            "Wait for the election to settle; if it does not, check that the voters reach one another.",
        ),
    };
    say(format!("No leader is confirmed: {why}"), hint)
}

/// `names`: who is named, and by whom.
#[must_use]
pub fn leader_disputed(names: &[(String, Vec<String>)]) -> Statement {
    say(
        who_names_whom(names),
        "Wait for the election to settle; if it does not, look for a partition between the voters.",
    )
}

#[must_use]
pub fn leader_unknown() -> Statement {
    say(
        "Who leads is not known: too few voters answer in time.",
        "Check why answers take longer than two seconds.",
    )
}
