//! The one event stream of a page: everything live it shows, for as long as its session stands.

use std::time::{Duration, Instant};

use axum::{
    extract::{Extension, Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
};
use quorate_app::{
    live::{Topic, page_state},
    session::Visitor,
};
use quorate_control::{ControlError, Operator};
use quorate_domain::audit::Source;

use crate::{
    guards::problems::Fault,
    identity::{Presented, SignedOn},
    state::Console,
    stream::{self, End},
    visitor::{self, Carried},
};

/// How long a stream stays open on one word of a sign-on proxy, unless configured.
pub const RENEWED_EVERY: Duration = Duration::from_secs(60);

pub async fn page(
    State(console): State<Console>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    carried: Option<Extension<Carried>>,
    headers: HeaderMap,
    topic: Result<Query<Topic>, QueryRejection>,
) -> Result<Response, Fault> {
    let (Some(who), Some(Extension(carried))) = (visitor, carried) else {
        return Err(Fault::not_signed_in());
    };
    let Query(topic) = topic.map_err(|_| unknown_topic())?;
    // Says at once, with a status, what the stream could only say by ending.
    page_state(&console.control, &who, &topic).await?;
    let cluster = match &topic {
        Topic::Cluster { name } => Some(name.as_str()),
        _ => None,
    };
    let ticks = console.control.ticks(&who, cluster)?;
    let watched = console.clone();
    let (source, grants) = (who.source, who.grants);
    // An asserted stream's reader comes back through the proxy, which may say otherwise by then.
    let ends = Instant::now() + console.streams_renewed;
    let render = Box::new(move || {
        let (console, carried) = (watched.clone(), carried.clone());
        let (source, topic) = (source.clone(), topic.clone());
        let grants = grants.clone();
        let future: futures::future::BoxFuture<'static, _> = Box::pin(async move {
            let who = standing(&console, &carried, source, ends).await?;
            // Whoever may do something else now comes back for a new session id.
            if who.grants != grants {
                return Err(End::Broken);
            }
            let mut state = page_state(&console.control, &who, &topic)
                .await
                .map_err(|error| end(&error))?;
            console.assets.build().clone_into(&mut state.build);
            serde_json::to_value(&state).map_err(|_| End::Broken)
        });
        future
    });
    stream::open(&console, &headers, ticks, render)
}

/// The operator as of now; an ended session, a disabled account or a changed role counts at once.
async fn standing(
    console: &Console,
    carried: &Carried,
    source: Source,
    ends: Instant,
) -> Result<Operator, End> {
    let (account, means, hash) = match carried {
        Carried::Account {
            account,
            means,
            hash,
        } => (account, *means, hash),
        Carried::Asserted { presented, hash } => {
            return asserted(console, presented, hash.as_deref(), source, ends).await;
        }
        Carried::SignedOn { person, hash } => {
            return signed_on(console, person, hash, source).await;
        }
        Carried::Entered { entered, hash } => {
            goes_on(console, hash).await?;
            let who = console.control.break_glass_operator(entered, hash, source);
            return who.ok_or(End::SignedOut);
        }
    };
    goes_on(console, hash).await?;
    match console.control.operator(account, means, hash, source).await {
        Ok(Some(who)) => Ok(who),
        Ok(None) => Err(End::SignedOut),
        Err(error) => Err(end(&error)),
    }
}

/// Looking on is not using: an idle session ends under an open page as well. Of one that went on under
/// another id the reader comes back, with the new one.
async fn goes_on(console: &Console, hash: &str) -> Result<(), End> {
    let control = &console.control;
    match control.session_alive(hash).await {
        Ok(true) => Ok(()),
        Ok(false) if control.session_has_moved(hash) => Err(End::Broken),
        Ok(false) => Err(End::SignedOut),
        Err(error) => Err(end(&error)),
    }
}

/// For as long as the session stands: until it ends, is ended, or the provider says so.
async fn signed_on(
    console: &Console,
    person: &SignedOn,
    hash: &str,
    source: Source,
) -> Result<Operator, End> {
    goes_on(console, hash).await?;
    let oidc = console.identity.oidc().ok_or(End::SignedOut)?;
    visitor::standing(&console.control, oidc, person, hash, source).ok_or(End::SignedOut)
}

/// As the proxy's word stands now. When it no longer holds, the reader is let go and comes back
/// through the proxy: only the proxy knows whether it would say the same again.
async fn asserted(
    console: &Console,
    presented: &Presented,
    hash: Option<&str>,
    source: Source,
    ends: Instant,
) -> Result<Operator, End> {
    if Instant::now() >= ends {
        return Err(End::Broken);
    }
    if let Some(hash) = hash
        && !console
            .control
            .session_alive(hash)
            .await
            .map_err(|error| end(&error))?
    {
        return Err(End::Broken);
    }
    let proxied = console.identity.proxied().ok_or(End::SignedOut)?;
    let found = visitor::operator(&console.control, proxied, presented, source).await;
    let mut who = found.ok().flatten().ok_or(End::Broken)?;
    who.session = hash.map(str::to_owned);
    Ok(who)
}

fn end(error: &ControlError) -> End {
    match error {
        ControlError::NotSignedIn => End::SignedOut,
        _ => End::Broken,
    }
}

fn unknown_topic() -> Fault {
    Fault::malformed(
        "There is no such stream.",
        "Ask for `page=fleet`, or for a cluster by name.",
    )
}
