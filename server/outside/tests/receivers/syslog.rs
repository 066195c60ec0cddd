//! rsyslog with TLS: what it writes verifies the log, finds what was cut off, and lacks nothing
//! after the receiver was started anew.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use quorate_audit::{note::verifier_keys, outside::Gathered, report::Report, verify::Known};
use quorate_control::{Control, Outside, What, hold_entries, verify_log};
use quorate_domain::audit::Source;
use quorate_outside::{Syslog, SyslogSettings, Tls, Transport};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    certificates::Authority,
    named,
    tools::{self, Program},
    until,
};

struct Rsyslog {
    home: PathBuf,
    folder: PathBuf,
    number: u16,
}

impl Rsyslog {
    /// Starts one more; gives it and its port.
    async fn start(&mut self) -> (Program, u16) {
        self.number += 1;
        let folder = self.folder.display();
        let port_file = self.folder.join(format!("port-{}", self.number));
        let settings = self.folder.join("rsyslog.conf");
        let text = format!(
            "global(workDirectory=\"{folder}\" maxMessageSize=\"1m\"\n\
               defaultNetstreamDriver=\"gtls\"\n\
               defaultNetstreamDriverCAFile=\"{folder}/authority.pem\"\n\
               defaultNetstreamDriverCertFile=\"{folder}/server.pem\"\n\
               defaultNetstreamDriverKeyFile=\"{folder}/server.key\")\n\
             module(load=\"imtcp\" streamDriver.name=\"gtls\" streamDriver.mode=\"1\"\n\
               streamDriver.authMode=\"anon\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"0\"\n\
               listenPortFileName=\"{}\")\n\
             action(type=\"omfile\" file=\"{folder}/messages\" template=\"RSYSLOG_FileFormat\")\n",
            port_file.display()
        );
        std::fs::write(&settings, text).unwrap();
        let libraries = self.home.join("usr/lib/x86_64-linux-gnu");
        let child = Command::new(self.home.join("usr/sbin/rsyslogd"))
            .args(["-n", "-C", "-f"])
            .arg(&settings)
            .arg("-i")
            .arg(self.folder.join("pid"))
            .arg("-M")
            .arg(libraries.join("rsyslog"))
            .env("LD_LIBRARY_PATH", &libraries)
            .spawn()
            .unwrap();
        let program = Program(child);
        let port = until("rsyslog listens", || async {
            let text = std::fs::read_to_string(&port_file).ok()?;
            text.trim().parse().ok()
        })
        .await;
        (program, port)
    }
}

/// A port that stays while receivers come and go.
async fn door(behind: Arc<AtomicU16>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut came, _)) = listener.accept().await {
            let to = behind.load(Ordering::SeqCst);
            tokio::spawn(async move {
                if let Ok(mut there) = TcpStream::connect(("127.0.0.1", to)).await {
                    let _ = tokio::io::copy_bidirectional(&mut came, &mut there).await;
                }
            });
        }
    });
    port
}

fn syslog(name: &str, what: What, port: u16, authority: &Authority) -> Syslog {
    let mut named = named(name);
    named.terms.what = what;
    named.terms.acknowledges = false;
    let settings = SyslogSettings {
        named,
        transport: Transport::Tls,
        host: "127.0.0.1".to_owned(),
        port,
        tls: Tls {
            authorities: Some(authority.pem()),
            identity: None,
        },
    };
    Syslog::new(settings).unwrap()
}

fn gathered(folder: &Path) -> Gathered {
    let bytes = std::fs::read(folder.join("messages")).unwrap_or_default();
    let mut gathered = Gathered::default();
    let _nothing_yet = gathered.read(&String::from_utf8_lossy(&bytes));
    gathered
}

/// Writes entries, and waits until rsyslog has all of them and a checkpoint over them.
async fn written(control: &Control, folder: &Path, more: u32) {
    for number in 0..more {
        let text = format!("entry {number}: \"quoted]\" \\ und größer \u{1f600}");
        let entry = control.rehearse_entry(&text, Source::default());
        entry.await.unwrap();
    }
    let who = control.command_line_operator();
    let size = control.audit_size(&who).await.unwrap();
    until("rsyslog has everything", || async {
        let found = gathered(folder);
        let newest = found.checkpoints.iter().map(|it| it.checkpoint.size).max();
        let entries = u64::try_from(found.entries.len()).unwrap();
        (newest >= Some(size) && entries >= size).then_some(())
    })
    .await;
}

async fn verified(control: &Control, directory: &Path, found: &Gathered) -> Report {
    let who = control.command_line_operator();
    let keys = control.audit_signers(&who).await.unwrap().join("\n");
    let known = Known {
        keys: &verifier_keys(&keys).unwrap(),
        outside: &found.checkpoints,
    };
    let mut report = verify_log(directory, known).await.unwrap();
    hold_entries(directory, found, &mut report).await.unwrap();
    report
}

#[tokio::test]
async fn what_rsyslog_keeps_proves_the_log_and_finds_what_was_cut_off() {
    let home = tokio::task::spawn_blocking(tools::rsyslog).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let authority = Authority::new();
    authority.server(here);
    std::fs::write(here.join("authority.pem"), authority.pem()).unwrap();
    let mut rsyslog = Rsyslog {
        home,
        folder: here.to_owned(),
        number: 0,
    };
    let (receiver, port) = rsyslog.start().await;
    let behind = Arc::new(AtomicU16::new(port));
    let port = door(Arc::clone(&behind)).await;
    let places = || -> Vec<Arc<dyn Outside>> {
        vec![
            Arc::new(syslog("checkpoints", What::Checkpoints, port, &authority)),
            Arc::new(syslog("entries", What::Entries, port, &authority)),
        ]
    };
    let stranger = syslog("stranger", What::Checkpoints, port, &Authority::new());
    let error = stranger.diagnose().await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");

    let data = tempfile::tempdir().unwrap();
    let control = Control::offline(data.path().to_owned()).await.unwrap();
    control.audit_copies(places()).await.unwrap();
    written(&control, here, 20).await;
    control.stop().await;
    // As a backup from now would have it.
    let former = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(data.path()).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), former.path().join(file.file_name())).unwrap();
        }
    }

    let control = Control::offline(data.path().to_owned()).await.unwrap();
    control.audit_copies(places()).await.unwrap();
    written(&control, here, 3).await;
    receiver.end();
    let who = control.command_line_operator();
    until("both copies fail", || async {
        let entry = control.rehearse_entry("nobody listens", Source::default());
        entry.await.unwrap();
        let standing = control.audit_standing(&who).await.unwrap();
        let fails = standing.copies.iter().all(|copy| copy.error.is_some());
        fails.then_some(())
    })
    .await;
    let (_receiver, port) = rsyslog.start().await;
    behind.store(port, Ordering::SeqCst);
    written(&control, here, 3).await;
    let standing = control.audit_standing(&who).await.unwrap();
    assert!(standing.copies.iter().all(|copy| copy.handed_over));

    let found = gathered(here);
    assert!(
        found.differing.is_empty() && found.cut == 0,
        "{}",
        found.cut
    );
    let report = verified(&control, data.path(), &found).await;
    assert!(report.holds(), "{report}");
    assert!(
        report.to_string().contains("kept elsewhere agree"),
        "{report}"
    );
    let cut = verified(&control, former.path(), &found).await;
    let faults = cut.faults().join("\n");
    assert!(faults.contains("the outside copy reaches entry"), "{cut}");
    assert!(faults.contains("the copies outside reach entry"), "{cut}");
    control.stop().await;
}
