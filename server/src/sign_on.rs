//! Signing in at an OpenID provider, as browsers meet it: away, back, and told by the provider
//! that somebody left. Works with scripts off.
//!
//! Every answer to a browser is a redirect; what went wrong stands in it as a code, never as a
//! text. Codes, tokens and states are in no log.

use std::time::Instant;

use axum::{
    Form,
    extract::{
        Extension, Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use quorate_app::{session::Visitor, words::access as words};
use quorate_control::{
    Operator,
    step_up::{FreshSignIn, Method},
};
use quorate_domain::audit::{Means, Source};
use serde::Deserialize;
use time::OffsetDateTime;
use tower_sessions::{Expiry, Session};

use crate::{
    guards::problems::Fault,
    identity::{Answer, Attempt, Begun, Completed, Oidc, Refusal, SignedOn, cookie_suffix},
    sessions,
    sign_in::{back, inside, may, open, see_other, unusable},
    state::Console,
    step_up::{self, Fresh},
};

/// Where the provider sends browsers back to; registered there.
const CALLBACK: &str = "/sign-in/callback";
/// And after it has signed somebody out.
const AFTERWARDS: &str = "/sign-in";
/// How long a browser keeps what it brings back, in seconds.
const COOKIE_LIFE: u64 = 600;

#[derive(Deserialize)]
pub struct Wish {
    #[serde(default)]
    next: String,
}

/// Off to the provider. A link, not a form: the page's policy lets forms lead nowhere else.
pub async fn begin(
    State(console): State<Console>,
    Extension(source): Extension<Source>,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Result<Response, Fault> {
    let oidc = only_oidc(&console)?;
    let next = wish.map_or_else(|_| "/".to_owned(), |Query(wish)| inside(&wish.next));
    let redirect = address(&console, CALLBACK);
    match oidc.begin(&redirect, &next, source.address()).await {
        Ok(begun) => Ok(away(&console, &begun)),
        Err(refusal) => Ok(refused(&console, &refusal, &next, &source).await),
    }
}

/// Back from the provider.
pub async fn callback(
    State(console): State<Console>,
    session: Session,
    Extension(source): Extension<Source>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    headers: HeaderMap,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Result<Response, Fault> {
    let oidc = only_oidc(&console)?;
    let Ok(Query(answer)) = answer else {
        return Ok(refused(&console, &Refusal::Malformed, "", &source).await);
    };
    let name = cookie(&console, answer.state.as_deref().unwrap_or_default());
    let browser = kept(&headers, &name);
    let redirect = address(&console, CALLBACK);
    let mut response = match oidc.answered(&answer, browser.as_deref()) {
        Err(refusal) => refused(&console, &refusal, "", &source).await,
        Ok(attempt) => {
            let completed = oidc
                .complete(&answer, &attempt, &redirect, now(&console))
                .await;
            match (completed, &attempt.step_up) {
                (completed, Some(ask)) => {
                    let back = Back {
                        asked_at: now(&console).saturating_sub(attempt.began.elapsed().as_secs()),
                        session: &session,
                        source: &source,
                        headers: &headers,
                        began: attempt.began,
                    };
                    proved(&console, visitor.as_ref(), ask, completed, &back).await?
                }
                (Ok(completed), None) => {
                    enter(
                        &console,
                        oidc,
                        &session,
                        completed.person,
                        &attempt,
                        &source,
                    )
                    .await?
                }
                (Err(refusal), None) => refused(&console, &refusal, &attempt.next, &source).await,
            }
        }
    };
    if browser.is_some() {
        set_cookie(&mut response, &name, "", 0, console.secure);
    }
    Ok(response)
}

/// What a browser comes back with.
struct Back<'a> {
    /// When it was sent away, in seconds since 1970.
    asked_at: u64,
    began: Instant,
    session: &'a Session,
    source: &'a Source,
    headers: &'a HeaderMap,
}

/// Somebody who is signed in has signed in once more, to answer the question `ask`.
async fn proved(
    console: &Console,
    visitor: Option<&Operator>,
    ask: &str,
    completed: Result<Completed, Refusal>,
    back: &Back<'_>,
) -> Result<Response, Fault> {
    let Some(who) = visitor else {
        let why = Refusal::UnknownState;
        return Ok(refused(console, &why, "", back.source).await);
    };
    match completed {
        Ok(completed) => {
            let said = FreshSignIn {
                auth_time: completed.auth_time,
                acr: completed.acr,
                asked_at: back.asked_at,
                leeway: completed.leeway,
            };
            let fresh = Fresh {
                person: completed.person,
                said,
                began: back.began,
            };
            step_up::signed_in(console, back.session, who, ask, fresh, back.headers).await
        }
        Err(refusal) => {
            let why = refusal.to_string();
            let control = &console.control;
            control.step_up_failed(who, ask, Method::SignIn, &why).await;
            Ok(step_up::again(console, ask, refusal.code()))
        }
    }
}

/// Off to the provider for a fresh sign-in, which answers the question `ask`.
pub async fn begin_fresh(
    console: &Console,
    oidc: &Oidc,
    ask: &str,
    acr_values: &[String],
) -> Result<Response, Refusal> {
    let redirect = address(console, CALLBACK);
    let begun = oidc.begin_fresh(&redirect, ask, acr_values).await?;
    Ok(away(console, &begun))
}

/// Ends the sessions of somebody who signed out at the provider. The provider itself asks, without
/// a cookie; its signed token is all that counts.
pub async fn left(
    State(console): State<Console>,
    Extension(source): Extension<Source>,
    form: Result<Form<Told>, FormRejection>,
) -> Result<StatusCode, Fault> {
    let oidc = only_oidc(&console)?;
    let Ok(Form(told)) = form else {
        return Err(not_believed(StatusCode::BAD_REQUEST));
    };
    let left = match oidc.departure(&told.logout_token, now(&console)).await {
        Ok(left) => left,
        Err(refusal) => {
            let why = refusal.to_string();
            console
                .control
                .sign_on_refused("sign_out", &why, &source)
                .await;
            tracing::warn!(
                request_id = source.request_id,
                "a sign-out is not believed: {why}"
            );
            return Err(not_believed(match refusal.code() {
                "sign-on-unreachable" => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::BAD_REQUEST,
            }));
        }
    };
    // To its end even if the provider hangs up: its token is used up by now.
    let there = console.clone();
    let told = tokio::spawn(async move {
        let ended = there.control.departed(&left.departure, &source).await;
        if ended.is_err()
            && let Some(oidc) = there.identity.oidc()
        {
            oidc.not_done(&left);
        }
        ended
    });
    match told.await {
        Ok(ended) => Ok(ended.map(|_| StatusCode::OK)?),
        Err(_) => Err(Fault::internal()),
    }
}

#[derive(Deserialize)]
pub struct Told {
    logout_token: String,
}

/// After the session here has ended: on to the provider, which would let the same browser in again
/// without a question. Led by the page and not by a redirect, since a form may lead nowhere else.
pub async fn leave(console: &Console, oidc: &Oidc) -> Response {
    match oidc.leaving(&address(console, AFTERWARDS)).await {
        Some(place) => leaving(place.as_str(), oidc.name()),
        None => see_other(console, "/sign-in?problem=sign-out-at-the-provider"),
    }
}

async fn enter(
    console: &Console,
    oidc: &Oidc,
    session: &Session,
    person: SignedOn,
    attempt: &Attempt,
    source: &Source,
) -> Result<Response, Fault> {
    let next = attempt.next.as_str();
    let grants = oidc.grants(&person);
    let control = &console.control;
    let who = control.asserted(person.actor(), grants, source.clone(), None);
    let key = who.key();
    let before = session.get::<String>(sessions::ACCOUNT).await;
    let before = before.map_err(unusable)?.filter(|before| *before != key);
    if let Err(error) = control.asserted_session(&who, before.as_deref()).await {
        tracing::error!("a sign-in could not be recorded: {error}");
        return Ok(back(console, "/sign-in", &error.problem().code, next));
    }
    open(session, &key, source, Means::Oidc).await?;
    let end = i64::try_from(person.until).ok();
    let end = end.and_then(|end| OffsetDateTime::from_unix_timestamp(end).ok());
    may(session, &who.grants).await?;
    session
        .insert(sessions::SIGNED_ON, &person)
        .await
        .map_err(unusable)?;
    session.set_expiry(end.map(Expiry::AtDateTime));
    // Stored before it is asked: of a sign-out at the same moment, one of the two knows.
    session.save().await.map_err(unusable)?;
    if oidc.has_left(&person, attempt.began) {
        session.flush().await.map_err(unusable)?;
        return Ok(refused(console, &Refusal::Left, next, source).await);
    }
    Ok(see_other(console, &inside(next)))
}

/// Nobody is signed in: recorded, and told on the sign-in page, which leads on to `next`.
pub async fn refused(
    console: &Console,
    refusal: &Refusal,
    next: &str,
    source: &Source,
) -> Response {
    let why = refusal.to_string();
    tracing::warn!(
        request_id = source.request_id,
        "nobody was signed in: {why}"
    );
    console
        .control
        .sign_on_refused("sign_in", &why, source)
        .await;
    back(console, "/sign-in", refusal.code(), next)
}

fn away(console: &Console, begun: &Begun) -> Response {
    let place = [(header::LOCATION, begun.location.clone())];
    let mut response = (StatusCode::SEE_OTHER, place).into_response();
    let name = cookie(console, &begun.state);
    set_cookie(
        &mut response,
        &name,
        &begun.browser,
        COOKIE_LIFE,
        console.secure,
    );
    response
}

/// The cookie of one sign-in under way; sent along when the provider sends the browser back.
fn cookie(console: &Console, state: &str) -> String {
    let prefix = if console.secure { "__Host-" } else { "" };
    format!("{prefix}quorate-sign-in-{}", cookie_suffix(state))
}

fn set_cookie(response: &mut Response, name: &str, value: &str, life: u64, secure: bool) {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// The value of one cookie; none if it is there twice.
fn kept(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter();
    let mut values = all
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned());
    let first = values.next();
    first.filter(|_| values.next().is_none())
}

fn address(console: &Console, path: &str) -> String {
    format!("{}{}", console.origin, console.path(path))
}

fn now(console: &Console) -> u64 {
    u64::try_from(console.control.now().unix_ms() / 1_000).unwrap_or(0)
}

pub fn only_oidc(console: &Console) -> Result<&Oidc, Fault> {
    console.identity.oidc().ok_or_else(|| {
        Fault::new(
            StatusCode::NOT_FOUND,
            "not-in-this-mode",
            "Not in this mode: nobody signs in here by OpenID Connect.",
            "`identity.mode` in the configuration decides.",
        )
    })
}

fn not_believed(status: StatusCode) -> Fault {
    Fault::new(
        status,
        "sign-out-refused",
        "This sign-out is not believed.",
        "The console's audit log says why.",
    )
}

/// A page that goes on to `place`: a form's own answer may lead to no other host.
pub fn leaving(place: &str, name: &str) -> Response {
    let (place, name) = (escaped(place), escaped(name));
    let (title, sentence) = (words::SIGNED_OUT_HERE, words::SIGN_OUT_GOES_ON);
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"0; url={place}\"><title>{title}</title></head>\
         <body><p>{title}</p><p><a href=\"{place}\">{sentence} {name}</a></p></body></html>"
    );
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], html).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
