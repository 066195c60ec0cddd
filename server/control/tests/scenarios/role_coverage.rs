//! Every role and every action: who may ask for what, and that each refusal is on record. The table
//! names all of both, so that a new role or action without its line here fails.

use quorate_control::{ControlError, Request};
use quorate_domain::{
    action::{Action, Verb},
    audit::EntryKind,
    permission::Duty,
};

use crate::stage::{CLUSTER, Stage, person};

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
