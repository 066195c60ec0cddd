//! The audit log: entries oldest first, what is signed, proofs and exports.

use axum::{
    Json,
    extract::{Extension, Path, Request, State},
    http::header,
    response::{IntoResponse, Response},
};
use quorate_control::{Format, Language, Operator};
use quorate_domain::{
    audit::{EntryKind, Filter, Outcome},
    moment::Timestamp,
};

use super::{
    body::Fields,
    page::{self, Asked},
};
use crate::{audit_files, guards::problems::Fault, state::Console};

pub async fn list(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    request: Request,
) -> Result<Response, Fault> {
    let asked = Asked::of(
        &request,
        &["from", "to", "cluster", "actor", "change", "after", "limit"],
    )?;
    let filter = Filter {
        from: asked.time("from")?,
        to: asked.time("to")?,
        cluster: asked.text("cluster").map(str::to_owned),
        actor: asked.text("actor").map(str::to_owned),
        change: asked.text("change").map(str::to_owned),
        ..Filter::default()
    };
    let after = asked.number("after")?.unwrap_or(0);
    Ok(page::page(
        console
            .control
            .audit(&who, &filter, after, asked.limit()?)
            .await?,
    ))
}

/// The newest signed checkpoint, verbatim.
pub async fn checkpoint(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    request: Request,
) -> Result<Response, Fault> {
    Asked::of(&request, &[])?;
    let note = console.control.audit_checkpoint(&who).await?;
    note.map(text).ok_or_else(Fault::not_found)
}

/// Every public key that signed, one a line.
pub async fn keys(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    request: Request,
) -> Result<Response, Fault> {
    Asked::of(&request, &[])?;
    let keys = console.control.audit_keys(&who).await?;
    Ok(text(keys.iter().map(|key| format!("{key}\n")).collect()))
}

fn text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// How far it is signed and copied, and what is wrong with it.
pub async fn standing(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    request: Request,
) -> Result<Response, Fault> {
    Asked::of(&request, &[])?;
    Ok(Json(console.control.audit_standing(&who).await?).into_response())
}

pub async fn proof(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    Path(seq): Path<String>,
) -> Result<Response, Fault> {
    let seq = audit_files::number(&seq)?;
    let (proof, _) = console.control.audit_proof(&who, seq).await?;
    Ok(audit_files::proof_of(seq, proof))
}

const FIELDS: &[&str] = &[
    "format", "language", "from", "to", "cluster", "actor", "kind", "outcome", "change", "size",
];

pub async fn export(
    State(console): State<Console>,
    Extension(who): Extension<Operator>,
    request: Request,
) -> Result<Response, Fault> {
    let mut fields = Fields::of(request).await?;
    let format = match fields.text("format")? {
        None => Format::Bundle,
        Some(format) => Format::parse(&format).ok_or_else(audit_files::unknown_format)?,
    };
    let language = match fields.text("language")? {
        None => Language::default(),
        Some(language) => {
            Language::parse(&language).ok_or_else(|| unknown("language", "Give en or zh."))?
        }
    };
    let filter = Filter {
        from: time(&mut fields, "from")?,
        to: time(&mut fields, "to")?,
        cluster: fields.text("cluster")?,
        actor: fields.text("actor")?,
        kinds: kind(&mut fields)?.into_iter().collect(),
        outcome: outcome(&mut fields)?,
        change: fields.text("change")?,
    };
    let size = fields.number("size")?;
    fields.end(FIELDS)?;
    let place = console.downloads.place()?;
    let export = console
        .control
        .audit_export_in(&who, language, format, &filter, size)
        .await?;
    audit_files::attachment(format, export, place)
}

fn time(fields: &mut Fields, name: &str) -> Result<Option<Timestamp>, Fault> {
    let understood = |text: String| {
        Timestamp::parse(&text).ok_or_else(|| {
            Fault::malformed(
                format!("`{name}` is not understood."),
                "Give a time like 2026-11-21T14:00:00Z.",
            )
        })
    };
    fields.text(name)?.map(understood).transpose()
}

fn kind(fields: &mut Fields) -> Result<Option<EntryKind>, Fault> {
    let understood = |text: String| {
        EntryKind::parse(&text)
            .ok_or_else(|| unknown("kind", "Give intent, outcome, refusal, access or console."))
    };
    fields.text("kind")?.map(understood).transpose()
}

fn outcome(fields: &mut Fields) -> Result<Option<Outcome>, Fault> {
    let understood = |text: String| {
        Outcome::parse(&text)
            .ok_or_else(|| unknown("outcome", "Give succeeded, failed, refused or unknown."))
    };
    fields.text("outcome")?.map(understood).transpose()
}

fn unknown(field: &str, hint: &'static str) -> Fault {
    Fault::malformed(format!("`{field}` is not understood."), hint)
}
