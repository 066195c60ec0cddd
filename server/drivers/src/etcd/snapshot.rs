//! A copy of one member's store as a file, as `etcdctl snapshot save` writes it: the store's
//! bytes and their SHA-256. It comes as lines of JSON with a piece in each; the file gets its
//! name only after it was read to its end and found whole.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use quorate_domain::{cluster::MemberId, plan::Step};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use url::Url;

use super::{
    Etcd,
    answers::Status,
    change::refused,
    failure::{Failure, Meaning},
    gateway::{at, read, with_token},
};
use crate::{
    Applied, Exchange, Receipt, SnapshotPlace, SnapshotReceipt,
    http::{Stream, Wire},
    snapshot,
};

/// A pause of this length within a snapshot means that the member is gone.
const CHUNK: Duration = Duration::from_secs(10);
/// Pieces are 32 KiB; more than this is no piece.
const LONGEST_LINE: usize = 8 * 1024 * 1024;

/// One line of the stream.
#[derive(Deserialize)]
struct Line {
    result: Option<Piece>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    blob: String,
}

type Failed = (&'static str, String);

impl Etcd {
    /// From a voter that is level with the leader where there is one: reading the whole store
    /// is work the leader is better spared.
    pub(super) async fn take_snapshot(&self, step: &Step, place: &SnapshotPlace) -> Applied {
        let Some(leader) = self.leader_of(step).await else {
            let text = "It is not known where the leader answers; nothing was sent.";
            return refused(Exchange::default(), "leader-unknown", text);
        };
        let level = self.memory().level.first().cloned();
        let (member, url) = level.unwrap_or(leader);
        self.renew_token(&url).await;
        // What it had applied before is in the copy, whatever the copy itself tells.
        let reached = self.applied_at(&url).await;
        let url = at(&url, "maintenance/snapshot");
        let sent = json!({ "method": "POST", "url": url.as_str(), "body": {} });
        let mut part = place.file.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        match self.fetch(&url, &part).await {
            Ok(verified) => match settle(&part, &place.file).await {
                Ok(()) => taken(sent, verified, reached, &member, &place.file),
                Err(error) => discard(sent, &part, "file-not-written", error.to_string()).await,
            },
            Err((code, text)) => discard(sent, &part, code, text).await,
        }
    }

    async fn applied_at(&self, url: &Url) -> Option<u64> {
        let (url, token) = (at(url, "maintenance/status"), self.session.token());
        let wait = self.status_timeout;
        let status = read::<Status>(&self.client, token.as_ref(), &url, &json!({}), wait).await;
        status.ok().map(|status| status.applied_index)
    }

    async fn fetch(&self, url: &Url, part: &Path) -> Result<snapshot::Verified, Failed> {
        let call = self.client.ask(url, &json!({})).within(self.change_timeout);
        let stream = with_token(call, self.session.token().as_ref())
            .stream()
            .await
            .map_err(|why| not_begun(&why))?;
        write(stream, part).await?;
        let part = part.to_owned();
        let verified = tokio::task::spawn_blocking(move || snapshot::verify(&part)).await;
        match verified {
            Ok(Ok(verified)) => Ok(verified),
            Ok(Err(broken)) => Err(("snapshot-not-whole", broken.to_string())),
            Err(_) => Err((
                "snapshot-not-verified",
                "verifying was interrupted".to_owned(),
            )),
        }
    }
}

/// Every piece of the stream into `part`, durable.
async fn write(mut stream: Stream, part: &Path) -> Result<(), Failed> {
    let wire = |why: Wire| (why.code(), why.to_string());
    let disk = |error: std::io::Error| ("file-not-written", error.to_string());
    let mut file = tokio::fs::File::create(part).await.map_err(disk)?;
    let mut rest: Vec<u8> = Vec::new();
    while let Some(chunk) = stream.chunk(CHUNK).await.map_err(wire)? {
        rest.extend_from_slice(&chunk);
        let end = rest.iter().rposition(|byte| *byte == b'\n');
        let Some(end) = end else {
            if rest.len() > LONGEST_LINE {
                return Err(("unexpected-shape", "a line of it has no end".to_owned()));
            }
            continue;
        };
        let left = rest.split_off(end);
        file.write_all(&pieces(&rest)?).await.map_err(disk)?;
        rest = left;
    }
    file.write_all(&pieces(&rest)?).await.map_err(disk)?;
    file.flush().await.map_err(disk)?;
    file.sync_all().await.map_err(disk)
}

/// The bytes that the lines of `text` hold.
fn pieces(text: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let shape = || {
            (
                "unexpected-shape",
                "a line of it is not what etcd writes".to_owned(),
            )
        };
        let line: Line = serde_json::from_slice(line).map_err(|_| shape())?;
        if let Some(error) = line.error {
            let said = Failure::read(error.to_string().as_bytes());
            let said = said.map_or_else(|| "an error".to_owned(), |failure| failure.text);
            return Err(("snapshot-broken-off", format!("etcd broke it off: {said}")));
        }
        let piece = line.result.ok_or_else(shape)?;
        bytes.extend(STANDARD.decode(piece.blob).map_err(|_| shape())?);
    }
    Ok(bytes)
}

