//! Carrying out one step: one changing request, and what its answer means. Each request carries
//! a deadline that etcd knows of too: without quorum some are never answered, and a transfer to
//! a member that is gone stops all writes for as long as it waits. What is not certain is told
//! as unknown and never sent twice.

use std::time::{Duration, Instant};

use quorate_domain::{action::Action, cluster::MemberId, plan::Step};
use serde_json::{Value, json};
use url::Url;

use super::{
    Etcd,
    answers::{Members, decimal, member_id},
    failure::{Failure, Meaning},
    gateway::{at, with_deadline, with_token},
};
use crate::{
    Applied, Exchange, Receipt, SnapshotPlace,
    http::{self, Reply, Wire},
};

/// How long etcd itself waits for a change of the membership.
const CHANGE: Duration = Duration::from_secs(8);
/// How long it waits for a transfer: writes stop until it has happened or this is over.
const TRANSFER: Duration = Duration::from_secs(3);
/// How long a member may take to write its store anew.
const DEFRAGMENT: Duration = Duration::from_secs(570);
/// What is waited beyond etcd's own deadline for its word that it has passed.
const GRACE: Duration = Duration::from_secs(2);
/// A leader takes no change of the membership until it has been connected to every voter for
/// five seconds, so also not just after it was elected. This long it is asked again, every so
/// often; it refuses before it proposes anything, so that asking again does nothing twice.
const SETTLING: Duration = Duration::from_secs(12);
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// One request: its path, its body, how long etcd may take.
struct Request {
    path: &'static str,
    body: Value,
    deadline: Duration,
}

impl Etcd {
    pub(super) async fn carry_out(&self, step: &Step, place: &SnapshotPlace) -> Applied {
        if matches!(step.action, Action::Snapshot) {
            return self.take_snapshot(step, place).await;
        }
        if let Action::Defragment { member } = &step.action {
            return self.defragment(member).await;
        }
        let request = match request(&step.action) {
            Ok(request) => request,
            Err((code, text)) => return refused(Exchange::default(), code, text),
        };
        let Some((_, leader)) = self.leader_of(step).await else {
            let text = "It is not known where the leader answers; nothing was sent.";
            return refused(Exchange::default(), "leader-unknown", text);
        };
        if let Action::Promote { member } = &step.action
            && self.hears(&leader, member).await == Some(false)
        {
            let text = "For some seconds the leader has not heard this learner: it may be cut off, however level it is. Nothing was sent.";
            return refused(Exchange::default(), "learner-not-heard", text);
        }
        self.send(&leader, request).await
    }

    /// The leader the step was decided on and where it answers; a fresh look if that is not
    /// known any more (the console may have restarted).
    pub(super) async fn leader_of(&self, step: &Step) -> Option<(MemberId, Url)> {
        if let Some(found) = self.remembered_leader(step) {
            return Some(found);
        }
        self.look(self.status_timeout * 2).await;
        self.remembered_leader(step)
    }

    fn remembered_leader(&self, step: &Step) -> Option<(MemberId, Url)> {
        let memory = self.memory();
        let id = step.leader.clone().or_else(|| memory.leader.clone())?;
        let member = memory.membership.as_ref()?.member(&id)?;
        Some((id, memory.directory.url_of(member)?))
    }

    /// At the member itself, which answers nothing else until it is done.
    async fn defragment(&self, id: &MemberId) -> Applied {
        let url = {
            let memory = self.memory();
            let member = memory.membership.as_ref().and_then(|it| it.member(id));
            member.and_then(|member| memory.directory.url_of(member))
        };
        let Some(url) = url else {
            let text = "It is not known where this member answers; nothing was sent.";
            return refused(Exchange::default(), "member-unknown", text);
        };
        let request = Request {
            path: "maintenance/defragment",
            body: json!({}),
            deadline: DEFRAGMENT,
        };
        self.renew_token(&url).await;
        self.send_once(&url, &request).await
    }

    /// A token may have ended since the last look; a change is not the moment to find out.
    pub(super) async fn renew_token(&self, url: &Url) {
        if self.session.username().is_some() {
            self.session
                .renew(&self.client, url, self.status_timeout)
                .await;
        }
    }

    async fn send(&self, leader: &Url, request: Request) -> Applied {
        self.renew_token(leader).await;
        let until = Instant::now() + SETTLING.min(self.change_timeout);
        loop {
            let applied = self.send_once(leader, &request).await;
            let settles = is_unsettled(&applied)
                && self.memory().all_voters_answer
                && Instant::now() + ASKED_AGAIN < until;
            if !settles {
                return applied;
            }
            tokio::time::sleep(ASKED_AGAIN).await;
        }
    }

    async fn send_once(&self, leader: &Url, request: &Request) -> Applied {
        let url = at(leader, request.path);
        let sent = json!({ "method": "POST", "url": url.as_str(), "body": request.body });
        let deadline = match request.deadline {
            DEFRAGMENT => DEFRAGMENT,
            deadline => deadline.min(self.change_timeout),
        };
        let call = self.client.post(&url, &request.body);
        let call = with_deadline(call.within(deadline + GRACE), deadline);
        match with_token(call, self.session.token().as_ref()).send().await {
            Ok(reply) => judge(sent, &reply),
            Err(why) => lost(sent, &why),
        }
    }
}

