//! How many snapshots stay on the console's machine.

use quorate_control::SnapshotsKept;
use quorate_domain::{action::Action, audit::EntryKind};

use crate::stage::{Stage, until};

#[tokio::test]
async fn the_oldest_snapshots_leave_and_each_is_on_record_before() {
    let stage = Stage::small().await;
    stage.control.keep_snapshots(SnapshotsKept {
        count: 2,
        bytes: u64::MAX,
    });
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(stage.done(&Action::Snapshot).await);
    }
    until("two stay and two are gone", || async {
        let listed = stage.control.snapshots(&stage.ada).await.unwrap();
        let here: Vec<bool> = listed.iter().map(|snapshot| snapshot.here).collect();
        (here == [true, true, false, false]).then_some(())
    })
    .await;
    let entries = stage.entries().await;
    let removed: Vec<_> = entries
        .iter()
        .filter(|entry| entry.action == "snapshot_removed")
        .collect();
    let of: Vec<_> = removed.iter().map(|entry| entry.change.clone()).collect();
    let oldest: Vec<_> = taken[..2].iter().map(|it| Some(it.id.clone())).collect();
    assert_eq!(of, oldest, "each once, the oldest first");
    assert!(removed.iter().all(|it| it.kind == EntryKind::Console));
    assert!(removed.iter().all(|it| it.seen["sha256"].is_string()));

    let gone = taken[0].snapshot.clone().unwrap();
    assert!(
        stage
            .control
            .snapshot_file(&stage.ada, &gone)
            .await
            .is_err()
    );
    let newest = taken[3].snapshot.clone().unwrap();
    let file = stage.control.snapshot_file(&stage.ada, &newest).await;
    assert!(file.unwrap().is_file());
}

#[tokio::test]
async fn a_snapshot_that_is_too_large_for_its_place_stays_while_it_is_the_newest() {
    let stage = Stage::small().await;
    stage
        .control
        .keep_snapshots(SnapshotsKept { count: 9, bytes: 1 });
    let first = stage.done(&Action::Snapshot).await;
    let second = stage.done(&Action::Snapshot).await;
    until("the first is gone", || async {
        let listed = stage.control.snapshots(&stage.ada).await.unwrap();
        let here = |id: &Option<String>| {
            let of = listed.iter().find(|it| Some(&it.id) == id.as_ref());
            of.is_some_and(|it| it.here)
        };
        (here(&second.snapshot) && !here(&first.snapshot)).then_some(())
    })
    .await;
}
