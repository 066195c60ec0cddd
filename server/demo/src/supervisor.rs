//! Starts the demo cluster's processes, keeps them running, and ends them all.
//!
//! It speaks to the nodes only as an operator would: over HTTP, through their agents.

mod agents;
mod process;
mod roster;
mod tend;

use std::{
    fmt,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    client,
    identity::{random_hex, replace},
    node::create_private,
    types::member_of,
};
use agents::Agents;
use process::Keeper;
use roster::{Entry, Roster, Standing};

/// How long the whole cluster may take to form.
const FORM: Duration = Duration::from_secs(60);

/// How a demo cluster is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything is kept here; a second run on the same folder restarts the same cluster, and
    /// then the three numbers below count for nothing.
    pub data: PathBuf,
    pub voters: u32,
    pub learners: u32,
    /// Nodes that run and are no members, there to be added.
    pub spares: u32,
    /// How long a dead node stays dead; zero: for good.
    pub restart_after: Duration,
    /// The program whose hidden subcommand `demo-node` calls [`crate::node::run`].
    pub node_program: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("a demo cluster needs at least one voter")]
    NoVoters,
    #[error("cannot use {path}")]
    Data {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("another demo already runs in {path}")]
    AlreadyRunning { path: PathBuf },
    #[error("cannot start {program}")]
    Spawn {
        program: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{member} did not come up; its log is {log}")]
    Silent { member: String, log: PathBuf },
    #[error("the cluster did not form: {0}")]
    Form(String),
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
}

/// One printed line: a running node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLine {
    pub id: String,
    pub url: String,
    pub pid: u32,
    pub spare: bool,
}

impl fmt::Display for NodeLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}  pid {}", self.id, self.url, self.pid)?;
        if self.spare {
            f.write_str("  spare")
        } else {
            Ok(())
        }
    }
}

/// A running demo cluster. Ends its processes when it is stopped; should this process die first,
/// the system ends them.
pub struct Demo {
    shared: Arc<Shared>,
    announcements: Mutex<Option<mpsc::UnboundedReceiver<NodeLine>>>,
    tending: JoinSet<()>,
}

/// What the tasks of the supervisor share.
struct Shared {
    options: Options,
    token: String,
    agents: Agents,
    keeper: Keeper,
    roster: Mutex<Roster>,
    lines: Mutex<Vec<NodeLine>>,
    announce: mpsc::UnboundedSender<NodeLine>,
    stop: watch::Sender<bool>,
    /// Two supervisors would start each node twice and write over each other's roster.
    _lock: File,
}

impl Demo {
    /// Starts the nodes, forms the cluster if it is new, and waits for a leader.
    ///
    /// # Errors
    /// If a node does not come up or the cluster does not form; what was started has ended then.
    pub async fn start(options: Options) -> Result<Self, DemoError> {
        let (announce, announcements) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::prepare(options, announce)?);
        let mut demo = Self {
            shared,
            announcements: Mutex::new(None),
            tending: JoinSet::new(),
        };
        if let Err(error) = demo.bring_up().await {
            demo.stop().await;
            return Err(error);
        }
        // Lines announced so far are those of `lines()`; from here on they are news.
        let mut announcements = announcements;
        while announcements.try_recv().is_ok() {}
        *demo
            .announcements
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(announcements);
        let shared = Arc::clone(&demo.shared);
        demo.tending.spawn(tend::recycle_removed(shared));
        Ok(demo)
    }

    async fn bring_up(&mut self) -> Result<(), DemoError> {
        let entries = self.shared.roster().nodes.clone();
        for entry in entries {
            let child = tend::spawn(&self.shared, &entry).await?;
            self.tending
                .spawn(tend::keep(Arc::clone(&self.shared), entry.id, child));
        }
        let formed = tokio::time::timeout(FORM, self.shared.form()).await;
        formed.unwrap_or_else(|_| Err(DemoError::Form("no leader in time".to_owned())))
    }

    /// The running nodes, members first.
    #[must_use]
    pub fn lines(&self) -> Vec<NodeLine> {
        let mut lines = self.shared.lines().clone();
        lines.sort_by_key(|line| (line.spare, crate::types::id_of(&line.id)));
        lines
    }

    /// Lines of nodes that were started again or anew from now on. `None` the second time.
    pub fn announcements(&self) -> Option<mpsc::UnboundedReceiver<NodeLine>> {
        self.announcements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// The bearer token of every agent; also in the file [`Demo::token_file`].
    #[must_use]
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        token_file(&self.shared.options.data)
    }

    /// Agent addresses of the members, to register the cluster by.
    #[must_use]
    pub fn seeds(&self) -> Vec<String> {
        let lines = self.lines().into_iter();
        lines
            .filter(|line| !line.spare)
            .map(|line| line.url)
            .collect()
    }

    /// Ends every process, frozen ones included, within 10 s.
    pub async fn stop(mut self) {
        let _ = self.shared.stop.send(true);
        while self.tending.join_next().await.is_some() {}
    }
}

