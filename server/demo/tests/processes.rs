//! The cluster as it is used: each node a process, a supervisor above them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use quorate_agent_openraft::wire::{GroupView, Role};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::json;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// The example program, which cargo builds along with the tests.
fn program() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let target = me.parent().unwrap().parent().unwrap();
    target.join("examples").join("cluster")
}

/// A line as the supervisor prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    member: String,
    url: String,
    pid: Pid,
    spare: bool,
}

impl Line {
    fn parse(text: &str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [member, url, "pid", pid, rest @ ..] = words.as_slice() else {
            panic!("not a line: {text}")
        };
        Self {
            member: (*member).to_owned(),
            url: (*url).to_owned(),
            pid: Pid::from_raw(pid.parse().unwrap()).unwrap(),
            spare: rest == ["spare"],
        }
    }
}

struct Demo {
    supervisor: Child,
    lines: Arc<Mutex<Vec<Line>>>,
    token: String,
    http: reqwest::Client,
}

impl Demo {
    async fn start(data: &Path, restart_after: u32) -> Self {
        let mut supervisor = Command::new(program())
            .arg(data)
            .args(["--restart-after", &restart_after.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::<Mutex<Vec<Line>>>::default();
        let printed = BufReader::new(supervisor.stdout.take().unwrap());
        let heard = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in printed.lines().map_while(Result::ok) {
                heard.lock().unwrap().push(Line::parse(&line));
            }
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(2));
        let mut demo = Self {
            supervisor,
            lines,
            token: String::new(),
            http: http.build().unwrap(),
        };
        demo.until("five lines", async |demo| {
            (demo.lines().len() >= 5).then_some(())
        })
        .await;
        demo.token = std::fs::read_to_string(data.join("token"))
            .unwrap()
            .trim()
            .to_owned();
        demo
    }

    async fn until<T>(&self, what: &str, look: impl AsyncFn(&Self) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            assert!(
                Instant::now() < end,
                "never seen: {what}; {:?}",
                self.lines()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap().clone()
    }

    /// The newest line of each member.
    fn nodes(&self) -> BTreeMap<String, Line> {
        self.lines()
            .into_iter()
            .map(|line| (line.member.clone(), line))
            .collect()
    }

    async fn view(&self, url: &str) -> Option<GroupView> {
        let request = self
            .http
            .get(format!("{url}/quorate/agent/v1/groups/default"));
        request
            .bearer_auth(&self.token)
            .send()
            .await
            .ok()?
            .json()
            .await
            .ok()
    }

    async fn leader(&self) -> (Line, GroupView) {
        self.until("a leader", async |demo| {
            for line in demo.nodes().into_values() {
                let Some(view) = demo.view(&line.url).await else {
                    continue;
                };
                if view.claims_leadership && view.quorum_evidence_ms.is_some_and(|age| age < 400) {
                    return Some((line, view));
                }
            }
            None
        })
        .await
    }

    /// Writes until it is acknowledged.
    async fn write(&self, key: &str, value: &str) {
        self.until("an acknowledged write", async |demo| {
            let (leader, _) = demo.leader().await;
            let sent = demo
                .http
                .put(format!("{}/kv/{key}", leader.url))
                .body(value.to_owned());
            sent.send().await.ok()?.status().is_success().then_some(())
        })
        .await;
    }

    async fn read_all(&self, url: &str, stale: bool) -> Option<BTreeMap<String, String>> {
        let url = format!("{url}/kv?prefix=kept-&stale={stale}");
        let response = self.http.get(url).send().await.ok()?;
        response.error_for_status().ok()?.json().await.ok()
    }

    async fn change(&self, action: &str, member: Option<&str>, address: Option<&str>) {
        let (leader, view) = self.leader().await;
        let url = format!("{}/quorate/agent/v1/groups/default/changes", leader.url);
        let body = json!({
            "action": action, "member": member, "address": address,
            "expected_revision": view.membership.revision,
        });
        let sent = self
            .http
            .post(url)
            .bearer_auth(&self.token)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert!(sent.status().is_success(), "{}", sent.text().await.unwrap());
    }

    fn supervisor(&self) -> Pid {
        Pid::from_raw(self.supervisor.id().try_into().unwrap()).unwrap()
    }

    /// Asks the supervisor to end, and how long everything took to be gone.
    async fn stop(mut self) -> Duration {
        let pids: Vec<Pid> = self.nodes().into_values().map(|line| line.pid).collect();
        let began = Instant::now();
        kill_process(self.supervisor(), Signal::TERM).unwrap();
        self.supervisor.wait().unwrap();
        for pid in pids {
            assert!(test_kill_process(pid).is_err(), "{pid:?} still runs");
        }
        began.elapsed()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_when_each_node_is_killed_and_comes_back() {
    let data = TempDir::new().unwrap();
    let demo = Demo::start(data.path(), 1).await;
    let mut acknowledged = BTreeMap::new();
    let members: Vec<Line> = demo
        .nodes()
        .into_values()
        .filter(|line| !line.spare)
        .collect();
    assert_eq!(members.len(), 4);
    for (round, victim) in members.iter().enumerate() {
        for number in 0..10 {
            let (key, value) = (
                format!("kept-{round}-{number}"),
                format!("{round}.{number}"),
            );
            demo.write(&key, &value).await;
            acknowledged.insert(key, value);
            if number == 5 {
                kill_process(victim.pid, Signal::KILL).unwrap();
            }
        }
        demo.until("the killed node's line again", async |demo| {
            (demo.nodes()[&victim.member].pid != victim.pid).then_some(())
        })
        .await;
        assert_eq!(
            demo.nodes()[&victim.member].url,
            victim.url,
            "it keeps its address"
        );
    }
    demo.until("all read back from the leader", async |demo| {
        let (leader, _) = demo.leader().await;
        (demo.read_all(&leader.url, false).await? == acknowledged).then_some(())
    })
    .await;
    for member in &members {
        demo.until("all read back from each", async |demo| {
            (demo.read_all(&member.url, true).await? == acknowledged).then_some(())
        })
        .await;
    }
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_on_the_same_folder_is_the_same_cluster() {
    let data = TempDir::new().unwrap();
    let first = Demo::start(data.path(), 0).await;
    first.write("kept-1", "over the night").await;
    let before: Vec<(String, String)> = first
        .nodes()
        .into_values()
        .map(|line| (line.member, line.url))
        .collect();
    // All at once, as when the machine loses power.
    for line in first.nodes().into_values() {
        kill_process(line.pid, Signal::KILL).unwrap();
    }
    first.stop().await;

    let second = Demo::start(data.path(), 0).await;
    let after: Vec<(String, String)> = second
        .nodes()
        .into_values()
        .map(|line| (line.member, line.url))
        .collect();
    assert_eq!(after, before);
    let (leader, view) = second.leader().await;
    let kept = second.read_all(&leader.url, false).await.unwrap();
    assert_eq!(kept["kept-1"], "over the night");
    let roles: Vec<Role> = view
        .membership
        .members
        .iter()
        .map(|member| member.role)
        .collect();
    assert_eq!(
        roles,
        [Role::Voter, Role::Voter, Role::Voter, Role::Learner]
    );
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_ends_within_ten_seconds_frozen_nodes_included() {
    let data = TempDir::new().unwrap();
    let demo = Demo::start(data.path(), 20).await;
    let (leader, _) = demo.leader().await;
    kill_process(leader.pid, Signal::STOP).unwrap();
    let took = demo.stop().await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_end_when_the_supervisor_is_killed() {
    let data = TempDir::new().unwrap();
    let demo = Demo::start(data.path(), 20).await;
    let nodes = demo.nodes();
    kill_process(nodes["node-2"].pid, Signal::STOP).unwrap();
    kill_process(demo.supervisor(), Signal::KILL).unwrap();
    demo.until("no node left", async |_| {
        let gone = |line: &Line| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", line.pid.as_raw_nonzero()));
            // A process nobody has waited for yet is dead all the same.
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        nodes.values().all(gone).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_node_comes_back_empty_under_a_fresh_id() {
    let data = TempDir::new().unwrap();
    let demo = Demo::start(data.path(), 1).await;
    let spare = demo.nodes()["node-5"].clone();
    assert!(spare.spare);
    demo.change("add_learner", None, Some(&spare.url)).await;
    demo.change("promote", Some("node-5"), None).await;
    let (leader, _) = demo.leader().await;
    let victim = ["node-2", "node-3"]
        .into_iter()
        .find(|id| *id != leader.member)
        .unwrap();
    let victim = demo.nodes()[victim].clone();
    demo.change("remove", Some(&victim.member), None).await;

    let fresh = demo
        .until("a new spare node", async |demo| {
            demo.nodes().get("node-6").cloned()
        })
        .await;
    assert!(fresh.spare);
    demo.until("the removed node's process is gone", async |_| {
        test_kill_process(victim.pid).is_err().then_some(())
    })
    .await;
    assert!(!data.path().join(&victim.member).exists());
    demo.change("add_learner", Some("node-6"), Some(&fresh.url))
        .await;
    demo.stop().await;
}
