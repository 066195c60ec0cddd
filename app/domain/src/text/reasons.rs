//! Why an action is allowed, warned of or refused; and why a person may not.

use super::{alternatives, duration, entries, grouped, listed};
use crate::{
    cluster::{Kind, MemberId, Role},
    following::Apart,
    preflight::ReasonCode,
    quorum::Quorum,
    view::{MemberState, MemberView},
};

/// A reason in a few words, for buttons and for what has moved.
#[must_use]
pub const fn reason(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::ReadOnly => "this console only reads",
        ReasonCode::NotSupported => "not supported here",
        ReasonCode::NotSeenYet => "not looked at yet",
        ReasonCode::LookTooOld => "the last look is too old",
        ReasonCode::NoAgreedLeader => "no leader is agreed",
        ReasonCode::NoQuorum => "too few voters answer",
        ReasonCode::ChangeRunning => "another change is running",
        ReasonCode::JointConfiguration => "a change of voters is under way",
        ReasonCode::ViewsDiffer => "members hold different memberships",
        ReasonCode::MemberUnknown => "no such member",
        ReasonCode::MemberUnconfirmed => "the member is not confirmed",
        ReasonCode::AlreadyMember => "already a member",
        ReasonCode::AlreadyVoter => "already a voter",
        ReasonCode::AlreadyLearner => "already a learner",
        ReasonCode::IsLeader => "it leads; transfer first",
        ReasonCode::LastVoter => "too few voters would be left",
        ReasonCode::QuorumWouldBeLost => "the majority would be lost",
        ReasonCode::MemberNotSeen => "the member does not answer",
        ReasonCode::TooFarBehind => "too far behind",
        ReasonCode::LagUnknown => "how far behind it is is not known",
        ReasonCode::MemberApart => "a voter does not follow the leader",
        ReasonCode::WishPending => "an earlier wish is not carried out yet",
        ReasonCode::TargetIsLeader => "it leads already",
        ReasonCode::TargetNotVoter => "the target is no voter",
        ReasonCode::TargetNotNamed => "a target must be named",
        ReasonCode::TargetCannotBeChosen => "the target cannot be chosen",
        ReasonCode::TargetNotSeen => "the target does not answer",
        ReasonCode::TargetLagging => "the target is behind",
        ReasonCode::TargetJustRestarted => "the target has just restarted",
        ReasonCode::NoOtherVoter => "no other voter answers",
        ReasonCode::IdNotGiven => "the newcomer's id is not given",
        ReasonCode::ToleranceFalls => "fewer failures are tolerated",
        ReasonCode::NoTolerance => "no failure is tolerated",
        ReasonCode::EvenVoters => "an even number of voters",
        ReasonCode::LastVoterOfZone => "the last voter of its zone goes",
        ReasonCode::NoSpare => "no learner is left",
        ReasonCode::LagGrowing => "it falls further behind",
        ReasonCode::TargetChosenByBackend => "the backend picks the next leader",
        ReasonCode::RemovesSilentMember => "the member does not answer",
        ReasonCode::BackendUnhealthy => "the backend holds itself unhealthy",
        ReasonCode::LeaderLast => "it leads",
        ReasonCode::LearnerLimit => "another learner is there",
        ReasonCode::RemovedThenAdded => "it is removed, then added again",
        ReasonCode::SnapshotAtFollower => "the snapshot is not the leader's",
        ReasonCode::LeaderAgreed => "the leader is agreed",
        ReasonCode::NoOtherChange => "no other change is running",
        ReasonCode::Level => "level with the leader",
        ReasonCode::MajorityHolds => "the majority holds",
    }
}

#[must_use]
pub fn read_only() -> String {
    "This console only reads: its configuration takes every change away.".to_owned()
}

#[must_use]
pub fn not_supported(backend: &str, note: Option<&str>) -> String {
    match note {
        Some(note) => format!("{backend} cannot do this: {}.", note.trim_end_matches('.')),
        None => format!("{backend} cannot do this."),
    }
}

/// What a member's absence would cost while it is busy with itself.
#[must_use]
pub fn quorum_lost_meanwhile(name: &str, quorum: &Quorum) -> String {
    format!(
        "{name} answers nothing while this runs; then {} of {} voters would answer, and the majority is {}.",
        quorum.answering, quorum.voters, quorum.majority
    )
}

#[must_use]
pub fn majority_holds_meanwhile(quorum: &Quorum) -> String {
    format!(
        "While it runs {} of {} voters answer; the majority is {}.",
        quorum.answering, quorum.voters, quorum.majority
    )
}

#[must_use]
pub fn learner_limit(learner: &str) -> String {
    format!(
        "{learner} is a learner already, and etcd takes one at a time unless it is started with another limit: it will refuse this one. Promote or remove {learner} first."
    )
}

#[must_use]
pub fn leader_last(name: &str) -> String {
    format!(
        "{name} leads: nothing can be written while it is busy. Do the others first, then transfer leadership."
    )
}

