//! Passkeys: made, used rightly and in every wrong way, removed.

use quorate_control::{
    ControlError, Operator,
    step_up::{Assertion, Attestation, Method},
};
use quorate_domain::{
    audit::{Actor, Means, Outcome},
    job::ChangeState,
    permission::Duty,
};

use crate::{
    authenticator::{Authenticator, Said},
    stage::{CLUSTER, Stage, person},
    step_up::{HOST, ORIGIN, ask_of, by_password, hired, proofs, remove, rules},
};

/// Adds a passkey on `device`, after a password if `proved`.
async fn adds(
    stage: &Stage,
    who: &Operator,
    name: &str,
    device: &mut Authenticator,
) -> Result<(), ControlError> {
    let control = &stage.control;
    let id = match control.passkey_begin(who, name, None).await {
        Ok(id) => id,
        Err(ControlError::StepUpNeeded { ask: Some(ask) }) => {
            let verified = by_password(stage, who, &ask).await;
            let (proof, deed) = control.step_up_proved(who, verified).await?;
            assert_eq!(deed.words(), format!("add the passkey {name}"));
            control.passkey_begin(who, name, Some(&proof)).await?
        }
        Err(error) => return Err(error),
    };
    let offer = control.passkey_offer(who, &id).await?;
    assert_eq!((offer.site.as_str(), offer.name.as_str()), (HOST, name));
    makes(stage, who, &id, device).await
}

/// Makes the passkey begun as `id` on `device`.
async fn makes(
    stage: &Stage,
    who: &Operator,
    id: &str,
    device: &mut Authenticator,
) -> Result<(), ControlError> {
    let offer = stage.control.passkey_offer(who, id).await?;
    let answer = device.makes(&offer.challenge, &Said::at(ORIGIN, HOST));
    let attestation = Attestation {
        client_data: answer.client_data,
        authenticator_data: answer.authenticator_data,
    };
    stage.control.passkey_add(who, id, &attestation).await
}

/// What `device` signs for the question `ask`.
async fn signed(
    stage: &Stage,
    who: &Operator,
    ask: &str,
    device: &mut Authenticator,
    said: &Said,
) -> Assertion {
    let challenge = stage.control.step_up_challenge(who, ask).await.unwrap();
    let challenge = challenge.expect("a challenge");
    assert_eq!(challenge.site, HOST);
    let answer = device.signs(&challenge.challenge, said);
    Assertion {
        credential: device.credential.clone(),
        client_data: answer.client_data,
        authenticator_data: answer.authenticator_data,
        signature: answer.signature,
    }
}

/// Ada, and the device that holds her only passkey.
async fn with_a_laptop() -> (Stage, Operator, Authenticator) {
    let stage = Stage::small().await;
    stage.control.step_up_rules(rules());
    let ada = hired(&stage.control, "ada", "s-1").await;
    let mut device = Authenticator::new(b"device-1");
    adds(&stage, &ada, "laptop", &mut device).await.unwrap();
    (stage, ada, device)
}

#[tokio::test]
async fn a_passkey_is_added_after_the_password_and_removes_a_member() {
    let (stage, ada, mut device) = with_a_laptop().await;
    let control = &stage.control;
    let listed = control.passkeys(&ada).await.unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "laptop"));
    assert!(listed[0].own && listed[0].last_used.is_none());

    let request = stage.decided(&ada, &remove()).await;
    let ask = ask_of(control.submit(&ada, CLUSTER, &remove(), &request).await);
    let asked = control.step_up_asked(&ada, &ask).await.unwrap();
    assert_eq!(asked.methods, [Method::Passkey, Method::Password]);
    let here = Said::at(ORIGIN, HOST);
    let assertion = signed(&stage, &ada, &ask, &mut device, &here).await;
    let verified = control
        .step_up_by_passkey(&ada, &ask, &assertion)
        .await
        .unwrap();
    let (proof, deed) = control.step_up_proved(&ada, verified).await.unwrap();
    let change = control.submit_proved(&ada, proof, &deed).await.unwrap();
    assert_eq!(stage.ended(&change).await.state, ChangeState::Succeeded);
    let told = proofs(&stage).await.pop().unwrap();
    assert_eq!(told.seen["passkey"], "laptop");
    // Whoever reads the log can check the signature again.
    for part in ["public_key", "nonce", "client_data", "signature"] {
        assert!(told.received[part].is_string(), "{part}");
    }
    assert!(control.passkeys(&ada).await.unwrap()[0].last_used.is_some());
}

