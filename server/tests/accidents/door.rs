//! A door before a node through which everything passes, until one request is told to lose its
//! answer, or itself.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The node gets the request and carries it out; what it answers never arrives.
    Answer,
    /// The request itself is cut off.
    Request,
}

pub struct Door {
    pub address: String,
    plan: Arc<Plan>,
}

#[derive(Default)]
struct Plan {
    /// How the request begins that is not to be answered.
    lost: Mutex<Option<(String, Lost)>>,
    /// How often it came.
    came: AtomicUsize,
}

impl Door {
    pub async fn before(node: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let plan = Arc::<Plan>::default();
        let (node, known) = (
            node.trim_start_matches("http://").to_owned(),
            Arc::clone(&plan),
        );
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if let Ok(far) = TcpStream::connect(&node).await {
                    tokio::spawn(pass(near, far, Arc::clone(&known)));
                }
            }
        });
        Self { address, plan }
    }

    /// Counts anew how often such a request comes.
    pub fn lose(&self, request: &str, what: Lost) {
        *self.plan.lost.lock().unwrap() = Some((request.to_owned(), what));
        self.plan.came.store(0, Ordering::SeqCst);
    }

    pub fn lose_nothing(&self) {
        *self.plan.lost.lock().unwrap() = None;
    }

    pub fn came(&self) -> usize {
        self.plan.came.load(Ordering::SeqCst)
    }
}

impl Plan {
    fn meets(&self, piece: &[u8]) -> Option<Lost> {
        let lost = self.lost.lock().unwrap();
        let (request, what) = lost.as_ref()?;
        let meets = piece.starts_with(request.as_bytes());
        meets.then(|| {
            self.came.fetch_add(1, Ordering::SeqCst);
            *what
        })
    }
}

/// Both ways until one ends; then both connections are closed.
async fn pass(near: TcpStream, far: TcpStream, plan: Arc<Plan>) {
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let mute = AtomicBool::new(false);
    let there = async {
        let mut piece = vec![0_u8; 64 * 1024];
        while let Ok(length @ 1..) = near_in.read(&mut piece).await {
            match plan.meets(&piece[..length]) {
                Some(Lost::Request) => return,
                Some(Lost::Answer) => mute.store(true, Ordering::SeqCst),
                None => {}
            }
            if far_out.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let mut piece = vec![0_u8; 64 * 1024];
        while let Ok(length @ 1..) = far_in.read(&mut piece).await {
            if mute.load(Ordering::SeqCst) || near_out.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}
