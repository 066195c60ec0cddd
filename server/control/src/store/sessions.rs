//! Rows of sessions, keyed by the SHA-256 of their ids.

use std::collections::BTreeMap;

use quorate_domain::moment::Timestamp;
use sqlx::{FromRow, Row as _, sqlite::SqliteRow};

use super::{Store, from_json, to_json};
use crate::{ControlError, SessionRecord};

pub(crate) struct StoredSession {
    pub(crate) hash: String,
    pub(crate) record: SessionRecord,
    pub(crate) created_at: Timestamp,
    pub(crate) last_seen: Timestamp,
}

impl FromRow<'_, SqliteRow> for StoredSession {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let data: BTreeMap<String, serde_json::Value> = from_json(row.try_get("data")?)?;
        Ok(Self {
            hash: row.try_get("hash")?,
            record: SessionRecord {
                account: row.try_get("account")?,
                data,
                expires_at: Timestamp::from_unix_ms(row.try_get("expires_at")?),
                peer: row.try_get("peer")?,
                user_agent: row.try_get("user_agent")?,
            },
            created_at: Timestamp::from_unix_ms(row.try_get("created_at")?),
            last_seen: Timestamp::from_unix_ms(row.try_get("last_seen")?),
        })
    }
}

impl Store {
    /// True if the session is new; an id that exists is never taken over.
    pub(crate) async fn session_insert(
        &self,
        hash: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<bool, ControlError> {
        let write = async {
            sqlx::query(
                "INSERT INTO sessions
                     (hash, account, data, created_at, last_seen, expires_at, peer, user_agent)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            )
            .bind(hash)
            .bind(&record.account)
            .bind(to_json(&record.data)?)
            .bind(now.unix_ms())
            .bind(now.unix_ms())
            .bind(record.expires_at.unix_ms())
            .bind(&record.peer)
            .bind(&record.user_agent)
            .execute(&self.write)
            .await
        };
        write
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(ControlError::store("adding a session"))
    }

    /// False if there is none. It may end sooner than it would have, never later.
    pub(crate) async fn session_update(
        &self,
        hash: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<bool, ControlError> {
        let write = async {
            sqlx::query(
                "UPDATE sessions SET account = ?, data = ?, last_seen = ?,
                     expires_at = MIN(expires_at, ?), peer = COALESCE(?, peer),
                     user_agent = COALESCE(?, user_agent)
                 WHERE hash = ?",
            )
            .bind(&record.account)
            .bind(to_json(&record.data)?)
            .bind(now.unix_ms())
            .bind(record.expires_at.unix_ms())
            .bind(&record.peer)
            .bind(&record.user_agent)
            .bind(hash)
            .execute(&self.write)
            .await
        };
        write
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(ControlError::store("saving a session"))
    }

    pub(crate) async fn session(&self, hash: &str) -> Result<Option<StoredSession>, ControlError> {
        sqlx::query_as("SELECT * FROM sessions WHERE hash = ?")
            .bind(hash)
            .fetch_optional(&self.read)
            .await
            .map_err(ControlError::store("reading a session"))
    }

    pub(crate) async fn session_touch(
        &self,
        hash: &str,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        sqlx::query("UPDATE sessions SET last_seen = ? WHERE hash = ?")
            .bind(now.unix_ms())
            .bind(hash)
            .execute(&self.write)
            .await
            .map(|_| ())
            .map_err(ControlError::store("noting a session's use"))
    }

    pub(crate) async fn session_delete(&self, hash: &str) -> Result<bool, ControlError> {
        sqlx::query("DELETE FROM sessions WHERE hash = ?")
            .bind(hash)
            .execute(&self.write)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(ControlError::store("ending a session"))
    }

    /// Signed-in sessions, newest use first.
    pub(crate) async fn sessions(
        &self,
        account: Option<&str>,
    ) -> Result<Vec<StoredSession>, ControlError> {
        sqlx::query_as(
            "SELECT * FROM sessions
             WHERE account IS NOT NULL AND (?1 IS NULL OR account = ?1)
             ORDER BY last_seen DESC",
        )
        .bind(account)
        .fetch_all(&self.read)
        .await
        .map_err(ControlError::store("listing sessions"))
    }

    /// Removes what is over, by either rule.
    pub(crate) async fn sessions_prune(
        &self,
        now: Timestamp,
        last_seen_before: Timestamp,
        created_before: Timestamp,
    ) -> Result<(), ControlError> {
        sqlx::query(
            "DELETE FROM sessions WHERE expires_at <= ? OR last_seen <= ? OR created_at <= ?",
        )
        .bind(now.unix_ms())
        .bind(last_seen_before.unix_ms())
        .bind(created_before.unix_ms())
        .execute(&self.write)
        .await
        .map(|_| ())
        .map_err(ControlError::store("removing sessions that are over"))
    }
}
