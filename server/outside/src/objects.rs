//! Object storage that speaks S3: every checkpoint, every run of entries and every file of a
//! report is an object of its own, under a key that tells what it is. Nothing is overwritten: a
//! key that is there already must hold the same bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use quorate_control::{Content, Outside, Parcel, Recipient, ReportFile, Terms, What};
use quorate_drivers::Secret;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use crate::{
    Named, OutsideError, Tls, beginning, calling,
    sigv4::{Call, Signer, encoded},
};

/// Pages of a list that are read at most; a page has up to 1,000 keys.
const PAGES_MOST: usize = 50;

pub struct ObjectSettings {
    pub named: Named,
    /// Scheme, host and port; the bucket is the first part of the path.
    pub endpoint: Url,
    pub bucket: String,
    /// Begins every key; empty or ending in `/`.
    pub prefix: String,
    pub region: String,
    pub key_id: String,
    pub secret: Secret,
    /// Sends `If-None-Match: *`, so that the store itself refuses to overwrite.
    pub only_new: bool,
    pub lock: Option<Lock>,
    pub tls: Tls,
}

/// Object lock: nobody can remove or replace an object before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    pub mode: LockMode,
    pub days: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Some may lift it.
    Governance,
    /// Nobody may.
    Compliance,
}

pub struct Objects {
    client: Client,
    settings: ObjectSettings,
    host: String,
}

/// Bytes to be stored, or a file of them.
enum Stored<'a> {
    Bytes(Vec<u8>),
    File(&'a ReportFile),
}

impl Objects {
    /// # Errors
    /// If the certificates cannot be used.
    pub fn new(settings: ObjectSettings) -> Result<Self, OutsideError> {
        let host = settings.endpoint.host_str().unwrap_or_default();
        let host = match settings.endpoint.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self {
            client: calling::client(&settings.tls)?,
            host,
            settings,
        })
    }

    /// Whether the bucket answers to the key given. Stores nothing.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn diagnose(&self) -> Result<(), String> {
        match self.list("diagnose", "").await {
            Ok(_) | Err(Refused::NotAllowed) => Ok(()),
            Err(Refused::Failed(why)) => Err(why),
        }
    }

    fn call(
        &self,
        method: Method,
        key: &str,
        query: &str,
        headers: &[(&'static str, String)],
        sha256: [u8; 32],
    ) -> Result<RequestBuilder, String> {
        let bucket = encoded(&self.settings.bucket, false);
        let path = match key {
            "" => format!("/{bucket}"),
            key => format!("/{bucket}/{}", encoded(key, true)),
        };
        let mut url = self.settings.endpoint.clone();
        url.set_path(&path);
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let time = stamp(OffsetDateTime::now_utc());
        let signer = Signer {
            key_id: &self.settings.key_id,
            secret: &self.settings.secret,
            region: &self.settings.region,
        };
        let signed = signer.headers(&Call {
            method: method.as_str(),
            host: &self.host,
            path: &path,
            query,
            headers,
            sha256,
            time: &time,
        });
        let request = self.client.request(method, url);
        Ok(signed.into_iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        }))
    }

    async fn put(
        &self,
        key: &str,
        media: &str,
        sha256: [u8; 32],
        stored: Stored<'_>,
    ) -> Result<(), String> {
        let checksum = STANDARD.encode(sha256);
        let mut headers = vec![
            ("content-type", media.to_owned()),
            ("x-amz-checksum-sha256", checksum),
        ];
        if self.settings.only_new {
            headers.push(("if-none-match", "*".to_owned()));
        }
        if let Some(lock) = self.settings.lock {
            let mode = match lock.mode {
                LockMode::Governance => "GOVERNANCE",
                LockMode::Compliance => "COMPLIANCE",
            };
            let until = OffsetDateTime::now_utc() + Duration::days(i64::from(lock.days));
            let until = until.replace_nanosecond(0).unwrap_or(until);
            let until = until.format(&Rfc3339).unwrap_or_default();
            // Locked objects must be held against a digest, and this says against which.
            headers.push(("x-amz-sdk-checksum-algorithm", "SHA256".to_owned()));
            headers.push(("x-amz-object-lock-mode", mode.to_owned()));
            headers.push(("x-amz-object-lock-retain-until-date", until));
        }
        let request = self.call(Method::PUT, key, "", &headers, sha256)?;
        let (answer, length) = match stored {
            Stored::Bytes(bytes) => (calling::send(request.body(bytes)).await?, 0),
            Stored::File(file) => (calling::send_file(request, file).await?, file.bytes),
        };
        match answer.status() {
            StatusCode::PRECONDITION_FAILED => self.is_there(key, sha256, length).await,
            StatusCode::CONFLICT => Err("it answers 409: somebody else writes it now".to_owned()),
            _ => taken(answer).await,
        }
    }

    /// What is there under a key must be what was to be stored.
    async fn is_there(&self, key: &str, sha256: [u8; 32], length: u64) -> Result<(), String> {
        let there = "an object is there already, under the key";
        let untold =
            |why: &str| format!("{there} {key}, and whether it is the same cannot be told: {why}");
        let request = self.call(Method::GET, key, "", &[], digest(b""))?;
        let mut answer = calling::read(request, length).await?;
        if !answer.status().is_success() {
            let why = format!("reading it answers {}", answer.status().as_u16());
            return Err(untold(&why));
        }
        let mut found = Sha256::new();
        let broke = |error| untold(&calling::words(&error));
        while let Some(chunk) = answer.chunk().await.map_err(broke)? {
            found.update(&chunk);
        }
        let found: [u8; 32] = found.finalize().into();
        match found == sha256 {
            true => Ok(()),
            false => Err(format!("{there} {key}, and it is another")),
        }
    }

    /// Keys that begin with `prefix`, behind `after`, a page of them.
    async fn list(&self, prefix: &str, after: &str) -> Result<Vec<String>, Refused> {
        let query = format!(
            "list-type=2&prefix={}&start-after={}",
            encoded(prefix, false),
            encoded(after, false)
        );
        let request = self.call(Method::GET, "", &query, &[], digest(b""));
        let answer = calling::send(request?).await?;
        if answer.status() == StatusCode::FORBIDDEN {
            return Err(Refused::NotAllowed);
        }
        if !answer.status().is_success() {
            let failed = taken(answer).await.err().unwrap_or_default();
            return Err(Refused::Failed(failed));
        }
        Ok(between(&calling::text(answer).await?, "<Key>", "</Key>"))
    }

    /// The last of the checkpoints that reach `size` entries or more.
    async fn newest(&self, log: &str, size: u64) -> Result<Option<String>, Refused> {
        let folder = format!("{}{}/checkpoints/", self.settings.prefix, plain(log));
        let mut after = format!("{folder}{size:020}");
        let mut newest = None;
        for _ in 0..PAGES_MOST {
            let keys = self.list(&folder, &after).await?;
            let Some(last) = keys.into_iter().max() else {
                break;
            };
            after.clone_from(&last);
            newest = Some(last);
        }
        let Some(key) = newest.filter(|key| key.starts_with(&folder)) else {
            return Ok(None);
        };
        let request = self.call(Method::GET, &key, "", &[], digest(b""))?;
        let answer = calling::send(request).await?;
        match answer.status() {
            StatusCode::FORBIDDEN => Err(Refused::NotAllowed),
            status if status.is_success() => Ok(Some(calling::text(answer).await?)),
            _ => Err(Refused::Failed(
                taken(answer).await.err().unwrap_or_default(),
            )),
        }
    }
}

