//! Sessions: how they end by themselves, who sees them and who ends them.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use quorate_control::{Control, ControlError, Departure, SIGNED_ON, SessionRecord, Settings};
use quorate_domain::permission::Duty;

use crate::{
    people::Office,
    stage::{session_of, source},
};

#[tokio::test]
async fn sessions_end_when_idle_and_after_their_absolute_life() {
    for (idle, absolute) in [(400, 60_000), (60_000, 400)] {
        let directory = tempfile::tempdir().unwrap();
        let control = console(directory.path().to_owned(), idle, absolute).await;
        let record = SessionRecord {
            account: Some("account-ada".to_owned()),
            data: BTreeMap::from([("seen".to_owned(), serde_json::json!(1))]),
            expires_at: control.now().plus_ms(3_600_000),
            peer: None,
            user_agent: None,
        };
        let began = std::time::Instant::now();
        control.session_insert("s1", record.clone()).await.unwrap();
        let again = control.session_insert("s1", record.clone()).await;
        let loaded = control.session_load("s1").await.unwrap();
        // On a machine that is too slow for that, it is over already.
        if began.elapsed() < Duration::from_millis(400) {
            assert!(again.is_err(), "never taken over");
            assert_eq!(loaded.unwrap().data, record.data);
        }
        crate::stage::until("it is over", || async {
            (!control.session_alive("s1").await.unwrap()).then_some(())
        })
        .await;
        assert!(control.session_load("s1").await.unwrap().is_none());
        assert!(!control.session_update("s1", record).await.unwrap());
        control.stop().await;
    }
}

async fn console(data_dir: PathBuf, idle_ms: u64, absolute_ms: u64) -> Control {
    Control::start(Settings {
        data_dir,
        read_only: false,
        clusters: Vec::new(),
        version: "0.0.0-test".to_owned(),
        session_idle: Duration::from_millis(idle_ms),
        session_absolute: Duration::from_millis(absolute_ms),
        approvals: quorate_control::ApprovalPolicy::default(),
        configuration: None,
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_session_that_is_saved_again_ends_no_later_than_it_would_have() {
    let directory = tempfile::tempdir().unwrap();
    let hour = 3_600_000;
    let control = console(directory.path().to_owned(), 8 * hour, 8 * hour).await;
    let ending = |hours: u64| SessionRecord {
        expires_at: control.now().plus_ms(hours * hour),
        ..session_of(&control, "account-ada")
    };
    let first = ending(2);
    let ends = first.expires_at;
    control.session_insert("s1", first).await.unwrap();
    let left = async || {
        control
            .session_load("s1")
            .await
            .unwrap()
            .unwrap()
            .expires_at
    };
    assert!(control.session_update("s1", ending(7)).await.unwrap());
    assert_eq!(left().await, ends);
    let sooner = ending(1);
    let ends = sooner.expires_at;
    assert!(control.session_update("s1", sooner).await.unwrap());
    assert_eq!(left().await, ends);
    control.stop().await;
}

#[tokio::test]
async fn who_leaves_ends_the_session_they_have_and_is_told_where_it_went_on() {
    let office = Office::open().await;
    let control = &office.control;
    let record = session_of(control, "anna");
    control.session_insert("old", record).await.unwrap();
    assert!(!control.session_moved_lately("old").await.unwrap());
    let moving = control.session_move("old").await.unwrap().unwrap();
    let mut leaving = std::pin::pin!(control.session_leave("old"));
    // Not before the new id is stored: it could not come with that.
    assert!(futures::poll!(leaving.as_mut()).is_pending());
    let same = moving.record.clone();
    control.session_insert("new", same).await.unwrap();
    drop(moving);
    assert!(!leaving.await.unwrap());
    assert!(!control.session_moved_lately("new").await.unwrap());
    assert!(control.session_leave("new").await.unwrap());
    assert!(!control.session_leave("new").await.unwrap());
}

#[tokio::test]
async fn one_sees_and_ends_ones_own_sessions_and_administrators_all() {
    let office = Office::open().await;
    let ada = office.hires("ada", Duty::Admin).await;
    let bob = office.hires("bob", Duty::Viewer).await;
    let bobs = office.control.sessions(&bob).await.unwrap();
    assert_eq!(bobs.len(), 1);
    assert!(bobs[0].current && bobs[0].account == "bob");
    assert_eq!(office.control.sessions(&ada).await.unwrap().len(), 2);
    assert!(office.control.session_end(&bob, "ada-1").await.is_err());
    office.control.session_end(&bob, "bob-1").await.unwrap();
    assert_eq!(office.control.sessions(&ada).await.unwrap().len(), 1);
    let unknown = office.control.session_end(&ada, "no such").await;
    assert!(matches!(unknown, Err(ControlError::NotFound { .. })));
}

#[tokio::test]
async fn who_leaves_while_their_session_is_between_two_ids_is_out_all_the_same() {
    let office = Office::open().await;
    let control = &office.control;
    let record = SessionRecord {
        data: BTreeMap::from([(SIGNED_ON.to_owned(), serde_json::json!({ "sid": "s1" }))]),
        ..session_of(control, "anna\nhttps://id")
    };
    control.session_insert("old", record).await.unwrap();
    let moving = control.session_move("old").await.unwrap().unwrap();
    assert!(control.session_move("old").await.unwrap().is_none());
    let departure = Departure {
        issuer: "https://id".to_owned(),
        subject: Some("anna".to_owned()),
        sid: None,
    };
    let peer = source("10.0.0.9");
    let mut leaving = std::pin::pin!(control.departed(&departure, &peer));
    // It waits, or it has looked already; only the first finds the new id.
    assert!(futures::poll!(leaving.as_mut()).is_pending());
    let same = moving.record.clone();
    control.session_insert("new", same).await.unwrap();
    drop(moving);
    assert_eq!(leaving.await.unwrap(), 1);
    assert!(!control.session_alive("new").await.unwrap());
}
