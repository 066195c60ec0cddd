//! Requests with the id that their session had until a moment ago: another tab asked while the answer
//! with the new one was on its way to the browser. They are asked to come again, to the same place and
//! with the same body, when the browser has the new id.
//!
//! The former id opens nothing, not for a moment: whoever holds it without the new one is sent round
//! until it is nobody's, and has learned that the session went on. No cookie is set or taken away, since
//! taking it away would take the new one.

use std::time::Duration;

use axum::{
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tower_sessions::Session;

use crate::{guards::problems::Fault, sessions, state::Console};

/// How long such a request waits. Browsers follow twenty such answers, some sixteen: longer than a
/// former id counts as one of lately, so that nobody ends at "too many redirects".
const HOLD: Duration = Duration::from_millis(350);

/// The answer to a request with a former id; `None` for every other.
///
/// # Errors
/// If the store cannot be used.
pub async fn come_again(
    console: &Console,
    session: Option<&Session>,
    uri: &Uri,
) -> Result<Option<Response>, Fault> {
    let Some(id) = session.and_then(Session::id) else {
        return Ok(None);
    };
    if !console
        .control
        .session_moved_lately(&sessions::hash(id))
        .await?
    {
        return Ok(None);
    }
    let Some(place) = place(console, uri) else {
        return Ok(None);
    };
    tokio::time::sleep(HOLD).await;
    let place = [(header::LOCATION, place)];
    Ok(Some(
        (StatusCode::TEMPORARY_REDIRECT, place).into_response(),
    ))
}

/// Where it was asked for, as long as that is a place within this console.
fn place(console: &Console, uri: &Uri) -> Option<String> {
    let place = console.path(uri.path_and_query()?.as_str());
    let elsewhere = place.starts_with("//") || place.contains('\\') || !place.starts_with('/');
    (!elsewhere).then_some(place)
}
