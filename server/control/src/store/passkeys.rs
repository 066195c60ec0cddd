//! Rows of passkeys: public keys, whose they are, and how often they were used.

use quorate_domain::moment::Timestamp;
use sqlx::{FromRow, Row as _, sqlite::SqliteRow};

use super::{Store, signed, unsigned};
use crate::ControlError;

#[derive(Clone)]
pub(crate) struct StoredPasskey {
    pub(crate) id: String,
    /// What the authenticator calls it, as URL-safe text.
    pub(crate) credential: String,
    /// As sessions are kept under.
    pub(crate) person: String,
    pub(crate) name: String,
    /// The public key as the authenticator wrote it.
    pub(crate) key: Vec<u8>,
    pub(crate) counter: u32,
    pub(crate) created_at: Timestamp,
    pub(crate) last_used: Option<Timestamp>,
}

impl FromRow<'_, SqliteRow> for StoredPasskey {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let last: Option<i64> = row.try_get("last_used")?;
        let counter = unsigned(row.try_get("counter")?);
        Ok(Self {
            id: row.try_get("id")?,
            credential: row.try_get("credential")?,
            person: row.try_get("person")?,
            name: row.try_get("name")?,
            key: row.try_get("key")?,
            counter: u32::try_from(counter).unwrap_or(u32::MAX),
            created_at: Timestamp::from_unix_ms(row.try_get("created_at")?),
            last_used: last.map(Timestamp::from_unix_ms),
        })
    }
}

impl Store {
    pub(crate) async fn passkeys(&self) -> Result<Vec<StoredPasskey>, ControlError> {
        sqlx::query_as("SELECT * FROM passkeys ORDER BY person, created_at, id")
            .fetch_all(&self.read)
            .await
            .map_err(ControlError::store("listing passkeys"))
    }

    pub(crate) async fn passkeys_of(
        &self,
        person: &str,
    ) -> Result<Vec<StoredPasskey>, ControlError> {
        sqlx::query_as("SELECT * FROM passkeys WHERE person = ? ORDER BY created_at, id")
            .bind(person)
            .fetch_all(&self.read)
            .await
            .map_err(ControlError::store("listing passkeys"))
    }

    pub(crate) async fn passkey(&self, id: &str) -> Result<Option<StoredPasskey>, ControlError> {
        sqlx::query_as("SELECT * FROM passkeys WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.read)
            .await
            .map_err(ControlError::store("reading a passkey"))
    }

    /// False if there is such a key already, or the person has `most` of them.
    pub(crate) async fn passkey_insert(
        &self,
        passkey: &StoredPasskey,
        most: usize,
    ) -> Result<bool, ControlError> {
        let inserted = sqlx::query(
            "INSERT INTO passkeys (id, credential, person, name, key, counter, created_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
             WHERE (SELECT COUNT(*) FROM passkeys WHERE person = ?3) < ?8
             ON CONFLICT DO NOTHING",
        )
        .bind(&passkey.id)
        .bind(&passkey.credential)
        .bind(&passkey.person)
        .bind(&passkey.name)
        .bind(&passkey.key)
        .bind(i64::from(passkey.counter))
        .bind(passkey.created_at.unix_ms())
        .bind(signed(u64::try_from(most).unwrap_or(u64::MAX)))
        .execute(&self.write)
        .await
        .map_err(ControlError::store("adding a passkey"))?;
        Ok(inserted.rows_affected() == 1)
    }

    /// False if it is gone, or with `keep_one` if it is the last of its person's.
    pub(crate) async fn passkey_remove(
        &self,
        id: &str,
        keep_one: bool,
    ) -> Result<bool, ControlError> {
        let removed = sqlx::query(
            "DELETE FROM passkeys WHERE id = ?1 AND (NOT ?2 OR EXISTS (
                 SELECT 1 FROM passkeys AS other
                 WHERE other.person = passkeys.person AND other.id <> ?1))",
        )
        .bind(id)
        .bind(keep_one)
        .execute(&self.write)
        .await
        .map_err(ControlError::store("removing a passkey"))?;
        Ok(removed.rows_affected() == 1)
    }

    /// False if it is gone, or another use came first.
    pub(crate) async fn passkey_used(
        &self,
        id: &str,
        before: u32,
        counter: u32,
        now: Timestamp,
    ) -> Result<bool, ControlError> {
        let updated = sqlx::query(
            "UPDATE passkeys SET counter = ?, last_used = ? WHERE id = ? AND counter = ?",
        )
        .bind(i64::from(counter))
        .bind(now.unix_ms())
        .bind(id)
        .bind(i64::from(before))
        .execute(&self.write)
        .await
        .map_err(ControlError::store("noting a passkey's use"))?;
        Ok(updated.rows_affected() == 1)
    }
}
