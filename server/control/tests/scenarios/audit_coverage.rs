//! Every use case that changes something makes exactly its entries; the list of public use
//! cases is read from the source, so a new one without a case here fails.

use std::time::Duration;

use quorate_control::{Operator, Renewal, everywhere};
use quorate_domain::{
    action::Action,
    audit::{Entry, EntryKind, Means},
    permission::Duty,
};
use quorate_drivers::Secret;

use crate::stage::{CLUSTER, Stage, person, promote, session_of, source};

/// Use cases that only read, and what is no use case: none of them makes an entry.
const MAKES_NONE: &[&str] = &[
    "now",
    "ready",
    "read_only",
    "fleet",
    "problems",
    "console_findings",
    "view",
    "view_now",
    "refresh",
    "ticks",
    "events",
    "history",
    "preview",
    "preview_in",
    "groups",
    "group_view",
    "runs_many",
    "change",
    "changes",
    "running_changes",
    "audit_size",
    "audit_standing",
    "audit_checkpoint",
    "audit_keys",
    "audit_signers",
    "audit_signed",
    "audit_copies",
    "audit_reports",
    "audit_retention",
    "audit_maps_by",
    "audit_holds",
    "audit_erase_preview",
    "snapshots",
    "keep_snapshots",
    "accounts",
    "has_password",
    "operator",
    "tokens",
    "operator_by_token",
    "asserted",
    "session_insert",
    "session_update",
    "session_load",
    "session_alive",
    "session_delete",
    "session_move",
    "session_has_moved",
    "session_moved_lately",
    "session_leave",
    "sessions",
    "command_line_operator",
    "offline",
    "step_up_rules",
    "step_up_acr_values",
    "step_up_asked",
    "step_up_challenge",
    "passkeys",
    "passkeys_possible",
    "passkey_begin",
    "passkey_offer",
    "break_glass_operator",
    "emergency",
    "rehearse_full_audit",
    "rehearse_entry",
    "rehearse_patience",
];

/// Use cases with a case below.
const COVERED: &[&str] = &[
    "start",
    "stop",
    "submit",
    "approve",
    "approve_proved",
    "deny",
    "cancel",
    "snapshot_file",
    "account_create",
    "account_link",
    "account_disable",
    "account_grants",
    "password_set",
    "sign_in",
    "sign_in_by_link",
    "break_glass_link",
    "break_glass_sign_in",
    "signed_out",
    "asserted_session",
    "session_renewed",
    "sign_on_refused",
    "departed",
    "token_create",
    "token_revoke",
    "session_end",
    "record_refusal",
    "override_set",
    "override_lift",
    "audit",
    "audit_rows",
    "audit_entry",
    "audit_proof",
    "audit_export",
    "audit_export_in",
    "audit_key_add",
    "audit_key_retire",
    "audit_key_renew",
    "audit_erase",
    "audit_erase_proved",
    "audit_remove_old",
    "audit_hold_add",
    "audit_hold_release",
    // Each of these is told in the stories of step-up.
    "submit_proved",
    "step_up_by_password",
    "step_up_by_passkey",
    "step_up_by_sign_in",
    "step_up_failed",
    "step_up_proved",
    "passkey_add",
    "passkey_remove",
];

/// Names of all `pub fn` and `pub async fn` in `impl Control` blocks.
fn public_use_cases() -> Vec<String> {
    let mut names = Vec::new();
    for text in sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let mut inside = false;
        for line in text.lines() {
            match line {
                "impl Control {" => inside = true,
                "}" => inside = false,
                _ => {}
            }
            let line = line.trim_start();
            let rest = line
                .strip_prefix("pub async fn ")
                .or_else(|| line.strip_prefix("pub fn "));
            if let (true, Some(rest)) = (inside, rest) {
                names.push(rest.split(['(', '<']).next().unwrap().to_owned());
            }
        }
    }
    names
}

