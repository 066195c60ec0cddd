//! What is told of groups that nobody looks at.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::{cluster::MemberId, cluster::Term, event::Happening, groups::Happened};

const ALL: usize = usize::MAX;

/// All hosts tell of this group: who leads in which term, and how many vote.
fn led(fleet: &mut Fleet, group: &str, leader: &str, term: u64, second: i64) {
    let said = |host: &str| {
        let part = if host == leader {
            Part::Leader
        } else {
            Part::Follower
        };
        Line {
            term,
            ..line(part, Some(leader))
        }
    };
    for host in ["a", "b", "c"] {
        fleet.hear(host, "1", at(second), changed(group, said(host)));
    }
    fleet.settle(false, at(second));
}

fn told(fleet: &mut Fleet, second: i64) -> Vec<Happened> {
    fleet.happened(ALL, |_| false, at(second))
}

fn agreed(group: &str, second: i64, member: &str, term: u64) -> Happened {
    let (member, term) = (MemberId::from(member), Some(Term(term)));
    let what = Happening::LeaderAgreed { member, term };
    (Arc::from(group), at(second), what)
}

#[test]
fn an_election_that_nobody_watched_is_told_once_and_what_was_found_at_first_is_not() {
    let mut fleet = fleet(3);
    assert!(told(&mut fleet, 1).is_empty(), "as they were found");
    led(&mut fleet, "g00001", "b", 4, 2);
    assert_eq!(told(&mut fleet, 2), [agreed("g00001", 2, "b", 4)]);
    assert!(told(&mut fleet, 3).is_empty(), "once");
    led(&mut fleet, "g00001", "b", 5, 4);
    let again = told(&mut fleet, 4);
    assert_eq!(again, [agreed("g00001", 4, "b", 5)], "a new term");
    led(&mut fleet, "g00007", "c", 9, 5);
    assert!(told(&mut fleet, 5).is_empty(), "found just now");
}

#[test]
fn a_leader_is_told_as_lost_only_if_that_lasts_and_never_because_nobody_tells() {
    let mut fleet = fleet(1);
    let silent = || Answer::Silent("refused".to_owned());
    fleet.miss("a", "1", at(10), silent());
    fleet.settle(false, at(10));
    assert_eq!(fleet.row("g00000").unwrap().class, Class::NoLeader);
    assert!(told(&mut fleet, 14).is_empty());
    // It was only late.
    fleet.hear("a", "1", at(14), News::default());
    fleet.settle(false, at(14));
    fleet.miss("a", "1", at(20), silent());
    fleet.settle(false, at(20));
    assert!(told(&mut fleet, 24).is_empty(), "counted from the new loss");
    let member = MemberId::from("a");
    let lost = Happening::LeaderLost { member };
    let expected: Happened = (Arc::from("g00000"), at(20), lost);
    assert_eq!(told(&mut fleet, 25), [expected]);
    assert!(told(&mut fleet, 99).is_empty(), "once");
    led(&mut fleet, "g00000", "b", 4, 100);
    assert_eq!(told(&mut fleet, 100), [agreed("g00000", 100, "b", 4)]);

    for host in ["a", "b", "c"] {
        fleet.miss(host, "1", at(110), silent());
    }
    fleet.settle(false, at(110));
    assert_eq!(fleet.row("g00000").unwrap().class, Class::Unknown);
    assert!(told(&mut fleet, 200).is_empty(), "who leads is not known");
}

