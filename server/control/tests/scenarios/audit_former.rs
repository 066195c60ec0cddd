//! What the version before has written: a log of a console that promoted a learner, was asked by a
//! token, got a second key and erased somebody. This version verifies, reads and goes on with it.

use std::{io::Cursor, path::Path};

use quorate_audit::{
    note::{VerifierKey, verifier_keys},
    personal::People,
    tlog_proof::TlogProof,
    verify::{self, Known},
};
use quorate_control::{Control, Format};
use quorate_domain::audit::{ERASED, Entry, Filter};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use crate::audit_signed::{bundle, bytes, keys, verified};

const BUNDLE: &[u8] = include_bytes!("../former/bundle.tar");
const LOG: &str = include_str!("../former/quorate-audit.sql");

fn former_keys() -> Vec<VerifierKey> {
    verifier_keys(include_str!("../former/keys")).unwrap()
}

/// The log as it lay in the data directory; without the private keys.
async fn put(directory: &Path) {
    let options = SqliteConnectOptions::new()
        .filename(directory.join("quorate-audit.db"))
        .create_if_missing(true);
    let mut raw = options.connect().await.unwrap();
    sqlx::raw_sql(LOG).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

#[test]
fn a_bundle_of_the_version_before_is_proved_and_read() {
    let report = bundle(BUNDLE, &former_keys());
    assert!(report.holds(), "{report}");
    assert_eq!((report.size, report.shown, report.erased), (11, 11, 2));
    let mut read = Vec::new();
    verify::read(Cursor::new(BUNDLE), &People::default(), &mut read).unwrap();
    let read = String::from_utf8(read).unwrap();
    let entries: Vec<Entry> = read
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let intent = entries.iter().find(|it| it.action == "promote").unwrap();
    assert_eq!(intent.actor.name, "ci");
    assert_eq!((intent.schema, intent.id.as_deref()), (Some(2), None));
    assert!(!read.contains("anna"), "she was erased");
    assert!(entries.iter().any(|it| !it.sealed.is_empty()));
}

#[test]
fn a_changed_bundle_of_the_version_before_is_found() {
    let at = BUNDLE.windows(12).position(|it| it == b"more voters\"");
    let mut changed = BUNDLE.to_vec();
    changed[at.unwrap()] = b'M';
    let known = Known {
        keys: &former_keys(),
        outside: &[],
    };
    let report = verify::bundle(Cursor::new(changed), known).unwrap();
    assert!(!report.holds(), "{report}");
}

#[test]
fn a_proof_of_the_version_before_holds() {
    let proof = TlogProof::parse(include_str!("../former/entry-3.tlog-proof")).unwrap();
    let entry = include_bytes!("../former/entry-3.json");
    assert_eq!(proof.check(entry, &former_keys()).unwrap().len(), 2);
    assert!(proof.check(b"{}", &former_keys()).is_err());
}

#[tokio::test]
async fn a_log_of_the_version_before_is_verified_and_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path()).await;
    let report = verified(directory.path(), &former_keys(), &[]).await;
    assert!(report.holds(), "{report}");
    assert_eq!((report.size, report.erased, report.unsigned), (13, 2, 0));

    // Its keys are not here, so a new one is made, on purpose.
    let control = Control::offline(directory.path().to_owned()).await.unwrap();
    let machine = control.command_line_operator();
    control.audit_key_renew(&machine).await.unwrap();
    let filter = Filter::default();
    let all = control.audit(&machine, &filter, 0, 100).await.unwrap();
    let (old, new) = all.items.split_at(13);
    assert!(old.iter().all(|entry| entry.schema == Some(2)));
    assert!(!new.is_empty() && new.iter().all(|entry| entry.schema == Some(3)));
    let names: Vec<&str> = old.iter().map(|it| it.actor.name.as_str()).collect();
    assert!(names.contains(&"ci"), "{names:?}");
    assert!(
        !names.contains(&ERASED),
        "who was erased had only been named"
    );

    let exported = control.audit_export(&machine, Format::Bundle, &filter, None);
    let bundled = bytes(&mut exported.await.unwrap());
    let now = keys(&control).await;
    let report = bundle(&bundled, &now);
    assert!(report.holds(), "{report}");
    let csv = control.audit_export(&machine, Format::Csv, &filter, None);
    let table = String::from_utf8(bytes(&mut csv.await.unwrap())).unwrap();
    let ends = |line: &&str| line.ends_with(',');
    assert_eq!(table.lines().filter(ends).count(), 13, "no id of theirs");
    assert!(verified(directory.path(), &now, &[]).await.holds());
}