/// The text of every source file of this crate.
pub fn sources(directory: &std::path::Path) -> Vec<String> {
    let mut texts = Vec::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            texts.extend(sources(&path));
        } else {
            texts.push(std::fs::read_to_string(path).unwrap());
        }
    }
    texts
}

/// That an unsealing went unrecorded was found by users: vault#7355.
#[test]
fn every_public_use_case_is_listed() {
    let found = public_use_cases();
    assert!(found.len() > 40, "{found:?}");
    for name in &found {
        let listed = [MAKES_NONE, COVERED].concat();
        assert_eq!(
            listed.iter().filter(|listed| *listed == name).count(),
            1,
            "`{name}` must be listed once: does it make entries?"
        );
    }
    for name in [MAKES_NONE, COVERED].concat() {
        assert!(found.iter().any(|found| found == name), "`{name}` is gone");
    }
}

struct Ledger<'a> {
    stage: &'a Stage,
    known: usize,
}

impl Ledger<'_> {
    /// Exactly these entries were made since the last call.
    async fn made(&mut self, expected: &[(&str, EntryKind)]) -> Vec<Entry> {
        let entries = self.stage.entries().await.split_off(self.known);
        let found: Vec<(&str, EntryKind)> = entries
            .iter()
            .map(|entry| (entry.action.as_str(), entry.kind))
            .collect();
        assert_eq!(found, expected);
        self.known += entries.len();
        entries
    }
}

#[tokio::test]
async fn every_change_makes_exactly_its_entries() {
    let stage = Stage::small().await;
    let mut ledger = Ledger {
        stage: &stage,
        known: 0,
    };
    ledger.made(&[("started", EntryKind::Console)]).await;

    stage.done(&promote("n4")).await;
    let two = |action| [(action, EntryKind::Intent), (action, EntryKind::Outcome)];
    ledger.made(&two("promote")).await;
    let snapshot = stage.done(&Action::Snapshot).await.snapshot.unwrap();
    ledger.made(&two("snapshot")).await;
    stage
        .control
        .snapshot_file(&stage.ada, &snapshot)
        .await
        .unwrap();
    ledger
        .made(&[("snapshot_downloaded", EntryKind::Access)])
        .await;

    let vera = person("vera", Duty::Viewer);
    assert!(stage.control.snapshot_file(&vera, &snapshot).await.is_err());
    ledger
        .made(&[("snapshot_downloaded", EntryKind::Refusal)])
        .await;
    assert!(stage.ask(&vera, &promote("n4")).await.is_err());
    ledger.made(&[("promote", EntryKind::Refusal)]).await;
    assert!(stage.ask(&stage.ada, &promote("n4")).await.is_err());
    ledger.made(&[("promote", EntryKind::Refusal)]).await;

    let hour = Duration::from_secs(3_600);
    let set = stage
        .control
        .override_set(&stage.ada, CLUSTER, "n3", "disk is replaced", hour);
    set.await.unwrap();
    ledger.made(&[("override_set", EntryKind::Console)]).await;
    let lift = stage.control.override_lift(&stage.ada, CLUSTER, "n3");
    lift.await.unwrap();
    ledger
        .made(&[("override_lifted", EntryKind::Console)])
        .await;

    let everything = quorate_domain::audit::Filter::default();
    let bundle = quorate_control::Format::Bundle;
    let exported = stage
        .control
        .audit_export(&stage.ada, bundle, &everything, None);
    exported.await.unwrap();
    ledger.made(&[("audit_exported", EntryKind::Access)]).await;
    let (chinese, report) = (
        quorate_control::Language::Chinese,
        quorate_control::Format::Pdf,
    );
    let exported = stage
        .control
        .audit_export_in(&stage.ada, chinese, report, &everything, None);
    exported.await.unwrap();
    ledger.made(&[("audit_exported", EntryKind::Access)]).await;
    let exported = stage.control.audit_export(&vera, bundle, &everything, None);
    assert!(exported.await.is_err());
    ledger.made(&[("read_audit", EntryKind::Refusal)]).await;
    let public = stage.control.audit_key_add(&stage.ada).await.unwrap();
    ledger.made(&[("audit_key_added", EntryKind::Access)]).await;
    let public = quorate_audit::note::VerifierKey::parse(&public).unwrap();
    let id = public.key().to_string();
    stage
        .control
        .audit_key_retire(&stage.ada, &id)
        .await
        .unwrap();
    ledger
        .made(&[("audit_key_retired", EntryKind::Access)])
        .await;
    std::fs::remove_file(stage.directory.path().join("audit.key")).unwrap();
    stage.control.audit_key_renew(&stage.ada).await.unwrap();
    ledger
        .made(&[("audit_key_renewed", EntryKind::Access)])
        .await;

    keeping(&mut ledger).await;
    reading(&stage).await;
    ledger.made(&[]).await;
    let (control, ada) = (&stage.control, &stage.ada);
    // Once for many reads of the same part by the same reader.
    for _ in 0..3 {
        control.audit(ada, &everything, 0, 10).await.unwrap();
        control
            .audit_rows(ada, &everything, None, 10)
            .await
            .unwrap();
        control.audit_entry(ada, 1).await.unwrap();
        control.audit_proof(ada, 1).await.unwrap();
    }
    ledger.made(&[("audit_read", EntryKind::Access)]).await;
    stage.control.stop().await;
    ledger.made(&[("stopped", EntryKind::Console)]).await;
}