#[tokio::test]
async fn a_passkey_used_wrongly_proves_nothing_and_each_use_is_on_record() {
    let (stage, ada, mut device) = with_a_laptop().await;
    let control = &stage.control;
    let request = stage.decided(&ada, &remove()).await;
    let here = Said::at(ORIGIN, HOST);
    let fresh = || async {
        let answer = control.submit(&ada, CLUSTER, &remove(), &request).await;
        ask_of(answer)
    };
    let refused = |assertion: Assertion, ask: String, why: &'static str| {
        let (stage, ada) = (&stage, &ada);
        async move {
            let before = proofs(stage).await.len();
            let answer = stage
                .control
                .step_up_by_passkey(ada, &ask, &assertion)
                .await;
            assert!(
                matches!(answer, Err(ControlError::SignInFailed)),
                "{why}: {answer:?}"
            );
            let told = proofs(stage).await;
            assert_eq!(told.len(), before + 1, "{why}");
            assert!(told[before].text.contains(why), "{}", told[before].text);
        }
    };

    // Another page, no verified user.
    let ask = fresh().await;
    let evil = Said::at("https://evil.example", HOST);
    let assertion = signed(&stage, &ada, &ask, &mut device, &evil).await;
    refused(assertion, ask, "at another address").await;
    let ask = fresh().await;
    let mut unverified = here.clone();
    unverified.verified = false;
    let assertion = signed(&stage, &ada, &ask, &mut device, &unverified).await;
    refused(assertion, ask, "did not verify its user").await;
    // Signed for one question, used for another; and used twice.
    let (first, second) = (fresh().await, fresh().await);
    let assertion = signed(&stage, &ada, &first, &mut device, &here).await;
    let _other = signed(&stage, &ada, &second, &mut device, &here).await;
    refused(assertion.clone(), second, "for another action").await;
    let wrong = Assertion {
        signature: vec![1, 2, 3],
        ..assertion.clone()
    };
    refused(wrong, first.clone(), "signature is wrong").await;
    refused(assertion, first, "an earlier question").await;
    // Somebody's else device.
    let ask = fresh().await;
    let mut strange = Authenticator::new(b"device-2");
    let assertion = signed(&stage, &ada, &ask, &mut strange, &here).await;
    refused(assertion, ask, "none of theirs").await;
    // A copy of the device that is behind.
    let ask = fresh().await;
    let assertion = signed(&stage, &ada, &ask, &mut device, &here).await;
    control
        .step_up_by_passkey(&ada, &ask, &assertion)
        .await
        .unwrap();
    let ask = fresh().await;
    (device.counter, device.step) = (1, 0);
    let assertion = signed(&stage, &ada, &ask, &mut device, &here).await;
    refused(assertion, ask, "counter went back").await;
    assert!(stage.cluster.sent().is_empty());
}

#[tokio::test]
async fn passkeys_are_ones_own_but_administrators_remove_those_of_others() {
    let (stage, ada, mut device) = with_a_laptop().await;
    let control = &stage.control;
    // The same device is taken once, and a name as well.
    let again = adds(&stage, &ada, "phone", &mut device).await;
    assert!(matches!(again, Err(ControlError::Invalid { .. })));
    let again = adds(&stage, &ada, "laptop", &mut Authenticator::new(b"d-3")).await;
    assert!(matches!(again, Err(ControlError::Invalid { .. })));
    let id = control.passkeys(&ada).await.unwrap()[0].id.clone();

    let vera = person("vera", Duty::Viewer);
    assert!(control.passkeys(&vera).await.unwrap().is_empty());
    let refused = control.passkey_remove(&vera, &id).await;
    assert!(matches!(refused, Err(ControlError::NotAllowed { .. })));
    let root = person("root", Duty::Admin);
    assert!(!control.passkeys(&root).await.unwrap()[0].own);
    control.passkey_remove(&root, &id).await.unwrap();
    assert!(control.passkeys(&ada).await.unwrap().is_empty());
    let gone = control.passkey_remove(&root, &id).await;
    assert!(matches!(gone, Err(ControlError::NotFound { .. })));
}

