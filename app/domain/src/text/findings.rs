//! What is wrong, and what to do about it: one sentence each.

use super::{duration, entries, grouped, listed};
use crate::{
    cluster::Kind, leader::Doubt, moment::Timestamp, observation::Observation, quorum::Quorum,
};

/// What is wrong, and what to do about it.
pub type Statement = (String, Option<String>);

fn say(text: impl Into<String>, hint: &str) -> Statement {
    (text.into(), Some(hint.to_owned()))
}

/// The program a cluster runs on, as people write it.
#[must_use]
pub fn backend(observation: &Observation) -> String {
    match (observation.kind, &observation.program) {
        (Kind::Agent | Kind::Simulated, Some(program)) => program.clone(),
        (kind, _) => kind.title().to_owned(),
    }
}

#[must_use]
pub fn no_quorum(quorum: &Quorum) -> Statement {
    let missing = u64::from(quorum.majority.saturating_sub(quorum.answering));
    say(
        super::sentence_no_quorum(quorum),
        &format!(
            "Bring back {} of the voters that do not answer; a membership cannot be changed without a majority.",
            super::number(missing)
        ),
    )
}

#[must_use]
pub fn nobody_answers() -> Statement {
    say(
        "No voter answers.",
        "Check that the nodes run and that this console can reach their addresses.",
    )
}

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
        super::who_names_whom(names),
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
pub fn misread(address: &str, why: &str) -> Statement {
    say(
        format!("What {address} answers cannot be believed: {why}."),
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
        super::not_counted(why),
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
pub fn tolerance_none(quorum: &Quorum) -> Statement {
    say(
        format!(
            "No voter may fail: {} of {} must answer.",
            quorum.majority, quorum.voters
        ),
        if quorum.answering < quorum.voters {
            "Bring back or replace the voter that does not answer."
        } else if quorum.answering > quorum.majority {
            "Bring back the voter that does not follow the leader."
        } else {
            "Three voters tolerate one failure; add learners and promote them."
        },
    )
}

#[must_use]
pub fn even_voters(voters: u32) -> Statement {
    say(
        format!(
            "{voters} voters tolerate no more failures than {}.",
            voters.saturating_sub(1)
        ),
        "An odd number of voters costs one answer less.",
    )
}

#[must_use]
pub fn joint_configuration() -> Statement {
    say(
        "A change of voters is under way: two voter sets must each have a majority.",
        "Wait until it is done; no other change is possible before.",
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
pub fn backend_unhealthy(kind: Kind, text: &str) -> Statement {
    if kind == Kind::Openziti {
        return say(
            text.to_owned(),
            "This is what the controllers themselves say; members can be changed all the same.",
        );
    }
    say(
        text.to_owned(),
        "This is the backend's own opinion; under steady writes it can be wrong, yet it delays promotions.",
    )
}

/// An alarm of the program itself, which stays until somebody takes it back.
#[must_use]
pub fn backend_alarm(name: &str, alarm: &str) -> Statement {
    match alarm {
        "NOSPACE" => say(
            format!(
                "The store of {name} is full (NOSPACE): the whole cluster takes no more writes."
            ),
            "Compact old revisions, defragment each member, then disarm the alarm; or raise the quota.",
        ),
        "CORRUPT" => say(
            format!(
                "The data of {name} differs from that of the others (CORRUPT): the cluster takes no more writes."
            ),
            "Find out which members agree, remove the damaged one, and add it again with an empty data directory.",
        ),
        other => say(
            format!("An alarm was raised about {name}: {other}."),
            "See the log of the member.",
        ),
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

/// A member's state in a few words, for its row.
#[must_use]
pub fn silent_for(milliseconds: u64) -> String {
    format!("silent for {}", duration(milliseconds))
}

/// `1,870 behind`
#[must_use]
pub fn behind(lag: u64) -> String {
    format!("{} behind", grouped(lag))
}

/// Why a silent member says nothing, with how long if it was ever heard.
#[must_use]
pub fn silent(heard_ms: Option<u64>, why: &str) -> String {
    match (heard_ms, why) {
        (Some(milliseconds), "") => silent_for(milliseconds),
        (Some(milliseconds), why) => format!("{}: {why}", silent_for(milliseconds)),
        (None, "") => "never heard".to_owned(),
        (None, why) => format!("never heard: {why}"),
    }
}

/// A member that answers while its lag cannot be told.
#[must_use]
pub fn lag_not_known() -> String {
    "it answers; how far behind it is is not known".to_owned()
}

#[must_use]
pub fn nobody_knows_where() -> String {
    "nobody knows where it answers".to_owned()
}

#[must_use]
pub fn not_asked_yet() -> String {
    "not asked yet".to_owned()
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
