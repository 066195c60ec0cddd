//! One `bao` process: its configuration, its life and its accidents.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::wall::Wall;

/// How a node keeps its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// From its configuration: it unseals itself.
    Static,
    /// By hand.
    Shamir,
}

pub struct Node {
    pub id: String,
    pub api: String,
    pub cluster: String,
    pub program: PathBuf,
    dir: PathBuf,
    config: PathBuf,
    child: Option<Child>,
    text: String,
    storage: String,
    wall: Option<Wall>,
}

impl Node {
    pub fn new(program: &Path, dir: &Path, id: &str, seal: Seal, fast: bool) -> Self {
        let (api, cluster) = (free_port(), free_port());
        let data = dir.join(id);
        let mut text = format!(
            "ui = true\nenable_response_header_raft_node_id = true\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{api}\"\n  \
             cluster_address = \"127.0.0.1:{cluster}\"\n  tls_disable = true\n}}\n\
             api_addr = \"http://127.0.0.1:{api}\"\ncluster_addr = \"https://127.0.0.1:{cluster}\"\n\
             telemetry {{\n  disable_hostname = true\n  prometheus_retention_time = \"5m\"\n}}\n"
        );
        if seal == Seal::Static {
            let key = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
            text += &format!(
                "seal \"static\" {{\n  current_key_id = \"t1\"\n  current_key = \"{key}\"\n}}\n"
            );
        }
        let mut storage = format!(
            "  path = \"{}\"\n  node_id = \"{id}\"\n  performance_multiplier = 1\n",
            data.display()
        );
        if fast {
            storage += "  autopilot_update_interval = \"100ms\"\n  \
                        autopilot_reconcile_interval = \"300ms\"\n";
        }
        Self {
            id: id.to_owned(),
            api: format!("http://127.0.0.1:{api}"),
            cluster: format!("127.0.0.1:{cluster}"),
            program: program.to_owned(),
            dir: data,
            config: dir.join(format!("{id}.hcl")),
            child: None,
            text,
            storage,
            wall: None,
        }
    }

    /// Has it look for the cluster by itself.
    pub fn joins(mut self, leader: Option<String>, learner: bool) -> Self {
        if let Some(leader) = leader {
            self.storage += &format!("  retry_join {{\n    leader_api_addr = \"{leader}\"\n  }}\n");
            if learner {
                self.storage += "  retry_join_as_non_voter = true\n";
            }
        }
        self
    }

    /// Has the other nodes reach it through the wall only.
    pub async fn behind(mut self, wall: &Wall) -> Self {
        let gate = wall.gate(self.cluster.clone(), &self.id).await;
        let told = |address: &str| format!("cluster_addr = \"https://{address}\"\n");
        self.text = self.text.replace(&told(&self.cluster), &told(&gate));
        self.cluster = gate;
        self.wall = Some(wall.clone());
        self
    }

    /// Has it tell, from its next start on, that it answers at `address`.
    pub fn advertise(&mut self, address: &str) {
        let told = |address: &str| format!("api_addr = \"{address}\"\n");
        self.text = self.text.replace(&told(&self.api), &told(address));
    }

    pub fn start(&mut self) {
        fs::create_dir_all(&self.dir).unwrap();
        let whole = format!("{}storage \"raft\" {{\n{}}}\n", self.text, self.storage);
        fs::write(&self.config, whole).unwrap();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.config.with_extension("log"))
            .unwrap();
        // Where there is setpriv, a node ends with the thread that started it, whatever kills
        // the test.
        let mut command = match Path::new("/usr/bin/setpriv").is_file() {
            true => {
                let mut command = Command::new("/usr/bin/setpriv");
                command
                    .args(["--pdeathsig", "KILL", "--"])
                    .arg(&self.program);
                command
            }
            false => Command::new(&self.program),
        };
        let child = command
            .arg("server")
            .arg(format!("-config={}", self.config.display()))
            .env_clear()
            .env("HOME", self.config.parent().unwrap())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        if let Some(wall) = &self.wall {
            wall.belongs_to(child.id(), &self.id);
        }
        self.child = Some(child);
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    #[must_use]
    pub const fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Stands still: accepts connections, answers nothing. Returns once all its threads stand.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let start = Instant::now();
        while !self.stands() {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "{} does not freeze",
                self.id
            );
            std::thread::yield_now();
        }
    }

    fn stands(&self) -> bool {
        let Some(pid) = self.pid() else { return true };
        let threads = fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten();
        threads.into_iter().all(|thread| {
            let text = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            text.rsplit_once(") ")
                .is_none_or(|(_, rest)| rest.starts_with('T'))
        })
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Gone at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asked to end; killed after 10 s.
    pub async fn stop(&mut self) {
        self.thaw();
        self.signal(Signal::TERM);
        let start = Instant::now();
        while let Some(child) = &mut self.child {
            if start.elapsed() > Duration::from_secs(10) {
                self.kill();
            } else if child.try_wait().unwrap().is_some() {
                self.child = None;
            } else {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// What it has written to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.config.with_extension("log")).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let _ = kill_process(pid.unwrap(), signal);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port nobody listens on now, below those the system hands out by itself.
fn free_port() -> u16 {
    let spread = u16::try_from(std::process::id() % 97).unwrap() * 110;
    for _ in 0..2000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % 11_000;
        let port = 20_000 + (spread + step) % 11_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}
