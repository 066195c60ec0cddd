//! A state set by hand quietens the alarm for a time, hides nothing, and moves no rule.

use std::time::Duration;

use quorate_control::ControlError;
use quorate_domain::{
    health::{FindingCode, Severity},
    permission::Duty,
    preflight::Level,
    view::ClusterView,
};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::stage::{CLUSTER, Stage, person, until};

const HOUR: Duration = Duration::from_secs(3_600);

fn severity(view: &ClusterView, code: FindingCode) -> Option<Severity> {
    let of_n3 = |id: &quorate_domain::cluster::MemberId| id.as_str() == "n3";
    let mut about = view
        .findings
        .iter()
        .filter(|finding| finding.member.as_ref().is_some_and(of_n3));
    about
        .find(|finding| finding.code == code)
        .map(|finding| finding.severity)
}

async fn with_a_silent_voter() -> Stage {
    let stage = Stage::small().await;
    stage.cluster.kill("n3");
    stage
        .sees(|view| severity(view, FindingCode::MemberUnreachable).is_some())
        .await;
    stage
}

#[tokio::test]
async fn the_alarm_is_quiet_and_the_finding_stays() {
    let stage = with_a_silent_voter().await;
    let alarmed = |view: &ClusterView| {
        severity(view, FindingCode::MemberUnreachable).is_some_and(|level| level > Severity::Info)
    };
    stage.sees(alarmed).await;
    let set = stage
        .control
        .override_set(&stage.ada, CLUSTER, "n3", "its disk is replaced", HOUR);
    let manual = set.await.unwrap();
    assert_eq!(manual.by, stage.ada.actor.name);
    let after = stage.control.view_now(&stage.ada, CLUSTER).unwrap();
    assert_eq!(
        severity(&after, FindingCode::MemberUnreachable),
        Some(Severity::Info)
    );
    assert!(severity(&after, FindingCode::OverrideActive).is_some());
    // A hand cannot make a silent voter fit to lead.
    let transfer = crate::stage::transfer("n3");
    let preview = stage.control.preview(&stage.ada, CLUSTER, &transfer).await;
    let checks = preview.unwrap().checks;
    assert!(
        checks.iter().any(|check| check.level == Level::Refuse),
        "{checks:?}"
    );

    let lift = stage.control.override_lift(&stage.ada, CLUSTER, "n3");
    lift.await.unwrap();
    let lifted = stage.control.view_now(&stage.ada, CLUSTER).unwrap();
    assert_eq!(severity(&lifted, FindingCode::OverrideActive), None);
    assert!(alarmed(&lifted));
}

#[tokio::test]
async fn what_is_set_by_hand_survives_a_restart_of_the_console() {
    let stage = with_a_silent_voter().await;
    let set = stage
        .control
        .override_set(&stage.ada, CLUSTER, "n3", "its disk is replaced", HOUR);
    set.await.unwrap();
    stage.control.stop().await;
    let Stage {
        control,
        cluster,
        directory,
        ada,
    } = stage;
    drop(control);
    let again = Stage::again(directory, cluster).await;
    until("the finding", || async {
        let view = again.control.view_now(&ada, CLUSTER).unwrap();
        severity(&view, FindingCode::OverrideActive).map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn nobody_sets_a_state_without_right_reason_or_end() {
    let stage = with_a_silent_voter().await;
    let control = &stage.control;
    let olga = person("olga", Duty::Operator);
    let refused = control
        .override_set(&olga, CLUSTER, "n3", "because", HOUR)
        .await;
    assert!(matches!(refused, Err(ControlError::NotAllowed { .. })));
    for (member, reason, life) in [
        ("n3", " ", HOUR),
        ("n3", "two\nlines", HOUR),
        ("n3", &"x".repeat(501), HOUR),
        ("n3", "because", Duration::ZERO),
        ("n3", "because", Duration::from_secs(8 * 24 * 3_600)),
    ] {
        let refused = control.override_set(&stage.ada, CLUSTER, member, reason, life);
        let refused = refused.await;
        assert!(
            matches!(refused, Err(ControlError::Invalid { .. })),
            "{reason:?} {life:?}: {refused:?}"
        );
    }
    for member in ["n9", ""] {
        let refused = control
            .override_set(&stage.ada, CLUSTER, member, "because", HOUR)
            .await;
        assert!(matches!(refused, Err(ControlError::NotFound { .. })));
    }
    let nothing = control.override_lift(&stage.ada, CLUSTER, "n3").await;
    assert!(matches!(nothing, Err(ControlError::NotFound { .. })));
}

#[tokio::test]
async fn what_is_set_by_hand_goes_with_its_member() {
    let stage = Stage::small().await;
    let set = stage
        .control
        .override_set(&stage.ada, CLUSTER, "n4", "its disk is replaced", HOUR);
    set.await.unwrap();
    assert_eq!(rows(&stage).await, 1);
    let change = stage.done(&crate::stage::remove("n4")).await;
    crate::stage::assert_ended(&change, quorate_domain::job::ChangeState::Succeeded, &[]);
    until("its row is gone", || async {
        (rows(&stage).await == 0).then_some(())
    })
    .await;
    let nothing = stage.control.override_lift(&stage.ada, CLUSTER, "n4").await;
    assert!(matches!(nothing, Err(ControlError::NotFound { .. })));
}

#[tokio::test]
async fn what_is_over_is_removed_and_what_is_stored_can_be_lifted() {
    let stage = Stage::small().await;
    let set = stage
        .control
        .override_set(&stage.ada, CLUSTER, "n4", "its disk is replaced", HOUR);
    set.await.unwrap();
    // As a console leaves it that was stopped for longer than it lasts.
    in_store(
        &stage,
        "INSERT INTO overrides SELECT cluster, 'n3', \
         json_set(document, '$.member', 'n3', '$.until', '2020-01-01T00:00:00.000Z') FROM overrides",
    )
    .await;
    let gone = stage.control.override_lift(&stage.ada, CLUSTER, "n3").await;
    assert!(matches!(gone, Err(ControlError::NotFound { .. })));
    // Reads the rows anew, the one that is over among them.
    let lift = stage.control.override_lift(&stage.ada, CLUSTER, "n4");
    lift.await.unwrap();
    until("its row is gone", || async {
        (rows(&stage).await == 0).then_some(())
    })
    .await;
}

async fn store(stage: &Stage) -> SqliteConnection {
    let file = stage.directory.path().join("quorate.db");
    SqliteConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap()
}

async fn in_store(stage: &Stage, statement: &'static str) {
    store(stage).await.execute(statement).await.unwrap();
}

async fn rows(stage: &Stage) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM overrides")
        .fetch_one(&mut store(stage).await)
        .await
        .unwrap()
}
