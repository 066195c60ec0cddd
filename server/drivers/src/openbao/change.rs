//! Carrying out one step: one changing request to the leader, and what its answer means. A
//! request whose fate is not certain is told as unknown; nothing is ever sent twice.

use std::{path::Path, time::Duration};

use quorate_domain::{action::Action, plan::Step};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use url::Url;

use super::{
    Openbao,
    answers::errors,
    ask::{at, with_token},
};
use crate::{
    Applied, Exchange, Receipt, SnapshotPlace, SnapshotReceipt,
    http::{Reply, Wire, address_of},
    snapshot,
};

/// A pause of this length within a snapshot means that the leader is gone.
const CHUNK: Duration = Duration::from_secs(10);

impl Openbao {
    pub(super) async fn carry_out(&self, step: &Step, place: &SnapshotPlace) -> Applied {
        let Some((id, leader)) = self.leader_of(step).await else {
            let text = "It is not known where the leader answers; nothing was sent.";
            return refused(Exchange::default(), "leader-unknown", text);
        };
        match &step.action {
            Action::Promote { member } => {
                let body = json!({ "server_id": member });
                deferred(self.send(&leader, "sys/storage/raft/promote", body).await)
            }
            Action::Demote { member } => {
                let body = json!({ "server_id": member });
                deferred(self.send(&leader, "sys/storage/raft/demote", body).await)
            }
            Action::Remove { member } => {
                let body = json!({ "server_id": member });
                self.send(&leader, "sys/storage/raft/remove-peer", body)
                    .await
            }
            Action::Transfer { .. } => self.send(&leader, "sys/step-down", json!({})).await,
            Action::AddLearner { address, .. } => self.join(&leader, address).await,
            Action::Snapshot => self.snapshot(&leader, id, &place.file).await,
            Action::Defragment { .. } => {
                let text = "OpenBao compacts its store by itself.";
                refused(Exchange::default(), "not-supported", text)
            }
            Action::CheckIntegrity => {
                let text = "OpenBao has no call that checks its store.";
                refused(Exchange::default(), "not-supported", text)
            }
        }
    }

    /// The leader the step was decided on and where it answers; a fresh look if that is not
    /// known any more (the console may have restarted).
    async fn leader_of(&self, step: &Step) -> Option<(String, Url)> {
        if let Some(found) = self.remembered_leader(step) {
            return Some(found);
        }
        self.look(self.status_timeout * 2).await;
        self.remembered_leader(step)
    }

    fn remembered_leader(&self, step: &Step) -> Option<(String, Url)> {
        let memory = self.memory();
        let id = step.leader.clone().or_else(|| memory.leader.clone())?;
        let member = memory.membership.as_ref()?.member(&id)?;
        Some((id.0, memory.directory.url_of(member)?))
    }

    async fn send(&self, leader: &Url, path: &str, body: Value) -> Applied {
        let url = at(leader, path);
        let sent = sent(&Method::POST, &url, &body);
        let call = self.client.post(&url, &body).within(self.change_timeout);
        match with_token(call, self.token.as_ref()).send().await {
            Ok(reply) => judge(
                Exchange {
                    sent,
                    received: received(&reply),
                },
                &reply,
            ),
            Err(why) => lost(sent, &why),
        }
    }

    /// Streams a snapshot from the leader into `file.part`, verifies it to its end, and only
    /// then gives it its name.
    async fn snapshot(&self, leader: &Url, id: String, file: &Path) -> Applied {
        let url = at(leader, "sys/storage/raft/snapshot");
        let sent = json!({ "method": "GET", "url": url.as_str() });
        let mut part = file.as_os_str().to_owned();
        part.push(".part");
        let part = std::path::PathBuf::from(part);
        match self.fetch(&url, &part).await {
            Ok(verified) => match settle(&part, file).await {
                Ok(()) => snapshot_taken(sent, verified, id, file),
                Err(error) => discard(sent, &part, "file-not-written", error.to_string()).await,
            },
            Err((code, text)) => discard(sent, &part, code, text).await,
        }
    }

