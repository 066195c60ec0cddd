//! Who a request comes from, looked up anew for every request, so that a disabled account, a
//! changed role or a proxy's new word counts at once.

use axum::{
    extract::{Request, State},
    http::{Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use quorate_app::session::Visitor;
use quorate_control::{Control, Entered, Operator, Renewal};
use quorate_domain::audit::{Means, Source};
use serde_json::Value;
use tower_sessions::Session;

use crate::{
    break_glass, former_id,
    guards::problems::Fault,
    identity::{Doubt, Identity, Oidc, Presented, Proxied, SignedOn},
    sessions, sign_in,
    state::Console,
};

/// How much of a session's hash may stand in logs and audit entries.
const SHOWN: usize = 16;

/// What a stream needs to see whether it may go on.
#[derive(Clone, Debug)]
pub enum Carried {
    Account {
        account: String,
        means: Means,
        hash: String,
    },
    /// What the proxy said when the stream was opened.
    Asserted {
        presented: Presented,
        hash: Option<String>,
    },
    /// What the OpenID provider said at sign-in.
    SignedOn { person: Box<SignedOn>, hash: String },
    /// By the socket for emergencies.
    Entered { entered: Entered, hash: String },
}

impl Carried {
    /// The session has another id, whose SHA-256 this is.
    fn goes_on_as(&mut self, now: &str) {
        match self {
            Self::Account { hash, .. }
            | Self::SignedOn { hash, .. }
            | Self::Entered { hash, .. } => now.clone_into(hash),
            Self::Asserted { hash, .. } => *hash = Some(now.to_owned()),
        }
    }
}

/// Puts [`Visitor`] into the request, and [`Carried`] when somebody is signed in.
pub async fn identify(
    State(console): State<Console>,
    mut request: Request,
    next: Next,
) -> Response {
    let session = request.extensions().get::<Session>().cloned();
    match former_id::come_again(&console, session.as_ref(), request.uri()).await {
        Ok(None) => {}
        Ok(Some(answer)) => return answer,
        Err(fault) => return fault.into_response(),
    }
    let found = match (&console.identity, session.clone()) {
        (Identity::Proxied(proxied), session) => {
            asserted(&console, proxied, session, &mut request).await
        }
        (Identity::Oidc(oidc), Some(session)) => {
            signed_on(&console, oidc, &session, &mut request).await
        }
        (Identity::BreakGlass, Some(session)) => entered(&console, &session, &mut request).await,
        (Identity::Local, Some(session)) => signed_in(&console, &session, &mut request).await,
        (_, None) => Ok(None),
    };
    let visitor = match found {
        Ok(visitor) => visitor,
        Err(fault) => return fault.into_response(),
    };
    let visitor = match (visitor, session) {
        (Some(who), Some(session)) => match renewed(&console, &session, who, &mut request).await {
            Ok(who) => Some(who),
            Err(fault) => return fault.into_response(),
        },
        (visitor, _) => visitor,
    };
    request.extensions_mut().insert(Visitor(visitor));
    next.run(request).await
}

/// Who may do something else than when their session got its id goes on under a new one. Only where a
/// browser surely takes it and asks for nothing else at the same time: at a page, and at its stream.
async fn renewed(
    console: &Console,
    session: &Session,
    who: Operator,
    request: &mut Request,
) -> Result<Operator, Fault> {
    // A stream that is refused for want of room would not tell the browser its new id.
    let room = console.streams.available_permits() > 0;
    let browsers = is_page(request) || is_stream(request) && room;
    let here = browsers && !break_glass::is_here(console);
    let (Some(before), true) = (who.session.as_deref(), here) else {
        return Ok(who);
    };
    let roles = sessions::roles(&who.grants);
    let known = session.get::<String>(sessions::ROLES).await;
    let why = match known.map_err(unreadable)? {
        Some(known) if known == roles => return Ok(who),
        Some(_) => Renewal::OtherRoles,
        None => Renewal::Unmarked,
    };
    let more = vec![(sessions::ROLES, Value::String(roles))];
    let Some(hash) = sessions::renew(console, session, before, more).await? else {
        return Ok(who);
    };
    if let Some(carried) = request.extensions_mut().get_mut::<Carried>() {
        carried.goes_on_as(&hash);
    }
    let source = Source {
        assurance: who.source.assurance,
        ..marked(request, Some(&hash))
    };
    request.extensions_mut().insert(source.clone());
    let now = Operator {
        session: Some(hash),
        source,
        ..who.clone()
    };
    if let Err(error) = console.control.session_renewed(&now, before, why).await {
        // Looking goes on; what changes something is refused elsewhere.
        tracing::error!("a session's new id could not be recorded: {error}");
    }
    Ok(now)
}

async fn signed_in(
    console: &Console,
    session: &Session,
    request: &mut Request,
) -> Result<Option<Operator>, Fault> {
    let account = account_of(session).await?;
    let (Some(account), Some(id)) = (account, session.id()) else {
        return Ok(None);
    };
    let hash = sessions::hash(id);
    let source = marked(request, Some(&hash));
    let means = means_of(session).await?;
    let operator = console
        .control
        .operator(&account, means, &hash, source)
        .await?;
    if operator.is_some() {
        let carried = Carried::Account {
            account,
            means,
            hash,
        };
        request.extensions_mut().insert(carried);
    }
    Ok(operator)
}

/// What the provider said at sign-in, for as long as it holds; roles are those of the table now.
async fn signed_on(
    console: &Console,
    oidc: &Oidc,
    session: &Session,
    request: &mut Request,
) -> Result<Option<Operator>, Fault> {
    let person = session.get::<SignedOn>(sessions::SIGNED_ON).await;
    let person = person.map_err(unreadable)?;
    let (Some(person), Some(id)) = (person, session.id()) else {
        return Ok(None);
    };
    let hash = sessions::hash(id);
    let Some(who) = standing(&console.control, oidc, &person, &hash, Source::default()) else {
        return Ok(None);
    };
    if account_of(session).await? != Some(who.key()) {
        return Ok(None);
    }
    let source = marked(request, Some(&hash));
    let person = Box::new(person);
    request
        .extensions_mut()
        .insert(Carried::SignedOn { person, hash });
    Ok(Some(Operator { source, ..who }))
}

/// Somebody who signed in at the provider, as of now; `None` once that is over.
#[must_use]
pub fn standing(
    control: &Control,
    oidc: &Oidc,
    person: &SignedOn,
    hash: &str,
    source: Source,
) -> Option<Operator> {
    let now = u64::try_from(control.now().unix_ms() / 1_000).unwrap_or(0);
    if !oidc.holds(person, now) {
        return None;
    }
    let grants = oidc.grants(person);
    Some(control.asserted(person.actor(), grants, source, Some(hash.to_owned())))
}

/// Who came in by the socket for emergencies, for the time that is given to them.
async fn entered(
    console: &Console,
    session: &Session,
    request: &mut Request,
) -> Result<Option<Operator>, Fault> {
    let Some((entered, hash)) = break_glass::entered(console, session).await? else {
        return Ok(None);
    };
    let source = marked(request, Some(&hash));
    let who = console
        .control
        .break_glass_operator(&entered, &hash, source);
    if who.is_some() {
        request
            .extensions_mut()
            .insert(Carried::Entered { entered, hash });
    }
    Ok(who)
}

/// The proxy's word decides; the session is only where a page keeps its state, and is ended when
/// somebody else comes with it.
async fn asserted(
    console: &Console,
    proxied: &Proxied,
    session: Option<Session>,
    request: &mut Request,
) -> Result<Option<Operator>, Fault> {
    let presented = request.extensions().get::<Presented>().cloned();
    let presented = presented.unwrap_or_default();
    let source = marked(request, None);
    let mut who = match operator(&console.control, proxied, &presented, source.clone()).await {
        Ok(Some(who)) => who,
        Ok(None) => return Ok(None),
        Err(doubt) => {
            record(console, doubt, &source).await;
            // Whoever is refused may still read how signing in is done.
            let reads = *request.method() == Method::GET && request.uri().path() == "/sign-in";
            return if reads { Ok(None) } else { Err(refused(doubt)) };
        }
    };
    if let Some(session) = session {
        bind(console, &session, &mut who, is_page(request)).await?;
    }
    let assurance = who.source.assurance;
    who.source = marked(request, who.session.as_deref());
    who.source.assurance = assurance;
    request.extensions_mut().insert(who.source.clone());
    request.extensions_mut().insert(Carried::Asserted {
        presented,
        hash: who.session.clone(),
    });
    Ok(Some(who))
}

/// Whom the proxy names, with what they may do now.
pub async fn operator(
    control: &Control,
    proxied: &Proxied,
    presented: &Presented,
    source: Source,
) -> Result<Option<Operator>, Doubt> {
    let now = u64::try_from(control.now().unix_ms() / 1_000).unwrap_or(0);
    let known = proxied
        .known(presented, source.peer.as_deref(), now)
        .await?;
    Ok(known.map(|known| {
        let grants = proxied.grants(&known);
        let source = Source {
            assurance: known.assurance,
            ..source
        };
        control.asserted(known.actor(), grants, source, None)
    }))
}

async fn bind(
    console: &Console,
    session: &Session,
    who: &mut Operator,
    is_page: bool,
) -> Result<(), Fault> {
    let key = who.key();
    let before = account_of(session).await?;
    if before.as_ref() == Some(&key) {
        who.session = session.id().map(sessions::hash);
        return Ok(());
    }
    // Programs that keep no cookies would begin a session with each request.
    if before.is_none() && !is_page {
        return Ok(());
    }
    let recorded = console
        .control
        .asserted_session(who, before.as_deref())
        .await;
    if let Err(error) = recorded {
        // Looking goes on without a session; what changes something is refused elsewhere.
        tracing::error!("a session could not be begun: {error}");
        return match before {
            None => Ok(()),
            Some(_) => Err(error.into()),
        };
    }
    sign_in::open(session, &key, &who.source, who.actor.means).await?;
    sign_in::may(session, &who.grants).await
}

async fn account_of(session: &Session) -> Result<Option<String>, Fault> {
    let account = session.get::<String>(sessions::ACCOUNT).await;
    account.map_err(unreadable)
}

/// How the session began. One that does not say may do no more than a password's.
async fn means_of(session: &Session) -> Result<Means, Fault> {
    let means = session.get::<Means>(sessions::MEANS).await;
    means
        .map(|means| means.unwrap_or(Means::Password))
        .map_err(unreadable)
}

fn unreadable(error: tower_sessions::session::Error) -> Fault {
    tracing::error!("cannot read a session: {error}");
    Fault::internal()
}

/// The request's source with the session's mark, in the request as well.
fn marked(request: &mut Request, hash: Option<&str>) -> Source {
    let mut source = request
        .extensions()
        .get::<Source>()
        .cloned()
        .unwrap_or_default();
    source.session = hash.and_then(|hash| hash.get(..SHOWN)).map(str::to_owned);
    request.extensions_mut().insert(source.clone());
    source
}

fn is_page(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT);
    let accepts = accepts.and_then(|accepts| accepts.to_str().ok());
    *request.method() == Method::GET && accepts.is_some_and(|text| text.contains("text/html"))
}

fn is_stream(request: &Request) -> bool {
    *request.method() == Method::GET && request.uri().path() == "/events"
}

/// Floods are cut by whoever keeps the log.
async fn record(console: &Console, doubt: Doubt, source: &Source) {
    metrics::counter!("quorate_identity_refusals_total").increment(1);
    tracing::warn!(
        request_id = source.request_id,
        peer = source.peer,
        "refused: {doubt}"
    );
    let text = format!("Not let in: {doubt}.");
    if let Err(error) = console
        .control
        .record_refusal("identity_refused", &text, source)
        .await
    {
        tracing::error!("cannot record a refusal: {error}");
    }
}

fn refused(doubt: Doubt) -> Fault {
    match doubt {
        Doubt::Expired => Fault::new(
            doubt.status(),
            "identity-expired",
            "What the sign-on proxy said of you has expired.",
            "Load the page again; the proxy will ask you to sign in if it must.",
        ),
        Doubt::NoKeys => Fault::new(
            doubt.status(),
            "identity-keys-unavailable",
            "The sign-on proxy's keys cannot be read now.",
            "Whoever runs this console: see its log, `identity.jwks_url` and `jwks_file`.",
        ),
        _ => Fault::new(
            doubt.status(),
            "identity-refused",
            "Who you are could not be established.",
            "Open the console through its sign-on proxy. The audit log says why this was refused.",
        ),
    }
}
