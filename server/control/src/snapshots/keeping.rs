//! How many snapshots stay on this machine: of each cluster the newest, within a number and a size.
//! Their rows stay, and say that the content is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use quorate_domain::cluster::ClusterName;
use serde_json::json;

use crate::{Control, ControlError, Snapshot, audit::Draft};

/// What stays of each cluster. The newest always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotsKept {
    pub count: u64,
    /// Of all files together.
    pub bytes: u64,
}

impl Default for SnapshotsKept {
    fn default() -> Self {
        Self {
            count: 10,
            bytes: 10 * 1024 * 1024 * 1024,
        }
    }
}

impl SnapshotsKept {
    /// How many stay of files of these sizes, newest first.
    fn of(self, sizes: impl IntoIterator<Item = u64>) -> usize {
        let (mut count, mut bytes) = (0_u64, 0_u64);
        let staying = sizes.into_iter().take_while(|size| {
            count += 1;
            bytes = bytes.saturating_add(*size);
            count == 1 || (count <= self.count && bytes <= self.bytes)
        });
        staying.count()
    }
}

/// What is to stay, and what could not be removed.
#[derive(Default)]
pub(crate) struct Shelf {
    /// Nothing is removed before it is told.
    kept: OnceLock<SnapshotsKept>,
    /// One removes at a time.
    removing: tokio::sync::Mutex<()>,
    /// On record as removed, and there still: not tried, nor recorded, again before the next start.
    stuck: Mutex<BTreeSet<PathBuf>>,
}

impl Shelf {
    fn is_stuck(&self, file: &Path) -> bool {
        let stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.contains(file)
    }

    fn sticks(&self, file: PathBuf) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.insert(file);
    }
}

impl Control {
    /// From now on no more stays: what is beyond is removed after each snapshot and every ten
    /// minutes, the oldest first, and each is an entry of the audit log. The first word counts.
    pub fn keep_snapshots(&self, kept: SnapshotsKept) {
        let _ = self.inner.shelf.kept.set(kept);
    }

    /// Removes what is beyond.
    ///
    /// # Errors
    /// `Store`, and `AuditUnavailable`: what cannot be recorded stays.
    pub(crate) async fn snapshots_prune(&self) -> Result<(), ControlError> {
        let shelf = &self.inner.shelf;
        let Some(kept) = shelf.kept.get() else {
            return Ok(());
        };
        let _one = shelf.removing.lock().await;
        let mut here: BTreeMap<ClusterName, Vec<(Snapshot, PathBuf)>> = BTreeMap::new();
        for (snapshot, file) in self.inner.store.snapshots().await? {
            if let Some(file) = file.filter(|file| file.is_file()) {
                let of_cluster = here.entry(snapshot.cluster.clone()).or_default();
                of_cluster.push((snapshot, file));
            }
        }
        for snapshots in here.into_values() {
            let sizes = snapshots
                .iter()
                .map(|(snapshot, _)| snapshot.bytes.unwrap_or(0));
            let staying = kept.of(sizes);
            let leaving = snapshots.into_iter().skip(staying).rev();
            for (snapshot, file) in leaving.filter(|(_, file)| !shelf.is_stuck(file)) {
                self.snapshot_remove(snapshot, file, *kept).await?;
            }
        }
        Ok(())
    }

    /// First the record, then the deed.
    async fn snapshot_remove(
        &self,
        snapshot: Snapshot,
        file: PathBuf,
        kept: SnapshotsKept,
    ) -> Result<(), ControlError> {
        let text = format!(
            "The snapshot of {} taken at {} is removed from this machine: newer ones are kept.",
            snapshot.cluster,
            snapshot.at.in_words()
        );
        let mut draft = Draft::console("snapshot_removed", text);
        draft.seen = json!({
            "bytes": snapshot.bytes,
            "sha256": snapshot.sha256,
            "keep": kept.count,
            "keep_mb": kept.bytes / (1024 * 1024),
        });
        draft.cluster = Some(snapshot.cluster);
        draft.change = Some(snapshot.change);
        self.inner.audit.append(draft).await?;
        if let Err(error) = tokio::fs::remove_file(&file).await {
            tracing::error!(%error, file = %file.display(), "a snapshot could not be removed");
            self.inner.shelf.sticks(file);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::SnapshotsKept;

    #[test]
    fn the_newest_stay_within_number_and_size_and_the_very_newest_always() {
        let kept =
            |count, bytes, sizes: &[u64]| SnapshotsKept { count, bytes }.of(sizes.iter().copied());
        assert_eq!(kept(3, 100, &[1, 1, 1, 1, 1]), 3);
        assert_eq!(kept(3, 100, &[1, 1]), 2);
        assert_eq!(kept(9, 100, &[60, 40, 1]), 2);
        assert_eq!(kept(9, 100, &[60, 41, 1]), 1, "no older one instead");
        assert_eq!(kept(9, 100, &[500, 1]), 1);
        assert_eq!(kept(0, 0, &[500, 1]), 1);
        assert_eq!(kept(1, u64::MAX, &[u64::MAX, u64::MAX]), 1);
        assert_eq!(kept(5, 5, &[]), 0);
    }
}
