//! Programs of many groups, in words.

use crate::groups::Class;

/// "200 groups on 3 hosts; each is led and has all its voters.", or what is wrong with how many.
/// `wrong` holds the classes there are, the most urgent first.
#[must_use]
pub fn groups_sentence(total: u32, hosts: u32, answering: u32, wrong: &[(Class, u32)]) -> String {
    if answering == 0 {
        return match hosts {
            0 | 1 => "No host answers; what its groups do is not known.".to_owned(),
            hosts => format!("None of {hosts} hosts answers; what their groups do is not known."),
        };
    }
    let groups = counted(total, "group");
    let place = if answering == hosts {
        format!("{groups} on {}", counted(hosts, "host"))
    } else {
        format!("{groups}; {answering} of {} answer", counted(hosts, "host"))
    };
    if wrong.is_empty() {
        return format!("{place}; each is led and has all its voters.");
    }
    let wrong: Vec<String> = wrong
        .iter()
        .map(|(class, number)| format!("{number} {}", group_class(*class)))
        .collect();
    format!("{place}: {}.", wrong.join(", "))
}

/// What a class says of a group, to stand behind a number.
#[must_use]
pub const fn group_class(class: Class) -> &'static str {
    match class {
        Class::NoQuorum => "without a quorum",
        Class::LeaderDisputed => "with a disputed leader",
        Class::NoLeader => "without a leader",
        Class::Unknown => "not known",
        Class::ReducedTolerance => "with reduced tolerance",
        Class::Fault => "with a replica that cannot go on",
        Class::Lagging => "lagging",
        Class::Ok => "sound",
    }
}

/// "3 groups without a leader: group-2, group-7, group-9."
#[must_use]
pub fn groups_finding(class: Class, number: u32, names: &[&str]) -> String {
    let groups = counted(number, "group");
    let more = if u32::try_from(names.len()).is_ok_and(|named| named < number) {
        ", …"
    } else {
        ""
    };
    format!(
        "{groups} {}: {}{more}.",
        group_class(class),
        names.join(", ")
    )
}

/// What to do about groups of a class.
#[must_use]
pub const fn groups_hint(class: Class) -> &'static str {
    match class {
        Class::NoQuorum => {
            "Bring back hosts of these groups until a majority of their voters runs."
        }
        Class::LeaderDisputed => {
            "Look at one of them, and change nothing before the next election is over."
        }
        Class::NoLeader => "If it lasts, look at the network between the hosts of these groups.",
        Class::Unknown => {
            "Bring back the hosts that do not answer, or give the console a way to them."
        }
        Class::ReducedTolerance => {
            "Bring the missing replicas back before anything else is changed."
        }
        Class::Fault => "Look at one of them: the replica says why.",
        Class::Lagging => "Look at the host that is behind; a slow disk is behind in many groups.",
        Class::Ok => "",
    }
}

/// A host of which it is not known what it runs now.
#[must_use]
pub fn host_silent(host: &str, why: Option<&str>) -> String {
    let why = why.unwrap_or("nobody has asked it yet");
    format!("{host} does not tell of its groups: {why}.")
}

/// What to do about it.
#[must_use]
pub const fn host_hint() -> &'static str {
    "Look at the host, and at the way to it."
}

/// "4 voters, where there were 3 voters and 1 learner.": of a group whose members nobody named.
/// Each is how many vote and how many learn.
#[must_use]
pub fn group_members(now: (u32, u32), before: (u32, u32)) -> String {
    format!("{}, where there were {}.", members(now), members(before))
}

fn members((voters, learners): (u32, u32)) -> String {
    let voters = counted(voters, "voter");
    if learners == 0 {
        return voters;
    }
    format!("{voters} and {}", counted(learners, "learner"))
}

fn counted(number: u32, what: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {what}{end}")
}
