//! Step-up: what is dangerous waits until its person has proved to be there; each proof is good for
//! that alone, and stands in the log.

use std::time::Duration;

use quorate_control::{
    Control, ControlError, Decision, Operator, everywhere,
    step_up::{Deed, FreshSignIn, Method, Rules, Site, Verified},
};
use quorate_domain::{
    action::{Action, Verb},
    approval::Rule,
    audit::{Entry, EntryKind, Means, Outcome},
    job::ChangeState,
    permission::Duty,
};
use quorate_drivers::{Secret, simulated::Cluster};

use crate::stage::{CLUSTER, Stage, person, promote, session_of, settings, source, until};

pub const PASSWORD: &str = "kelp violin tundra";
pub const ORIGIN: &str = "https://raft.example";
pub const HOST: &str = "raft.example";

pub fn rules() -> Rules {
    Rules {
        verbs: vec![Verb::Remove, Verb::Demote],
        site: Some(Site {
            origin: ORIGIN.to_owned(),
            id: HOST.to_owned(),
        }),
        ..Rules::default()
    }
}

pub fn remove() -> Action {
    Action::Remove {
        member: "n4".into(),
    }
}

/// The question that a refusal names.
pub fn ask_of<T: std::fmt::Debug>(answer: Result<T, ControlError>) -> String {
    match answer {
        Err(ControlError::StepUpNeeded { ask: Some(ask) }) => ask,
        other => panic!("{other:?}"),
    }
}

/// Somebody with an account, a password and a session of this name.
pub async fn hired(control: &Control, name: &str, session: &str) -> Operator {
    let machine = control.command_line_operator();
    let (account, link) = control
        .account_create(&machine, name, everywhere(&[Duty::Admin]))
        .await
        .unwrap();
    let peer = source("10.0.0.1");
    control.sign_in_by_link(link, &peer).await.unwrap();
    let who = seated(control, &account.id, session).await;
    let password = Secret::new(PASSWORD);
    control.password_set(&who, None, password).await.unwrap();
    who
}

async fn seated(control: &Control, account: &str, session: &str) -> Operator {
    let record = session_of(control, account);
    control.session_insert(session, record).await.unwrap();
    let peer = source("10.0.0.1");
    control
        .operator(account, Means::Password, session, peer)
        .await
        .unwrap()
        .unwrap()
}

/// As after a step-up, when the session has another id.
pub fn moved_to(who: &Operator, session: &str) -> Operator {
    Operator {
        session: Some(session.to_owned()),
        ..who.clone()
    }
}

pub async fn by_password(stage: &Stage, who: &Operator, ask: &str) -> Verified {
    stage
        .control
        .step_up_by_password(who, ask, Secret::new(PASSWORD))
        .await
        .unwrap()
}

/// Entries about proofs.
pub async fn proofs(stage: &Stage) -> Vec<Entry> {
    let mut entries = stage.entries().await;
    entries.retain(|entry| entry.action == "step_up");
    entries
}

#[tokio::test]
async fn a_removal_waits_for_the_password_and_its_proof_is_in_the_intent() {
    let stage = Stage::small().await;
    stage.control.step_up_rules(rules());
    let ada = hired(&stage.control, "ada", "s-1").await;
    let preview = stage
        .control
        .preview(&ada, CLUSTER, &remove())
        .await
        .unwrap();
    assert!(
        preview
            .notes
            .iter()
            .any(|note| note.contains("prove that it is you")),
        "{:?}",
        preview.notes
    );
    let request = stage.decided(&ada, &remove()).await;
    let control = &stage.control;
    let ask = ask_of(control.submit(&ada, CLUSTER, &remove(), &request).await);
    assert!(stage.cluster.sent().is_empty());
    let asked = control.step_up_asked(&ada, &ask).await.unwrap();
    assert_eq!(asked.methods, [Method::Password]);
    assert_eq!(asked.deed.words(), "remove n4 in blue");

    let wrong = control
        .step_up_by_password(&ada, &ask, Secret::new("not the password"))
        .await;
    assert!(matches!(wrong, Err(ControlError::SignInFailed)));
    let verified = by_password(&stage, &ada, &ask).await;
    let after = moved_to(&ada, "s-2");
    let (proof, deed) = control.step_up_proved(&after, verified).await.unwrap();
    let change = control
        .submit_proved(&after, proof.clone(), &deed)
        .await
        .unwrap();
    assert_eq!(stage.ended(&change).await.state, ChangeState::Succeeded);

    let told = proofs(&stage).await;
    let outcomes: Vec<_> = told.iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Failed), Some(Outcome::Succeeded)]);
    assert_eq!(told[0].member.as_ref().unwrap().as_str(), "n4");
    let intent = stage.story().await;
    let intent = intent
        .iter()
        .find(|entry| entry.kind == EntryKind::Intent)
        .unwrap();
    assert_eq!(intent.seen["step_up"], told[1].seen);
    assert_eq!(intent.seen["step_up"]["method"], "password");

    // The same proof again, for the same request: it is used up.
    let again = control.submit_proved(&after, proof, &deed).await;
    assert!(again.is_err(), "{again:?}");
    // Neither does the question take another answer.
    let over = control.step_up_asked(&ada, &ask).await;
    assert!(matches!(over, Err(ControlError::NotFound { .. })));
}

