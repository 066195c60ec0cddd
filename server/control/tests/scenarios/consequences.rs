//! What becomes of sessions, tokens, words, requests and proofs when an account is disabled, loses a
//! role, or gets another password: each of them, at once.

use std::time::Duration;

use quorate_control::{
    Control, ControlError, Decision, Operator, everywhere,
    step_up::{Deed, ProofId},
};
use quorate_domain::{
    audit::{EntryKind, Means, Outcome},
    job::{Change, ChangeState},
    permission::Duty,
};
use quorate_drivers::Secret;

use crate::{
    approvals::{rule, stage},
    stage::{CLUSTER, Stage, assert_ended, person, promote, session_of, source},
    step_up::{PASSWORD, ask_of, proofs, remove, rules},
};

const LIFE: Duration = Duration::from_secs(3_600);

/// Somebody with an account, a password and the session `NAME-1`.
async fn hired(stage: &Stage, name: &str, duties: &[Duty]) -> Operator {
    let (control, peer) = (&stage.control, source("10.0.0.1"));
    let machine = control.command_line_operator();
    let made = control.account_create(&machine, name, everywhere(duties));
    let (account, link) = made.await.unwrap();
    control.sign_in_by_link(link, &peer).await.unwrap();
    seated(control, &account.id, &format!("{name}-1")).await;
    let who = again(control, &account.id, &format!("{name}-1")).await;
    let who = who.unwrap();
    let password = Secret::new(PASSWORD);
    control.password_set(&who, None, password).await.unwrap();
    who
}

async fn seated(control: &Control, account: &str, session: &str) {
    let record = session_of(control, account);
    control.session_insert(session, record).await.unwrap();
}

/// Where two others approve: Bob and Dana, who administer, and what each has handed on by a token.
struct Staff {
    stage: Stage,
    bob: Operator,
    bobs: Secret,
    /// To approve with.
    danas: Secret,
}

impl Staff {
    async fn hired() -> Self {
        let stage = stage(rule(2)).await;
        stage.control.step_up_rules(rules());
        let bob = hired(&stage, "bob", &[Duty::Admin]).await;
        let dana = hired(&stage, "dana", &[Duty::Admin, Duty::Approver]).await;
        Self {
            bobs: token(&stage, &bob, "bobs", &[Duty::Admin]).await,
            danas: token(&stage, &dana, "danas", &[Duty::Approver]).await,
            stage,
            bob,
        }
    }
}

/// Who the next request of this session is by.
async fn again(control: &Control, account: &str, session: &str) -> Option<Operator> {
    let peer = source("10.0.0.1");
    let found = control.operator(account, Means::Password, session, peer);
    found.await.unwrap()
}

/// A token with these roles, made by `who`.
async fn token(stage: &Stage, who: &Operator, name: &str, duties: &[Duty]) -> Secret {
    let grants = everywhere(duties);
    let made = stage.control.token_create(who, name, grants, LIFE).await;
    made.unwrap().1
}

async fn holder(stage: &Stage, token: &Secret) -> Result<Operator, ControlError> {
    let peer = source("10.0.0.2");
    stage.control.operator_by_token(token, peer).await
}

/// The question that comes of asking for a removal.
async fn question(stage: &Stage, who: &Operator) -> String {
    let request = stage.decided(who, &remove()).await;
    let asked = stage
        .control
        .submit(who, CLUSTER, &remove(), &request)
        .await;
    ask_of(asked)
}

/// A proof for a removal, by the password.
async fn proof(stage: &Stage, who: &Operator) -> (ProofId, Deed) {
    let (control, ask) = (&stage.control, question(stage, who).await);
    let password = Secret::new(PASSWORD);
    let verified = control.step_up_by_password(who, &ask, password).await;
    control
        .step_up_proved(who, verified.unwrap())
        .await
        .unwrap()
}

async fn approves(stage: &Stage, who: &Operator, change: &Change) -> Result<Change, ControlError> {
    let word = Decision {
        reason: "looked at it".to_owned(),
        digest: None,
    };
    stage.control.approve(who, &change.id.0, &word).await
}