fn token_file(data: &Path) -> PathBuf {
    data.join("token")
}

impl Shared {
    fn prepare(
        options: Options,
        announce: mpsc::UnboundedSender<NodeLine>,
    ) -> Result<Self, DemoError> {
        if options.voters == 0 {
            return Err(DemoError::NoVoters);
        }
        let refuse = |source| DemoError::Data {
            path: options.data.clone(),
            source,
        };
        create_private(&options.data).map_err(refuse)?;
        let lock = lock(&options.data)?;
        let token = token(&options.data).map_err(refuse)?;
        let roster = Roster::open(&options).map_err(refuse)?;
        let http = client::client().map_err(DemoError::Client)?;
        let keeper = Keeper::start().map_err(refuse)?;
        Ok(Self {
            agents: Agents {
                http,
                token: token.clone(),
            },
            token,
            keeper,
            roster: Mutex::new(roster),
            lines: Mutex::default(),
            announce,
            stop: watch::channel(false).0,
            _lock: lock,
            options,
        })
    }

    fn roster(&self) -> std::sync::MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<NodeLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dir(&self, id: u64) -> PathBuf {
        self.options.data.join(member_of(id))
    }

    /// Makes a cluster of the voters if there is none, adds the learners, waits for a leader.
    async fn form(&self) -> Result<(), DemoError> {
        let nodes = self.roster().nodes.clone();
        let of = |standing: Standing| nodes.iter().filter(move |node| node.standing == standing);
        let formed = self.roster().formed;
        if !formed {
            let voters: Vec<(u64, String)> = of(Standing::Voter)
                .map(|node| (node.id, self.url(node)))
                .collect();
            self.agents
                .initialize(&voters)
                .await
                .map_err(DemoError::Form)?;
        }
        let members: Vec<String> = nodes
            .iter()
            .filter(|n| n.standing != Standing::Spare)
            .map(|n| self.url(n))
            .collect();
        self.agents.wait_for_leader(&members).await;
        if !formed {
            for learner in of(Standing::Learner) {
                let url = self.url(learner);
                let added = self.agents.add_learner(&members, learner.id, &url).await;
                added.map_err(DemoError::Form)?;
            }
            self.change_roster(|roster| roster.formed = true)?;
        }
        Ok(())
    }

    fn url(&self, node: &Entry) -> String {
        let member = member_of(node.id);
        let line = self.lines().iter().find(|line| line.id == member).cloned();
        line.map(|line| line.url).unwrap_or_default()
    }

    fn change_roster(&self, change: impl FnOnce(&mut Roster)) -> Result<(), DemoError> {
        let mut roster = self.roster();
        change(&mut roster);
        let written = roster.write(&self.options.data);
        written.map_err(|source| DemoError::Data {
            path: self.options.data.clone(),
            source,
        })
    }

    /// Puts a node's line in place of its older one, and tells who listens.
    fn announce(&self, line: NodeLine) {
        let mut lines = self.lines();
        lines.retain(|older| older.id != line.id);
        lines.push(line.clone());
        drop(lines);
        // Nobody may be listening.
        let _ = self.announce.send(line);
    }
}

/// Held until this process ends; the nodes do not inherit it.
fn lock(data: &Path) -> Result<File, DemoError> {
    let refuse = |source| DemoError::Data {
        path: data.to_owned(),
        source,
    };
    let file = File::create(data.join("lock")).map_err(refuse)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DemoError::AlreadyRunning {
            path: data.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(refuse(source)),
    }
}

/// The cluster's token: made once, readable by its owner only.
fn token(data: &Path) -> std::io::Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let path = token_file(data);
    if let Ok(token) = std::fs::read_to_string(&path)
        && !token.trim().is_empty()
    {
        return Ok(token.trim().to_owned());
    }
    let token = random_hex(24);
    // The folder is private, so nobody reads the file before its own rights are set.
    replace(&path, format!("{token}\n").as_bytes())?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_second_demo_on_the_same_folder_is_refused_before_it_touches_anything() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(matches!(
            lock(folder.path()),
            Err(DemoError::AlreadyRunning { .. })
        ));
        drop(first);
        assert!(lock(folder.path()).is_ok());
    }
}
