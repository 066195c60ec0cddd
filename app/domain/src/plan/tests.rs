//! Previews, plans, fingerprints, and what counts as done.
#![allow(clippy::expect_used)]

use super::*;
use crate::{observation::Answer, stage::Stage};

fn promote() -> Action {
    Action::Promote {
        member: "n5".into(),
    }
}

fn roomy() -> Stage {
    Stage::voters(4).learner("n5").learner("n6")
}

fn texts(preview: &Preview) -> Vec<String> {
    preview
        .steps
        .iter()
        .map(|step| format!("{} {}", step.lead, step.rest))
        .collect()
}

#[test]
fn a_preview_shows_before_and_after_and_what_will_be_done() {
    let view = roomy().openbao().seen_after(400);
    let preview = preview(&view, &promote());
    assert_eq!(preview.title, "Promote n5 to voter in vault-eu");
    assert_eq!(
        preview.command,
        "quorate ctl promote vault-eu n5 --reason '…'"
    );
    assert_eq!(preview.age_ms, 400);
    assert_eq!(
        (preview.before.quorum.voters, preview.after.quorum.voters),
        (4, 5)
    );
    assert_eq!(
        (
            preview.before.quorum.majority,
            preview.after.quorum.majority
        ),
        (3, 3)
    );
    assert_eq!(preview.after.quorum.tolerates, Some(2));
    assert_eq!(
        texts(&preview),
        [
            "Ask OpenBao to clear the non-voter mark of n5",
            "Wait until it is a voter in the Raft configuration, at most 60 s",
            "Check that majority and leader are as foreseen",
        ]
    );
    let changed: Vec<&str> = preview
        .after
        .members
        .iter()
        .filter(|member| member.changed)
        .map(|member| member.id.as_str())
        .collect();
    assert_eq!(changed, ["n5"]);
}

#[test]
fn each_action_is_pictured_as_it_would_come_out() {
    let view = roomy().view();
    let after = |action: &Action| {
        let after = preview(&view, action).after;
        let roles: Vec<String> = after
            .members
            .iter()
            .map(|m| format!("{} {:?}", m.id, m.role))
            .collect();
        (
            roles.join(", "),
            after.leader.map(|id| id.0),
            after.quorum.voters,
        )
    };
    let leader = Some("n1".to_owned());
    let all = "n1 Voter, n2 Voter, n3 Voter, n4 Voter, n5 Learner, n6 Learner".to_owned();
    let add = Action::AddLearner {
        address: "http://n7".to_owned(),
        member: Some("n7".into()),
    };
    let table = [
        (add, (format!("{all}, n7 Learner"), leader.clone(), 4)),
        (
            promote(),
            (all.replace("n5 Learner", "n5 Voter"), leader.clone(), 5),
        ),
        (
            Action::Demote {
                member: "n2".into(),
            },
            (all.replace("n2 Voter", "n2 Learner"), leader.clone(), 3),
        ),
        (
            Action::Remove {
                member: "n2".into(),
            },
            (all.replace("n2 Voter, ", ""), leader.clone(), 3),
        ),
        (
            Action::Transfer {
                member: Some("n3".into()),
            },
            (all.clone(), Some("n3".to_owned()), 4),
        ),
        (Action::Transfer { member: None }, (all.clone(), None, 4)),
        (Action::Snapshot, (all, leader, 4)),
    ];
    for (action, expected) in table {
        assert_eq!(after(&action), expected, "{action:?}");
    }
}

#[test]
fn notes_say_what_remains_and_what_cannot_be_chosen() {
    let remove = preview(
        &roomy().view(),
        &Action::Remove {
            member: "n5".into(),
        },
    );
    assert!(
        remove
            .notes
            .join(" ")
            .contains("stop the process of n5 and delete its data")
    );
    let away = preview(
        &Stage::voters(3).openbao().view(),
        &Action::Transfer { member: None },
    );
    assert_eq!(
        away.notes,
        ["OpenBao picks the next leader; it cannot be chosen."]
    );
    assert_eq!(
        texts(&away).get(1).map(String::as_str),
        Some("Wait until a majority agrees on another leader, at most 15 s")
    );
}

#[test]
fn a_plan_takes_addresses_from_the_configuration_only() {
    let view = roomy().view();
    let plan = plan(
        &view,
        &Action::Transfer {
            member: Some("n2".into()),
        },
    );
    assert_eq!(plan.step.address.as_deref(), Some("10.0.0.1:n2"));
    assert_eq!(plan.step.leader, Some("n1".into()));
    assert_eq!(Some(&plan.step.revision), view.revision.as_ref());
    assert_eq!(plan.patience_ms, 15_000);
    assert_eq!(
        plan.expectation,
        Expectation::LeaderMoved {
            from: Some("n1".into()),
            to: Some("n2".into())
        }
    );
}

#[test]
fn a_fingerprint_reads_back_and_holds_url_safe_characters_only() {
    let view = Stage::voters(3).learner("n5").view();
    let basis = Basis::of(&view, &preflight::check(&view, &promote()));
    assert!(basis.reasons.contains(&ReasonCode::EvenVoters));
    let text = basis.fingerprint();
    assert!(text.starts_with("q1."));
    assert!(
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
        "{text}"
    );
    assert_eq!(Basis::parse(&text), Some(basis));
    for forged in ["", "q1.", "q1.e30", "q1.!!!", "q2.e30", "a91f03"] {
        assert_eq!(Basis::parse(forged), None, "{forged}");
    }
}

