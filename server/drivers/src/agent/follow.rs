//! Follows the members' event streams, so that a look need not wait for its turn.
//!
//! An event only says that something moved; what it is, is always looked up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep},
};
use url::Url;

use super::ask::{at, with_token};
use crate::{
    Secret,
    http::{Client, Wire},
};

/// A stream that says nothing for so long is dead: agents send a sign of life every 5 s.
const SILENCE: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One task for each address followed; they end with this.
pub(super) struct Followers {
    tasks: Mutex<BTreeMap<Url, AbortHandle>>,
    follower: Follower,
}

#[derive(Clone)]
struct Follower {
    client: Client,
    token: Option<Secret>,
    wait: Duration,
    moved: Arc<watch::Sender<u64>>,
}

impl Followers {
    pub fn new(client: Client, token: Option<Secret>, wait: Duration) -> Self {
        let moved = Arc::new(watch::Sender::new(0));
        Self {
            tasks: Mutex::default(),
            follower: Follower {
                client,
                token,
                wait,
                moved,
            },
        }
    }

    pub fn pushes(&self) -> watch::Receiver<u64> {
        self.follower.moved.subscribe()
    }

    /// Follows exactly these from now on.
    pub fn follow(&self, urls: BTreeSet<Url>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|url, task| {
            let stays = urls.contains(url);
            if !stays {
                task.abort();
            }
            stays
        });
        for url in urls {
            tasks.entry(url.clone()).or_insert_with(|| {
                let follower = self.follower.clone();
                tokio::spawn(async move { follower.run(&url).await }).abort_handle()
            });
        }
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        self.follow(BTreeSet::new());
    }
}

impl Follower {
    async fn run(&self, url: &Url) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            let connected = self.listen(url).await;
            if connected {
                // A stream that ends is news as well: its node may just have died.
                self.nudge();
            }
            pause = if connected && began.elapsed() > LONGEST_PAUSE {
                FIRST_PAUSE
            } else {
                (pause * 2).min(LONGEST_PAUSE)
            };
            sleep(pause).await;
        }
    }

    /// Listens until the stream ends. Whether it ever began.
    async fn listen(&self, url: &Url) -> bool {
        let call = self.client.get(&at(url, "events")).within(self.wait);
        let Ok(mut stream) = with_token(call, self.token.as_ref()).stream().await else {
            return false;
        };
        loop {
            match stream.chunk(SILENCE).await {
                Ok(Some(chunk)) if tells(&chunk) => self.nudge(),
                Ok(Some(_)) => {}
                Ok(None) | Err(Wire::TimedOut(_) | _) => return true,
            }
        }
    }

    fn nudge(&self) {
        self.moved
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Whether a piece of the stream is more than a sign of life. Lines of comment begin with a
/// colon; a piece may begin in the middle of a line, which then counts as news once too often.
fn tells(chunk: &[u8]) -> bool {
    chunk
        .split(|byte| *byte == b'\n')
        .any(|line| !matches!(line.first(), None | Some(b':' | b'\r')))
}
