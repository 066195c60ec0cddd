//! What stands between the nodes: a relay before each one's cluster address. What passes there is
//! encrypted and names nobody, so whose connection it is is told by the process that holds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Which nodes are cut off from all others; their own addresses can be reached all the while.
#[derive(Clone, Default)]
pub struct Wall {
    cut: watch::Sender<BTreeSet<String>>,
    processes: Arc<Mutex<BTreeMap<u32, String>>>,
}

impl Wall {
    /// From now on nothing passes from or to this node.
    pub fn cut(&self, id: &str) {
        self.cut.send_modify(|cut| {
            cut.insert(id.to_owned());
        });
    }

    pub fn mend(&self) {
        self.cut.send_modify(BTreeSet::clear);
    }

    /// A relay before `target` (`host:port`), where `owner` listens; its own `host:port`.
    pub async fn gate(&self, target: String, owner: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wall, owner) = (self.clone(), owner.to_owned());
        tokio::spawn(async move {
            while let Ok((near, from)) = listener.accept().await {
                let (wall, target, owner) = (wall.clone(), target.clone(), owner.clone());
                tokio::spawn(async move { wall.carry(near, from, target, owner).await });
            }
        });
        address.to_string()
    }

    pub fn belongs_to(&self, pid: u32, id: &str) {
        self.processes.lock().unwrap().insert(pid, id.to_owned());
    }

    async fn carry(&self, mut near: TcpStream, from: SocketAddr, target: String, owner: String) {
        // Who cannot be told is let go: nodes try again.
        let Some(sender) = self.sender(from) else {
            return;
        };
        let mut cut = self.cut.subscribe();
        let is_cut = |cut: &BTreeSet<String>| cut.contains(&sender) || cut.contains(&owner);
        if is_cut(&cut.borrow()) {
            return;
        }
        let Ok(mut far) = TcpStream::connect(&target).await else {
            return;
        };
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => {}
            _ = cut.wait_for(is_cut) => {}
        }
    }

    /// The node whose process has the other end of a connection from `from`.
    fn sender(&self, from: SocketAddr) -> Option<String> {
        let socket = format!("socket:[{}]", inode(from)?);
        let processes = self.processes.lock().unwrap().clone();
        let holds = |pid: &u32| {
            let open = fs::read_dir(format!("/proc/{pid}/fd"));
            let mut files = open.into_iter().flatten().flatten();
            files.any(|file| {
                fs::read_link(file.path()).is_ok_and(|it| it.as_os_str() == socket.as_str())
            })
        };
        let mut found = processes.into_iter().filter(|(pid, _)| holds(pid));
        found.next().map(|(_, id)| id)
    }
}

/// Of the local socket with this address, as the kernel lists it.
fn inode(address: SocketAddr) -> Option<String> {
    let local = format!("0100007F:{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let mut rows = table.lines().map(str::split_whitespace);
    rows.find_map(|mut row| (row.nth(1)? == local).then(|| row.nth(7).map(str::to_owned))?)
}
