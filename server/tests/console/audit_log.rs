//! The audit log as people and auditors get it: over REST, from the page, and by the command line
//! without a server.

use std::process::{Command, Output};

use quorate_audit::{
    manifest::Manifest,
    note::{Note, verifier_keys},
};
use quorate_domain::permission::Duty;
use serde_json::json;

use crate::support::Running;

#[path = "../../report/src/tests/reading.rs"]
#[allow(dead_code)]
mod reading;

fn quorate(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output, text)
}

/// A path in `directory` as text.
fn path(directory: &std::path::Path, name: &str) -> String {
    directory.join(name).display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_with_bundle_and_public_key_can_check_it_without_a_console() {
    let console = Running::start().await;
    let token = console.token(Duty::Auditor).await;
    let get = async |at: &str| {
        let answer = console.get(at).bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{at}");
        answer.text().await.unwrap()
    };
    let exported = console
        .call("POST", "/api/v1/audit/exports")
        .bearer_auth(&token)
        .json(&json!({ "format": "bundle" }))
        .send()
        .await
        .unwrap();
    assert_eq!(exported.status(), 200);
    let disposition = exported.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"quorate-audit-"));
    let bundle = exported.bytes().await.unwrap();
    // The record of the export is signed within a second.
    let who = console.control.command_line_operator();
    let size = console.control.audit_size(&who).await.unwrap();
    let mut checkpoint = String::new();
    crate::support::until("the export's record is signed", async || {
        checkpoint = get("/api/v1/audit/checkpoint").await;
        checkpoint.contains(&format!("\n{size}\n"))
    })
    .await;
    let keys = get("/api/v1/audit/keys").await;
    let proof = get("/api/v1/audit/1/proof").await;
    let standing = get("/api/v1/audit/standing").await;
    assert!(standing.contains("\"trouble\":null"), "{standing}");

    let desk = tempfile::tempdir().unwrap();
    let at = |name: &str| path(desk.path(), name);
    std::fs::write(at("log.tar"), &bundle).unwrap();
    std::fs::write(at("keys"), &keys).unwrap();
    std::fs::write(at("outside"), &checkpoint).unwrap();
    std::fs::write(at("one.tlog-proof"), &proof).unwrap();
    let listed = Command::new("tar")
        .args(["-xf", &at("log.tar"), "-C"])
        .arg(desk.path())
        .status();
    assert!(listed.unwrap().success(), "any tar unpacks it");
    let records = std::fs::read_to_string(at("records.jsonl")).unwrap();
    std::fs::write(at("entry"), records.lines().next().unwrap()).unwrap();

    let (done, said) = quorate(&["audit", "verify", &at("log.tar"), "--key", &at("keys")]);
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("proved     entries 1 to "), "{said}");
    let arguments = [
        "audit",
        "verify",
        &at("one.tlog-proof"),
        "--key",
        &at("keys"),
    ];
    let (done, said) = quorate(&[&arguments[..], &["--entry", &at("entry")]].concat());
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("is entry 1 of the"), "{said}");

    // The checkpoint came later: the bundle does not reach it.
    let arguments = ["audit", "verify", &at("log.tar"), "--key", &at("keys")];
    let (done, said) = quorate(&[&arguments[..], &["--checkpoint", &at("outside")]].concat());
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("are missing"), "{said}");

    let mut changed = bundle.to_vec();
    changed[4_000] ^= 4;
    std::fs::write(at("changed.tar"), &changed).unwrap();
    let (done, said) = quorate(&["audit", "verify", &at("changed.tar"), "--key", &at("keys")]);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("NOT PROVED"), "{said}");
    let (done, _) = quorate(&["audit", "verify", &at("nothing.tar")]);
    assert_eq!(done.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_gives_files_by_its_form() {
    let console = Running::start().await;
    let cookie = console.session(Duty::Auditor).await;
    let post = |body: &'static str| {
        console
            .call("POST", "/audit/exports")
            .header("cookie", &cookie)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
    };
    let answer = post("format=csv&kind=console").await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    let note = answer.headers()["quorate-audit-manifest"]
        .to_str()
        .unwrap()
        .to_owned();
    let csv = answer.text().await.unwrap();
    assert!(csv.starts_with("seq,time,kind"), "{csv}");
    assert!(csv.contains(",started,"), "{csv}");
    assert!(!csv.contains("sign_in"), "{csv}");
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let note = String::from_utf8(STANDARD.decode(note).unwrap()).unwrap();
    let note = Note::parse(&note).unwrap();
    let who = console.control.command_line_operator();
    let keys = console
        .control
        .audit_signers(&who)
        .await
        .unwrap()
        .join("\n");
    assert!(note.signers(&verifier_keys(&keys).unwrap()).is_ok());
    let manifest = Manifest::of(&note).unwrap();
    assert_eq!(manifest.filter, "{\"kinds\":[\"console\"]}");
    assert_eq!(manifest.files[0].bytes, u64::try_from(csv.len()).unwrap());
    assert_eq!(post("format=odt").await.unwrap().status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_exports_proves_and_verifies_beside_a_running_console() {
    let console = Running::start().await;
    let data = console.data.path().join("data").display().to_string();
    let desk = tempfile::tempdir().unwrap();
    let at = |name: &str| path(desk.path(), name);
    let (done, key) = quorate(&["audit", "key", "list", "--data", &data]);
    assert_eq!(done.status.code(), Some(0), "{key}");
    let key = key.trim();
    for (format, name) in [
        ("bundle", "log.tar"),
        ("csv", "log.csv"),
        ("jsonl", "log.jsonl"),
    ] {
        let out = at(name);
        let arguments = [
            "audit", "export", "--data", &data, "--format", format, "--out", &out,
        ];
        let (done, said) = quorate(&arguments);
        assert_eq!(done.status.code(), Some(0), "{said}");
        assert!(said.contains("sha256"), "{said}");
        let (again, _) = quorate(&arguments);
        assert_eq!(
            again.status.code(),
            Some(1),
            "an export is never overwritten"
        );
        let checked = if format == "bundle" {
            out
        } else {
            format!("{out}.manifest")
        };
        let (done, said) = quorate(&["audit", "verify", &checked, "--key", key]);
        assert_eq!(done.status.code(), Some(0), "{said}");
    }
    let mut text = std::fs::read_to_string(at("log.csv")).unwrap();
    text.push_str("9999,\r\n");
    std::fs::write(at("log.csv"), text).unwrap();
    let (done, said) = quorate(&["audit", "verify", &at("log.csv.manifest"), "--key", key]);
    assert_eq!(done.status.code(), Some(1), "{said}");

    let (done, said) = quorate(&["audit", "prove", "2", "--data", &data, "--out", &at("p")]);
    assert_eq!(done.status.code(), Some(0), "{said}");
    let (done, said) = quorate(&["audit", "verify", &at("p"), "--key", key]);
    assert_eq!(done.status.code(), Some(0), "{said}");
    let (done, said) = quorate(&["audit", "checkpoint", "--data", &data]);
    assert_eq!(done.status.code(), Some(0), "{said}");
    std::fs::write(at("outside"), &said).unwrap();
    let arguments = [
        "audit",
        "verify",
        &data,
        "--key",
        key,
        "--checkpoint",
        &at("outside"),
    ];
    let (done, said) = quorate(&arguments);
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("outside    1 kept elsewhere agree"), "{said}");
    for wrong in [
        &["audit", "export", "--out", "x"][..],
        &["audit", "prove", "1", "--out", "x"],
    ] {
        assert_eq!(quorate(wrong).0.status.code(), Some(2), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_how_far_a_copy_outside_reaches() {
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("checkpoints");
    let console = Running::with(|settings| {
        settings.copies = vec![std::sync::Arc::new(quorate_control::OutsideFile::new(
            file.clone(),
        ))];
    })
    .await;
    let cookie = console.session(Duty::Auditor).await;
    let shown = format!("{}: reaches entry", file.display());
    crate::support::until("the copy has caught up", async || {
        let page = console.get("/audit").header("cookie", &cookie).send().await;
        let html = page.unwrap().text().await.unwrap();
        assert!(html.contains("Signed up to entry"), "{html}");
        html.contains(&shown) && html.contains("all that is signed")
    })
    .await;
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        !quorate_audit::checkpoint::Signed::all(&kept)
            .unwrap()
            .is_empty()
    );
}

/// A person at a desk types a line of the report.
fn typed(line: &str, desk: &std::path::Path) -> (Output, String) {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_quorate"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let output = Command::new("sh")
        .args(["-c", line])
        .env("PATH", path)
        .current_dir(desk)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_with_report_bundle_and_public_key_checks_all_of_it_by_the_report_alone() {
    let console = Running::start().await;
    let data = console.data.path().join("data").display().to_string();
    let desk = tempfile::tempdir().unwrap();
    let at = |name: &str| path(desk.path(), name);
    let (done, key) = quorate(&["audit", "key", "list", "--data", &data]);
    assert_eq!(done.status.code(), Some(0), "{key}");
    std::fs::write(at("keys.txt"), &key).unwrap();
    let export = [
        "audit", "export", "--data", &data, "--format", "pdf", "--out",
    ];
    let (done, said) = quorate(&[&export[..], &[&at("report.pdf")]].concat());
    assert_eq!(done.status.code(), Some(0), "{said}");

    let report = std::fs::read(at("report.pdf")).unwrap();
    let text = reading::File::read(&report).text();
    let said_in_report = |begin: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with(begin));
        lines.map(str::to_owned).collect()
    };
    // The two commands of its last page, as they stand there.
    let [digest] = said_in_report("sha256sum ").try_into().unwrap();
    let (done, printed) = typed(&digest, desk.path());
    assert_eq!(done.status.code(), Some(0), "{printed}");
    let printed = printed.split(' ').next().unwrap();
    assert!(
        text.lines().any(|line| line == printed),
        "{printed}\n{text}"
    );
    let [verify] = said_in_report("quorate audit verify ").try_into().unwrap();
    let (done, proved) = typed(&verify, desk.path());
    assert_eq!(done.status.code(), Some(0), "{proved}");
    assert!(proved.contains("proved     entries 1 to "), "{proved}");
    // What the report says of the tree is what was verified.
    let root = proved
        .lines()
        .find_map(|line| line.strip_prefix("root       "));
    let root = root.unwrap().split(' ').next().unwrap();
    assert!(text.contains(root), "{root}\n{text}");

    // Its checkpoint, typed off, is a checkpoint: any tool for signed notes reads it.
    let at_note = text.find(&format!("\n{root}\n\n\u{2014} ")).unwrap();
    let before: Vec<&str> = text[..at_note].lines().rev().take(2).collect();
    let signature: String = text[at_note..].lines().nth(3).unwrap().to_owned();
    let note = format!("{}\n{}\n{root}\n\n{signature}\n", before[1], before[0]);
    std::fs::write(at("checkpoint"), note).unwrap();
    let (done, held) = typed(&format!("{verify} --checkpoint checkpoint"), desk.path());
    assert_eq!(done.status.code(), Some(0), "{held}");
    assert!(held.contains("kept elsewhere agree"), "{held}");

    // Whoever runs the console makes the same bundle again.
    let [again] = said_in_report("quorate audit export ").try_into().unwrap();
    let again = again
        .replace("DIR", &data)
        .replace("--out ", "--out again-");
    let (done, said) = typed(&again, desk.path());
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains(printed), "{said}");

    // The report itself is signed too; a changed one is not what was signed.
    let manifest = format!(
        "quorate audit verify {} --key keys.txt",
        "report.pdf.manifest"
    );
    let (done, said) = typed(&manifest, desk.path());
    assert_eq!(done.status.code(), Some(0), "{said}");
    std::fs::write(at("report.pdf"), &report[..report.len() - 1]).unwrap();
    assert_eq!(typed(&manifest, desk.path()).0.status.code(), Some(1));
}
