//! The pages and forms of a person's passkeys.

use axum::{
    Form,
    extract::{Path, Query, State, rejection::FormRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use quorate_app::{
    base::segment,
    pages::access::passkeys::{self as pages, List},
};
use quorate_control::{ControlError, step_up::Attestation};
use serde::Deserialize;

use super::{Said, bytes, code, frame, html, to_question};
use crate::{guards::problems::Fault, sign_in::see_other, signed_in::SignedIn, state::Console};

const LIST: &str = "/access/passkeys";

pub async fn list(
    State(console): State<Console>,
    SignedIn(who): SignedIn,
    Query(said): Query<Said>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let passkeys = console.control.passkeys(&who).await?;
    let list = List {
        passkeys: &passkeys,
        possible: console.control.passkeys_possible(),
        done: said.done.as_deref(),
        problem: said.problem.as_deref(),
    };
    let frame = frame(&console, &headers);
    Ok(html(StatusCode::OK, &frame, pages::list(&frame, &list)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    name: String,
}

/// Begins a new one: to where it is made, or first to where the person proves that it is them.
pub async fn begin(
    State(console): State<Console>,
    SignedIn(who): SignedIn,
    form: Result<Form<Named>, FormRejection>,
) -> Result<Response, Fault> {
    let Ok(Form(form)) = form else {
        return Ok(listed(&console, "malformed"));
    };
    match console.control.passkey_begin(&who, &form.name, None).await {
        Ok(id) => Ok(see_other(&console, &format!("{LIST}/new/{}", segment(&id)))),
        Err(ControlError::StepUpNeeded { ask: Some(ask) }) => Ok(to_question(&console, &ask)),
        Err(error) => Ok(listed(&console, &code(&error))),
    }
}

pub async fn making(
    State(console): State<Console>,
    SignedIn(who): SignedIn,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    match console.control.passkey_offer(&who, &id).await {
        Ok(offer) => {
            let frame = frame(&console, &headers);
            let page = pages::making(&frame, &id, &offer);
            Ok(html(StatusCode::OK, &frame, page))
        }
        Err(error) => Ok(listed(&console, &code(&error))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    client_data: String,
    authenticator_data: String,
}

pub async fn made(
    State(console): State<Console>,
    SignedIn(who): SignedIn,
    Path(id): Path<String>,
    form: Result<Form<Made>, FormRejection>,
) -> Result<Response, Fault> {
    let Ok(Form(form)) = form else {
        return Ok(listed(&console, "malformed"));
    };
    let attestation = Attestation {
        client_data: bytes(&form.client_data),
        authenticator_data: bytes(&form.authenticator_data),
    };
    match console.control.passkey_add(&who, &id, &attestation).await {
        Ok(()) => Ok(see_other(&console, &format!("{LIST}?done=added"))),
        Err(error) => Ok(listed(&console, &code(&error))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    id: String,
}

pub async fn remove(
    State(console): State<Console>,
    SignedIn(who): SignedIn,
    form: Result<Form<Which>, FormRejection>,
) -> Result<Response, Fault> {
    let Ok(Form(form)) = form else {
        return Ok(listed(&console, "malformed"));
    };
    match console.control.passkey_remove(&who, &form.id).await {
        Ok(()) => Ok(see_other(&console, &format!("{LIST}?done=removed"))),
        Err(ControlError::Invalid { .. }) => Ok(listed(&console, "last-passkey")),
        Err(error) => Ok(listed(&console, &code(&error))),
    }
}

fn listed(console: &Console, code: &str) -> Response {
    see_other(console, &format!("{LIST}?problem={}", segment(code)))
}
