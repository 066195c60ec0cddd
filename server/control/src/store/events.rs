//! Rows of "What happened", and what the watch remembers of each cluster.

use quorate_domain::{
    cluster::{ClusterName, Membership},
    event::Event,
    moment::Timestamp,
};

use super::{Store, from_json, signed, to_json};
use crate::{
    ControlError,
    watch::{KeptPlaces, Seen},
};

/// What was known of a cluster when the console last looked.
#[derive(Default)]
pub(crate) struct Remembered {
    pub(crate) membership: Option<Membership>,
    pub(crate) seen: Option<Seen>,
    pub(crate) places: Option<KeptPlaces>,
}

impl Store {
    pub(crate) async fn events_add(&self, events: &[Event]) -> Result<(), ControlError> {
        let write = async {
            let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
            for event in events {
                sqlx::query("INSERT INTO events (id, cluster, document) VALUES (?, ?, ?)")
                    .bind(signed(event.id))
                    .bind(event.cluster.as_str())
                    .bind(to_json(event)?)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await
        };
        write.await.map_err(ControlError::store("adding events"))
    }

    /// Keeps the newest `keep` of a cluster.
    pub(crate) async fn events_prune(
        &self,
        cluster: &ClusterName,
        keep: u32,
    ) -> Result<(), ControlError> {
        sqlx::query(
            "DELETE FROM events WHERE cluster = ?1 AND id <= COALESCE(
                 (SELECT id FROM events WHERE cluster = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2), 0)",
        )
        .bind(cluster.as_str())
        .bind(keep)
        .execute(&self.write)
        .await
        .map(|_| ())
        .map_err(ControlError::store("removing old events"))
    }

    /// Keeps the newest `keep` of all groups of a program together.
    pub(crate) async fn events_prune_groups(
        &self,
        program: &str,
        keep: u32,
    ) -> Result<(), ControlError> {
        // From `program/` up to what comes after every `program/…`.
        sqlx::query(
            "DELETE FROM events WHERE cluster > ?1 || '/' AND cluster < ?1 || '0' AND id <= COALESCE(
                 (SELECT id FROM events WHERE cluster > ?1 || '/' AND cluster < ?1 || '0'
                  ORDER BY id DESC LIMIT 1 OFFSET ?2), 0)",
        )
        .bind(program)
        .bind(keep)
        .execute(&self.write)
        .await
        .map(|_| ())
        .map_err(ControlError::store("removing old events of groups"))
    }

    /// Newest first.
    pub(crate) async fn events(
        &self,
        cluster: &ClusterName,
        limit: u32,
    ) -> Result<Vec<Event>, ControlError> {
        let read = async {
            let rows: Vec<String> = sqlx::query_scalar(
                "SELECT document FROM events WHERE cluster = ? ORDER BY id DESC LIMIT ?",
            )
            .bind(cluster.as_str())
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
            rows.iter()
                .map(|text| from_json(text))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        read.await.map_err(ControlError::store("reading events"))
    }

    /// Those after the event `after`, from one moment to another (both included), oldest first.
    pub(crate) async fn events_between(
        &self,
        cluster: &ClusterName,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        after: u64,
        limit: u32,
    ) -> Result<Vec<Event>, ControlError> {
        let read = async {
            // Moments are written with the same number of digits, so they sort as text.
            let rows: Vec<String> = sqlx::query_scalar(
                "SELECT document FROM events WHERE cluster = ?1 AND id > ?2
                     AND (?3 IS NULL OR json_extract(document, '$.at') >= ?3)
                     AND (?4 IS NULL OR json_extract(document, '$.at') <= ?4)
                 ORDER BY id LIMIT ?5",
            )
            .bind(cluster.as_str())
            .bind(signed(after))
            .bind(from.map(|at| at.to_string()))
            .bind(to.map(|at| at.to_string()))
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
            rows.iter()
                .map(|text| from_json(text))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        read.await.map_err(ControlError::store("reading events"))
    }

    pub(crate) async fn events_last_id(&self) -> Result<u64, ControlError> {
        sqlx::query_scalar::<_, i64>("SELECT COALESCE(MAX(id), 0) FROM events")
            .fetch_one(&self.read)
            .await
            .map(super::unsigned)
            .map_err(ControlError::store("reading events"))
    }

    pub(crate) async fn remembered(
        &self,
        cluster: &ClusterName,
    ) -> Result<Remembered, ControlError> {
        let read = async {
            let row: Option<(Option<String>, Option<String>, Option<String>)> =
                sqlx::query_as("SELECT membership, seen, places FROM watched WHERE cluster = ?")
                    .bind(cluster.as_str())
                    .fetch_optional(&self.read)
                    .await?;
            let Some((membership, seen, places)) = row else {
                return Ok(Remembered::default());
            };
            Ok(Remembered {
                membership: membership.as_deref().map(from_json).transpose()?,
                seen: seen.as_deref().map(from_json).transpose()?,
                places: places.as_deref().map(from_json).transpose()?,
            })
        };
        read.await.map_err(ControlError::store(
            "reading what is remembered of a cluster",
        ))
    }

    pub(crate) async fn remember(
        &self,
        cluster: &ClusterName,
        membership: Option<&Membership>,
        seen: Option<&Seen>,
        places: Option<&KeptPlaces>,
    ) -> Result<(), ControlError> {
        let write = async {
            sqlx::query(
                "INSERT INTO watched (cluster, membership, seen, places) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET
                     membership = COALESCE(excluded.membership, membership),
                     seen = COALESCE(excluded.seen, seen),
                     places = COALESCE(excluded.places, places)",
            )
            .bind(cluster.as_str())
            .bind(membership.map(to_json).transpose()?)
            .bind(seen.map(to_json).transpose()?)
            .bind(places.map(to_json).transpose()?)
            .execute(&self.write)
            .await
        };
        write.await.map(|_| ()).map_err(ControlError::store(
            "remembering what was seen of a cluster",
        ))
    }
}
