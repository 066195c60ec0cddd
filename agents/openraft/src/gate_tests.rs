#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use super::*;
use crate::wire::{Member, Membership, Progress};

const LIMITS: Limits = Limits {
    promote_lag: 100,
    transfer_lag: 4,
    asked_ms: 500,
};

/// `n1` leads voters n1–n3; n4 is a learner; everybody is level and heard 20 ms ago.
fn healthy() -> GroupView {
    let member = |id: &str, role| Member {
        id: id.to_owned(),
        name: id.to_owned(),
        address: format!("127.0.0.1:700{}", &id[1..]),
        agent_address: None,
        role,
    };
    let near = Progress {
        matched_index: Some(1_000),
        last_contact_ms: Some(20),
    };
    GroupView {
        group: "default".to_owned(),
        member: "n1".to_owned(),
        instance: "a".to_owned(),
        state: State::Leader,
        term: 3,
        leader: Some("n1".to_owned()),
        claims_leadership: true,
        quorum_evidence_ms: Some(20),
        election_timeout_ms: 1_000,
        heartbeat_interval_ms: 100,
        last_index: Some(1_000),
        commit_index: Some(1_000),
        applied_index: Some(1_000),
        snapshot: None,
        voter: true,
        membership: Membership {
            revision: "T3-N1.7".to_owned(),
            committed: true,
            members: vec![
                member("n1", Role::Voter),
                member("n2", Role::Voter),
                member("n3", Role::Voter),
                member("n4", Role::Learner),
            ],
            configs: vec![vec!["n1".to_owned(), "n2".to_owned(), "n3".to_owned()]],
        },
        progress: ["n2", "n3", "n4"]
            .map(|id| (id.to_owned(), near))
            .into_iter()
            .collect(),
        fault: None,
        burned: vec!["n9".to_owned()],
    }
}

fn silent(view: &mut GroupView, member: &str) {
    let progress = Progress {
        matched_index: Some(10),
        last_contact_ms: Some(1_501),
    };
    view.progress.insert(member.to_owned(), progress);
}

fn code(result: Result<(), Refusal>) -> &'static str {
    result.err().map_or("allowed", |refusal| refusal.code)
}

#[test]
fn a_healthy_leader_may_do_everything_once() {
    let view = healthy();
    assert_eq!(code(leading(&view, Some("T3-N1.7"))), "allowed");
    for (verb, member) in [
        (Verb::AddLearner, "n5"),
        (Verb::Promote, "n4"),
        (Verb::Demote, "n2"),
        (Verb::Remove, "n2"),
        (Verb::Remove, "n4"),
        (Verb::Transfer, "n3"),
    ] {
        assert_eq!(
            code(allows(&view, verb, member, LIMITS)),
            "allowed",
            "{verb:?} {member}"
        );
    }
}

#[test]
fn a_change_that_changes_nothing_is_refused() {
    let view = healthy();
    for (verb, member, why) in [
        (Verb::AddLearner, "n2", "already-member"),
        (Verb::Promote, "n2", "already-voter"),
        (Verb::Demote, "n4", "not-a-voter"),
        (Verb::Remove, "n7", "member-unknown"),
        (Verb::Promote, "n7", "member-unknown"),
        (Verb::Demote, "n7", "member-unknown"),
        (Verb::Transfer, "n1", "already-leader"),
    ] {
        assert_eq!(
            code(allows(&view, verb, member, LIMITS)),
            why,
            "{verb:?} {member}"
        );
    }
}

#[test]
fn an_id_is_never_used_again() {
    assert_eq!(
        code(allows(&healthy(), Verb::AddLearner, "n9", LIMITS)),
        "id-burned"
    );
}

#[test]
fn a_learner_that_is_silent_or_behind_is_not_promoted() {
    let mut view = healthy();
    silent(&mut view, "n4");
    assert_eq!(
        code(allows(&view, Verb::Promote, "n4", LIMITS)),
        "not-heard"
    );

    let never = Progress {
        matched_index: None,
        last_contact_ms: None,
    };
    view.progress.insert("n4".to_owned(), never);
    assert_eq!(
        code(allows(&view, Verb::Promote, "n4", LIMITS)),
        "not-heard"
    );

    let behind = Progress {
        matched_index: Some(899),
        last_contact_ms: Some(10),
    };
    view.progress.insert("n4".to_owned(), behind);
    assert_eq!(
        code(allows(&view, Verb::Promote, "n4", LIMITS)),
        "not-level"
    );
}

