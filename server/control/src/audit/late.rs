//! Entries that were on disk only after their asker had given up: nobody acted on them, and the
//! log must not read as if somebody had.

use quorate_domain::audit::{Entry, EntryKind, Outcome};

use super::{Draft, writer::Reply};
use crate::approvals;

/// Hands the asker its entry. If nobody waits for it any more: what has to be recorded then.
pub(super) fn answered(reply: Reply<Entry>, written: sqlx::Result<Entry>) -> Option<Draft> {
    let entry = reply.send(written).err()?.ok()?;
    too_late(&entry)
}

/// The answer to an entry on which nobody acted. Refusals and outcomes tell of what has been; but
/// that a change waits no more is only so once its row says so.
fn too_late(entry: &Entry) -> Option<Draft> {
    let kind = match entry.kind {
        EntryKind::Intent => EntryKind::Outcome,
        kind if entry.outcome == Some(Outcome::Succeeded) && entry.intent_seq.is_none() => kind,
        kind if entry.outcome == Some(Outcome::Refused) && approvals::ends(&entry.action) => kind,
        _ => return None,
    };
    let text = "Not done: it was on record too late, and nothing was sent.";
    let mut draft = Draft::new(
        kind,
        &entry.action,
        entry.actor.clone(),
        entry.source.clone(),
        text,
    );
    draft.outcome = Some(Outcome::Failed);
    draft.intent_seq = Some(entry.seq);
    draft.cluster.clone_from(&entry.cluster);
    draft.group.clone_from(&entry.group);
    draft.member.clone_from(&entry.member);
    draft.change.clone_from(&entry.change);
    draft.grants.clone_from(&entry.grants);
    Some(draft)
}

#[cfg(test)]
mod tests {
    use quorate_domain::moment::Timestamp;

    use super::*;

    fn entry(kind: EntryKind, outcome: Option<Outcome>) -> Entry {
        let mut draft = Draft::console("promote", "A text.");
        draft.kind = kind;
        draft.outcome = outcome;
        draft.finish(7, Timestamp::from_unix_ms(0), 0)
    }

    #[test]
    fn what_came_too_late_is_answered_and_what_tells_of_the_past_is_not() {
        let done = Some(Outcome::Succeeded);
        for (kind, outcome, answer) in [
            (EntryKind::Intent, None, Some(EntryKind::Outcome)),
            (EntryKind::Access, done, Some(EntryKind::Access)),
            (EntryKind::Access, Some(Outcome::Failed), None),
            (EntryKind::Refusal, Some(Outcome::Refused), None),
            (EntryKind::Console, None, None),
        ] {
            let (reply, waiting) = tokio::sync::oneshot::channel();
            drop(waiting);
            let late = answered(reply, Ok(entry(kind, outcome)));
            assert_eq!(late.as_ref().map(|draft| draft.kind), answer, "{kind:?}");
            if let Some(draft) = late {
                assert_eq!(draft.intent_seq, Some(7));
                assert_eq!(draft.outcome, Some(Outcome::Failed));
            }
        }
        let mut denied = entry(EntryKind::Refusal, Some(Outcome::Refused));
        denied.action = "denied".to_owned();
        let late = too_late(&denied).map(|draft| (draft.intent_seq, draft.outcome));
        assert_eq!(late, Some((Some(7), Some(Outcome::Failed))));
        let (reply, _waiting) = tokio::sync::oneshot::channel();
        assert!(answered(reply, Ok(entry(EntryKind::Intent, None))).is_none());
    }
}