#[test]
fn how_many_members_there_are_is_told_by_the_leaders_count() {
    let mut fleet = fleet(2);
    let with = |line: Line, voters, learners| Line {
        voters,
        learners,
        ..line
    };
    let learns = changed("g00001", with(leads(), 3, 1));
    fleet.hear("a", "1", at(2), learns);
    fleet.settle(false, at(2));
    fleet.hear("a", "1", at(3), changed("g00001", with(leads(), 4, 0)));
    // The others have not heard of it.
    fleet.hear("b", "1", at(3), changed("g00001", follows()));
    fleet.settle(false, at(3));
    let happened = told(&mut fleet, 3);
    let [(group, _, Happening::MembershipChanged { text })] = happened.as_slice() else {
        panic!("{happened:?}");
    };
    assert_eq!(group.as_ref(), "g00001");
    assert_eq!(text, "4 voters, where there were 3 voters.");
    fleet.hear("a", "1", at(4), changed("g00001", with(leads(), 1, 2)));
    fleet.settle(false, at(4));
    let happened = told(&mut fleet, 4);
    assert!(
        matches!(happened.as_slice(), [(_, _, Happening::MembershipChanged { text })]
            if text == "1 voter and 2 learners, where there were 4 voters."),
        "{happened:?}"
    );
}

#[test]
fn no_more_is_told_at_once_than_there_is_room_for_and_the_rest_as_it_stands_by_then() {
    let mut fleet = fleet(20);
    for group in 0..20 {
        led(&mut fleet, &format!("g{group:05}"), "b", 4, 2);
    }
    assert_eq!(fleet.happened(8, |_| false, at(2)).len(), 8);
    led(&mut fleet, "g00019", "c", 5, 3);
    let rest = told(&mut fleet, 3);
    assert_eq!(rest.len(), 12);
    assert_eq!(rest[11], agreed("g00019", 3, "c", 5));
}

#[test]
fn a_group_that_others_tell_of_is_told_by_them_alone_and_goes_on_where_they_ended() {
    let mut fleet = fleet(2);
    led(&mut fleet, "g00000", "b", 4, 2);
    led(&mut fleet, "g00001", "b", 4, 2);
    let watched = fleet.happened(ALL, |group| group == "g00000", at(2));
    assert_eq!(watched, [agreed("g00001", 2, "b", 4)]);
    // They have told all there is.
    let (b, term) = (MemberId::from("b"), Some(Term(4)));
    fleet.told_by_others("g00000", Some((&b, term)), at(3));
    assert!(told(&mut fleet, 3).is_empty());
    // They have missed what came last.
    led(&mut fleet, "g00000", "c", 5, 4);
    fleet.told_by_others("g00000", Some((&b, term)), at(5));
    assert_eq!(told(&mut fleet, 6), [agreed("g00000", 6, "c", 5)]);
    fleet.told_by_others("g00099", None, at(7));
    assert!(told(&mut fleet, 7).is_empty());
}

#[test]
fn members_that_others_have_told_of_by_name_are_not_told_again_by_their_number() {
    let mut fleet = fleet(1);
    let count = |fleet: &mut Fleet, voters, second: i64| {
        let line = Line { voters, ..leads() };
        fleet.hear("a", "1", at(second), changed("g00000", line));
        fleet.settle(false, at(second));
    };
    count(&mut fleet, 4, 2);
    assert!(fleet.happened(ALL, |_| true, at(2)).is_empty());
    let row = fleet.row("g00000").unwrap();
    let (leader, term) = (row.leader.clone().unwrap(), row.term.map(Term));
    fleet.told_by_others("g00000", Some((&leader, term)), at(3));
    assert_eq!(told(&mut fleet, 4), []);
    // What comes after is told as before.
    count(&mut fleet, 3, 5);
    assert!(matches!(
        told(&mut fleet, 5)[..],
        [(_, _, Happening::MembershipChanged { .. })]
    ));
}

#[test]
fn a_host_that_dies_is_told_in_each_group_it_led_once() {
    let mut fleet = fleet(10_000);
    assert!(told(&mut fleet, 1).is_empty());
    // A host dies that leads them all.
    fleet.miss("a", "1", at(2), Answer::Silent("refused".to_owned()));
    fleet.settle(false, at(2));
    assert_eq!(told(&mut fleet, 60).len(), 10_000);
    assert!(told(&mut fleet, 60).is_empty());
}
