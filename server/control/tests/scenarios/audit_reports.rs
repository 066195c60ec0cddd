//! Reports of the audit log: made when asked for, and when their time has come.

use std::{
    io::Read as _,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::future::BoxFuture;
use quorate_audit::{
    manifest::hex,
    note::verifier_keys,
    verify::{self, Known},
};
use quorate_control::{
    ControlError, Every, Export, Format, Keeping, Language, Recipient, ReportFile, ReportPlan,
};
use quorate_domain::{
    audit::{Entry, Filter, Outcome, ReportStanding},
    moment::Timestamp,
};
use serde_json::{Value, json};

use crate::stage::{CLUSTER, Stage, promote, until};

fn bytes(export: &mut Export) -> Vec<u8> {
    let mut bytes = Vec::new();
    export.content.read_to_end(&mut bytes).unwrap();
    bytes
}

async fn report(stage: &Stage, language: Language, filter: &Filter, upto: Option<u64>) -> Export {
    let control = &stage.control;
    let made = control.audit_export_in(&stage.ada, language, Format::Pdf, filter, upto);
    made.await.unwrap()
}

#[tokio::test]
async fn a_report_comes_with_its_bundle_and_is_the_same_every_time() {
    let stage = Stage::small().await;
    stage.done(&promote("n4")).await;
    let filter = Filter {
        cluster: Some(CLUSTER.to_owned()),
        ..Filter::default()
    };
    let mut first = report(&stage, Language::English, &filter, None).await;
    let size = first.size;
    let pdf = bytes(&mut first);
    assert!(pdf.starts_with(b"%PDF-1.7"));
    let mut bundle = first.bundle.take().unwrap();
    let recorded = stage.entries().await.pop().unwrap();
    assert_eq!(recorded.action, "audit_exported");
    assert_eq!(recorded.sent["sha256"], hex(&first.sha256));
    assert_eq!(recorded.sent["bundle_sha256"], hex(&bundle.sha256));

    let who = stage.control.command_line_operator();
    let keys = stage.control.audit_signers(&who).await.unwrap().join("\n");
    let keys = verifier_keys(&keys).unwrap();
    let content = bytes(&mut bundle);
    let known = Known {
        keys: &keys,
        outside: &[],
    };
    let verified = verify::bundle(std::io::Cursor::new(&content), known).unwrap();
    assert!(verified.holds(), "{verified}");
    assert_eq!((verified.size, verified.shown), (size, 2));

    // The log has grown since; up to the same entry nothing is different.
    let mut again = report(&stage, Language::English, &filter, Some(size)).await;
    assert!(bytes(&mut again) == pdf);
    let mut chinese = report(&stage, Language::Chinese, &filter, Some(size)).await;
    assert!(bytes(&mut chinese) != pdf);
    assert_ne!(chinese.name, first.name);
    assert_eq!(chinese.bundle.unwrap().sha256, bundle.sha256);
    // A bundle of its own is the one that the report names.
    let (control, ada) = (&stage.control, &stage.ada);
    let alone = control.audit_export(ada, Format::Bundle, &filter, Some(size));
    let alone = alone.await.unwrap();
    assert_eq!((alone.sha256, alone.name), (bundle.sha256, bundle.name));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_given_out() {
    let stage = Stage::small().await;
    // Something is signed already; what is missing is the room for a record.
    let who = stage.control.command_line_operator();
    stage.control.audit_signed(&who).await.unwrap();
    crate::audit_log::fill_up(&stage).await;
    let everything = Filter::default();
    for format in Format::ALL {
        let export = stage
            .control
            .audit_export(&stage.ada, format, &everything, None);
        let refused = export.await;
        assert!(
            matches!(refused, Err(ControlError::AuditUnavailable { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn events_for_other_systems_are_one_a_line() {
    let stage = Stage::small().await;
    stage.done(&promote("n4")).await;
    let everything = Filter::default();
    let (control, ada) = (&stage.control, &stage.ada);
    let export = control.audit_export(ada, Format::Ocsf, &everything, None);
    let mut export = export.await.unwrap();
    let lines = String::from_utf8(bytes(&mut export)).unwrap();
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(u64::try_from(events.len()).unwrap(), export.entries);
    let promotion = events.iter().find(|it| it["api"]["operation"] == "promote");
    let promotion = promotion.unwrap();
    assert_eq!(promotion["class_uid"], 6003);
    // The record itself travels along, to the byte.
    let seq = promotion["metadata"]["sequence"].as_u64().unwrap();
    let stored: Entry = serde_json::from_str(promotion["raw_data"].as_str().unwrap()).unwrap();
    assert_eq!(stored.seq, seq);
}

/// A report of every day, due twelve hours ago, whose newest one was made `days` before that.
fn plan(stage: &Stage, folder: &Path, days: u64) -> ReportPlan {
    const MINUTE: u64 = 60_000;
    const DAY: u64 = 1_440 * MINUTE;
    let epoch = Timestamp::from_unix_ms(0);
    let minutes = stage.control.now().minus_ms(DAY / 2).since(epoch) / MINUTE;
    let made = epoch.plus_ms(minutes * MINUTE - days * DAY);
    let memory = json!({ "daily": { "up_to": made, "files": [] } });
    let file = stage.directory.path().join("audit-reports.json");
    std::fs::write(file, memory.to_string()).unwrap();
    ReportPlan {
        name: "daily".to_owned(),
        every: Every::Day,
        minute: u16::try_from(minutes % 1_440).unwrap(),
        format: Format::Pdf,
        language: Language::English,
        filter: Filter::default(),
        folder: Some(folder.to_path_buf()),
        deliver_to: Vec::new(),
    }
}

async fn standing(stage: &Stage, what: &str, is: fn(&ReportStanding) -> bool) -> ReportStanding {
    until(what, || async {
        let standing = stage.control.audit_standing(&stage.ada).await.unwrap();
        standing.reports.into_iter().next().filter(is)
    })
    .await
}

async fn made(stage: &Stage, action: &str) -> Vec<Entry> {
    let mut entries = stage.entries().await;
    entries.retain(|entry| entry.action == action);
    entries
}

#[tokio::test]
async fn what_a_stopped_console_missed_is_made_up_once() {
    let stage = Stage::small().await;
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&stage, folder.path(), 3);
    stage
        .control
        .audit_reports(vec![plan], Keeping::default(), Vec::new());
    let shown = standing(&stage, "the report is delivered", |it| it.file.is_some()).await;
    assert_eq!(shown.error, None);
    assert!(shown.next > stage.control.now());
    let file = shown.file.unwrap();
    assert!(
        file.starts_with("daily-") && file.ends_with(".pdf"),
        "{file}"
    );
    let pdf = std::fs::read(folder.path().join(&file)).unwrap();
    assert!(pdf.starts_with(b"%PDF"));
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|it| it.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.contains(&format!("{file}.manifest")), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with(".tar")), "{names:?}");

    let entries = made(&stage, "audit_report_made").await;
    assert_eq!(entries.len(), 1, "one over all three days");
    let sent = &entries[0].sent;
    let time = |name: &str| Timestamp::parse(sent["filter"][name].as_str().unwrap()).unwrap();
    assert_eq!(time("to").since(time("from")), 3 * 86_400_000);
    assert_eq!(sent["file"], file.as_str());
}

#[tokio::test]
async fn a_report_that_cannot_be_delivered_is_told_once_and_shown() {
    let stage = Stage::small().await;
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("not mounted");
    let plan = plan(&stage, &missing, 1);
    stage
        .control
        .audit_reports(vec![plan], Keeping::default(), Vec::new());
    let shown = standing(&stage, "the failure is shown", |it| it.error.is_some()).await;
    assert_eq!(shown.file, None);
    assert!(shown.error.unwrap().contains("not mounted"));
    assert_eq!(made(&stage, "audit_report_failed").await.len(), 1);
    assert_eq!(made(&stage, "audit_report_made").await.len(), 0);
}

/// The name under which something was delivered, and its bytes.
type Delivered = (String, Vec<u8>);

/// A recipient that refuses until it is told not to.
struct Archive {
    takes: Arc<AtomicBool>,
    got: Arc<Mutex<Vec<Delivered>>>,
}

impl Recipient for Archive {
    fn name(&self) -> &str {
        "archive"
    }

    fn deliver<'a>(&'a self, file: &'a ReportFile) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            if !self.takes.load(Ordering::SeqCst) {
                return Err("it answers 503".to_owned());
            }
            let bytes = std::fs::read(&file.path).map_err(|error| error.to_string())?;
            assert_eq!(u64::try_from(bytes.len()).unwrap(), file.bytes);
            self.got.lock().unwrap().push((file.name.clone(), bytes));
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_report_waits_for_its_recipient_over_restarts_and_arrives_as_it_was_made() {
    let stage = Stage::small().await;
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(&stage, folder.path(), 1);
    plan.deliver_to = vec!["archive".to_owned()];
    let (takes, got) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let archive = || -> Vec<Arc<dyn Recipient>> {
        vec![Arc::new(Archive {
            takes: Arc::clone(&takes),
            got: Arc::clone(&got),
        })]
    };
    let plans = vec![plan.clone()];
    let control = &stage.control;
    control.audit_reports(plans.clone(), Keeping::default(), archive());
    let shown = standing(&stage, "the report is in the folder", |it| {
        it.file.is_some()
    })
    .await;
    let file = shown.file.unwrap();
    until("the delivery fails", || async {
        let standing = control.audit_standing(&stage.ada).await.unwrap();
        let delivery = standing.deliveries.into_iter().next()?;
        let fails = delivery.error.is_some_and(|error| error.contains("503"));
        (fails && delivery.waiting == 1).then_some(())
    })
    .await;
    control.stop().await;

    let (directory, cluster) = (stage.directory, stage.cluster);
    drop(stage.control);
    let stage = Stage::again(directory, cluster).await;
    takes.store(true, Ordering::SeqCst);
    stage
        .control
        .audit_reports(plans, Keeping::default(), archive());
    until("it arrived", || async {
        let standing = stage.control.audit_standing(&stage.ada).await.unwrap();
        let delivery = standing.deliveries.into_iter().next()?;
        (delivery.waiting == 0 && delivery.last.is_some()).then_some(())
    })
    .await;
    let got = got.lock().unwrap().clone();
    assert_eq!(got.len(), 3, "the report, its digests, its bundle");
    assert_eq!(got.last().unwrap().0, file, "the report itself comes last");
    for (name, bytes) in &got {
        let delivered = std::fs::read(folder.path().join(name)).unwrap();
        assert!(*bytes == delivered, "{name}");
    }
    let delivered = made(&stage, "audit_report_delivered").await;
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].sent["to"], "archive");
    assert_eq!(made(&stage, "audit_delivery_failed").await.len(), 1);
    let made = made(&stage, "audit_report_made").await;
    assert_eq!(made.len(), 1);
    assert_eq!(
        made[0].sent["sha256"],
        delivered[0].sent["files"][0]["sha256"]
    );
}

#[tokio::test]
async fn one_that_was_changed_while_it_waited_is_set_aside_and_holds_up_nothing() {
    let stage = Stage::small().await;
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(&stage, folder.path(), 1);
    plan.deliver_to = vec!["archive".to_owned()];
    plan.folder = None;
    // Two more wait already, and are older: one without what it lists, one that nobody can read.
    let outbox = stage.directory.path().join("audit-outbox/archive");
    for (name, slip) in [
        (
            "00000000000001-lost",
            json!({ "report": "lost", "due": stage.control.now().minus_ms(1), "files": [{
                "name": "lost.pdf", "media": "application/pdf", "bytes": 1, "sha256": "00" }] }),
        ),
        ("00000000000002-torn", json!("no slip")),
    ] {
        std::fs::create_dir_all(outbox.join(name)).unwrap();
        std::fs::write(outbox.join(name).join("slip.json"), slip.to_string()).unwrap();
    }
    let got: Arc<Mutex<Vec<Delivered>>> = Arc::default();
    let archive = Arc::new(Archive {
        takes: Arc::new(AtomicBool::new(true)),
        got: Arc::clone(&got),
    });
    let control = &stage.control;
    control.audit_reports(vec![plan], Keeping::default(), vec![archive]);
    let standing = until("the new one arrived", || async {
        let standing = control.audit_standing(&stage.ada).await.unwrap();
        let delivery = standing.deliveries.into_iter().next()?;
        (delivery.last.is_some() && delivery.waiting == 0).then_some(delivery)
    })
    .await;
    assert_eq!((standing.set_aside, standing.error), (2, None));
    assert_eq!(got.lock().unwrap().len(), 3);
    let aside = made(&stage, "audit_report_set_aside").await;
    assert_eq!(aside.len(), 2);
    let lost = aside.iter().find(|it| it.sent["report"] == "lost").unwrap();
    assert_eq!(lost.outcome, Some(Outcome::Failed));
    assert!(lost.text.contains("lost.pdf was lost"), "{}", lost.text);
    for name in ["00000000000001-lost", "00000000000002-torn"] {
        assert!(outbox.join(".aside").join(name).is_dir(), "{name} is kept");
        assert!(!outbox.join(name).exists());
    }
    let told = control.problems(&stage.ada);
    let told: Vec<&str> = told.iter().map(|(_, it)| it.code.as_str()).collect();
    assert!(told.contains(&"audit-report-fails"), "{told:?}");
}

/// A recipient that does not take the files of one report.
struct Picky;

impl Recipient for Picky {
    fn name(&self) -> &str {
        "archive"
    }

    fn deliver<'a>(&'a self, file: &'a ReportFile) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            match file.report.as_str() {
                "large" => Err("it answers 413".to_owned()),
                _ => Ok(()),
            }
        })
    }
}