#[must_use]
pub fn not_seen_yet() -> String {
    "The cluster has not been looked at yet, so nothing can be judged.".to_owned()
}

#[must_use]
pub fn look_too_old(age_ms: u64) -> String {
    format!(
        "The last look is {} old; what would follow cannot be judged.",
        duration(age_ms)
    )
}

#[must_use]
pub fn no_agreed_leader() -> String {
    "No leader is agreed, so what would follow cannot be judged.".to_owned()
}

#[must_use]
pub fn change_without_quorum(quorum: &Quorum) -> String {
    if quorum.tolerates.is_none() {
        return "Who the voters are is not known.".to_owned();
    }
    format!(
        "{} Nothing can be changed.",
        super::sentence_no_quorum(quorum)
    )
}

#[must_use]
pub fn change_running() -> String {
    "Another change is running; one at a time.".to_owned()
}

#[must_use]
pub fn change_while_joint() -> String {
    "A change of voters is under way: two voter sets must each have a majority until it is done."
        .to_owned()
}

#[must_use]
pub fn change_while_views_differ<T: AsRef<str>>(names: &[T]) -> String {
    let verb = if names.len() == 1 { "holds" } else { "hold" };
    format!(
        "{} {verb} another membership than the leader.",
        listed(names)
    )
}

#[must_use]
pub fn member_unknown(id: &str) -> String {
    format!("{id} is no member.")
}

#[must_use]
pub fn already_member(what: &str) -> String {
    format!("{what} is a member already; adding it again would change nothing.")
}

#[must_use]
pub fn already_in_role(name: &str, voter: bool) -> String {
    format!("{name} is a {} already.", role_word(voter))
}

const fn role_word(voter: bool) -> &'static str {
    if voter { "voter" } else { "learner" }
}

#[must_use]
pub fn transfer_first(name: &str) -> String {
    format!("{name} leads. Transfer leadership first.")
}

#[must_use]
pub fn last_voter(name: &str) -> String {
    format!("{name} is the only voter; without it there is no cluster.")
}

#[must_use]
pub fn one_voter_left(name: &str) -> String {
    format!("Without the vote of {name} a single voter would be left, and none could fail.")
}

#[must_use]
pub fn quorum_would_be_lost(after: &Quorum) -> String {
    let verb = if after.answering == 1 {
        "answers"
    } else {
        "answer"
    };
    format!(
        "After it {} of {} voters {verb} and {} are needed: the majority would be lost.",
        after.answering, after.voters, after.majority
    )
}

#[must_use]
pub fn majority_holds(after: &Quorum) -> String {
    let verb = if after.answering == 1 {
        "answers"
    } else {
        "answer"
    };
    format!(
        "After it {} of {} voters {verb}; the majority is {}.",
        after.answering, after.voters, after.majority
    )
}

#[must_use]
pub fn majority_untouched(quorum: &Quorum) -> String {
    format!(
        "The voters stay as they are; the majority is {} of {}.",
        quorum.majority, quorum.voters
    )
}

/// Why a member cannot be judged.
#[must_use]
pub fn not_taking_part(member: &MemberView) -> String {
    let name = &member.name;
    match member.state {
        MemberState::Sealed => format!("{name} is sealed."),
        MemberState::NotStarted => format!("{name} was not started as a member."),
        MemberState::Unconfirmed if member.answering => {
            format!("{name} is not confirmed: it may be connected without being a member.")
        }
        MemberState::Unconfirmed => {
            format!("{name} is not confirmed: nobody knows where it answers.")
        }
        _ => match member.age_ms {
            Some(age) if member.state == MemberState::Unreachable => {
                format!("{name} has not answered for {}.", duration(age))
            }
            _ => format!("{name} does not answer."),
        },
    }
}

#[must_use]
pub fn out_of_contact(name: &str, contact_ms: u64) -> String {
    format!(
        "The leader last heard of {name} {} ago.",
        duration(contact_ms)
    )
}

#[must_use]
pub fn too_far_behind(name: &str, lag: u64, limit: u64) -> String {
    format!(
        "{name} is {} behind (limit {}).",
        entries(lag),
        grouped(limit)
    )
}

#[must_use]
pub fn lag_unknown(name: &str) -> String {
    format!("How far {name} is behind is not known.")
}

#[must_use]
pub fn level(lag: u64, limit: u64) -> String {
    format!("{} behind (limit {}).", entries(lag), grouped(limit))
}

#[must_use]
pub fn wish_is_pending(name: &str, wanted: Role, backend: &str) -> String {
    format!(
        "{name} is wanted as a {} already; {backend} has not carried it out yet.",
        role_word(wanted.votes())
    )
}

#[must_use]
pub fn other_wish_is_pending(name: &str, wanted: Role) -> String {
    format!(
        "{name} is still to become a {}; two changes of voters at once cannot be judged.",
        role_word(wanted.votes())
    )
}

