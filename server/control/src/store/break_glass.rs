//! Rows of the links for emergencies. One that was used stays, since people are told of it.

use quorate_domain::moment::Timestamp;

use super::Store;
use crate::ControlError;

impl Store {
    pub(crate) async fn break_glass_add(
        &self,
        hash: &str,
        reason: &str,
        by: &str,
        expires_at: Timestamp,
    ) -> Result<(), ControlError> {
        sqlx::query(
            "INSERT INTO break_glass (hash, reason, made_by, expires_at) VALUES (?, ?, ?, ?)",
        )
        .bind(hash)
        .bind(reason)
        .bind(by)
        .bind(expires_at.unix_ms())
        .execute(&self.write)
        .await
        .map(|_| ())
        .map_err(ControlError::store("keeping a break-glass link"))
    }

    /// Who made the link and why, once.
    pub(crate) async fn break_glass_use(
        &self,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<(String, String)>, ControlError> {
        sqlx::query_as(
            "UPDATE break_glass SET used_at = ?1
             WHERE hash = ?2 AND used_at IS NULL AND expires_at > ?1
             RETURNING made_by, reason",
        )
        .bind(now.unix_ms())
        .bind(hash)
        .fetch_optional(&self.write)
        .await
        .map_err(ControlError::store("using up a break-glass link"))
    }

    /// Who came in last, why and when, if not before `since`.
    pub(crate) async fn break_glass_newest(
        &self,
        since: Timestamp,
    ) -> Result<Option<(String, String, Timestamp)>, ControlError> {
        let found: Option<(String, String, i64)> = sqlx::query_as(
            "SELECT made_by, reason, used_at FROM break_glass
             WHERE used_at > ? ORDER BY used_at DESC LIMIT 1",
        )
        .bind(since.unix_ms())
        .fetch_optional(&self.read)
        .await
        .map_err(ControlError::store("reading break-glass links"))?;
        Ok(found.map(|(by, reason, at)| (by, reason, Timestamp::from_unix_ms(at))))
    }
}
