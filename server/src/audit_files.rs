//! The audit log as files: exports and proofs, for pages and REST. Permission and record are
//! `control`'s.

use axum::{
    body::Bytes,
    extract::{Extension, Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use quorate_app::{pages::audit::query::Query, session::Visitor};
use quorate_control::{Export, Format, Language};

use crate::{downloads::Place, guards::problems::Fault, state::Console};

/// The signed list of an export's contents and digests, as base64 of the note.
const MANIFEST: HeaderName = HeaderName::from_static("quorate-audit-manifest");

/// From the page's form: the conditions of its list, and a format.
pub async fn export_by_form(
    State(console): State<Console>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    body: Bytes,
) -> Result<Response, Fault> {
    let who = visitor.ok_or_else(Fault::not_signed_in)?;
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.clone())
    };
    let filter = Query::read(field).filter(console.control.now());
    let format = field("format").and_then(|format| Format::parse(&format));
    let format = format.ok_or_else(unknown_format)?;
    let language = field("language").and_then(|it| Language::parse(&it));
    // Left empty in the form: up to now.
    let size = field("size").filter(|size| !size.trim().is_empty());
    let size = size.map(|size| number(size.trim())).transpose()?;
    let place = console.downloads.place()?;
    let export = console
        .control
        .audit_export_in(&who, language.unwrap_or_default(), format, &filter, size)
        .await?;
    attachment(format, export, place)
}

/// From an entry's page.
pub async fn proof_by_session(
    State(console): State<Console>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    Path(seq): Path<String>,
) -> Result<Response, Fault> {
    let who = visitor.ok_or_else(Fault::not_signed_in)?;
    let seq = number(&seq)?;
    let (proof, _) = console.control.audit_proof(&who, seq).await?;
    Ok(proof_of(seq, proof))
}

/// # Errors
/// 404: what is no number names no entry.
pub fn number(seq: &str) -> Result<u64, Fault> {
    seq.parse().map_err(|_| Fault::not_found())
}

pub fn unknown_format() -> Fault {
    Fault::malformed(
        "`format` is not understood.",
        "Give bundle, jsonl, csv, pdf or ocsf.",
    )
}

/// An export, streamed from the disk.
///
/// # Errors
/// `too-many-downloads` if it does not fit beside those that are under way.
pub fn attachment(format: Format, export: Export, place: Place) -> Result<Response, Fault> {
    let file = tokio::fs::File::from_std(export.content);
    let mut response = place.body(file, export.bytes)?.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.media()),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(export.bytes));
    let named = format!("attachment; filename=\"{}\"", export.name);
    let manifest = STANDARD.encode(export.manifest);
    for (name, value) in [(header::CONTENT_DISPOSITION, named), (MANIFEST, manifest)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// A proof as a file of its own.
pub fn proof_of(seq: u64, proof: String) -> Response {
    let name = format!("attachment; filename=\"quorate-audit-entry-{seq}.tlog-proof\"");
    let kind = "text/plain; charset=utf-8".to_owned();
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, name),
    ];
    (StatusCode::OK, headers, proof).into_response()
}
