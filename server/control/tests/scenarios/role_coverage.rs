//! Every role and every action, every word on a change that waits, and every other use case that
//! needs a role: who may ask for what, and that each refusal is on record. The tables name all of
//! them, so that a new role, action or use case without its line here fails.

use std::time::Duration;

use quorate_control::{
    Control, ControlError, Decision, Format, Language, Operator, Request, everywhere,
};
use quorate_domain::{
    action::{Action, Verb},
    audit::{EntryKind, Filter},
    permission::{Duty, Permission, carried_by},
};

use crate::{
    approvals,
    audit_coverage::sources,
    stage::{CLUSTER, Stage, person, promote},
};

/// Who may ask for what.
const MAY: [(Duty, &[Verb]); 5] = [
    (Duty::Viewer, &[]),
    (
        Duty::Operator,
        &[
            Verb::AddLearner,
            Verb::Promote,
            Verb::Transfer,
            Verb::Snapshot,
            Verb::Defragment,
            Verb::CheckIntegrity,
        ],
    ),
    (
        Duty::Admin,
        &[
            Verb::AddLearner,
            Verb::Promote,
            Verb::Demote,
            Verb::Remove,
            Verb::Transfer,
            Verb::Snapshot,
            Verb::Defragment,
            Verb::CheckIntegrity,
        ],
    ),
    (Duty::Approver, &[]),
    (Duty::Auditor, &[]),
];

fn action(verb: Verb) -> Action {
    let member = || "n4".into();
    match verb {
        Verb::AddLearner => Action::AddLearner {
            address: "10.0.0.9:7000".to_owned(),
            member: None,
        },
        Verb::Promote => Action::Promote { member: member() },
        Verb::Demote => Action::Demote { member: member() },
        Verb::Remove => Action::Remove { member: member() },
        Verb::Transfer => Action::Transfer {
            member: Some(member()),
        },
        Verb::Snapshot => Action::Snapshot,
        Verb::Defragment => Action::Defragment { member: member() },
        Verb::CheckIntegrity => Action::CheckIntegrity,
    }
}

#[tokio::test]
async fn every_role_may_ask_for_what_the_table_says_and_each_refusal_is_on_record() {
    assert_eq!(MAY.map(|(duty, _)| duty), Duty::ALL, "a line for each role");
    let every = MAY.iter().find(|(duty, _)| *duty == Duty::Admin).unwrap().1;
    assert_eq!(every, Verb::ALL, "administrators may ask for everything");
    let stage = Stage::small().await;
    let mut expected = Vec::new();
    for (duty, may) in MAY {
        let who = person(duty.as_str(), duty);
        for verb in Verb::ALL {
            // Nothing that could be carried out: neither reason nor what was decided on.
            let asked = Request::default();
            let answer = stage
                .control
                .submit(&who, CLUSTER, &action(verb), &asked)
                .await;
            let refused = matches!(answer, Err(ControlError::NotAllowed { .. }));
            assert_eq!(
                refused,
                !may.contains(&verb),
                "{duty:?} {verb:?}: {answer:?}"
            );
            assert!(answer.is_err(), "{duty:?} {verb:?}");
            if refused {
                expected.push((verb.as_str().to_owned(), who.actor.name.clone()));
            }
        }
    }
    let story = stage.story().await;
    assert!(story.iter().all(|entry| entry.kind == EntryKind::Refusal));
    assert!(story.iter().all(|entry| !entry.grants.is_empty()));
    let told: Vec<(String, String)> = story
        .into_iter()
        .map(|entry| (entry.action, entry.actor.name))
        .collect();
    assert_eq!(told, expected);
    assert!(stage.cluster.sent().is_empty());
}

/// What may be said about a change of somebody else that waits, and who may say it.
const WORDS: [(&str, Permission); 3] = [
    ("approve", Permission::Approve),
    ("deny", Permission::Approve),
    ("cancel", Permission::Administer),
];

async fn says(control: &Control, who: &Operator, word: &str, id: &str) -> Result<(), ControlError> {
    let decision = Decision {
        reason: "looked at it".to_owned(),
        digest: None,
    };
    let said = match word {
        "approve" => control.approve(who, id, &decision).await,
        "deny" => control.deny(who, id, &decision).await,
        _ => control.cancel(who, id, &decision).await,
    };
    said.map(|_| ())
}

