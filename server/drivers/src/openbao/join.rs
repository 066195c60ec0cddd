//! A new member joins through its own address: the console asks the newcomer, without any
//! token, to join the leader as a non-voter. What the newcomer answers is judged, never shown:
//! an address that was mistyped must not become a window into other services.

use quorate_domain::cluster::MemberId;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::{
    Openbao,
    answers::SealStatus,
    ask::at,
    change::{accepted, lost, origin_text, refused, sent},
};
use crate::{
    Applied, Exchange,
    http::{self, Reply, Wire},
};

impl Openbao {
    pub(super) async fn join(&self, leader: &Url, address: &str) -> Applied {
        let Ok(newcomer) = http::origin(address) else {
            let text = "The address must be like https://host:8200.";
            return refused(Exchange::default(), "address-malformed", text);
        };
        let (id, seal) = match self.newcomer(&newcomer, leader).await {
            Ok(found) => found,
            Err((code, text)) => {
                let seen =
                    json!({ "method": "GET", "url": at(&newcomer, "sys/seal-status").as_str() });
                return refused(
                    Exchange {
                        sent: seen,
                        received: json!({ "problem": text }),
                    },
                    code,
                    &text,
                );
            }
        };
        // Under a Shamir seal the wish not to vote is kept only by a join that retries; it is
        // finished when somebody unseals the newcomer.
        let by_hand = seal == "shamir";
        let body = self.join_body(leader, by_hand);
        let url = at(&newcomer, "sys/storage/raft/join");
        let request = sent(&Method::POST, &url, &without_certificate(&body));
        let call = self.client.post(&url, &body).within(self.change_timeout);
        match call.send().await {
            Ok(reply) => {
                // The cluster itself tells the newcomer's address only seconds later.
                if let Some(id) = &id {
                    self.memory().directory.learn_proof(id, &newcomer);
                }
                judge(request, &reply, id, by_hand)
            }
            Err(why) => lost(request, &why),
        }
    }

    fn join_body(&self, leader: &Url, by_hand: bool) -> Value {
        let mut body = json!({
            "leader_api_addr": origin_text(&self.advertised(leader)),
            "non_voter": true,
            "retry": by_hand,
        });
        let authority = self
            .ca_pem
            .as_deref()
            .and_then(|pem| std::str::from_utf8(pem).ok());
        if let (Some(authority), "https") = (authority, leader.scheme()) {
            body["leader_ca_cert"] = json!(authority);
        }
        body
    }

    /// Where the leader says it answers: the newcomer may not reach it by the console's way.
    fn advertised(&self, leader: &Url) -> Url {
        self.memory()
            .leader_address
            .clone()
            .unwrap_or_else(|| leader.clone())
    }

    /// The newcomer's id, where it tells, and its seal; or why it must not be asked to join.
    async fn newcomer(
        &self,
        newcomer: &Url,
        leader: &Url,
    ) -> Result<(Option<MemberId>, String), (&'static str, String)> {
        let (theirs, ours) = tokio::join!(self.seal_status(newcomer), self.seal_status(leader));
        let (id, theirs) = theirs.map_err(|why| unreachable(&why))?;
        let (_, ours) = ours.map_err(|why| {
            (
                "leader-not-reachable",
                format!("The leader's seal could not be read: {why}"),
            )
        })?;
        if theirs.initialized {
            let text = "The node there belongs to a cluster already, or has the data of one: \
                        stop it, delete its data, start it and try again.";
            return Err(("newcomer-not-fresh", text.to_owned()));
        }
        if theirs
            .storage_type
            .as_deref()
            .is_some_and(|storage| storage != "raft")
        {
            return Err((
                "newcomer-not-raft",
                "The node there does not store by Raft.".to_owned(),
            ));
        }
        if theirs.seal != ours.seal {
            let text = "The node there is sealed in another way than the cluster.";
            return Err(("newcomer-seal-differs", text.to_owned()));
        }
        Ok((id, theirs.seal))
    }

    async fn seal_status(&self, node: &Url) -> Result<(Option<MemberId>, SealStatus), Wire> {
        let call = self
            .client
            .get(&at(node, "sys/seal-status"))
            .within(self.status_timeout);
        let reply = call.send().await?.success()?;
        let id = reply.header("x-vault-raft-node-id").map(MemberId::from);
        Ok((id, reply.json()?))
    }
}

/// In the console's own words: nothing of what a stranger answered.
fn unreachable(why: &Wire) -> (&'static str, String) {
    let text = match why {
        Wire::Denied { .. }
        | Wire::Status { .. }
        | Wire::NotJson
        | Wire::Shape(_)
        | Wire::NotHttp
        | Wire::TooLarge(_)
        | Wire::Redirected(_) => "Something else than OpenBao answers there.".to_owned(),
        other => format!("The node there cannot be reached: {other}."),
    };
    ("newcomer-unreachable", text)
}

fn judge(sent: Value, reply: &Reply, id: Option<MemberId>, by_hand: bool) -> Applied {
    let exchange = Exchange {
        sent,
        received: json!({ "status": reply.status }),
    };
    match reply.status {
        // `joined: true` proves nothing, `false` neither: only the configuration does.
        200..=299 => accepted(exchange, id, by_hand),
        500 if is_join_failure(reply) => refused(
            exchange,
            "join-failed",
            "The newcomer could not join: see its log. Usual reasons: it does not reach or trust \
             the leader's address, or their seals differ.",
        ),
        300..=499 => refused(exchange, "join-refused", "The newcomer refused to join."),
        status => Applied::Unknown {
            exchange,
            text: format!("The newcomer answered {status}; whether it joins is not known."),
        },
    }
}

/// The one text for everything that keeps a newcomer from its first step.
fn is_join_failure(reply: &Reply) -> bool {
    super::answers::errors(&reply.body)
        .is_some_and(|text| text.contains("failed to get raft challenge"))
}

/// A certificate is no secret, but a page of it is no help in a log.
fn without_certificate(body: &Value) -> Value {
    let mut shown = body.clone();
    if let Some(certificate) = shown.get_mut("leader_ca_cert") {
        *certificate = json!("(the configured authorities)");
    }
    shown
}
