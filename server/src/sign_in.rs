//! Signing in and out, and one's password: plain forms and links that work with scripts off.
//!
//! Every answer is a redirect; what went wrong stands in it as a code, never as a text.

use axum::{
    Form,
    extract::{Extension, Path, State, rejection::FormRejection},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use quorate_app::{base::segment, session::Visitor, words::access as words};
use quorate_control::ControlError;
use quorate_domain::{
    audit::{Means, Source},
    permission::Grant,
};
use quorate_drivers::Secret;
use serde::Deserialize;
use tower_sessions::Session;

use crate::{
    former_id, guards::problems::Fault, identity::Identity, sessions, sign_on, state::Console,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub async fn by_password(
    State(console): State<Console>,
    session: Session,
    Extension(source): Extension<Source>,
    form: Result<Form<Credentials>, FormRejection>,
) -> Result<Response, Fault> {
    only_local(&console)?;
    let Ok(Form(form)) = form else {
        return Ok(back(&console, "/sign-in", "malformed", ""));
    };
    let password = Secret::new(form.password);
    match console.control.sign_in(&form.name, password, &source).await {
        Ok(account) => {
            open(&session, &account.id, &source, Means::Password).await?;
            may(&session, &account.grants).await?;
            Ok(see_other(&console, &inside(&form.next)))
        }
        Err(error) => Ok(failed(&console, "/sign-in", &error, &form.next)),
    }
}

pub async fn by_link(
    State(console): State<Console>,
    session: Session,
    Extension(source): Extension<Source>,
    Path(secret): Path<String>,
) -> Result<Response, Fault> {
    only_local(&console)?;
    match console
        .control
        .sign_in_by_link(Secret::new(secret), &source)
        .await
    {
        Ok(account) => {
            open(&session, &account.id, &source, Means::SignInLink).await?;
            may(&session, &account.grants).await?;
            Ok(see_other(&console, "/"))
        }
        // The form's answer names a wrong password; a link has none.
        Err(ControlError::SignInFailed) => Ok(back(&console, "/sign-in", "link-used-up", "")),
        Err(error) => Ok(failed(&console, "/sign-in", &error, "")),
    }
}

pub async fn out(
    State(console): State<Console>,
    session: Session,
    Extension(Visitor(visitor)): Extension<Visitor>,
    uri: Uri,
) -> Result<Response, Fault> {
    if let Some(id) = session.id()
        && !console.control.session_leave(&sessions::hash(id)).await?
        && let Some(answer) = former_id::come_again(&console, Some(&session), &uri).await?
    {
        // It went on under another id since this request was let in: that one is to end.
        return Ok(answer);
    }
    let recorded = match &visitor {
        Some(who) => console.control.signed_out(who).await,
        None => Ok(()),
    };
    // Ended even where that cannot be recorded.
    session.flush().await.map_err(unusable)?;
    recorded?;
    let mut response = match &console.identity {
        Identity::Local => see_other(&console, "/sign-in"),
        Identity::Proxied(proxied) => at_the_proxy(&console, proxied.sign_out.as_deref()),
        Identity::Oidc(oidc) => sign_on::leave(&console, oidc).await,
        Identity::BreakGlass => see_other(&console, "/"),
    };
    if let Ok(removal) =
        HeaderValue::from_str(&sessions::removal(console.cookie_name(), console.secure))
    {
        response.headers_mut().append(header::SET_COOKIE, removal);
    }
    Ok(response)
}

/// The session here is over; the proxy's own goes on until the proxy ends it.
fn at_the_proxy(console: &Console, path: Option<&str>) -> Response {
    match path {
        // From there it may go on to a provider on another host.
        Some(path) => sign_on::leaving(path, words::THE_PROXY),
        None => see_other(console, "/sign-in?problem=sign-out-at-the-proxy"),
    }
}

/// Behind a sign-on proxy nobody signs in here, and with an OpenID provider not by these means.
fn only_local(console: &Console) -> Result<(), Fault> {
    let (title, hint) = match console.identity {
        Identity::Local => return Ok(()),
        Identity::Proxied(_) => (
            "Not in this mode: a sign-on proxy says who somebody is.",
            "Open the console through the proxy; `identity.mode` in the configuration decides.",
        ),
        Identity::Oidc(_) => (
            "Not in this mode: people sign in at the OpenID provider.",
            "Use the sign-in page; `identity.mode` in the configuration decides.",
        ),
        Identity::BreakGlass => (
            "Not here: this socket is for emergencies.",
            "`quorate break-glass` on the console's machine makes a link for it.",
        ),
    };
    let status = StatusCode::NOT_FOUND;
    Err(Fault::new(status, "not-in-this-mode", title, hint))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    #[serde(default)]
    current: String,
    new: String,
    #[serde(default)]
    next: String,
}

pub async fn password(
    State(console): State<Console>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    form: Result<Form<NewPassword>, FormRejection>,
) -> Result<Response, Fault> {
    only_local(&console)?;
    let Some(who) = visitor else {
        return Ok(back(&console, "/sign-in", "not-signed-in", "/access"));
    };
    let Ok(Form(form)) = form else {
        return Ok(back(&console, "/access", "malformed", ""));
    };
    let current = (!form.current.is_empty()).then(|| Secret::new(form.current));
    match console
        .control
        .password_set(&who, current, Secret::new(form.new))
        .await
    {
        Ok(()) if form.next.is_empty() => Ok(see_other(&console, "/access?password=set")),
        Ok(()) => Ok(see_other(&console, &inside(&form.next))),
        Err(error) => Ok(failed(&console, "/access", &error, "")),
    }
}

/// A new session with a new id; whatever session was there before has ended.
pub async fn open(
    session: &Session,
    account: &str,
    source: &Source,
    means: Means,
) -> Result<(), Fault> {
    session.flush().await.map_err(unusable)?;
    // Flushing alone would store the new session under the old id again.
    session.cycle_id().await.map_err(unusable)?;
    session
        .insert(sessions::ACCOUNT, account)
        .await
        .map_err(unusable)?;
    session
        .insert(sessions::MEANS, means)
        .await
        .map_err(unusable)?;
    let address = Some(source.address().to_owned()).filter(|it| !it.is_empty());
    let texts = [
        (sessions::PEER, &address),
        (sessions::USER_AGENT, &source.user_agent),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            session.insert(key, text).await.map_err(unusable)?;
        }
    }
    Ok(())
}

/// Notes what its person may do as this session gets its id: with other rights it gets another.
pub async fn may(session: &Session, grants: &[Grant]) -> Result<(), Fault> {
    let roles = sessions::roles(grants);
    let noted = session.insert(sessions::ROLES, roles).await;
    noted.map_err(unusable)
}

pub fn unusable(error: tower_sessions::session::Error) -> Fault {
    tracing::error!("cannot use the session store: {error}");
    Fault::internal()
}

/// A failure that the page shows, or a problem where the console itself fails.
fn failed(console: &Console, page: &str, error: &ControlError, next: &str) -> Response {
    let problem = error.problem();
    if problem.status >= 500 {
        tracing::error!("{error}");
    }
    back(console, page, &problem.code, next)
}

/// To a page of this console that says what went wrong.
pub fn back(console: &Console, page: &str, code: &str, next: &str) -> Response {
    let next = inside(next);
    let next = if next == "/" {
        String::new()
    } else {
        format!("&next={}", segment(&next))
    };
    see_other(console, &format!("{page}?problem={}{next}", segment(code)))
}

/// To a path within this console.
pub fn see_other(console: &Console, to: &str) -> Response {
    let place = [(header::LOCATION, console.path(to))];
    (StatusCode::SEE_OTHER, place).into_response()
}

/// `next` if it is a path within this console, else the fleet: nobody is sent elsewhere.
#[must_use]
pub fn inside(next: &str) -> String {
    // Strangers' wishes are kept while they sign in.
    let plain = next.len() <= 2_048
        && next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && next.bytes().all(|byte| byte.is_ascii_graphic())
        // Neither around in a circle, nor with a one-time link's secret in the address.
        && !next.contains("/sign-in");
    if plain {
        next.to_owned()
    } else {
        "/".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site_after_signing_in() {
        for next in [
            "//evil.example",
            "https://evil.example",
            "/\\evil",
            "",
            "/a\r\nb",
            "/sign-in",
            "/q/sign-in/link/x",
        ] {
            assert_eq!(inside(next), "/", "{next:?}");
        }
        assert_eq!(inside("/clusters/a?x=1"), "/clusters/a?x=1");
    }
}
