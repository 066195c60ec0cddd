//! Rows of states set by hand.

use quorate_domain::{
    cluster::{ClusterName, MemberId},
    health::Override,
};

use super::{Store, from_json, to_json};
use crate::ControlError;

impl Store {
    pub(crate) async fn override_put(
        &self,
        cluster: &ClusterName,
        manual: &Override,
    ) -> Result<(), ControlError> {
        let write = async {
            sqlx::query(
                "INSERT OR REPLACE INTO overrides (cluster, member, document) VALUES (?, ?, ?)",
            )
            .bind(cluster.as_str())
            .bind(manual.member.as_str())
            .bind(to_json(manual)?)
            .execute(&self.write)
            .await
        };
        write
            .await
            .map(|_| ())
            .map_err(ControlError::store("keeping a state set by hand"))
    }

    pub(crate) async fn override_remove(
        &self,
        cluster: &ClusterName,
        member: &MemberId,
    ) -> Result<(), ControlError> {
        sqlx::query("DELETE FROM overrides WHERE cluster = ? AND member = ?")
            .bind(cluster.as_str())
            .bind(member.as_str())
            .execute(&self.write)
            .await
            .map(|_| ())
            .map_err(ControlError::store("removing a state set by hand"))
    }

    /// Removes the very state that is over: one set anew in the meantime stays.
    pub(crate) async fn override_over(
        &self,
        cluster: &ClusterName,
        over: &Override,
    ) -> Result<(), ControlError> {
        let write = async {
            sqlx::query("DELETE FROM overrides WHERE cluster = ? AND member = ? AND document = ?")
                .bind(cluster.as_str())
                .bind(over.member.as_str())
                .bind(to_json(over)?)
                .execute(&self.write)
                .await
        };
        write
            .await
            .map(|_| ())
            .map_err(ControlError::store("removing a state set by hand"))
    }

    pub(crate) async fn overrides(
        &self,
        cluster: &ClusterName,
    ) -> Result<Vec<Override>, ControlError> {
        let read = async {
            let rows: Vec<String> = sqlx::query_scalar(
                "SELECT document FROM overrides WHERE cluster = ? ORDER BY member",
            )
            .bind(cluster.as_str())
            .fetch_all(&self.read)
            .await?;
            rows.iter()
                .map(|text| from_json(text))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        read.await
            .map_err(ControlError::store("reading states set by hand"))
    }
}
