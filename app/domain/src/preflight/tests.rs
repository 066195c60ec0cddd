//! A table for each rule: what it refuses, warns of, and lets pass.

use super::*;
use crate::{
    cluster::{Role, Term},
    observation::{Answer, Note},
    stage::Stage,
};

mod openziti;

fn promote(id: &str) -> Action {
    Action::Promote { member: id.into() }
}
fn demote(id: &str) -> Action {
    Action::Demote { member: id.into() }
}
fn remove(id: &str) -> Action {
    Action::Remove { member: id.into() }
}
fn transfer(id: &str) -> Action {
    Action::Transfer {
        member: Some(id.into()),
    }
}
const AWAY: Action = Action::Transfer { member: None };
fn add(address: &str, id: Option<&str>) -> Action {
    Action::AddLearner {
        address: address.to_owned(),
        member: id.map(MemberId::from),
    }
}
fn fresh() -> Action {
    add("https://n9.example:8200", None)
}

fn codes(checks: &[Check], level: super::Level) -> Vec<ReasonCode> {
    checks
        .iter()
        .filter(|check| check.level == level)
        .map(|check| check.code)
        .collect()
}

#[track_caller]
fn refused(view: &ClusterView, action: &Action, code: ReasonCode) {
    let checks = check(view, action);
    assert!(
        codes(&checks, super::Level::Refuse).contains(&code),
        "{action:?}: {checks:#?}"
    );
    assert_eq!(
        checks.first().map(|check| check.level),
        Some(super::Level::Refuse)
    );
}

#[track_caller]
fn warned(view: &ClusterView, action: &Action, code: ReasonCode) {
    let checks = check(view, action);
    assert!(
        codes(&checks, super::Level::Warn).contains(&code),
        "{action:?}: {checks:#?}"
    );
    assert_ne!(
        worst(&checks),
        super::Level::Refuse,
        "{action:?}: {checks:#?}"
    );
}

#[track_caller]
fn allowed(view: &ClusterView, action: &Action) {
    let checks = check(view, action);
    assert_eq!(
        worst(&checks),
        super::Level::Allow,
        "{action:?}: {checks:#?}"
    );
}

/// Four voters, two learners: everything has room.
fn roomy() -> Stage {
    Stage::voters(4).learner("n5").learner("n6")
}

fn every_action() -> Vec<Action> {
    vec![
        fresh(),
        promote("n5"),
        demote("n3"),
        remove("n3"),
        remove("n5"),
        transfer("n2"),
        Action::Snapshot,
    ]
}

#[test]
fn what_costs_nothing_is_allowed() {
    let view = roomy().view();
    for action in every_action() {
        allowed(&view, &action);
    }
    let view = Stage::voters(2).learner("n3").view();
    warned(&view, &remove("n2"), ReasonCode::NoTolerance);
}

#[test]
fn who_answers_and_does_not_follow_the_leader_is_no_part_of_a_majority() {
    let cut_off = Stage::voters(3).learner("n4").names("n3", None).view();
    for action in [remove("n2"), demote("n2")] {
        refused(&cut_off, &action, ReasonCode::QuorumWouldBeLost);
        refused(&cut_off, &action, ReasonCode::MemberApart);
    }
    warned(&cut_off, &remove("n3"), ReasonCode::NoTolerance);
    warned(&cut_off, &promote("n4"), ReasonCode::MemberApart);
    let named = Stage::voters(5).names("n4", Some("n2")).view();
    warned(&named, &remove("n2"), ReasonCode::MemberApart);
    let spoken = check(&named, &remove("n2"));
    assert!(spoken.iter().any(|check| check.text
        == "n4 names n2 as leader, not the agreed one. No majority can count on it."));
}

#[test]
fn nothing_is_permitted_that_cannot_be_judged() {
    use ReasonCode::{LookTooOld, NoAgreedLeader, NoQuorum, NotSupported, ReadOnly};
    let unsupported = {
        let mut view = roomy().view();
        view.capabilities.clear();
        view
    };
    let two_silent = roomy().silent("n2").silent("n3").view();
    let table = [
        (roomy().read_only().view(), ReadOnly),
        (unsupported, NotSupported),
        (roomy().seen_after(2_001), LookTooOld),
        (roomy().silent("n1").view(), NoAgreedLeader),
        (roomy().claims("n2", 4).view(), NoAgreedLeader),
        (two_silent, NoQuorum),
    ];
    for (view, code) in &table {
        for action in every_action() {
            refused(view, &action, *code);
        }
    }
}

