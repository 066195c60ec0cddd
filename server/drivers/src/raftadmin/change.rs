//! Carrying out one step at the leader, and what its answer means.
//!
//! The library does without a word what changes nothing, or something else than was meant: it
//! "demotes" and "removes" ids it does not know, hands leadership to whatever address it is given,
//! leaves a voter a voter that is added as a learner. So the leader's own configuration is read
//! first and held against what was decided on; addresses are taken from it alone.
//!
//! Changes of the membership are compared and set. raftadmin tells no index of the configuration,
//! but the library names it to whoever asks for a change on an index that is not the present one,
//! and does nothing. Asked so, with an index there cannot be, then the configuration read once
//! more, then the change sent on that index: whatever moves in between, the library refuses.
//!
//! A follower passes nothing on to the leader; it refuses, and so does this: who leads was decided on.

use std::time::Duration;

use quorate_domain::{
    action::Action,
    cluster::{Member, MemberId, Membership, Role},
    plan::Step,
};
use serde_json::{Value, json};
use url::Url;

use super::{
    Raftadmin,
    ask::{stats, words},
    meaning::{Meaning, excerpt, latest_index, meaning},
    messages::{AddRequest, Method, NameRequest, Nothing, TransferRequest},
    operation::{Limits, Outcome, operate},
};
use crate::{
    Applied, Exchange, Receipt, SnapshotReceipt,
    http::{address_of, origin},
};

/// How long an operation may wait for its turn.
const ENQUEUE: Duration = Duration::from_secs(5);
/// How long writing a snapshot may take.
const SNAPSHOT: Duration = Duration::from_secs(570);
/// An index that no configuration has.
const NO_INDEX: u64 = u64::MAX;

const NOT_LOOKED_UP: &str =
    "The leader did not tell the index of its configuration; nothing was changed.";

/// Why a step is not sent.
struct Refusal {
    code: &'static str,
    text: String,
}

fn refusal(code: &'static str, text: impl Into<String>) -> Refusal {
    let text = text.into();
    Refusal { code, text }
}

/// The one call of a step.
struct Call {
    method: Method,
    /// The member it is about.
    id: String,
    address: String,
    /// Whether it changes the membership, so that it is compared and set.
    compared: bool,
}

impl Raftadmin {
    pub(super) async fn carry_out(&self, step: &Step) -> Applied {
        match self.prepared(step).await {
            Ok((url, call)) => self.send(step, &url, call).await,
            Err(why) => refused(Exchange::default(), why.code, why.text),
        }
    }

    /// Where to send it, and what: after everything that the library does not look at.
    async fn prepared(&self, step: &Step) -> Result<(Url, Call), Refusal> {
        let Some(leader) = &step.leader else {
            return Err(refusal("no-leader", "No leader is known to send this to."));
        };
        if self.memory().membership.is_none() {
            // The console may just have been started.
            self.look(self.status_timeout * 2).await;
        }
        let Some(url) = self.memory().place(leader) else {
            let text =
                format!("Nobody knows where raftadmin of {leader} answers; nothing was sent.");
            return Err(refusal("no-address", text));
        };
        let members = self.leaders_membership(step, &url, leader).await?;
        let call = planned(step, &members, leader)?;
        if let Action::AddLearner { address, .. } = &step.action {
            self.newcomer_is_free(address, &members).await?;
        }
        Ok((url, call))
    }

    /// The configuration as the leader itself holds it, if it is still that and still leads.
    async fn leaders_membership(
        &self,
        step: &Step,
        url: &Url,
        leader: &MemberId,
    ) -> Result<Membership, Refusal> {
        let told = words(&self.clients.reads, url, self.status_timeout).await;
        let told = told.map_err(|why| {
            let text = format!("{leader} could not be asked, so nothing was sent: {why}.");
            refusal("leader-not-heard", text)
        })?;
        let own = told.configuration.member(leader);
        if told.leads_from().is_none() || told.leads_from() != own.map(|it| it.address.as_str()) {
            let text = format!("{leader} does not lead any more; nothing was sent.");
            return Err(refusal("not-leader", text));
        }
        if told.configuration.revision != step.revision {
            let text = "The membership is not the one this was decided on; nothing was sent.";
            return Err(refusal("membership-changed", text));
        }
        Ok(told.configuration)
    }

    /// A node that belongs to another cluster would belong to two.
    async fn newcomer_is_free(&self, address: &str, members: &Membership) -> Result<(), Refusal> {
        let Some(url) = self.memory().places.of_address(address) else {
            return Ok(());
        };
        // One that does not answer yet does no harm: it gets no vote.
        let Ok(told) = words(&self.clients.reads, &url, self.status_timeout).await else {
            return Ok(());
        };
        let theirs = &told.configuration.members;
        let shares = theirs
            .iter()
            .any(|member| members.member(&member.id).is_some());
        if theirs.is_empty() || shares {
            return Ok(());
        }
        let text = format!("The node at {address} belongs to another cluster; nothing was sent.");
        Err(refusal("of-another-cluster", text))
    }

