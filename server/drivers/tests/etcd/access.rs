//! Who the console is to etcd, and what `quorate check` says when that, or the address, is wrong:
//! one line that names the cause.

use std::sync::Arc;

use quorate_domain::{action::Action, observation::Note};
use quorate_drivers::{Applied, Connection, Diagnosis, Driver, Login, Secret, connect};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use super::{
    checks::{DEADLINE, apply, role, seen_when},
    connection,
    etcd_cluster::{self, Cluster, Shape, Version},
    remove,
};

const ROOT: &str = "a password of root";
const OP: &str = "a password of op";

fn signing_in(cluster: &Cluster, name: &str, password: &str) -> Connection {
    let seeds = ["n1", "n2"].map(|node| cluster.node(node).client.clone());
    Connection {
        login: Some(Login {
            username: name.to_owned(),
            password: Secret::new(password),
        }),
        ..connection(seeds.to_vec())
    }
}

async fn check(connection: Connection) -> Vec<Diagnosis> {
    let lines = connect(connection).unwrap().diagnose().await;
    let told = format!("{lines:?}");
    assert!(!told.contains(ROOT) && !told.contains(OP), "{told}");
    lines
}

/// The one problem, with a hint; everything else is well.
fn assert_only(lines: &[Diagnosis], code: &str) {
    let bad: Vec<&Diagnosis> = lines.iter().filter(|line| !line.ok).collect();
    let [only] = bad[..] else {
        panic!("not one problem: {lines:#?}")
    };
    assert_eq!(only.code, code, "{lines:#?}");
    assert!(only.hint.as_ref().is_some_and(|hint| !hint.is_empty()));
}