/// Those whose approval counts.
fn given(change: &Change) -> Vec<&str> {
    let given = change.approvals.iter().flat_map(|it| &it.given);
    given.map(|given| given.by.name.as_str()).collect()
}

/// Two others approve what was asked for by somebody who may do it no more: it ends, unsent.
async fn is_void(stage: &Stage, change: &Change) {
    let (erin, finn) = (
        person("erin", Duty::Approver),
        person("finn", Duty::Approver),
    );
    approves(stage, &erin, change).await.unwrap();
    let last = approves(stage, &finn, change).await.unwrap();
    let why = "may not do this here any more";
    assert_ended(&last, ChangeState::Cancelled, &["Void", why]);
}

#[tokio::test]
async fn who_is_disabled_has_no_session_token_word_request_or_proof_any_more() {
    let Staff {
        stage,
        bob,
        bobs,
        danas,
    } = Staff::hired().await;
    let control = &stage.control;
    let approver = holder(&stage, &danas).await.unwrap();
    let asked = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
    let by_token = approves(&stage, &approver, &asked).await.unwrap();
    assert_eq!(given(&by_token), ["danas"]);
    let own = stage.ask(&bob, &promote("n4")).await.unwrap();
    let ask = question(&stage, &bob).await;
    let (proof, deed) = proof(&stage, &bob).await;

    let machine = control.command_line_operator();
    // An administrator must be left.
    let root = control.account_create(&machine, "root", everywhere(&[Duty::Admin]));
    root.await.unwrap();
    for name in ["bob", "dana"] {
        let off = control.account_disable(&machine, name, true);
        off.await.unwrap();
    }
    assert!(!control.session_alive("bob-1").await.unwrap());
    assert!(again(control, &bob.actor.subject, "bob-1").await.is_none());
    for token in [&bobs, &danas] {
        let answer = holder(&stage, token).await;
        assert!(matches!(answer, Err(ControlError::NotSignedIn)));
    }
    // What was let in just before is not let do it.
    let password = Secret::new(PASSWORD);
    let late = control.step_up_by_password(&bob, &ask, password).await;
    assert!(matches!(late, Err(ControlError::NotSignedIn)), "{late:?}");
    let late = control.submit_proved(&bob, proof, &deed).await;
    assert!(matches!(late, Err(ControlError::NotSignedIn)), "{late:?}");
    let late = approves(&stage, &approver, &own).await;
    assert!(matches!(late, Err(ControlError::NotAllowed { .. })));
    let one = approves(&stage, &person("erin", Duty::Approver), &asked).await;
    assert_eq!(
        given(&one.unwrap()),
        ["erin"],
        "dana's token's is taken out"
    );
    is_void(&stage, &own).await;
    assert!(stage.cluster.sent().is_empty());

    // Who comes back signs in anew; what was made to last goes on.
    let on = control.account_disable(&machine, "bob", false);
    on.await.unwrap();
    assert!(!control.session_alive("bob-1").await.unwrap());
    let back = holder(&stage, &bobs).await.unwrap();
    assert_eq!(back.grants, everywhere(&[Duty::Admin]));
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_from_sessions_tokens_words_requests_and_proofs() {
    let Staff {
        stage,
        bob,
        bobs,
        danas,
    } = Staff::hired().await;
    let control = &stage.control;
    let asked = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
    let approver = holder(&stage, &danas).await.unwrap();
    approves(&stage, &approver, &asked).await.unwrap();
    let own = stage.ask(&bob, &promote("n4")).await.unwrap();
    let (proof, deed) = proof(&stage, &bob).await;

    let machine = control.command_line_operator();
    // An administrator must be left.
    let root = control.account_create(&machine, "root", everywhere(&[Duty::Admin]));
    root.await.unwrap();
    for name in ["bob", "dana"] {
        let less = control.account_grants(&machine, name, everywhere(&[Duty::Viewer]));
        less.await.unwrap();
    }
    // The session goes on with what is left, under the same id.
    let now = again(control, &bob.actor.subject, "bob-1").await.unwrap();
    assert_eq!(now.grants, everywhere(&[Duty::Viewer]));
    // Nobody hands on what they do not hold, and what they handed on goes with it.
    assert_eq!(holder(&stage, &bobs).await.unwrap().grants, []);
    assert_eq!(holder(&stage, &danas).await.unwrap().grants, []);
    let late = approves(&stage, &approver, &own).await;
    assert!(matches!(late, Err(ControlError::NotAllowed { .. })));
    let one = approves(&stage, &person("erin", Duty::Approver), &asked).await;
    assert_eq!(
        given(&one.unwrap()),
        ["erin"],
        "dana's token's is taken out"
    );
    let late = control.submit_proved(&now, proof, &deed).await;
    assert!(matches!(late, Err(ControlError::NotAllowed { .. })));
    let last = stage.entries().await.pop().unwrap();
    assert_eq!(
        (last.kind, last.action.as_str(), last.actor.name.as_str()),
        (EntryKind::Refusal, "remove", "bob")
    );
    is_void(&stage, &own).await;
    assert!(stage.cluster.sent().is_empty());

    let more = control.account_grants(&machine, "bob", everywhere(&[Duty::Admin]));
    more.await.unwrap();
    let back = holder(&stage, &bobs).await.unwrap();
    assert_eq!(back.grants, everywhere(&[Duty::Admin]));
}

#[tokio::test]
async fn another_password_ends_other_sessions_and_links_and_what_the_one_before_has_proved() {
    let stage = stage(rule(2)).await;
    let control = &stage.control;
    control.step_up_rules(rules());
    let bob = hired(&stage, "bob", &[Duty::Admin, Duty::Approver]).await;
    seated(control, &bob.actor.subject, "bob-2").await;
    let bobs = token(&stage, &bob, "bobs", &[Duty::Admin]).await;
    let machine = control.command_line_operator();
    let link = control.account_link(&machine, "bob").await.unwrap();
    let asked = stage.ask(&stage.ada, &promote("n4")).await.unwrap();
    approves(&stage, &bob, &asked).await.unwrap();
    let own = stage.ask(&bob, &promote("n4")).await.unwrap();
    let ask = question(&stage, &bob).await;
    let (proof, deed) = proof(&stage, &bob).await;

    let new = || Secret::new("ferry marble onion");
    let old = || Secret::new(PASSWORD);
    control
        .password_set(&bob, Some(old()), new())
        .await
        .unwrap();
    assert!(control.session_alive("bob-1").await.unwrap());
    assert!(!control.session_alive("bob-2").await.unwrap());
    let peer = source("10.0.0.1");
    let by_link = control.sign_in_by_link(link, &peer).await;
    assert!(matches!(by_link, Err(ControlError::SignInFailed)));
    let stale = control.submit_proved(&bob, proof, &deed).await;
    ask_of(stale);
    let told = proofs(&stage).await.pop().unwrap();
    assert_eq!(told.outcome, Some(Outcome::Failed));
    assert!(told.text.contains("changed since"), "{}", told.text);
    // The question stands, and is answered by what is the password now.
    let answer = control.step_up_by_password(&bob, &ask, old()).await;
    assert!(matches!(answer, Err(ControlError::SignInFailed)));
    let answer = control.step_up_by_password(&bob, &ask, new()).await;
    let verified = answer.unwrap();
    control.step_up_proved(&bob, verified).await.unwrap();
    assert!(stage.cluster.sent().is_empty());

    // The person is the same: tokens, words and requests stay.
    assert!(holder(&stage, &bobs).await.is_ok());
    let erin = person("erin", Duty::Approver);
    let last = approves(&stage, &erin, &asked).await.unwrap();
    assert_eq!(given(&last), ["bob", "erin"]);
    let waits = control.change(&bob, &own.id.0).await.unwrap();
    assert!(!waits.state.is_final() || waits.outcome.unwrap().contains("Void"));
    let ended = stage.ended(&asked).await;
    assert_ended(&ended, ChangeState::Succeeded, &[]);
}
