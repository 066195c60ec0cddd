//! A body that says it is too long is refused before it is read, and the caller gets to read why.

use std::time::Duration;

use axum::{
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::StreamExt as _;

/// How much of a refused body is read and thrown away, in bytes. A connection that is closed
/// while its other end still writes is reset, and the answer is lost with it: a caller that was
/// only a little over the limit would see a broken connection instead of the reason.
const LEFTOVER: usize = 4 * 1024 * 1024;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Refuses a body that is announced as longer than `limit` bytes. One that is not announced is
/// held to the limit while it is read.
pub async fn refuse(limit: usize, request: Request, next: Next) -> Response {
    if announced(&request).is_none_or(|length| length <= limit) {
        return next.run(request).await;
    }
    let leftover = discard(request);
    let _ = tokio::time::timeout(PATIENCE, leftover).await;
    StatusCode::PAYLOAD_TOO_LARGE.into_response()
}

fn announced(request: &Request) -> Option<usize> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

async fn discard(request: Request) {
    let mut body = request.into_body().into_data_stream();
    let mut read = 0_usize;
    while let Some(Ok(part)) = body.next().await {
        read = read.saturating_add(part.len());
        if read > LEFTOVER {
            return;
        }
    }
}
