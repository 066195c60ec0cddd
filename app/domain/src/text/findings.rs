//! What is wrong, and what to do about it: one sentence each. Here what is about a cluster as a
//! whole.

use crate::{cluster::Kind, observation::Observation, quorum::Quorum};

mod leading;
mod members;
mod reaching;
mod states;

pub use leading::*;
pub use members::*;
pub use reaching::*;
pub use states::*;

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
