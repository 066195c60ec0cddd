//! How well the log is kept: how far it is signed, how far its copies outside reach.

use quorate_domain::{audit::Standing, moment::Timestamp};

use super::{Audit, reading, reports};
use crate::{
    ControlError,
    store::{entries, removals},
};

impl Audit {
    /// How well it is kept.
    pub(crate) async fn standing(&self, now: Timestamp) -> Result<Standing, ControlError> {
        let newest = self.shared.newest.borrow().clone();
        let signed = newest
            .as_ref()
            .and_then(|stored| quorate_audit::checkpoint::Signed::parse(&stored.note).ok());
        let size = signed.as_ref().map_or(0, |it| it.checkpoint.size);
        let keys = signed
            .iter()
            .flat_map(|it| it.note.named().map(ToString::to_string))
            .collect();
        let gone = removals::blocks(&self.read).await.map_err(reading)?;
        Ok(Standing {
            entries: entries::size(&self.read).await.map_err(reading)?,
            removed: gone * quorate_audit::tree::BLOCK,
            log: signed.map(|it| it.checkpoint.origin),
            signed: size,
            signed_at: newest.map(|stored| stored.time),
            keys,
            copies: self.shared.copies(size, now),
            reports: self
                .reports
                .lock()
                .map(|shown| shown.clone())
                .unwrap_or_default(),
            deliveries: reports::standings(&self.deliveries),
            trouble: self.shared.why(),
        })
    }
}
