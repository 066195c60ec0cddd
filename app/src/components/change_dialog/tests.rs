//! The dialog's HTML in each of its states.
#![allow(clippy::unwrap_used)]

use leptos::{html, prelude::*};
use quorate_domain::{
    action::Action, cluster::MemberId, job::ChangeState, preflight::Level, problem::Problem,
    view::ClusterView,
};
use serde_json::json;

use super::{
    Body, Foot,
    sheet::{Sheet, Stage},
};
use crate::{
    api::Failure,
    rendered::{change, check, preview, promote},
    words::actions as words,
};

const HOSTILE: &str = "<script>alert(1)</script>\"'&";

fn view() -> ClusterView {
    serde_json::from_value(json!({
        "name": "demo", "kind": "agent", "title": "openraft", "version": null, "tags": [],
        "revision": "a91f03d4c2b1e0ff", "observed_at": null, "age_ms": 412,
        "sentence": "", "leader_sentence": "", "verdict": "ok",
        "leader": {"status": "agreed", "member": "node-1", "term": 3, "votes": {}, "since": null},
        "quorum": {"voters": 3, "answering": 3, "majority": 2, "tolerates": 1, "configs": []},
        "members": [], "findings": [], "capabilities": [], "actions": [], "worst_lag": 0,
        "running_change": null,
        "thresholds": {"lag_warn": 1000, "lag_promote": 100, "silent_after_ms": 5000},
        "read_only": false, "tolerance_history": []
    }))
    .unwrap()
}

/// The dialog for `action` after `set` has brought it into a state.
fn dialog(action: &Action, set: impl FnOnce(Sheet)) -> String {
    crate::rendered::html(|| {
        let sheet = Sheet::new(view(), action);
        set(sheet);
        let leave = NodeRef::<html::Button>::new();
        let nothing = Callback::new(|()| ());
        view! {
            <Body sheet to_heading=nothing/>
            <Foot sheet leave close=nothing/>
        }
        .into_any()
    })
}

fn decided(level: Level, text: &str) -> impl FnOnce(Sheet) {
    let checks = vec![
        check(level, text),
        check(Level::Allow, "No other change is running."),
    ];
    move |sheet| {
        sheet.stage.set(Stage::There(Box::new(preview(checks))));
        sheet.reason.set("Third region goes live".to_owned());
    }
}

fn failed(status: u16, code: &str) -> Failure {
    Failure(Problem::new(
        status,
        code,
        "The audit log cannot be written.",
        "Make room.",
    ))
}

#[test]
fn an_allowed_change_can_be_confirmed_and_cancel_has_the_focus() {
    let html = dialog(
        &promote(),
        decided(Level::Allow, "14 entries behind (limit 100)."),
    );
    insta::assert_snapshot!(html);
    assert!(!html.contains("aria-disabled"));
    assert!(html.contains("autofocus"));
}

#[test]
fn a_warning_is_said_by_shape_and_word_and_does_not_block() {
    let html = dialog(
        &promote(),
        decided(Level::Warn, "An even number of voters."),
    );
    assert!(html.contains("data-level=\"warn\""));
    assert!(html.contains("warning: "));
    assert!(!html.contains("aria-disabled"));
}

#[test]
fn a_refused_change_says_why_and_has_no_steps() {
    let html = dialog(
        &promote(),
        decided(Level::Refuse, "node-4 is 52,114 entries behind."),
    );
    assert!(html.contains("aria-disabled=\"true\""));
    assert!(html.contains(words::WHY_REFUSED));
    assert!(!html.contains(words::STEPS));
}

#[test]
fn what_moved_is_named_and_offers_to_review_again() {
    let html = dialog(&promote(), |sheet| {
        decided(Level::Allow, "In step.")(sheet);
        let mut failure = failed(409, "cluster-moved");
        failure.0.moved = vec!["node-2 leads now.".to_owned()];
        sheet.turned_down.set(Some(failure));
    });
    for said in [
        words::MOVED_TITLE,
        "node-2 leads now.",
        words::REVIEW_AGAIN,
        words::WHY_MOVED,
    ] {
        assert!(html.contains(said), "{said} is missing");
    }
}

#[test]
fn a_running_change_shows_its_steps_and_what_it_waits_for() {
    let html = dialog(&promote(), |sheet| {
        decided(Level::Allow, "In step.")(sheet);
        sheet.change.set(Some(change(ChangeState::Running)));
    });
    insta::assert_snapshot!(html);
    assert!(html.contains(words::RUNS_ON));
}

#[test]
fn a_finished_change_says_how_it_ended_and_links_its_records() {
    let html = dialog(&promote(), |sheet| {
        sheet.change.set(Some(change(ChangeState::Succeeded)))
    });
    for said in [
        "node-4 is a voter.",
        "/q/changes/0193-a",
        "/q/audit/41",
        "/q/audit/42",
    ] {
        assert!(html.contains(said), "{said} is missing");
    }
    assert!(html.contains(words::CLOSE));
}

#[test]
fn an_unknown_outcome_says_what_to_do_now() {
    let html = dialog(&promote(), |sheet| {
        sheet.change.set(Some(change(ChangeState::Unknown)))
    });
    assert!(html.contains(words::WHAT_NOW));
    assert!(html.contains("outcome unknown"));
}

#[test]
fn a_refused_request_says_that_nothing_was_done() {
    let html = dialog(&promote(), |sheet| {
        decided(Level::Allow, "In step.")(sheet);
        sheet
            .turned_down
            .set(Some(failed(503, "audit-unavailable")));
    });
    assert!(html.contains("The audit log cannot be written."));
    assert!(html.contains(words::NOT_DONE));
    assert!(html.contains("Make room."));
}

#[test]
fn a_lost_answer_is_never_called_a_failure() {
    let html = dialog(&promote(), |sheet| {
        decided(Level::Allow, "In step.")(sheet);
        sheet
            .turned_down
            .set(Some(failed(503, crate::api::CONSOLE_UNREACHABLE)));
    });
    assert!(html.contains(words::MAYBE_DONE));
    assert!(!html.contains(words::NOT_DONE));
}

#[test]
fn a_removal_asks_for_the_name_and_nothing_else_does() {
    let remove = Action::Remove {
        member: MemberId::from("node-4"),
    };
    let html = dialog(&remove, decided(Level::Allow, "The majority holds."));
    assert!(html.contains(&words::type_the_name("node-4")));
    assert!(html.contains(words::WHY_NAME));
    let html = dialog(&promote(), decided(Level::Allow, "The majority holds."));
    assert!(!html.contains("dialog-name"));
}

#[test]
fn a_learner_is_asked_for_its_address_first() {
    let add = Action::AddLearner {
        address: String::new(),
        member: None,
    };
    let html = dialog(&add, |_| ());
    insta::assert_snapshot!(html);
    assert!(html.contains(words::WHY_ADDRESS));
}

#[test]
fn hostile_texts_stay_texts() {
    let html = dialog(&promote(), |sheet| {
        let mut preview = preview(vec![check(Level::Warn, HOSTILE)]);
        preview.command = HOSTILE.to_owned();
        preview.notes = vec![HOSTILE.to_owned()];
        preview.after.leader = Some(MemberId::from(HOSTILE));
        sheet.stage.set(Stage::There(Box::new(preview)));
        let mut failure = failed(422, "refused");
        failure.0.detail = Some(HOSTILE.to_owned());
        sheet.turned_down.set(Some(failure));
    });
    assert!(!html.contains("<script"));
    assert!(html.contains("&lt;script"));
}
