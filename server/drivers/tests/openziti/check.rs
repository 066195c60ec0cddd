//! `quorate check`: for each thing that can be wrong one line that names it.

use quorate_domain::cluster::Kind;
use quorate_drivers::{Connection, Diagnosis, Secret, connect};

use crate::openziti_stand_in::{NOBODY, Shape, StandIn, login};

async fn problems(connection: Connection) -> Vec<Diagnosis> {
    let lines = connect(connection).unwrap().diagnose().await;
    lines.into_iter().filter(|line| !line.ok).collect()
}

/// Exactly one problem, of this code, with a hint.
async fn one(connection: Connection, code: &str) -> Diagnosis {
    let found = problems(connection).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].code, code, "{found:#?}");
    assert!(found[0].hint.as_ref().is_some_and(|hint| !hint.is_empty()));
    found[0].clone()
}

#[tokio::test]
async fn a_cluster_where_nothing_is_wrong_has_no_problems() {
    for shape in [Shape::of_1_6(), Shape::default(), Shape::of_2_1()] {
        let cluster = StandIn::start(shape).await;
        let found = problems(cluster.connection(&["n1", "n2"])).await;
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_named_once_however_many_seeds_there_are() {
    for shape in [Shape::of_1_6(), Shape::of_1_6_with_oidc(), Shape::default()] {
        let cluster = StandIn::start(shape).await;
        let mut connection = cluster.connection(&["n1", "n2", "n3"]);
        connection.login = Some(login(("quorate", "wrong")));
        let line = one(connection, "sign-in-refused").await;
        assert!(line.hint.unwrap().contains("password_file"));
    }
}

#[tokio::test]
async fn a_missing_right_is_named() {
    for shape in [Shape::of_1_6(), Shape::default()] {
        let cluster = StandIn::start(shape).await;
        let mut connection = cluster.connection(&["n1", "n2"]);
        connection.login = Some(login(NOBODY));
        let line = one(connection, "permission-missing").await;
        assert!(line.hint.unwrap().contains("administrator"));
    }
}

#[tokio::test]
async fn no_credentials_and_a_second_factor_are_named() {
    let cluster = StandIn::start(Shape::default()).await;
    let mut connection = cluster.connection(&["n1"]);
    connection.login = None;
    one(connection, "credentials-missing").await;
    for oidc in [true, false] {
        let shape = Shape {
            multi_factor: true,
            oidc,
            ..Shape::default()
        };
        let cluster = StandIn::start(shape).await;
        one(cluster.connection(&["n1"]), "second-factor").await;
    }
}

#[tokio::test]
async fn a_wrong_authority_and_a_wrong_client_certificate_are_named() {
    let cluster = StandIn::start(Shape::default()).await;
    let other = StandIn::start(Shape::default()).await;
    let mut connection = cluster.connection(&["n1"]);
    connection.ca_pem = Some(other.authority.pem().into_bytes());
    one(connection, "certificate-not-trusted").await;
    let mut connection = cluster.connection(&["n1"]);
    connection.login = None;
    connection.client_pem = Some(Secret::new(other.administrator.pem.clone()));
    let line = one(connection, "sign-in-refused").await;
    assert!(line.hint.unwrap().contains("cert_file"));
}

#[tokio::test]
async fn a_wrong_port_and_plain_http_are_named() {
    let cluster = StandIn::start(Shape::default()).await;
    let mut connection = cluster.connection(&[]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    connection.seeds = vec![format!("https://{}", free.local_addr().unwrap())];
    drop(free);
    one(connection, "connection-refused").await;
    let mut connection = cluster.connection(&["n1"]);
    connection.seeds[0] = connection.seeds[0].replace("https", "http");
    one(connection, "needs-tls").await;
}

#[tokio::test]
async fn a_wrong_kind_is_named_from_both_sides() {
    let cluster = StandIn::start(Shape::default()).await;
    // Configured as something else.
    let mut connection = cluster.connection(&["n1"]);
    connection.kind = Kind::Openbao;
    connection.token = Some(Secret::new("t"));
    let found = problems(connection).await;
    assert!(!found.is_empty());
    // Something else answers.
    let mut connection = cluster.connection(&[]);
    connection.seeds = vec![format!("{}/", cluster.url("n1"))];
    cluster.world.state().node_mut("n1").version = "v1.3.9".to_owned();
    one(connection, "version-too-old").await;
    let page = crate::bad_input::page(200, "{\"hello\":1}");
    let mut connection = cluster.connection(&[]);
    connection.seeds = vec![page];
    one(connection, "not-openziti").await;
}
