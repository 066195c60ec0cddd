//! A proxy between console and node that can hold an answer back in its middle.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

pub struct Proxy {
    pub address: String,
    /// Bytes of one answer after which it is held; the largest number: never.
    limit: Arc<AtomicUsize>,
    holding: watch::Sender<bool>,
    released: watch::Sender<bool>,
}

impl Proxy {
    pub async fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            limit: Arc::new(AtomicUsize::new(usize::MAX)),
            holding: watch::Sender::new(false),
            released: watch::Sender::new(false),
        };
        let target = target.trim_start_matches("http://").to_owned();
        let (limit, holding, released) = (
            Arc::clone(&proxy.limit),
            proxy.holding.clone(),
            proxy.released.clone(),
        );
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&target).await else {
                    continue;
                };
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::spawn(forward(near_in, far_out));
                let (limit, holding, released) =
                    (Arc::clone(&limit), holding.clone(), released.subscribe());
                tokio::spawn(back(far_in, near_out, limit, holding, released));
            }
        });
        proxy
    }

    /// Holds every answer that grows beyond `bytes`.
    pub fn hold_after(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::SeqCst);
    }

    pub async fn is_holding(&self) {
        self.holding
            .subscribe()
            .wait_for(|holding| *holding)
            .await
            .unwrap();
    }

    pub fn release(&self) {
        self.released.send_replace(true);
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = copy(&mut from, &mut to).await;
}

async fn back(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    limit: Arc<AtomicUsize>,
    holding: watch::Sender<bool>,
    mut released: watch::Receiver<bool>,
) {
    let mut piece = vec![0_u8; 64 * 1024];
    let mut passed = 0;
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        passed += length;
        if passed > limit.load(Ordering::SeqCst) {
            holding.send_replace(true);
            released.wait_for(|released| *released).await.unwrap();
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