#[tokio::test]
async fn wrong_addresses_are_named() {
    let shape = Shape {
        voters: 1,
        ..Shape::default()
    };
    let Some(cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let node = cluster.node("n1");
    assert_only(
        &check(connection(vec![node.peer.clone()])).await,
        "peer-port",
    );
    let tls = node.client.replace("http://", "https://");
    assert_only(&check(connection(vec![tls])).await, "not-tls");
    assert_only(
        &check(connection(vec!["http://127.0.0.1:1".to_owned()])).await,
        "connection-refused",
    );
    let other = super::replay::Replay::start(vec![("n1", 1, Default::default())]).await;
    assert_only(
        &check(connection(vec![other.address("n1")])).await,
        "not-etcd",
    );
    let lines = check(connection(vec![node.client.clone()])).await;
    assert!(lines.iter().all(|line| line.ok), "{lines:#?}");
}

async fn passwords(version: Version) {
    let shape = Shape {
        version,
        ..Shape::default()
    };
    let Some(mut cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    cluster.ask_for_passwords(ROOT, OP).await;
    let seeds = vec![cluster.node("n2").client.clone()];
    let without = check(connection(seeds.clone())).await;
    assert!(problem(&without, "sign-in-needed"), "{without:#?}");
    let wrong = check(signing_in(&cluster, "root", "x")).await;
    assert!(problem(&wrong, "sign-in-refused"), "{wrong:#?}");
    let garbage = check(Connection {
        token: Some(Secret::new("garbage")),
        ..connection(seeds)
    })
    .await;
    assert!(problem(&garbage, "sign-in-refused"), "{garbage:#?}");
    assert_only(
        &check(signing_in(&cluster, "op", OP)).await,
        "permission-missing",
    );
    let right = check(signing_in(&cluster, "root", ROOT)).await;
    assert!(right.iter().all(|line| line.ok), "{right:#?}");
    assert!(right.iter().any(|line| line.code == "permissions"));
    a_signed_in_console_works_and_survives_the_end_of_its_token(&mut cluster).await;
}

fn problem(lines: &[Diagnosis], code: &str) -> bool {
    lines.iter().any(|line| !line.ok && line.code == code)
}

async fn a_signed_in_console_works_and_survives_the_end_of_its_token(cluster: &mut Cluster) {
    let driver: Arc<dyn Driver> = connect(signing_in(cluster, "root", ROOT)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let seen = driver.observe(DEADLINE).await;
    assert!(seen.nodes.iter().all(|node| node.answered()), "{seen:#?}");
    let lacking = |note: &Note| matches!(note, Note::MissingPermission { .. });
    assert!(!seen.notes.iter().any(lacking));
    let taken = apply(&driver, Action::Snapshot, dir.path()).await;
    assert!(matches!(taken, Applied::Accepted(_)), "{taken:?}");
    // Members keep tokens in memory: a restart ends them all.
    for name in ["n1", "n2", "n3"] {
        cluster.node_mut(name).process.kill();
        cluster.restart(name);
    }
    cluster.token = None;
    seen_when(&driver, "all answer again, by a new token", 30, |seen| {
        let leads = |node: &quorate_domain::observation::NodeReport| {
            node.says
                .as_ref()
                .is_some_and(|says| says.claims_leadership)
        };
        seen.nodes.len() == 3
            && seen.nodes.iter().all(|node| node.answered())
            && seen.nodes.iter().any(leads)
    })
    .await;
    let address = cluster.newcomer("n4").await;
    let add = Action::AddLearner {
        address,
        member: None,
    };
    let Applied::Accepted(receipt) = apply(&driver, add, dir.path()).await else {
        panic!("not added")
    };
    let n4 = receipt.member.unwrap();
    let removed = apply(&driver, remove(n4.as_str()), dir.path()).await;
    assert!(matches!(removed, Applied::Accepted(_)), "{removed:?}");
    seen_when(&driver, "it is gone", 10, |seen| {
        role(seen, n4.as_str()).is_none()
    })
    .await;
}

#[tokio::test]
async fn passwords_of_etcd_3_4_are_used_renewed_and_missed_by_name() {
    passwords(Version::Old).await;
}

#[tokio::test]
async fn passwords_of_etcd_3_5_are_used_renewed_and_missed_by_name() {
    if etcd_cluster::is_slow_round() {
        passwords(Version::Middle).await;
    }
}

#[tokio::test]
async fn passwords_of_etcd_3_6_are_used_renewed_and_missed_by_name() {
    if etcd_cluster::is_slow_round() {
        passwords(Version::New).await;
    }
}

/// Certificate and key in PEM form, signed by an authority of their own.
struct Signed {
    authority: String,
    certificate: String,
    key: String,
}

fn signed(usages: &[ExtendedKeyUsagePurpose]) -> Signed {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = usages.to_vec();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    Signed {
        authority,
        certificate,
        key: key.serialize_pem(),
    }
}

#[tokio::test]
async fn certificates_are_used_and_wrong_ones_named() {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let (files, pair) = (
        tempfile::tempdir().unwrap(),
        signed(&[ServerAuth, ClientAuth]),
    );
    let put = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let words = [
        "--cert-file".to_owned(),
        put("server.pem", &pair.certificate),
        "--key-file".to_owned(),
        put("server.key", &pair.key),
        "--trusted-ca-file".to_owned(),
        put("ca.pem", &pair.authority),
        "--client-cert-auth".to_owned(),
    ];
    let shape = Shape {
        voters: 1,
        options: words.to_vec(),
        scheme: "https",
        identity: Some(format!("{}\n{}", pair.certificate, pair.key)),
        ..Shape::default()
    };
    let Some(cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let trusting = Connection {
        ca_pem: Some(pair.authority.clone().into_bytes()),
        ..connection(vec![cluster.node("n1").client.clone()])
    };
    let right = Connection {
        client_pem: Some(Secret::new(format!("{}\n{}", pair.certificate, pair.key))),
        ..trusting.clone()
    };
    let lines = check(right.clone()).await;
    assert!(lines.iter().all(|line| line.ok), "{lines:#?}");
    assert!(lines.iter().any(|line| line.code == "member-reached"));
    assert_only(&check(trusting).await, "tls-failed");
    let stranger = Connection {
        ca_pem: None,
        ..right.clone()
    };
    assert_only(&check(stranger).await, "certificate-not-trusted");
    let other = signed(&[ServerAuth, ClientAuth]);
    let unknown = Connection {
        client_pem: Some(Secret::new(format!("{}\n{}", other.certificate, other.key))),
        ..right
    };
    assert_only(&check(unknown).await, "tls-failed");
}
