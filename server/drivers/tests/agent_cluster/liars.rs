//! Agents made of a few canned answers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use quorate_domain::{
    action::Action,
    cluster::{MemberId, Revision},
    observation::{Answer, Note},
    plan::Step,
};
use quorate_drivers::{Applied, Driver, SnapshotPlace, connect};
use serde_json::{Value, json};

use super::{DEADLINE, checks::report, connection};

/// What a stand-in says; changed while it runs.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<BTreeMap<String, Value>>>,
    /// After how many bytes an answer ends.
    cut: Arc<Mutex<BTreeMap<String, usize>>>,
    /// Status and body of the answer to a change; `None`: none at all.
    change: Arc<Mutex<Option<(u16, Value)>>>,
    changes: Arc<Mutex<u32>>,
}

struct Stand {
    address: String,
    script: Script,
}

impl Stand {
    async fn start(member: &str) -> Self {
        let script = Script::default();
        let app = Router::new()
            .route("/quorate/agent/v1/{*path}", get(answer))
            .route("/quorate/agent/v1/groups/default/changes", post(change))
            .with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let stand = Self { address, script };
        stand.says(
            "identity",
            json!({
                "protocol": 1, "implementation": "openraft", "cluster_id": "c1", "member": member,
            }),
        );
        stand
    }

    fn says(&self, path: &str, answer: Value) {
        self.script
            .answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), answer);
    }

    fn answers_changes(&self, status: u16, body: Value) {
        *self.script.change.lock().unwrap() = Some((status, body));
    }

    fn changes(&self) -> u32 {
        *self.script.changes.lock().unwrap()
    }
}

async fn answer(State(script): State<Script>, Path(path): Path<String>) -> Response {
    let answer = script.answers.lock().unwrap().get(&path).cloned();
    let cut = script.cut.lock().unwrap().get(&path).copied();
    if let (Some(answer), Some(bytes)) = (&answer, cut) {
        let mut text = answer.to_string();
        text.truncate(bytes);
        return text.into_response();
    }
    answer.map_or(StatusCode::NOT_FOUND.into_response(), |answer| {
        Json(answer).into_response()
    })
}

async fn change(State(script): State<Script>) -> Response {
    *script.changes.lock().unwrap() += 1;
    let answer = script.change.lock().unwrap().clone();
    match answer {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), Json(body)).into_response(),
        None => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            StatusCode::OK.into_response()
        }
    }
}

fn view(member: &str, members: &[(&str, &str)]) -> Value {
    let lines: Vec<Value> = members
        .iter()
        .map(|(id, address)| {
            json!({ "id": id, "address": "raft", "agent_address": address, "role": "voter" })
        })
        .collect();
    let ids: Vec<&str> = members.iter().map(|(id, _)| *id).collect();
    json!({
        "member": member, "state": "follower", "term": 3, "leader": "n1",
        "membership": { "revision": "r1", "members": lines, "configs": [ids] },
    })
}

fn driver(seeds: &[&Stand]) -> Arc<dyn Driver> {
    let mut connection = connection(seeds.iter().map(|seed| seed.address.clone()).collect());
    connection.change_timeout = Duration::from_millis(500);
    connect(connection).unwrap()
}

async fn promote(driver: &Arc<dyn Driver>, leader: &str) -> Applied {
    let step = Step {
        action: Action::Promote {
            member: MemberId::from("n9"),
        },
        revision: Revision::from("r1"),
        leader: Some(MemberId::from(leader)),
        address: None,
    };
    driver
        .apply(
            &step,
            &SnapshotPlace {
                file: "none".into(),
            },
        )
        .await
}

#[tokio::test]
async fn answers_of_wrong_types_or_absurd_numbers_are_misread() {
    let stand = Stand::start("n1").await;
    for (key, value) in [
        ("term", json!(-3)),
        ("term", json!("three")),
        ("last_index", json!(1.5)),
        ("last_index", json!(18_446_744_073_709_551_616.0)),
        ("membership", json!([])),
        ("member", json!("")),
        ("member", json!("somebody-else")),
        ("claims_leadership", json!("yes")),
    ] {
        let mut wrong = view("n1", &[("n1", &stand.address)]);
        wrong[key] = value.clone();
        stand.says("groups/default", wrong);
        let seen = driver(&[&stand]).observe(DEADLINE).await;
        assert!(
            matches!(seen.nodes[0].answer, Answer::Misread(_)),
            "{key}: {value}"
        );
        assert!(
            seen.notes
                .iter()
                .any(|note| matches!(note, Note::Misread { .. }))
        );
        assert!(seen.membership.is_none());
    }
}