/// Why the stream did not begin.
fn not_begun(why: &Wire) -> Failed {
    let text = match why {
        Wire::Denied { text, .. } | Wire::Status { text, .. } => text.clone(),
        other => return (other.code(), other.to_string()),
    };
    let failure = Failure::read(text.as_bytes()).unwrap_or(Failure { code: None, text });
    match failure.meaning() {
        Meaning::NotDone(code) => (code, failure.sentence(code)),
        Meaning::Unknown => (why.code(), why.to_string()),
    }
}

/// The rename, durable.
async fn settle(part: &Path, file: &Path) -> std::io::Result<()> {
    tokio::fs::rename(part, file).await?;
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => {
            tokio::fs::File::open(directory).await?.sync_all().await
        }
        _ => Ok(()),
    }
}

async fn discard(sent: Value, part: &Path, code: &str, text: String) -> Applied {
    let _ = tokio::fs::remove_file(part).await;
    let received = json!({ "problem": text });
    let text = format!("No snapshot was kept: {text}");
    refused(Exchange { sent, received }, code, &text)
}

fn taken(
    sent: Value,
    verified: snapshot::Verified,
    reached: Option<u64>,
    member: &MemberId,
    file: &Path,
) -> Applied {
    let index = verified.index.max(reached);
    let received = json!({
        "status": 200, "bytes": verified.bytes, "sha256": verified.sha256,
        "index": index, "term": verified.term,
    });
    let receipt = SnapshotReceipt {
        file: Some(file.to_owned()),
        bytes: Some(verified.bytes),
        sha256: Some(verified.sha256),
        index,
        term: verified.term,
        member: Some(member.0.clone()),
    };
    Applied::Accepted(Receipt {
        exchange: Exchange { sent, received },
        snapshot: Some(receipt),
        member: None,
        deferred: false,
        note: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn pieces_are_put_together_in_order() {
        let text = b"{\"result\":{\"remaining_bytes\":\"3\",\"blob\":\"YWJj\"}}\n\n{\"result\":{\"blob\":\"ZA==\"}}";
        assert_eq!(pieces(text).unwrap(), b"abcd");
    }

    #[test]
    fn an_error_in_the_middle_and_a_line_that_is_cut_end_it() {
        let late = br#"{"error":{"grpc_code":14,"message":"etcdserver: stopped"}}"#;
        assert_eq!(pieces(late).unwrap_err().0, "snapshot-broken-off");
        for cut in [
            "{\"result\":{\"blob\":\"YW",
            "{}",
            "{\"result\":{\"blob\":\"%\"}}",
            "<html>",
        ] {
            assert_eq!(
                pieces(cut.as_bytes()).unwrap_err().0,
                "unexpected-shape",
                "{cut}"
            );
        }
    }
}
