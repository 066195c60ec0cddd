//! Sessions in the console's own store: ids hashed, saved by update only, so that an ended
//! session never comes back. How long a session lives is `quorate_control`'s to say.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use quorate_control::{Control, SessionRecord};
use quorate_domain::{moment::Timestamp, permission::Grant};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store::{self, Error},
};

use crate::{guards::problems::Fault, sign_in::unusable, state::Console};

/// Keys of a session's data that the store keeps in columns of their own.
pub const ACCOUNT: &str = "account";
/// How the session began; it says what its person may do without a password.
pub const MEANS: &str = "means";
/// What an OpenID provider said at sign-in.
pub const SIGNED_ON: &str = quorate_control::SIGNED_ON;
/// The mark of what its person might do when it got its id; see [`roles`].
pub const ROLES: &str = "roles";
pub const PEER: &str = "peer";
pub const USER_AGENT: &str = "user_agent";

/// No session outlives this, whatever happens in it, unless configured.
pub const ABSOLUTE: std::time::Duration = std::time::Duration::from_secs(8 * 60 * 60);
/// Nor this long a silence, unless configured.
pub const IDLE: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// SHA-256 of a session's id: enough to end it, useless to use it.
#[must_use]
pub fn hash(id: Id) -> String {
    let digest = Sha256::digest(id.0.to_be_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A mark of what somebody may do: another one where that is something else.
#[must_use]
pub fn roles(grants: &[Grant]) -> String {
    let mut all: Vec<String> = grants.iter().map(|grant| format!("{grant:?}")).collect();
    all.sort();
    let digest = Sha256::digest(all.join("\n"));
    let short = digest.iter().take(8);
    short.map(|byte| format!("{byte:02x}")).collect()
}

/// The same session under a new id, ending when it would have ended, with `more` in it; SHA-256 of
/// the new id. Whoever had the old one has nothing. `None` if the session has ended, or another
/// request was first.
///
/// # Errors
/// If the store cannot be used.
pub async fn renew(
    console: &Console,
    session: &Session,
    before: &str,
    more: Vec<(&str, Value)>,
) -> Result<Option<String>, Fault> {
    let Some(moving) = console.control.session_move(before).await? else {
        return Ok(None);
    };
    session.cycle_id().await.map_err(unusable)?;
    for (key, value) in more {
        session.insert_value(key, value).await.map_err(unusable)?;
    }
    let end = to_moment(moving.record.expires_at);
    session.set_expiry(Some(Expiry::AtDateTime(end)));
    // The new id is given when it is saved.
    session.save().await.map_err(unusable)?;
    // Until here whoever ends sessions waits: this one would be missed.
    drop(moving);
    Ok(session.id().map(hash))
}

/// The layer that reads and writes the session cookie.
pub fn layer(
    control: &Control,
    name: &'static str,
    secure: bool,
    life: std::time::Duration,
) -> SessionManagerLayer<Store> {
    let life = time::Duration::try_from(life).unwrap_or(time::Duration::HOUR);
    SessionManagerLayer::new(Store(control.clone()))
        .with_name(name)
        .with_secure(secure)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(life))
}

/// Browsers keep cookies by host, not by port: no other session of this machine's is overwritten.
pub const EMERGENCY_COOKIE: &str = "quorate-break-glass";

/// The `__Host-` prefix binds the cookie to this host, and needs https.
#[must_use]
pub const fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-quorate" } else { "quorate" }
}

/// The `Set-Cookie` that removes the cookie. It repeats all attributes: without `Secure`
/// browsers ignore it for a `__Host-` name.
#[must_use]
pub fn removal(name: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}")
}

#[derive(Clone)]
pub struct Store(Control);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let stored = to_stored(record);
        self.0
            .session_insert(&hash(record.id), stored)
            .await
            .map_err(|error| failed(&error))
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let updated = self
            .0
            .session_update(&hash(record.id), to_stored(record))
            .await;
        match updated {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Backend("the session has ended".to_owned())),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let stored = self
            .0
            .session_load(&hash(*id))
            .await
            .map_err(|error| failed(&error))?;
        Ok(stored.map(|stored| to_record(*id, stored)))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.0
            .session_delete(&hash(*id))
            .await
            .map_err(|error| failed(&error))
    }
}

fn failed(error: &quorate_control::ControlError) -> Error {
    Error::Backend(error.to_string())
}

fn to_stored(record: &Record) -> SessionRecord {
    let mut data: BTreeMap<String, Value> = record
        .data
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut text = |key: &str| match data.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    SessionRecord {
        account: text(ACCOUNT),
        peer: text(PEER),
        user_agent: text(USER_AGENT),
        data,
        expires_at: to_timestamp(record.expiry_date),
    }
}

fn to_record(id: Id, stored: SessionRecord) -> Record {
    let mut data: HashMap<String, Value> = stored.data.into_iter().collect();
    let texts = [
        (ACCOUNT, stored.account),
        (PEER, stored.peer),
        (USER_AGENT, stored.user_agent),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            data.insert(key.to_owned(), Value::String(text));
        }
    }
    Record {
        id,
        data,
        expiry_date: to_moment(stored.expires_at),
    }
}

fn to_timestamp(moment: OffsetDateTime) -> Timestamp {
    let milliseconds = moment.unix_timestamp_nanos() / 1_000_000;
    Timestamp::from_unix_ms(i64::try_from(milliseconds).unwrap_or(i64::MAX))
}

fn to_moment(timestamp: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(timestamp.unix_ms()) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
