//! openraft's own suite for log stores and state machines, on ours; and what it does not cover.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use openraft::{
    StorageError,
    testing::log::{StoreBuilder, Suite},
};
use quorate_demo::{LogStore, Machine, types::TypeConfig};
use tempfile::TempDir;

struct InAFolder;

impl StoreBuilder<TypeConfig, LogStore, Machine, TempDir> for InAFolder {
    async fn build(&self) -> Result<(TempDir, LogStore, Machine), StorageError<TypeConfig>> {
        let dir = TempDir::new().unwrap();
        let log = LogStore::open(dir.path()).unwrap();
        let machine = Machine::open(dir.path()).unwrap();
        Ok((dir, log, machine))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_pass_openrafts_own_suite() {
    Suite::test_all(InAFolder).await.unwrap();
}
