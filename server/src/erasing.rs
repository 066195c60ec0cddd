//! The page that erases a person from the audit log. Names travel in bodies, never in addresses,
//! which stand in logs; what it is about and whether it may be is decided in `quorate_control`.

use axum::{
    Form,
    extract::{Query, State, rejection::FormRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use quorate_app::{
    base::segment,
    pages::access::erasure::{self as pages, Wish},
};
use quorate_control::{ControlError, Erasure, ErasurePreview, Operator};
use serde::Deserialize;

use crate::{
    guards::problems::Fault,
    sign_in::see_other,
    signed_in::SignedIn,
    state::Console,
    step_up::{Said, code, frame, html, to_question},
};

const PAGE: &str = "/access/erase";

pub async fn page(
    State(console): State<Console>,
    SignedIn(who): SignedIn,
    Query(said): Query<Said>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let holds = console.control.audit_holds(&who).await?;
    let frame = frame(&console, &headers);
    let (done, problem) = (said.done.as_deref(), said.problem.as_deref());
    let page = pages::form(&frame, &holds, done, problem);
    Ok(html(StatusCode::OK, &frame, page))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    by: By,
    whom: String,
    #[serde(default)]
    reason: String,
    /// What it means was shown.
    #[serde(default)]
    confirmed: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    Name,
    Subject,
}

impl Asked {
    /// Subject and name, one of them.
    fn whom(&self) -> (Option<&str>, Option<&str>) {
        match self.by {
            By::Subject => (Some(&self.whom), None),
            By::Name => (None, Some(&self.whom)),
        }
    }
}

pub async fn by_form(
    State(console): State<Console>,
    SignedIn(who): SignedIn,
    headers: HeaderMap,
    form: Result<Form<Asked>, FormRejection>,
) -> Result<Response, Fault> {
    let Ok(Form(asked)) = form else {
        return Ok(back(&console, "malformed"));
    };
    let answer = match asked.confirmed {
        Some(_) => erase(&console, &who, &asked).await,
        None => preview(&console, &who, &asked, &headers).await,
    };
    match answer {
        Ok(response) => Ok(response),
        Err(error @ ControlError::NotAllowed { .. }) => Err(error.into()),
        Err(ControlError::StepUpNeeded { ask: Some(ask) }) => Ok(to_question(&console, &ask)),
        Err(error) => Ok(back(&console, &code(&error))),
    }
}

async fn preview(
    console: &Console,
    who: &Operator,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Response, ControlError> {
    let found = console.control.audit_erase_preview(who, asked.whom());
    let found = found.await?;
    // Said at once, not only when it is too late to mend.
    if !ErasurePreview::is_reason(&asked.reason) {
        return Ok(back(console, "invalid"));
    }
    let wish = Wish {
        by: match asked.by {
            By::Name => "name",
            By::Subject => "subject",
        },
        whom: &asked.whom,
        reason: &asked.reason,
    };
    let frame = frame(console, headers);
    let page = pages::preview(&frame, &wish, &found);
    Ok(html(StatusCode::OK, &frame, page))
}

/// At the socket for emergencies at once; everybody else proves first that it is them.
async fn erase(console: &Console, who: &Operator, asked: &Asked) -> Result<Response, ControlError> {
    let control = &console.control;
    let erased = control.audit_erase(who, asked.whom(), &asked.reason);
    Ok(see_other(console, &done(erased.await?)))
}

/// Where to go once it is done.
pub fn done(erased: Erasure) -> String {
    let how = if erased.settled {
        "erased"
    } else {
        "unsettled"
    };
    format!("{PAGE}?done={how}")
}

fn back(console: &Console, code: &str) -> Response {
    see_other(console, &format!("{PAGE}?problem={}", segment(code)))
}