#[test]
fn before_the_first_look_everything_is_refused() {
    let mut state = roomy().state();
    state.observation = None;
    let view = crate::view::render(&state, crate::stage::LOOK);
    for action in every_action() {
        assert_eq!(check(&view, &action).len(), 1);
        refused(&view, &action, ReasonCode::NotSeenYet);
    }
}

#[test]
fn a_running_change_holds_back_all_but_a_snapshot() {
    let view = roomy().running().view();
    for action in every_action().into_iter().filter(Action::takes_the_slot) {
        refused(&view, &action, ReasonCode::ChangeRunning);
    }
    allowed(&view, &Action::Snapshot);
}

#[test]
fn a_joint_configuration_holds_back_all_but_a_snapshot() {
    let view = roomy().joint(&["n1 n2 n3", "n1 n2 n3 n4"]).view();
    for action in every_action().into_iter().filter(Action::takes_the_slot) {
        refused(&view, &action, ReasonCode::JointConfiguration);
    }
    allowed(&view, &Action::Snapshot);
}

#[test]
fn differing_views_of_voters_hold_back_changes_of_others() {
    let differs = |id: &str| {
        roomy()
            .note(Note::ViewsDiffer {
                members: vec![id.into()],
            })
            .view()
    };
    refused(&differs("n3"), &promote("n5"), ReasonCode::ViewsDiffer);
    warned(&differs("n3"), &remove("n3"), ReasonCode::ViewsDiffer);
    warned(&differs("n6"), &promote("n5"), ReasonCode::ViewsDiffer);
}

#[test]
fn promotion_needs_a_learner_that_answers_and_is_level() {
    use ReasonCode::{
        AlreadyVoter, LagUnknown, MemberNotSeen, MemberUnconfirmed, MemberUnknown, TooFarBehind,
    };
    let silent = |text: &str| text.to_owned();
    let table = [
        (roomy(), "zz", MemberUnknown),
        (roomy(), "n2", AlreadyVoter),
        (roomy().silent("n5"), "n5", MemberNotSeen),
        (
            roomy().silent("n5").progress("n5", 100),
            "n5",
            MemberNotSeen,
        ),
        (roomy().answer("n5", Answer::Sealed), "n5", MemberNotSeen),
        (
            roomy().answer("n5", Answer::NotStarted),
            "n5",
            MemberNotSeen,
        ),
        (
            roomy().answer("n5", Answer::Denied(silent("403"))),
            "n5",
            MemberNotSeen,
        ),
        (
            roomy().answer("n5", Answer::Misread(silent("not JSON"))),
            "n5",
            MemberNotSeen,
        ),
        (
            roomy().answer("n5", Answer::NotAsked),
            "n5",
            MemberUnconfirmed,
        ),
        (roomy().contact("n5", 10_001), "n5", MemberNotSeen),
        (roomy().names("n5", Some("n2")), "n5", MemberNotSeen),
        (
            roomy().says("n5", |s| s.fault = Some("stopped".to_owned())),
            "n5",
            MemberNotSeen,
        ),
        (roomy().silent("n5"), "n5", LagUnknown),
        (
            roomy().says("n5", |s| {
                s.last_index = None;
                s.applied_index = None;
            }),
            "n5",
            LagUnknown,
        ),
        (
            roomy()
                .indexes("n1", 1_101, 1_101)
                .indexes("n5", 1_000, 1_000),
            "n5",
            TooFarBehind,
        ),
    ];
    for (stage, id, code) in table {
        refused(&stage.view(), &promote(id), code);
    }
    let at_the_limit = roomy()
        .indexes("n1", 1_100, 1_100)
        .indexes("n5", 1_000, 1_000);
    allowed(&at_the_limit.view(), &promote("n5"));
    allowed(&roomy().contact("n5", 5_000).view(), &promote("n5"));
}

