//! Object storage: moto's server, which is a stand-in for the store but checks signatures,
//! conditions and locks as the vendor describes them, by the vendor's own library.

use std::process::Command;

use quorate_control::{Content, Outside as _, Parcel, Recipient as _, ReportFile};
use quorate_drivers::Secret;
use quorate_outside::{Lock, LockMode, ObjectSettings, Objects, Tls};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{
    checkpoint, named,
    tools::{self, Program},
};

struct Store {
    _program: Program,
    endpoint: Url,
    key_id: String,
    secret: String,
}

impl Store {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/receivers/storage.py");
        let mut command = Command::new("python3");
        command.arg(script).env("PYTHONPATH", tools::storage());
        let (program, said) = Program::start(&mut command);
        let words: Vec<&str> = said.split(' ').collect();
        let [port, key_id, secret] = words.as_slice() else {
            panic!("{said}");
        };
        Self {
            _program: program,
            endpoint: Url::parse(&format!("http://127.0.0.1:{port}")).unwrap(),
            key_id: (*key_id).to_owned(),
            secret: (*secret).to_owned(),
        }
    }

    fn settings(&self, bucket: &str) -> ObjectSettings {
        ObjectSettings {
            named: named("archive"),
            endpoint: self.endpoint.clone(),
            bucket: bucket.to_owned(),
            prefix: "console 1/".to_owned(),
            region: "us-east-1".to_owned(),
            key_id: self.key_id.clone(),
            secret: Secret::new(self.secret.clone()),
            only_new: true,
            lock: None,
            tls: Tls::default(),
        }
    }
}

#[tokio::test]
async fn objects_are_stored_once_under_keys_that_tell_what_they_are() {
    let store = tokio::task::spawn_blocking(Store::start).await.unwrap();
    let objects = Objects::new(store.settings("audit")).unwrap();
    objects.diagnose().await.unwrap();
    let log = "quorate-audit/test";
    assert_eq!(objects.kept(log, 0).await.unwrap(), None);
    for size in [9, 7, 10] {
        let note = format!("the note over {size}\n");
        objects.keep(&checkpoint(size, &note)).await.unwrap();
    }
    // Given again it is the same; another under its key is refused.
    objects
        .keep(&checkpoint(9, "the note over 9\n"))
        .await
        .unwrap();
    let other = objects.keep(&checkpoint(9, "another\n")).await.unwrap_err();
    assert!(other.contains("it is another"), "{other}");
    let newest = objects.kept(log, 8).await.unwrap();
    assert_eq!(newest.as_deref(), Some("the note over 10\n"));
    assert_eq!(
        objects.kept(log, 11).await.unwrap(),
        None,
        "none reaches as far"
    );

    let entries = Parcel {
        content: Content::Entries(vec![(8, b"{\"seq\":8}".to_vec())]),
        ..checkpoint(8, "")
    };
    objects.keep(&entries).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    std::fs::write(&path, b"a report").unwrap();
    let file = ReportFile {
        report: "board".to_owned(),
        name: "board-2026-12-01.pdf".to_owned(),
        media: "application/pdf".to_owned(),
        bytes: 8,
        sha256: Sha256::digest(b"a report").into(),
        path,
    };
    objects.deliver(&file).await.unwrap();
    objects.deliver(&file).await.unwrap();
    let mut locked = store.settings("locked");
    locked.lock = Some(Lock {
        mode: LockMode::Compliance,
        days: 30,
    });
    let locked = Objects::new(locked).unwrap();
    locked.keep(&checkpoint(7, "locked\n")).await.unwrap();

    let mut stranger = store.settings("audit");
    stranger.secret = Secret::new("not the secret");
    let stranger = Objects::new(stranger).unwrap();
    let error = stranger.keep(&checkpoint(11, "x\n")).await.unwrap_err();
    assert!(error.contains("403"), "{error}");
    assert!(!error.contains("not the secret"), "{error}");
    // A key that may not read tells nothing, which is no failure.
    assert_eq!(stranger.kept(log, 0).await.unwrap(), None);
    let missing = Objects::new(store.settings("nowhere")).unwrap();
    let error = missing.keep(&checkpoint(7, "x\n")).await.unwrap_err();
    assert!(
        error.contains("404") && error.contains("NoSuchBucket"),
        "{error}"
    );
}