#[must_use]
pub fn takes_wish_back(name: &str, wanted: Role) -> String {
    format!(
        "This takes back the wish that {name} become a {}.",
        role_word(wanted.votes())
    )
}

#[must_use]
pub fn wish_follows_transfer(name: &str) -> String {
    format!("{name} is wanted as a learner and will lose its vote as soon as it no longer leads.")
}

#[must_use]
pub fn target_is_leader(name: &str) -> String {
    format!("{name} leads already; a transfer to itself stops all writes for a moment.")
}

#[must_use]
pub fn target_not_voter(name: &str) -> String {
    format!("{name} is a learner and cannot lead.")
}

#[must_use]
pub fn target_not_named() -> String {
    "Name the voter that is to lead.".to_owned()
}

#[must_use]
pub fn target_cannot_be_chosen(backend: &str) -> String {
    format!("{backend} picks the next leader; it cannot be chosen.")
}

#[must_use]
pub fn target_just_restarted(name: &str, ago_ms: u64) -> String {
    format!(
        "{name} came back {} ago; give it ten seconds.",
        duration(ago_ms)
    )
}

#[must_use]
pub fn no_other_voter() -> String {
    "No other voter answers, so nobody could take over.".to_owned()
}

#[must_use]
pub fn tolerance_falls(before: i64, after: i64) -> String {
    format!(
        "Tolerance falls from {} to {}.",
        failures(before),
        failures(after)
    )
}

fn failures(count: i64) -> String {
    if count == 1 {
        "1 failure".to_owned()
    } else {
        format!("{count} failures")
    }
}

#[must_use]
pub fn none_may_fail() -> String {
    "After it none of the voters may fail.".to_owned()
}

#[must_use]
pub fn even_number() -> String {
    "An even number of voters needs one more answer and tolerates no more failures.".to_owned()
}

#[must_use]
pub fn last_of_zone(name: &str, zone: &str) -> String {
    format!("{name} is the last voter of zone {zone}.")
}

#[must_use]
pub fn no_spare() -> String {
    "After it no learner is left to take a failed voter's place.".to_owned()
}

#[must_use]
pub fn lag_growing(name: &str) -> String {
    format!("{name} has been falling further behind.")
}

#[must_use]
pub fn removed_then_added(backend: &str, name: &str) -> String {
    format!(
        "{backend} removes {name} and adds it again in its new role; if the second half fails, {name} is left outside until it is added again."
    )
}

#[must_use]
pub fn silent_cannot_be_added_again(backend: &str, name: &str) -> String {
    format!("{backend} has to reach {name} to change its role, and {name} does not answer.")
}

#[must_use]
pub fn removes_silent(name: &str) -> String {
    format!("{name} does not answer, so it will not learn that it was removed.")
}

#[must_use]
pub fn backend_holds_unhealthy(kind: Kind, text: &str) -> String {
    if kind == Kind::Openziti {
        return text.to_owned();
    }
    format!("{text} It may accept this and wait.")
}

/// "The leader is agreed by 4 of 5 voters and was heard 0.1 s ago."
#[must_use]
pub fn leader_agreed(naming: usize, voters: u32, heard_ms: Option<u64>) -> String {
    match heard_ms {
        Some(heard) => format!(
            "The leader is agreed by {naming} of {voters} voters and was heard {} ago.",
            duration(heard)
        ),
        None => format!("The leader is agreed by {naming} of {voters} voters."),
    }
}

#[must_use]
pub fn no_other_change() -> String {
    "No other change is running.".to_owned()
}

/// Which role is missing, and which are held.
#[must_use]
pub fn role_missing(needed: &[&str], held: &[&str], cluster: Option<&str>) -> String {
    let place = cluster.unwrap_or("every cluster");
    let held = if held.is_empty() {
        "you have no role here".to_owned()
    } else {
        format!("you are {}", listed(held))
    };
    format!(
        "This needs the role {} on {place}; {held}.",
        alternatives(needed)
    )
}

#[must_use]
pub fn id_not_given(backend: &str) -> String {
    format!("{backend} does not know a newcomer's id: give the one its own program has.")
}

#[must_use]
pub fn follows_nobody(name: &str) -> String {
    format!("{name} answers and follows no leader.")
}

/// A member that names another leader than the agreed one.
#[must_use]
pub fn follows_another(name: &str, named: &str) -> String {
    format!("{name} names {named} as leader, not the agreed one.")
}

/// A voter that answers and does not follow the agreed leader.
pub(crate) fn apart<'n>(
    name: &str,
    apart: &'n Apart,
    name_of: impl Fn(&'n MemberId) -> &'n str,
) -> String {
    match apart {
        Apart::FollowsNobody => follows_nobody(name),
        Apart::Names(named) => follows_another(name, name_of(named)),
        Apart::OtherTerm { told, leader } => {
            format!("{name} is in term {told}, the leader in term {leader}.")
        }
    }
}

#[must_use]
pub fn not_counted(why: &str) -> String {
    format!("{why} No majority can count on it.")
}