#[tokio::test]
async fn answers_of_an_agent_that_are_cut_off_are_misread() {
    let (whole, cut) = (Stand::start("n1").await, Stand::start("n2").await);
    let members = [("n1", whole.address.as_str()), ("n2", &cut.address)];
    for (stand, member) in [(&whole, "n1"), (&cut, "n2")] {
        stand.says("groups/default", view(member, &members));
    }
    for path in ["identity", "groups/default"] {
        for bytes in [0, 1, 20, 60] {
            cut.script
                .cut
                .lock()
                .unwrap()
                .insert(path.to_owned(), bytes);
            let seen = driver(&[&whole]).observe(DEADLINE).await;
            let told = &report(&seen, "n2").answer;
            assert!(
                matches!(told, Answer::Misread(_)),
                "{path} {bytes}: {told:?}"
            );
            assert!(report(&seen, "n1").answered(), "{path} {bytes}");
            assert_eq!(seen.membership.unwrap().members.len(), 2, "{path} {bytes}");
        }
        cut.script.cut.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn another_protocol_version_is_not_guessed_at() {
    let stand = Stand::start("n1").await;
    stand.says("groups/default", view("n1", &[("n1", &stand.address)]));
    stand.says(
        "identity",
        json!({ "protocol": 2, "implementation": "x", "member": "n1" }),
    );
    let seen = driver(&[&stand]).observe(DEADLINE).await;
    assert!(matches!(&seen.nodes[0].answer, Answer::Misread(why) if why.contains("version 2")));
}

#[tokio::test]
async fn a_member_that_another_answers_for_is_not_believed_to_be_well() {
    let (one, two) = (Stand::start("n1").await, Stand::start("n7").await);
    let members = [("n1", one.address.as_str()), ("n2", two.address.as_str())];
    one.says("groups/default", view("n1", &members));
    two.says("groups/default", view("n7", &members));
    let seen = driver(&[&one]).observe(DEADLINE).await;
    assert_eq!(
        report(&seen, "n2").answer,
        Answer::Misread("n7 answers there".to_owned())
    );
    assert!(report(&seen, "n2").says.is_none());
}

#[tokio::test]
async fn an_old_claim_without_fresh_evidence_does_not_make_a_witness() {
    let (old, new) = (Stand::start("n1").await, Stand::start("n2").await);
    let members = [("n1", old.address.as_str()), ("n2", new.address.as_str())];
    let mut claims = view("n1", &members[..1]);
    claims["claims_leadership"] = json!(true);
    claims["quorum_evidence_ms"] = json!(60_000);
    claims["election_timeout_ms"] = json!(1_000);
    old.says("groups/default", claims);
    let mut follows = view("n2", &members);
    follows["term"] = json!(4);
    follows["voter"] = json!(true);
    new.says("groups/default", follows);
    let seen = driver(&[&old, &new]).observe(DEADLINE).await;
    assert_eq!(seen.membership.unwrap().members.len(), 2);
    assert!(seen.progress.is_empty());
}

#[tokio::test]
async fn a_change_without_an_answer_is_unknown_and_never_repeated() {
    let stand = Stand::start("n1").await;
    stand.says("groups/default", view("n1", &[("n1", &stand.address)]));
    let driver = driver(&[&stand]);
    driver.observe(DEADLINE).await;
    let applied = promote(&driver, "n1").await;
    assert!(matches!(applied, Applied::Unknown { .. }), "{applied:?}");
    assert_eq!(stand.changes(), 1);
}

#[tokio::test]
async fn what_an_answer_to_a_change_means() {
    let stand = Stand::start("n1").await;
    stand.says("groups/default", view("n1", &[("n1", &stand.address)]));
    let driver = driver(&[&stand]);
    driver.observe(DEADLINE).await;
    let problem = |code: &str| json!({ "code": code, "detail": "why" });
    for (status, body, expected) in [
        (409, problem("revision-moved"), Some("revision-moved")),
        (422, problem("not-level"), Some("not-level")),
        (503, problem("no-quorum"), Some("no-quorum")),
        (500, problem("core-stopped"), Some("core-stopped")),
        (403, problem("not-allowed"), Some("not-allowed")),
        (500, problem("agent-fault"), None),
        (504, problem("unknown"), None),
        (502, json!("bad gateway"), None),
        (200, json!("yes"), None),
    ] {
        stand.answers_changes(status, body);
        match (promote(&driver, "n1").await, expected) {
            (Applied::Refused { code, .. }, Some(expected)) => assert_eq!(code, expected),
            (Applied::Unknown { .. }, None) => {}
            (other, _) => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn credentials_go_to_known_members_only() {
    let (stand, trap) = (Stand::start("n1").await, Stand::start("n2").await);
    stand.says("groups/default", view("n1", &[("n1", &stand.address)]));
    let driver = driver(&[&stand]);
    driver.observe(DEADLINE).await;
    let leader = json!({ "member": "n2", "agent_address": trap.address });
    stand.answers_changes(
        421,
        json!({ "code": "not-leader", "detail": "n2", "leader": leader }),
    );
    let applied = promote(&driver, "n1").await;
    assert!(
        matches!(&applied, Applied::Refused { code, .. } if code == "no-address"),
        "{applied:?}"
    );
    assert_eq!(trap.changes(), 0);
}

#[tokio::test]
async fn nodes_that_send_us_round_in_circles_are_given_up() {
    let (one, two) = (Stand::start("n1").await, Stand::start("n2").await);
    let members = [("n1", one.address.as_str()), ("n2", two.address.as_str())];
    one.says("groups/default", view("n1", &members));
    two.says("groups/default", view("n2", &members));
    let driver = driver(&[&one]);
    driver.observe(DEADLINE).await;
    let to = |member: &str| json!({ "code": "not-leader", "detail": "", "leader": { "member": member, "agent_address": null } });
    one.answers_changes(421, to("n2"));
    two.answers_changes(421, to("n1"));
    let applied = promote(&driver, "n1").await;
    assert!(matches!(&applied, Applied::Refused { code, .. } if code == "not-leader"));
    assert_eq!(one.changes() + two.changes(), 3);
}
