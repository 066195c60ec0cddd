//! A report that is made anew while its former one is on its way.

#![allow(clippy::unwrap_used)]

use super::*;

/// A report of one file, as it waits.
fn waits(folder: &Path, content: &[u8]) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("daily.pdf"), content).unwrap();
    let slip = Slip {
        report: "daily".to_owned(),
        due: Timestamp::default(),
        files: vec![listed(folder, "daily.pdf", "application/pdf").unwrap()],
        folder: PathBuf::new(),
    };
    std::fs::write(folder.join(SLIP), serde_json::to_vec(&slip).unwrap()).unwrap();
}

#[tokio::test]
async fn one_that_was_made_anew_meanwhile_is_not_broken_and_is_not_removed_with_the_former() {
    let directory = tempfile::tempdir().unwrap();
    let folder = outbox_of(directory.path(), "archive").join("1-daily");
    waits(&folder, b"former");
    let former = slip(&folder).unwrap();
    assert_eq!(is_unfit(&folder).await, Ok(false));
    waits(&folder, b"anew");
    assert!(matches!(former.files().await, Err(Unfit::Broken(_))));
    assert_eq!(is_unfit(&folder).await, Ok(false));
    former.remove().await;
    let anew = slip(&folder).unwrap();
    assert!(anew.files().await.is_ok());

    std::fs::write(folder.join("daily.pdf"), b"changed").unwrap();
    assert_eq!(is_unfit(&folder).await, Ok(true));
    anew.remove().await;
    assert!(!folder.exists());
    assert_eq!(is_unfit(&folder).await, Ok(false), "nothing is there");
}
