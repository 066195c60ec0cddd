//! Who the console is to etcd: a token for a name and a password, renewed before it ends, and
//! what that user may do. Knows nothing of members.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use quorate_domain::{action::Verb, capability::Capability, observation::Note};
use serde_json::{Value, json};
use url::Url;

use super::{
    answers::{Authenticated, User},
    failure::Failure,
    gateway::{Missed, at, read},
};
use crate::{Login, Secret, http::Client};

/// A token lives 300 s unless configured otherwise.
const RENEWED_AFTER: Duration = Duration::from_secs(240);
/// How long it is believed that no sign-in is needed.
const BELIEVED: Duration = Duration::from_secs(60);
/// How often a sign-in that was refused is tried again: hashing passwords costs etcd time.
const TRIED_AGAIN: Duration = Duration::from_secs(15);

/// The least time between two tries: without quorum nobody is signed in, and a look must not wait
/// for that each time.
const BETWEEN: Duration = Duration::from_secs(2);

/// Where the console stands with etcd's authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not asked yet.
    Unknown,
    /// Authentication is off.
    Open,
    /// A configured token is sent as it is; what it may do nobody tells.
    Token,
    /// Signed in; whether the user has the role that changes take.
    SignedIn { root: bool },
    /// etcd asks for a name and a password, and none are configured.
    Needed,
    /// The name and password, or the token, were refused, in etcd's words.
    Refused(String),
}

pub(super) struct Session {
    login: Option<Login>,
    fixed: Option<Secret>,
    state: Mutex<State>,
}

struct State {
    token: Option<Secret>,
    standing: Standing,
    /// When `standing` was found.
    at: Option<Instant>,
    /// When it was last asked for, with or without success.
    tried: Option<Instant>,
}

impl Session {
    pub fn new(login: Option<Login>, fixed: Option<Secret>) -> Self {
        let state = State {
            token: fixed.clone(),
            standing: Standing::Unknown,
            at: None,
            tried: None,
        };
        Self {
            login,
            fixed,
            state: Mutex::new(state),
        }
    }

    pub fn token(&self) -> Option<Secret> {
        self.state().token.clone()
    }

    pub fn standing(&self) -> Standing {
        self.state().standing.clone()
    }

    pub fn username(&self) -> Option<&str> {
        self.login.as_ref().map(|login| login.username.as_str())
    }

    /// Whether to ask anew now. `wanted`: a member has just asked for a token.
    pub fn is_due(&self, wanted: bool) -> bool {
        let state = self.state();
        if state.tried.is_some_and(|tried| tried.elapsed() < BETWEEN) {
            return false;
        }
        let Some(at) = state.at else { return true };
        let believed = match state.standing {
            Standing::SignedIn { .. } | Standing::Open if wanted => Duration::ZERO,
            Standing::SignedIn { .. } => RENEWED_AFTER,
            Standing::Refused(_) => TRIED_AGAIN,
            Standing::Unknown => Duration::ZERO,
            Standing::Open | Standing::Token | Standing::Needed => BELIEVED,
        };
        at.elapsed() >= believed
    }

    /// Signs in at `url`, a member that answers, or finds out that this is not needed.
    /// Nothing is learned if it does not answer; a token that may still hold is kept.
    pub async fn renew(&self, client: &Client, url: &Url, wait: Duration) {
        self.state().tried = Some(Instant::now());
        let found = match &self.login {
            Some(login) => sign_in(client, login, url, wait).await,
            None => probe(client, self.fixed.as_ref(), url, wait).await,
        };
        let Ok((standing, token)) = found else { return };
        let mut state = self.state();
        match (&standing, token) {
            (_, Some(token)) => state.token = Some(token),
            (Standing::Open | Standing::Refused(_), None) => state.token = self.fixed.clone(),
            _ => {}
        }
        state.standing = standing;
        state.at = Some(Instant::now());
    }

    pub fn notes(&self) -> Option<Note> {
        let what = match self.standing() {
            Standing::SignedIn { root: false } => {
                format!("the user {} has not the role root", self.username()?)
            }
            Standing::Needed => "etcd asks for a name and a password".to_owned(),
            Standing::Refused(why) => format!("signing in fails ({why})"),
            _ => return None,
        };
        Some(Note::MissingPermission { what })
    }

