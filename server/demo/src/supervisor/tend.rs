//! Keeps each node running, and makes a fresh spare of a node that was removed.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::{
    DemoError, NodeLine, Shared,
    process::end,
    roster::{Entry, Standing},
    token_file,
};
use crate::{identity::Identity, types::member_of};

/// How long a node may take to listen.
const COME_UP: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_millis(50);
/// How often the membership is looked at for removed nodes.
const ROUND: Duration = Duration::from_millis(500);
/// In how many rounds after one another a node must be missing before it is wiped.
const ROUNDS: u32 = 2;

/// Starts a node's process and waits until it listens.
pub async fn spawn(shared: &Shared, entry: &Entry) -> Result<Child, DemoError> {
    let member = member_of(entry.id);
    let log = shared.options.data.join(format!("{member}.log"));
    let command = command(shared, entry, &log)?;
    let spawned = shared.keeper.spawn(command).await;
    let program = || shared.options.node_program.clone();
    let mut child = spawned.map_err(|source| DemoError::Spawn {
        program: program(),
        source,
    })?;
    let end = Instant::now() + COME_UP;
    loop {
        if let Some(line) = listening(shared, entry, child.id()).await {
            shared.change_roster(|roster| {
                if let Some(node) = roster.node(entry.id) {
                    node.started = true;
                }
            })?;
            shared.announce(line);
            return Ok(child);
        }
        let ended = child.try_wait().is_ok_and(|status| status.is_some());
        if ended || Instant::now() >= end {
            let _ = child.start_kill();
            let _ = child.wait().await;
            return Err(DemoError::Silent { member, log });
        }
        sleep(GLANCE).await;
    }
}

async fn listening(shared: &Shared, entry: &Entry, pid: Option<u32>) -> Option<NodeLine> {
    let identity = Identity::read(&shared.dir(entry.id)).ok().flatten()?;
    let url = format!("http://{}", identity.address);
    let pid = pid?;
    let line = || NodeLine {
        id: member_of(entry.id),
        url: url.clone(),
        pid,
        spare: entry.standing == Standing::Spare,
    };
    shared.agents.answers(&url).await.then(line)
}

fn command(shared: &Shared, entry: &Entry, log: &PathBuf) -> Result<Command, DemoError> {
    let refuse = |source| DemoError::Data {
        path: log.clone(),
        source,
    };
    let file = fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .map_err(refuse)?;
    let copy = file.try_clone().map_err(refuse)?;
    let mut command = Command::new(&shared.options.node_program);
    command
        .arg("demo-node")
        .arg("--dir")
        .arg(shared.dir(entry.id))
        .args(["--listen", "127.0.0.1:0"])
        .args(["--id", &entry.id.to_string()])
        .args(["--cluster-id", &shared.roster().cluster_id])
        .arg("--token-file")
        .arg(token_file(&shared.options.data))
        .args(["--parent", &std::process::id().to_string()])
        .stdout(file)
        .stderr(copy);
    if !entry.started {
        command.arg("--first-start");
    }
    Ok(command)
}

/// Restarts a node whenever it dies, until it is told to stop or the node is struck off.
pub async fn keep(shared: Arc<Shared>, id: u64, child: Child) {
    let mut child = child;
    let mut stop = shared.stop.subscribe();
    loop {
        let stopped = tokio::select! {
            _ = child.wait() => false,
            _ = stop.wait_for(|stop| *stop) => true,
            () = struck_off(&shared, id) => true,
        };
        if stopped {
            let _ = end(&mut child).await;
            return;
        }
        tracing::warn!(member = %member_of(id), "the node's process ended");
        let next = tokio::select! {
            next = start_again(&shared, id) => next,
            _ = stop.wait_for(|stop| *stop) => None,
            () = struck_off(&shared, id) => None,
        };
        match next {
            Some(next) => child = next,
            None => return,
        }
    }
}

