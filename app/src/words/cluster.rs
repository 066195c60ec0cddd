//! The words of the cluster page.

use quorate_domain::{
    action::Verb,
    cluster::MemberId,
    event::Happening,
    job::{Change, ChangeState, StepState},
    preflight::ReasonCode,
    view::{ClusterView, LeaderStatus, MemberState, MemberView},
};

use super::figures::{count, duration, number};

pub const TOPOLOGY: &str = "Topology";
pub const BY_ROLE: &str = "By role";
pub const BY_ZONE: &str = "By zone";
pub const TABLE_ONLY: &str = "Table only";
pub const NO_ZONE: &str = "no zone";
pub const LAYOUT: &str = "How to draw it";
pub const VOTERS: &str = "Voters";
pub const LEARNERS: &str = "Learners";

pub const MEMBERS: &str = "Members";
pub const MEMBER: &str = "Member";
pub const ROLE: &str = "Role";
pub const STATE: &str = "State";
pub const ZONE: &str = "Zone";
pub const APPLIED: &str = "Applied";
pub const BEHIND: &str = "Behind";
pub const SEEN: &str = "Seen";
pub const ACTIONS: &str = "Actions";
pub const MORE: &str = "More";
pub const ACTIONS_NEED_SCRIPTS: &str =
    "Changes of members need scripts; the command quorate ctl does not.";

pub const WHAT_HAPPENED: &str = "What happened";
pub const NOTHING_HAPPENED: &str = "Nothing since this console began to watch.";
pub const UTC: &str = "UTC";
pub const TOLERANCE_24_H: &str = "Quorum over 24 h";
pub const TOLERATES: &str = "tolerates";
/// "since 13:20"
#[must_use]
pub fn tolerates_since(clock: &str) -> String {
    format!("since {}", clock.get(..5).unwrap_or(clock))
}
pub const NOT_YET_SEEN: &str = "Not seen long enough to draw.";
pub const FINDINGS: &str = "Also found";
pub const NEXT: &str = "What to do";
pub const LOOK_AT: &str = "Look at";
pub const OPEN_CHANGE: &str = "Open the change";
pub const CHANGE_RUNS: &str = "A change is running.";
pub const WHO_NAMES_WHOM: &str = "Who names whom";

pub const INSPECTOR_CLOSE: &str = "Close";
pub const ID: &str = "Id";
pub const ADDRESS: &str = "Address";
pub const API_ADDRESS: &str = "API address";
pub const INSTANCE: &str = "Instance";
pub const WANTED_ROLE: &str = "Wanted role";
pub const TERM: &str = "Term";
pub const LAST_INDEX: &str = "Last index";
pub const NAMES_LEADER: &str = "Names as leader";
pub const CLAIMS: &str = "claims to lead";
pub const LAST_CONTACT: &str = "Leader's last contact";
pub const READINESS: &str = "Readiness";
pub const READS: &str = "May serve";
pub const RESTARTED: &str = "Restarted";
pub const OVERRIDE: &str = "Set by hand";
pub const BY_HAND: &str = "Set its state by hand…";
pub const BY_HAND_CHANGE: &str = "Change what is set by hand…";
pub const BY_HAND_MEANS: &str = "Until then its alarms are remarks. Nothing is hidden, and what may be done to the cluster is judged as before.";
pub const BY_HAND_REASON: &str = "Why";
pub const BY_HAND_FOR: &str = "For how long";
pub const BY_HAND_HOURS: [(&str, &str); 4] = [
    ("1", "1 hour"),
    ("4", "4 hours"),
    ("24", "1 day"),
    ("168", "7 days"),
];
pub const BY_HAND_BACK: &str = "Take it back now";
pub const BY_HAND_SAVE: &str = "Save";
pub const NOBODY: &str = "nobody";
pub const NOT_KNOWN: &str = "not known";

pub const NO_MEMBERS: &str = "No membership is known yet.";

