//! Follows the members' cluster events by their web sockets, so that a look need not wait for
//! its turn. An event only says that something moved; what it is, is looked up. The one thing
//! kept is the list of members, which no other call tells for certain.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{SinkExt, StreamExt};
use rand::Rng;
use reqwest::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};
use url::Url;

use super::{
    ask::{Asker, fabric},
    frame::{self, Event, Heard},
};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Somebody who has no right to the events is asked again at this pace.
const DENIED_PAUSE: Duration = Duration::from_secs(120);
/// A quiet cluster says nothing for hours; a new connection now and then finds out a dead one.
const QUIET: Duration = Duration::from_secs(300);
const ANSWER: Duration = Duration::from_secs(5);
/// The most one message may hold.
const MESSAGE_LIMIT: usize = 1024 * 1024;

/// The newest list of members that an event told: its index, and id and address of each.
type Members = Arc<Mutex<Option<(u64, BTreeSet<(String, String)>)>>>;

/// One task for each address followed; they end with this.
pub(super) struct Followers {
    tasks: Mutex<BTreeMap<Url, AbortHandle>>,
    follower: Follower,
}

#[derive(Clone)]
struct Follower {
    asker: Asker,
    moved: Arc<watch::Sender<u64>>,
    members: Members,
}

enum Ended {
    /// It never began.
    Unreached,
    Denied,
    /// It was listened to.
    Heard,
}

impl Followers {
    pub fn new(asker: Asker) -> Self {
        Self {
            tasks: Mutex::default(),
            follower: Follower {
                asker,
                moved: Arc::new(watch::Sender::new(0)),
                members: Arc::default(),
            },
        }
    }

    pub fn pushes(&self) -> watch::Receiver<u64> {
        self.follower.moved.subscribe()
    }

    /// The newest list of members that came since the last call.
    pub fn heard(&self) -> Option<BTreeSet<(String, String)>> {
        let mut members = lock(&self.follower.members);
        let (_, list) = members.as_mut()?;
        let list = std::mem::take(list);
        (!list.is_empty()).then_some(list)
    }

    /// Follows exactly these from now on.
    pub fn follow(&self, urls: BTreeSet<Url>) {
        let mut tasks = lock(&self.tasks);
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
            pause = match self.listen(url).await {
                Ended::Denied => DENIED_PAUSE,
                Ended::Heard => {
                    // A stream that ends is news as well: its controller may just have died.
                    self.nudge();
                    let lasted = began.elapsed() > LONGEST_PAUSE;
                    if lasted { FIRST_PAUSE } else { longer(pause) }
                }
                Ended::Unreached => longer(pause),
            };
            sleep(pause).await;
        }
    }

    async fn listen(&self, url: &Url) -> Ended {
        let Ok(session) = self.asker.sessions.session(url).await else {
            return Ended::Unreached;
        };
        let mut call = self.asker.client.get(&fabric(url, "ws-api")).within(ANSWER);
        for (name, value) in greeting() {
            call = call.header(name, value);
        }
        let raw = match session.sign(call).upgrade().await {
            Ok(raw) => raw,
            Err(crate::http::Wire::Denied { .. }) => return Ended::Denied,
            Err(_) => return Ended::Unreached,
        };
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_LIMIT))
            .max_frame_size(Some(MESSAGE_LIMIT));
        let mut socket = WebSocketStream::from_raw_socket(raw, Role::Client, Some(limits)).await;
        let subscription = Message::binary(frame::subscription());
        if !matches!(timeout(ANSWER, socket.send(subscription)).await, Ok(Ok(()))) {
            return Ended::Unreached;
        }
        while let Ok(Some(Ok(message))) = timeout(QUIET, socket.next()).await {
            match message {
                Message::Binary(bytes) => match frame::read(&bytes) {
                    Some(Heard::Refused(why)) => {
                        tracing::debug!(%url, %why, "no cluster events here");
                        return Ended::Denied;
                    }
                    // What happened before the subscription is not told again.
                    Some(Heard::Subscribed) => self.nudge(),
                    Some(Heard::Event(event)) => self.learn(&event),
                    Some(Heard::Other) | None => {}
                },
                Message::Close(_) => break,
                _ => {}
            }
        }
        Ended::Heard
    }

    fn learn(&self, event: &Event) {
        if let (Some(index), Some(list)) = (event.index, event.members()) {
            let mut members = lock(&self.members);
            if members.as_ref().is_none_or(|(known, _)| *known < index) {
                *members = Some((index, list));
            }
        }
        self.nudge();
    }

    fn nudge(&self) {
        self.moved
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// The headers that ask for a web socket.
fn greeting() -> [(HeaderName, HeaderValue); 4] {
    let mut key = [0_u8; 16];
    rand::rng().fill(&mut key);
    // Base64 is always fit for a header.
    let key = HeaderValue::from_str(&STANDARD.encode(key))
        .unwrap_or_else(|_| HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA=="));
    [
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        (SEC_WEBSOCKET_KEY, key),
    ]
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
