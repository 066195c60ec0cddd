//! One step, to the leader, compared with what it was decided on; what became of it.

use quorate_domain::{action::Action, cluster::MemberId, plan::Step};
use serde_json::{Value, json};
use url::Url;

use super::{
    Agent,
    answers::{Mark, Problem, Receipt as Words},
    ask::{group_at, with_token},
    many::Many,
};
use crate::{
    Applied, Exchange, Receipt, SnapshotReceipt,
    http::{Reply, Wire, address_of},
    word::is_word,
};

/// How often a node may send us on to another before we give up. A node that does so has
/// changed nothing.
const DETOURS: u32 = 2;

pub(super) async fn apply(agent: &Agent, step: &Step) -> Applied {
    if agent.many.as_ref().is_some_and(Many::found) {
        return refused(
            Exchange::default(),
            "no-group",
            "The program runs many groups, and none is named.",
        );
    }
    let Some(leader) = step.leader.clone() else {
        return refused(
            Exchange::default(),
            "no-leader",
            "No leader is known to send this to.",
        );
    };
    let body = body(step);
    let mut target = leader;
    for detour in 0..=DETOURS {
        let Some(url) = agent.book().place(&target).cloned() else {
            let text = format!("Nobody knows where the agent of {target} answers.");
            return refused(Exchange::default(), "no-address", &text);
        };
        match send(agent, &url, &body).await {
            Sent::On(next) if detour < DETOURS && next != target => target = next,
            Sent::On(next) => {
                let exchange = exchange(&url, &body, json!({ "leader": next }));
                return refused(
                    exchange,
                    "not-leader",
                    "The nodes send each other the leadership.",
                );
            }
            Sent::Done(applied) => return applied,
        }
    }
    refused(Exchange::default(), "not-leader", "No node takes the lead.")
}

// Made once a change, and taken apart at once.
#[allow(clippy::large_enum_variant)]
enum Sent {
    Done(Applied),
    /// Nothing changed; that member is said to lead.
    On(MemberId),
}

fn body(step: &Step) -> Value {
    let address = match &step.action {
        Action::AddLearner { address, .. } => Some(address),
        _ => None,
    };
    json!({
        "action": step.action.verb().as_str(),
        "member": step.action.member(),
        "address": address,
        "expected_revision": step.revision,
    })
}

async fn send(agent: &Agent, url: &Url, body: &Value) -> Sent {
    let to = group_at(url, &agent.group, Some("changes"));
    let call = agent
        .client
        .post(&to, body)
        .within(agent.connection.change_timeout);
    match with_token(call, agent.connection.token.as_ref())
        .send()
        .await
    {
        Ok(reply) => answered(&to, body, &reply),
        Err(why) => Sent::Done(unanswered(&to, body, &why)),
    }
}

fn unanswered(url: &Url, body: &Value, why: &Wire) -> Applied {
    let exchange = exchange(url, body, json!({ "error": why.to_string() }));
    if why.was_sent() {
        return Applied::Unknown {
            exchange,
            text: why.to_string(),
        };
    }
    refused(exchange, why.code(), &why.to_string())
}

fn answered(url: &Url, body: &Value, reply: &Reply) -> Sent {
    let received = json!({ "status": reply.status, "body": reply.record() });
    let exchange = exchange(url, body, received);
    if reply.status == 200 {
        return Sent::Done(accepted(exchange, reply, body));
    }
    let problem: Option<Problem> = reply.json().ok();
    let leader = problem.as_ref().and_then(|problem| problem.leader.clone());
    match (reply.status, problem, leader) {
        (421, Some(_), Some(hint)) => Sent::On(MemberId(hint.member)),
        (504, Some(problem), _) => Sent::Done(Applied::Unknown {
            exchange,
            text: problem.detail,
        }),
        // The agent itself failed, or something between here and there spoke for it.
        (500.., None, _) => {
            let text = format!("the answer was {} and nothing more", reply.status);
            Sent::Done(Applied::Unknown { exchange, text })
        }
        (500.., Some(problem), _) if problem.code == "agent-fault" => {
            Sent::Done(Applied::Unknown {
                exchange,
                text: problem.detail,
            })
        }
        (_, Some(problem), _) => Sent::Done(refused(exchange, &problem.code, &problem.detail)),
        (_, None, _) => {
            let why = reply.problem().unwrap_or(Wire::NotJson);
            Sent::Done(refused(exchange, why.code(), &why.to_string()))
        }
    }
}

fn accepted(exchange: Exchange, reply: &Reply, body: &Value) -> Applied {
    let Ok(words) = reply.json::<Words>() else {
        let text = "the answer was 200, and its content could not be read".to_owned();
        return Applied::Unknown { exchange, text };
    };
    let snapshot = (body["action"] == "snapshot").then(|| {
        let Words {
            member, snapshot, ..
        } = words.clone();
        kept(member, snapshot.as_ref())
    });
    Applied::Accepted(Receipt {
        exchange,
        snapshot,
        member: words.member.map(MemberId),
        deferred: false,
        // The change is done, whatever was written beside it.
        note: words.note.filter(|note| is_word(note) && !note.is_empty()),
    })
}

/// A snapshot that the node keeps itself.
fn kept(member: Option<String>, mark: Option<&Mark>) -> SnapshotReceipt {
    SnapshotReceipt {
        file: None,
        bytes: None,
        sha256: None,
        index: mark.map(|mark| mark.index),
        term: mark.map(|mark| mark.term),
        member,
    }
}

/// `url` is where the change was sent, path and all.
fn exchange(url: &Url, body: &Value, received: Value) -> Exchange {
    let path = url.path();
    let sent = json!({
        "to": address_of(url),
        "request": format!("POST {path}"),
        "body": body,
    });
    Exchange { sent, received }
}

fn refused(exchange: Exchange, code: &str, text: &str) -> Applied {
    Applied::Refused {
        exchange,
        code: code.to_owned(),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;

    fn noted(body: &str) -> Option<String> {
        let reply = Reply {
            status: 200,
            headers: reqwest::header::HeaderMap::new(),
            body: body.to_owned().into(),
            certificate: None,
        };
        match accepted(Exchange::default(), &reply, &json!({ "action": "remove" })) {
            Applied::Accepted(receipt) => receipt.note,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_an_agent_says_beside_its_yes_is_kept_if_it_can_stand_on_a_page() {
        let said = r#"{"member":"n4","note":"Stop the process of n4."}"#;
        assert_eq!(noted(said).as_deref(), Some("Stop the process of n4."));
        for silent in [
            r#"{"member":"n4"}"#,
            r#"{"member":"n4","note":""}"#,
            r#"{"member":"n4","note":"4n\u202e"}"#,
        ] {
            assert_eq!(noted(silent), None, "{silent}");
        }
    }
}
