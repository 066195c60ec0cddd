//! How long the log keeps entries: old ones are removed from its beginning, in whole signed blocks,
//! once they are safe elsewhere. Their hashes stay, so that all proofs go on. The removal is on
//! record before the first entry goes.
//!
//! What stays whatever its age: a range that somebody holds, a change whose outcome is not known,
//! and what a copy outside does not reach.

use std::{
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use quorate_audit::{manifest::hex, personal::People, tree::BLOCK};
use quorate_domain::{
    audit::{Entry, Filter, Outcome},
    moment::Timestamp,
    permission::{Permission, allows},
};
use quorate_report::Language;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Draft, Export, Format, reading,
    writer::{HoldChange, Order},
};
use crate::{
    Control, ControlError, Operator,
    store::{
        checkpoints,
        removals::{self, StoredHold},
    },
};

/// How often it is looked whether entries are old enough.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// Pause between two blocks, in which others write.
const PAUSE: Duration = Duration::from_millis(20);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What a configuration says of keeping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    pub keep_days: u64,
    /// A folder to which what is removed is written first, as a bundle.
    pub archive_dir: Option<PathBuf>,
}

/// Something that keeps entries of a time from being removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub id: String,
    /// Entries from this time on; `None`: from the first one.
    pub from: Option<Timestamp>,
    /// Entries before this time; `None`: all that come.
    pub to: Option<Timestamp>,
    pub reason: String,
    pub since: Timestamp,
}

impl From<StoredHold> for Hold {
    fn from(stored: StoredHold) -> Self {
        Self {
            id: stored.id,
            from: stored.from,
            to: stored.to,
            reason: stored.reason,
            since: stored.since,
        }
    }
}

impl Control {
    /// From now on old entries are removed when they may be.
    pub fn audit_retention(&self, retention: Retention) {
        self.inner.loops.spawn(run(self.clone(), retention));
    }

    /// From now on entries say by which rules roles are given: the beginning of their digest.
    pub fn audit_maps_by(&self, version: String) {
        self.inner.audit.shared.maps_by(version);
    }

