//! A webhook against an HTTPS server that checks the signature by itself.

use std::process::Command;

use quorate_control::{Content, Outside as _, Parcel, Recipient as _, ReportFile};
use quorate_drivers::Secret;
use quorate_outside::{Tls, Webhook, WebhookSettings};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{certificates::Authority, checkpoint, named, tools::Program};

const SECRET: &str = "a secret that both sides know";

fn webhook(url: &str, authorities: &Authority, secret: &str) -> Webhook {
    let settings = WebhookSettings {
        named: named("keeper"),
        url: Url::parse(url).unwrap(),
        token: Some(Secret::new("bearer-t0ken")),
        secret: Some(Secret::new(secret)),
        tls: Tls {
            authorities: Some(authorities.pem()),
            identity: None,
        },
    };
    Webhook::new(settings).unwrap()
}

#[tokio::test]
async fn a_keeper_takes_what_is_signed_and_everything_else_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let authority = Authority::new();
    let (certificate, key) = authority.server(here);
    let secret = here.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/receivers/keeper.py");
    let mut command = Command::new("python3");
    command
        .arg(script)
        .args([&certificate, &key, &secret])
        .arg(here);
    let (_keeper, port) = Program::start(&mut command);
    let at = |path: &str| format!("https://127.0.0.1:{port}{path}?key=hidden-in-query");

    let keeper = webhook(&at("/keep"), &authority, SECRET);
    keeper.diagnose().await.unwrap();
    let note = "log\n7\nroot\n\n\u{2014} log sig\n";
    keeper.keep(&checkpoint(7, note)).await.unwrap();
    let kept = std::fs::read_to_string(here.join("checkpoint-7")).unwrap();
    assert_eq!(kept, note);
    let entries = Parcel {
        content: Content::Entries(vec![
            (8, b"{\"seq\":8}".to_vec()),
            (9, b"{\"seq\":9}".to_vec()),
        ]),
        ..checkpoint(9, "")
    };
    keeper.keep(&entries).await.unwrap();
    let kept = std::fs::read_to_string(here.join("entries-9")).unwrap();
    assert_eq!(kept, "{\"seq\":8}\n{\"seq\":9}\n");

    // A report travels from the disk.
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    let path = here.join("report");
    std::fs::write(&path, &content).unwrap();
    let file = ReportFile {
        report: "board".to_owned(),
        name: "board-2026-12-01.pdf".to_owned(),
        media: "application/pdf".to_owned(),
        bytes: u64::try_from(content.len()).unwrap(),
        sha256: Sha256::digest(&content).into(),
        path,
    };
    keeper.deliver(&file).await.unwrap();
    let kept = std::fs::read(here.join("report-board-2026-12-01.pdf")).unwrap();
    assert!(kept == content);

    let mut said = Vec::new();
    for (path, secret, expected) in [
        ("/keep", "another secret", "it answers 401"),
        ("/fails", SECRET, "it answers 500"),
        ("/redirect", SECRET, "redirects are not followed"),
    ] {
        let refused = webhook(&at(path), &authority, secret);
        let error = refused.keep(&checkpoint(8, note)).await.unwrap_err();
        assert!(error.contains(expected), "{path}: {error}");
        said.push(error);
    }
    let stranger = webhook(&at("/keep"), &Authority::new(), SECRET);
    let error = stranger.keep(&checkpoint(8, note)).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    said.push(error);
    assert!(
        !here.join("checkpoint-8").exists(),
        "nothing was kept by any of them"
    );
    let nobody = webhook(
        "https://127.0.0.1:1/keep?key=hidden-in-query",
        &authority,
        SECRET,
    );
    let error = nobody.keep(&checkpoint(8, note)).await.unwrap_err();
    assert!(error.starts_with("it cannot be reached"), "{error}");
    said.push(error);
    for error in said {
        let leaks = ["hidden", "t0ken", "secret", "/keep"];
        assert!(
            !leaks.iter().any(|secret| error.contains(secret)),
            "{error}"
        );
    }
}
