//! What the library's words on a failed operation mean: that it was certainly not done, or that
//! nobody knows. Only what the library is known to say before it begins counts as not done.

use super::{grpc::Missed, operation::Outcome};
use tonic::Code;

/// What is told of an operation that was not confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    NotDone { code: &'static str, text: String },
    Unknown { text: String },
}

/// How the library begins its words where nothing was done, the code for it, and what to say.
/// Without a sentence its own words stand.
const NOT_DONE: [(&str, &str, Option<&str>); 15] = [
    (
        "node is not the leader",
        "not-leader",
        Some("It does not lead any more; nothing was changed."),
    ),
    (
        "configuration changed since",
        "membership-changed",
        Some("The membership has changed since it was looked at; nothing was done."),
    ),
    (
        "timed out enqueuing operation",
        "busy",
        Some("An earlier change is still under way; this one was not begun."),
    ),
    (
        "leadership transfer in progress",
        "transfer-in-progress",
        Some("Leadership is being handed over; nothing was changed."),
    ),
    (
        "cannot find replication state for",
        "member-unknown",
        // The library's own text goes on with a pointer.
        Some("The leader replicates to no such member; leadership stays where it is."),
    ),
    ("cannot transfer leadership to itself", "is-leader", None),
    (
        "cannot find peer",
        "no-other-voter",
        Some("There is no other voter to take over."),
    ),
    (
        "found duplicate address in configuration",
        "address-taken",
        None,
    ),
    (
        "found duplicate ID in configuration",
        "already-member",
        None,
    ),
    ("empty ID in configuration", "member-unknown", None),
    ("empty address in configuration", "address-malformed", None),
    (
        "need at least one voter in configuration",
        "last-voter",
        None,
    ),
    (
        "nothing new to snapshot",
        "nothing-new",
        Some("Nothing has been applied since the last snapshot."),
    ),
    (
        "cannot take snapshot now",
        "snapshot-not-now",
        Some("The newest change of the membership has not been applied yet; nothing was written."),
    ),
    (
        "unsupported feature",
        "not-supported",
        Some("The program's protocol version is too old for this."),
    ),
];

pub(super) fn meaning(outcome: &Outcome) -> Option<Meaning> {
    match outcome {
        Outcome::Done { .. } => None,
        Outcome::Said(words) => Some(said(words)),
        Outcome::Lost(missed) => Some(lost(missed)),
    }
}

fn said(words: &str) -> Meaning {
    let found = NOT_DONE
        .iter()
        .find(|(begins, ..)| words.starts_with(begins));
    if let Some((_, code, sentence)) = found {
        let own = || format!("The leader refuses: {}.", excerpt(words));
        let text = sentence.map_or_else(own, str::to_owned);
        return Meaning::NotDone { code, text };
    }
    // The target never got the word to take over.
    if words.starts_with("failed to make TimeoutNow RPC to") && words.contains("connection refused")
    {
        let text = "The target cannot be reached; leadership stays where it is.".to_owned();
        return Meaning::NotDone {
            code: "target-not-reached",
            text,
        };
    }
    let text = format!(
        "The leader says \"{}\"; whether it was done is not known.",
        excerpt(words)
    );
    Meaning::Unknown { text }
}

fn lost(missed: &Missed) -> Meaning {
    match missed {
        Missed::Wire(wire) if !wire.was_sent() => Meaning::NotDone {
            code: wire.code(),
            text: format!("It could not be sent: {wire}."),
        },
        Missed::Said {
            code: Code::Unimplemented | Code::Unauthenticated | Code::PermissionDenied,
            ..
        } => {
            let denied = !missed.has_no_such_service();
            Meaning::NotDone {
                code: if denied { "denied" } else { "not-raftadmin" },
                text: format!("Nothing was changed: {missed}."),
            }
        }
        _ => Meaning::Unknown {
            text: format!("It was sent, and {missed}. Whether it was done is not known."),
        },
    }
}

/// The library's words, short and without pointers.
pub(super) fn excerpt(words: &str) -> String {
    let kept = words
        .split_whitespace()
        .map(|word| if word.starts_with("0x") { "…" } else { word });
    kept.collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(200)
        .collect()
}

/// The present index of the configuration, as the library tells it to whoever names another.
pub(super) fn latest_index(words: &str) -> Option<u64> {
    let rest = words.strip_prefix("configuration changed since ")?;
    let told = rest.split_once("(latest is ")?.1;
    told.strip_suffix(')')?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;
    use crate::http::Wire;

    #[test]
    fn only_what_is_known_to_come_before_the_beginning_is_not_done() {
        for (words, expected) in [
            ("node is not the leader", Some("not-leader")),
            (
                "configuration changed since 1 (latest is 3)",
                Some("membership-changed"),
            ),
            ("timed out enqueuing operation", Some("busy")),
            (
                "leadership transfer in progress",
                Some("transfer-in-progress"),
            ),
            (
                "cannot find replication state for 0x66cba17ef60",
                Some("member-unknown"),
            ),
            ("cannot find peer", Some("no-other-voter")),
            (
                "found duplicate address in configuration: A",
                Some("address-taken"),
            ),
            (
                "need at least one voter in configuration: {[]}",
                Some("last-voter"),
            ),
            ("nothing new to snapshot", Some("nothing-new")),
            (
                "failed to make TimeoutNow RPC to c: dial tcp 127.0.0.1:1: connect: connection refused",
                Some("target-not-reached"),
            ),
            ("failed to make TimeoutNow RPC to c: EOF", None),
            ("leadership transfer timeout", None),
            ("leadership lost while committing log", None),
            ("raft is already shutdown", None),
            ("disk full", None),
        ] {
            match (said(words), expected) {
                (Meaning::NotDone { code, text }, Some(expected)) => {
                    assert_eq!(code, expected, "{words}");
                    assert!(!text.contains("0x"), "{text}");
                }
                (Meaning::Unknown { .. }, None) => {}
                (other, _) => panic!("{words}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_was_not_sent_was_not_done_and_what_was_is_not_known() {
        let refused = lost(&Missed::Wire(Wire::Refused));
        assert!(matches!(refused, Meaning::NotDone { .. }), "{refused:?}");
        let broken = lost(&Missed::Wire(Wire::Broken));
        assert!(matches!(broken, Meaning::Unknown { .. }), "{broken:?}");
        let forgotten = lost(&Missed::Said {
            code: Code::Unknown,
            text: "token \"x\" unknown".to_owned(),
        });
        assert!(
            matches!(forgotten, Meaning::Unknown { .. }),
            "{forgotten:?}"
        );
    }

    #[test]
    fn the_index_is_read_from_the_librarys_words_and_nothing_else() {
        for (words, expected) in [
            (
                "configuration changed since 18446744073709551615 (latest is 4)",
                Some(4),
            ),
            ("configuration changed since 1 (latest is )", None),
            ("configuration changed since 1 (latest is -4)", None),
            ("node is not the leader (latest is 4)", None),
            ("", None),
        ] {
            assert_eq!(latest_index(words), expected, "{words}");
        }
    }
}
