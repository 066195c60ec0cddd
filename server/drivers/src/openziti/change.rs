//! Carrying out one step: one changing request to the leader itself, and what its answer means.
//! A follower would forward it and give up after five seconds, whatever becomes of it; so the
//! leader is asked first whether it still leads. Nothing is ever sent twice.

use std::time::Instant;

use quorate_domain::{
    action::Action,
    cluster::{MemberId, Role},
    plan::Step,
};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::{
    Openziti, RoleChange,
    answers::{Problem, Row, SnapshotMade, Wrapped, host_of},
    ask::{Why, fabric},
    outcome::{accepted, asked, index_in, judged, lost, received, refused, unknown_member, unread},
};
use crate::{Applied, Exchange, Receipt, SnapshotReceipt, http::Reply};

/// Where a snapshot goes: beside the database. The controller puts in the values, so nobody
/// types a path on its disk.
const SNAPSHOT: &str = "__DB_DIR__/__DB_FILE__-quorate-__DATE__-__TIME__-index-__RAFT_INDEX__";

/// What is sent, and how its answer is to be read.
pub(super) struct Request {
    pub path: &'static str,
    pub body: Option<Value>,
}

impl Openziti {
    pub(super) async fn carry_out(&self, step: &Step) -> Applied {
        let (leader, rows) = match self.leader_now(step).await {
            Ok(found) => found,
            Err(refusal) => return refusal,
        };
        match &step.action {
            Action::AddLearner { address, member } => {
                self.add(&leader, &rows, address, member.as_ref()).await
            }
            Action::Promote { member } => {
                self.change_role(&leader, &rows, member, Role::Voter).await
            }
            Action::Demote { member } => {
                self.change_role(&leader, &rows, member, Role::Learner)
                    .await
            }
            Action::Remove { member } => self.remove(&leader, &rows, member).await,
            Action::Transfer { member } => self.transfer(&leader, &rows, member.as_ref()).await,
            Action::Snapshot => self.snapshot(&leader, step).await,
            Action::Defragment { .. } => {
                let text = "A controller's store is not defragmented from outside.";
                refused(Exchange::default(), "not-supported", text)
            }
            Action::CheckIntegrity => self.check_integrity(&leader).await,
        }
    }

    /// The leader the step was decided on, by its own word of this moment, and whom it lists.
    async fn leader_now(&self, step: &Step) -> Result<(Url, Vec<Row>), Applied> {
        let mut found = self.remembered_leader(step);
        if found.is_none() {
            self.look(self.status_timeout * 2).await;
            found = self.remembered_leader(step);
        }
        let Some((id, url)) = found else {
            let text = "It is not known where the leader's API answers (see api_address_pattern); nothing was sent.";
            return Err(refused(Exchange::default(), "leader-unknown", text));
        };
        let (rows, identity) = match self.asker.list(&url, self.status_timeout * 2).await {
            Ok(listed) => listed,
            Err(why) => return Err(unread(&url, &why)),
        };
        let another = identity.is_some_and(|identity| identity.id != id);
        let leads = rows.iter().any(|row| row.id == id.as_str() && row.leader);
        if another || !leads {
            let text = "It does not lead any more; nothing was sent.";
            return Err(refused(asked(&url), "leader-moved", text));
        }
        Ok((url, rows))
    }

    fn remembered_leader(&self, step: &Step) -> Option<(MemberId, Url)> {
        let memory = self.memory();
        let id = step.leader.clone().or_else(|| memory.leader.clone())?;
        let member = memory.membership.as_ref()?.member(&id)?;
        let url = memory.directory.url_of(member)?;
        Some((id, url))
    }

