//! What a change is called, what it will do, what remains to be done by hand, what it waits for.

use super::{duration, listed, reason};
use crate::{
    action::{Action, Verb},
    cluster::{Kind, Role},
    health::Verdict,
    preflight::ReasonCode,
    view::ClusterView,
};

/// A verb as a button says it.
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

/// "Promote n4 to voter in vault-eu"
#[must_use]
pub fn change_title(view: &ClusterView, action: &Action) -> String {
    let cluster = &view.name;
    match action {
        Action::AddLearner {
            address,
            member: None,
        } => {
            format!("Add {address} as a learner to {cluster}")
        }
        Action::AddLearner {
            address,
            member: Some(id),
        } => {
            format!("Add {id} at {address} as a learner to {cluster}")
        }
        Action::Promote { member } => {
            format!("Promote {} to voter in {cluster}", view.name_of(member))
        }
        Action::Demote { member } => {
            format!("Demote {} to learner in {cluster}", view.name_of(member))
        }
        Action::Remove { member } => format!("Remove {} from {cluster}", view.name_of(member)),
        Action::Transfer {
            member: Some(member),
        } => {
            format!(
                "Transfer leadership of {cluster} to {}",
                view.name_of(member)
            )
        }
        Action::Transfer { member: None } => match &view.leader.member {
            Some(leader) => {
                format!(
                    "Transfer leadership of {cluster} away from {}",
                    view.name_of(leader)
                )
            }
            None => format!("Transfer leadership of {cluster}"),
        },
        Action::Snapshot => format!("Take a snapshot of {cluster}"),
        Action::Defragment { member } => {
            format!("Defragment {} of {cluster}", view.name_of(member))
        }
        Action::CheckIntegrity => format!("Check the integrity of {cluster}"),
    }
}

/// What the backend is asked to do, after "Ask OpenBao".
#[must_use]
pub fn request(view: &ClusterView, action: &Action) -> String {
    let openbao = matches!(view.kind, Kind::Openbao | Kind::Vault);
    let openziti = view.kind == Kind::Openziti;
    match action {
        Action::Promote { member } if openziti => {
            format!(
                "to remove {} and to add it again as a voter, in one call",
                view.name_of(member)
            )
        }
        Action::Demote { member } if openziti => {
            format!(
                "to remove {} and to add it again as a non-voter, in one call",
                view.name_of(member)
            )
        }
        Action::Snapshot if openziti => {
            "for a copy of the model database on the leader's own disk".to_owned()
        }
        Action::AddLearner { address, .. } if openbao => {
            format!("at {address} itself to join the cluster as a non-voter")
        }
        Action::AddLearner { address, .. } => format!("to add {address} as a learner"),
        Action::Promote { member } if openbao => {
            format!("to clear the non-voter mark of {}", view.name_of(member))
        }
        Action::Promote { member } => format!("to make {} a voter", view.name_of(member)),
        Action::Demote { member } if openbao => {
            format!("to set the non-voter mark of {}", view.name_of(member))
        }
        Action::Demote { member } => format!("to make {} a learner", view.name_of(member)),
        Action::Remove { member } => {
            format!(
                "to remove {} from the Raft configuration",
                view.name_of(member)
            )
        }
        Action::Transfer {
            member: Some(member),
        } => {
            format!("to hand leadership to {}", view.name_of(member))
        }
        Action::Transfer { member: None } => "to make the leader step down".to_owned(),
        Action::Snapshot if view.kind == Kind::Etcd => {
            "for a copy of the store of a voter that is level".to_owned()
        }
        Action::Snapshot => "for a snapshot of the leader's state".to_owned(),
        Action::Defragment { member } => {
            format!(
                "at {} to write its store anew, without gaps",
                view.name_of(member)
            )
        }
        Action::CheckIntegrity => {
            "at the leader to look through its model for what is inconsistent".to_owned()
        }
    }
}

