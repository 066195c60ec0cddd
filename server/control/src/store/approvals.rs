//! Beside a change that waits for approval: who asked how, and for what it was decided on.

use quorate_domain::job::{Change, ChangeId};

use super::{Store, from_json, to_json};
use crate::{ControlError, approvals::Asking};

impl Store {
    /// The change as it stands and what stands beside it, together.
    pub(crate) async fn asking_put(
        &self,
        change: &Change,
        asking: &Asking,
    ) -> Result<(), ControlError> {
        let write = async {
            sqlx::query("UPDATE changes SET document = ?, asking = ? WHERE id = ? AND final = 0")
                .bind(to_json(change)?)
                .bind(to_json(asking)?)
                .bind(&change.id.0)
                .execute(&self.write)
                .await
        };
        let written = write
            .await
            .map_err(ControlError::store("saving an approval"))?;
        if written.rows_affected() == 1 {
            return Ok(());
        }
        Err(ControlError::Internal {
            doing: "saving an approval of a change that is not open",
        })
    }

    /// `None` for a change that never had to be approved.
    pub(crate) async fn asking(&self, id: &ChangeId) -> Result<Option<Asking>, ControlError> {
        let read = async {
            let document: Option<Option<String>> =
                sqlx::query_scalar("SELECT asking FROM changes WHERE id = ?")
                    .bind(&id.0)
                    .fetch_optional(&self.read)
                    .await?;
            document.flatten().as_deref().map(from_json).transpose()
        };
        read.await
            .map_err(ControlError::store("reading an approval"))
    }
}