/// Why something could not be read.
enum Refused {
    /// A key that may only write is a good choice; it tells nothing.
    NotAllowed,
    Failed(String),
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl Outside for Objects {
    fn name(&self) -> &str {
        &self.settings.named.name
    }

    fn terms(&self) -> &Terms {
        &self.settings.named.terms
    }

    fn keep<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let folder = format!("{}{}", self.settings.prefix, plain(&parcel.log));
            let (first, last) = (parcel.first(), parcel.size);
            let (key, media) = match &parcel.content {
                Content::Checkpoint { .. } => (
                    format!("{folder}/checkpoints/{last:020}.checkpoint"),
                    "text/plain; charset=utf-8",
                ),
                Content::Entries(_) => (
                    format!("{folder}/entries/{first:020}-{last:020}.jsonl"),
                    "application/jsonl",
                ),
            };
            let body = parcel.body();
            self.put(&key, media, digest(&body), Stored::Bytes(body))
                .await
        })
    }

    fn kept<'a>(
        &'a self,
        log: &'a str,
        size: u64,
    ) -> BoxFuture<'a, Result<Option<String>, String>> {
        if self.settings.named.terms.what == What::Entries || log.is_empty() {
            return Box::pin(async { Ok(None) });
        }
        Box::pin(async move {
            match self.newest(log, size).await {
                Ok(newest) => Ok(newest),
                Err(Refused::NotAllowed) => Ok(None),
                Err(Refused::Failed(why)) => Err(why),
            }
        })
    }
}

impl Recipient for Objects {
    fn name(&self) -> &str {
        &self.settings.named.name
    }

    fn deliver<'a>(&'a self, file: &'a ReportFile) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let key = format!(
                "{}reports/{}/{}",
                self.settings.prefix, file.report, file.name
            );
            self.put(&key, &file.media, file.sha256, Stored::File(file))
                .await
        })
    }
}

/// As [`calling::taken`]; of an error's XML only its code.
async fn taken(answer: reqwest::Response) -> Result<(), String> {
    let status = answer.status();
    if status.is_success() || status.is_redirection() {
        return calling::taken(answer).await;
    }
    let said = calling::text(answer).await.unwrap_or_default();
    let code = between(&said, "<Code>", "</Code>").into_iter().next();
    Err(match code {
        Some(code) => format!("it answers {}: {}", status.as_u16(), beginning(&code, 80)),
        None => format!("it answers {}", status.as_u16()),
    })
}

/// Texts between two marks: the keys are our own, of plain letters, so that nothing is escaped.
fn between(text: &str, from: &str, to: &str) -> Vec<String> {
    let parts = text.split(from).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(to)?.0.to_owned()))
        .collect()
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A log's name as a part of a key.
fn plain(log: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || "-_.".contains(c) {
        true => c,
        false => '-',
    };
    log.chars().map(plain).collect()
}

/// As `20261121T140000Z`.
fn stamp(time: OffsetDateTime) -> String {
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}