fn is_unsettled(applied: &Applied) -> bool {
    matches!(applied, Applied::Refused { code, .. } if code == "cluster-unhealthy")
}

/// The one request for an action, or why there is none.
fn request(action: &Action) -> Result<Request, (&'static str, &'static str)> {
    let about = |member: &MemberId, path: &'static str, deadline: Duration, field: &str| {
        let id = decimal(member).ok_or(("member-unknown", "No member of etcd has such an id."))?;
        let body = json!({ field: id });
        Ok(Request {
            path,
            body,
            deadline,
        })
    };
    match action {
        Action::AddLearner {
            member: Some(_), ..
        } => Err((
            "id-not-chosen",
            "etcd gives a new member its id; add it by its peer address alone.",
        )),
        Action::AddLearner { address, .. } => Ok(Request {
            path: "cluster/member/add",
            body: json!({ "peerURLs": [peer_url(address)?], "isLearner": true }),
            deadline: CHANGE,
        }),
        Action::Promote { member } => about(member, "cluster/member/promote", CHANGE, "ID"),
        Action::Remove { member } => about(member, "cluster/member/remove", CHANGE, "ID"),
        Action::Transfer {
            member: Some(member),
        } => about(
            member,
            "maintenance/transfer-leadership",
            TRANSFER,
            "targetID",
        ),
        Action::Transfer { member: None } => Err((
            "target-not-named",
            "etcd hands leadership only to a member that is named.",
        )),
        Action::Demote { .. } => Err((
            "not-supported",
            "etcd cannot turn a voter into a learner: remove it, empty its data directory, and add it again as a learner.",
        )),
        Action::Snapshot | Action::Defragment { .. } | Action::CheckIntegrity => {
            Err(("not-supported", "That is no change of the membership."))
        }
    }
}

/// The peer address as etcd wants it: scheme, host, port, nothing after.
fn peer_url(address: &str) -> Result<String, (&'static str, &'static str)> {
    let wrong = (
        "address-malformed",
        "The address must be the newcomer's peer address, like https://host:2380.",
    );
    let trimmed = address.trim().trim_end_matches('/');
    let url = http::origin(trimmed).map_err(|_| wrong)?;
    // What stands there must have a port of its own; the usual ones of the scheme are left out
    // when an address is written anew.
    let port = trimmed
        .rsplit(':')
        .next()
        .is_some_and(|port| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()));
    if port && url.host().is_some() {
        Ok(trimmed.to_owned())
    } else {
        Err(wrong)
    }
}

/// What a complete answer to a change means.
fn judge(sent: Value, reply: &Reply) -> Applied {
    let exchange = Exchange {
        sent,
        received: json!({ "status": reply.status, "body": reply.record() }),
    };
    let Some(failure) = Failure::of(reply) else {
        let newcomer = reply.json::<Members>().ok().and_then(|told| told.member);
        return Applied::Accepted(Receipt {
            exchange,
            snapshot: None,
            member: newcomer.map(|member| member_id(member.id)),
            deferred: false,
            note: None,
        });
    };
    match failure.meaning() {
        Meaning::NotDone(code) => {
            let text = failure.sentence(code);
            refused(exchange, code, &text)
        }
        Meaning::Unknown => {
            let text = format!(
                "It says \"{}\"; whether it did it is not known.",
                failure.text
            );
            Applied::Unknown { exchange, text }
        }
    }
}

/// What a call without a complete answer means.
fn lost(sent: Value, why: &Wire) -> Applied {
    let exchange = Exchange {
        sent,
        received: json!({ "problem": why.to_string() }),
    };
    if why.was_sent() {
        let text = format!("It was sent, and {why}. Whether it was done is not known.");
        return Applied::Unknown { exchange, text };
    }
    let text = format!("It could not be sent: {why}.");
    refused(exchange, why.code(), &text)
}

pub(super) fn refused(exchange: Exchange, code: &str, text: &str) -> Applied {
    Applied::Refused {
        exchange,
        code: code.to_owned(),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_address_has_a_port_and_nothing_after_it() {
        for good in [
            "http://10.0.0.4:2380",
            "https://etcd-4.example:80/",
            "http://[fd00::4]:2380",
        ] {
            assert!(peer_url(good).is_ok(), "{good}");
        }
        for bad in [
            "10.0.0.4:2380",
            "http://10.0.0.4",
            "http://[fd00::4]",
            "http://a:1/x",
            "unix://x:1",
            "",
        ] {
            assert!(peer_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_that_are_none_are_never_sent() {
        for action in [
            Action::Promote {
                member: "nobody".into(),
            },
            Action::Remove { member: "".into() },
            Action::Transfer {
                member: Some("12345678901234567".into()),
            },
        ] {
            assert!(
                request(&action).is_err_and(|(code, _)| code == "member-unknown"),
                "{action:?}"
            );
        }
    }
}