    async fn add(
        &self,
        leader: &Url,
        rows: &[Row],
        address: &str,
        member: Option<&MemberId>,
    ) -> Applied {
        if host_of(address).is_none() || !address.starts_with("tls:") {
            let text = "The address must be a control address like tls:host:6262.";
            return refused(Exchange::default(), "address-malformed", text);
        }
        let taken = rows.iter().find(|row| {
            let same_id = member.is_some_and(|id| row.id == id.as_str());
            let same_address = row.address.eq_ignore_ascii_case(address);
            // Whoever else holds the id would be removed. Who is only connected is listed too,
            // and may well become a member.
            (same_id && !same_address) || (same_address && (row.voter || !row.connected))
        });
        if let Some(row) = taken {
            let text = format!("{} at {} is listed already.", row.id, row.address);
            return refused(asked(leader), "already-member", &text);
        }
        let request = Request {
            path: "cluster/add-member",
            body: Some(json!({ "address": address, "isVoter": false })),
        };
        let outcome = self.send(leader, &request).await;
        match outcome {
            Sent::Answered(exchange, reply) => match judged(&exchange, &reply) {
                Some(applied) => applied,
                None => self.added(leader, address, exchange).await,
            },
            Sent::Not(applied) => applied,
        }
    }

    /// The newcomer's id is told by the list only.
    async fn added(&self, leader: &Url, address: &str, exchange: Exchange) -> Applied {
        let listed = self.asker.list(leader, self.status_timeout * 2).await;
        let rows = listed.map(|(rows, _)| rows).unwrap_or_default();
        let row = rows
            .iter()
            .find(|row| row.address.eq_ignore_ascii_case(address));
        if let Some(row) = row {
            self.memory().known.learn_added(&row.id, &row.address);
        }
        accepted(exchange, row.map(|row| MemberId::from(row.id.as_str())))
    }

    async fn change_role(
        &self,
        leader: &Url,
        rows: &[Row],
        member: &MemberId,
        role: Role,
    ) -> Applied {
        let Some(row) = rows.iter().find(|row| row.id == member.as_str()) else {
            return unknown_member(leader);
        };
        let request = Request {
            path: "cluster/add-member",
            body: Some(json!({ "address": row.address, "isVoter": role == Role::Voter })),
        };
        // From here on it is watched whether the member comes out inside.
        self.memory().role_changes.insert(
            member.clone(),
            RoleChange {
                address: row.address.clone(),
                role,
                begun: Instant::now(),
                ended: None,
            },
        );
        let outcome = self.send(leader, &request).await;
        let applied = match outcome {
            Sent::Answered(exchange, reply) => match judged(&exchange, &reply) {
                None => {
                    self.memory().known.learn_added(&row.id, &row.address);
                    accepted(exchange, None)
                }
                Some(refusal) => self.half_done(leader, row, exchange, &reply, refusal).await,
            },
            Sent::Not(applied) => applied,
        };
        let mut memory = self.memory();
        if matches!(applied, Applied::Refused { .. }) {
            memory.role_changes.remove(member);
        } else if let Some(change) = memory.role_changes.get_mut(member) {
            change.ended = Some(Instant::now());
        }
        applied
    }

    /// An error may come after the first half, in which the member was removed.
    async fn half_done(
        &self,
        leader: &Url,
        row: &Row,
        exchange: Exchange,
        reply: &Reply,
        judged: Applied,
    ) -> Applied {
        let told = Problem::of(&reply.body).map(|problem| problem.text());
        let told = told.unwrap_or_default();
        // By the order in which the leader goes about it, these come before anything is done.
        let before = [
            "unable to reach peer",
            "unsupported peer address",
            "error removing existing",
        ]
        .iter()
        .any(|text| told.contains(text));
        if before || !matches!(judged, Applied::Refused { .. }) || reply.status != 400 {
            return judged;
        }
        let listed = self.asker.list(leader, self.status_timeout * 2).await;
        let still = listed.ok().and_then(|(rows, _)| {
            let found = rows.into_iter().find(|other| other.id == row.id);
            Some(found?.voter == row.voter)
        });
        let certain = row.voter || !row.connected;
        if still == Some(true) && certain && !told.contains("add peer failed") {
            return judged;
        }
        let text = format!(
            "The change stopped half-way ({told}): {} may have been removed and not added again.",
            row.id
        );
        Applied::Unknown { exchange, text }
    }