/// "OpenBao 2.7.2 · term 41 · membership a91f03 · 5 voters, 2 learners in 3 zones"
#[must_use]
pub fn facts(view: &ClusterView) -> String {
    let mut parts = vec![view.title.clone()];
    if let Some(term) = view.leader.term {
        parts.push(format!("term {term}"));
    }
    if let Some(revision) = &view.revision {
        parts.push(format!("membership {}", short(revision.as_str())));
    }
    if let Some(groups) = &view.groups {
        parts.push(count(u64::from(groups.total), "group", "groups"));
        return parts.join(" · ");
    }
    let learners = view
        .members
        .iter()
        .filter(|member| !member.role.votes())
        .count();
    let mut who = count(u64::from(view.quorum.voters), "voter", "voters");
    if learners > 0 {
        let learners = u64::try_from(learners).unwrap_or_default();
        who = format!("{who}, {}", count(learners, "learner", "learners"));
    }
    let mut zones: Vec<&str> = Vec::new();
    for zone in view.members.iter().filter_map(|m| m.zone.as_deref()) {
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    if zones.len() > 1 {
        who = format!("{who} in {} zones", zones.len());
    }
    parts.push(who);
    parts.join(" · ")
}

/// Enough of a hash to tell two apart; a short token stays whole.
#[must_use]
pub fn short(revision: &str) -> String {
    let hash = revision.len() >= 16 && revision.chars().all(|c| c.is_ascii_hexdigit());
    revision.chars().take(if hash { 6 } else { 24 }).collect()
}

/// "seen 14:02:52 UTC"
#[must_use]
pub fn seen_at(clock: &str) -> String {
    format!("seen {clock} UTC")
}

/// How far a member is behind, or since when it is silent, for its card and its row.
#[must_use]
pub fn distance(member: &MemberView, leads: bool, age_ms: Option<u64>) -> String {
    if !member.answering {
        return match age_ms {
            _ if member.state == MemberState::NotStarted => "never answered".to_owned(),
            Some(age) => format!("silent for {}", duration(age)),
            None => "never answered".to_owned(),
        };
    }
    match (leads, member.lag, member.applied_index) {
        (true, _, Some(applied)) => format!("applied {}", number(applied)),
        (true, _, None) => String::new(),
        (false, Some(lag), _) => format!("{} behind", number(lag)),
        (false, None, _) => "lag not known".to_owned(),
    }
}

/// The label of a disabled button: "Promote: too far behind".
#[must_use]
pub fn disabled(label: &str, why: &str) -> String {
    format!("{label}: {why}")
}

/// What a role that is not held is called on a button.
#[must_use]
pub fn needs(duty: &str) -> String {
    format!("needs {duty}")
}

/// The label of an action on one member.
#[must_use]
pub const fn member_verb(verb: Verb, leads: bool) -> &'static str {
    match (verb, leads) {
        (Verb::Transfer, false) => "Make leader",
        _ => super::verb(verb),
    }
}

/// A reason in two or three words, to stand on a button.
#[must_use]
pub const fn reason(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::ReadOnly => "read-only",
        ReasonCode::NotSupported => "not supported",
        ReasonCode::NotSeenYet => "not seen yet",
        ReasonCode::LookTooOld => "last look too old",
        ReasonCode::NoAgreedLeader => "no agreed leader",
        ReasonCode::NoQuorum => "no quorum",
        ReasonCode::ChangeRunning => "a change is running",
        ReasonCode::JointConfiguration => "joint configuration",
        ReasonCode::ViewsDiffer => "members disagree",
        ReasonCode::MemberUnknown => "not a member",
        ReasonCode::MemberUnconfirmed => "not confirmed",
        ReasonCode::AlreadyMember => "already a member",
        ReasonCode::AlreadyVoter => "already a voter",
        ReasonCode::AlreadyLearner => "already a learner",
        ReasonCode::IsLeader => "it leads",
        ReasonCode::LastVoter => "the last voter",
        ReasonCode::QuorumWouldBeLost => "would lose quorum",
        ReasonCode::MemberNotSeen | ReasonCode::TargetNotSeen => "does not answer",
        ReasonCode::TooFarBehind | ReasonCode::TargetLagging => "too far behind",
        ReasonCode::LagUnknown => "lag not known",
        ReasonCode::WishPending => "an earlier wish is open",
        ReasonCode::TargetIsLeader => "leads already",
        ReasonCode::TargetNotVoter => "not a voter",
        ReasonCode::TargetNotNamed => "no target named",
        ReasonCode::TargetCannotBeChosen => "target cannot be chosen",
        ReasonCode::TargetJustRestarted => "just restarted",
        ReasonCode::NoOtherVoter => "no other voter",
        ReasonCode::IdNotGiven => "id not given",
        _ => "refused",
    }
}

/// A line of "What happened": who or what (in bold), what of it, and what stands below. `view` knows
/// what the members are called.
#[must_use]
pub fn happening(what: &Happening, view: Option<&ClusterView>) -> (String, String, String) {
    let name = |id: &MemberId| {
        let known = view.and_then(|view| view.member(id));
        known.map_or_else(|| id.to_string(), |member| member.name.clone())
    };
    match what {
        Happening::LeaderAgreed { member, term } => (
            name(member),
            "leads".to_owned(),
            term.map(|term| format!("term {term}")).unwrap_or_default(),
        ),
        Happening::LeaderLost { member } => {
            (name(member), "leads no longer".to_owned(), String::new())
        }
        Happening::FindingRaised { text, .. } => (String::new(), text.clone(), String::new()),
        Happening::FindingCleared { text, .. } => {
            ("No longer:".to_owned(), text.clone(), String::new())
        }
        Happening::MembershipChanged { text } => (String::new(), text.clone(), String::new()),
        Happening::Change {
            state,
            text,
            actor,
            ticket,
            ..
        } => {
            let mut below = super::change_state(*state).to_owned();
            if let Some(ticket) = ticket {
                below = format!("{ticket} · {below}");
            }
            (actor.clone(), asked(text, *state), below)
        }
    }
}

