//! API tokens: what they carry, until when, and what nobody may hand on.

use std::time::Duration;

use quorate_control::{ControlError, everywhere};
use quorate_domain::{
    audit::Means,
    permission::{Duty, Grant},
};
use quorate_drivers::Secret;

use crate::{
    people::Office,
    stage::{granted, source},
};

#[tokio::test]
async fn tokens_carry_their_grants_until_they_are_revoked() {
    let office = Office::open().await;
    let grants = vec![Grant {
        role: Duty::Operator,
        clusters: vec!["blue".to_owned()],
        tags: Vec::new(),
    }];
    let life = Duration::from_secs(3_600);
    let (token, secret) = office
        .control
        .token_create(&office.machine(), "ci", grants.clone(), life)
        .await
        .unwrap();
    assert!(secret.reveal().starts_with("qt_"));
    let who = office
        .control
        .operator_by_token(&secret, source("10.0.0.7"))
        .await
        .unwrap();
    assert_eq!(
        (who.grants, who.actor.means),
        (grants.clone(), Means::Token)
    );
    assert!(
        office.control.tokens(&office.machine()).await.unwrap()[0]
            .last_used
            .is_some()
    );
    let again = office
        .control
        .token_create(&office.machine(), "ci", grants.clone(), life)
        .await;
    assert!(matches!(again, Err(ControlError::Invalid { .. })));

    for other in [
        "qt_",
        "qt_wrong",
        "",
        secret.reveal().trim_start_matches("qt_"),
    ] {
        let answer = office
            .control
            .operator_by_token(&Secret::new(other), source(""))
            .await;
        assert!(matches!(answer, Err(ControlError::NotSignedIn)), "{other}");
    }
    office
        .control
        .token_revoke(&office.machine(), "ci")
        .await
        .unwrap();
    let revoked = office.control.operator_by_token(&secret, source("")).await;
    assert!(matches!(revoked, Err(ControlError::NotSignedIn)));
    assert!(office.control.tokens(&office.machine()).await.unwrap()[0].revoked);
    assert_eq!(
        office.control.tokens(&office.machine()).await.unwrap()[0].id,
        token.id
    );
    office
        .control
        .token_create(&office.machine(), "ci", grants, life)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_administrator_of_one_cluster_hands_on_no_more_than_that() {
    let office = Office::open().await;
    let on = |role, cluster: &str| {
        vec![Grant {
            role,
            clusters: vec![cluster.to_owned()],
            tags: Vec::new(),
        }]
    };
    let bob = granted("bob", on(Duty::Admin, "blue"));
    let life = Duration::from_secs(3_600);
    let control = &office.control;
    assert!(
        control
            .token_create(&bob, "own", on(Duty::Operator, "blue"), life)
            .await
            .is_ok()
    );
    for wanted in [
        on(Duty::Viewer, "*"),
        on(Duty::Viewer, "green"),
        on(Duty::Approver, "blue"),
    ] {
        let created = control.token_create(&bob, "more", wanted, life).await;
        assert!(matches!(created, Err(ControlError::NotAllowed { .. })));
    }
    assert_eq!(control.tokens(&bob).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_list_shows_what_each_token_holds_now_and_not_what_it_was_made_with() {
    let office = Office::open().await;
    let (control, machine) = (&office.control, office.machine());
    // An administrator must be left.
    office.hires("root", Duty::Admin).await;
    let ada = office.hires("ada", Duty::Admin).await;
    let life = Duration::from_secs(3_600);
    let given = everywhere(&[Duty::Operator]);
    let made = control.token_create(&ada, "adas", given.clone(), life);
    made.await.unwrap();
    let made = control.token_create(&machine, "own", given.clone(), life);
    made.await.unwrap();
    let of = |name: &'static str| {
        let machine = &machine;
        async move {
            let all = control.tokens(machine).await.unwrap();
            let found = all.into_iter().find(|token| token.name == name).unwrap();
            (found.grants, found.cut)
        }
    };
    for (disabled, expected) in [(true, (Vec::new(), true)), (false, (given.clone(), false))] {
        let turned = control.account_disable(&machine, "ada", disabled);
        turned.await.unwrap();
        assert_eq!(of("adas").await, expected);
        assert_eq!(of("own").await, (given.clone(), false), "nobody's account");
    }
    control.token_revoke(&machine, "adas").await.unwrap();
    let off = control.account_disable(&machine, "ada", true);
    off.await.unwrap();
    assert_eq!(of("adas").await, (given, false), "as it was");
}
