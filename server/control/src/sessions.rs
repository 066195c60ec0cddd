//! Sessions: rows by the SHA-256 of their ids; idle and absolute ends; list, end, and go on under
//! another id.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use quorate_domain::{
    moment::Timestamp,
    permission::{Permission, allows},
};
use tokio::sync::{OwnedRwLockReadGuard, RwLock, RwLockWriteGuard};

use crate::{
    Control, ControlError, Operator, Session, SessionRecord, asserted::shown, audit::Draft,
    store::sessions::StoredSession,
};

/// How coarse "last seen" is, in milliseconds: reads must not write each time.
const USE_NOTED_EVERY_MS: u64 = 30_000;
/// So many sessions that went on under another id are remembered: their pages look within a second.
const MOVED_MOST: usize = 1_024;

/// Sessions that go on under another id.
#[derive(Default)]
pub(crate) struct Moved {
    /// Those that did a moment ago, oldest first.
    gone: Mutex<VecDeque<String>>,
    /// Shared by those who are between two ids, held alone by who ends sessions and would miss them.
    between: Arc<RwLock<()>>,
}

impl Moved {
    fn note(&self, hash: &str) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        if gone.len() >= MOVED_MOST {
            gone.pop_front();
        }
        gone.push_back(hash.to_owned());
    }

    fn holds(&self, hash: &str) -> bool {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.iter().any(|gone| gone == hash)
    }

    /// While it is held every session has the one id that is stored.
    pub(crate) async fn settled(&self) -> RwLockWriteGuard<'_, ()> {
        self.between.write().await
    }
}

/// A session between two ids. To be held until it is stored under the new one: whoever ends
/// sessions waits for that.
#[must_use]
pub struct Moving {
    pub record: SessionRecord,
    _between: OwnedRwLockReadGuard<()>,
}

impl Control {
    /// Inserts a session record; `hash` is SHA-256 of the id.
    ///
    /// # Errors
    /// `Invalid` if there is such a session, `Store`.
    pub async fn session_insert(
        &self,
        hash: &str,
        record: SessionRecord,
    ) -> Result<(), ControlError> {
        if self
            .inner
            .store
            .session_insert(hash, &record, self.now())
            .await?
        {
            return Ok(());
        }
        Err(ControlError::invalid(
            "this session exists already",
            "Take another id.",
        ))
    }

    /// Updates only: an ended session never comes back. False if there is none.
    ///
    /// # Errors
    /// `Store`.
    pub async fn session_update(
        &self,
        hash: &str,
        record: SessionRecord,
    ) -> Result<bool, ControlError> {
        self.inner
            .store
            .session_update(hash, &record, self.now())
            .await
    }

    /// `None` when ended, idle too long or over its absolute life. Counts as a use.
    ///
    /// # Errors
    /// `Store`.
    pub async fn session_load(&self, hash: &str) -> Result<Option<SessionRecord>, ControlError> {
        let now = self.now();
        let Some(stored) = self.inner.store.session(hash).await? else {
            return Ok(None);
        };
        if self.ends_at(&stored) <= now {
            self.inner.store.session_delete(hash).await?;
            return Ok(None);
        }
        if now.since(stored.last_seen) > USE_NOTED_EVERY_MS {
            // Being able to read does not depend on being able to write.
            if let Err(error) = self.inner.store.session_touch(hash, now).await {
                tracing::warn!(%error, "the use of a session could not be noted");
            }
        }
        let mut record = stored.record;
        record.expires_at = record.expires_at.min(self.absolute_end(stored.created_at));
        Ok(Some(record))
    }

    /// Whether the session goes on; does not count as a use. For streams that stay open.
    ///
    /// # Errors
    /// `Store`.
    pub async fn session_alive(&self, hash: &str) -> Result<bool, ControlError> {
        let now = self.now();
        let found = self.inner.store.session(hash).await?;
        Ok(found.is_some_and(|stored| self.ends_at(&stored) > now))
    }

