//! Each leader status and each way to miss it.

#![allow(clippy::expect_used)]

use super::*;
use crate::{cluster::Role, observation::Answer, stage::Stage};

fn status(stage: &Stage) -> (LeaderStatus, Option<String>) {
    let leader = leader(&stage.observation(), stage.at);
    (leader.status, leader.member.map(|id| id.0))
}

fn agreed(id: &str) -> (LeaderStatus, Option<String>) {
    (LeaderStatus::Agreed, Some(id.to_owned()))
}

#[test]
fn every_status_follows_from_who_says_what() {
    let three = || Stage::voters(3).learner("n4");
    let nobody = (LeaderStatus::None, None);
    let unknown = (LeaderStatus::Unknown, None);
    let disputed = (LeaderStatus::Disputed, None);
    let evidence = |age, timeout| {
        three().says("n1", move |says| {
            says.quorum_evidence_ms = Some(age);
            says.election_timeout_ms = timeout;
        })
    };
    let table = [
        ("all name the one that claims", three(), agreed("n1")),
        (
            "two of three are enough",
            three().silent("n3"),
            agreed("n1"),
        ),
        (
            "two of three, the third names nobody",
            three().names("n3", None),
            agreed("n1"),
        ),
        (
            "two of three, the third names another",
            three().names("n3", Some("n2")),
            agreed("n1"),
        ),
        (
            "the claimant alone answers",
            three().silent("n2").silent("n3"),
            unknown.clone(),
        ),
        (
            "followers alone name a dead leader",
            three().silent("n1"),
            nobody.clone(),
        ),
        (
            "nobody claims, nobody is named",
            three().silent("n1").names("n2", None).names("n3", None),
            nobody.clone(),
        ),
        (
            "voters name different ones",
            three().silent("n1").names("n3", Some("n2")),
            disputed.clone(),
        ),
        (
            "two claim in one term",
            three().claims("n2", 4),
            disputed.clone(),
        ),
        (
            "an old claim in a lower term is none",
            three().claims("n2", 5).says("n3", |s| {
                s.names_leader = Some("n2".into());
                s.term = Some(Term(5));
            }),
            agreed("n2"),
        ),
        (
            "a voter has passed the claimant's term",
            three().says("n3", |says| says.term = Some(Term(5))),
            nobody.clone(),
        ),
        (
            "named in another term",
            three()
                .says("n2", |s| s.term = Some(Term(3)))
                .says("n3", |s| s.term = Some(Term(3))),
            nobody.clone(),
        ),
        (
            "terms are not told",
            three()
                .says("n1", |s| s.term = None)
                .says("n2", |s| s.term = None),
            agreed("n1"),
        ),
        ("fresh evidence", evidence(300, Some(1_000)), agreed("n1")),
        (
            "evidence as old as an election timeout",
            evidence(1_000, Some(1_000)),
            nobody.clone(),
        ),
        (
            "old evidence, timeout not told",
            evidence(2_500, None),
            nobody.clone(),
        ),
        (
            "no voter by its own account",
            three().says("n1", |s| s.voter_by_own_account = Some(false)),
            nobody.clone(),
        ),
        (
            "a voter by its own account",
            three().says("n1", |s| s.voter_by_own_account = Some(true)),
            agreed("n1"),
        ),
        (
            "its Raft has stopped",
            three().says("n1", |s| s.fault = Some("panicked".to_owned())),
            nobody.clone(),
        ),
        (
            "a learner claims as well",
            three().claims("n4", 4),
            agreed("n1"),
        ),
        (
            "a learner's term does not count",
            three().says("n4", |s| s.term = Some(Term(9))),
            agreed("n1"),
        ),
        (
            "learners' words do not make a majority",
            three().learner("n5").silent("n2").silent("n3"),
            unknown.clone(),
        ),
        (
            "sealed voters do not answer",
            three()
                .answer("n2", Answer::Sealed)
                .answer("n3", Answer::Sealed),
            unknown,
        ),
        (
            "a joint change needs both majorities",
            three()
                .with("n5", Role::Voter)
                .with("n6", Role::Voter)
                .joint(&["n1 n2 n3", "n1 n5 n6"])
                .names("n5", None)
                .names("n6", None),
            nobody,
        ),
        (
            "a joint change with both majorities",
            three()
                .with("n5", Role::Voter)
                .joint(&["n1 n2 n3", "n1 n2 n5"]),
            agreed("n1"),
        ),
        ("a member of one", Stage::voters(1), agreed("n1")),
    ];
    for (name, stage, expected) in table {
        assert_eq!(status(&stage), expected, "{name}");
    }
}

#[test]
fn a_claim_holds_for_two_seconds_and_no_longer() {
    let observation = Stage::voters(3).observation();
    let at = |later| leader(&observation, observation.taken_at.plus_ms(later)).status;
    assert_eq!(at(CLAIM_HOLDS_MS), LeaderStatus::Agreed);
    assert_eq!(at(CLAIM_HOLDS_MS + 1), LeaderStatus::Unknown);
}

#[test]
fn names_in_stale_answers_do_not_count() {
    let mut observation = Stage::voters(3).observation();
    let taken = observation.taken_at;
    for node in observation.nodes.iter_mut().skip(1) {
        node.at = taken.minus_ms(2_100);
    }
    let found = leader(&observation, taken);
    assert_eq!(found.status, LeaderStatus::Unknown);
    assert_eq!(found.votes.len(), 1);
    assert_eq!(found.votes.values().map(Vec::len).sum::<usize>(), 1);
}

#[test]
fn votes_tell_who_names_whom() {
    let stage = Stage::voters(3).learner("n4").names("n3", Some("n2"));
    let votes = leader(&stage.observation(), stage.at).votes;
    let ids = |text: &str| text.split(' ').map(MemberId::from).collect::<Vec<_>>();
    assert_eq!(votes.get(&MemberId::from("n1")), Some(&ids("n1 n2")));
    assert_eq!(votes.get(&MemberId::from("n2")), Some(&ids("n3")));
}

#[test]
fn without_a_membership_nobody_is_agreed() {
    let state = Stage::voters(3).without_membership();
    let observation = state.observation.expect("looked");
    assert_eq!(
        leader(&observation, observation.taken_at).status,
        LeaderStatus::Unknown
    );
}