#[test]
fn the_leader_is_neither_demoted_nor_removed() {
    let view = roomy().view();
    refused(&view, &demote("n1"), ReasonCode::IsLeader);
    refused(&view, &remove("n1"), ReasonCode::IsLeader);
}

#[test]
fn what_would_change_nothing_is_refused() {
    let view = roomy().view();
    refused(&view, &demote("n5"), ReasonCode::AlreadyLearner);
    refused(&view, &demote("zz"), ReasonCode::MemberUnknown);
    refused(&view, &remove("zz"), ReasonCode::MemberUnknown);
    refused(
        &view,
        &add("https://n9.example", Some("n5")),
        ReasonCode::AlreadyMember,
    );
    refused(
        &view,
        &add("https://N5.example:8200/", None),
        ReasonCode::AlreadyMember,
    );
    refused(
        &view,
        &add("10.0.0.1:n5", Some("n9")),
        ReasonCode::AlreadyMember,
    );
}

#[test]
fn the_majority_must_survive() {
    // Voters, silent ones, the action, what is said of it.
    let lost = [
        (3, "n3", demote("n2")),
        (3, "n3", remove("n2")),
        (5, "n4 n5", demote("n2")),
        (5, "n4 n5", remove("n3")),
    ];
    for (voters, silent, action) in lost {
        let stage = silent.split(' ').fold(Stage::voters(voters), Stage::silent);
        refused(&stage.view(), &action, ReasonCode::QuorumWouldBeLost);
    }
    let kept = [
        (3, "n3", remove("n3"), ReasonCode::RemovesSilentMember),
        (3, "n3", demote("n3"), ReasonCode::NoTolerance),
        (5, "n4 n5", remove("n5"), ReasonCode::EvenVoters),
        (5, "n5", demote("n4"), ReasonCode::ToleranceFalls),
    ];
    for (voters, silent, action, code) in kept {
        let stage = silent.split(' ').fold(Stage::voters(voters), Stage::silent);
        warned(&stage.view(), &action, code);
    }
}

#[test]
fn the_last_voters_stay() {
    let single = Stage::voters(1).learner("n2").view();
    refused(&single, &demote("n1"), ReasonCode::LastVoter);
    refused(&single, &remove("n1"), ReasonCode::LastVoter);
    let two = Stage::voters(2).learner("n3").view();
    refused(&two, &demote("n2"), ReasonCode::LastVoter);
}

#[test]
fn what_costs_tolerance_is_warned_of() {
    let three = || Stage::voters(3).learner("n4").learner("n5");
    warned(&three().view(), &promote("n4"), ReasonCode::EvenVoters);
    warned(&three().view(), &demote("n3"), ReasonCode::ToleranceFalls);
    warned(&three().view(), &demote("n3"), ReasonCode::NoTolerance);
    warned(
        &Stage::voters(5).learner("n6").view(),
        &remove("n6"),
        ReasonCode::NoSpare,
    );
    let zones = roomy()
        .zone("n1", "eu1")
        .zone("n2", "eu1")
        .zone("n3", "eu2")
        .zone("n4", "eu1");
    warned(
        &zones.clone().view(),
        &demote("n3"),
        ReasonCode::LastVoterOfZone,
    );
    allowed(&zones.view(), &demote("n4"));
    let one_zone = roomy().zone("n3", "eu1");
    allowed(&one_zone.view(), &demote("n3"));
}

#[test]
fn a_trend_only_warns() {
    let mut stage = roomy();
    for (index, seconds) in [(160, 0), (150, 10), (140, 20)] {
        let behind = stage.indexes("n1", 200, 200).indexes("n5", index, index);
        stage = behind.later(seconds * 1_000).look();
    }
    warned(
        &stage.later(1_000).view(),
        &promote("n5"),
        ReasonCode::LagGrowing,
    );
}

#[test]
fn a_backend_that_feels_unwell_is_warned_of_once_it_had_time_to_settle() {
    let note = Note::BackendUnhealthy {
        text: "n2 is unhealthy.".to_owned(),
    };
    let stage = roomy().openbao().look().later(6_000).note(note);
    warned(&stage.view(), &promote("n5"), ReasonCode::BackendUnhealthy);
}

