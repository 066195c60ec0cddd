//! Rows of API tokens, keyed by the SHA-256 of their secrets.

use quorate_domain::moment::Timestamp;
use sqlx::{FromRow, Row as _, sqlite::SqliteRow};

use super::{Store, from_json, to_json};
use crate::{ControlError, Token};

pub(crate) struct StoredToken {
    pub(crate) token: Token,
    /// Who made it: an account's id, or the command line.
    pub(crate) creator: String,
}

impl FromRow<'_, SqliteRow> for StoredToken {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let last: Option<i64> = row.try_get("last_used")?;
        let revoked: Option<i64> = row.try_get("revoked_at")?;
        Ok(Self {
            token: Token {
                id: row.try_get("id")?,
                name: row.try_get("name")?,
                grants: from_json(row.try_get("grants")?)?,
                created_at: Timestamp::from_unix_ms(row.try_get("created_at")?),
                expires_at: Timestamp::from_unix_ms(row.try_get("expires_at")?),
                last_used: last.map(Timestamp::from_unix_ms),
                revoked: revoked.is_some(),
                cut: false,
            },
            creator: row.try_get("creator")?,
        })
    }
}

impl Store {
    pub(crate) async fn tokens(&self) -> Result<Vec<StoredToken>, ControlError> {
        sqlx::query_as("SELECT * FROM tokens ORDER BY revoked_at IS NOT NULL, name, created_at")
            .fetch_all(&self.read)
            .await
            .map_err(ControlError::store("listing tokens"))
    }

    pub(crate) async fn token_by_hash(
        &self,
        hash: &str,
    ) -> Result<Option<StoredToken>, ControlError> {
        sqlx::query_as("SELECT * FROM tokens WHERE hash = ?")
            .bind(hash)
            .fetch_optional(&self.read)
            .await
            .map_err(ControlError::store("reading a token"))
    }

    /// A token by its id, or the live one of this name.
    pub(crate) async fn token_named(
        &self,
        id_or_name: &str,
    ) -> Result<Option<StoredToken>, ControlError> {
        sqlx::query_as(
            "SELECT * FROM tokens WHERE id = ?1 OR name = ?1
             ORDER BY id = ?1 DESC, revoked_at IS NOT NULL, created_at DESC LIMIT 1",
        )
        .bind(id_or_name)
        .fetch_optional(&self.read)
        .await
        .map_err(ControlError::store("reading a token"))
    }

    pub(crate) async fn token_insert(
        &self,
        token: &Token,
        hash: &str,
        creator: &str,
    ) -> Result<(), ControlError> {
        let write = async {
            sqlx::query(
                "INSERT INTO tokens (id, name, hash, grants, creator, created_at, expires_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(&token.id)
            .bind(&token.name)
            .bind(hash)
            .bind(to_json(&token.grants)?)
            .bind(creator)
            .bind(token.created_at.unix_ms())
            .bind(token.expires_at.unix_ms())
            .execute(&self.write)
            .await
        };
        write
            .await
            .map(|_| ())
            .map_err(ControlError::store("adding a token"))
    }

    pub(crate) async fn token_revoke(&self, id: &str, now: Timestamp) -> Result<(), ControlError> {
        sqlx::query("UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
            .bind(now.unix_ms())
            .bind(id)
            .execute(&self.write)
            .await
            .map(|_| ())
            .map_err(ControlError::store("revoking a token"))
    }

    pub(crate) async fn token_used(&self, id: &str, now: Timestamp) -> Result<(), ControlError> {
        sqlx::query("UPDATE tokens SET last_used = ? WHERE id = ?")
            .bind(now.unix_ms())
            .bind(id)
            .execute(&self.write)
            .await
            .map(|_| ())
            .map_err(ControlError::store("noting a token's use"))
    }
}
