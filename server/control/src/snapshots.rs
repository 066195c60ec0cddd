//! Snapshots taken through this console: where they are, whether they are whole, who took them
//! away, how many stay.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use quorate_domain::{
    cluster::ClusterName,
    job::ChangeId,
    permission::{Permission, allows},
};
use quorate_drivers::{Exchange, SnapshotReceipt};
use sha2::{Digest as _, Sha256};

use crate::{
    Control, ControlError, Operator, Snapshot,
    audit::Draft,
    jobs::{Ending, Job},
    secrets, store,
};

mod keeping;

pub(crate) use keeping::Shelf;
pub use keeping::SnapshotsKept;

const DIRECTORY: &str = "snapshots";

/// Where the snapshot of a change is written. Names of clusters are no paths.
pub(crate) fn file(data_dir: &Path, cluster: &ClusterName, change: &ChangeId) -> PathBuf {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() || matches!(character, '-' | '_') {
            character
        } else {
            '_'
        }
    };
    let cluster: String = cluster.as_str().chars().take(64).map(plain).collect();
    data_dir
        .join(DIRECTORY)
        .join(format!("{cluster}-{change}.snap"))
}

/// The directory snapshots are written to, for the owner alone.
pub(crate) fn prepare(data_dir: &Path) -> Result<(), ControlError> {
    store::private_directory(&data_dir.join(DIRECTORY))
}

impl Job {
    /// Verified to its end by the driver; now it gets its row.
    pub(crate) async fn snapshot_taken(
        &self,
        receipt: SnapshotReceipt,
        exchange: Exchange,
    ) -> Ending {
        let here = receipt.file.as_deref().is_some_and(Path::is_file);
        let snapshot = Snapshot {
            id: self.id.0.clone(),
            cluster: self.watched.name().clone(),
            change: self.id.clone(),
            at: self.now(),
            bytes: receipt.bytes,
            sha256: receipt.sha256,
            index: receipt.index,
            term: receipt.term,
            here,
        };
        let file = receipt.file.as_ref().map(|file| file.display().to_string());
        if let Err(error) = self
            .control
            .inner
            .store
            .snapshot_insert(&snapshot, file.as_deref())
            .await
        {
            tracing::error!(%error, "a snapshot could not be listed");
            let text = format!("The snapshot is whole, but could not be listed: {error}.");
            return Ending::failed(text, Some(exchange));
        }
        let control = self.control.clone();
        self.control.inner.jobs.spawn(async move {
            if let Err(error) = control.snapshots_prune().await {
                tracing::warn!(%error, "older snapshots could not be removed");
            }
        });
        let mut ending = Ending::succeeded(taken(&snapshot)).with(exchange);
        ending.snapshot = Some(snapshot.id);
        ending
    }

    /// After a restart: a driver renames the file into place only once it is verified.
    pub(crate) async fn snapshot_found(&self) -> Ending {
        let file = self.snapshot_file();
        match digest(file.clone()).await {
            Ok((bytes, sha256)) => {
                let receipt = SnapshotReceipt {
                    file: Some(file),
                    bytes: Some(bytes),
                    sha256: Some(sha256),
                    index: None,
                    term: None,
                    member: None,
                };
                self.snapshot_taken(receipt, Exchange::default()).await
            }
            Err(_absent) => Ending::unknown(
                "The console was restarted while the snapshot was taken; none is here.",
                None,
            ),
        }
    }
}

fn taken(snapshot: &Snapshot) -> String {
    let index = snapshot
        .index
        .map(|index| format!(" up to index {index}"))
        .unwrap_or_default();
    match (snapshot.here, snapshot.bytes) {
        (true, Some(bytes)) => format!("A snapshot of {bytes} bytes{index} is here, verified."),
        (true, None) => format!("A snapshot{index} is here, verified."),
        (false, _) => format!("The backend took and keeps a snapshot{index}."),
    }
}

/// Size and SHA-256 of a file, off the runtime's threads.
async fn digest(file: PathBuf) -> std::io::Result<(u64, String)> {
    let work = move || {
        let mut open = std::fs::File::open(&file)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0_u8; 1 << 16];
        let mut bytes = 0_u64;
        loop {
            let count = open.read(&mut buffer)?;
            let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
                break;
            };
            hash.update(read);
            bytes += u64::try_from(count).unwrap_or(0);
        }
        Ok((bytes, secrets::hex(&hash.finalize())))
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()))
}

impl Control {
    /// Newest first, of the clusters `who` may see.
    ///
    /// # Errors
    /// `Store`.
    pub async fn snapshots(&self, who: &Operator) -> Result<Vec<Snapshot>, ControlError> {
        let stored = self.inner.store.snapshots().await?;
        let seen = stored.into_iter().filter(|(snapshot, _)| {
            self.snapshot_permission(who, Permission::View, &snapshot.cluster)
        });
        Ok(seen
            .map(|(mut snapshot, file)| {
                snapshot.here = file.as_deref().is_some_and(Path::is_file);
                snapshot
            })
            .collect())
    }

    /// Path of the verified file; records the download in the audit log first.
    ///
    /// # Errors
    /// `NotAllowed`, `NotFound`, `Invalid` (the file is not what was verified),
    /// `AuditUnavailable`.
    pub async fn snapshot_file(&self, who: &Operator, id: &str) -> Result<PathBuf, ControlError> {
        let missing = || ControlError::not_found("snapshot", id);
        let found = self.inner.store.snapshot(id).await?;
        let seen = found.filter(|(snapshot, _)| {
            self.snapshot_permission(who, Permission::View, &snapshot.cluster)
        });
        let download = Permission::DownloadSnapshot;
        let anywhere = who
            .grants
            .iter()
            .any(|grant| quorate_domain::permission::carried_by(download).contains(&grant.role));
        let Some((snapshot, file)) = seen else {
            // Who may download nothing learns nothing about what there is.
            let action = "snapshot_downloaded";
            return Err(match anywhere {
                true => missing(),
                false => self.not_allowed(who, download, action, None).await,
            });
        };
        if !self.snapshot_permission(who, download, &snapshot.cluster) {
            let cluster = Some(&snapshot.cluster);
            return Err(self
                .not_allowed(who, download, "snapshot_downloaded", cluster)
                .await);
        }
        let file = file.ok_or_else(missing)?;
        let (_, sha256) = digest(file.clone()).await.map_err(|_| missing())?;
        if snapshot
            .sha256
            .as_ref()
            .is_some_and(|expected| *expected != sha256)
        {
            return Err(ControlError::invalid(
                "the snapshot's file is not the one that was verified",
                "Take a new snapshot, and find out who wrote to the data directory.",
            ));
        }
        let text = format!(
            "The snapshot of {} taken at {} was downloaded.",
            snapshot.cluster,
            snapshot.at.in_words()
        );
        let mut draft = Draft::access(who, "snapshot_downloaded", text);
        draft.cluster = Some(snapshot.cluster);
        draft.change = Some(snapshot.change);
        self.inner.audit.append(draft).await?;
        Ok(file)
    }

    fn snapshot_permission(
        &self,
        who: &Operator,
        permission: Permission,
        cluster: &ClusterName,
    ) -> bool {
        let tags = self
            .inner
            .clusters
            .get(cluster)
            .map(|watched| watched.place().1);
        allows(
            &who.grants,
            permission,
            Some((cluster, tags.unwrap_or_default())),
        )
    }
}
