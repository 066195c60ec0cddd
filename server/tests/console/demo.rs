//! `quorate demo` as a person starts it, and how it ends.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use quorate_domain::permission::Duty;

struct Demo {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Demo {
    fn start(data: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command
            .args(["demo", "--port", "0", "--restart-after", "0", "--data"])
            .arg(data);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn interrupt(&mut self) -> Duration {
        let began = Instant::now();
        signal("-INT", &self.child.id().to_string());
        assert!(self.child.wait().unwrap().success());
        began.elapsed()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Nodes end with their parent.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(signal: &str, pid: &str) {
    assert!(
        Command::new("kill")
            .args([signal, pid])
            .status()
            .unwrap()
            .success()
    );
}

fn runs(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .starts_with(" Z")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_prints_how_to_reach_it_and_ends_with_all_its_nodes_even_a_frozen_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let mut demo = Demo::start(&data);
    let address = demo.line();
    assert!(
        address.starts_with("http://127.0.0.1:") && address.ends_with('/'),
        "{address}"
    );
    let link = demo.line();
    assert!(
        link.starts_with(&format!("{address}sign-in/link/")),
        "{link}"
    );
    let nodes: Vec<Vec<String>> = (0..5)
        .map(|_| demo.line().split_whitespace().map(str::to_owned).collect())
        .collect();
    for (number, node) in nodes.iter().enumerate() {
        assert_eq!(node[0], format!("node-{}", number + 1), "{node:?}");
        assert!(node[1].starts_with("http://127.0.0.1:"), "{node:?}");
        assert_eq!(node[2], "pid", "{node:?}");
        assert_eq!(
            node.get(4).map(String::as_str),
            (number == 4).then_some("spare"),
            "{node:?}"
        );
    }
    let http = crate::support::client();
    let signed_in = http.get(&link).send().await.unwrap();
    let cookie = crate::support::cookie(&signed_in);
    let page = http
        .get(format!("{address}clusters/demo"))
        .header("cookie", cookie);
    let html = page.send().await.unwrap().text().await.unwrap();
    assert!(html.contains("node-4"));
    signal("-STOP", &nodes[0][3]);
    let took = demo.interrupt();
    assert!(took < Duration::from_secs(10), "{took:?}");
    for node in &nodes {
        assert!(!runs(&node[3]), "{node:?} still runs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_started_again_is_the_same_cluster_with_a_new_link() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let links: Vec<String> = (0..2)
        .map(|_| {
            let mut demo = Demo::start(&data);
            let (_, link) = (demo.line(), demo.line());
            demo.interrupt();
            link
        })
        .collect();
    assert_ne!(links[0], links[1]);
    let control = quorate_control::Control::offline(data).await.unwrap();
    let accounts = control
        .accounts(&control.command_line_operator())
        .await
        .unwrap();
    assert_eq!(accounts.len(), 1);
    assert_eq!(accounts[0].grants[0].role, Duty::Admin);
}