/// Who is named in the log, and how long it is kept. That old entries are removed is told in the
/// stories of retention.
async fn keeping(ledger: &mut Ledger<'_>) {
    let (control, ada) = (&ledger.stage.control, &ledger.stage.ada);
    let vera = (None, Some("vera"));
    let machine = control.command_line_operator();
    let erased = control.audit_erase(&machine, vera, "on request").await;
    erased.unwrap();
    ledger
        .made(&[("audit_person_erased", EntryKind::Access)])
        .await;
    let hold = control.audit_hold_add(ada, (None, None), "case 12").await;
    ledger
        .made(&[("audit_hold_added", EntryKind::Access)])
        .await;
    let hold = hold.unwrap();
    let released = control.audit_hold_release(ada, &hold.id, "closed").await;
    released.unwrap();
    ledger
        .made(&[("audit_hold_released", EntryKind::Access)])
        .await;
    let retention = quorate_control::Retention {
        keep_days: 400,
        archive_dir: None,
    };
    let removed = control.audit_remove_old(&retention, control.now()).await;
    assert_eq!(removed.unwrap(), None);
    ledger.made(&[]).await;
}

/// Everything that only reads.
async fn reading(stage: &Stage) {
    let (control, ada) = (&stage.control, &stage.ada);
    control.ready().await.unwrap();
    assert_eq!(control.fleet(ada).len(), 1);
    control.view(ada, CLUSTER).await.unwrap();
    control.view_now(ada, CLUSTER).unwrap();
    control.refresh(ada, None).await;
    control.events(ada, None, 10).await.unwrap();
    let history = control.history(ada, (CLUSTER, None), (None, None), 0, 10);
    history.await.unwrap();
    control.changes(ada, None, None, 10).await.unwrap();
    control.audit_size(ada).await.unwrap();
    control.audit_standing(ada).await.unwrap();
    control.audit_checkpoint(ada).await.unwrap();
    control.audit_signed(ada).await.unwrap();
    control.audit_keys(ada).await.unwrap();
    control.audit_signers(ada).await.unwrap();
    control.audit_holds(ada).await.unwrap();
    control.snapshots(ada).await.unwrap();
    control.accounts(ada).await.unwrap();
    control.tokens(ada).await.unwrap();
    control.sessions(ada).await.unwrap();
    control
        .preview(ada, CLUSTER, &Action::Snapshot)
        .await
        .unwrap();
}

