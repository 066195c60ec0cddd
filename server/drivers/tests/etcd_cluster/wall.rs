//! What stands between the members: a proxy before each one's peer address. Members say in every
//! request who they are, so a proxy knows whose connection it carries and can cut it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Which members are cut off from all others, by the id they say they have.
#[derive(Clone)]
pub struct Wall {
    cut: watch::Sender<BTreeSet<String>>,
}

/// Where one member is reached by the others.
pub struct Gate {
    pub address: String,
    /// The member behind it, once it has an id.
    owner: Arc<Mutex<Option<String>>>,
}

impl Wall {
    pub fn new() -> Self {
        Self {
            cut: watch::Sender::default(),
        }
    }

    /// From now on nothing passes from or to this member.
    pub fn cut(&self, id: &str) {
        self.cut.send_modify(|cut| {
            cut.insert(id.to_owned());
        });
    }

    pub fn mend(&self) {
        self.cut.send_modify(BTreeSet::clear);
    }

    /// A gate before `target` (`host:port`).
    pub async fn gate(&self, target: String) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let owner: Arc<Mutex<Option<String>>> = Arc::default();
        let (cut, behind) = (self.cut.clone(), Arc::clone(&owner));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = target.clone();
                tokio::spawn(carry(near, far, cut.subscribe(), Arc::clone(&behind)));
            }
        });
        Gate { address, owner }
    }
}

impl Gate {
    pub fn belongs_to(&self, id: &str) {
        *self.owner.lock().unwrap() = Some(id.to_owned());
    }
}

async fn carry(
    mut near: TcpStream,
    target: String,
    mut cut: watch::Receiver<BTreeSet<String>>,
    owner: Arc<Mutex<Option<String>>>,
) {
    let Some((head, sender)) = first_head(&mut near).await else {
        return;
    };
    let is_cut = |cut: &BTreeSet<String>| {
        let behind = owner.lock().unwrap().clone();
        [sender.clone(), behind]
            .into_iter()
            .flatten()
            .any(|id| cut.contains(&id))
    };
    if is_cut(&cut.borrow()) {
        return;
    }
    let Ok(mut far) = TcpStream::connect(&target).await else {
        return;
    };
    if far.write_all(&head).await.is_err() {
        return;
    }
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = cut.wait_for(is_cut) => {}
    }
}

/// The first request's head, and the sender's id in it.
async fn first_head(near: &mut TcpStream) -> Option<(Vec<u8>, Option<String>)> {
    let mut head = Vec::new();
    let mut piece = [0_u8; 4096];
    while !head.windows(4).any(|part| part == b"\r\n\r\n") {
        let length = near
            .read(&mut piece)
            .await
            .ok()
            .filter(|length| *length > 0)?;
        head.extend_from_slice(&piece[..length]);
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let sender = text
        .lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix("x-server-from:"))
        .map(|id| id.trim().to_owned());
    Some((head, sender))
}
