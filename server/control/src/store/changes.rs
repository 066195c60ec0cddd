//! Rows of changes, the cluster's one place for them, and Idempotency-Keys.

use quorate_domain::{
    job::{Change, ChangeId, ChangeState},
    moment::Timestamp,
};

use sha2::{Digest as _, Sha256};

use super::{Store, from_json, to_json};
use crate::ControlError;

/// A repeat is told from another request by the digest of what was asked.
pub(crate) struct Key {
    pub(crate) actor: String,
    pub(crate) key: String,
    pub(crate) digest: String,
}

/// What became of a try to put a change in its place.
pub(crate) enum Placed {
    Done,
    /// The key was used before, for the same request.
    Repeat(ChangeId),
    /// The key was used before, for another request.
    KeyReused,
    /// Another open change holds the cluster's place.
    Busy,
}

/// One open change may hold each place of a cluster: 1 for what changes it, 0 for a snapshot. In a
/// program of many groups each group has two places of its own, by the digest of its name.
fn slot(change: &Change) -> i64 {
    let place = i64::from(change.action.takes_the_slot());
    let Some(group) = &change.group else {
        return place;
    };
    let digest = Sha256::digest(group.as_bytes());
    let high = digest
        .iter()
        .take(7)
        .fold(1_i64, |sum, byte| (sum << 8) | i64::from(*byte));
    (high << 1) | place
}

/// Where a change stands apart that waits for approval: in no place of its cluster, and never in
/// another one's way.
fn apart(id: &ChangeId) -> i64 {
    let digest = Sha256::digest(id.0.as_bytes());
    let high = digest
        .iter()
        .take(7)
        .fold(1_i64, |sum, byte| (sum << 8) | i64::from(*byte));
    -high
}

impl Store {
    /// The change's row and its key, together or not at all.
    pub(crate) async fn change_insert(
        &self,
        change: &Change,
        key: Option<&Key>,
    ) -> Result<Placed, ControlError> {
        match self.change_try_insert(change, key).await {
            Ok(placed) => Ok(placed),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(Placed::Busy),
            // The row is the first part of the record: without it nothing is done.
            Err(source) => Err(ControlError::AuditUnavailable { source }),
        }
    }

