//! What a proof is good for: one very request, told by its digest. Knows no persons and no methods.

use quorate_domain::{
    action::{Action, Verb},
    cluster::ClusterName,
    job::ChangeId,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::Request;

/// Begins what is digested, so that a digest of something else is never one of a deed.
const LABEL: &str = "quorate step-up, version 1";

/// Something that may be asked to be proved before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A change of a cluster, as it was previewed.
    Change {
        cluster: ClusterName,
        action: Action,
        request: Box<Request>,
    },
    /// Another person's change is approved; `basis` is what the approver was shown of it.
    Approve {
        change: ChangeId,
        basis: String,
        /// What the approver says to it.
        reason: Option<String>,
    },
    /// A new passkey for oneself.
    Passkey { name: String },
    /// Somebody is erased from the audit log, by their stable id or by a name.
    Erase {
        subject: Option<String>,
        name: Option<String>,
        reason: String,
        /// Random: the digest is recorded, and must not tell whose name is guessed rightly.
        salt: String,
    },
}

impl Deed {
    /// SHA-256 of the canonical request. The key under which a request is repeated is no part of it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let text = match self {
            Self::Change {
                cluster,
                action,
                request,
            } => json!([
                LABEL,
                "change",
                cluster,
                request.group,
                action.verb().as_str(),
                action.member(),
                address(action),
                request.revision,
                request.fingerprint,
                request.reason,
                request.ticket
            ]),
            Self::Approve {
                change,
                basis,
                reason,
            } => json!([LABEL, "approve", change, basis, reason]),
            Self::Passkey { name } => json!([LABEL, "passkey", name]),
            Self::Erase {
                subject,
                name,
                reason,
                salt,
            } => json!([LABEL, "erase", subject, name, reason, salt]),
        };
        Sha256::digest(text.to_string().as_bytes()).into()
    }

    /// In a few words: "remove n3 in vault-eu".
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Change {
                cluster,
                action,
                request,
            } => {
                let place = match &request.group {
                    Some(group) => format!("{cluster}, group {group}"),
                    None => cluster.to_string(),
                };
                let what = action
                    .member()
                    .map(ToString::to_string)
                    .or_else(|| address(action).map(str::to_owned))
                    .map(|what| format!(" {what}"))
                    .unwrap_or_default();
                format!("{}{what} in {place}", verb(action.verb()))
            }
            Self::Approve { change, .. } => format!("approve change {change}"),
            Self::Passkey { name } => format!("add the passkey {name}"),
            // It stands in records, which would name them for ever.
            Self::Erase { .. } => "erase a person from the audit log".to_owned(),
        }
    }
}

fn address(action: &Action) -> Option<&str> {
    match action {
        Action::AddLearner { address, .. } => Some(address),
        _ => None,
    }
}

const fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::AddLearner => "add learner",
        Verb::Promote => "promote",
        Verb::Demote => "demote",
        Verb::Remove => "remove",
        Verb::Transfer => "transfer leadership to",
        Verb::Snapshot => "take a snapshot",
        Verb::Defragment => "defragment",
        Verb::CheckIntegrity => "check the integrity",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remove(change: impl FnOnce(&mut ClusterName, &mut String, &mut Request)) -> Deed {
        let mut cluster = ClusterName::from("blue");
        let mut member = "n3".to_owned();
        let mut request = Request {
            fingerprint: Some("q1.x".to_owned()),
            reason: "disk is broken".to_owned(),
            ..Request::default()
        };
        change(&mut cluster, &mut member, &mut request);
        Deed::Change {
            cluster,
            action: Action::Remove {
                member: member.into(),
            },
            request: Box::new(request),
        }
    }

    #[test]
    fn every_part_of_a_request_is_in_its_digest() {
        let it = remove(|_, _, _| {}).digest();
        let others = [
            remove(|cluster, _, _| *cluster = "green".into()),
            remove(|_, member, _| *member = "n2".to_owned()),
            remove(|_, _, request| request.fingerprint = Some("q1.y".to_owned())),
            remove(|_, _, request| request.revision = Some("7".to_owned())),
            remove(|_, _, request| request.group = Some("1".to_owned())),
            remove(|_, _, request| request.reason = "another".to_owned()),
            remove(|_, _, request| request.ticket = Some("T-1".to_owned())),
            Deed::Change {
                cluster: "blue".into(),
                action: Action::Demote {
                    member: "n3".into(),
                },
                request: Box::new(Request {
                    fingerprint: Some("q1.x".to_owned()),
                    reason: "disk is broken".to_owned(),
                    ..Request::default()
                }),
            },
        ];
        for other in others {
            assert_ne!(other.digest(), it, "{other:?}");
        }
        let repeated = remove(|_, _, request| request.idempotency_key = Some("k".to_owned()));
        assert_eq!(repeated.digest(), it);
    }

    #[test]
    fn a_deed_is_told_in_a_few_words() {
        assert_eq!(remove(|_, _, _| {}).words(), "remove n3 in blue");
        let grouped = remove(|_, _, request| request.group = Some("7".to_owned()));
        assert_eq!(grouped.words(), "remove n3 in blue, group 7");
    }
}
