//! Files that clients take from the disk: exports of the audit log, which have no name and hold
//! their room until they are taken, and snapshots. Slow clients are bounded: in their number, in
//! the room they hold, and in time. Permission and record are `control`'s.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Extension, Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use quorate_app::session::Visitor;
use quorate_control::Operator;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, timeout},
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{guards::problems::Fault, state::Console};

/// Files that are given out at once.
const AT_ONCE: usize = 32;
/// Bytes that they hold together; a single one may be larger.
const HELD_MOST: u64 = 16 * 1024 * 1024 * 1024;
/// How long a client may take nothing at all.
const STALLED: Duration = Duration::from_secs(60);
/// And the longest that one file may take.
const LONGEST: Duration = Duration::from_secs(60 * 60);
const CHUNK: usize = 64 * 1024;

/// What is under way in one console. Cheap to clone.
#[derive(Clone)]
pub struct Downloads {
    places: Arc<Semaphore>,
    held: Arc<AtomicU64>,
    stalled: Duration,
}

impl Default for Downloads {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            held: Arc::default(),
            stalled: STALLED,
        }
    }
}

impl Downloads {
    /// Taken before a file is made, so that nothing is made that cannot be given out.
    ///
    /// # Errors
    /// `too-many-downloads`.
    pub fn place(&self) -> Result<Place, Fault> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        Ok(Place {
            _permit: permit.map_err(|_| too_many())?,
            held: Arc::clone(&self.held),
            bytes: 0,
            stalled: self.stalled,
        })
    }
}

/// One file under way; its room is free again when this is gone.
pub struct Place {
    _permit: OwnedSemaphorePermit,
    held: Arc<AtomicU64>,
    bytes: u64,
    stalled: Duration,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

impl Place {
    /// The file of that many bytes as a body. A client that takes nothing for a minute, or takes
    /// an hour in all, gets no more: the body ends early, which breaks the connection.
    ///
    /// # Errors
    /// `too-many-downloads` if it does not fit beside those that are under way.
    pub fn body(
        mut self,
        file: impl AsyncRead + Send + Unpin + 'static,
        bytes: u64,
    ) -> Result<Body, Fault> {
        let others = self.held.fetch_add(bytes, Ordering::SeqCst);
        self.bytes = bytes;
        if others > 0 && others.saturating_add(bytes) > HELD_MOST {
            return Err(too_many());
        }
        let (chunks, taken) = mpsc::channel(2);
        // Not in the body itself: of one that nobody takes, nothing would be asked any more.
        tokio::spawn(async move {
            if timeout(LONGEST, give(file, &chunks, self.stalled))
                .await
                .is_err()
            {
                tracing::info!("a download took too long and was broken off");
            }
            drop(self);
        });
        Ok(Body::from_stream(ReceiverStream::new(taken)))
    }
}

async fn give(
    mut file: impl AsyncRead + Unpin,
    chunks: &mpsc::Sender<io::Result<Bytes>>,
    stalled: Duration,
) {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let chunk = match file.read_buf(&mut chunk).await {
            Ok(0) => return,
            Ok(_) => Ok(Bytes::from(chunk)),
            Err(error) => Err(error),
        };
        let failed = chunk.is_err();
        let began = Instant::now();
        match timeout(stalled, chunks.send(chunk)).await {
            Ok(Ok(())) if !failed => {}
            Ok(_) => return,
            Err(_late) => {
                let waited = began.elapsed().as_secs();
                tracing::info!(waited, "a download that nobody takes was broken off");
                return;
            }
        }
    }
}

fn too_many() -> Fault {
    Fault::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too-many-downloads",
        "As many files are being downloaded as this console holds at once.",
        "Try again in a minute, or ask for a smaller part of the log.",
    )
}

/// For the page, by session.
pub async fn by_session(
    State(console): State<Console>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let who = visitor.ok_or_else(Fault::not_signed_in)?;
    content(&console, &who, &id).await
}

/// The file as an attachment.
pub async fn content(console: &Console, who: &Operator, id: &str) -> Result<Response, Fault> {
    let place = console.downloads.place()?;
    let path = console.control.snapshot_file(who, id).await?;
    let file = tokio::fs::File::open(&path)
        .await
        .map_err(|error| gone(&error))?;
    let length = file.metadata().await.map_err(|error| gone(&error))?.len();
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    // It lies there anyway: it holds no room of its own.
    let mut response = place.body(file, 0)?.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    let attachment = format!(
        "attachment; filename=\"{}\"",
        safe(&name.unwrap_or_default())
    );
    if let Ok(attachment) = HeaderValue::from_str(&attachment) {
        headers.insert(header::CONTENT_DISPOSITION, attachment);
    }
    Ok(response)
}

fn gone(error: &std::io::Error) -> Fault {
    tracing::error!("cannot read a snapshot: {error}");
    Fault::new(
        StatusCode::NOT_FOUND,
        "snapshot-gone",
        "The snapshot's content is not here any more.",
        "Take a new snapshot.",
    )
}

/// A file name that needs no quoting anywhere.
fn safe(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_file_arrives_whole_and_its_place_is_free_again() {
        let downloads = Downloads::default();
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
        let length = u64::try_from(content.len()).unwrap();
        let place = downloads.place().unwrap();
        let body = place
            .body(io::Cursor::new(content.clone()), length)
            .unwrap();
        assert_eq!(downloads.held.load(Ordering::SeqCst), length);
        let taken = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        assert!(taken == content);
        until_free(&downloads).await;
    }

    #[tokio::test]
    async fn whoever_takes_nothing_holds_nothing_for_long() {
        let downloads = Downloads {
            stalled: Duration::from_millis(20),
            ..Downloads::default()
        };
        let place = downloads.place().unwrap();
        let body = place.body(tokio::io::repeat(7), 7).unwrap();
        until_free(&downloads).await;
        drop(body);
    }

    #[tokio::test]
    async fn one_alone_may_be_large_and_beside_it_there_is_no_room() {
        let downloads = Downloads::default();
        let place = downloads.place().unwrap();
        let body = place.body(tokio::io::repeat(7), 1 << 40).unwrap();
        let second = downloads.place().unwrap();
        assert!(second.body(tokio::io::empty(), 1).is_err());
        drop(body);
        until_free(&downloads).await;
    }

    #[tokio::test]
    async fn there_are_so_many_places_and_no_more() {
        let downloads = Downloads::default();
        let places: Vec<Place> = (0..AT_ONCE).map(|_| downloads.place().unwrap()).collect();
        assert!(downloads.place().is_err());
        drop(places);
        assert!(downloads.place().is_ok());
    }

    async fn until_free(downloads: &Downloads) {
        let free = async {
            while downloads.places.available_permits() < AT_ONCE
                || downloads.held.load(Ordering::SeqCst) > 0
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(90), free).await.unwrap();
    }
}