#[tokio::test]
async fn a_proof_is_good_in_its_session_for_its_person_and_its_action_alone() {
    let stage = Stage::small().await;
    stage.control.step_up_rules(rules());
    let control = &stage.control;
    let ada = hired(control, "ada", "s-1").await;
    let eve = hired(control, "eve", "s-9").await;
    let request = stage.decided(&ada, &remove()).await;
    let asked = || async {
        let answer = control.submit(&ada, CLUSTER, &remove(), &request).await;
        ask_of(answer)
    };
    // Another session, another person: the question is not theirs.
    let ask = asked().await;
    for other in [&moved_to(&ada, "s-2"), &eve] {
        let password = Secret::new(PASSWORD);
        let answer = control.step_up_by_password(other, &ask, password).await;
        assert!(matches!(answer, Err(ControlError::NotFound { .. })));
    }
    // Proved by one, taken by another.
    let verified = by_password(&stage, &ada, &ask).await;
    let taken = control.step_up_proved(&eve, verified).await;
    assert!(matches!(taken, Err(ControlError::NotSignedIn)));

    for (who, change_deed, why) in [
        (moved_to(&ada, "s-3"), false, "another session"),
        (eve.clone(), false, "another person"),
        (moved_to(&ada, "s-2"), true, "another action"),
    ] {
        let verified = by_password(&stage, &ada, &asked().await).await;
        let after = moved_to(&ada, "s-2");
        let (proof, mut deed) = control.step_up_proved(&after, verified).await.unwrap();
        if change_deed && let Deed::Change { request, .. } = &mut deed {
            request.reason = "something else".to_owned();
        }
        let answer = control.submit_proved(&who, proof, &deed).await;
        ask_of(answer);
        let last = proofs(&stage).await.pop().unwrap();
        assert_eq!(last.outcome, Some(Outcome::Failed));
        assert!(last.text.contains(why), "{why}: {}", last.text);
    }
    assert!(stage.cluster.sent().is_empty());
}

#[tokio::test]
async fn tokens_and_people_without_a_session_are_told_to_ask_on_the_page() {
    let stage = Stage::small().await;
    let control = &stage.control;
    control.step_up_rules(rules());
    let request = stage.decided(&stage.ada, &remove()).await;
    let mut token = person("robot", Duty::Admin);
    token.actor.means = Means::Token;
    for who in [&token, &stage.ada] {
        let answer = control.submit(who, CLUSTER, &remove(), &request).await;
        let error = answer.unwrap_err();
        assert!(matches!(error, ControlError::StepUpNeeded { ask: None }));
        let problem = error.problem();
        assert_eq!(
            (problem.status, problem.code.as_str()),
            (403, "step-up-needed")
        );
        assert!(problem.hint.contains("page"), "{}", problem.hint);
        let last = stage.entries().await.pop().unwrap();
        assert_eq!(
            (last.kind, last.action.as_str()),
            (EntryKind::Refusal, "remove")
        );
    }
    assert!(stage.cluster.sent().is_empty());
    // What is not named needs nothing, and tokens may be let do without.
    stage.ask(&token, &promote("n4")).await.unwrap();
    stage.settled().await;
    control.step_up_rules(Rules {
        tokens: true,
        ..rules()
    });
    until("the removal is taken", || async {
        stage.ask(&token, &remove()).await.ok()
    })
    .await;
}