    /// Ends this id so that its session can go on under another: what it holds, for one caller only.
    /// `None` if it has ended, or another was first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn session_move(&self, hash: &str) -> Result<Option<Moving>, ControlError> {
        let between = Arc::clone(&self.inner.moved.between).read_owned().await;
        let Some(record) = self.session_load(hash).await? else {
            return Ok(None);
        };
        // Before it ends: a stream that finds it ended asks whether it has moved.
        self.inner.moved.note(hash);
        let ours = self.inner.store.session_delete(hash).await?;
        self.inner.tick();
        Ok(ours.then_some(Moving {
            record,
            _between: between,
        }))
    }

    /// Whether a session that is no more went on under another id, a moment ago.
    #[must_use]
    pub fn session_has_moved(&self, hash: &str) -> bool {
        self.inner.moved.holds(hash)
    }

    /// Records that the session of `who` goes on under another id, since they may do something else
    /// than when it got the one `before`.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    pub async fn session_renewed(&self, who: &Operator, before: &str) -> Result<(), ControlError> {
        let short = |hash: &str| hash.chars().take(16).collect::<String>();
        let (name, now) = (&who.actor.name, who.session.as_deref().unwrap_or_default());
        let text = format!(
            "The roles of {name} are others than before: their session {} goes on as {}.",
            short(before),
            short(now)
        );
        let draft = Draft::access(who, "session_renewed", text);
        self.inner.audit.append(draft).await.map(|_| ())
    }

    /// # Errors
    /// `Store`.
    pub async fn session_delete(&self, hash: &str) -> Result<(), ControlError> {
        self.inner.store.session_delete(hash).await.map(|_| ())
    }

    /// Own sessions; all of them for those who may administer.
    ///
    /// # Errors
    /// `Store`.
    pub async fn sessions(&self, who: &Operator) -> Result<Vec<Session>, ControlError> {
        let now = self.now();
        let all = allows(&who.grants, Permission::Administer, None);
        let own = who.key();
        let account = if all { None } else { Some(own.as_str()) };
        let names: std::collections::HashMap<String, String> = self
            .inner
            .store
            .accounts()
            .await?
            .into_iter()
            .map(|stored| (stored.account.id, stored.account.name))
            .collect();
        let stored = self.inner.store.sessions(account).await?;
        let live = stored
            .into_iter()
            .filter(|stored| self.ends_at(stored) > now);
        Ok(live
            .map(|stored| {
                let id = stored.record.account.clone().unwrap_or_default();
                Session {
                    account: names.get(&id).cloned().unwrap_or_else(|| shown(&id)),
                    created_at: stored.created_at,
                    last_seen: stored.last_seen,
                    expires_at: self.ends_at(&stored),
                    current: who.session.as_deref() == Some(stored.hash.as_str()),
                    hash: stored.hash,
                    peer: stored.record.peer,
                    user_agent: stored.record.user_agent,
                }
            })
            .collect())
    }

    /// Ends one's own session, or anybody's for those who may administer.
    ///
    /// # Errors
    /// `NotAllowed`, `NotFound`, `AuditUnavailable`.
    pub async fn session_end(&self, who: &Operator, hash: &str) -> Result<(), ControlError> {
        let found = self.inner.store.session(hash).await?;
        let account = found
            .as_ref()
            .and_then(|stored| stored.record.account.clone());
        if account.as_deref() != Some(who.key().as_str()) {
            self.must_administer(who, "session_ended").await?;
        }
        let short: String = hash.chars().take(16).collect();
        let Some(account) = account else {
            return Err(ControlError::not_found("session", &short));
        };
        let name = self.inner.store.account(&account).await?;
        let name = name.map_or_else(|| shown(&account), |stored| stored.account.name);
        let text = format!("Session {short} of {name} was ended.");
        let (control, hash) = (self.clone(), hash.to_owned());
        let draft = Draft::access(who, "session_ended", text).naming(&name);
        self.recorded(draft, async move {
            let _settled = control.inner.moved.settled().await;
            match control.inner.store.session_delete(&hash).await? {
                true => Ok(()),
                // It went on under another id, or ended by itself.
                false => Err(ControlError::not_found("session", &short)),
            }
        })
        .await
    }

    /// Whether anybody's session of this account goes on.
    pub(crate) async fn sessions_open(&self, account: &str) -> Result<bool, ControlError> {
        let now = self.now();
        let stored = self.inner.store.sessions(Some(account)).await?;
        Ok(stored.iter().any(|stored| self.ends_at(stored) > now))
    }

    /// Removes sessions that are over.
    pub(crate) async fn sessions_prune(&self) -> Result<(), ControlError> {
        let now = self.now();
        let idle = now.minus_ms(milliseconds(self.inner.session_idle));
        let absolute = now.minus_ms(milliseconds(self.inner.session_absolute));
        self.inner.store.sessions_prune(now, idle, absolute).await
    }

    fn ends_at(&self, stored: &StoredSession) -> Timestamp {
        let idle = stored
            .last_seen
            .plus_ms(milliseconds(self.inner.session_idle));
        idle.min(self.absolute_end(stored.created_at))
            .min(stored.record.expires_at)
    }

    fn absolute_end(&self, created_at: Timestamp) -> Timestamp {
        created_at.plus_ms(milliseconds(self.inner.session_absolute))
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