/// What is waited for, after "Wait".
#[must_use]
pub fn waiting(view: &ClusterView, action: &Action, patience_ms: u64) -> String {
    let until = match action {
        Action::AddLearner { .. } => "until it is a learner in the Raft configuration".to_owned(),
        Action::Promote { .. } => "until it is a voter in the Raft configuration".to_owned(),
        Action::Demote { .. } => "until it is a learner in the Raft configuration".to_owned(),
        Action::Remove { .. } => "until it is gone from the Raft configuration".to_owned(),
        Action::Transfer {
            member: Some(member),
        } => {
            format!(
                "until a majority agrees that {} leads",
                view.name_of(member)
            )
        }
        Action::Transfer { member: None } => "until a majority agrees on another leader".to_owned(),
        Action::Snapshot if kept_by_backend(view) => {
            "until the leader has written and kept it".to_owned()
        }
        Action::Snapshot => "until it has arrived whole".to_owned(),
        Action::Defragment { member } => {
            format!(
                "until it is done and {} answers again",
                view.name_of(member)
            )
        }
        Action::CheckIntegrity => "until the leader says that it is over".to_owned(),
    };
    format!("{until}, at most {}", duration_in_seconds(patience_ms))
}

fn duration_in_seconds(milliseconds: u64) -> String {
    if milliseconds <= 120_000 {
        format!("{} s", milliseconds / 1_000)
    } else {
        duration(milliseconds)
    }
}

/// Programs with an agent keep their snapshots themselves; only OpenBao hands its own over.
const fn kept_by_backend(view: &ClusterView) -> bool {
    matches!(view.kind, Kind::Agent | Kind::Openziti | Kind::Raftadmin)
}

/// What is checked at the end, after "Check".
#[must_use]
pub fn final_check(view: &ClusterView, action: &Action) -> String {
    match action {
        Action::Snapshot if kept_by_backend(view) => {
            "that the leader names it and the index it reaches; its contents stay there".to_owned()
        }
        Action::Snapshot => "its contents to the end against its own checksums".to_owned(),
        Action::CheckIntegrity => "what it found; nothing is repaired".to_owned(),
        _ => "that majority and leader are as foreseen".to_owned(),
    }
}

/// What remains to be done by hand, or is worth knowing beforehand.
#[must_use]
pub fn notes(view: &ClusterView, action: &Action, may_choose: bool) -> Vec<String> {
    let openbao = matches!(view.kind, Kind::Openbao | Kind::Vault);
    match action {
        Action::AddLearner { address, .. } if view.kind == Kind::Etcd => {
            super::etcd::newcomer(view, address)
        }
        Action::Remove { member } if view.kind == Kind::Etcd => super::etcd::removed(view, member),
        Action::AddLearner { address, .. } => {
            let mut notes = vec![format!(
                "The new node must be running at {address} and empty."
            )];
            if openbao {
                notes.push(
                    "If the cluster is unsealed by hand, unseal the new node at its own address once it has joined."
                        .to_owned(),
                );
            }
            notes
        }
        Action::Remove { member } => {
            let name = view.name_of(member);
            let back = if openbao || view.kind == Kind::Openziti {
                "To come back it needs an empty data directory; then add it anew.".to_owned()
            } else {
                format!(
                    "To come back it needs an empty data directory and a fresh id, not {member}."
                )
            };
            vec![
                format!("Afterwards stop the process of {name} and delete its data."),
                back,
            ]
        }
        Action::Transfer { .. } if !may_choose => {
            vec![super::target_cannot_be_chosen(view.backend())]
        }
        Action::Promote { .. } | Action::Demote { .. } if openbao => vec![format!(
            "{} carries this out in its own loop, usually within ten seconds; under steady writes it can take longer.",
            view.backend()
        )],
        Action::Promote { .. }
        | Action::Demote { .. }
        | Action::Transfer { .. }
        | Action::Snapshot => Vec::new(),
        Action::Defragment { member } => vec![
            format!(
                "{} answers nothing while this runs, usually for some seconds a gigabyte.",
                view.name_of(member)
            ),
            "Defragment one member after the other, the leader last. It gives back only what compaction has freed."
                .to_owned(),
        ],
        Action::CheckIntegrity => vec![
            "It reads the whole model, which a large network feels. What it finds is a finding until another check finds nothing."
                .to_owned(),
        ],
    }
}

