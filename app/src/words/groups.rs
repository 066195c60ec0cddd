//! The words of the page of a program's groups.

use quorate_domain::groups::{Class, HostState};

pub const GROUPS: &str = "Groups";
pub const GROUP: &str = "Group";
pub const HOSTS: &str = "Hosts";
pub const HOST: &str = "Host";
pub const STATE: &str = "State";
pub const LEADS: &str = "Leads";
pub const VOTES: &str = "Votes in";
pub const LEARNS: &str = "Learns";
pub const TOLD: &str = "Groups";
pub const ADDRESS: &str = "Address";
pub const CLASS: &str = "State";
pub const LEADER: &str = "Leader";
pub const TERM: &str = "Term";
pub const VOTERS: &str = "Voters";
pub const BEHIND: &str = "Behind";
pub const ALL: &str = "all";
pub const FIND: &str = "Name or leader";
pub const SHOW: &str = "Show";
pub const MORE: &str = "More";
pub const FIRST: &str = "From the beginning";
pub const NONE: &str = "No group is like that";
pub const NONE_HINT: &str = "Take a condition away.";
pub const BY_CLASS: &str = "Groups by state";
pub const PAGES: &str = "Pages of the list";
pub const OPEN: &str = "All groups";
pub const HEARD: &str = "Told at (UTC)";
pub const WHERE: &str = "Where this is";
pub const UNKNOWN: &str = "?";

/// A class in a word or two.
#[must_use]
pub const fn class(class: Class) -> &'static str {
    match class {
        Class::NoQuorum => "no quorum",
        Class::LeaderDisputed => "disputed",
        Class::NoLeader => "no leader",
        Class::Unknown => "unknown",
        Class::ReducedTolerance => "reduced tolerance",
        Class::Fault => "fault",
        Class::Lagging => "lagging",
        Class::Ok => "ok",
    }
}

#[must_use]
pub const fn host(state: HostState) -> &'static str {
    match state {
        HostState::Answering => "answers",
        HostState::Unreachable => "unreachable",
        HostState::Misread => "misread",
        HostState::Denied => "denied",
    }
}