    async fn send(&self, step: &Step, url: &Url, call: Call) -> Applied {
        if call.method == Method::Snapshot {
            return self.snapshot(step, url, call).await;
        }
        let index = match self.index_to_compare(step, url, &call).await {
            Ok(index) => index,
            Err(why) => return refused(Exchange::default(), why.code, why.text),
        };
        let outcome = self.sent(url, &call, index).await;
        let exchange = exchange(url, &call, index, &outcome);
        let member = match &step.action {
            Action::AddLearner { member, .. } => member.clone(),
            _ => None,
        };
        judged(exchange, &outcome, member, None)
    }

    /// The index of the configuration that was decided on; 0, which compares nothing, for what
    /// changes no membership, and where the library does not say it.
    async fn index_to_compare(&self, step: &Step, url: &Url, call: &Call) -> Result<u64, Refusal> {
        let Some(leader) = step.leader.as_ref().filter(|_| call.compared) else {
            return Ok(0);
        };
        let nobody = NameRequest {
            id: String::new(),
            previous_index: NO_INDEX,
        };
        let method = Method::DemoteVoter;
        let asked = operate(&self.clients.changes, url, method, nobody, self.limits()).await;
        let index = match &asked {
            Outcome::Said(words) if words.starts_with("configuration changed since") => {
                latest_index(words).unwrap_or(0)
            }
            Outcome::Done { .. } => 0,
            Outcome::Said(_) | Outcome::Lost(_) => {
                return Err(match meaning(&asked) {
                    Some(Meaning::NotDone { code, text }) => refusal(code, text),
                    _ => refusal("leader-not-heard", NOT_LOOKED_UP),
                });
            }
        };
        self.leaders_membership(step, url, leader).await?;
        Ok(index)
    }

    async fn sent(&self, url: &Url, call: &Call, previous_index: u64) -> Outcome {
        let (client, limits) = (&self.clients.changes, self.limits());
        let (id, address) = (call.id.clone(), call.address.clone());
        let method = call.method;
        match method {
            Method::AddNonvoter | Method::AddVoter => {
                let asked = AddRequest {
                    id,
                    address,
                    previous_index,
                };
                operate(client, url, method, asked, limits).await
            }
            Method::LeadershipTransferToServer => {
                let asked = TransferRequest { id, address };
                operate(client, url, method, asked, limits).await
            }
            Method::DemoteVoter | Method::RemoveServer => {
                let asked = NameRequest { id, previous_index };
                operate(client, url, method, asked, limits).await
            }
            _ => operate(client, url, method, Nothing {}, limits).await,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            enqueue: ENQUEUE.min(self.change_timeout),
            settle: self.change_timeout,
        }
    }

    /// At the leader, which keeps it. Where only the newest configuration entry has not reached
    /// the state machine yet, the library writes nothing; a barrier brings it there.
    async fn snapshot(&self, step: &Step, url: &Url, call: Call) -> Applied {
        let client = &self.clients.changes;
        let limits = Limits {
            settle: SNAPSHOT,
            ..self.limits()
        };
        let mut outcome = operate(client, url, Method::Snapshot, Nothing {}, limits).await;
        if let Outcome::Said(words) = &outcome
            && words.starts_with("cannot take snapshot now")
        {
            let barrier = operate(client, url, Method::Barrier, Nothing {}, self.limits()).await;
            if matches!(barrier, Outcome::Done { .. }) {
                outcome = operate(client, url, Method::Snapshot, Nothing {}, limits).await;
            }
        }
        let told = stats(&self.clients.reads, url, self.status_timeout)
            .await
            .ok();
        let kept = SnapshotReceipt {
            file: None,
            bytes: None,
            sha256: None,
            index: told.as_ref().map(|told| told.snapshot_index),
            term: told.as_ref().map(|told| told.snapshot_term),
            member: step.leader.as_ref().map(ToString::to_string),
        };
        judged(
            exchange(url, &call, 0, &outcome),
            &outcome,
            None,
            Some(kept),
        )
    }
}