#[tokio::test]
async fn one_that_its_recipient_does_not_take_holds_up_no_later_one() {
    let stage = Stage::small().await;
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(&stage, folder.path(), 1);
    plan.deliver_to = vec!["archive".to_owned()];
    plan.folder = None;
    let own = stage
        .directory
        .path()
        .join("audit-outbox/archive/00000000000001-large");
    std::fs::create_dir_all(&own).unwrap();
    let file = b"x";
    std::fs::write(own.join("large.pdf"), file).unwrap();
    let slip = json!({ "report": "large", "due": stage.control.now().minus_ms(1), "files": [{
        "name": "large.pdf", "media": "application/pdf", "bytes": 1,
        "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" }] });
    std::fs::write(own.join("slip.json"), slip.to_string()).unwrap();
    let control = &stage.control;
    control.audit_reports(vec![plan], Keeping::default(), vec![Arc::new(Picky)]);
    let standing = until("the later one arrived", || async {
        let standing = control.audit_standing(&stage.ada).await.unwrap();
        let delivery = standing.deliveries.into_iter().next()?;
        (delivery.last.is_some() && delivery.error.is_some()).then_some(delivery)
    })
    .await;
    assert_eq!((standing.waiting, standing.set_aside), (1, 0));
    assert!(standing.error.unwrap().contains("413"));
    assert!(own.is_dir(), "it is tried again");
}
