//! The loop of one place: what it lacks is given to it, again and again until it is kept, with
//! growing pauses; once more when the console stops. It may be given twice, never left out.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{Audit, COPY_TIMEOUT, Content, Held, Outside, Parcel, What};
use crate::{
    COPY_WAIT, Control, ControlError,
    audit::{Draft, writer::Order},
    store::{checkpoints::Stored, entries},
};

/// Pause after a copy that failed; it doubles up to the longest.
const AGAIN_FIRST: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(30);
/// The most that is given at once: entries, and bytes of them.
const ENTRIES_MOST: u32 = 500;
const BYTES_MOST: usize = 512 * 1024;

/// Copies whatever is newly signed, until a little after the console stopped.
pub(super) async fn run(control: Control, place: Arc<dyn Outside>, held: Held) {
    let overdue = async {
        control.inner.copying.cancelled().await;
        tokio::time::sleep(COPY_WAIT).await;
    };
    tokio::select! {
        () = copy(&control, &*place, held) => {}
        () = overdue => {
            let name = place.name();
            tracing::warn!(copy = name, "the newest entries were not copied before the stop");
        }
    }
}

async fn copy(control: &Control, place: &dyn Outside, held: Held) {
    let inner = &control.inner;
    let audit = &inner.audit;
    let mut newest = audit.shared.newest.subscribe();
    let mut kept = Kept::so_far(audit, place, held);
    loop {
        // What another place keeps says that this log was changed: no place is given more of it.
        if kept.held == Held::Never || audit.shared.is_contradicted() {
            return;
        }
        let stopping = inner.copying.is_cancelled();
        let stored = newest.borrow_and_update().clone();
        let lacks = stored.filter(|stored| stored.size > kept.upto);
        if let Some(stored) = lacks {
            kept.give(control, place, &stored).await;
            // A long stream goes on at once; what is left when time is up comes after the start.
            if kept.pause.is_none() && kept.upto < stored.size {
                continue;
            }
        }
        if stopping {
            return;
        }
        let pause = kept.pause;
        tokio::select! {
            () = inner.copying.cancelled() => {}
            changed = newest.changed(), if pause.is_none() => if changed.is_err() { return },
            () = tokio::time::sleep(pause.unwrap_or(AGAIN_MOST)), if pause.is_some() => {}
        }
    }
}

/// How far one place has come.
struct Kept {
    held: Held,
    upto: u64,
    failing: bool,
    /// Until the next try, after one that failed.
    pause: Option<Duration>,
}

impl Kept {
    /// A stream goes on where it ended; a checkpoint is given anew, since it costs nothing.
    fn so_far(audit: &Audit, place: &dyn Outside, held: Held) -> Self {
        let upto = match place.terms().what {
            What::Checkpoints => 0,
            What::Entries => audit.shared.reaches(place.name()),
        };
        Self {
            held,
            upto,
            failing: false,
            pause: None,
        }
    }

    async fn give(&mut self, control: &Control, place: &dyn Outside, stored: &Stored) {
        let audit = &control.inner.audit;
        let name = place.name();
        if let Held::Unknown(_) = self.held {
            self.held = control.compare(place).await.unwrap_or_else(unreadable);
        }
        let parcel = parcel(audit, place.terms().what, self.upto, stored).await;
        let given = match (&self.held, parcel) {
            (Held::Never, _) => return,
            (Held::Unknown(why), _) => Err(why.clone()),
            (Held::Agrees, Ok(parcel)) => {
                let kept = tokio::time::timeout(COPY_TIMEOUT, place.keep(&parcel)).await;
                let kept = kept.unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
                kept.map(|()| parcel.size)
            }
            (Held::Agrees, Err(error)) => Err(format!("the log cannot be read: {error}")),
        };
        audit.shared.copied(name, given.clone(), control.now());
        self.told(audit, name, place.terms().what, given.as_ref().err())
            .await;
        match given {
            Ok(size) => {
                (self.upto, self.pause) = (size, None);
                note(audit, name, size).await;
            }
            Err(_) => {
                metrics::counter!(
                    "quorate_audit_copy_failures_total", "copy" => place.terms().label.clone()
                )
                .increment(1);
                let pause = self.pause.map_or(AGAIN_FIRST, |pause| pause * 2);
                self.pause = Some(pause.min(AGAIN_MOST));
            }
        }
    }

    /// On record when a copy begins to fail, and when it works again.
    async fn told(&mut self, audit: &Audit, name: &str, what: What, error: Option<&String>) {
        let of = match what {
            What::Checkpoints => "checkpoints",
            What::Entries => "entries",
        };
        let draft = match (error, self.failing) {
            (Some(error), false) => {
                let text = format!("The copy of {of} to {name} fails: {error}.");
                Draft::console("audit_copy_failed", text)
            }
            (None, true) => {
                let text = format!("The copy of {of} to {name} works again.");
                Draft::console("audit_copy_restored", text)
            }
            _ => return,
        };
        self.failing = error.is_some();
        record(audit, draft).await;
    }
}

fn unreadable(error: ControlError) -> Held {
    Held::Unknown(format!("the log cannot be read: {error}"))
}

/// What a place that has everything up to `upto` is given next.
async fn parcel(audit: &Audit, what: What, upto: u64, stored: &Stored) -> sqlx::Result<Parcel> {
    let log = stored.note.lines().next().unwrap_or_default().to_owned();
    if what == What::Checkpoints {
        let (note, time) = (stored.note.clone(), stored.time);
        return Ok(Parcel {
            log,
            size: stored.size,
            content: Content::Checkpoint { note, time },
        });
    }
    let mut run = entries::run(&audit.read, upto, stored.size, ENTRIES_MOST).await?;
    let mut bytes = 0;
    let mut fits = |(_, entry): &(u64, Vec<u8>)| {
        bytes += entry.len();
        bytes <= BYTES_MOST
    };
    let some = run.iter().take_while(|entry| fits(entry)).count();
    run.truncate(some.max(1));
    let last = run.last().map(|(seq, _)| *seq);
    Ok(Parcel {
        log,
        size: last.ok_or(sqlx::Error::RowNotFound)?,
        content: Content::Entries(run),
    })
}

/// How far it reaches is kept in the log's own file.
async fn note(audit: &Audit, name: &str, size: u64) {
    let (reply, answer) = oneshot::channel();
    let order = Order::Copied {
        name: name.to_owned(),
        size,
        reply,
    };
    if let Err(error) = audit.give(order, answer).await {
        tracing::warn!(%error, "how far a copy reaches could not be noted");
    }
}

/// Puts it on record as far as that can be.
pub(super) async fn record(audit: &Audit, draft: Draft) {
    if let Err(error) = audit.append(draft).await {
        tracing::error!(%error, "how a copy fares could not be recorded");
    }
}
