//! Signing in: by password and by certificate, by OIDC and the older way; renewing; and not
//! trying a refused password again and again.

use std::time::{Duration, Instant};

use quorate_domain::observation::Answer;
use quorate_drivers::{Secret, connect};

use crate::{
    openziti_stand_in::{NOBODY, Shape, StandIn, login},
    stage::{DEADLINE, Stage, report},
};

#[tokio::test]
async fn by_oidc_one_sign_in_is_good_at_every_member() {
    for shape in [Shape::of_1_6_with_oidc(), Shape::default()] {
        let stage = Stage::set(shape).await;
        for _ in 0..5 {
            stage.look().await;
        }
        assert_eq!(stage.cluster.sign_ins(), 1);
        assert!(stage.look().await.nodes.iter().all(|node| node.answered()));
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_nobody_is_denied_meanwhile() {
    // Renewed at half of it, which leaves a busy machine time.
    let stage = Stage::set(Shape {
        life: Duration::from_secs(8),
        ..Shape::default()
    })
    .await;
    let given = |stage: &Stage| stage.cluster.calls("n1", "/oidc/oauth/token");
    assert_eq!(given(&stage), 1);
    let began = Instant::now();
    while given(&stage) == 1 {
        assert!(began.elapsed() < Duration::from_secs(20), "never renewed");
        stage.look().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stage
        .seen("nobody is denied", |seen| {
            seen.nodes.iter().all(|node| node.answered())
        })
        .await;
    assert_eq!(stage.cluster.sign_ins(), 1);
}

#[tokio::test]
async fn by_the_older_way_each_member_is_signed_in_at_once() {
    let stage = Stage::set(Shape::of_1_6()).await;
    for _ in 0..5 {
        stage.look().await;
    }
    assert_eq!(stage.cluster.sign_ins(), 4);
    assert!(stage.look().await.nodes.iter().all(|node| node.answered()));
}

#[tokio::test]
async fn a_client_certificate_signs_in_by_both_ways() {
    for shape in [Shape::default(), Shape::of_1_6()] {
        let cluster = StandIn::start(shape).await;
        let mut connection = cluster.connection(&["n1"]);
        connection.login = None;
        connection.client_pem = Some(Secret::new(cluster.administrator.pem.clone()));
        let driver = connect(connection).unwrap();
        driver.observe(DEADLINE).await;
        let seen = driver.observe(DEADLINE).await;
        assert!(seen.nodes.iter().all(|node| node.answered()), "{seen:#?}");
    }
}

#[tokio::test]
async fn a_session_that_ended_is_made_anew_once() {
    for shape in [Shape::default(), Shape::of_1_6()] {
        let stage = Stage::set(shape).await;
        stage.look().await;
        stage.cluster.world.state().tokens.clear();
        let seen = stage
            .seen("all answer again", |seen| {
                seen.nodes.iter().all(|node| node.answered())
            })
            .await;
        assert_eq!(seen.nodes.len(), 4);
    }
}

#[tokio::test]
async fn a_refused_password_is_not_tried_again_at_each_look() {
    let cluster = StandIn::start(Shape::default()).await;
    let mut connection = cluster.connection(&["n1"]);
    connection.login = Some(login(("quorate", "wrong")));
    let driver = connect(connection).unwrap();
    for _ in 0..5 {
        let seen = driver.observe(DEADLINE).await;
        let Answer::Denied(why) = &seen.nodes[0].answer else {
            panic!("{seen:#?}")
        };
        assert!(why.contains("refused"), "{why}");
    }
    assert_eq!(cluster.sign_ins(), 1);
}

#[tokio::test]
async fn an_identity_without_the_right_is_not_signed_in_again_at_each_look() {
    let cluster = StandIn::start(Shape::default()).await;
    let mut connection = cluster.connection(&["n1"]);
    connection.login = Some(login(NOBODY));
    let driver = connect(connection).unwrap();
    for _ in 0..5 {
        let seen = driver.observe(DEADLINE).await;
        assert!(
            matches!(seen.nodes[0].answer, Answer::Denied(_)),
            "{seen:#?}"
        );
    }
    assert!(cluster.sign_ins() <= 3, "{}", cluster.sign_ins());
}

#[tokio::test]
async fn a_fresh_member_that_does_not_know_the_console_yet_is_denied_and_not_dead() {
    let stage = Stage::set(Shape::default()).await;
    stage.cluster.world.state().node_mut("n4").knows_identities = false;
    let seen = stage.look().await;
    assert!(
        matches!(report(&seen, "n4").answer, Answer::Denied(_)),
        "{seen:#?}"
    );
    assert!(report(&seen, "n1").answered());
}

#[tokio::test]
async fn the_password_is_in_nothing_that_is_shown_or_kept() {
    let stage = Stage::set(Shape::default()).await;
    let (_, password) = crate::openziti_stand_in::ADMINISTRATOR;
    let seen = format!("{:?}", stage.look().await);
    assert!(!seen.contains(password));
    let outcome = stage
        .apply(crate::stage::add(stage.cluster.address("n5")))
        .await;
    let outcome = format!("{outcome:?}");
    assert!(
        !outcome.contains(password) && !outcome.contains("Bearer"),
        "{outcome}"
    );
}
