//! One node of the program: its data directory, its Raft, its listener.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use openraft::{Config, SnapshotPolicy, async_runtime::watch::WatchReceiver};
use quorate_agent_openraft::{Agent, Options as AgentOptions};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

use crate::{
    client,
    faults::Faults,
    host::DemoHost,
    identity::{Identity, random_hex},
    load,
    log::LogStore,
    machine::Machine,
    network::Network,
    routes::{self, Shared},
    types::Raft,
};

/// How a node is started.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Its data directory.
    pub dir: PathBuf,
    /// Where it listens when it is started for the first time; port 0 lets the system choose.
    /// Later it keeps its address. Loopback only.
    pub listen: SocketAddr,
    pub id: u64,
    pub cluster_id: String,
    /// Allows it to start with an empty data directory.
    pub first_start: bool,
    /// The token that all nodes of the cluster share.
    pub token_file: PathBuf,
    /// The process with which it ends.
    pub parent: Option<u32>,
    /// Whether its agent answers. A node without one is there to be compared with.
    pub agent: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("the data directory {0} is empty; only a first start may begin without data")]
    Empty(PathBuf),
    #[error("the data directory belongs to node {found} of cluster {cluster}")]
    Somebody { found: u64, cluster: String },
    #[error("demo nodes listen on loopback addresses only, not on {0}")]
    Listen(SocketAddr),
    #[error("cannot use the data directory")]
    Disk(#[source] io::Error),
    #[error("cannot read the cluster's token")]
    Token(#[source] io::Error),
    #[error("cannot listen on {address}")]
    Bind {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("the Raft core ended: {0}")]
    Fatal(String),
    #[error("the process that started this node is gone")]
    Orphan,
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
}

/// Runs a node until it is told to end (SIGTERM, SIGINT) or its Raft core ends.
///
/// # Errors
/// If it cannot start, or its core ended: a node with a dead core must not look alive.
pub async fn run(options: NodeOptions) -> Result<(), NodeError> {
    if let Some(parent) = options.parent {
        end_with(parent)?;
    }
    let node = Node::start(&options).await?;
    let outcome = tokio::select! {
        fatal = node.fatal() => Err(NodeError::Fatal(fatal)),
        told = told_to_end() => told,
    };
    if outcome.is_ok() {
        node.stop().await;
    }
    outcome
}

/// Asks the system to kill this process when its parent dies.
fn end_with(parent: u32) -> Result<(), NodeError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| NodeError::Signals(e.into()))?;
    // It may have died before the line above.
    let now = getppid().map(|pid| pid.as_raw_pid());
    if now.and_then(|pid| u32::try_from(pid).ok()) == Some(parent) {
        Ok(())
    } else {
        Err(NodeError::Orphan)
    }
}

