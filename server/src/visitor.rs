//! Who a request's session belongs to, looked up anew for every request, so that a disabled
//! account or a changed role counts at once.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use quorate_app::session::Visitor;
use quorate_control::Operator;
use quorate_domain::audit::Source;
use tower_sessions::Session;

use crate::{guards::problems::Fault, sessions, state::Console};

/// How much of a session's hash may stand in logs and audit entries.
const SHOWN: usize = 16;

/// What a stream needs to see whether its session still stands.
#[derive(Clone, Debug)]
pub struct Carried {
    pub account: String,
    pub hash: String,
}

/// Puts [`Visitor`] into the request, and [`Carried`] when somebody is signed in.
pub async fn identify(
    State(console): State<Console>,
    mut request: Request,
    next: Next,
) -> Response {
    let session = request.extensions().get::<Session>().cloned();
    let visitor = match session {
        Some(session) => match signed_in(&console, &session, &mut request).await {
            Ok(visitor) => visitor,
            Err(fault) => return fault.into_response(),
        },
        None => None,
    };
    request.extensions_mut().insert(Visitor(visitor));
    next.run(request).await
}

async fn signed_in(
    console: &Console,
    session: &Session,
    request: &mut Request,
) -> Result<Option<Operator>, Fault> {
    let account = session
        .get::<String>(sessions::ACCOUNT)
        .await
        .map_err(|error| {
            tracing::error!("cannot read a session: {error}");
            Fault::internal()
        })?;
    let (Some(account), Some(id)) = (account, session.id()) else {
        return Ok(None);
    };
    let hash = sessions::hash(id);
    let mut source = request
        .extensions()
        .get::<Source>()
        .cloned()
        .unwrap_or_default();
    source.session = hash.get(..SHOWN).map(str::to_owned);
    request.extensions_mut().insert(source.clone());
    let operator = console.control.operator(&account, &hash, source).await?;
    if operator.is_some() {
        request.extensions_mut().insert(Carried { account, hash });
    }
    Ok(operator)
}
