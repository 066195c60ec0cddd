//! Proving that it is oneself, as browsers meet it: the page of a question, its forms, and what was
//! asked for carried on with the proof. What has to be proved and what proves it is decided in
//! `quorate_control`.
//!
//! With every proof the session gets a new id: whoever had the old one has nothing.

pub mod passkeys;

use std::time::Instant;

use axum::{
    Form,
    body::Body,
    extract::{Path, Query, State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_app::{
    base::segment,
    pages::step_up::{self as pages, Question},
    still::Frame,
    theme::Theme,
};
use quorate_control::{
    ControlError, Operator,
    step_up::{Assertion, Deed, FreshSignIn, Method, ProofId, Verified},
};
use quorate_domain::audit::Source;
use quorate_drivers::Secret;
use rand::RngCore as _;
use serde::Deserialize;
use serde_json::Value;
use tower_sessions::Session;

use crate::{
    guards::{headers::page_policy, problems::Fault},
    identity::{Refusal, SignedOn},
    sessions,
    sign_in::{see_other, unusable},
    sign_on,
    signed_in::SignedIn,
    state::Console,
};

/// How much of a session's hash may stand in logs and audit entries.
const SHOWN: usize = 16;

/// What became of the last try.
#[derive(Default, Deserialize)]
pub struct Said {
    pub problem: Option<String>,
    pub done: Option<String>,
}

/// What was asked of the browser's person.
pub async fn page(
    State(console): State<Console>,
    SignedIn(who): SignedIn,
    Path(id): Path<String>,
    Query(said): Query<Said>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let frame = frame(&console, &headers);
    let asked = match console.control.step_up_asked(&who, &id).await {
        Ok(asked) => asked,
        Err(ControlError::NotFound { .. }) => {
            return Ok(html(StatusCode::NOT_FOUND, &frame, pages::over(&frame)));
        }
        Err(error) => return Err(error.into()),
    };
    let challenge = console.control.step_up_challenge(&who, &id).await?;
    let provider = console.identity.oidc().map_or("", |oidc| oidc.name());
    let question = Question {
        id: &id,
        asked: &asked,
        challenge: challenge.as_ref(),
        provider,
        problem: said.problem.as_deref(),
    };
    let page = pages::question(&frame, &question);
    Ok(html(StatusCode::OK, &frame, page))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    method: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    credential: String,
    #[serde(default)]
    client_data: String,
    #[serde(default)]
    authenticator_data: String,
    #[serde(default)]
    signature: String,
}

/// A password, or what a passkey signed.
pub async fn answer(
    State(console): State<Console>,
    SignedIn(who): SignedIn,
    session: Session,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Answer>, FormRejection>,
) -> Result<Response, Fault> {
    let verified = match form {
        Ok(Form(form)) => verify(&console, &who, &id, form).await,
        Err(_) => Err("malformed".to_owned()),
    };
    match verified {
        Ok(verified) => {
            let who = renewed(&console, &session, &who, Vec::new()).await?;
            carry_on(&console, &who, verified, &headers).await
        }
        Err(code) => Ok(again(&console, &id, &code)),
    }
}

/// What was proved, or a code for the page.
async fn verify(
    console: &Console,
    who: &Operator,
    id: &str,
    form: Answer,
) -> Result<Verified, String> {
    let control = &console.control;
    let verified = match form.method.as_str() {
        "password" => {
            let password = Secret::new(form.password);
            control.step_up_by_password(who, id, password).await
        }
        "passkey" => {
            let assertion = Assertion {
                credential: bytes(&form.credential),
                client_data: bytes(&form.client_data),
                authenticator_data: bytes(&form.authenticator_data),
                signature: bytes(&form.signature),
            };
            control.step_up_by_passkey(who, id, &assertion).await
        }
        _ => return Err("malformed".to_owned()),
    };
    verified.map_err(|error| code(&error))
}

/// Off to the provider, for a sign-in of just now.
pub async fn sign_in(
    State(console): State<Console>,
    SignedIn(who): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    if console.control.step_up_asked(&who, &id).await.is_err() {
        return Ok(again(&console, &id, "over"));
    }
    let oidc = sign_on::only_oidc(&console)?;
    let acr_values = console.control.step_up_acr_values();
    match sign_on::begin_fresh(&console, oidc, &id, &acr_values).await {
        Ok(away) => Ok(away),
        Err(refusal) => {
            let why = refusal.to_string();
            let control = &console.control;
            control
                .step_up_failed(&who, &id, Method::SignIn, &why)
                .await;
            Ok(again(&console, &id, refusal.code()))
        }
    }
}

/// A sign-in of somebody who was signed in already.
pub struct Fresh {
    pub person: SignedOn,
    pub said: FreshSignIn,
    /// When the browser was sent to the provider.
    pub began: Instant,
}

/// Back from the provider, with what it said; the answer to the question `id`.
pub async fn signed_in(
    console: &Console,
    session: &Session,
    who: &Operator,
    id: &str,
    fresh: Fresh,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    let control = &console.control;
    if quorate_control::key(&fresh.person.actor()) != who.key() {
        let why = "the sign-in was another person's";
        control.step_up_failed(who, id, Method::SignIn, why).await;
        return Ok(again(console, id, "sign-in-failed"));
    }
    let verified = match control.step_up_by_sign_in(who, id, fresh.said).await {
        Ok(verified) => verified,
        Err(error) => return Ok(again(console, id, &code(&error))),
    };
    match anew(console, session, who, fresh.person, fresh.began).await? {
        Some(who) => carry_on(console, &who, verified, headers).await,
        None => Ok(sign_on::refused(console, &Refusal::Left, "", &who.source).await),
    }
}

/// The session goes on as the provider has it now: with its name there, by which a sign-out is told,
/// and with the groups of now. `None` if they have left there meanwhile: then it has ended.
async fn anew(
    console: &Console,
    session: &Session,
    who: &Operator,
    person: SignedOn,
    began: Instant,
) -> Result<Option<Operator>, Fault> {
    let oidc = sign_on::only_oidc(console)?;
    let before = session.get::<SignedOn>(sessions::SIGNED_ON).await;
    let before = before.map_err(unusable)?.ok_or_else(Fault::not_signed_in)?;
    let person = SignedOn {
        // A fresh sign-in proves one thing; it does not make the session longer.
        until: person.until.min(before.until),
        sid: person.sid.or(before.sid),
        ..person
    };
    let grants = oidc.grants(&person);
    let said = serde_json::to_value(&person).map_err(|_| Fault::internal())?;
    let roles = Value::String(sessions::roles(&grants));
    let more = vec![(sessions::SIGNED_ON, said), (sessions::ROLES, roles)];
    let renewed = renewed(console, session, who, more).await?;
    // Stored before it is asked: of a sign-out at the same moment, one of the two knows.
    if oidc.has_left(&person, began) {
        session.flush().await.map_err(unusable)?;
        return Ok(None);
    }
    Ok(Some(Operator {
        actor: person.actor(),
        grants,
        ..renewed
    }))
}

/// To the page of the question, which says what went wrong.
pub fn again(console: &Console, id: &str, code: &str) -> Response {
    let (id, code) = (segment(id), segment(code));
    see_other(console, &format!("/step-up/{id}?problem={code}"))
}

/// With a new session id, what was asked for is done.
async fn carry_on(
    console: &Console,
    who: &Operator,
    verified: Verified,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    let (proof, deed) = console.control.step_up_proved(who, verified).await?;
    match do_it(console, who, proof, &deed).await {
        Ok(place) => Ok(see_other(console, &place)),
        Err(error) => {
            let problem = error.problem();
            if problem.status >= 500 {
                tracing::error!("what was proved could not be done: {error}");
            }
            let frame = frame(console, headers);
            let status = StatusCode::from_u16(problem.status);
            let page = pages::not_done(&frame, &deed, &problem);
            Ok(html(status.unwrap_or(StatusCode::OK), &frame, page))
        }
    }
}

/// Where to go afterwards.
async fn do_it(
    console: &Console,
    who: &Operator,
    proof: ProofId,
    deed: &Deed,
) -> Result<String, ControlError> {
    let control = &console.control;
    match deed {
        Deed::Change { .. } => {
            let change = control.submit_proved(who, proof, deed).await?;
            Ok(format!("/changes/{}", segment(&change.id.0)))
        }
        Deed::Passkey { name } => {
            let id = control.passkey_begin(who, name, Some(&proof)).await?;
            Ok(format!("/access/passkeys/new/{}", segment(&id)))
        }
        Deed::Erase { .. } => {
            let erased = control.audit_erase_proved(who, proof, deed).await?;
            Ok(crate::erasing::done(erased))
        }
        Deed::Approve { .. } => {
            let change = control.approve_proved(who, proof, deed).await?;
            Ok(format!("/changes/{}", segment(&change.id.0)))
        }
    }
}

/// The same session under a new id, to which the proof is bound.
async fn renewed(
    console: &Console,
    session: &Session,
    who: &Operator,
    more: Vec<(&str, Value)>,
) -> Result<Operator, Fault> {
    let before = who.session.as_deref().ok_or_else(Fault::not_signed_in)?;
    let hash = sessions::renew(console, session, before, more).await?;
    let hash = hash.ok_or_else(Fault::not_signed_in)?;
    let source = Source {
        session: hash.get(..SHOWN).map(str::to_owned),
        ..who.source.clone()
    };
    Ok(Operator {
        session: Some(hash),
        source,
        ..who.clone()
    })
}

pub fn code(error: &ControlError) -> String {
    let problem = error.problem();
    if problem.status >= 500 {
        tracing::error!("a proof could not be judged: {error}");
    }
    problem.code
}

/// What cannot be read is nothing, which proves nothing.
fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
}

/// To where it is proved that somebody is there, and what leads on from there.
pub fn to_question(console: &Console, ask: &str) -> Response {
    see_other(console, &format!("/step-up/{}", segment(ask)))
}

pub fn frame(console: &Console, headers: &HeaderMap) -> Frame {
    let mut nonce = [0_u8; 16];
    rand::rng().fill_bytes(&mut nonce);
    let cookies = headers.get(header::COOKIE);
    let cookies = cookies.and_then(|cookies| cookies.to_str().ok());
    Frame {
        base: console.base.clone(),
        assets: console.assets.clone(),
        theme: Theme::from_cookies(cookies.unwrap_or_default()),
        nonce: URL_SAFE_NO_PAD.encode(nonce),
    }
}

pub fn html(status: StatusCode, frame: &Frame, text: String) -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = (status, [(header::CONTENT_TYPE, kind)], Body::from(text)).into_response();
    if let Ok(policy) = HeaderValue::from_str(&page_policy(&frame.nonce)) {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
