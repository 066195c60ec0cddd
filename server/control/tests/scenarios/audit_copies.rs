//! Copies of the log outside: streams go on where they ended, one that hangs holds up nothing, and
//! one that is behind for too long is an alarm and on record.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use quorate_audit::outside::Gathered;
use quorate_control::{
    Content, Outside, OutsideFile, Parcel, Terms, What, hold_entries, verify_log,
};
use quorate_domain::{
    audit::CopyStanding,
    health::{Finding, FindingCode, Severity},
};

use crate::stage::{Stage, source, until};

const TAKES: u8 = 0;
const REFUSES: u8 = 1;
const HANGS: u8 = 2;

/// A place that does as it is told.
struct Place {
    terms: Terms,
    does: Arc<AtomicU8>,
    given: Arc<Mutex<Vec<Parcel>>>,
    /// What it says when it is asked what it keeps.
    kept: Mutex<Result<Option<String>, String>>,
}

impl Place {
    fn new(what: What, does: u8) -> (Arc<Self>, Arc<AtomicU8>) {
        let mut terms = Terms::of("keeper");
        terms.what = what;
        terms.alarm_after = Duration::from_millis(400);
        let does = Arc::new(AtomicU8::new(does));
        let place = Self {
            terms,
            does: Arc::clone(&does),
            given: Arc::default(),
            kept: Mutex::new(Ok(None)),
        };
        (Arc::new(place), does)
    }

    fn numbers(&self) -> Vec<u64> {
        let given = self.given.lock().unwrap();
        let entries = given.iter().flat_map(|parcel| match &parcel.content {
            Content::Entries(entries) => entries.clone(),
            Content::Checkpoint { .. } => Vec::new(),
        });
        entries.map(|(seq, _)| seq).collect()
    }
}

impl Outside for Place {
    fn name(&self) -> &str {
        "keeper"
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    fn keep<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            match self.does.load(Ordering::SeqCst) {
                TAKES => {
                    self.given.lock().unwrap().push(parcel.clone());
                    Ok(())
                }
                REFUSES => Err("it answers 500".to_owned()),
                _ => std::future::pending().await,
            }
        })
    }

    fn kept<'a>(
        &'a self,
        _log: &'a str,
        _size: u64,
    ) -> BoxFuture<'a, Result<Option<String>, String>> {
        let kept = self.kept.lock().unwrap().clone();
        Box::pin(async { kept })
    }
}

async fn copy(stage: &Stage) -> CopyStanding {
    let standing = stage.control.audit_standing(&stage.ada).await.unwrap();
    standing.copies.into_iter().next().unwrap()
}

/// What is wrong with the console itself, as somebody with every right is told.
fn own(stage: &Stage, code: FindingCode) -> Option<Finding> {
    let mut all = stage.control.problems(&stage.ada).into_iter();
    let found = all.find(|(cluster, it)| cluster.is_none() && it.code == code);
    found.map(|(_, finding)| finding)
}

async fn recorded(stage: &Stage, action: &str) -> usize {
    let entries = stage.entries().await;
    entries
        .iter()
        .filter(|entry| entry.action == action)
        .count()
}

/// `more` entries in the log.
async fn refusals(stage: &Stage, more: u8) {
    for number in 0..more {
        let peer = source(&format!("10.9.0.{number}"));
        until("the log took it", || async {
            let refused = stage.control.record_refusal("forged_origin", "no", &peer);
            refused.await.ok()
        })
        .await;
    }
}

async fn caught_up(stage: &Stage) -> CopyStanding {
    until("the copy has everything", || async {
        let standing = stage.control.audit_standing(&stage.ada).await.unwrap();
        let copy = standing.copies.into_iter().next()?;
        (copy.reaches == standing.entries && copy.error.is_none()).then_some(copy)
    })
    .await
}

#[tokio::test]
async fn a_stream_of_entries_goes_on_where_it_ended() {
    let stage = Stage::small().await;
    let (place, _) = Place::new(What::Entries, TAKES);
    refusals(&stage, 5).await;
    let places: Vec<Arc<dyn Outside>> = vec![place.clone()];
    stage.control.audit_copies(places).await.unwrap();
    caught_up(&stage).await;
    // Given a second time, it has noted how far it came the first time.
    refusals(&stage, 1).await;
    let first = caught_up(&stage).await.reaches;
    stage.control.stop().await;
    let before = place.numbers();
    assert!(before.len() >= usize::try_from(first).unwrap());
    assert!(
        (1..).zip(&before).all(|(number, seq)| number == *seq),
        "{before:?}"
    );

    let (directory, cluster) = (stage.directory, stage.cluster);
    drop(stage.control);
    let stage = Stage::again(directory, cluster).await;
    let (place, _) = Place::new(What::Entries, TAKES);
    let places: Vec<Arc<dyn Outside>> = vec![place.clone()];
    stage.control.audit_copies(places).await.unwrap();
    caught_up(&stage).await;
    let after = place.numbers();
    let begins = after[0];
    assert!(
        begins > 1 && begins <= before[before.len() - 1] + 1,
        "{before:?} {after:?}"
    );
    assert!(
        (begins..).zip(&after).all(|(number, seq)| number == *seq),
        "{after:?}"
    );
}