#[test]
fn only_who_has_answered_since_the_change_was_asked_for_answers() {
    let view = healthy();
    let at_once = Limits {
        asked_ms: 10,
        ..LIMITS
    };
    assert_eq!(
        code(allows(&view, Verb::Promote, "n4", at_once)),
        "not-heard"
    );
    assert_eq!(
        code(allows(&view, Verb::Transfer, "n2", at_once)),
        "not-heard"
    );
    assert_eq!(
        code(allows(&view, Verb::Remove, "n2", at_once)),
        "majority-at-risk"
    );
}

#[test]
fn nobody_leaves_when_the_rest_would_have_no_majority() {
    let mut view = healthy();
    silent(&mut view, "n3");
    assert_eq!(
        code(allows(&view, Verb::Demote, "n2", LIMITS)),
        "majority-at-risk"
    );
    assert_eq!(
        code(allows(&view, Verb::Remove, "n2", LIMITS)),
        "majority-at-risk"
    );
    assert_eq!(code(allows(&view, Verb::Remove, "n3", LIMITS)), "allowed");
}

#[test]
fn the_leader_and_the_last_voter_stay() {
    let mut view = healthy();
    assert_eq!(code(allows(&view, Verb::Remove, "n1", LIMITS)), "is-leader");
    view.membership.members.retain(|member| member.id == "n1");
    assert_eq!(code(allows(&view, Verb::Demote, "n1", LIMITS)), "is-leader");
}

#[test]
fn leadership_goes_only_to_a_voter_that_is_level_and_heard() {
    let mut view = healthy();
    assert_eq!(
        code(allows(&view, Verb::Transfer, "n4", LIMITS)),
        "not-a-voter"
    );
    assert_eq!(
        code(allows(&view, Verb::Transfer, "n7", LIMITS)),
        "member-unknown"
    );
    let behind = Progress {
        matched_index: Some(950),
        last_contact_ms: Some(10),
    };
    view.progress.insert("n2".to_owned(), behind);
    assert_eq!(
        code(allows(&view, Verb::Transfer, "n2", LIMITS)),
        "not-level"
    );
    silent(&mut view, "n3");
    assert_eq!(
        code(allows(&view, Verb::Transfer, "n3", LIMITS)),
        "not-heard"
    );
}

#[test]
fn only_an_undisturbed_leader_changes_anything() {
    let change = |edit: fn(&mut GroupView)| {
        let mut view = healthy();
        edit(&mut view);
        code(leading(&view, Some("T3-N1.7")))
    };
    assert_eq!(change(|v| v.state = State::Follower), "not-leader");
    assert_eq!(
        change(|v| v.fault = Some("the core ended: panicked".into())),
        "core-stopped"
    );
    assert_eq!(change(|v| v.quorum_evidence_ms = Some(1_001)), "no-quorum");
    assert_eq!(change(|v| v.quorum_evidence_ms = None), "no-quorum");
    assert_eq!(
        change(|v| v.membership.revision = "T3-N1.9".into()),
        "revision-moved"
    );
    assert_eq!(
        change(|v| v.membership.committed = false),
        "change-in-progress"
    );
    assert_eq!(
        change(|v| v.membership.configs.push(vec!["n1".into()])),
        "change-in-progress"
    );
}

#[test]
fn time_alone_may_cure_silence_and_lag_but_not_a_wrong_target() {
    let mut view = healthy();
    silent(&mut view, "n4");
    assert!(
        allows(&view, Verb::Promote, "n4", LIMITS)
            .unwrap_err()
            .may_pass()
    );
    assert!(
        !allows(&view, Verb::Promote, "n2", LIMITS)
            .unwrap_err()
            .may_pass()
    );
    let _: &BTreeMap<String, Progress> = &view.progress;
}
