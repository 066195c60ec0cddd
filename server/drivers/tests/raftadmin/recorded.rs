//! The contract on recorded answers, and what each recorded answer to a change means.

use std::sync::Arc;

use prost::Message;
use quorate_domain::{
    action::Action,
    cluster::Kind,
    observation::{Answer as Heard, Note},
};
use quorate_drivers::{Applied, Driver, connect};
use tempfile::TempDir;

use crate::{
    LOOK,
    checks::{self, Truth, apply, report},
    connection, id, patient,
    stand_in::{Answer, Recorded, Stats, Token, message},
};

fn driver(seeds: Vec<String>) -> Arc<dyn Driver> {
    connect(patient(seeds)).unwrap()
}

fn truth() -> Truth {
    Truth {
        voters: vec!["a", "b", "c"],
        learners: vec!["d"],
        leader: "a".to_owned(),
    }
}

#[tokio::test]
async fn recorded_answers_of_raftadmin_keep_the_contract_from_any_member() {
    let recorded = Recorded::start().await;
    for seed in ["a", "b", "c", "d"] {
        let driver = driver(recorded.seeds(&[seed]));
        checks::a_healthy_cluster_is_told_as_it_is(&driver, &truth()).await;
        let seen = driver.observe(LOOK).await;
        assert_eq!(seen.kind, Kind::Raftadmin);
        assert_eq!((&seen.program, &seen.version), (&None, &None));
        assert_eq!(seen.notes, [Note::NoAuthentication]);
        for (id, node) in &recorded.nodes {
            let member = seen.membership.as_ref().unwrap().member(&crate::id(id));
            assert_eq!(member.unwrap().api_address, Some(node.seed()));
            let says = report(&seen, id).says.as_ref().unwrap();
            assert_eq!(says.term.unwrap().0, 2);
            let eight = (Some(8), Some(8), Some(8));
            assert_eq!(
                (says.last_index, says.commit_index, says.applied_index),
                eight
            );
            let heard = seen.progress.get(&crate::id(id));
            assert_eq!(heard.is_some(), id != "a", "{id}");
        }
    }
}

#[tokio::test]
async fn a_recorded_node_that_never_answers_costs_its_own_answer_only() {
    let recorded = Recorded::start().await;
    let driver = connect(connection(recorded.seeds(&["a"]))).unwrap();
    driver.observe(LOOK).await;
    recorded.nodes["c"].answer("Leader", Answer::Never);
    checks::a_failed_member_costs_its_own_answer_only(&driver, "c").await;
}

#[tokio::test]
async fn recorded_answers_of_nodes_outside_and_without_quorum_are_told_as_they_are() {
    let recorded = Recorded::start().await;
    let driver = driver(recorded.seeds(&["a"]));
    driver.observe(LOOK).await;
    let (a, d) = (&recorded.nodes["a"], &recorded.nodes["d"]);
    a.answer("Stats", Answer::Told(message("stats-no-quorum")));
    a.answer("Leader", Answer::Told(Vec::new()));
    d.answer("Stats", Answer::Told(message("stats-outside")));
    d.answer("Leader", Answer::Told(Vec::new()));
    d.answer("GetConfiguration", Answer::Told(message("outside")));
    let seen = driver.observe(LOOK).await;
    let says = report(&seen, "a").says.as_ref().unwrap();
    assert!(!says.claims_leadership && says.names_leader.is_none());
    assert_eq!(report(&seen, "d").answer, Heard::NotStarted);
    // Nobody leads, so whom to believe is open; what was agreed on before is still there.
    assert_eq!(seen.membership.unwrap().members.len(), 4);
}

#[tokio::test]
async fn a_state_machine_that_is_behind_has_applied_nobody_knows_what() {
    let recorded = Recorded::start().await;
    let mut stats = Stats::decode(&message("stats-b")[..]).unwrap();
    stats.stats.insert("fsm_pending".to_owned(), "3".to_owned());
    recorded.nodes["b"].answer("Stats", Answer::Told(stats.encode_to_vec()));
    let seen = driver(recorded.seeds(&["a"])).observe(LOOK).await;
    assert_eq!(
        report(&seen, "b").says.as_ref().unwrap().applied_index,
        None
    );
}

