#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::{moment::Timestamp, observation::Answer};

mod happened;

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_ms(second * 1_000)
}

fn line(part: Part, leader: Option<&str>) -> Line {
    Line {
        part,
        term: 3,
        leader: leader.map(Arc::from),
        claims: part == Part::Leader,
        faulty: false,
        voters: 3,
        learners: 0,
        last_index: Some(100),
    }
}

fn leads() -> Line {
    line(Part::Leader, Some("a"))
}

fn follows() -> Line {
    line(Part::Follower, Some("a"))
}

/// A host, whether it answers, and its line.
type Said = (&'static str, bool, Line);

fn judged(words: &[Said]) -> GroupRow {
    let words: Vec<Word<'_>> = words
        .iter()
        .map(|(host, answers, line)| Word {
            host,
            answers: *answers,
            line,
        })
        .collect();
    judge("g", &words, None, 1_000)
}

#[test]
fn a_group_is_of_the_class_that_its_hosts_words_make_it() {
    let lost = Line {
        leader: None,
        ..follows()
    };
    let table: Vec<(&str, Vec<Said>, Class, Option<&str>)> = vec![
        (
            "all follow",
            vec![
                ("a", true, leads()),
                ("b", true, follows()),
                ("c", true, follows()),
            ],
            Class::Ok,
            Some("a"),
        ),
        (
            "one host is away",
            vec![
                ("a", true, leads()),
                ("b", true, follows()),
                ("c", false, follows()),
            ],
            Class::ReducedTolerance,
            Some("a"),
        ),
        (
            "a voter nobody has asked yet",
            vec![("a", true, leads()), ("b", true, follows())],
            Class::ReducedTolerance,
            Some("a"),
        ),
        (
            "two hosts are away: what the last one believes is no proof",
            vec![
                ("a", true, leads()),
                ("b", false, follows()),
                ("c", false, follows()),
            ],
            Class::NoQuorum,
            None,
        ),
        (
            "two were never asked",
            vec![("a", true, leads())],
            Class::Unknown,
            None,
        ),
        (
            "nobody answers",
            vec![("a", false, leads()), ("b", false, follows())],
            Class::Unknown,
            None,
        ),
        (
            "the leader is away and is still named",
            vec![
                ("a", false, leads()),
                ("b", true, follows()),
                ("c", true, follows()),
            ],
            Class::NoLeader,
            None,
        ),
        (
            "nobody names anybody",
            vec![
                ("a", true, lost.clone()),
                ("b", true, lost.clone()),
                ("c", true, lost),
            ],
            Class::NoLeader,
            None,
        ),
        (
            "two claim in the same term",
            vec![
                ("a", true, leads()),
                ("b", true, line(Part::Leader, Some("b"))),
                ("c", true, follows()),
            ],
            Class::LeaderDisputed,
            None,
        ),
        (
            "a claim that was passed by a later term counts no more",
            vec![
                ("a", true, leads()),
                (
                    "b",
                    true,
                    Line {
                        term: 4,
                        ..line(Part::Leader, Some("b"))
                    },
                ),
                (
                    "c",
                    true,
                    Line {
                        term: 4,
                        ..line(Part::Follower, Some("b"))
                    },
                ),
            ],
            Class::Ok,
            Some("b"),
        ),
        (
            "a learner's word never counts",
            vec![
                ("a", true, leads()),
                ("b", false, follows()),
                ("c", false, follows()),
                ("d", true, line(Part::Learner, Some("a"))),
            ],
            Class::NoQuorum,
            None,
        ),
        (
            "a replica that cannot go on is no voter that answers",
            vec![
                ("a", true, leads()),
                ("b", true, follows()),
                (
                    "c",
                    true,
                    Line {
                        faulty: true,
                        ..follows()
                    },
                ),
            ],
            Class::ReducedTolerance,
            Some("a"),
        ),
        (
            "a learner that cannot go on",
            vec![
                ("a", true, leads()),
                ("b", true, follows()),
                ("c", true, follows()),
                (
                    "d",
                    true,
                    Line {
                        faulty: true,
                        ..line(Part::Learner, Some("a"))
                    },
                ),
            ],
            Class::Fault,
            Some("a"),
        ),
    ];
    for (name, words, class, leader) in table {
        let row = judged(&words);
        assert_eq!(row.class, class, "{name}");
        let found = row.leader.as_ref().map(MemberId::as_str);
        assert_eq!(found, leader, "{name}");
    }
}

fn all(groups: usize, part: impl Fn(usize) -> Line) -> News {
    News {
        complete: true,
        lines: (0..groups).map(|n| (format!("g{n:05}"), part(n))).collect(),
        gone: Vec::new(),
    }
}

/// Hosts a, b and c; a leads all.
fn fleet(groups: usize) -> Fleet {
    let mut fleet = Fleet::new(1_000);
    fleet.hear("a", "10.0.0.1:1", at(1), all(groups, |_| leads()));
    for host in ["b", "c"] {
        fleet.hear(host, "10.0.0.2:1", at(1), all(groups, |_| follows()));
    }
    fleet.settle(true, at(1));
    fleet
}

fn changed(name: &str, line: Line) -> News {
    News {
        lines: vec![(name.to_owned(), line)],
        ..News::default()
    }
}

#[test]
fn what_moved_is_counted_anew_and_nothing_else() {
    let mut fleet = fleet(200);
    assert_eq!((fleet.total(), fleet.count(Class::Ok)), (200, 200));
    let lost = Line {
        part: Part::Follower,
        leader: None,
        claims: false,
        ..leads()
    };
    fleet.hear("a", "10.0.0.1:1", at(2), changed("g00007", lost));
    fleet.settle(false, at(2));
    assert_eq!(fleet.count(Class::NoLeader), 1);
    assert_eq!(fleet.since(Class::NoLeader), Some(at(2)));
    assert_eq!(fleet.view(at(2)).hosts[0].leads, Some(199));
    assert_eq!(fleet.row("g00007").unwrap().class, Class::NoLeader);
    let gone = |name: &str| News {
        gone: vec![name.to_owned()],
        ..News::default()
    };
    for host in ["a", "b", "c"] {
        fleet.hear(host, "10.0.0.1:1", at(3), gone("g00007"));
    }
    fleet.settle(false, at(3));
    assert_eq!((fleet.total(), fleet.count(Class::Ok)), (199, 199));
    assert_eq!(fleet.since(Class::NoLeader), None);
    assert!(fleet.row("g00007").is_none());
    // A host that tells all again no longer runs what it does not tell of.
    fleet.hear("c", "10.0.0.2:1", at(4), all(100, |_| follows()));
    fleet.settle(false, at(4));
    assert_eq!(fleet.count(Class::ReducedTolerance), 100);
}

#[test]
fn a_host_that_does_not_answer_leaves_its_groups_with_less_and_is_told() {
    let mut fleet = fleet(50);
    fleet.miss(
        "c",
        "10.0.0.2:1",
        at(2),
        Answer::Silent("refused".to_owned()),
    );
    fleet.settle(false, at(2));
    assert_eq!(fleet.count(Class::ReducedTolerance), 50);
    let view = fleet.view(at(4));
    let host = &view.hosts[2];
    assert_eq!((host.state, host.groups), (HostState::Unreachable, 50));
    assert_eq!(
        (host.leads, host.votes, host.age_ms),
        (None, None, Some(3_000))
    );
    fleet.miss(
        "b",
        "10.0.0.2:1",
        at(3),
        Answer::Silent("refused".to_owned()),
    );
    fleet.settle(false, at(3));
    assert_eq!(fleet.count(Class::NoQuorum), 50);
    fleet.hear("b", "10.0.0.2:1", at(4), News::default());
    fleet.hear("c", "10.0.0.2:1", at(4), News::default());
    fleet.settle(false, at(4));
    assert_eq!(fleet.count(Class::Ok), 50);
}

#[test]
fn a_replica_lags_that_lacks_what_the_leader_had_a_reading_ago() {
    let mut fleet = fleet(2);
    let reading = |fleet: &mut Fleet, second, leader: u64, behind: u64| {
        let with = |line: Line, last| Line {
            last_index: Some(last),
            ..line
        };
        fleet.hear("a", "1", at(second), all(2, |_| with(leads(), leader)));
        fleet.hear("b", "1", at(second), all(2, |_| with(follows(), leader)));
        let of = |n| if n == 0 { behind } else { leader };
        fleet.hear("c", "1", at(second), all(2, |n| with(follows(), of(n))));
        fleet.settle(true, at(second));
    };
    // Asked a moment before the leader of a busy group: nothing is known to be missing.
    reading(&mut fleet, 30, 9_000, 6_000);
    assert_eq!(fleet.row("g00000").unwrap().lag, Some(0));
    reading(&mut fleet, 60, 12_000, 6_000);
    let row = fleet.row("g00000").unwrap();
    assert_eq!((row.class, row.lag), (Class::Lagging, Some(3_000)));
    assert_eq!(fleet.row("g00001").unwrap().class, Class::Ok);
    reading(&mut fleet, 90, 15_000, 15_000);
    assert_eq!(fleet.count(Class::Ok), 2);
}

#[test]
fn the_list_is_searched_filtered_and_paged() {
    let mut fleet = fleet(25);
    let other = Line {
        leader: None,
        claims: false,
        part: Part::Follower,
        ..leads()
    };
    fleet.hear("a", "1", at(2), changed("g00013", other));
    fleet.settle(false, at(2));
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let (rows, next) = fleet.page(None, None, after.as_deref(), 10, at(2));
        names.extend(rows.into_iter().map(|row| row.group));
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(names.len(), 25);
    assert!(names.is_sorted());
    let of = |class, q| fleet.page(class, q, None, 100, at(2)).0.len();
    assert_eq!(of(Some(Class::NoLeader), None), 1);
    assert_eq!(of(None, Some("G0001")), 10);
    assert_eq!(of(Some(Class::Ok), Some("g0001")), 9);
    assert_eq!(of(None, Some("nowhere")), 0);
}

#[test]
fn the_list_stands_in_the_order_people_count_and_goes_on_after_a_group_that_is_gone() {
    let mut fleet = Fleet::new(1_000);
    let names = ["group-10", "group-2", "default", "group-1", "group-20"];
    for name in names {
        fleet.hear("a", "1", at(1), changed(name, leads()));
    }
    fleet.settle(true, at(1));
    let page = |fleet: &Fleet, after: Option<&str>, most| {
        let (rows, next) = fleet.page(None, None, after, most, at(2));
        let names: Vec<String> = rows.into_iter().map(|row| row.group).collect();
        (names.join(" "), next)
    };
    let (first, next) = page(&fleet, None, 3);
    assert_eq!(first, "default group-1 group-2");
    let gone = News {
        gone: vec!["group-2".to_owned()],
        ..News::default()
    };
    fleet.hear("a", "1", at(2), gone);
    fleet.settle(false, at(2));
    assert_eq!(page(&fleet, next.as_deref(), 3).0, "group-10 group-20");
    assert_eq!(page(&fleet, None, 9).0, "default group-1 group-10 group-20");
    let named: Vec<&str> = fleet.some(Class::Unknown).collect();
    assert_eq!(named, ["default", "group-1", "group-10", "group-20"]);
}

#[test]
fn a_row_is_as_old_as_the_oldest_word_it_rests_on() {
    let mut fleet = fleet(1);
    let age = |fleet: &Fleet| fleet.page(None, None, None, 1, at(20)).0[0].age_ms;
    fleet.hear("a", "1", at(19), News::default());
    fleet.hear("b", "1", at(18), News::default());
    fleet.miss("c", "1", at(19), Answer::Silent("refused".to_owned()));
    fleet.settle(false, at(19));
    assert_eq!(age(&fleet), Some(2_000), "who is silent has no say");
    for (host, second) in [("a", 19), ("b", 19)] {
        fleet.miss(host, "1", at(second), Answer::Silent("refused".to_owned()));
    }
    fleet.settle(false, at(19));
    assert_eq!(
        age(&fleet),
        Some(1_000),
        "from memory: when it was last told"
    );
}

#[test]
fn hosts_that_are_named_and_were_never_asked_are_looked_for() {
    let mut fleet = Fleet::new(1_000);
    fleet.hear("b", "1", at(1), all(3, |_| follows()));
    fleet.settle(true, at(1));
    let strangers = fleet.strangers(4);
    assert_eq!(strangers, [(Arc::from("b"), Arc::from("g00000"))]);
    assert_eq!(fleet.sample("b", 2).len(), 2);
    fleet.hear("a", "1", at(2), all(3, |_| leads()));
    fleet.settle(true, at(2));
    assert!(fleet.strangers(4).is_empty());
}

#[test]
fn a_host_that_left_all_its_groups_is_no_missing_host_and_one_that_is_needed_is() {
    let mut fleet = fleet(3);
    let three = |line: Line| {
        move |_: usize| Line {
            voters: 2,
            ..line.clone()
        }
    };
    let silent = || Answer::Silent("refused".to_owned());
    fleet.miss("c", "1", at(10), silent());
    fleet.settle(true, at(100));
    assert_eq!(fleet.hosts().count(), 3, "its groups miss it");
    fleet.hear("a", "1", at(101), all(3, three(leads())));
    fleet.hear("b", "1", at(101), all(3, three(follows())));
    fleet.miss("c", "1", at(101), silent());
    fleet.settle(true, at(102));
    assert_eq!(fleet.hosts().count(), 2);
    assert_eq!(fleet.count(Class::Ok), 3);
    fleet.hear("c", "1", at(103), all(1, |_| follows()));
    fleet.settle(false, at(103));
    assert_eq!(fleet.hosts().count(), 3, "it is back");
}

#[test]
fn whoever_was_known_by_its_address_is_called_by_its_name_once_it_tells() {
    let mut fleet = Fleet::new(1_000);
    fleet.miss("10.0.0.1:1", "10.0.0.1:1", at(1), Answer::NotAsked);
    fleet.rename("10.0.0.1:1", "a");
    fleet.hear("a", "10.0.0.1:1", at(2), all(1, |_| leads()));
    fleet.settle(true, at(2));
    let names: Vec<&str> = fleet.hosts().map(|host| host.id.as_ref()).collect();
    assert_eq!(names, ["a"]);
}

#[test]
fn the_card_says_how_many_groups_there_are_and_what_is_wrong_with_how_many() {
    let say = |fleet: &Fleet| {
        let mut view = crate::stage::Stage::voters(3).view();
        dress(&mut view, fleet, at(10));
        view
    };
    let mut fleet = fleet(200);
    let view = say(&fleet);
    assert_eq!(
        view.sentence,
        "200 groups on 3 hosts; each is led and has all its voters."
    );
    assert_eq!(view.verdict, Verdict::Ok);
    assert!(view.actions.is_empty() && view.findings.is_empty());
    assert_eq!(view.groups.unwrap().classes[&Class::Ok], 200);
    fleet.miss(
        "c",
        "1",
        at(9),
        Answer::Silent("no answer in time".to_owned()),
    );
    fleet.settle(false, at(9));
    let view = say(&fleet);
    assert_eq!(
        view.sentence,
        "200 groups; 2 of 3 hosts answer: 200 with reduced tolerance."
    );
    assert_eq!(view.verdict, Verdict::AtRisk);
    assert_eq!(view.findings.len(), 2);
    fleet.miss(
        "b",
        "1",
        at(9),
        Answer::Silent("no answer in time".to_owned()),
    );
    fleet.settle(false, at(9));
    assert_eq!(say(&fleet).verdict, Verdict::NoQuorum);
    fleet.miss(
        "a",
        "1",
        at(9),
        Answer::Silent("no answer in time".to_owned()),
    );
    fleet.settle(false, at(9));
    let view = say(&fleet);
    assert_eq!(view.verdict, Verdict::Unknown);
    assert_eq!(
        view.sentence,
        "None of 3 hosts answers; what their groups do is not known."
    );
}