/// What somebody asked for, as it follows their name: "promoted node-5 to voter", or, where it is
/// not done, "asked to promote node-5 to voter".
fn asked(title: &str, state: ChangeState) -> String {
    const VERBS: [(&str, &str); 8] = [
        ("Add", "added"),
        ("Promote", "promoted"),
        ("Demote", "demoted"),
        ("Remove", "removed"),
        ("Transfer", "transferred"),
        ("Take", "took"),
        ("Defragment", "defragmented"),
        ("Check", "checked"),
    ];
    let (first, rest) = title.split_once(' ').unwrap_or((title, ""));
    match VERBS.iter().find(|(verb, _)| *verb == first) {
        Some((_, past)) if state == ChangeState::Succeeded => format!("{past} {rest}"),
        Some(_) => format!("asked to {} {rest}", first.to_ascii_lowercase()),
        None => format!("asked for this: {title}"),
    }
}

/// Where a running change stands: "step 2 of 3: wait until …".
#[must_use]
pub fn progress(change: &Change) -> String {
    let total = change.steps.len();
    let at = change
        .steps
        .iter()
        .position(|step| matches!(step.state, StepState::Running | StepState::Pending));
    let Some((at, step)) = at.and_then(|at| change.steps.get(at).map(|step| (at, step))) else {
        return String::new();
    };
    let doing = change
        .waiting_for
        .clone()
        .unwrap_or_else(|| format!("{} {}", step.lead, step.rest));
    format!("Step {} of {total}: {doing}", at + 1)
}

/// "bao-1 is named by bao-1, bao-2"
#[must_use]
pub fn named_by(named: &str, by: &[String]) -> String {
    format!("{named} is named by {}", by.join(", "))
}

/// What stands in the middle where no leader is agreed.
#[must_use]
pub const fn no_leader(status: LeaderStatus) -> &'static str {
    match status {
        LeaderStatus::Disputed => "The leader is disputed",
        LeaderStatus::None => "Nobody leads",
        LeaderStatus::Agreed | LeaderStatus::Unknown => "The leader is not known",
    }
}

/// "2 failures", "1 failure", "no quorum"
#[must_use]
pub fn failures(tolerates: i64) -> String {
    match u64::try_from(tolerates) {
        Ok(failures) => count(failures, "failure", "failures"),
        Err(_) => "no quorum".to_owned(),
    }
}

/// The step line in words.
#[must_use]
pub fn tolerance_label(least: i64, most: i64, now: i64) -> String {
    format!(
        "Failures tolerated: {} now; at least {}, at most {} in the time shown.",
        failures(now),
        failures(least),
        failures(most)
    )
}

/// On a card while the leader is disputed: whom it names.
#[must_use]
pub fn names(leader: String) -> String {
    format!("names {leader}")
}

/// The name of a row's menu.
#[must_use]
pub fn more_for(name: &str) -> String {
    format!("{MORE} for {name}")
}

/// "operator-7 until 2026-11-21 14:02 UTC: being repaired"
#[must_use]
pub fn override_line(by: &str, reason: &str, until: quorate_domain::moment::Timestamp) -> String {
    format!("{by} until {} {} UTC: {reason}", until.day(), until.clock())
}

/// Why a state was not set by hand.
#[must_use]
pub fn by_hand_problem(code: &str) -> &'static str {
    match code {
        "not-allowed" => "Not saved: this needs the role admin on this cluster.",
        "audit-unavailable" => "Not saved: the audit log takes no entries. See Problems.",
        "not-found" => "Not saved: the member is gone, or nothing was set.",
        _ => "Not saved: a reason in one line of at most 500 characters is needed.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reads_as_a_sentence_behind_the_name_of_who_asked() {
        let title = "Promote node-5 to voter in demo: it is a voter.";
        let read = |state| asked(title, state);
        assert_eq!(
            read(ChangeState::Succeeded),
            "promoted node-5 to voter in demo: it is a voter."
        );
        assert_eq!(
            read(ChangeState::Failed),
            "asked to promote node-5 to voter in demo: it is a voter."
        );
        assert_eq!(
            asked("Take a snapshot of demo", ChangeState::Succeeded),
            "took a snapshot of demo"
        );
    }
}
