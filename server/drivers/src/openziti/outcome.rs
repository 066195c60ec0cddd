//! What became of a change: what each answer means, and what a missing one leaves open. Pure.

use quorate_domain::cluster::MemberId;
use serde_json::{Value, json};
use url::Url;

use super::{
    answers::Problem,
    ask::{Why, fabric},
};
use crate::{
    Applied, Exchange, Receipt,
    http::{Reply, Wire},
};

/// What stands in the path of a snapshot before the index it reaches.
pub(super) const INDEX_MARK: &str = "-index-";

/// What an answer that is no success means; `None` for a success.
pub(super) fn judged(exchange: &Exchange, reply: &Reply) -> Option<Applied> {
    if (200..300).contains(&reply.status) {
        return None;
    }
    let problem = Problem::of(&reply.body).unwrap_or_default();
    let told = problem.text();
    let exchange = exchange.clone();
    let Some(code) = refusal(reply.status, &problem.code, &told) else {
        let text = format!(
            "It answered {} {} ({told}); whether it was done is not known.",
            reply.status, problem.code
        );
        return Some(Applied::Unknown { exchange, text });
    };
    let text = match code {
        "no-leader" => "There is no leader now; nothing was done.".to_owned(),
        "denied" => "The console's identity may not do this.".to_owned(),
        "newcomer-unreachable" => {
            format!("The leader does not reach the controller there: {told}.")
        }
        "too-soon" => format!("OpenZiti does this once a minute at most: {told}."),
        _ => format!("OpenZiti refuses it: {told}."),
    };
    Some(refused(exchange, code, &text))
}

/// The code of an answer that certainly means that nothing was done; `None` where that is open.
fn refusal(status: u16, code: &str, told: &str) -> Option<&'static str> {
    let has = |part: &str| told.contains(part);
    match (status, code) {
        (401 | 403, _) => Some("denied"),
        (404, _) => Some("not-supported"),
        (429, _) => Some("too-soon"),
        (503, "CLUSTER_NO_LEADER") => Some("no-leader"),
        (500, "TRANSFER_LEADERSHIP_ERROR") if has("no cluster node found") => {
            Some("member-unknown")
        }
        (500, "TRANSFER_LEADERSHIP_ERROR") if has("not a voting member") => {
            Some("target-not-voter")
        }
        (500, "UNHANDLED") if has("snapshot") => Some("refused-by-backend"),
        // The entry may still be committed by whoever leads next.
        (400, _) if has("leadership lost") || has("leadership transfer") || has("timed out") => {
            None
        }
        (400, _) if has("unable to reach peer") => Some("newcomer-unreachable"),
        (400..=499, _) => Some("refused-by-backend"),
        _ => None,
    }
}

/// The index a snapshot reaches, as its name says.
pub(super) fn index_in(path: &str) -> Option<u64> {
    let (_, rest) = path.rsplit_once(INDEX_MARK)?;
    rest.parse().ok()
}

/// The answer for the audit log.
pub(super) fn received(reply: &Reply) -> Value {
    if reply.body.is_empty() {
        return json!({ "status": reply.status });
    }
    json!({ "status": reply.status, "body": reply.record() })
}

/// For a refusal that comes of reading only.
pub(super) fn asked(leader: &Url) -> Exchange {
    let url = fabric(leader, "cluster/list-members");
    Exchange {
        sent: json!({ "method": "GET", "url": url.as_str() }),
        received: Value::Null,
    }
}

pub(super) fn unread(leader: &Url, why: &Why) -> Applied {
    let text = match why {
        Why::Wire(why) => format!("The leader could not be read: {why}; nothing was sent."),
        Why::SignIn(why) => format!("The console could not sign in: {why}; nothing was sent."),
        Why::NoRight => "The console's identity may not see the members.".to_owned(),
        Why::NotClustered => "It is a single controller, not part of a cluster.".to_owned(),
        Why::Problem(status, code, text) => {
            format!("The leader could not be read: it answers {status} {code}: {text}.")
        }
    };
    let code = match why {
        Why::Wire(why) => why.code(),
        Why::SignIn(_) | Why::NoRight => "denied",
        Why::NotClustered | Why::Problem(..) => "leader-not-readable",
    };
    refused(asked(leader), code, &text)
}

pub(super) fn unknown_member(leader: &Url) -> Applied {
    let text = "OpenZiti does not list this member.";
    refused(asked(leader), "member-unknown", text)
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
        why.code(),
        &format!("It could not be sent: {why}."),
    )
}

pub(super) fn accepted(exchange: Exchange, member: Option<MemberId>) -> Applied {
    Applied::Accepted(Receipt {
        exchange,
        snapshot: None,
        member,
        deferred: false,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_certainly_did_nothing_is_told_from_what_nobody_knows() {
        for (status, code, told, expected) in [
            (503, "CLUSTER_NO_LEADER", "", Some("no-leader")),
            (503, "TIMEOUT", "", None),
            (401, "UNAUTHORIZED", "", Some("denied")),
            (429, "RATE_LIMITED", "", Some("too-soon")),
            (
                500,
                "TRANSFER_LEADERSHIP_ERROR",
                "no cluster node found with id x",
                Some("member-unknown"),
            ),
            (
                500,
                "TRANSFER_LEADERSHIP_ERROR",
                "error transferring leadership: timeout",
                None,
            ),
            (
                400,
                "INVALID_FIELD",
                "need at least one voter in configuration",
                Some("refused-by-backend"),
            ),
            (
                400,
                "INVALID_FIELD",
                "add peer failed: leadership lost while committing log",
                None,
            ),
            (500, "UNHANDLED", "boom", None),
        ] {
            assert_eq!(
                refusal(status, code, told),
                expected,
                "{status} {code} {told}"
            );
        }
    }

    #[test]
    fn the_index_a_snapshot_reaches_stands_in_its_name() {
        let path = "/var/lib/ziti/ctrl.db-quorate-20261121-151900-index-4711";
        assert_eq!(index_in(path), Some(4711));
        assert_eq!(index_in("/var/lib/ziti/ctrl.db-20261121"), None);
    }
}
