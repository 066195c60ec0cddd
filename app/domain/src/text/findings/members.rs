//! What is wrong with one member.

use super::{Statement, say};
use crate::{
    moment::Timestamp,
    text::{duration, entries, not_counted},
};

/// What is told of a member that does not answer.
#[derive(Clone, Copy, Debug)]
pub struct Absence<'a> {
    pub name: &'a str,
    pub silent_ms: u64,
    /// It has answered before.
    pub heard: bool,
    /// Refused, unreachable, or no answer in time.
    pub why: &'a str,
    pub votes: bool,
    /// Its zone, and how many of the zone's voters still answer.
    pub zone: Option<&'a (&'a str, u64)>,
}

#[must_use]
pub fn member_unreachable(absence: &Absence<'_>) -> Statement {
    let Absence {
        name,
        silent_ms,
        heard,
        why,
        votes,
        zone,
    } = absence;
    let mut text = if *heard {
        format!("{name} has not answered for {}", duration(*silent_ms))
    } else {
        format!("{name} has not answered yet")
    };
    if why.is_empty() {
        text.push('.');
    } else {
        text.push_str(&format!(": {why}."));
    }
    let hint = if *votes {
        let left = match zone {
            Some((zone, 0)) => format!("Zone {zone} has no voter left. "),
            Some((zone, 1)) => format!("Zone {zone} has one voter left. "),
            _ => String::new(),
        };
        format!(
            "{left}If it stays away, replace it: add a learner, let it catch up, promote it, then remove {name}."
        )
    } else {
        format!("Check the process of {name}; as a learner it is not needed for the majority.")
    };
    (text, Some(hint))
}

#[must_use]
pub fn member_sealed(name: &str) -> Statement {
    say(
        format!("{name} is sealed and takes no part."),
        "Unseal it at its own address.",
    )
}

#[must_use]
pub fn member_not_started(name: &str, answers: bool) -> Statement {
    if !answers {
        return say(
            format!("{name} was added and has not started yet."),
            "Start its process as the change that added it says, or remove the member.",
        );
    }
    say(
        format!("{name} runs but was never started as a member."),
        "Check its data directory; if it is empty on purpose, remove the member and add it under a new id.",
    )
}

#[must_use]
pub fn member_misread(name: &str, why: &str) -> Statement {
    say(
        format!("What {name} answers cannot be believed: {why}."),
        "Check that the address leads to this cluster and that its certificate is trusted.",
    )
}

#[must_use]
pub fn member_denied(name: &str, why: &str) -> Statement {
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    };
    say(
        format!("{name} does not let this console look{why}."),
        "Check the console's credential and its policy.",
    )
}

#[must_use]
pub fn member_fault(name: &str, fault: &str) -> Statement {
    say(
        format!("{name} answers but its Raft has stopped: {fault}. Its words are not counted."),
        "Restart its process; do not wipe its data under the same id.",
    )
}

/// `why`: how it stands apart from the leader, as a sentence.
#[must_use]
pub fn member_apart(why: &str) -> Statement {
    say(
        not_counted(why),
        "Check that the voters reach one another: it may be cut off from the others and not from this console.",
    )
}

#[must_use]
pub fn member_lagging(name: &str, lag: Option<u64>, votes: bool) -> Statement {
    let text = lag.map_or_else(
        || format!("{name} is behind; by how much is not known now."),
        |lag| format!("{name} is {} behind the leader.", entries(lag)),
    );
    let hint = if votes {
        "A voter that lags counts as answering, but the majority may have to wait for it."
    } else {
        "Wait until it has caught up before promoting it."
    };
    say(text, hint)
}

#[must_use]
pub fn member_unconfirmed(name: &str) -> Statement {
    say(
        format!("Nobody knows where {name} answers, so it was not asked."),
        "Set api_address_pattern or the node's own API address.",
    )
}

#[must_use]
pub fn wish_pending(name: &str, to_voter: bool, leads: bool, backend: &str) -> Statement {
    let wanted = if to_voter { "voter" } else { "learner" };
    if leads && !to_voter {
        return say(
            format!(
                "{name} leads and is wanted as a learner: {backend} demotes it as soon as leadership moves."
            ),
            &format!(
                "Promote {name} to take the wish back, or transfer leadership to have it carried out."
            ),
        );
    }
    let back = if to_voter { "Demote" } else { "Promote" };
    say(
        format!(
            "{name} is wanted as a {wanted}; {backend} has accepted that and not carried it out yet."
        ),
        &format!("Wait, or see what {backend} waits for. {back} {name} to take the wish back."),
    )
}

#[must_use]
pub fn removed_still_running(id: &str, address: &str) -> Statement {
    say(
        format!("{id} at {address} is no member and still runs."),
        "Stop its process and delete its data.",
    )
}

#[must_use]
pub fn maybe_no_member(name: &str) -> Statement {
    say(
        format!("{name} is connected, and nothing proves that it is a member."),
        "If it should be one, add its address as a learner: that changes nothing where it is one already.",
    )
}

#[must_use]
pub fn left_outside(id: &str, address: &str) -> Statement {
    say(
        format!(
            "{id} was removed to change its role and not added again: it is outside the cluster."
        ),
        &format!("Add {address} as a learner, then change its role again."),
    )
}

#[must_use]
pub fn views_differ(name: &str) -> Statement {
    say(
        format!("{name} holds another membership than the leader."),
        "It passes when the member has caught up; if it stays, look for a partition.",
    )
}

#[must_use]
pub fn override_active(name: &str, by: &str, reason: &str, until: Timestamp) -> Statement {
    (
        format!(
            "{by} has set the state of {name} by hand until {}: {reason}",
            until.in_words()
        ),
        None,
    )
}
