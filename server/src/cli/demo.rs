//! `quorate demo`: a real cluster in separate processes, and a console for it.
//!
//! Stdout is for people and scripts: the address, the sign-in link, then a line a node.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use quorate_control::{ClusterSetup, Control, everywhere};
use quorate_demo::{
    node::{self, NodeOptions},
    supervisor::{self, NodeLine},
};
use quorate_domain::{
    cluster::{ClusterName, Kind, Thresholds},
    health::Registration,
    permission::Duty,
};
use quorate_drivers::{Connection, Secret};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use super::{output, signals};
use crate::{
    configuration::Listen,
    console::{Application, Settings},
    exit::Exit,
    logs,
};

const CLUSTER: &str = "demo";
const ACCOUNT: &str = "admin";
const USUAL_PORT: u16 = 7878;
/// Together less than 10 s, whatever hangs.
const CONSOLE_ENDS_WITHIN: Duration = Duration::from_millis(4_500);
const NODES_END_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub struct Demo {
    /// Where the console listens, on this machine only; 7878, or any free one if that is taken
    #[arg(long, value_name = "P")]
    port: Option<u16>,
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = "./quorate-demo")]
    data: PathBuf,
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    voters: u32,
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=9))]
    learners: u32,
    /// Nodes that run and are no members, there to be added
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=9))]
    spares: u32,
    /// Seconds after which a dead node comes back; 0: never
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    restart_after: u64,
    #[arg(long, value_enum, default_value = "text")]
    log_format: logs::Format,
}

impl Demo {
    pub fn run(self) -> Exit {
        logs::start(self.log_format);
        super::wait_for(self.start())
    }

    async fn start(self) -> anyhow::Result<Exit> {
        let stop = signals::stop()?;
        // Nodes are given absolute paths: they keep them when they are started again.
        std::fs::create_dir_all(&self.data)
            .with_context(|| format!("cannot use {}", self.data.display()))?;
        let data = self.data.canonicalize()?;
        let listen = listen(self.port).await?;
        let starting = supervisor::Demo::start(self.options(&data)?);
        let cluster = tokio::select! {
            cluster = starting => cluster?,
            () = stop.cancelled() => return Ok(Exit::Done),
        };
        let ended = tokio::select! {
            ended = with_console(&cluster, &data, listen, &stop) => ended,
            () = after(&stop, CONSOLE_ENDS_WITHIN) => Ok(()),
        };
        if tokio::time::timeout(NODES_END_WITHIN, cluster.stop())
            .await
            .is_err()
        {
            tracing::warn!("nodes were still ending; they end with this process");
        }
        ended.map(|()| Exit::Done)
    }

    fn options(&self, data: &Path) -> anyhow::Result<supervisor::Options> {
        Ok(supervisor::Options {
            data: data.join("nodes"),
            voters: self.voters,
            learners: self.learners,
            spares: self.spares,
            restart_after: Duration::from_secs(self.restart_after),
            node_program: std::env::current_exe().context("cannot find this program's file")?,
        })
    }
}

/// Some time after the console was told to stop.
async fn after(stop: &CancellationToken, time: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(time).await;
}

/// The port asked for, or the usual one, or any.
async fn listen(port: Option<u16>) -> anyhow::Result<Listen> {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let port = match port {
        Some(port) => port,
        None if TcpListener::bind(address(USUAL_PORT)).await.is_ok() => USUAL_PORT,
        None => 0,
    };
    Ok(Listen::Tcp(address(port)))
}

async fn with_console(
    cluster: &supervisor::Demo,
    data: &Path,
    listen: Listen,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut settings = Settings::new(data.to_owned(), listen);
    settings.clusters = vec![setup(cluster)?];
    // Its link is good once: whoever looks on for an hour is not to be left without a way in.
    settings.session_idle = settings.session_absolute;
    let application = Application::build(settings).await?;
    let address = application.address();
    let secret = first_link(application.control()).await?;
    output::say(&address);
    output::say(format!("{address}sign-in/link/{}", secret.reveal()));
    for line in cluster.lines() {
        output::say(line.to_string());
    }
    let news = tokio::spawn(print_news(cluster.announcements()));
    let ran = application.run_until_stopped(stop.clone()).await;
    news.abort();
    ran
}

async fn print_news(news: Option<mpsc::UnboundedReceiver<NodeLine>>) {
    let Some(mut news) = news else { return };
    while let Some(line) = news.recv().await {
        output::say(line.to_string());
    }
}

fn setup(cluster: &supervisor::Demo) -> anyhow::Result<ClusterSetup> {
    let connection = Connection {
        name: CLUSTER.to_owned(),
        kind: Kind::Agent,
        seeds: cluster.seeds(),
        token: Some(Secret::new(cluster.token())),
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        lookups: quorate_drivers::Lookups::default(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(30),
    };
    Ok(ClusterSetup {
        registration: Registration {
            name: ClusterName::from(CLUSTER),
            kind: Kind::Agent,
            tags: vec!["demo".to_owned()],
            zones: Default::default(),
            thresholds: Thresholds::default(),
            read_only: false,
        },
        driver: quorate_drivers::connect(connection)?,
        join_allowed: vec!["http://127.0.0.0/8:*".to_owned()],
    })
}

/// A sign-in link for the first account, which is made if it is not there.
async fn first_link(control: &Control) -> anyhow::Result<Secret> {
    let who = control.command_line_operator();
    let there = control
        .accounts(&who)
        .await?
        .iter()
        .any(|account| account.name == ACCOUNT);
    if there {
        return Ok(control.account_link(&who, ACCOUNT).await?);
    }
    let (_, secret) = control
        .account_create(&who, ACCOUNT, everywhere(&[Duty::Admin]))
        .await?;
    Ok(secret)
}

/// Started by the demo itself.
#[derive(Debug, Args)]
pub struct DemoNode {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    id: u64,
    #[arg(long)]
    cluster_id: String,
    #[arg(long)]
    token_file: PathBuf,
    #[arg(long)]
    parent: Option<u32>,
    #[arg(long)]
    first_start: bool,
}

impl DemoNode {
    pub fn run(self) -> Exit {
        logs::start(logs::Format::Text);
        let options = NodeOptions {
            dir: self.dir,
            listen: self.listen,
            id: self.id,
            cluster_id: self.cluster_id,
            first_start: self.first_start,
            token_file: self.token_file,
            parent: self.parent,
            agent: true,
        };
        super::wait_for(async {
            node::run(options).await?;
            Ok(Exit::Done)
        })
    }
}