async fn told_to_end() -> Result<(), NodeError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(NodeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(NodeError::Signals)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// A running node, for programs that hold several in one process.
pub struct Node {
    pub raft: Raft,
    pub agent: Agent,
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    load: JoinHandle<()>,
}

impl Node {
    /// Opens the data directory and listens.
    ///
    /// # Errors
    /// If data, address or token cannot be used.
    pub async fn start(options: &NodeOptions) -> Result<Self, NodeError> {
        let token = std::fs::read_to_string(&options.token_file).map_err(NodeError::Token)?;
        let token: Arc<str> = token.trim().into();
        let (identity, listener) = settle(options).await?;
        let identity = Arc::new(identity);
        let http = client::client().map_err(NodeError::Client)?;
        let faults = Arc::new(Faults::default());
        let log = LogStore::with_faults(&options.dir, Arc::clone(&faults));
        let log = log.map_err(NodeError::Disk)?;
        let machine = Machine::open(&options.dir).map_err(NodeError::Disk)?;
        let network = Network {
            me: identity.id,
            token: Arc::clone(&token),
            http: http.clone(),
            faults: Arc::clone(&faults),
        };
        let config = Arc::new(config(&identity.cluster_id));
        let raft = Raft::new(identity.id, config, network, log, machine.clone()).await;
        let raft = raft.map_err(|fatal| NodeError::Fatal(fatal.to_string()))?;
        let host = DemoHost {
            instance: format!("{}.{}", identity.data, random_hex(4)),
            identity: Arc::clone(&identity),
            machine: machine.clone(),
            raft: raft.clone(),
            http,
        };
        let agent = Agent::new(raft.clone(), host, AgentOptions::with_token(token.as_ref()));
        let address = identity.address;
        let shared = Shared {
            identity,
            raft: raft.clone(),
            machine: machine.clone(),
            faults,
            token,
        };
        let mut app = routes::router(shared);
        if options.agent {
            app = app.merge(agent.router());
        }
        let (stop, stopped) = watch::channel(false);
        Ok(Self {
            server: tokio::spawn(serve(listener, app, stopped)),
            load: tokio::spawn(load::run(raft.clone(), machine)),
            raft,
            agent,
            address,
            stop,
        })
    }

    /// Waits until the Raft core has ended, and says why.
    pub async fn fatal(&self) -> String {
        loop {
            // Metrics of a core that panicked freeze; only a call tells.
            let asked = timeout(Duration::from_secs(5), self.raft.is_initialized()).await;
            if let Ok(Err(fatal)) = asked {
                return fatal.to_string();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends the Raft core and the listener; data stays.
    pub async fn stop(self) {
        self.load.abort();
        let _ = self.stop.send(true);
        let _ = timeout(Duration::from_secs(2), self.raft.shutdown()).await;
        self.server.abort();
        let _ = self.server.await;
    }

    /// Whom this node names as leader.
    #[must_use]
    pub fn leader(&self) -> Option<u64> {
        self.raft.metrics().borrow_watched().current_leader
    }
}

async fn serve(listener: TcpListener, app: axum::Router, mut stopped: watch::Receiver<bool>) {
    let end = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(end).await {
        tracing::error!(%error, "the listener ended");
    }
}

/// Who this node is and where it listens: from its directory, or chosen now on a first start.
async fn settle(options: &NodeOptions) -> Result<(Identity, TcpListener), NodeError> {
    match Identity::read(&options.dir)? {
        Some(identity) => {
            if identity.id != options.id || identity.cluster_id != options.cluster_id {
                let Identity {
                    id: found,
                    cluster_id: cluster,
                    ..
                } = identity;
                return Err(NodeError::Somebody { found, cluster });
            }
            let listener = bind(identity.address).await?;
            Ok((identity, listener))
        }
        None if options.first_start => begin(options).await,
        None => Err(NodeError::Empty(options.dir.clone())),
    }
}

async fn begin(options: &NodeOptions) -> Result<(Identity, TcpListener), NodeError> {
    create_private(&options.dir).map_err(NodeError::Disk)?;
    let listener = bind(options.listen).await?;
    let address = listener.local_addr();
    let address = address.map_err(|source| NodeError::Bind {
        address: options.listen,
        source,
    })?;
    let identity = Identity {
        id: options.id,
        cluster_id: options.cluster_id.clone(),
        address,
        data: random_hex(8),
    };
    identity.write(&options.dir)?;
    Ok((identity, listener))
}

/// A folder that only its owner can look into.
pub(crate) fn create_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, NodeError> {
    if !address.ip().is_loopback() {
        return Err(NodeError::Listen(address));
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| NodeError::Bind { address, source })
}

fn config(cluster_id: &str) -> Config {
    Config {
        cluster_name: cluster_id.to_owned(),
        heartbeat_interval: 100,
        election_timeout_min: 500,
        election_timeout_max: 1_000,
        enable_pre_vote: Some(true),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(500),
        max_in_snapshot_log_to_keep: 100,
        ..Config::default()
    }
}