#[must_use]
pub fn moved_membership(was: &str, is: &str) -> String {
    format!("The membership has changed: it was {was}, it is {is}.")
}

#[must_use]
pub fn moved_leader(was: Option<&str>, is: Option<&str>) -> String {
    let word = |leader: Option<&str>| leader.unwrap_or("nobody").to_owned();
    format!(
        "The leader has changed: it was {}, it is {}.",
        word(was),
        word(is)
    )
}

#[must_use]
pub fn moved_term(was: u64, is: u64) -> String {
    format!("There was an election: it was term {was}, it is term {is}.")
}

#[must_use]
pub fn moved_verdict(was: Verdict, is: Verdict) -> String {
    format!(
        "The cluster has become worse: it was {}, it is {}.",
        verdict(was),
        verdict(is)
    )
}

/// Reasons that were not there when it was decided.
#[must_use]
pub fn moved_reasons(codes: &[ReasonCode]) -> String {
    let words: Vec<&str> = codes.iter().map(|code| reason(*code)).collect();
    format!("New reasons against it: {}.", listed(&words))
}

/// A verdict in words.
#[must_use]
pub const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::AtRisk => "at risk",
        Verdict::NoQuorum => "without quorum",
        Verdict::Unknown => "unknown",
    }
}

/// A role in a word.
#[must_use]
pub const fn role(role: Role) -> &'static str {
    match role {
        Role::Voter => "voter",
        Role::Learner => "learner",
        Role::Witness => "witness",
    }
}

#[must_use]
pub fn waits_for_look(age_ms: u64) -> String {
    format!(
        "The last look is {} old; a newer one is needed.",
        duration(age_ms)
    )
}

#[must_use]
pub fn waits_for_leader() -> String {
    "No leader is agreed, so the membership cannot be believed.".to_owned()
}

#[must_use]
pub fn waits_for_joint() -> String {
    "The joint configuration has not ended yet.".to_owned()
}

#[must_use]
pub fn waits_for_member(what: &str) -> String {
    format!("{what} is not in the Raft configuration yet.")
}

/// A member that has another role than expected, with nothing pending.
#[must_use]
pub fn waits_for_role(name: &str, has: Role) -> String {
    format!("{name} is still a {}.", role(has))
}

/// A newcomer that came out as a voter although it was to be a learner.
#[must_use]
pub fn came_out_otherwise(name: &str, has: Role, wanted: Role) -> String {
    format!(
        "{name} came out as a {} instead of a {}.",
        role(has),
        role(wanted)
    )
}

/// A wish the backend has accepted and not carried out.
#[must_use]
pub fn waits_for_wish(backend: &str, because: Option<&str>) -> String {
    match because {
        Some(because) => {
            format!("{backend} has accepted it and not carried it out yet, because: {because}")
        }
        None => format!("{backend} has accepted it and not carried it out yet."),
    }
}

#[must_use]
pub fn wish_waits_for_leader_to_move(name: &str) -> String {
    format!("{name} leads, and a leader is not demoted until leadership moves.")
}

#[must_use]
pub fn waits_for_answer(name: &str) -> String {
    format!("{name} does not answer yet.")
}

#[must_use]
pub fn waits_for_departure(name: &str) -> String {
    format!("{name} is still in the Raft configuration.")
}

#[must_use]
pub fn waits_for_new_leader() -> String {
    "No other leader is agreed yet.".to_owned()
}

#[must_use]
pub fn leader_did_not_move(name: &str) -> String {
    format!("{name} still leads.")
}

#[must_use]
pub fn another_leads(name: &str, wanted: &str) -> String {
    format!("{name} was elected instead of {wanted}.")
}

/// The first word of a step that waits.
pub const WAIT: &str = "Wait";

/// The first word of a step that checks.
pub const CHECK: &str = "Check";

/// The first words of a step that asks the backend.
#[must_use]
pub fn ask(backend: &str) -> String {
    format!("Ask {backend}")
}