#[test]
fn wishes_not_carried_out_are_taken_into_account() {
    use ReasonCode::WishPending;
    let view = roomy().wants("n5", Role::Voter).view();
    refused(&view, &promote("n5"), WishPending);
    refused(&view, &promote("n6"), WishPending);
    refused(&view, &demote("n3"), WishPending);
    refused(&view, &remove("n3"), WishPending);
    warned(&view, &demote("n5"), WishPending);
    allowed(&view, &remove("n5"));
    let view = roomy().wants("n3", Role::Learner).view();
    refused(&view, &demote("n3"), WishPending);
    warned(&view, &promote("n3"), WishPending);
    allowed(&view, &remove("n3"));
    let leader = roomy().wants("n1", Role::Learner).view();
    warned(&leader, &promote("n1"), WishPending);
    warned(&leader, &transfer("n2"), WishPending);
    let tight = Stage::voters(3)
        .silent("n3")
        .wants("n1", Role::Learner)
        .view();
    refused(&tight, &transfer("n2"), ReasonCode::QuorumWouldBeLost);
}

#[test]
fn leadership_moves_only_to_a_voter_that_can_take_over_at_once() {
    use ReasonCode::{
        LagUnknown, MemberUnknown, NoOtherVoter, TargetIsLeader, TargetLagging, TargetNotNamed,
        TargetNotSeen, TargetNotVoter,
    };
    let three = || Stage::voters(3).learner("n4");
    let table = [
        (three(), transfer("zz"), MemberUnknown),
        (three(), transfer("n1"), TargetIsLeader),
        (three(), transfer("n4"), TargetNotVoter),
        (
            three().with("n5", Role::Witness),
            transfer("n5"),
            TargetNotVoter,
        ),
        (three().silent("n2"), transfer("n2"), TargetNotSeen),
        (
            three().answer("n2", Answer::Sealed),
            transfer("n2"),
            TargetNotSeen,
        ),
        (
            three().names("n2", Some("n3")),
            transfer("n2"),
            TargetNotSeen,
        ),
        // Cut off from the leader, it answers, is level, and has begun to look for another.
        (three().names("n2", None), transfer("n2"), TargetNotSeen),
        (
            three().names("n2", None).says("n2", |s| s.term = None),
            transfer("n2"),
            TargetNotSeen,
        ),
        (
            three().says("n2", |s| s.term = Some(Term(3))),
            transfer("n2"),
            TargetNotSeen,
        ),
        (
            three().indexes("n1", 999, 999),
            transfer("n2"),
            TargetLagging,
        ),
        (three().contact("n2", 2_001), transfer("n2"), TargetLagging),
        (
            three().says("n2", |s| {
                s.last_index = None;
                s.applied_index = None;
            }),
            transfer("n2"),
            LagUnknown,
        ),
        (three(), AWAY, TargetNotNamed),
        (Stage::voters(1).learner("n2"), transfer("n2"), NoOtherVoter),
    ];
    for (stage, action, code) in table {
        refused(&stage.view(), &action, code);
    }
    allowed(&three().view(), &transfer("n2"));
    // A backend that tells no terms is not asked for them.
    let termless = ["n1", "n2", "n3"]
        .iter()
        .fold(three(), |stage, id| stage.says(id, |s| s.term = None));
    allowed(&termless.view(), &transfer("n2"));
    let only_leaders = three().says("n2", |s| s.term = None);
    allowed(&only_leaders.view(), &transfer("n2"));
}

#[test]
fn a_voter_that_just_restarted_is_given_time() {
    let instance = |stage: Stage, name: &str| {
        let name = name.to_owned();
        stage.says("n2", |says| says.instance = Some(name))
    };
    let restarted = instance(instance(Stage::voters(3), "a").look().later(1_000), "b").look();
    refused(
        &restarted.clone().later(9_000).view(),
        &transfer("n2"),
        ReasonCode::TargetJustRestarted,
    );
    allowed(&restarted.later(10_000).view(), &transfer("n2"));
}