    /// What can be done at all, and by this user.
    pub fn capabilities(&self) -> Vec<Capability> {
        let lacks = self.lacks();
        Verb::USUAL
            .into_iter()
            .chain([Verb::Defragment])
            .map(|verb| {
                let exists = verb != Verb::Demote;
                let note = match (exists, &lacks, verb) {
                    (false, _, _) => Some(NO_DEMOTION.to_owned()),
                    (true, Some(lacks), _) => Some(lacks.clone()),
                    (true, None, Verb::AddLearner) => Some(ONE_LEARNER.to_owned()),
                    (true, None, _) => None,
                };
                Capability {
                    action: verb,
                    supported: exists && lacks.is_none(),
                    note,
                    target: true,
                }
            })
            .collect()
    }

    fn lacks(&self) -> Option<String> {
        match self.standing() {
            Standing::SignedIn { root: false } => Some(format!(
                "The console's user {} has not the role root.",
                self.username().unwrap_or_default()
            )),
            Standing::Needed => {
                Some("etcd asks for a name and a password, and none are configured.".to_owned())
            }
            Standing::Refused(why) => Some(format!("The console cannot sign in: {why}.")),
            Standing::Unknown | Standing::Open | Standing::Token | Standing::SignedIn { .. } => {
                None
            }
        }
    }

    /// Never held across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NO_DEMOTION: &str = "etcd cannot turn a voter into a learner: remove it, empty its data directory, and add it again as a learner.";
const ONE_LEARNER: &str =
    "etcd takes one learner at a time, and the newcomer's process is started by hand.";

type Found = (Standing, Option<Secret>);

async fn sign_in(
    client: &Client,
    login: &Login,
    url: &Url,
    wait: Duration,
) -> Result<Found, Missed> {
    let body = json!({ "name": login.username, "password": login.password.reveal() });
    let answer: Result<Authenticated, Missed> =
        read(client, None, &at(url, "auth/authenticate"), &body, wait).await;
    let token = match answer {
        Ok(answer) => Secret::new(answer.token),
        Err(Missed::Failed(failure)) if failure.says("authentication is not enabled") => {
            return Ok((Standing::Open, None));
        }
        Err(Missed::Failed(failure)) if failure.says("authentication failed") => {
            return Ok((Standing::Refused("wrong name or password".to_owned()), None));
        }
        Err(other) => return Err(other),
    };
    // Everybody may ask for themselves.
    let user: Result<User, Missed> = read(
        client,
        Some(&token),
        &at(url, "auth/user/get"),
        &json!({ "name": login.username }),
        wait,
    )
    .await;
    let root = match user {
        Ok(user) => user.roles.iter().any(|role| role.0 == "root"),
        // Unknown: then etcd itself says no where it must.
        Err(_) => true,
    };
    Ok((Standing::SignedIn { root }, Some(token)))
}

/// Without a name and a password: reads one key that nobody uses, which etcd lets pass only with
/// authentication off or a token it knows.
async fn probe(
    client: &Client,
    token: Option<&Secret>,
    url: &Url,
    wait: Duration,
) -> Result<Found, Missed> {
    let body = json!({ "key": "AA==", "serializable": true, "count_only": true });
    let answer: Result<Value, Missed> =
        read(client, token, &at(url, "kv/range"), &body, wait).await;
    let known = if token.is_some() {
        Standing::Token
    } else {
        Standing::Open
    };
    Ok((
        match answer {
            Ok(_) => known,
            Err(Missed::Failed(failure)) => {
                judged(&failure, known).ok_or(Missed::Failed(failure))?
            }
            Err(other) => return Err(other),
        },
        None,
    ))
}

fn judged(failure: &Failure, known: Standing) -> Option<Standing> {
    if failure.asks_for_sign_in() {
        return Some(Standing::Needed);
    }
    if failure.refuses_token() {
        return Some(Standing::Refused("the token is not valid".to_owned()));
    }
    // It knows who asks; that this key is not theirs to read says nothing of the rest.
    failure.says("permission denied").then_some(known)
}
