//! Carrying out one step on the simulated cluster, with the faults that were scripted.

use std::time::Duration;

use quorate_domain::{
    action::Action,
    cluster::{MemberId, Role},
    plan::Step,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    Cluster, Fault,
    raft::{Pending, Running, World},
};
use crate::{Applied, Exchange, Receipt, SnapshotPlace, SnapshotReceipt};

/// How often what is held looks whether it is let go.
const HELD_LOOK: Duration = Duration::from_millis(10);

/// Why the simulated backend says no.
struct No {
    code: &'static str,
    text: String,
}

pub(super) async fn apply(cluster: &Cluster, step: &Step, place: &SnapshotPlace) -> Applied {
    let (fault, wait) = {
        let mut world = cluster.lock();
        world.sent.push(step.clone());
        (world.faults.pop_front(), world.status_timeout)
    };
    match &fault {
        Some(Fault::Slow(delay)) => tokio::time::sleep(*delay).await,
        Some(Fault::Held) => {
            while cluster.lock().holds {
                tokio::time::sleep(HELD_LOOK).await;
            }
        }
        _ => {}
    }
    let sent = serde_json::to_value(step).unwrap_or(Value::Null);
    let lost = |text: &str| Applied::Unknown {
        exchange: Exchange {
            sent: sent.clone(),
            received: Value::Null,
        },
        text: text.to_owned(),
    };
    match fault {
        Some(Fault::Refuse { code, text }) => refused(sent, code, text),
        Some(Fault::LoseRequest) => {
            tokio::time::sleep(wait).await;
            lost("no complete answer in time")
        }
        Some(Fault::LoseAnswer) => {
            let _ = cluster.with(|world| accept(world, step, false));
            tokio::time::sleep(wait).await;
            lost("the connection broke before the answer was complete")
        }
        fault => {
            let forget = matches!(fault, Some(Fault::Forget));
            match cluster.with(|world| accept(world, step, forget)) {
                Err(No { code, text }) => refused(sent, code.to_owned(), text),
                Ok(deferred) if step.action == Action::Snapshot => {
                    snapshot(cluster, sent, place, deferred).await
                }
                Ok(deferred) => accepted(sent, newcomer(cluster, &step.action), deferred, None),
            }
        }
    }
}

/// Takes the step if the backend would; says whether it is carried out later.
fn accept(world: &mut World, step: &Step, forget: bool) -> Result<bool, No> {
    if step.action == Action::Snapshot {
        return Ok(false);
    }
    if world.leader().is_none() {
        return Err(no("no-leader", "there is no leader now"));
    }
    if step.revision != world.revision() {
        return Err(no("revision-moved", "the membership is another one by now"));
    }
    possible(world, &step.action)?;
    if !forget && world.apply_after == Duration::ZERO {
        world.change_membership(&step.action);
        return Ok(false);
    }
    let due = (!forget).then(|| Instant::now() + world.apply_after);
    world.pending.push(Pending {
        action: step.action.clone(),
        due,
    });
    Ok(true)
}

/// The checks a backend makes itself; it has none for a majority.
fn possible(world: &World, action: &Action) -> Result<(), No> {
    let members = world.membership();
    let role = |id: &MemberId| {
        members
            .iter()
            .find(|each| each.id == *id)
            .map(|each| each.role)
    };
    match action {
        Action::AddLearner { address, .. } => {
            let node = world.nodes.values().find(|node| node.address == *address);
            match node {
                Some(node) if node.running == Running::Up => Ok(()),
                _ => Err(no(
                    "newcomer-unreachable",
                    "nothing answers at that address",
                )),
            }
        }
        Action::Promote { member } => match role(member) {
            Some(Role::Learner) => Ok(()),
            Some(_) => Err(no("already-voter", "it is a voter")),
            None => Err(no("member-unknown", "there is no such member")),
        },
        Action::Demote { member } => match role(member) {
            Some(Role::Learner) => Err(no("already-learner", "it is a learner")),
            Some(_) => Ok(()),
            None => Err(no("member-unknown", "there is no such member")),
        },
        // As on OpenBao: removing somebody unknown is accepted and does nothing.
        Action::Remove { .. }
        | Action::Transfer { .. }
        | Action::Snapshot
        | Action::Defragment { .. }
        | Action::CheckIntegrity => Ok(()),
    }
}

fn newcomer(cluster: &Cluster, action: &Action) -> Option<MemberId> {
    let Action::AddLearner { address, .. } = action else {
        return None;
    };
    let world = cluster.lock();
    world
        .nodes
        .iter()
        .find(|(_, node)| node.address == *address)
        .map(|(id, _)| id.clone())
}

async fn snapshot(
    cluster: &Cluster,
    sent: Value,
    place: &SnapshotPlace,
    deferred: bool,
) -> Applied {
    let (member, index, term) = {
        let world = cluster.lock();
        let leader = world.leader();
        let node = leader.as_ref().and_then(|id| world.nodes.get(id));
        (
            leader.clone(),
            node.map(|node| node.last_index),
            node.map(|node| node.term),
        )
    };
    let body = format!("simulated snapshot at index {}\n", index.unwrap_or(0));
    if let Err(error) = tokio::fs::write(&place.file, &body).await {
        return refused(sent, "file-not-written".to_owned(), error.to_string());
    }
    let digest = Sha256::digest(body.as_bytes());
    let receipt = SnapshotReceipt {
        file: Some(place.file.clone()),
        bytes: u64::try_from(body.len()).ok(),
        sha256: Some(digest.iter().map(|byte| format!("{byte:02x}")).collect()),
        index,
        term,
        member: member.map(|id| id.0),
    };
    accepted(sent, None, deferred, Some(receipt))
}

fn accepted(
    sent: Value,
    member: Option<MemberId>,
    deferred: bool,
    snapshot: Option<SnapshotReceipt>,
) -> Applied {
    let exchange = Exchange {
        sent,
        received: json!({ "ok": true }),
    };
    Applied::Accepted(Receipt {
        exchange,
        snapshot,
        member,
        deferred,
        note: None,
    })
}

fn refused(sent: Value, code: String, text: String) -> Applied {
    let received = json!({ "code": code, "text": text });
    Applied::Refused {
        exchange: Exchange { sent, received },
        code,
        text,
    }
}

fn no(code: &'static str, text: &str) -> No {
    No {
        code,
        text: text.to_owned(),
    }
}