    /// Removes what is too old at `now`, if anything: finishes what an earlier run has begun, then
    /// records and removes. Gives the last entry that was removed.
    ///
    /// # Errors
    /// `AuditUnavailable` if it cannot be recorded or entries are not what was signed, `File` if
    /// the archive cannot be written, `Store`.
    pub async fn audit_remove_old(
        &self,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<Option<u64>, ControlError> {
        self.remove_blocks().await?;
        let Some(upto) = self.removable(retention, now).await? else {
            return Ok(None);
        };
        let mut sent = json!({ "keep_days": retention.keep_days });
        if let Some(folder) = &retention.archive_dir {
            sent = self.archived(folder, upto, sent).await?;
        }
        let text = format!("Removed all entries up to {upto} by the rules of retention.");
        let mut draft = Draft::console("audit_entries_removed", text);
        draft.sent = sent;
        draft.outcome = Some(Outcome::Succeeded);
        let (reply, answer) = oneshot::channel();
        let draft = Box::new(draft);
        let order = Order::Remove { upto, draft, reply };
        let said = self.inner.audit.give(order, answer).await;
        said.map_err(ControlError::audit)?;
        self.remove_blocks().await?;
        Ok(Some(upto))
    }

    /// The last entry that may go; `None` if none may.
    async fn removable(
        &self,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<Option<u64>, ControlError> {
        let audit = &self.inner.audit;
        let read = &audit.read;
        let old = retention.keep_days.saturating_mul(DAY_MS);
        let old = i64::try_from(old).unwrap_or(i64::MAX);
        let cutoff = Timestamp::from_unix_ms(now.unix_ms().saturating_sub(old));
        let newest = checkpoints::newest(read).await.map_err(reading)?;
        let mut upto = newest.map_or(0, |stored| stored.size);
        if let Some(copied) = audit.shared.copied_everywhere() {
            upto = upto.min(copied);
        }
        let young = removals::first_between(read, Some(cutoff), None).await;
        let open = removals::first_open(read).await;
        let mut first_to_stay = vec![young.map_err(reading)?, open.map_err(reading)?];
        for hold in removals::holds(read).await.map_err(reading)? {
            let held = removals::first_between(read, hold.from, hold.to).await;
            first_to_stay.push(held.map_err(reading)?);
        }
        for first in first_to_stay.into_iter().flatten() {
            upto = upto.min(first.saturating_sub(1));
        }
        upto -= upto % BLOCK;
        // An intent does not go without its outcome.
        loop {
            let split = removals::first_answered_beyond(read, upto).await;
            let Some(first) = split.map_err(reading)? else {
                break;
            };
            upto = first.saturating_sub(1);
            upto -= upto % BLOCK;
        }
        let before = removals::upto(read).await.map_err(reading)?;
        Ok((upto > before).then_some(upto))
    }

    async fn remove_blocks(&self) -> Result<(), ControlError> {
        while !self.inner.stopping.is_cancelled() {
            let (reply, answer) = oneshot::channel();
            let more = self.inner.audit.give(Order::RemoveBlock { reply }, answer);
            if !more.await.map_err(ControlError::audit)? {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Writes the bundle that is over what is removed. It carries no person's key: who is erased
    /// later is erased in it as well.
    async fn archived(
        &self,
        folder: &Path,
        upto: u64,
        mut sent: Value,
    ) -> Result<Value, ControlError> {
        let read = &self.inner.audit.read;
        let size = removals::checkpoint_over(read, upto)
            .await
            .map_err(reading)?;
        let stored = self.checkpoint_for(size).await?;
        let everything = Filter::default();
        let export = self
            .export_with(
                (Language::English, Format::Bundle),
                &everything,
                &stored,
                Some(People::default()),
            )
            .await?;
        let before = removals::upto(read).await.map_err(reading)?;
        let name = format!("quorate-audit-archive-{}-{}.tar", before + 1, export.size);
        if let Some(fields) = sent.as_object_mut() {
            fields.insert("archive".to_owned(), json!(name));
            fields.insert("archive_sha256".to_owned(), json!(hex(&export.sha256)));
        }
        let path = folder.join(name);
        let written = path.clone();
        let writing = tokio::task::spawn_blocking(move || deliver(&written, export));
        match writing.await {
            Ok(delivered) => delivered.map_err(ControlError::file(&path))?,
            Err(_) => {
                return Err(ControlError::Internal {
                    doing: "writing an archive",
                });
            }
        }
        Ok(sent)
    }

    /// What keeps entries from being removed.
    ///
    /// # Errors
    /// `NotAllowed` without administering, `Store`.
    pub async fn audit_holds(&self, who: &Operator) -> Result<Vec<Hold>, ControlError> {
        self.may_hold(who, "audit_hold_list").await?;
        let holds = removals::holds(&self.inner.audit.read).await;
        let holds = holds.map_err(reading)?;
        Ok(holds.into_iter().map(Hold::from).collect())
    }

    /// Keeps the entries of these times, as long as it is not released.
    ///
    /// # Errors
    /// `Invalid` without a reason or with an end before the beginning, `NotAllowed` without
    /// administering, `AuditUnavailable`.
    pub async fn audit_hold_add(
        &self,
        who: &Operator,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        reason: &str,
    ) -> Result<Hold, ControlError> {
        self.may_hold(who, "audit_hold_added").await?;
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(ControlError::invalid(
                "a hold needs a reason",
                "Say for what the entries are kept.",
            ));
        }
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return Err(ControlError::invalid(
                "the hold ends before it begins",
                "Give an end after its beginning, or none.",
            ));
        }
        let hold = StoredHold {
            id: uuid::Uuid::now_v7().to_string(),
            from,
            to,
            reason: crate::escape::text(reason, crate::escape::TEXT_MOST),
            since: self.now(),
        };
        let text = "Put a hold on entries: they are not removed.";
        let mut draft = Draft::access(who, "audit_hold_added", text);
        draft.sent = json!({ "hold": hold.id, "from": from, "to": to });
        draft.reason = Some(hold.reason.clone());
        self.change_hold(HoldChange::Add(hold.clone()), draft)
            .await?;
        Ok(hold.into())
    }

    /// Ends a hold.
    ///
    /// # Errors
    /// `NotFound`, `NotAllowed` without administering, `AuditUnavailable`.
    pub async fn audit_hold_release(
        &self,
        who: &Operator,
        id: &str,
        reason: &str,
    ) -> Result<(), ControlError> {
        self.may_hold(who, "audit_hold_released").await?;
        let holds = removals::holds(&self.inner.audit.read).await;
        if !holds.map_err(reading)?.iter().any(|hold| hold.id == id) {
            return Err(ControlError::not_found("hold", id));
        }
        let text = "Ended a hold on entries.";
        let mut draft = Draft::access(who, "audit_hold_released", text);
        draft.sent = json!({ "hold": id });
        draft.reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        let release = HoldChange::Release(id.to_owned());
        self.change_hold(release, draft).await.map(|_| ())
    }

    async fn change_hold(&self, change: HoldChange, draft: Draft) -> Result<Entry, ControlError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Hold {
            change,
            draft: Box::new(draft),
            reply,
        };
        let given = self.inner.audit.give(order, answer).await;
        given.map_err(ControlError::audit)
    }

    async fn may_hold(&self, who: &Operator, action: &str) -> Result<(), ControlError> {
        if allows(&who.grants, Permission::Administer, None) {
            return Ok(());
        }
        Err(self
            .not_allowed(who, Permission::Administer, action, None)
            .await)
    }
}

/// Whole or not at all, and on disk. What is there under its name is replaced: the same log up to
/// the same checkpoint makes the same bytes.
fn deliver(path: &Path, mut export: Export) -> std::io::Result<()> {
    let part = path.with_extension("tar.part");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    std::io::copy(&mut export.content, &mut file)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

async fn run(control: Control, retention: Retention) {
    let mut failing = false;
    loop {
        let removed = control.audit_remove_old(&retention, control.now()).await;
        if let Err(error) = &removed {
            tracing::error!(%error, "old entries of the audit log could not be removed");
            if !failing {
                let text = format!("Old entries could not be removed: {error}.");
                let mut draft = Draft::console("audit_removal_failed", text);
                draft.outcome = Some(Outcome::Failed);
                control.refused(draft).await;
            }
        }
        failing = removed.is_err();
        tokio::select! {
            () = control.inner.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Logs that are old at once, for tests.
#[cfg(test)]
pub(super) mod at_once {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A time at which everything is too old.
    pub(crate) fn later(control: &Control) -> Timestamp {
        control.now().plus_ms(401 * DAY_MS)
    }

    pub(crate) async fn entries(control: &Control, count: u32) {
        let audit = &control.inner.audit;
        let all = (0..count)
            .map(|number| audit.append(Draft::console("rehearsed", format!("Entry {number}."))));
        for written in futures::future::join_all(all).await {
            written.unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use quorate_audit::verify::Known;

    use super::{
        at_once::{entries, later},
        *,
    };
    use crate::audit::verify_log;

    const RETENTION: Retention = Retention {
        keep_days: 400,
        archive_dir: None,
    };

    async fn console(directory: &Path) -> Control {
        Control::offline(directory.to_owned()).await.unwrap()
    }

    #[tokio::test]
    async fn an_intent_stays_until_its_outcome_is_known_and_goes_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let control = console(directory.path()).await;
        entries(&control, 300).await;
        let audit = &control.inner.audit;
        let intent = audit.begin(Draft::console("promote", "Promote."));
        let intent = intent.await.unwrap();
        assert_eq!(intent.seq(), 301);
        entries(&control, 400).await;
        let upto = control.removable(&RETENTION, later(&control)).await;
        assert_eq!(upto.unwrap(), Some(256));
        let mut outcome = Draft::console("promote", "Done.");
        outcome.kind = quorate_domain::audit::EntryKind::Outcome;
        outcome.intent_seq = Some(301);
        outcome.outcome = Some(Outcome::Succeeded);
        audit.append(outcome).await.unwrap();
        entries(&control, 10).await;
        // Its outcome is entry 702, in a block that is not whole yet.
        let upto = control.removable(&RETENTION, later(&control)).await;
        assert_eq!(upto.unwrap(), Some(256));
        entries(&control, 80).await;
        let upto = control.removable(&RETENTION, later(&control)).await;
        assert_eq!(upto.unwrap(), Some(768));
    }

    /// What a removal says that was decided on a moment ago.
    async fn said(control: &Control, upto: u64) -> sqlx::Result<Entry> {
        let mut draft = Draft::console("audit_entries_removed", "Removed.");
        draft.sent = json!({});
        let (reply, answer) = oneshot::channel();
        let draft = Box::new(draft);
        let order = Order::Remove { upto, draft, reply };
        control.inner.audit.give(order, answer).await
    }

    async fn block_removed(control: &Control) -> bool {
        let (reply, answer) = oneshot::channel();
        let order = Order::RemoveBlock { reply };
        control.inner.audit.give(order, answer).await.unwrap()
    }

    #[tokio::test]
    async fn a_hold_that_comes_while_entries_are_being_removed_keeps_what_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let control = console(directory.path()).await;
        let who = control.command_line_operator();
        entries(&control, 600).await;
        let hold = control.audit_hold_add(&who, (None, None), "case 12").await;
        assert!(said(&control, 512).await.is_err(), "it is held by now");
        let id = hold.unwrap().id;
        control.audit_hold_release(&who, &id, "").await.unwrap();
        said(&control, 512).await.unwrap();
        assert!(block_removed(&control).await);
        let hold = control.audit_hold_add(&who, (None, None), "case 13").await;
        assert!(!block_removed(&control).await);
        let id = hold.unwrap().id;
        let report = verify_log(directory.path(), Known::default()).await;
        let report = report.unwrap();
        assert!(report.holds(), "{report}");
        assert_eq!(report.removed.map(|it| it.upto), Some(256));
        control.audit_hold_release(&who, &id, "").await.unwrap();
        assert!(block_removed(&control).await);
        assert!(!block_removed(&control).await, "no more was said");
    }

    #[tokio::test]
    async fn a_removal_that_broke_off_is_sound_and_is_finished_later() {
        let directory = tempfile::tempdir().unwrap();
        let control = console(directory.path()).await;
        entries(&control, 600).await;
        said(&control, 512).await.unwrap();
        assert!(block_removed(&control).await);
        drop(control);

        let report = verify_log(directory.path(), Known::default())
            .await
            .unwrap();
        assert!(report.holds(), "{report}");
        assert_eq!(report.removed.map(|it| it.upto), Some(256));
        let control = console(directory.path()).await;
        entries(&control, 1).await;
        let none = control.audit_remove_old(&RETENTION, control.now()).await;
        assert_eq!(none.unwrap(), None, "nothing more than was said");
        let report = verify_log(directory.path(), Known::default())
            .await
            .unwrap();
        assert!(report.holds(), "{report}");
        assert_eq!(report.removed.map(|it| it.upto), Some(512));
        control.inner.audit.check().await.unwrap();
        assert!(control.inner.audit.shared.broken().is_none());
    }
}
