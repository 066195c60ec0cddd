//! OpenZiti changes a role by removing and adding, and lists whoever is connected.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{cluster::Kind, plan, view::MemberState};

fn openziti() -> Stage {
    let mut stage = Stage::voters(4).learner("n5");
    stage.kind = Kind::Openziti;
    stage.program = None;
    stage
}

#[test]
fn a_change_of_role_says_that_it_removes_before_it_adds() {
    for action in [promote("n5"), demote("n4")] {
        warned(&openziti().view(), &action, ReasonCode::RemovedThenAdded);
        let mut other = openziti();
        other.kind = Kind::Agent;
        let checks = check(&other.view(), &action);
        assert!(!codes(&checks, Level::Warn).contains(&ReasonCode::RemovedThenAdded));
    }
    let steps = plan::preview(&openziti().view(), &promote("n5")).steps;
    assert!(
        steps[0]
            .rest
            .contains("to remove n5 and to add it again as a voter")
    );
}

#[test]
fn a_silent_voter_is_not_demoted_for_it_could_not_be_added_again() {
    let view = openziti().silent("n4").view();
    refused(&view, &demote("n4"), ReasonCode::MemberNotSeen);
    assert!(worst(&check(&view, &remove("n4"))) < Level::Refuse);
}

#[test]
fn the_majority_must_hold_without_the_member_too() {
    let mut stage = Stage::voters(3).silent("n3");
    stage.kind = Kind::Openziti;
    refused(&stage.view(), &demote("n2"), ReasonCode::QuorumWouldBeLost);
}

#[test]
fn who_follows_nobody_gets_neither_the_lead_nor_a_vote() {
    let view = openziti().names("n2", None).names("n5", None).view();
    refused(&view, &transfer("n2"), ReasonCode::TargetNotSeen);
    refused(&view, &promote("n5"), ReasonCode::MemberNotSeen);
    allowed(&view, &transfer("n3"));
}

#[test]
fn accident_37_who_may_be_no_member_is_not_promoted_and_adding_settles_it() {
    let doubt = Note::MaybeNoMember {
        member: "n5".into(),
    };
    let view = openziti().note(doubt).view();
    let n5 = view.member(&"n5".into()).unwrap();
    assert_eq!(n5.state, MemberState::Unconfirmed);
    refused(&view, &promote("n5"), ReasonCode::MemberUnconfirmed);
    allowed(&view, &add(&n5.address, None));
    let certain = openziti().view();
    refused(&certain, &add(&n5.address, None), ReasonCode::AlreadyMember);
}