#[tokio::test]
async fn every_role_may_say_of_a_change_that_waits_what_the_table_says() {
    // Two approvals: one alone lets nothing run.
    let stage = approvals::stage(approvals::rule(2)).await;
    let mut refusals = 0;
    for duty in Duty::ALL {
        let who = person(duty.as_str(), duty);
        for (word, permission) in WORDS {
            let change = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
            let answer = says(&stage.control, &who, word, &change.id.0).await;
            if carried_by(permission).contains(&duty) {
                assert!(answer.is_ok(), "{duty:?} {word}: {answer:?}");
            } else {
                let refused = matches!(answer, Err(ControlError::NotAllowed { .. }));
                assert!(refused, "{duty:?} {word}: {answer:?}");
                refusals += 1;
                let last = stage.entries().await.pop().unwrap();
                assert_eq!(
                    (last.kind, last.action.as_str(), last.actor.name.as_str()),
                    (EntryKind::Refusal, word, who.actor.name.as_str())
                );
                assert_eq!(last.change.as_ref(), Some(&change.id));
            }
            // Whoever asked takes it back, so that the next one begins anew.
            let _over = says(&stage.control, &stage.ada, "cancel", &change.id.0).await;
        }
    }
    assert_eq!(refusals, 3 * Duty::ALL.len() - 3);
    assert!(stage.cluster.sent().is_empty());
}

/// Use cases of somebody that need a role, beside changes and the words above.
const GUARDED: &[(&str, Permission)] = &[
    ("accounts", Permission::Administer),
    ("account_create", Permission::Administer),
    ("account_link", Permission::Administer),
    ("account_disable", Permission::Administer),
    ("account_grants", Permission::Administer),
    ("token_create", Permission::Administer),
    ("token_revoke", Permission::Administer),
    ("session_end", Permission::Administer),
    ("passkey_remove", Permission::Administer),
    ("audit_erase", Permission::Administer),
    ("audit_erase_preview", Permission::Administer),
    ("audit_holds", Permission::Administer),
    ("audit_hold_add", Permission::Administer),
    ("audit_hold_release", Permission::Administer),
    ("audit_signers", Permission::Administer),
    ("audit_key_add", Permission::Administer),
    ("audit_key_retire", Permission::Administer),
    ("audit_key_renew", Permission::Administer),
    ("audit", Permission::ReadAudit),
    ("audit_rows", Permission::ReadAudit),
    ("audit_entry", Permission::ReadAudit),
    ("audit_size", Permission::ReadAudit),
    ("audit_standing", Permission::ReadAudit),
    ("audit_checkpoint", Permission::ReadAudit),
    ("audit_signed", Permission::ReadAudit),
    ("audit_keys", Permission::ReadAudit),
    ("audit_proof", Permission::ReadAudit),
    ("audit_export", Permission::ReadAudit),
    ("audit_export_in", Permission::ReadAudit),
    ("override_set", Permission::OverrideState),
    ("override_lift", Permission::OverrideState),
    ("snapshot_file", Permission::DownloadSnapshot),
];

/// Use cases of somebody that need no role of their own, by why.
const OTHERS: [(&str, &[&str]); 5] = [
    (
        "told elsewhere; a proof opens the same door",
        &[
            "submit",
            "submit_proved",
            "approve",
            "approve_proved",
            "audit_erase_proved",
            "deny",
            "cancel",
        ],
    ),
    (
        "shows of clusters what one may see",
        &[
            "fleet",
            "view",
            "view_now",
            "refresh",
            "ticks",
            "events",
            "history",
            "groups",
            "group_view",
            "preview",
            "preview_in",
            "change",
            "changes",
            "running_changes",
            "snapshots",
            "problems",
            "console_findings",
        ],
    ),
    (
        "one's own; others' are shown to administrators only",
        &["sessions", "tokens", "passkeys"],
    ),
    (
        "of oneself",
        &[
            "password_set",
            "has_password",
            "signed_out",
            "asserted_session",
            "session_renewed",
            "passkey_begin",
            "passkey_offer",
            "passkey_add",
            "step_up_asked",
            "step_up_challenge",
            "step_up_by_password",
            "step_up_by_passkey",
            "step_up_by_sign_in",
            "step_up_failed",
            "step_up_proved",
        ],
    ),
    (
        "for the console's own machine, whatever the role",
        &["break_glass_link"],
    ),
];