/// The call for an action on the members as the leader has them.
fn planned(step: &Step, members: &Membership, leader: &MemberId) -> Result<Call, Refusal> {
    let known = |id: &MemberId| -> Result<&Member, Refusal> {
        let unknown = || {
            refusal(
                "member-unknown",
                format!("{id} is no member; nothing was sent."),
            )
        };
        members.member(id).ok_or_else(unknown)
    };
    let about = |method: Method, member: &Member, compared: bool| Call {
        method,
        id: member.id.0.clone(),
        address: member.address.clone(),
        compared,
    };
    let alone = |method: Method| Call {
        method,
        id: String::new(),
        address: String::new(),
        compared: false,
    };
    match &step.action {
        Action::AddLearner { address, member } => newcomer(address, member.as_ref(), members),
        Action::Promote { member } => match known(member)? {
            voter if voter.role.votes() => {
                Err(refusal("already-voter", format!("{member} votes already.")))
            }
            learner => Ok(about(Method::AddVoter, learner, true)),
        },
        Action::Demote { member } => match known(member)? {
            learner if !learner.role.votes() => Err(refusal(
                "already-learner",
                format!("{member} is a learner already."),
            )),
            voter => {
                not_the_leader(voter, leader).map(|()| about(Method::DemoteVoter, voter, true))
            }
        },
        Action::Remove { member } => {
            let found = known(member)?;
            not_the_leader(found, leader)?;
            Ok(about(Method::RemoveServer, found, true))
        }
        Action::Transfer {
            member: Some(member),
        } => {
            let target = known(member)?;
            if target.id == *leader {
                return Err(refusal("is-leader", format!("{member} leads already.")));
            }
            if target.role != Role::Voter {
                let text = format!("{member} is no voter and could not lead.");
                return Err(refusal("target-not-voter", text));
            }
            Ok(about(Method::LeadershipTransferToServer, target, false))
        }
        Action::Transfer { member: None } => Ok(alone(Method::LeadershipTransfer)),
        Action::Snapshot => Ok(alone(Method::Snapshot)),
        Action::Defragment { .. } | Action::CheckIntegrity => {
            Err(refusal("not-supported", "raftadmin has no such operation."))
        }
    }
}

/// The library shuts the leader's Raft down that is demoted or removed, until its process restarts.
fn not_the_leader(member: &Member, leader: &MemberId) -> Result<(), Refusal> {
    if member.id == *leader {
        let text = format!("{leader} leads; hand leadership over first.");
        return Err(refusal("is-leader", text));
    }
    Ok(())
}

fn newcomer(address: &str, id: Option<&MemberId>, members: &Membership) -> Result<Call, Refusal> {
    let Some(id) = id else {
        let text = "raftadmin does not know a newcomer's id; it must be given.";
        return Err(refusal("id-not-given", text));
    };
    let address = address.trim();
    let place = origin(&format!("http://{address}"));
    let has_port = address
        .rsplit(':')
        .next()
        .is_some_and(|port| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()));
    if place.is_err() || !has_port || address.ends_with('/') {
        let text = "The address must be the newcomer's Raft address, like 10.0.0.4:7000.";
        return Err(refusal("address-malformed", text));
    }
    if members.member(id).is_some() {
        let text = format!("{id} is a member already; nothing was sent.");
        return Err(refusal("already-member", text));
    }
    if let Some(other) = members
        .members
        .iter()
        .find(|other| other.address == address)
    {
        let text = format!(
            "{address} is the address of {}; nothing was sent.",
            other.id
        );
        return Err(refusal("address-taken", text));
    }
    Ok(Call {
        method: Method::AddNonvoter,
        id: id.0.clone(),
        address: address.to_owned(),
        compared: true,
    })
}

fn exchange(url: &Url, call: &Call, index: u64, outcome: &Outcome) -> Exchange {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let sent = json!({
        "to": address_of(url),
        "call": call.method.path(),
        "id": given(&call.id),
        "address": given(&call.address),
        // Null: the library compared nothing.
        "previous_index": (index > 0).then_some(index),
        // What told that index, and changed nothing.
        "index_asked_by": call.compared.then(|| {
            json!({ "call": Method::DemoteVoter.path(), "previous_index": NO_INDEX.to_string() })
        }),
    });
    let received: Value = match outcome {
        Outcome::Done { index } => json!({ "index": (*index > 0).then_some(*index) }),
        Outcome::Said(words) => json!({ "error": excerpt(words) }),
        Outcome::Lost(missed) => json!({ "problem": missed.to_string() }),
    };
    Exchange { sent, received }
}

fn judged(
    exchange: Exchange,
    outcome: &Outcome,
    member: Option<MemberId>,
    snapshot: Option<SnapshotReceipt>,
) -> Applied {
    match meaning(outcome) {
        None => Applied::Accepted(Receipt {
            exchange,
            snapshot,
            member,
            deferred: false,
            note: None,
        }),
        Some(Meaning::NotDone { code, text }) => refused(exchange, code, text),
        Some(Meaning::Unknown { text }) => Applied::Unknown { exchange, text },
    }
}

fn refused(exchange: Exchange, code: &str, text: String) -> Applied {
    Applied::Refused {
        exchange,
        code: code.to_owned(),
        text,
    }
}