    async fn change_try_insert(&self, change: &Change, key: Option<&Key>) -> sqlx::Result<Placed> {
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(key) = key {
            let known: Option<(String, String)> = sqlx::query_as(
                "SELECT digest, change FROM idempotency WHERE actor = ? AND key = ?",
            )
            .bind(&key.actor)
            .bind(&key.key)
            .fetch_optional(&mut *transaction)
            .await?;
            if let Some((digest, id)) = known {
                return Ok(placed_before(key, &digest, id));
            }
        }
        sqlx::query(
            "INSERT INTO changes (id, cluster, final, slot, document) VALUES (?, ?, 0, ?, ?)",
        )
        .bind(&change.id.0)
        .bind(change.cluster.as_str())
        .bind(match change.state {
            ChangeState::WaitingApproval => apart(&change.id),
            _ => slot(change),
        })
        .bind(to_json(change)?)
        .execute(&mut *transaction)
        .await?;
        if let Some(key) = key {
            sqlx::query("INSERT INTO idempotency (actor, key, digest, change) VALUES (?, ?, ?, ?)")
                .bind(&key.actor)
                .bind(&key.key)
                .bind(&key.digest)
                .bind(&change.id.0)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(Placed::Done)
    }

    /// A change that stood apart takes its place, if that is free.
    pub(crate) async fn change_take_place(&self, change: &Change) -> Result<Placed, ControlError> {
        let taken = sqlx::query("UPDATE changes SET slot = ? WHERE id = ? AND final = 0")
            .bind(slot(change))
            .bind(&change.id.0)
            .execute(&self.write)
            .await;
        match taken {
            Ok(taken) if taken.rows_affected() == 1 => Ok(Placed::Done),
            Ok(_) => Err(ControlError::Internal {
                doing: "placing a change that is not open",
            }),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(Placed::Busy),
            Err(source) => Err(ControlError::AuditUnavailable { source }),
        }
    }

    /// It stands apart again: it was not begun.
    pub(crate) async fn change_leave_place(&self, change: &Change) -> Result<(), ControlError> {
        sqlx::query("UPDATE changes SET slot = ? WHERE id = ? AND final = 0")
            .bind(apart(&change.id))
            .bind(&change.id.0)
            .execute(&self.write)
            .await
            .map(|_| ())
            .map_err(ControlError::store("taking a change out of its place"))
    }

    /// Whether this key was used before.
    pub(crate) async fn change_by_key(&self, key: &Key) -> Result<Option<Placed>, ControlError> {
        let known: Option<(String, String)> =
            sqlx::query_as("SELECT digest, change FROM idempotency WHERE actor = ? AND key = ?")
                .bind(&key.actor)
                .bind(&key.key)
                .fetch_optional(&self.read)
                .await
                .map_err(ControlError::store("reading an Idempotency-Key"))?;
        Ok(known.map(|(digest, id)| placed_before(key, &digest, id)))
    }

    /// Forgets the keys of changes that ended and were asked for before `moment`: a repeat of such a
    /// request would be a new one. The time stands at the beginning of a change's id.
    pub(crate) async fn keys_forget(&self, moment: Timestamp) -> Result<(), ControlError> {
        let hex = format!("{:012x}", moment.unix_ms().max(0));
        let (high, low) = hex.split_at(8);
        sqlx::query(
            "DELETE FROM idempotency WHERE change < ?
             AND change IN (SELECT id FROM changes WHERE final = 1)",
        )
        .bind(format!("{high}-{low}"))
        .execute(&self.write)
        .await
        .map(|_| ())
        .map_err(ControlError::store("forgetting keys of old requests"))
    }

    /// Takes back a change whose intent could not be recorded: it never was.
    pub(crate) async fn change_forget(&self, id: &ChangeId) -> Result<(), ControlError> {
        sqlx::query("DELETE FROM changes WHERE id = ? AND final = 0")
            .bind(&id.0)
            .execute(&self.write)
            .await
            .map(|_| ())
            .map_err(ControlError::store("taking back a change"))
    }

    pub(crate) async fn change_update(&self, change: &Change) -> Result<(), ControlError> {
        let write = async {
            sqlx::query("UPDATE changes SET document = ?, final = ? WHERE id = ?")
                .bind(to_json(change)?)
                .bind(change.state.is_final())
                .bind(&change.id.0)
                .execute(&self.write)
                .await
        };
        write
            .await
            .map(|_| ())
            .map_err(ControlError::store("saving a change"))
    }

    /// What the backend answered, kept for the case that the console dies before the outcome.
    pub(crate) async fn change_answered(
        &self,
        id: &ChangeId,
        answer: &str,
    ) -> Result<(), ControlError> {
        sqlx::query("UPDATE changes SET answer = ? WHERE id = ?")
            .bind(answer)
            .bind(&id.0)
            .execute(&self.write)
            .await
            .map(|_| ())
            .map_err(ControlError::store("saving a change's answer"))
    }

    pub(crate) async fn change(&self, id: &str) -> Result<Option<Change>, ControlError> {
        let read = async {
            let document: Option<String> =
                sqlx::query_scalar("SELECT document FROM changes WHERE id = ?")
                    .bind(id)
                    .fetch_optional(&self.read)
                    .await?;
            document.as_deref().map(from_json).transpose()
        };
        read.await.map_err(ControlError::store("reading a change"))
    }

    /// Open changes with the answer their backend gave, oldest first.
    pub(crate) async fn changes_open(&self) -> Result<Vec<(Change, Option<String>)>, ControlError> {
        let read = async {
            let rows: Vec<(String, Option<String>)> =
                sqlx::query_as("SELECT document, answer FROM changes WHERE final = 0 ORDER BY id")
                    .fetch_all(&self.read)
                    .await?;
            rows.into_iter()
                .map(|(text, answer)| Ok((from_json(&text)?, answer)))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        read.await
            .map_err(ControlError::store("reading open changes"))
    }

    /// Final ones only, newest first, of these clusters, before `before` (a change's id).
    pub(crate) async fn changes_ended(
        &self,
        clusters: &[String],
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Change>, ControlError> {
        let read = async {
            let rows: Vec<String> = sqlx::query_scalar(
                "SELECT document FROM changes
                 WHERE final = 1 AND cluster IN (SELECT value FROM json_each(?1))
                   AND (?2 IS NULL OR id < ?2)
                 ORDER BY id DESC LIMIT ?3",
            )
            .bind(to_json(&clusters)?)
            .bind(before)
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
            rows.iter()
                .map(|text| from_json(text))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        read.await.map_err(ControlError::store("listing changes"))
    }

    /// The newest changes of all clusters, newest first.
    pub(crate) async fn changes_newest(&self, limit: u32) -> Result<Vec<Change>, ControlError> {
        let read = async {
            let rows: Vec<String> = sqlx::query_scalar(
                "SELECT document FROM changes WHERE final = 1 ORDER BY id DESC LIMIT ?",
            )
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
            rows.iter()
                .map(|text| from_json(text))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        read.await.map_err(ControlError::store("listing changes"))
    }

    /// Clusters that ever had a change, registered now or not.
    pub(crate) async fn changed_clusters(&self) -> Result<Vec<String>, ControlError> {
        sqlx::query_scalar("SELECT DISTINCT cluster FROM changes")
            .fetch_all(&self.read)
            .await
            .map_err(ControlError::store("listing changes"))
    }
}

fn placed_before(key: &Key, digest: &str, id: String) -> Placed {
    if digest == key.digest {
        Placed::Repeat(ChangeId(id))
    } else {
        Placed::KeyReused
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use quorate_domain::moment::Timestamp;
    use uuid::{NoContext, Uuid};

    use super::Store;

    #[tokio::test]
    async fn only_keys_of_old_changes_that_ended_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).await.unwrap();
        let moment = 1_800_000_000_u64;
        for (key, seconds, ended) in [
            ("old and ended", moment - 60, true),
            ("old and open", moment - 60, false),
            ("newer", moment + 1, true),
        ] {
            let at = uuid::Timestamp::from_unix(NoContext, seconds, 0);
            let id = Uuid::new_v7(at).to_string();
            sqlx::query("INSERT INTO changes (id, cluster, final, slot, document) VALUES (?, 'blue', ?, 1, '{}')")
                .bind(&id)
                .bind(ended)
                .execute(&store.write)
                .await
                .unwrap();
            sqlx::query(
                "INSERT INTO idempotency (actor, key, digest, change) VALUES ('ada', ?, 'd', ?)",
            )
            .bind(key)
            .bind(&id)
            .execute(&store.write)
            .await
            .unwrap();
        }
        let moment = Timestamp::from_unix_ms(i64::try_from(moment * 1_000).unwrap());
        store.keys_forget(moment).await.unwrap();
        let left: Vec<(String,)> = sqlx::query_as("SELECT key FROM idempotency ORDER BY key")
            .fetch_all(&store.read)
            .await
            .unwrap();
        let left: Vec<_> = left.iter().map(|(key,)| key.as_str()).collect();
        assert_eq!(left, ["newer", "old and open"]);
    }
}