#[tokio::test]
async fn guessing_a_password_ends_the_question() {
    let stage = Stage::small().await;
    let control = &stage.control;
    control.step_up_rules(rules());
    let ada = hired(control, "ada", "s-1").await;
    let request = stage.decided(&ada, &remove()).await;
    let ask = ask_of(control.submit(&ada, CLUSTER, &remove(), &request).await);
    let mut ended = None;
    for number in 0..8 {
        let guess = Secret::new(format!("guess number {number}"));
        match control.step_up_by_password(&ada, &ask, guess).await {
            Err(ControlError::SignInFailed) => {}
            Err(other) => {
                ended = Some(other);
                break;
            }
            Ok(_) => panic!("a guess was right"),
        }
    }
    let ended = ended.expect("an end");
    assert!(
        matches!(
            ended,
            ControlError::Throttled { .. } | ControlError::NotFound { .. }
        ),
        "{ended:?}"
    );
    let told = proofs(&stage).await;
    assert!(told.len() >= 4);
    assert!(
        told.iter()
            .all(|entry| entry.outcome == Some(Outcome::Failed))
    );
    let text = serde_json::to_string(&stage.entries().await).unwrap();
    assert!(!text.contains("guess number"));
}

#[tokio::test]
async fn a_fresh_sign_in_proves_it_and_a_stale_one_does_not() {
    let stage = Stage::small().await;
    let control = &stage.control;
    control.step_up_rules(rules());
    let mut anna = person("anna", Duty::Admin);
    anna.actor.means = Means::Oidc;
    anna.session = Some("s-1".to_owned());
    let request = stage.decided(&anna, &remove()).await;
    let ask = ask_of(control.submit(&anna, CLUSTER, &remove(), &request).await);
    let now = u64::try_from(control.now().unix_ms() / 1_000).unwrap();
    let said = |auth_time: Option<u64>| FreshSignIn {
        auth_time,
        acr: Some("phr".to_owned()),
        asked_at: now,
        leeway: 30,
    };
    for stale in [None, Some(now - 3_600), Some(now - 60)] {
        let answer = control.step_up_by_sign_in(&anna, &ask, said(stale)).await;
        assert!(matches!(answer, Err(ControlError::SignInFailed)));
    }
    let verified = control
        .step_up_by_sign_in(&anna, &ask, said(Some(now)))
        .await
        .unwrap();
    let after = moved_to(&anna, "s-2");
    let (proof, deed) = control.step_up_proved(&after, verified).await.unwrap();
    control.submit_proved(&after, proof, &deed).await.unwrap();
    let told = proofs(&stage).await.pop().unwrap();
    assert_eq!(told.seen["auth_time"], now);
    assert_eq!(told.seen["acr"], "phr");
}

#[tokio::test]
async fn whoever_approves_proves_to_be_there_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Cluster::healthy(3, 1);
    cluster.status_timeout(Duration::from_millis(1_000));
    let mut settings = settings(directory.path(), &cluster);
    settings.approvals.rules = vec![Rule {
        clusters: vec!["*".to_owned()],
        tags: vec!["test".to_owned()],
        actions: vec![Verb::Promote],
        approvals: 1,
        expires_after_ms: 3_600_000,
        execute_within_ms: 3_600_000,
    }];
    let stage = Stage {
        control: Control::start(settings).await.unwrap(),
        cluster,
        directory,
        ada: person("ada", Duty::Admin),
    };
    stage.settled().await;
    let control = &stage.control;
    control.step_up_rules(Rules {
        approvals: true,
        ..Rules::default()
    });
    let change = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
    assert_eq!(change.state, ChangeState::WaitingApproval);
    let mut dana = person("dana", Duty::Approver);
    dana.actor.means = Means::Oidc;
    dana.session = Some("s-1".to_owned());
    let word = Decision {
        reason: "looked at it".to_owned(),
        digest: None,
    };
    let ask = ask_of(control.approve(&dana, &change.id.0, &word).await);
    let asked = control.step_up_asked(&dana, &ask).await.unwrap();
    assert_eq!(asked.methods, [Method::SignIn]);
    let said = FreshSignIn {
        auth_time: u64::try_from(control.now().unix_ms() / 1_000).ok(),
        acr: None,
        asked_at: 0,
        leeway: 30,
    };
    let verified = control.step_up_by_sign_in(&dana, &ask, said).await.unwrap();
    let after = moved_to(&dana, "s-2");
    let (proof, deed) = control.step_up_proved(&after, verified).await.unwrap();
    let approved = control.approve_proved(&after, proof, &deed).await.unwrap();
    assert_eq!(stage.ended(&approved).await.state, ChangeState::Succeeded);
    let told = proofs(&stage).await.pop().unwrap();
    let entries = stage.entries().await;
    let word = entries.iter().find(|entry| entry.action == "approved");
    assert_eq!(word.unwrap().seen["step_up"], told.seen);
    assert_eq!(told.change.as_ref(), Some(&change.id));
}