    async fn fetch(
        &self,
        url: &Url,
        part: &Path,
    ) -> Result<snapshot::Verified, (&'static str, String)> {
        let wire = |why: Wire| {
            let meant = match &why {
                Wire::Status { status, text } => meaning(*status, text),
                _ => None,
            };
            meant.unwrap_or_else(|| (wire_code(&why), why.to_string()))
        };
        let disk = |error: std::io::Error| ("file-not-written", error.to_string());
        let call = self.client.get(url).within(self.change_timeout);
        let mut stream = with_token(call, self.token.as_ref())
            .stream()
            .await
            .map_err(wire)?;
        let mut file = tokio::fs::File::create(part).await.map_err(disk)?;
        while let Some(chunk) = stream.chunk(CHUNK).await.map_err(wire)? {
            file.write_all(&chunk).await.map_err(disk)?;
        }
        file.flush().await.map_err(disk)?;
        file.sync_all().await.map_err(disk)?;
        drop(file);
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

fn snapshot_taken(
    sent: Value,
    verified: snapshot::Verified,
    member: String,
    file: &Path,
) -> Applied {
    let received = json!({
        "status": 200, "bytes": verified.bytes, "sha256": verified.sha256,
        "index": verified.index, "term": verified.term,
        "configuration_index": verified.configuration_index,
    });
    let receipt = SnapshotReceipt {
        file: Some(file.to_owned()),
        bytes: Some(verified.bytes),
        sha256: Some(verified.sha256),
        index: verified.index,
        term: verified.term,
        member: Some(member),
    };
    Applied::Accepted(Receipt {
        exchange: Exchange { sent, received },
        snapshot: Some(receipt),
        member: None,
        deferred: false,
        note: None,
    })
}

/// The request for the audit log; the token is in none of its parts.
pub(super) fn sent(method: &Method, url: &Url, body: &Value) -> Value {
    json!({ "method": method.as_str(), "url": url.as_str(), "body": body })
}

/// The answer for the audit log.
pub(super) fn received(reply: &Reply) -> Value {
    if reply.body.is_empty() {
        return json!({ "status": reply.status });
    }
    json!({ "status": reply.status, "body": reply.record() })
}

/// What a complete answer to a change means.
pub(super) fn judge(exchange: Exchange, reply: &Reply) -> Applied {
    if (200..300).contains(&reply.status) {
        return accepted(exchange, None, false);
    }
    let told = errors(&reply.body).unwrap_or_default();
    match meaning(reply.status, &told) {
        Some((code, text)) => refused(exchange, code, &text),
        None => {
            let text = format!(
                "It answered {} ({told}); whether it did it is not known.",
                reply.status
            );
            Applied::Unknown { exchange, text }
        }
    }
}

/// Code and sentence of an answer that certainly means that nothing was done.
fn meaning(status: u16, told: &str) -> Option<(&'static str, String)> {
    let has = |part: &str| told.contains(part);
    let code = match status {
        // A standby whose leader is gone points at it, and has executed nothing.
        300..=399 => "no-leader",
        400 | 500 if has("local node not active but active cluster node not found") => "no-leader",
        400 | 500 if has("not found in raft configuration") => "member-unknown",
        400 | 500 if has("server is not a non-voter") => "already-voter",
        400 | 500 if has("server is already a non-voter") => "already-learner",
        400 | 500 if has("autopilot is not initialized") => "autopilot-not-running",
        401 | 403 => "denied",
        404 | 405 => "not-supported",
        503 if has("sealed") => "sealed",
        400..=499 => "refused-by-backend",
        _ => return None,
    };
    let text = match code {
        "no-leader" => "There is no leader now; nothing was done.".to_owned(),
        "member-unknown" => "OpenBao does not know this member.".to_owned(),
        "already-voter" => "OpenBao says that it is, or is about to be, a voter.".to_owned(),
        "already-learner" => "OpenBao says that it is, or is about to be, a learner.".to_owned(),
        "denied" => "The console's token may not do this.".to_owned(),
        "not-supported" => "This version cannot do this.".to_owned(),
        "sealed" => "The node is sealed.".to_owned(),
        _ => format!("It answered {status}: {told}"),
    };
    Some((code, text))
}

/// What a call without a complete answer means.
pub(super) fn lost(sent: Value, why: &Wire) -> Applied {
    let exchange = Exchange {
        sent,
        received: json!({ "problem": why.to_string() }),
    };
    if why.was_sent() {
        let text = format!("It was sent, and {why}. Whether it was done is not known.");
        return Applied::Unknown { exchange, text };
    }
    refused(
        exchange,
        wire_code(why),
        &format!("It could not be sent: {why}."),
    )
}

pub(super) fn accepted(
    exchange: Exchange,
    member: Option<quorate_domain::cluster::MemberId>,
    deferred: bool,
) -> Applied {
    Applied::Accepted(Receipt {
        exchange,
        snapshot: None,
        member,
        deferred,
        note: None,
    })
}

pub(super) fn refused(exchange: Exchange, code: &str, text: &str) -> Applied {
    Applied::Refused {
        exchange,
        code: code.to_owned(),
        text: text.to_owned(),
    }
}

/// Autopilot carries these out in its own time.
fn deferred(applied: Applied) -> Applied {
    match applied {
        Applied::Accepted(receipt) => Applied::Accepted(Receipt {
            deferred: true,
            ..receipt
        }),
        other => other,
    }
}

const fn wire_code(why: &Wire) -> &'static str {
    why.code()
}

/// `http://host:port` of a leader for the audit log and for the newcomer.
pub(super) fn origin_text(url: &Url) -> String {
    address_of(url)
}
