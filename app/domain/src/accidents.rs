//! Accidents that running systems permit, as far as the rules alone prevent them or tell the
//! truth about them. The numbers are names.
#![allow(clippy::expect_used)]

use crate::{
    action::Action,
    cluster::{Role, Term},
    health::{FindingCode, Severity, Verdict},
    observation::{Note, SelfReport},
    plan::{Basis, Expectation, met, preview},
    preflight::{self, Level, ReasonCode},
    stage::Stage,
    view::{ClusterView, LeaderStatus},
};

fn refusals(view: &ClusterView, action: &Action) -> Vec<ReasonCode> {
    preflight::check(view, action)
        .iter()
        .filter(|check| check.level == Level::Refuse)
        .map(|check| check.code)
        .collect()
}

fn demote(id: &str) -> Action {
    Action::Demote { member: id.into() }
}

fn promote(id: &str) -> Action {
    Action::Promote { member: id.into() }
}

fn transfer(id: &str) -> Action {
    Action::Transfer {
        member: Some(id.into()),
    }
}

fn becomes(id: &str, role: Role) -> Expectation {
    Expectation::MemberHasRole {
        member: Some(id.into()),
        address: None,
        role,
    }
}

fn finding(view: &ClusterView, code: FindingCode) -> &crate::health::Finding {
    view.findings
        .iter()
        .find(|finding| finding.code == code)
        .expect("a finding")
}

#[test]
fn accident_07_what_a_fourth_voter_costs_is_shown_and_it_must_answer_and_be_level() {
    let stage = || Stage::voters(3).learner("n4");
    let shown = preview(&stage().view(), &promote("n4"));
    let of = |picture: &crate::plan::Picture| {
        let quorum = &picture.quorum;
        (quorum.voters, quorum.majority, quorum.tolerates)
    };
    assert_eq!(of(&shown.before), (3, 2, Some(1)));
    assert_eq!(of(&shown.after), (4, 3, Some(1)));
    let warned = shown
        .checks
        .iter()
        .any(|check| check.level == Level::Warn && check.code == ReasonCode::EvenVoters);
    assert!(warned, "{:?}", shown.checks);
    // Silent, it would use up the only failure that may be.
    let silent = stage().silent("n4").view();
    assert!(refusals(&silent, &promote("n4")).contains(&ReasonCode::MemberNotSeen));
    let mut behind = stage();
    for id in ["n1", "n2", "n3"] {
        behind = behind.indexes(id, 1_000_000, 1_000_000);
    }
    assert!(!refusals(&behind.view(), &promote("n4")).is_empty());
}

#[test]
fn accident_14_demoting_three_of_four_voters_one_by_one_stops_before_the_last_two() {
    let role = |stage: Stage, id: &str| stage.member(id, |member| member.role = Role::Learner);
    let mut stage = Stage::voters(4).openbao();
    assert!(refusals(&stage.clone().view(), &demote("n4")).is_empty());
    stage = role(stage, "n4");
    let checks = preflight::check(&stage.clone().view(), &demote("n3"));
    assert_eq!(
        preflight::worst(&checks),
        Level::Warn,
        "tolerance ends here, and that is said"
    );
    stage = role(stage, "n3");
    assert_eq!(
        refusals(&stage.view(), &demote("n2")),
        [ReasonCode::LastVoter]
    );
}

#[test]
fn accident_15_the_leader_is_not_demoted_and_a_pending_wish_is_shown() {
    let stage = Stage::voters(4).openbao();
    assert_eq!(
        refusals(&stage.clone().view(), &demote("n1")),
        [ReasonCode::IsLeader]
    );
    let view = stage.wants("n1", Role::Learner).view();
    let wish = finding(&view, FindingCode::WishPending);
    assert_eq!(wish.severity, Severity::Warn);
    assert!(
        wish.text.contains("as soon as leadership moves"),
        "{}",
        wish.text
    );
    let waits = met(&becomes("n1", Role::Learner), &view).expect_err("not done");
    assert!(waits.contains("not carried it out"), "{waits}");
    assert!(waits.contains("n1 leads"), "{waits}");
}