/// A receiver that hangs must not hold up the log: OpenBao's documentation of audit devices.
#[tokio::test]
async fn a_copy_that_hangs_holds_up_nothing_and_is_an_alarm_until_it_has_caught_up() {
    let stage = Stage::small().await;
    let (place, does) = Place::new(What::Checkpoints, HANGS);
    stage.control.audit_copies(vec![place]).await.unwrap();
    refusals(&stage, 20).await;
    let alarm = until("it is an alarm", || async {
        let copy = copy(&stage).await;
        copy.alarm.then_some(copy)
    })
    .await;
    assert!(alarm.behind > 0);
    let found = until("it stands among the problems", || async {
        own(&stage, FindingCode::AuditCopyBehind)
    })
    .await;
    assert!(found.text.contains("keeper"), "{}", found.text);
    assert_eq!(found.severity, Severity::Bad);
    let again = own(&stage, FindingCode::AuditCopyBehind);
    assert_eq!(again.map(|it| it.since), Some(found.since));
    until("the alarm is on record", || async {
        (recorded(&stage, "audit_copy_behind").await == 1).then_some(())
    })
    .await;
    assert_eq!(recorded(&stage, "audit_copy_caught_up").await, 0);
    does.store(TAKES, Ordering::SeqCst);
    // It is given up after its time, and given again.
    caught_up(&stage).await;
    until("it is no problem any more", || async {
        let late = own(&stage, FindingCode::AuditCopyBehind);
        let fails = own(&stage, FindingCode::AuditCopyFails);
        late.or(fails).is_none().then_some(())
    })
    .await;
    until("that it has caught up is on record", || async {
        (recorded(&stage, "audit_copy_caught_up").await > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_that_refuses_is_told_once_and_given_everything_when_it_comes_back() {
    let stage = Stage::small().await;
    let (place, does) = Place::new(What::Entries, REFUSES);
    let places: Vec<Arc<dyn Outside>> = vec![place.clone()];
    stage.control.audit_copies(places).await.unwrap();
    until("it fails", || async {
        let error = copy(&stage).await.error;
        error.filter(|error| error.contains("500"))
    })
    .await;
    refusals(&stage, 3).await;
    does.store(TAKES, Ordering::SeqCst);
    let reaches = caught_up(&stage).await.reaches;
    assert_eq!(recorded(&stage, "audit_copy_failed").await, 1);
    let numbers = place.numbers();
    let all: Vec<u64> = (1..=reaches).collect();
    assert_eq!(numbers[..all.len()], all);
}

#[tokio::test]
async fn one_that_cannot_be_asked_what_it_keeps_is_given_nothing_before_it_was() {
    let stage = Stage::small().await;
    let (place, _) = Place::new(What::Checkpoints, TAKES);
    *place.kept.lock().unwrap() = Err("it cannot be reached".to_owned());
    let places: Vec<Arc<dyn Outside>> = vec![place.clone()];
    stage.control.audit_copies(places).await.unwrap();
    refusals(&stage, 3).await;
    until("it is on record that it fails", || async {
        (recorded(&stage, "audit_copy_failed").await == 1).then_some(())
    })
    .await;
    assert!(place.given.lock().unwrap().is_empty());
    *place.kept.lock().unwrap() = Ok(None);
    caught_up(&stage).await;
    assert!(!place.given.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_full_disk_outside_is_a_failing_copy_and_nothing_else() {
    let stage = Stage::small().await;
    // Every write to it says that the disk is full.
    let full = OutsideFile::new("/dev/full".into());
    stage
        .control
        .audit_copies(vec![Arc::new(full)])
        .await
        .unwrap();
    until("it fails", || async { copy(&stage).await.error }).await;
    refusals(&stage, 3).await;
    assert!(stage.control.ready().await.is_ok());
}

#[tokio::test]
async fn entries_kept_in_a_file_find_what_was_replaced() {
    let stage = Stage::small().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("entries");
    let mut terms = Terms::of("keeper");
    terms.what = What::Entries;
    let place = OutsideFile::with(file.clone(), "keeper".to_owned(), terms);
    refusals(&stage, 4).await;
    stage
        .control
        .audit_copies(vec![Arc::new(place)])
        .await
        .unwrap();
    caught_up(&stage).await;
    stage.control.stop().await;
    let kept = std::fs::read_to_string(&file).unwrap();
    let held = async |kept: &str| {
        let mut gathered = Gathered::default();
        gathered.read(kept).unwrap();
        let known = quorate_audit::verify::Known::default();
        let directory = stage.directory.path();
        let mut report = verify_log(directory, known).await.unwrap();
        hold_entries(directory, &gathered, &mut report)
            .await
            .unwrap();
        report
    };
    let report = held(&kept).await;
    assert!(report.faults().is_empty(), "{report}");
    let other = kept.replacen("forged_origin", "forged_origim", 1);
    assert_ne!(other, kept);
    let report = held(&other).await;
    assert!(
        report
            .to_string()
            .contains("is not the one that was copied outside"),
        "{report}"
    );
    // Outside there is more than here: the newest were cut off here.
    let more = format!("{kept}{{\"seq\":400,\"text\":\"later\"}}\n");
    let report = held(&more).await;
    assert!(report.to_string().contains("are missing"), "{report}");
}