#[tokio::test]
async fn everything_about_people_makes_exactly_its_entries() {
    let stage = Stage::small().await;
    let control = &stage.control;
    let machine = control.command_line_operator();
    let mut ledger = Ledger {
        stage: &stage,
        known: 1,
    };
    let access = |action| [(action, EntryKind::Access)];
    let peer = source("10.0.0.1");
    let admin = || everywhere(&[Duty::Admin]);

    let (account, link) = control
        .account_create(&machine, "bob", admin())
        .await
        .unwrap();
    ledger.made(&access("account_created")).await;
    control.sign_in_by_link(link, &peer).await.unwrap();
    ledger.made(&access("sign_in")).await;
    let bob = session(&stage, &account.id).await;
    ledger.made(&[]).await;
    let link = control.break_glass_link(&machine, "test").await.unwrap();
    ledger.made(&access("break_glass_link")).await;
    assert!(control.emergency().await.is_none());
    for _ in 0..2 {
        let _used_up = control.break_glass_sign_in(&link, &peer).await;
        ledger.made(&access("break_glass_sign_in")).await;
    }
    let password = || Secret::new("kelp violin tundra");
    control.password_set(&bob, None, password()).await.unwrap();
    ledger.made(&access("password_set")).await;
    assert!(
        control
            .password_set(&bob, Some(Secret::new("x")), password())
            .await
            .is_err()
    );
    ledger.made(&access("password_set")).await;
    control.sign_in("bob", password(), &peer).await.unwrap();
    ledger.made(&access("sign_in")).await;
    assert!(
        control
            .sign_in("bob", Secret::new("x"), &peer)
            .await
            .is_err()
    );
    ledger.made(&access("sign_in")).await;
    control.asserted_session(&bob, None).await.unwrap();
    ledger.made(&access("sign_in")).await;
    control.asserted_session(&bob, Some("eve")).await.unwrap();
    ledger.made(&access("identity_changed")).await;
    let renewed = control.session_renewed(&bob, "bob-0", Renewal::OtherRoles);
    renewed.await.unwrap();
    ledger.made(&access("session_renewed")).await;
    control.sign_on_refused("sign_in", "a test", &peer).await;
    ledger.made(&access("sign_in")).await;
    let gone = quorate_control::Departure {
        issuer: "https://id.example".to_owned(),
        subject: Some("anna".to_owned()),
        sid: None,
    };
    assert_eq!(control.departed(&gone, &peer).await.unwrap(), 0);
    ledger.made(&access("sign_out")).await;
    control.account_link(&machine, "bob").await.unwrap();
    ledger.made(&access("link_created")).await;
    control
        .account_create(&machine, "cyd", admin())
        .await
        .unwrap();
    ledger.made(&access("account_created")).await;
    control
        .account_grants(&bob, "cyd", everywhere(&[Duty::Viewer]))
        .await
        .unwrap();
    ledger.made(&access("account_grants")).await;
    control.account_disable(&bob, "cyd", true).await.unwrap();
    ledger.made(&access("account_disabled")).await;
    control.account_disable(&bob, "cyd", false).await.unwrap();
    ledger.made(&access("account_enabled")).await;
    let life = Duration::from_secs(3_600);
    control
        .token_create(&bob, "ci", admin(), life)
        .await
        .unwrap();
    ledger.made(&access("token_created")).await;
    control.token_revoke(&bob, "ci").await.unwrap();
    ledger.made(&access("token_revoked")).await;
    control.session_end(&bob, "bob-1").await.unwrap();
    ledger.made(&access("session_ended")).await;
    control.signed_out(&bob).await.unwrap();
    ledger.made(&access("sign_out")).await;
    control
        .record_refusal("forged_origin", "Refused.", &peer)
        .await
        .unwrap();
    ledger.made(&[("forged_origin", EntryKind::Refusal)]).await;
}

async fn session(stage: &Stage, account: &str) -> Operator {
    let record = session_of(&stage.control, account);
    stage.control.session_insert("bob-1", record).await.unwrap();
    let source = source("10.0.0.1");
    stage
        .control
        .operator(account, Means::Password, "bob-1", source)
        .await
        .unwrap()
        .unwrap()
}