/// Waits the time it is to stay dead, then tries until it is up.
async fn start_again(shared: &Shared, id: u64) -> Option<Child> {
    let after = shared.options.restart_after;
    if after.is_zero() {
        return std::future::pending().await;
    }
    loop {
        sleep(after).await;
        let entry = shared.roster().node(id).cloned()?;
        match spawn(shared, &entry).await {
            Ok(child) => return Some(child),
            Err(error) => tracing::error!(%error, "the node could not be started again"),
        }
    }
}

async fn struck_off(shared: &Shared, id: u64) {
    while shared.roster().node(id).is_some() {
        sleep(ROUND / 2).await;
    }
}

/// Looks at the membership from time to time: a spare that was added is a member from then on; a
/// member that was removed is stopped, wiped, and followed by a spare under a fresh id.
pub async fn recycle_removed(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let mut missing = std::collections::BTreeMap::<u64, u32>::new();
    let mut tending = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            () = sleep(ROUND) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        let Some(members) = members(&shared).await else {
            continue;
        };
        let nodes = shared.roster().nodes.clone();
        for node in nodes {
            let is_member = members.contains(&member_of(node.id));
            match node.standing {
                Standing::Spare if is_member => became_member(&shared, node.id),
                Standing::Spare => {}
                _ if is_member => {
                    missing.remove(&node.id);
                }
                _ => {
                    let rounds = missing.entry(node.id).or_default();
                    *rounds = rounds.saturating_add(1);
                    if *rounds >= ROUNDS {
                        missing.remove(&node.id);
                        replace(&shared, node.id, &mut tending).await;
                    }
                }
            }
        }
    }
    while tending.join_next().await.is_some() {}
}

/// The members by the word of the leader, when nothing is under way.
async fn members(shared: &Shared) -> Option<Vec<String>> {
    let urls: Vec<String> = shared.lines().iter().map(|line| line.url.clone()).collect();
    let membership = shared.agents.leader(&urls).await?.membership;
    let settled = membership.committed && membership.configs.len() == 1;
    settled.then(|| {
        membership
            .members
            .into_iter()
            .map(|member| member.id)
            .collect()
    })
}

fn became_member(shared: &Shared, id: u64) {
    let noted = shared.change_roster(|roster| {
        if let Some(node) = roster.node(id) {
            node.standing = Standing::Member;
        }
    });
    if let Err(error) = noted {
        tracing::error!(%error, "cannot note that a spare node became a member");
    }
    for line in shared
        .lines()
        .iter_mut()
        .filter(|line| line.id == member_of(id))
    {
        line.spare = false;
    }
}

async fn replace(shared: &Arc<Shared>, id: u64, tending: &mut tokio::task::JoinSet<()>) {
    let mut fresh = None;
    let noted = shared.change_roster(|roster| {
        roster.nodes.retain(|node| node.id != id);
        fresh = Some(roster.enlist(Standing::Spare));
    });
    let (Ok(()), Some(fresh)) = (noted, fresh) else {
        return;
    };
    let pid = shared
        .lines()
        .iter()
        .find(|line| line.id == member_of(id))
        .map(|line| line.pid);
    shared.lines().retain(|line| line.id != member_of(id));
    tracing::info!(member = %member_of(id), ?pid, "removed from the cluster; stopped and wiped");
    // Its keeper sees that it is struck off and ends it; only then its data go.
    wipe(shared, id).await;
    match spawn(shared, &fresh).await {
        Ok(child) => {
            tending.spawn(keep(Arc::clone(shared), fresh.id, child));
        }
        Err(error) => tracing::error!(%error, "no fresh spare node"),
    }
}

/// Removes a node's data once its process is gone: its database file can then be opened.
async fn wipe(shared: &Shared, id: u64) {
    let dir = shared.dir(id);
    let end = Instant::now() + Duration::from_secs(8);
    while Instant::now() < end {
        if crate::Machine::open(&dir).is_ok() {
            break;
        }
        sleep(GLANCE).await;
    }
    if let Err(error) = fs::remove_dir_all(&dir) {
        tracing::error!(%error, "cannot remove a removed node's data");
    }
}
