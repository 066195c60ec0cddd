//! One live document over server-sent events: a snapshot, then merge patches with increasing
//! ids, until the reader leaves, the console stops or the document may no longer be seen.

use std::{convert::Infallible, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{guards::problems::Fault, merge, state::Console};

/// Without a tick the document is rendered anew this often: ages and silence move by themselves.
const RENDER_EVERY: Duration = Duration::from_millis(500);
/// Ticks closer together than this are one.
const GATHER: Duration = Duration::from_millis(20);
/// Mere ages are sent this often.
const AGES_EVERY: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// A reader this many events behind is waited for; then the newest document is sent.
const AHEAD: usize = 4;

/// Why a document is not sent any more.
#[derive(Debug)]
pub enum End {
    /// The last event says so, so that the reader does not come back by itself.
    SignedOut,
    /// It is gone, or the console cannot render it: the reader comes back and is told.
    Broken,
}

/// Renders the document as it stands now.
pub type Render = Box<dyn Fn() -> BoxFuture<'static, Result<Value, End>> + Send + Sync>;

/// The answer that streams what `render` gives whenever `ticks` moves.
pub fn open(
    console: &Console,
    headers: &HeaderMap,
    ticks: watch::Receiver<u64>,
    render: Render,
) -> Result<Response, Fault> {
    let place = console
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| too_many())?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let feed = Feed {
        id: last_seen(headers),
        sent: None,
        sent_at: Instant::now(),
        sender,
    };
    let closing = console.closing.clone();
    tokio::spawn(async move {
        let gone = feed.sender.clone();
        tokio::select! {
            () = feed.run(ticks, render) => {}
            () = gone.closed() => {}
            () = closing.cancelled() => {}
        }
        drop(place);
    });
    let stream = Sse::new(ReceiverStream::new(receiver))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("still here"));
    let mut response = stream.into_response();
    // Proxies that gather answers would hold events back.
    let gather = HeaderName::from_static("x-accel-buffering");
    response
        .headers_mut()
        .insert(gather, HeaderValue::from_static("no"));
    Ok(response)
}

/// What one reader has been sent.
struct Feed {
    id: u64,
    sent: Option<Value>,
    sent_at: Instant,
    sender: mpsc::Sender<Result<Event, Infallible>>,
}

impl Feed {
    async fn run(mut self, mut ticks: watch::Receiver<u64>, render: Render) {
        loop {
            ticks.mark_unchanged();
            let going_on = match render().await {
                Ok(document) => self.show(document).await,
                Err(End::Broken) => false,
                Err(End::SignedOut) => {
                    self.send("signed-out", "{}".to_owned()).await;
                    false
                }
            };
            if !going_on {
                return;
            }
            wait(&mut ticks).await;
        }
    }

    /// Sends what is new. False once the reader has left.
    async fn show(&mut self, document: Value) -> bool {
        let (event, data) = match &self.sent {
            None => ("snapshot", document.to_string()),
            Some(sent) => {
                let only_ages = merge::same_but_ages(sent, &document);
                if only_ages && self.sent_at.elapsed() < AGES_EVERY {
                    return true;
                }
                match merge::patch(sent, &document) {
                    Some(patch) => ("delta", patch.to_string()),
                    None => return true,
                }
            }
        };
        self.sent = Some(document);
        self.sent_at = Instant::now();
        self.send(event, data).await
    }

    async fn send(&mut self, event: &str, data: String) -> bool {
        self.id = self.id.saturating_add(1);
        let event = Event::default()
            .event(event)
            .id(self.id.to_string())
            .data(data);
        self.sender.send(Ok(event)).await.is_ok()
    }
}

/// Until something has moved, or it is time to look at the clock.
async fn wait(ticks: &mut watch::Receiver<u64>) {
    match tokio::time::timeout(RENDER_EVERY, ticks.changed()).await {
        Ok(Ok(())) => tokio::time::sleep(GATHER).await,
        // The sender is gone; the next rendering says what that means.
        Ok(Err(_)) => tokio::time::sleep(RENDER_EVERY).await,
        Err(_) => {}
    }
}

/// A reader who comes back gets a whole snapshot, under an id above the last one it has.
fn last_seen(headers: &HeaderMap) -> u64 {
    let id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    id.and_then(|id| id.parse().ok()).unwrap_or(0)
}

fn too_many() -> Fault {
    Fault::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too-many-streams",
        "Too many pages follow this console live.",
        "Close pages that are not needed; this one goes on without live changes until then.",
    )
}
