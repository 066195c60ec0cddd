//! What can be done by raftadmin 1.2, and what is particular about it.
//!
//! What it cannot tell stays unknown, and why:
//! - the version of anything: no method tells one;
//! - the id of whoever answers: known by its address alone, so two names for one node, or a
//!   balancer before several, are found out at the leader only, which gives its own address;
//! - the index of the configuration: read where a change needs it (see `change.rs`), not in looks;
//! - how far a silent member has got: the leader's own figures of its followers are not told;
//! - how much the state machine has applied while entries wait for it;
//! - what a snapshot holds: it stays with the leader, only its index and term are told.

use quorate_domain::{action::Verb, capability::Capability};

const ID: &str = "Give the newcomer's id too, as its own program has it: raftadmin records what it is told and asks nobody.";
const KEPT: &str = "The leader keeps the snapshot itself; raftadmin hands none over.";
const WON: &str =
    "raftadmin tells that the old leader stepped down, not who won; that is looked up.";

pub(super) fn capabilities() -> Vec<Capability> {
    let capability = |action: Verb| Capability {
        action,
        supported: true,
        note: match action {
            Verb::AddLearner => Some(ID.to_owned()),
            Verb::Snapshot => Some(KEPT.to_owned()),
            Verb::Transfer => Some(WON.to_owned()),
            _ => None,
        },
        target: true,
    };
    Verb::USUAL.into_iter().map(capability).collect()
}
