//! The console as it answers at the socket for emergencies: in by a one-time link made on this
//! machine, and by nothing else. What is done so is recorded as done so.

use axum::{
    extract::{Extension, Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use quorate_control::{BREAK_GLASS, ControlError, ENTERED, Entered, Operator};
use quorate_domain::audit::{Means, Source};
use quorate_drivers::Secret;
use time::OffsetDateTime;
use tower_sessions::{Expiry, Session, session::Id};

use crate::{
    guards::problems::Fault,
    identity::Identity,
    sessions,
    sign_in::{open, see_other, unusable},
    state::Console,
};

/// Programs at the socket send their session's id behind this, as a bearer token.
const PREFIX: &str = "qg_";

/// Uses up a one-time link.
pub async fn enter(
    State(console): State<Console>,
    session: Session,
    Extension(source): Extension<Source>,
    Path(secret): Path<String>,
) -> Result<Response, Fault> {
    if !is_here(&console) {
        return Err(Fault::new(
            StatusCode::NOT_FOUND,
            "not-in-this-mode",
            "Not here: this way in is the local socket's alone.",
            "On the console's machine: see break-glass in the documentation.",
        ));
    }
    let entered = console
        .control
        .break_glass_sign_in(&Secret::new(secret), &source)
        .await;
    let entered = match entered {
        Ok(entered) => entered,
        Err(ControlError::SignInFailed) => return Err(nobody()),
        Err(error) => return Err(error.into()),
    };
    open(&session, BREAK_GLASS, &source, Means::BreakGlass).await?;
    let end = i64::try_from(entered.until).ok();
    let end = end.and_then(|end| OffsetDateTime::from_unix_timestamp(end).ok());
    session.insert(ENTERED, entered).await.map_err(unusable)?;
    session.set_expiry(end.map(Expiry::AtDateTime));
    Ok(see_other(&console, "/"))
}

/// Whether this is the console at the socket.
#[must_use]
pub fn is_here(console: &Console) -> bool {
    matches!(console.identity, Identity::BreakGlass)
}

/// Whoever has no session at the socket.
#[must_use]
pub fn nobody() -> Fault {
    Fault::new(
        StatusCode::UNAUTHORIZED,
        "break-glass-link-needed",
        "This is the console's socket for emergencies, and nobody is signed in.",
        "On the console's machine run `quorate break-glass --data DIR --reason \"why\"` and open \
         the link it prints; each is good once.",
    )
}

/// Whom a request's session stands for.
///
/// # Errors
/// If the store cannot be read.
pub async fn entered(
    console: &Console,
    session: &Session,
) -> Result<Option<(Entered, String)>, Fault> {
    let account = session.get::<String>(sessions::ACCOUNT).await;
    let entered = session.get::<Entered>(ENTERED).await.map_err(unusable)?;
    let ours = is_here(console) && account.map_err(unusable)?.as_deref() == Some(BREAK_GLASS);
    let (Some(entered), Some(id), true) = (entered, session.id(), ours) else {
        return Ok(None);
    };
    Ok(Some((entered, sessions::hash(id))))
}

/// Whom a program at the socket stands for: its bearer token is the session's id.
///
/// # Errors
/// `NotSignedIn`, or if the store cannot be read.
pub async fn by_bearer(
    console: &Console,
    headers: &HeaderMap,
    source: Source,
) -> Result<Operator, Fault> {
    let Some(id) = bearer(headers) else {
        return Err(nobody());
    };
    let hash = sessions::hash(id);
    let record = console.control.session_load(&hash).await?;
    let record = record.filter(|record| record.account.as_deref() == Some(BREAK_GLASS));
    let entered = record.and_then(|mut record| record.data.remove(ENTERED));
    let entered = entered.and_then(|entered| serde_json::from_value(entered).ok());
    entered
        .and_then(|entered| {
            console
                .control
                .break_glass_operator(&entered, &hash, source)
        })
        .ok_or_else(nobody)
}

fn bearer(headers: &HeaderMap) -> Option<Id> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (given.next()?.to_str().ok()?, given.next()) else {
        return None;
    };
    let (scheme, token) = value.split_once(' ')?;
    let ours = scheme.eq_ignore_ascii_case("bearer");
    ours.then(|| token.trim().strip_prefix(PREFIX)?.parse().ok())?
}

/// The address of a browser that comes through a tunnel: this machine by any port, and no other
/// name. A site whose name was made to lead here is not taken for the console.
#[must_use]
pub fn origin(request: &Request) -> Option<String> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, None) = (hosts.next()?.to_str().ok()?, hosts.next()) else {
        return None;
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let numbered = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    (here && numbered).then(|| format!("http://{host}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;

    use super::*;

    #[test]
    fn only_this_machines_own_names_are_the_console() {
        let told = |host: &str| {
            let request = Request::builder().header("host", host);
            origin(&request.body(Body::empty()).unwrap())
        };
        for host in [
            "localhost",
            "localhost:8443",
            "127.0.0.1:1",
            "[::1]:8443",
            "[::1]",
        ] {
            assert_eq!(told(host), Some(format!("http://{host}")), "{host}");
        }
        for host in [
            "",
            "raft.example",
            "localhost.evil.example:8443",
            "localhost:evil",
            "evil@localhost",
            "10.0.0.1:8443",
        ] {
            assert_eq!(told(host), None, "{host}");
        }
        assert_eq!(origin(&Request::new(Body::empty())), None);
    }
}