#[test]
fn accident_16_the_leader_is_not_removed_and_a_removed_one_is_not_believed() {
    let remove = Action::Remove {
        member: "n1".into(),
    };
    assert_eq!(
        refusals(&Stage::voters(4).view(), &remove),
        [ReasonCode::IsLeader]
    );
    // n9 was removed while it led, runs on and says it leads; its own list is without it.
    let mut stage = Stage::voters(3).note(Note::RemovedStillRunning {
        member: "n9".into(),
        address: "https://n9".to_owned(),
    });
    let mut stuck = stage.nodes.get(&"n1".into()).expect("staged").clone();
    stuck.id = "n9".into();
    stuck.says = Some(SelfReport {
        claims_leadership: true,
        names_leader: Some("n9".into()),
        voter_by_own_account: Some(false),
        ..SelfReport::default()
    });
    stage.nodes.insert("n9".into(), stuck);
    let view = stage.view();
    assert!(view.is_led_by(&"n1".into()));
    assert!(
        finding(&view, FindingCode::RemovedStillRunning)
            .text
            .contains("still runs")
    );
    assert_eq!(
        met(
            &Expectation::MemberGone {
                member: "n9".into()
            },
            &view
        ),
        Ok(())
    );
}

#[test]
fn accident_17_an_accepted_promotion_waits_and_says_why() {
    let stage = Stage::voters(3).learner("n4").openbao().look().later(6_000);
    let view = stage
        .wants("n4", Role::Voter)
        .note(Note::BackendUnhealthy {
            text: "autopilot holds n2 unhealthy.".to_owned(),
        })
        .view();
    let waits = met(&becomes("n4", Role::Voter), &view).expect_err("not done yet");
    assert!(waits.contains("accepted"), "{waits}");
    assert!(waits.contains("autopilot holds n2 unhealthy"), "{waits}");
    assert_eq!(
        finding(&view, FindingCode::BackendUnhealthy).severity,
        Severity::Info
    );
    assert_eq!(view.verdict, Verdict::Ok, "an opinion alone is no risk");
}

#[test]
fn accident_18_a_removal_is_done_only_if_the_member_was_there_and_is_gone() {
    let view = Stage::voters(4).view();
    let unknown = Action::Remove {
        member: "zz".into(),
    };
    assert_eq!(refusals(&view, &unknown), [ReasonCode::MemberUnknown]);
    let gone = Expectation::MemberGone {
        member: "n4".into(),
    };
    assert!(met(&gone, &view).is_err());
    assert_eq!(met(&gone, &Stage::voters(3).view()), Ok(()));
}

#[test]
fn accident_19_a_newcomer_that_came_out_as_a_voter_is_not_called_done() {
    let joined = Expectation::MemberHasRole {
        member: None,
        address: Some("https://n4.example:8200/".to_owned()),
        role: Role::Learner,
    };
    let waits = met(&joined, &Stage::voters(4).openbao().view()).expect_err("wrong role");
    assert_eq!(waits, "n4 came out as a voter instead of a learner.");
    assert_eq!(
        met(&joined, &Stage::voters(3).learner("n4").openbao().view()),
        Ok(())
    );
}

#[test]
fn accident_20_a_join_that_did_nothing_is_not_called_done() {
    let again = Action::AddLearner {
        address: "https://n3.example:8200".to_owned(),
        member: None,
    };
    let view = Stage::voters(3).openbao().view();
    assert_eq!(refusals(&view, &again), [ReasonCode::AlreadyMember]);
    let joined = Expectation::MemberHasRole {
        member: None,
        address: Some("https://n9.example:8200".to_owned()),
        role: Role::Learner,
    };
    assert!(
        met(&joined, &view)
            .expect_err("not there")
            .contains("is not in the Raft configuration yet")
    );
}

#[test]
fn accident_21_standbys_that_name_a_dead_leader_are_not_believed() {
    let dead = Stage::voters(3).openbao().look().later(500).silent("n1");
    let view = dead.view();
    assert_eq!(view.leader.status, LeaderStatus::None);
    assert_eq!(view.leader.member, None);
    assert_eq!(
        view.leader_sentence,
        "No leader is confirmed; n2 and n3 name n1."
    );
    assert_eq!(
        finding(&view, FindingCode::NoLeader).severity,
        Severity::Bad
    );
    let frozen = Stage::voters(3).openbao().seen_after(2_001);
    assert_ne!(
        frozen.leader.status,
        LeaderStatus::Agreed,
        "an old look is no proof"
    );
    assert_eq!(frozen.age_ms, Some(2_001));
}

#[test]
fn accident_22_a_snapshot_is_proved_by_its_receipt_and_taken_from_an_agreed_leader() {
    let view = Stage::voters(3).openbao().silent("n1").view();
    assert_eq!(
        refusals(&view, &Action::Snapshot),
        [ReasonCode::NoAgreedLeader]
    );
    let preview = preview(&Stage::voters(3).openbao().view(), &Action::Snapshot);
    let check = preview.steps.last().expect("a check");
    assert_eq!(
        check.rest,
        "its contents to the end against its own checksums"
    );
}

