//! Rows of snapshots taken through this console.

use std::path::PathBuf;

use super::{Store, from_json, to_json};
use crate::{ControlError, Snapshot};

impl Store {
    pub(crate) async fn snapshot_insert(
        &self,
        snapshot: &Snapshot,
        file: Option<&str>,
    ) -> Result<(), ControlError> {
        let write = async {
            sqlx::query(
                "INSERT OR REPLACE INTO snapshots (id, cluster, file, document) VALUES (?, ?, ?, ?)",
            )
            .bind(&snapshot.id)
            .bind(snapshot.cluster.as_str())
            .bind(file)
            .bind(to_json(snapshot)?)
            .execute(&self.write)
            .await
        };
        write
            .await
            .map(|_| ())
            .map_err(ControlError::store("adding a snapshot"))
    }

    /// Newest first, each with the file it is in.
    pub(crate) async fn snapshots(&self) -> Result<Vec<(Snapshot, Option<PathBuf>)>, ControlError> {
        let read = async {
            let rows: Vec<(String, Option<String>)> =
                sqlx::query_as("SELECT document, file FROM snapshots ORDER BY id DESC")
                    .fetch_all(&self.read)
                    .await?;
            rows.into_iter()
                .map(|(text, file)| Ok((from_json(&text)?, file.map(PathBuf::from))))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        read.await.map_err(ControlError::store("listing snapshots"))
    }

    pub(crate) async fn snapshot(
        &self,
        id: &str,
    ) -> Result<Option<(Snapshot, Option<PathBuf>)>, ControlError> {
        let read = async {
            let row: Option<(String, Option<String>)> =
                sqlx::query_as("SELECT document, file FROM snapshots WHERE id = ?")
                    .bind(id)
                    .fetch_optional(&self.read)
                    .await?;
            row.map(|(text, file)| Ok((from_json(&text)?, file.map(PathBuf::from))))
                .transpose()
        };
        read.await
            .map_err(ControlError::store("reading a snapshot"))
    }
}
