//! The one connection that writes to the log, and whether its file is still the one that was
//! opened first.

use std::{os::unix::fs::MetadataExt as _, path::Path};

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{Signing, Writer};
use crate::{audit::trouble::Trouble, store};

impl Writer {
    pub(super) async fn probe(&mut self) -> sqlx::Result<()> {
        let probed = match self.connected().await {
            Ok(mut connection) => {
                let probed = self.probe_on(&mut connection).await;
                self.put_back(connection, probed.is_ok()).await;
                probed
            }
            Err(error) => Err(error),
        };
        self.shared.told(probed.as_ref().err());
        probed
    }

    /// Whether the log is what was signed, and takes a row.
    async fn probe_on(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let tree = self.tree(&mut transaction).await?;
        transaction.commit().await?;
        self.tree = Some(tree);
        store::probe(connection).await
    }

    pub(super) async fn connected(&mut self) -> sqlx::Result<SqliteConnection> {
        self.is_same_file()?;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                options(&self.file, self.signing)
                    .create_if_missing(false)
                    .connect()
                    .await?
            }
        };
        if let Some(pages) = self.pages {
            let pragma = format!("PRAGMA max_page_count = {pages}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(pragma))
                .execute(&mut connection)
                .await?;
        }
        Ok(connection)
    }

    /// A file that was removed or replaced goes on taking entries that nobody will ever read.
    fn is_same_file(&self) -> sqlx::Result<()> {
        let found = identity(&self.file);
        match found.is_some() && found == self.identity {
            true => Ok(()),
            false => Err(Trouble::Replaced.into()),
        }
    }

    pub(super) async fn put_back(&mut self, connection: SqliteConnection, sound: bool) {
        if sound {
            self.connection = Some(connection);
        } else {
            self.tree = None;
            self.ring.forget();
            let _closed_anyway = connection.close_hard().await;
        }
    }
}

/// How the writer opens the log. In a console, no commit stops to move what was written ahead.
pub(in crate::audit) fn options(file: &Path, signing: Signing) -> SqliteConnectOptions {
    // What is deleted is overwritten: keys of people, and entries that are removed.
    let options = store::options(file).pragma("secure_delete", "ON");
    match signing {
        Signing::EverySecond => options.pragma("wal_autocheckpoint", "0"),
        Signing::AtOnce => options,
    }
}

/// What tells a file from another of the same name.
pub(in crate::audit) fn identity(file: &Path) -> Option<(u64, u64)> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.dev(), found.ino()))
}