/// One guarded use case, with what need not be there: whoever may do it is told so, or does no harm.
async fn tried(control: &Control, who: &Operator, name: &str) -> Result<(), ControlError> {
    let (all, viewer) = (Filter::default(), everywhere(&[Duty::Viewer]));
    let hour = Duration::from_secs(3_600);
    match name {
        "accounts" => control.accounts(who).await.map(drop),
        "account_create" => control.account_create(who, "A", viewer).await.map(drop),
        "account_link" => control.account_link(who, "none").await.map(drop),
        "account_disable" => control.account_disable(who, "none", true).await,
        "account_grants" => control.account_grants(who, "none", viewer).await,
        "token_create" => control.token_create(who, "A", viewer, hour).await.map(drop),
        "token_revoke" => control.token_revoke(who, "none").await,
        "session_end" => control.session_end(who, "none").await,
        "passkey_remove" => control.passkey_remove(who, "none").await,
        "audit_erase" => control
            .audit_erase(who, (None, Some("none")), "on request")
            .await
            .map(drop),
        "audit_erase_preview" => control
            .audit_erase_preview(who, (None, Some("none")))
            .await
            .map(drop),
        "audit_holds" => control.audit_holds(who).await.map(drop),
        "audit_hold_add" => control
            .audit_hold_add(who, (None, None), "case 12")
            .await
            .map(drop),
        "audit_hold_release" => control.audit_hold_release(who, "none", "closed").await,
        "audit_signers" => control.audit_signers(who).await.map(drop),
        "audit_key_add" => control.audit_key_add(who).await.map(drop),
        "audit_key_retire" => control.audit_key_retire(who, "none").await,
        "audit_key_renew" => control.audit_key_renew(who).await.map(drop),
        "audit" => control.audit(who, &all, 0, 1).await.map(drop),
        "audit_rows" => control.audit_rows(who, &all, None, 1).await.map(drop),
        "audit_entry" => control.audit_entry(who, 1).await.map(drop),
        "audit_size" => control.audit_size(who).await.map(drop),
        "audit_standing" => control.audit_standing(who).await.map(drop),
        "audit_checkpoint" => control.audit_checkpoint(who).await.map(drop),
        "audit_signed" => control.audit_signed(who).await.map(drop),
        "audit_keys" => control.audit_keys(who).await.map(drop),
        "audit_proof" => control.audit_proof(who, 1).await.map(drop),
        "audit_export" => control
            .audit_export(who, Format::Csv, &all, None)
            .await
            .map(drop),
        "audit_export_in" => control
            .audit_export_in(who, Language::Chinese, Format::Csv, &all, None)
            .await
            .map(drop),
        "override_set" => control
            .override_set(who, CLUSTER, "n3", "disk is replaced", hour)
            .await
            .map(drop),
        "override_lift" => control.override_lift(who, CLUSTER, "n3").await,
        "snapshot_file" => control.snapshot_file(who, "none").await.map(drop),
        other => panic!("`{other}` is not tried"),
    }
}

#[tokio::test]
async fn every_other_use_case_asks_for_its_role_and_each_refusal_is_on_record() {
    let stage = Stage::small().await;
    for duty in Duty::ALL {
        let who = person(duty.as_str(), duty);
        for (name, permission) in GUARDED.iter().copied() {
            let before = stage.entries().await.len();
            let answer = tried(&stage.control, &who, name).await;
            let refused = matches!(answer, Err(ControlError::NotAllowed { .. }));
            let may = carried_by(permission).contains(&duty);
            assert_eq!(refused, !may, "{duty:?} {name}: {answer:?}");
            if refused {
                let new = stage.entries().await.split_off(before);
                let by: Vec<_> = new
                    .iter()
                    .map(|entry| (entry.kind, entry.actor.name.as_str()))
                    .collect();
                let expected = [(EntryKind::Refusal, who.actor.name.as_str())];
                assert_eq!(by, expected, "{duty:?} {name}");
            }
        }
    }
}

/// Names of all use cases that somebody asks for: `pub fn` with `who: &Operator`.
fn asked_by_somebody() -> Vec<String> {
    let mut names = Vec::new();
    for text in sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        for (at, _) in text.match_indices("    pub ") {
            let rest = &text[at + "    pub ".len()..];
            let rest = rest.strip_prefix("async ").unwrap_or(rest);
            let Some(rest) = rest.strip_prefix("fn ") else {
                continue;
            };
            let head = rest.split(" {\n").next().unwrap();
            if head.contains("who: &Operator") {
                names.push(head.split(['(', '<']).next().unwrap().to_owned());
            }
        }
    }
    names.sort();
    names
}

#[test]
fn every_use_case_of_somebody_says_which_role_it_needs() {
    let mut listed: Vec<&str> = GUARDED.iter().map(|(name, _)| *name).collect();
    listed.extend(OTHERS.iter().flat_map(|(_, names)| *names));
    listed.sort_unstable();
    assert_eq!(asked_by_somebody(), listed);
}
