//! The content of a snapshot, streamed from the disk. Permission and record are `control`'s.

use axum::{
    body::Body,
    extract::{Extension, Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use quorate_app::session::Visitor;
use quorate_control::Operator;
use tokio_util::io::ReaderStream;

use crate::{guards::problems::Fault, state::Console};

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
    let path = console.control.snapshot_file(who, id).await?;
    let file = tokio::fs::File::open(&path)
        .await
        .map_err(|error| gone(&error))?;
    let length = file.metadata().await.map_err(|error| gone(&error))?.len();
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let mut response = Body::from_stream(ReaderStream::new(file)).into_response();
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