/// Behind a sign-on proxy there is nothing to prove the first passkey by; the next one is proved by
/// the first.
#[tokio::test]
async fn behind_a_proxy_the_first_passkey_is_taken_and_the_next_is_proved_by_it() {
    let stage = Stage::small().await;
    let control = &stage.control;
    control.step_up_rules(rules());
    let mut anna = person("anna", Duty::Admin);
    anna.actor = Actor {
        issuer: "trusted-header".to_owned(),
        subject: "anna".to_owned(),
        name: "Anna".to_owned(),
        means: Means::TrustedHeader,
    };
    anna.session = Some("s-1".to_owned());
    let request = stage.decided(&anna, &remove()).await;
    let ask = ask_of(control.submit(&anna, CLUSTER, &remove(), &request).await);
    let asked = control.step_up_asked(&anna, &ask).await.unwrap();
    assert!(asked.methods.is_empty());
    let mut device = Authenticator::new(b"device-1");
    // Begun before there was one, and not proved: it makes no second.
    let early = control.passkey_begin(&anna, "tablet", None).await.unwrap();
    adds(&stage, &anna, "laptop", &mut device).await.unwrap();
    let made = makes(&stage, &anna, &early, &mut Authenticator::new(b"d-2")).await;
    assert!(matches!(made, Err(ControlError::Invalid { .. })));
    // Nor is the place of the first made free by whoever holds the session.
    let own = control.passkeys(&anna).await.unwrap().remove(0);
    assert_eq!(own.name, "laptop");
    let stays = control.passkey_remove(&anna, &own.id).await;
    assert!(matches!(stays, Err(ControlError::Invalid { .. })));
    let asked = control.step_up_asked(&anna, &ask).await.unwrap();
    assert_eq!(asked.methods, [Method::Passkey]);
    let second = control.passkey_begin(&anna, "phone", None).await;
    let ask = ask_of(second);
    // The question itself is no leave to make one.
    assert!(control.passkey_offer(&anna, &ask).await.is_err());
    let here = Said::at(ORIGIN, HOST);
    let assertion = signed(&stage, &anna, &ask, &mut device, &here).await;
    let verified = control
        .step_up_by_passkey(&anna, &ask, &assertion)
        .await
        .unwrap();
    let (proof, _) = control.step_up_proved(&anna, verified).await.unwrap();
    let id = control.passkey_begin(&anna, "phone", Some(&proof)).await;
    let mut phone = Authenticator::new(b"device-2");
    makes(&stage, &anna, &id.unwrap(), &mut phone)
        .await
        .unwrap();
    // With two of them one may go, and the other stays.
    control.passkey_remove(&anna, &own.id).await.unwrap();
    let left = control.passkeys(&anna).await.unwrap().remove(0);
    assert_eq!(left.name, "phone");
    let stays = control.passkey_remove(&anna, &left.id).await;
    assert!(matches!(stays, Err(ControlError::Invalid { .. })));
    let root = person("root", Duty::Admin);
    control.passkey_remove(&root, &left.id).await.unwrap();
}

/// A proof lives for a minute, which is long enough to take a stolen device's passkey away.
#[tokio::test]
async fn what_a_passkey_proved_counts_no_more_once_it_is_removed() {
    let (stage, ada, mut device) = with_a_laptop().await;
    let control = &stage.control;
    let request = stage.decided(&ada, &remove()).await;
    let fresh = || async {
        let answer = control.submit(&ada, CLUSTER, &remove(), &request).await;
        ask_of(answer)
    };
    let here = Said::at(ORIGIN, HOST);
    let ask = fresh().await;
    let assertion = signed(&stage, &ada, &ask, &mut device, &here).await;
    let verified = control.step_up_by_passkey(&ada, &ask, &assertion).await;
    let proved = control.step_up_proved(&ada, verified.unwrap()).await;
    let (proof, deed) = proved.unwrap();
    // Signed for already, and answered only after it is gone.
    let late = fresh().await;
    let assertion = signed(&stage, &ada, &late, &mut device, &here).await;

    let id = control.passkeys(&ada).await.unwrap()[0].id.clone();
    let root = person("root", Duty::Admin);
    control.passkey_remove(&root, &id).await.unwrap();
    let stale = control.submit_proved(&ada, proof, &deed).await;
    let ask = ask_of(stale);
    let told = proofs(&stage).await.pop().unwrap();
    assert_eq!(told.outcome, Some(Outcome::Failed));
    assert!(told.text.contains("removed"), "{}", told.text);
    assert_eq!(told.member.unwrap().as_str(), "n4");
    let answer = control.step_up_by_passkey(&ada, &late, &assertion).await;
    assert!(matches!(answer, Err(ControlError::Invalid { .. })));
    let asked = control.step_up_asked(&ada, &ask).await.unwrap();
    assert_eq!(asked.methods, [Method::Password]);
    assert!(stage.cluster.sent().is_empty());
}
