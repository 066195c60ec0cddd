//! The browser's files, built into the program: script, wasm, style, icons.
//!
//! A name with a hash in it never changes its content and may be kept for ever; any other is
//! asked for again with its tag.

use std::sync::OnceLock;

use axum::{
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use quorate_app::assets::Assets;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::guards::problems::Fault;

/// One file with its compressed twins.
pub struct File {
    pub name: &'static str,
    pub plain: &'static [u8],
    pub brotli: Option<&'static [u8]>,
    pub gzip: Option<&'static [u8]>,
}

mod table {
    use super::File;

    include!(concat!(env!("OUT_DIR"), "/site.rs"));
}

/// The paths of the files a page starts with; the defaults where this build has no site.
#[must_use]
pub fn names() -> Assets {
    let manifest: Value = serde_json::from_str(table::MANIFEST).unwrap_or_default();
    let path = |key: &str, default: String| {
        manifest
            .get(key)
            .and_then(Value::as_str)
            .map_or(default, |name| format!("/assets/{name}"))
    };
    let default = Assets::default();
    Assets {
        style: path("css", default.style),
        script: path("js", default.script),
        wasm: path("wasm", default.wasm),
        ..default
    }
}

/// Whether this build has a site. Without one (a bare `cargo build`) pages have no scripts.
#[must_use]
pub fn is_built_in() -> bool {
    !table::FILES.is_empty()
}

/// `GET /assets/{name}`.
pub async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match table::FILES.iter().position(|file| file.name == name) {
        Some(index) => answer(index, &headers),
        None => Fault::not_found().into_response(),
    }
}

fn answer(index: usize, headers: &HeaderMap) -> Response {
    let Some(file) = table::FILES.get(index) else {
        return Fault::not_found().into_response();
    };
    let (body, encoding) = choose(file, headers);
    let etag = format!(
        "\"{}{}\"",
        tag(index),
        encoding.map_or("", |encoding| encoding.mark)
    );
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|tags| tags.to_str().ok())
        .any(|tags| {
            tags.split(',')
                .any(|tag| tag.trim().trim_start_matches("W/") == etag)
        });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(Bytes::from_static(body)))
    };
    let cache = if is_hashed(file.name) {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=300, must-revalidate"
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(kind(file.name)),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Some(encoding) = encoding {
        headers.insert(
            header::CONTENT_ENCODING,
            HeaderValue::from_static(encoding.name),
        );
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

#[derive(Clone, Copy)]
struct Encoding {
    name: &'static str,
    mark: &'static str,
}

fn choose(file: &File, headers: &HeaderMap) -> (&'static [u8], Option<Encoding>) {
    let accepted: Vec<&str> = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let accepts = |name: &str| accepted.iter().any(|item| takes(item, name));
    match (file.brotli, file.gzip) {
        (Some(body), _) if accepts("br") => (
            body,
            Some(Encoding {
                name: "br",
                mark: "-br",
            }),
        ),
        (_, Some(body)) if accepts("gzip") => (
            body,
            Some(Encoding {
                name: "gzip",
                mark: "-gz",
            }),
        ),
        _ => (file.plain, None),
    }
}

/// Whether one item of `Accept-Encoding` (`br`, `gzip;q=0.5`) takes the encoding `name`.
fn takes(item: &str, name: &str) -> bool {
    let mut parts = item.split(';').map(str::trim);
    let named = parts
        .next()
        .is_some_and(|encoding| encoding.eq_ignore_ascii_case(name));
    let refused = parts.any(|part| {
        part.strip_prefix("q=")
            .is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty())
    });
    named && !refused
}

fn tag(index: usize) -> &'static str {
    static TAGS: OnceLock<Vec<String>> = OnceLock::new();
    let tags = TAGS.get_or_init(|| {
        let digest = |file: &File| Sha256::digest(file.plain);
        let hex = |file| {
            digest(file)
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect()
        };
        table::FILES.iter().map(hex).collect()
    });
    tags.get(index).map_or("", String::as_str)
}

/// `quorate-1f2e3d4c.wasm`: eight hex digits before the extension.
fn is_hashed(name: &str) -> bool {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webmanifest" => "application/manifest+json",
        "json" => "application/json",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        assert!(is_hashed("quorate-0123abcd.wasm"));
        assert!(!is_hashed("icon.svg"));
        assert!(!is_hashed("icon-192.png"));
    }

    #[test]
    fn an_encoding_with_weight_zero_is_not_taken() {
        assert!(takes("br", "br"));
        assert!(takes("gzip;q=0.5", "gzip"));
        assert!(!takes("br;q=0", "br"));
        assert!(!takes("br; q=0.000", "br"));
        assert!(!takes("gzip", "br"));
    }
}