#[test]
fn a_backend_that_chooses_is_not_told_whom() {
    let view = Stage::voters(3).openbao().view();
    refused(&view, &transfer("n2"), ReasonCode::TargetCannotBeChosen);
    warned(&view, &AWAY, ReasonCode::TargetChosenByBackend);
    let alone = Stage::voters(1).openbao().view();
    refused(&alone, &AWAY, ReasonCode::NoOtherVoter);
}

#[test]
fn what_holds_is_said_last() {
    let checks = check(&roomy().indexes("n5", 86, 86).view(), &promote("n5"));
    let texts: Vec<&str> = checks.iter().map(|check| check.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "14 entries behind (limit 100).",
            "After it 5 of 5 voters answer; the majority is 3.",
            "The leader is agreed by 4 of 4 voters and was heard 0 s ago.",
            "No other change is running.",
        ]
    );
}

#[test]
fn integrity_is_checked_where_that_is_offered_by_the_rules_of_every_action_alone() {
    use crate::{action::Verb, capability::Capability};

    let offered = |stage: Stage| {
        let mut view = stage.view();
        view.capabilities.push(Capability {
            action: Verb::CheckIntegrity,
            supported: true,
            note: None,
            target: true,
        });
        view
    };
    let three = || Stage::voters(3);
    allowed(&offered(three()), &Action::CheckIntegrity);
    for (view, code) in [
        (three().view(), ReasonCode::NotSupported),
        (offered(three().running()), ReasonCode::ChangeRunning),
        (offered(three().silent("n1")), ReasonCode::NoAgreedLeader),
        (offered(three().read_only()), ReasonCode::ReadOnly),
    ] {
        refused(&view, &Action::CheckIntegrity, code);
    }
}

#[test]
fn a_member_is_defragmented_while_the_majority_holds_without_it_and_the_leader_last() {
    use crate::{action::Verb, capability::Capability};
    let defragment = |id: &str| Action::Defragment { member: id.into() };
    let offered = |stage: Stage| {
        let mut view = stage.view();
        view.capabilities.push(Capability {
            action: Verb::Defragment,
            supported: true,
            note: None,
            target: true,
        });
        view
    };
    let three = || Stage::voters(3).learner("n4");
    allowed(&offered(three()), &defragment("n2"));
    allowed(&offered(three()), &defragment("n4"));
    warned(&offered(three()), &defragment("n1"), ReasonCode::LeaderLast);
    let table = [
        (three().silent("n2"), "n3", ReasonCode::QuorumWouldBeLost),
        (three().silent("n2"), "n2", ReasonCode::MemberNotSeen),
        (three(), "zz", ReasonCode::MemberUnknown),
        (three().running(), "n2", ReasonCode::ChangeRunning),
        (Stage::voters(1), "n1", ReasonCode::QuorumWouldBeLost),
    ];
    for (stage, id, code) in table {
        refused(&offered(stage), &defragment(id), code);
    }
    allowed(&offered(three().silent("n2")), &defragment("n4"));
    refused(&three().view(), &defragment("n2"), ReasonCode::NotSupported);
}

#[test]
fn etcd_warns_of_a_second_learner_before_it_is_asked() {
    let add = Action::AddLearner {
        address: "http://10.0.0.9:2380".to_owned(),
        member: None,
    };
    let on = |kind: Kind, stage: Stage| {
        let mut view = stage.view();
        view.kind = kind;
        view
    };
    let two = || Stage::voters(3).learner("n4");
    warned(&on(Kind::Etcd, two()), &add, ReasonCode::LearnerLimit);
    allowed(&on(Kind::Etcd, Stage::voters(3)), &add);
    allowed(&on(Kind::Openbao, two()), &add);
}

#[test]
fn raftadmin_takes_a_newcomer_only_by_its_id() {
    let view = {
        let mut view = roomy().view();
        view.kind = Kind::Raftadmin;
        view
    };
    refused(&view, &add("10.0.0.9:7000", None), ReasonCode::IdNotGiven);
    allowed(&view, &add("10.0.0.9:7000", Some("n9")));
    // Before anything was given, it is offered: else nobody could give the id.
    allowed(&view, &add("", None));
    allowed(&roomy().view(), &add("10.0.0.9:7000", None));
}
