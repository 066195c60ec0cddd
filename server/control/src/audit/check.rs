//! The log held against its own hashes while the console runs: entries that were changed behind
//! its back are found, and from then on nothing is written.

use quorate_audit::tree::{BLOCK, Frontier};

use super::{Audit, trouble::Trouble};
use crate::store::{checkpoints, removals};

impl Audit {
    /// Reads every complete block once and compares. Blocks themselves are held against the signed
    /// checkpoint when the log is taken up.
    pub(crate) async fn check(&self) -> sqlx::Result<()> {
        let blocks = checkpoints::blocks(&self.read, u64::MAX >> 1).await?;
        for (number, told) in (0..).zip(blocks) {
            let (start, end) = (number * BLOCK, (number + 1) * BLOCK);
            let mut frontier = Frontier::default();
            for leaf in removals::leaves_of(&self.read, start, end).await? {
                frontier.append(leaf);
            }
            if frontier.size() != BLOCK || frontier.root() != told {
                self.shared.break_off(Trouble::Changed { size: end });
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
