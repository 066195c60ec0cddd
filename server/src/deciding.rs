//! The page's forms for a change that waits: approve, deny, take back. They work with scripts off,
//! and what went wrong stands in the redirect as a code, never as a text.

use axum::{
    Form,
    extract::{Extension, Path, State, rejection::FormRejection},
    response::Response,
};
use quorate_app::{base::segment, session::Visitor};
use quorate_control::{Control, ControlError, Decision, Operator};
use serde::Deserialize;

use crate::{guards::problems::Fault, sign_in::see_other, state::Console};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    word: Kind,
    /// Of what the page showed.
    digest: String,
    #[serde(default)]
    reason: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Approve,
    Deny,
    Cancel,
}

pub async fn by_form(
    State(console): State<Console>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    Path(id): Path<String>,
    form: Result<Form<Word>, FormRejection>,
) -> Result<Response, Fault> {
    let who = visitor.ok_or_else(Fault::not_signed_in)?;
    let page = format!("/changes/{}", segment(&id));
    let Ok(Form(word)) = form else {
        return Ok(see_other(&console, &format!("{page}?problem=malformed")));
    };
    let place = match say(&console.control, &who, &id, word).await {
        Ok(()) => page,
        // Where it is proved that somebody is there, and what leads on from there.
        Err(ControlError::StepUpNeeded { ask: Some(ask) }) => format!("/step-up/{}", segment(&ask)),
        Err(error) => format!("{page}?problem={}", error.problem().code),
    };
    Ok(see_other(&console, &place))
}

async fn say(control: &Control, who: &Operator, id: &str, word: Word) -> Result<(), ControlError> {
    let decision = Decision {
        reason: word.reason,
        digest: Some(word.digest),
    };
    match word.word {
        Kind::Approve => control.approve(who, id, &decision).await,
        Kind::Deny => control.deny(who, id, &decision).await,
        Kind::Cancel => control.cancel(who, id, &decision).await,
    }
    .map(|_| ())
}
