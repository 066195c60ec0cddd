//! The view as REST, the event stream and the page get it.
#![allow(clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    action::Verb,
    health::FindingCode,
    observation::Note,
    preflight::Level,
    readiness::{Readiness, Reads},
    stage::{LOOK, Stage},
    view::{LagSource, MemberState},
};
use serde_json::{Value, json};

/// Every field of `pattern` must be in `found`, of the same kind of value. A string of the
/// pattern that is no ellipsis stands for itself.
fn shaped(pattern: &Value, found: &Value, path: &str) {
    match (pattern, found) {
        (Value::Object(pattern), Value::Object(found)) => {
            for (key, value) in pattern {
                let inner = found
                    .get(key)
                    .unwrap_or_else(|| panic!("{path}.{key} is missing"));
                shaped(value, inner, &format!("{path}.{key}"));
            }
        }
        (Value::Array(pattern), Value::Array(found)) => {
            let Some(first) = pattern.first() else { return };
            assert!(!found.is_empty(), "{path} is empty");
            for inner in found {
                shaped(first, inner, path);
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, _) => {}
        _ => panic!("{path}: {pattern} and {found}"),
    }
}

#[test]
fn the_json_has_the_fields_the_interface_promises() {
    let promised = json!({
        "name": "vault-eu", "kind": "openbao", "version": "2.7.2", "revision": "a91f03…",
        "observed_at": "…", "age_ms": 412,
        "sentence": "4 of 5 voters answer; one more may fail.", "verdict": "at_risk",
        "leader": {"status": "agreed", "member": "n1", "term": 41,
            "votes": {"n1": ["n1", "n2", "n3"]}, "since": "…"},
        "quorum": {"voters": 5, "answering": 4, "majority": 3, "tolerates": 1,
            "configs": [["n1", "n2", "n3", "n5", "n6"]]},
        "findings": [{"code": "member-unreachable", "member": "n5", "since": "…",
            "severity": "warn", "text": "…"}],
        "capabilities": [{"action": "transfer", "supported": true, "note": null}]
    });
    let promised_member = json!({
        "id": "n4", "name": "n4", "address": "10.0.0.4:8201", "api_address": "https://…",
        "zone": "eu1", "role": "learner", "wanted_role": null, "state": "in_step",
        "override": null, "term": 41, "last_index": 1_284_903, "applied_index": 1_284_889,
        "lag": 14, "lag_source": "self", "last_contact_ms": 90, "age_ms": 412,
        "readiness": "ready", "names_leader": "n1", "findings": [],
        "actions": [{"action": "promote", "verdict": "allow", "reasons": []}]
    });
    let mut stage = Stage::voters(5)
        .openbao()
        .learner("n6")
        .zone("n6", "eu1")
        .contact("n6", 90);
    stage = stage
        .indexes("n1", 1_284_903, 1_284_903)
        .indexes("n6", 1_284_903, 1_284_889);
    stage = stage.look();
    stage.memory.leader_since = Some(stage.at);
    let view = stage.later(41_000).silent("n5").seen_after(412);
    let found = serde_json::to_value(&view).expect("plain");
    shaped(&promised, &found, "view");
    let member = view.member(&"n6".into()).expect("listed");
    let found = serde_json::to_value(member).expect("plain");
    shaped(&promised_member, &found, "member");
    assert_eq!(
        (found["state"].clone(), found["lag"].clone()),
        (json!("in_step"), json!(14))
    );
    assert_eq!(found["lag_source"], "self");
    let summary = serde_json::to_value(summary(&view)).expect("plain");
    for key in [
        "name",
        "kind",
        "version",
        "tags",
        "sentence",
        "verdict",
        "quorum",
        "worst_lag",
        "findings",
    ] {
        assert!(summary.get(key).is_some(), "{key}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let stage = Stage::voters(3)
        .learner("n4")
        .silent("n3")
        .zone("n2", "eu1");
    let view = stage.look().later(1_000).seen_after(10);
    let json = serde_json::to_string(&view).expect("plain");
    assert_eq!(
        serde_json::from_str::<ClusterView>(&json).expect("reads back"),
        view
    );
}

#[test]
fn before_the_first_look_the_view_is_empty_and_says_so() {
    let mut state = Stage::voters(3).state();
    state.observation = None;
    let view = render(&state, LOOK);
    assert!(view.members.is_empty());
    assert_eq!(view.sentence, "Not looked at yet.");
    assert_eq!(view.leader.status, LeaderStatus::Unknown);
    assert_eq!((view.verdict, view.age_ms), (Verdict::Unknown, None));
    assert!(
        view.actions
            .iter()
            .all(|action| action.verdict == Level::Refuse)
    );
}

#[test]
fn unknown_figures_are_null_and_never_zero() {
    let view = Stage::voters(3).silent("n3").view();
    let member = view.member(&"n3".into()).expect("listed");
    assert_eq!(
        (member.lag, member.last_index, member.age_ms, member.term),
        (None, None, None, None)
    );
    let json = serde_json::to_value(member).expect("plain");
    assert_eq!(json["lag"], Value::Null);
}

#[test]
fn the_last_figures_of_a_silent_member_stay_with_their_age() {
    let view = Stage::voters(3)
        .look()
        .later(41_000)
        .silent("n3")
        .progress("n3", 60)
        .view();
    let member = view.member(&"n3".into()).expect("listed");
    assert_eq!(
        (member.last_index, member.age_ms),
        (Some(100), Some(41_000))
    );
    assert_eq!(
        (member.lag, member.lag_source),
        (Some(40), Some(LagSource::Leader))
    );
    assert_eq!(
        member.state_text.as_deref(),
        Some("silent for 41 s: refused")
    );
}

#[test]
fn the_leader_is_told_in_a_sentence() {
    let day = 86_400_000;
    let led = || {
        let mut stage = Stage::voters(5).silent("n5").look();
        stage.memory.leader_since = Some(stage.at);
        stage.later(3 * day + 4 * 3_600_000)
    };
    let table = [
        (
            led().view(),
            "n1 has led for 3 d 4 h; the 4 voters that answer name it.",
        ),
        (
            led().names("n4", None).view(),
            "n1 has led for 3 d 4 h; 3 of the 4 voters that answer name it.",
        ),
        (
            Stage::voters(1).view(),
            "n1 leads; the voter that answers names it.",
        ),
        (
            Stage::voters(3)
                .silent("n1")
                .names("n2", None)
                .names("n3", None)
                .view(),
            "Nobody leads.",
        ),
        (
            Stage::voters(3).claims("n2", 4).view(),
            "Who leads is disputed: n1 and n3 name n1; n2 names n2.",
        ),
        (
            Stage::voters(3).silent("n2").silent("n3").view(),
            "Who leads is not known: too few voters answer.",
        ),
        (
            Stage::voters(3).seen_after(4_000),
            "n1 led when last looked, 4 s ago.",
        ),
    ];
    for (view, sentence) in table {
        assert_eq!(view.leader_sentence, sentence);
    }
}

#[test]
fn titles_name_the_program_and_its_version() {
    let view = Stage::voters(3).openbao().view();
    assert_eq!(
        (view.title.as_str(), view.backend()),
        ("OpenBao 2.7.2", "OpenBao")
    );
    let view = Stage::voters(3).view();
    assert_eq!(
        (view.title.as_str(), view.backend()),
        ("openraft 2.7.2", "openraft")
    );
}

#[test]
fn rows_offer_the_verbs_that_make_sense() {
    let verbs = |view: &ClusterView, id: &str| -> Vec<(Verb, Level)> {
        let member = view.member(&id.into()).expect("listed");
        member
            .actions
            .iter()
            .map(|action| (action.action, action.verdict))
            .collect()
    };
    use Level::{Allow, Refuse, Warn};
    use Verb::{Demote, Promote, Remove, Transfer};
    let view = Stage::voters(4).learner("n5").learner("n6").view();
    assert_eq!(
        verbs(&view, "n1"),
        [(Transfer, Allow), (Demote, Refuse), (Remove, Refuse)]
    );
    assert_eq!(
        verbs(&view, "n2"),
        [(Transfer, Allow), (Demote, Allow), (Remove, Allow)]
    );
    assert_eq!(verbs(&view, "n5"), [(Promote, Allow), (Remove, Allow)]);
    let openbao = Stage::voters(4)
        .openbao()
        .learner("n5")
        .learner("n6")
        .view();
    assert_eq!(
        verbs(&openbao, "n1"),
        [(Transfer, Warn), (Demote, Refuse), (Remove, Refuse)]
    );
    assert_eq!(verbs(&openbao, "n2"), [(Demote, Allow), (Remove, Allow)]);
    let whole: Vec<Verb> = view.actions.iter().map(|action| action.action).collect();
    assert_eq!(whole, [Verb::AddLearner, Verb::Snapshot, Verb::Transfer]);
    let demote = view
        .member(&"n1".into())
        .and_then(|member| member.actions.get(1))
        .expect("demote");
    assert_eq!(
        demote.text.as_deref(),
        Some("n1 leads. Transfer leadership first.")
    );
}

#[test]
fn leadership_can_move_if_any_voter_can_take_it() {
    let away = |stage: Stage| {
        let view = stage.view();
        let transfer = view.actions.last().expect("transfer");
        (transfer.verdict, transfer.reasons.clone())
    };
    assert_eq!(
        away(Stage::voters(5).silent("n2").contact("n3", 9_000)).0,
        Level::Allow
    );
    let (verdict, reasons) = away(Stage::voters(3).contact("n2", 9_000).contact("n3", 9_000));
    assert_eq!(verdict, Level::Refuse);
    assert_eq!(reasons, [crate::preflight::ReasonCode::TargetLagging]);
}

#[test]
fn rows_keep_their_order_whoever_leads() {
    let ids = |view: &ClusterView| -> Vec<String> {
        view.members
            .iter()
            .map(|member| member.id.to_string())
            .collect()
    };
    let view = Stage::voters(11).view();
    let expected: Vec<String> = (1..=11).map(|number| format!("n{number}")).collect();
    assert_eq!(ids(&view), expected);
}

#[test]
fn zones_come_from_the_backend_first_and_then_from_the_configuration() {
    let mut stage = Stage::voters(3).zone("n1", "a");
    stage.zones = [("n1", "x"), ("n2", "b")]
        .into_iter()
        .map(|(member, zone)| (member.to_owned(), zone.to_owned()))
        .collect();
    let view = stage.view();
    let zones: Vec<Option<&str>> = view.members.iter().map(|m| m.zone.as_deref()).collect();
    assert_eq!(zones, [Some("a"), Some("b"), None]);
    assert_eq!(summary(&view).zones, ["a", "b"]);
}

#[test]
fn readiness_is_read_off_the_leader_and_not_off_the_node_itself() {
    let view = Stage::voters(3)
        .indexes("n1", 2_505, 2_505)
        .indexes("n2", 2_505, 9)
        .says("n3", |says| {
            says.last_index = Some(0);
            says.commit_index = Some(0);
            says.applied_index = Some(0);
        })
        .view();
    let row = |id: &str| view.member(&id.into()).map(|m| (m.readiness, m.reads));
    assert_eq!(row("n1"), Some((Readiness::Ready, Reads::Linearizable)));
    assert_eq!(row("n2"), Some((Readiness::CatchingUp, Reads::Stale)));
    assert_eq!(row("n3"), Some((Readiness::CatchingUp, Reads::Stale)));
}

#[test]
fn without_a_leader_nobody_is_held_to_be_in_step() {
    let view = Stage::voters(3).silent("n1").view();
    let member = view.member(&"n2".into()).expect("listed");
    assert_eq!((member.state, member.lag), (MemberState::Unknown, None));
    assert!(member.answering);
}

#[test]
fn a_fleet_row_carries_the_worst_lag_of_each_moment() {
    let mut stage = Stage::voters(3).look().later(10_000);
    stage = stage.indexes("n1", 130, 130).indexes("n2", 130, 130).look();
    let view = stage.later(1_000).view();
    let row = summary(&view);
    assert_eq!(row.lag_history, [0, 30]);
    assert_eq!(row.worst_lag, Some(30));
    assert_eq!(row.members.len(), 3);
}

#[test]
fn strangers_are_no_rows() {
    let note = Note::RemovedStillRunning {
        member: "n9".into(),
        address: "x".to_owned(),
    };
    let view = Stage::voters(3).note(note).view();
    assert!(view.member(&"n9".into()).is_none());
    assert_eq!(view.findings.len(), 1);
}

#[test]
fn an_answer_that_cannot_be_believed_is_one_finding() {
    let why = "the answer is not JSON".to_owned();
    let note = Note::Misread {
        address: "n1".to_owned(),
        why: why.clone(),
    };
    let stage = Stage::voters(1)
        .answer("n1", Answer::Misread(why))
        .note(note);
    let view = render(&stage.without_membership(), stage.at);
    let misread = view
        .findings
        .iter()
        .filter(|finding| finding.code == FindingCode::MemberMisread);
    assert_eq!(misread.count(), 1);
}
