//! Rows of accounts and their one-time links.

use quorate_domain::{moment::Timestamp, permission::Grant};
use sqlx::{FromRow, Row as _, sqlite::SqliteRow};

use super::{Store, from_json, to_json};
use crate::{Account, ControlError};

/// An account with what never leaves the store.
#[derive(Clone)]
pub(crate) struct StoredAccount {
    pub(crate) account: Account,
    pub(crate) password: Option<String>,
}

impl FromRow<'_, SqliteRow> for StoredAccount {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let password: Option<String> = row.try_get("password")?;
        let last: Option<i64> = row.try_get("last_sign_in")?;
        Ok(Self {
            account: Account {
                id: row.try_get("id")?,
                name: row.try_get("name")?,
                grants: from_json(row.try_get("grants")?)?,
                disabled: row.try_get("disabled")?,
                has_password: password.is_some(),
                created_at: Timestamp::from_unix_ms(row.try_get("created_at")?),
                last_sign_in: last.map(Timestamp::from_unix_ms),
            },
            password,
        })
    }
}

impl Store {
    pub(crate) async fn accounts(&self) -> Result<Vec<StoredAccount>, ControlError> {
        sqlx::query_as("SELECT * FROM accounts ORDER BY name")
            .fetch_all(&self.read)
            .await
            .map_err(ControlError::store("listing accounts"))
    }

    pub(crate) async fn account_named(
        &self,
        name: &str,
    ) -> Result<Option<StoredAccount>, ControlError> {
        sqlx::query_as("SELECT * FROM accounts WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.read)
            .await
            .map_err(ControlError::store("reading an account"))
    }

    pub(crate) async fn account(&self, id: &str) -> Result<Option<StoredAccount>, ControlError> {
        sqlx::query_as("SELECT * FROM accounts WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.read)
            .await
            .map_err(ControlError::store("reading an account"))
    }

    /// The account and its first one-time link, together or not at all.
    pub(crate) async fn account_insert(
        &self,
        account: &Account,
        link_hash: &str,
        link_expires_at: Timestamp,
    ) -> Result<(), ControlError> {
        let write = async {
            let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query(
                "INSERT INTO accounts (id, name, grants, disabled, created_at)
                 VALUES (?, ?, ?, 0, ?)",
            )
            .bind(&account.id)
            .bind(&account.name)
            .bind(to_json(&account.grants)?)
            .bind(account.created_at.unix_ms())
            .execute(&mut *transaction)
            .await?;
            sqlx::query("INSERT INTO links (hash, account, expires_at) VALUES (?, ?, ?)")
                .bind(link_hash)
                .bind(&account.id)
                .bind(link_expires_at.unix_ms())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        write
            .await
            .map_err(ControlError::store("adding an account"))
    }

    /// A new link takes the place of the account's earlier ones.
    pub(crate) async fn link_replace(
        &self,
        account: &str,
        hash: &str,
        expires_at: Timestamp,
    ) -> Result<(), ControlError> {
        let write = async {
            let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("DELETE FROM links WHERE account = ?")
                .bind(account)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("INSERT INTO links (hash, account, expires_at) VALUES (?, ?, ?)")
                .bind(hash)
                .bind(account)
                .bind(expires_at.unix_ms())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        write
            .await
            .map_err(ControlError::store("adding a one-time link"))
    }

    /// The account a link is for, while it may still be used.
    pub(crate) async fn link_account(
        &self,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<StoredAccount>, ControlError> {
        sqlx::query_as(
            "SELECT accounts.* FROM links JOIN accounts ON accounts.id = links.account
             WHERE links.hash = ? AND links.expires_at > ? AND accounts.disabled = 0",
        )
        .bind(hash)
        .bind(now.unix_ms())
        .fetch_optional(&self.read)
        .await
        .map_err(ControlError::store("reading a one-time link"))
    }

    /// True for exactly one caller.
    pub(crate) async fn link_use_up(
        &self,
        hash: &str,
        now: Timestamp,
    ) -> Result<bool, ControlError> {
        sqlx::query("DELETE FROM links WHERE hash = ? AND expires_at > ?")
            .bind(hash)
            .bind(now.unix_ms())
            .execute(&self.write)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(ControlError::store("using up a one-time link"))
    }

    pub(crate) async fn account_signed_in(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        sqlx::query("UPDATE accounts SET last_sign_in = ? WHERE id = ?")
            .bind(now.unix_ms())
            .bind(id)
            .execute(&self.write)
            .await
            .map(|_| ())
            .map_err(ControlError::store("noting a sign-in"))
    }

    pub(crate) async fn account_set_grants(
        &self,
        id: &str,
        grants: &[Grant],
    ) -> Result<(), ControlError> {
        let write = async {
            sqlx::query("UPDATE accounts SET grants = ? WHERE id = ?")
                .bind(to_json(&grants)?)
                .bind(id)
                .execute(&self.write)
                .await
        };
        write
            .await
            .map(|_| ())
            .map_err(ControlError::store("changing an account's grants"))
    }

    /// Disabling also ends the account's sessions and one-time links.
    pub(crate) async fn account_set_disabled(
        &self,
        id: &str,
        disabled: bool,
    ) -> Result<(), ControlError> {
        let write = async {
            let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("UPDATE accounts SET disabled = ? WHERE id = ?")
                .bind(disabled)
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            if disabled {
                sqlx::query("DELETE FROM sessions WHERE account = ?")
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
                sqlx::query("DELETE FROM links WHERE account = ?")
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await
        };
        write
            .await
            .map_err(ControlError::store("disabling an account"))
    }

    /// Replaces only the hash, for changed hashing parameters.
    pub(crate) async fn password_rehashed(
        &self,
        id: &str,
        old: &str,
        new: &str,
    ) -> Result<(), ControlError> {
        sqlx::query("UPDATE accounts SET password = ? WHERE id = ? AND password = ?")
            .bind(new)
            .bind(id)
            .bind(old)
            .execute(&self.write)
            .await
            .map(|_| ())
            .map_err(ControlError::store("renewing a password's hash"))
    }

    /// A new password ends the account's links and all its sessions but `keep`.
    pub(crate) async fn password_set(
        &self,
        id: &str,
        password: &str,
        keep: Option<&str>,
    ) -> Result<(), ControlError> {
        let write = async {
            let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("UPDATE accounts SET password = ? WHERE id = ?")
                .bind(password)
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM sessions WHERE account = ? AND hash IS NOT ?")
                .bind(id)
                .bind(keep)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM links WHERE account = ?")
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        write
            .await
            .map_err(ControlError::store("setting a password"))
    }
}