async fn outcome(recorded: &Recorded, driver: &Arc<dyn Driver>, action: Action) -> Applied {
    // Every change of the membership asks for the index first.
    recorded.operation("a", "DemoteVoter", "wrong-index");
    let dir = TempDir::new().unwrap();
    apply(driver, action, dir.path()).await
}

fn remove(member: &str) -> Action {
    Action::Remove { member: id(member) }
}

fn add(member: Option<&str>, address: &str) -> Action {
    Action::AddLearner {
        address: address.to_owned(),
        member: member.map(id),
    }
}

fn transfer(member: &str) -> Action {
    Action::Transfer {
        member: Some(id(member)),
    }
}

#[tokio::test]
async fn each_recorded_answer_to_a_change_is_told_as_what_it_means() {
    let recorded = Recorded::start().await;
    let driver = driver(recorded.seeds(&["a"]));
    let fresh = || add(Some("e"), "127.0.0.1:1");
    let table = [
        (
            "RemoveServer",
            "not-leader",
            remove("d"),
            Some("not-leader"),
        ),
        (
            "RemoveServer",
            "wrong-index",
            remove("d"),
            Some("membership-changed"),
        ),
        (
            "AddNonvoter",
            "address-taken",
            fresh(),
            Some("address-taken"),
        ),
        ("AddNonvoter", "no-quorum", fresh(), None),
        (
            "LeadershipTransferToServer",
            "transfer-unknown",
            transfer("b"),
            Some("member-unknown"),
        ),
        (
            "LeadershipTransferToServer",
            "transfer-itself",
            transfer("b"),
            Some("is-leader"),
        ),
        (
            "Snapshot",
            "snapshot-not-now",
            Action::Snapshot,
            Some("snapshot-not-now"),
        ),
    ];
    for (method, answer, action, expected) in table {
        recorded.operation("a", "Barrier", "barrier");
        recorded.operation("a", method, answer);
        match (outcome(&recorded, &driver, action).await, expected) {
            (
                Applied::Refused {
                    code,
                    text,
                    exchange,
                },
                Some(expected),
            ) => {
                assert_eq!(code, expected, "{answer}");
                assert!(!format!("{text}{exchange:?}").contains("0x"), "{text}");
            }
            (Applied::Unknown { .. }, None) => {}
            (other, _) => panic!("{answer}: {other:?}"),
        }
    }
    for (method, answer, action) in [
        ("AddNonvoter", "add-learner", fresh()),
        ("AddVoter", "promote", Action::Promote { member: id("d") }),
        ("RemoveServer", "remove-unknown", remove("d")),
        ("Snapshot", "snapshot", Action::Snapshot),
    ] {
        recorded.operation("a", method, answer);
        let done = outcome(&recorded, &driver, action).await;
        assert!(matches!(done, Applied::Accepted(_)), "{answer}: {done:?}");
    }
    let a = &recorded.nodes["a"];
    assert_eq!(
        a.called("Forget"),
        a.called("Await"),
        "every token is forgotten"
    );
    for other in ["b", "c", "d"] {
        let heard = recorded.nodes[other].heard();
        let reads = ["Stats", "Leader", "GetConfiguration"];
        assert!(
            heard
                .iter()
                .all(|(method, _)| reads.contains(&method.as_str()))
        );
    }
}