#[test]
fn accident_30_a_dead_learner_is_not_promoted() {
    let view = Stage::voters(4)
        .learner("n5")
        .progress("n5", 100)
        .silent("n5")
        .view();
    assert!(refusals(&view, &promote("n5")).contains(&ReasonCode::MemberNotSeen));
}

#[test]
fn accident_31_voters_come_one_at_a_time_and_a_joint_configuration_is_left_alone() {
    let learners = Stage::voters(3).learner("n9").learner("n10");
    let view = learners.clone().wants("n9", Role::Voter).view();
    assert!(refusals(&view, &promote("n10")).contains(&ReasonCode::WishPending));
    let joint = learners.joint(&["n1 n2 n3", "n1 n2 n3 n9"]).view();
    assert!(refusals(&joint, &promote("n10")).contains(&ReasonCode::JointConfiguration));
    assert_eq!(
        finding(&joint, FindingCode::JointConfiguration).severity,
        Severity::Warn
    );
}

#[test]
fn accident_32_leadership_goes_to_no_one_who_cannot_take_it() {
    let view = Stage::voters(3)
        .learner("n4")
        .silent("n2")
        .indexes("n1", 900, 900)
        .contact("n3", 3_000)
        .view();
    let table = [
        ("n1", ReasonCode::TargetIsLeader),
        ("n4", ReasonCode::TargetNotVoter),
        ("zz", ReasonCode::MemberUnknown),
        ("n2", ReasonCode::TargetNotSeen),
        ("n3", ReasonCode::TargetLagging),
    ];
    for (target, code) in table {
        assert!(
            refusals(&view, &transfer(target)).contains(&code),
            "{target}"
        );
    }
}

#[test]
fn accident_33_a_leader_whose_raft_has_panicked_is_not_believed() {
    let zombie = Stage::voters(3)
        .says("n1", |says| says.fault = Some("panicked".to_owned()))
        .claims("n2", 5)
        .says("n3", |says| {
            says.names_leader = Some("n2".into());
            says.term = Some(Term(5));
        });
    let view = zombie.view();
    assert!(view.is_led_by(&"n2".into()));
    assert_eq!(view.quorum.answering, 2);
    assert!(
        finding(&view, FindingCode::MemberFault)
            .text
            .contains("panicked")
    );
}

#[test]
fn accident_34_requests_that_would_change_nothing_are_refused() {
    let view = Stage::voters(4).learner("n5").view();
    assert_eq!(refusals(&view, &demote("n5")), [ReasonCode::AlreadyLearner]);
    let moved = Action::AddLearner {
        address: "http://elsewhere:1".to_owned(),
        member: Some("n5".into()),
    };
    assert_eq!(refusals(&view, &moved), [ReasonCode::AlreadyMember]);
}

#[test]
fn accident_39_an_unknown_outcome_is_settled_by_a_fresh_look_only() {
    let becomes = becomes("n4", Role::Voter);
    let done = Stage::voters(4);
    assert_eq!(met(&becomes, &done.clone().view()), Ok(()));
    let old = met(&becomes, &done.clone().seen_after(2_500)).expect_err("too old");
    assert!(old.contains("a newer one is needed"), "{old}");
    let leaderless = met(&becomes, &done.silent("n1").view()).expect_err("no leader");
    assert!(leaderless.contains("No leader is agreed"), "{leaderless}");
}

#[test]
fn accident_40_what_was_decided_on_must_still_hold() {
    let action = promote("n5");
    let basis = |stage: Stage| {
        let view = stage.view();
        let checks = preflight::check(&view, &action);
        Basis::of(&view, &checks)
    };
    let calm = || Stage::voters(4).learner("n5").learner("n6");
    let seen = basis(calm());
    assert!(seen.moved(&basis(calm())).is_empty());
    let table = [
        (
            "another membership",
            calm().learner("n7"),
            "The membership has changed",
        ),
        ("another leader", elected(calm()), "The leader has changed"),
        ("a voter lost", calm().silent("n4"), "has become worse"),
        (
            "another change",
            calm().running(),
            "another change is running",
        ),
    ];
    for (name, stage, words) in table {
        let moved = seen.moved(&basis(stage)).join(" ");
        assert!(moved.contains(words), "{name}: {moved}");
    }
}

/// n2 leads in a later term.
fn elected(stage: Stage) -> Stage {
    let stage = stage
        .says("n1", |says| says.claims_leadership = false)
        .claims("n2", 5);
    ["n1", "n3", "n4", "n5", "n6"]
        .into_iter()
        .fold(stage, |stage, id| {
            stage.says(id, |says| {
                says.names_leader = Some("n2".into());
                says.term = Some(Term(5));
            })
        })
}