#[test]
fn a_fingerprint_names_the_change_it_was_made_for() {
    let view = Stage::voters(3).learner("n5").view();
    let made_for = |action: &Action| {
        Basis::parse(&preview(&view, action).fingerprint).and_then(|basis| basis.action)
    };
    let transfer = Action::Transfer {
        member: Some("n2".into()),
    };
    for action in [promote(), transfer, Action::Snapshot] {
        assert_eq!(made_for(&action), Some(action));
    }
}

#[test]
fn only_what_matters_counts_as_moved() {
    let seen = Basis {
        action: Some(promote()),
        revision: "a".into(),
        leader: Some("n1".into()),
        term: Some(Term(4)),
        verdict: Verdict::AtRisk,
        reasons: vec![ReasonCode::EvenVoters],
    };
    let but = |change: fn(&mut Basis)| {
        let mut now = seen.clone();
        change(&mut now);
        seen.moved(&now).len()
    };
    assert_eq!(but(|_| {}), 0);
    assert_eq!(
        but(|now| now.term = Some(Term(5))),
        0,
        "the same leader, elected again"
    );
    assert_eq!(
        but(|now| now.verdict = Verdict::Ok),
        0,
        "it has become better"
    );
    assert_eq!(but(|now| now.reasons.clear()), 0, "a warning is gone");
    assert_eq!(but(|now| now.revision = "b".into()), 1);
    assert_eq!(but(|now| now.leader = None), 1);
    assert_eq!(but(|now| now.leader = Some("n2".into())), 1);
    assert_eq!(but(|now| now.verdict = Verdict::NoQuorum), 1);
    assert_eq!(but(|now| now.reasons.push(ReasonCode::NoTolerance)), 1);
}

#[test]
fn a_change_is_done_when_the_configuration_shows_it() {
    let becomes = |id: &str, role| Expectation::MemberHasRole {
        member: Some(id.into()),
        address: None,
        role,
    };
    let moved = |to: Option<&str>| Expectation::LeaderMoved {
        from: Some("n9".into()),
        to: to.map(MemberId::from),
    };
    let stayed = Expectation::LeaderMoved {
        from: Some("n1".into()),
        to: None,
    };
    let gone = |id: &str| Expectation::MemberGone { member: id.into() };
    let table = [
        (becomes("n4", Role::Voter), roomy(), None),
        (
            becomes("n5", Role::Voter),
            roomy(),
            Some("n5 is still a learner."),
        ),
        (
            becomes("n7", Role::Learner),
            roomy(),
            Some("n7 is not in the Raft configuration yet."),
        ),
        (
            becomes("n4", Role::Voter),
            roomy().joint(&["n1 n2 n3", "n1 n2 n3 n4"]),
            Some("The joint configuration has not ended yet."),
        ),
        (
            gone("n4"),
            roomy(),
            Some("n4 is still in the Raft configuration."),
        ),
        (gone("n9"), roomy(), None),
        (moved(None), roomy(), None),
        (moved(Some("n1")), roomy(), None),
        (
            moved(Some("n2")),
            roomy(),
            Some("n1 was elected instead of n2."),
        ),
        (stayed, roomy(), Some("n1 still leads.")),
        (
            moved(None),
            roomy().claims("n2", 4),
            Some("No leader is agreed, so the membership cannot be believed."),
        ),
        (Expectation::Receipt, roomy().silent("n1"), None),
    ];
    for (expectation, stage, waits) in table {
        let found = met(&expectation, &stage.view());
        assert_eq!(found.err().as_deref(), waits, "{expectation:?}");
    }
}

#[test]
fn a_wish_that_waits_says_why_where_it_can_be_seen() {
    let becomes = Expectation::MemberHasRole {
        member: Some("n5".into()),
        address: None,
        role: Role::Voter,
    };
    let pending = || roomy().openbao().wants("n5", Role::Voter);
    let table = [
        (
            pending(),
            "OpenBao has accepted it and not carried it out yet.",
        ),
        (
            pending().answer("n5", Answer::Sealed),
            "OpenBao has accepted it and not carried it out yet, because: n5 is sealed.",
        ),
    ];
    for (stage, waits) in table {
        assert_eq!(met(&becomes, &stage.view()).err().as_deref(), Some(waits));
    }
}

#[test]
fn defragmenting_is_done_when_the_member_answers_and_leaves_no_trace_to_go_by() {
    let action = Action::Defragment {
        member: "n2".into(),
    };
    let plan = plan(&roomy().view(), &action);
    assert!(!plan.expectation.leaves_a_trace());
    assert_eq!(met(&plan.expectation, &roomy().view()), Ok(()));
    let waits = met(&plan.expectation, &roomy().silent("n2").view());
    assert_eq!(waits.err().as_deref(), Some("n2 does not answer yet."));
    let text = serde_json::to_string(&plan).expect("written");
    assert_eq!(serde_json::from_str::<Plan>(&text).ok(), Some(plan));
}
