//! Sessions: rows by the SHA-256 of their ids; idle and absolute ends; list, end, and go on under
//! another id.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quorate_domain::{
    moment::Timestamp,
    permission::{Permission, allows},
};
use tokio::{
    sync::{OwnedRwLockReadGuard, RwLock, RwLockWriteGuard},
    time::Instant,
};

use crate::{
    Control, ControlError, Operator, Session, SessionRecord, asserted::shown, audit::Draft,
    store::sessions::StoredSession,
};

/// How coarse "last seen" is, in milliseconds: reads must not write each time.
const USE_NOTED_EVERY_MS: u64 = 30_000;
/// So many sessions that went on under another id are remembered: their pages look within a second.
const MOVED_MOST: usize = 1_024;
/// So long an answer with the new id may be on its way to a browser that asks with the former one.
const MOVED_LATELY: Duration = Duration::from_secs(5);

/// Why a session goes on under another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Its person may do something else than when it got the former one.
    OtherRoles,
    /// It does not say what they might do then, as those of a former version of the console.
    Unmarked,
}

/// Sessions that go on under another id.
#[derive(Default)]
pub(crate) struct Moved {
    /// Those that did a moment ago, oldest first.
    gone: Mutex<VecDeque<(String, Instant)>>,
    /// Shared by those who are between two ids, held alone by who ends sessions and would miss them.
    between: Arc<RwLock<()>>,
}

impl Moved {
    fn gone(&self) -> MutexGuard<'_, VecDeque<(String, Instant)>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, hash: &str, now: Instant) {
        let mut gone = self.gone();
        if gone.len() >= MOVED_MOST {
            gone.pop_front();
        }
        gone.push_back((hash.to_owned(), now));
    }

    fn holds(&self, hash: &str) -> bool {
        self.gone().iter().any(|(gone, _)| gone == hash)
    }

    fn lately(&self, hash: &str, now: Instant) -> bool {
        let since = |at: Instant| now.saturating_duration_since(at);
        let gone = self.gone();
        gone.iter()
            .any(|(gone, at)| gone == hash && since(*at) < MOVED_LATELY)
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

    /// Updates only: an ended session never comes back. False if there is none. Whatever end the
    /// record says, it is no later than the one the session has.
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
        self.inner.moved.note(hash, Instant::now());
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

    /// The same of one whose browser may not know the new id yet: a few seconds.
    ///
    /// # Errors
    /// `Store`.
    pub async fn session_moved_lately(&self, hash: &str) -> Result<bool, ControlError> {
        let lately = self.inner.moved.lately(hash, Instant::now());
        // One that is about to move has its former id still.
        Ok(lately && !self.session_alive(hash).await?)
    }

    /// Ends the session of somebody who leaves. False if there is none under this id: it has ended,
    /// or goes on under another.
    ///
    /// # Errors
    /// `Store`.
    pub async fn session_leave(&self, hash: &str) -> Result<bool, ControlError> {
        let _settled = self.inner.moved.settled().await;
        self.inner.store.session_delete(hash).await
    }

    /// Records that the session of `who` goes on under another id than `before`.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    pub async fn session_renewed(
        &self,
        who: &Operator,
        before: &str,
        why: Renewal,
    ) -> Result<(), ControlError> {
        let short = |hash: &str| hash.chars().take(16).collect::<String>();
        let (name, now) = (&who.actor.name, who.session.as_deref().unwrap_or_default());
        let (before, now) = (short(before), short(now));
        let text = match why {
            Renewal::OtherRoles => format!(
                "The roles of {name} are others than before: their session {before} goes on as {now}."
            ),
            Renewal::Unmarked => format!(
                "Session {before} of {name} does not tell which roles they had when it began: it goes on as {now}."
            ),
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_id_is_one_of_lately_for_a_few_seconds_and_of_nobody_else() {
        let (moved, began) = (Moved::default(), Instant::now());
        moved.note("former", began);
        for (hash, after, lately) in [
            ("former", Duration::ZERO, true),
            ("former", MOVED_LATELY / 2, true),
            ("former", MOVED_LATELY, false),
            ("another", Duration::ZERO, false),
        ] {
            assert_eq!(
                moved.lately(hash, began + after),
                lately,
                "{hash} {after:?}"
            );
        }
        // A stream that looks later is told all the same.
        assert!(moved.holds("former") && !moved.holds("another"));
    }
}