    async fn remove(&self, leader: &Url, rows: &[Row], member: &MemberId) -> Applied {
        // The controller answers 200 for an id nobody has.
        if !rows.iter().any(|row| row.id == member.as_str()) {
            return unknown_member(leader);
        }
        let request = Request {
            path: "cluster/remove-member",
            body: Some(json!({ "id": member })),
        };
        match self.send(leader, &request).await {
            Sent::Answered(exchange, reply) => judged(&exchange, &reply).unwrap_or_else(|| {
                self.memory().known.learn_removed(member.as_str());
                accepted(exchange, None)
            }),
            Sent::Not(applied) => applied,
        }
    }

    async fn transfer(&self, leader: &Url, rows: &[Row], member: Option<&MemberId>) -> Applied {
        if let Some(member) = member
            && !rows.iter().any(|row| row.id == member.as_str())
        {
            return unknown_member(leader);
        }
        let request = Request {
            path: "cluster/transfer-leadership",
            body: Some(member.map_or_else(|| json!({}), |member| json!({ "newLeaderId": member }))),
        };
        match self.send(leader, &request).await {
            Sent::Answered(exchange, reply) => {
                judged(&exchange, &reply).unwrap_or_else(|| accepted(exchange, None))
            }
            Sent::Not(applied) => applied,
        }
    }

    /// The older call, without a path, is for controllers that do not know the newer one.
    async fn snapshot(&self, leader: &Url, step: &Step) -> Applied {
        let request = Request {
            path: "database/snapshot",
            body: Some(json!({ "path": SNAPSHOT })),
        };
        let (exchange, reply) = match self.send(leader, &request).await {
            Sent::Answered(exchange, reply) => (exchange, reply),
            Sent::Not(applied) => return applied,
        };
        let (exchange, reply) = if reply.status == 404 {
            let older = Request {
                path: "database",
                body: None,
            };
            match self.send(leader, &older).await {
                Sent::Answered(exchange, reply) => (exchange, reply),
                Sent::Not(applied) => return applied,
            }
        } else {
            (exchange, reply)
        };
        if let Some(applied) = judged(&exchange, &reply) {
            return applied;
        }
        let made: Option<Wrapped<SnapshotMade>> = reply.json().ok();
        let index = made.and_then(|made| index_in(&made.data.path));
        let member = step.leader.clone().or_else(|| self.memory().leader.clone());
        Applied::Accepted(Receipt {
            exchange,
            snapshot: Some(SnapshotReceipt {
                file: None,
                bytes: None,
                sha256: None,
                index,
                term: None,
                member: member.map(|member| member.0),
            }),
            member: None,
            deferred: false,
            note: None,
        })
    }

    pub(super) async fn send(&self, leader: &Url, request: &Request) -> Sent {
        let url = fabric(leader, request.path);
        let sent = json!({ "method": "POST", "url": url.as_str(), "body": request.body });
        // The list was read with it a moment ago.
        let session = match self.asker.sessions.session(leader).await {
            Ok(session) => session,
            Err(why) => return Sent::Not(unread(leader, &Why::SignIn(why))),
        };
        let call = match &request.body {
            Some(body) => self.asker.client.post(&url, body),
            None => self.asker.client.change(Method::POST, &url),
        };
        match session.sign(call.within(self.change_timeout)).send().await {
            Ok(reply) => Sent::Answered(
                Exchange {
                    sent,
                    received: received(&reply),
                },
                Box::new(reply),
            ),
            Err(why) => Sent::Not(lost(sent, &why)),
        }
    }
}

/// What became of a request.
pub(super) enum Sent {
    Answered(Exchange, Box<Reply>),
    /// No complete answer, or never sent.
    Not(Applied),
}