#[tokio::test]
async fn what_the_library_would_do_without_a_word_is_not_sent() {
    let recorded = Recorded::start().await;
    let driver = driver(recorded.seeds(&["a"]));
    let taken = recorded.nodes["b"].address.clone();
    for (action, expected) in [
        (remove("nobody"), "member-unknown"),
        (remove("a"), "is-leader"),
        (Action::Demote { member: id("a") }, "is-leader"),
        (Action::Demote { member: id("d") }, "already-learner"),
        (Action::Demote { member: id("x") }, "member-unknown"),
        (Action::Promote { member: id("b") }, "already-voter"),
        (Action::Promote { member: id("x") }, "member-unknown"),
        (transfer("d"), "target-not-voter"),
        (transfer("a"), "is-leader"),
        (transfer("x"), "member-unknown"),
        (add(None, "127.0.0.1:1"), "id-not-given"),
        (add(Some("b"), "127.0.0.1:1"), "already-member"),
        (add(Some("e"), &taken), "address-taken"),
        (add(Some("e"), "http://127.0.0.1:1"), "address-malformed"),
        (add(Some("e"), "127.0.0.1"), "address-malformed"),
        (Action::Defragment { member: id("b") }, "not-supported"),
    ] {
        match outcome(&recorded, &driver, action.clone()).await {
            Applied::Refused { code, .. } => assert_eq!(code, expected, "{action:?}"),
            other => panic!("{action:?}: {other:?}"),
        }
    }
    assert_eq!(recorded.nodes["a"].called("Await"), 0);
}

#[tokio::test]
async fn a_change_is_sent_on_the_index_that_was_looked_up_and_on_nothing_else() {
    #[derive(Clone, PartialEq, Message)]
    struct Asked {
        #[prost(string, tag = "1")]
        id: String,
        #[prost(uint64, tag = "2")]
        previous_index: u64,
    }
    let recorded = Recorded::start().await;
    let driver = driver(recorded.seeds(&["a"]));
    recorded.operation("a", "RemoveServer", "remove-unknown");
    let done = outcome(&recorded, &driver, remove("d")).await;
    let Applied::Accepted(receipt) = done else {
        panic!("{done:?}")
    };
    assert_eq!(receipt.exchange.sent["previous_index"], 7);
    assert_eq!(receipt.exchange.sent["call"], "/RaftAdmin/RemoveServer");
    let heard = recorded.nodes["a"].heard();
    let of = |method: &str| {
        let found = heard.iter().find(|(name, _)| name == method).unwrap();
        Asked::decode(found.1.clone()).unwrap()
    };
    let lookup = of("DemoteVoter");
    assert_eq!((lookup.id.as_str(), lookup.previous_index), ("", u64::MAX));
    let sent = of("RemoveServer");
    assert_eq!((sent.id.as_str(), sent.previous_index), ("d", 7));

    // What was decided on another membership is not sent at all.
    let seen = driver.observe(LOOK).await;
    let step = quorate_domain::plan::Step {
        action: remove("d"),
        revision: quorate_domain::cluster::Revision("of another day".to_owned()),
        leader: Some(id("a")),
        address: None,
    };
    assert_ne!(seen.membership.unwrap().revision, step.revision);
    let before = recorded.nodes["a"].called("Await");
    let place = quorate_drivers::SnapshotPlace {
        file: "unused".into(),
    };
    match driver.apply(&step, &place).await {
        Applied::Refused { code, .. } => assert_eq!(code, "membership-changed"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        recorded.nodes["a"].called("Await"),
        before,
        "nothing was sent"
    );
}

#[tokio::test]
async fn a_token_is_forgotten_even_when_waiting_for_it_fails() {
    let recorded = Recorded::start().await;
    let driver = driver(recorded.seeds(&["a"]));
    recorded.operation("a", "LeadershipTransferToServer", "promote");
    let lost = "token \"LeadershipTransferToServer\" unknown".to_owned();
    let a = &recorded.nodes["a"];
    a.answer("Await LeadershipTransferToServer", Answer::Failed(2, lost));
    let told = outcome(&recorded, &driver, transfer("b")).await;
    assert!(matches!(told, Applied::Unknown { .. }), "{told:?}");
    let forgotten = a
        .heard()
        .into_iter()
        .filter(|(method, _)| method == "Forget");
    let tokens: Vec<String> = forgotten
        .map(|(_, message)| Token::decode(message).unwrap().token)
        .collect();
    assert_eq!(tokens, ["LeadershipTransferToServer"]);
}
