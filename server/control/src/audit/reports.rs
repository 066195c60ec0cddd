//! Reports that the console makes by itself: when one is due, over which time, and whether it
//! arrived. Each covers the time since the one before; what a stopped console missed is made up by
//! one report over all of it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use quorate_domain::{
    audit::{Filter, Outcome, ReportStanding},
    moment::Timestamp,
};
use quorate_report::Language;
use serde_json::json;

use self::{
    folder::Delivered,
    memory::{Made, Memory},
};
use super::{Draft, Format, export};
use crate::{Control, ControlError};

mod delivering;
mod folder;
mod memory;
mod outbox;
mod schedule;

pub use delivering::Recipient;
pub(super) use delivering::{Deliveries, standings};
pub use outbox::ReportFile;
pub use schedule::Every;

/// How often it is looked whether one is due; one that failed is tried again as often.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A report that is made by a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportPlan {
    /// Begins the names of its files: letters, digits, `-` and `_`.
    pub name: String,
    pub every: Every,
    /// Minutes after midnight, UTC.
    pub minute: u16,
    pub format: Format,
    pub language: Language,
    /// Its times are the schedule's.
    pub filter: Filter,
    /// The folder it is delivered to, if there is one.
    pub folder: Option<PathBuf>,
    /// Names of the recipients that get it too.
    pub deliver_to: Vec<String>,
}

/// How long delivered reports are kept; the newest of each plan always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    pub days: u64,
    /// Of all files of one plan together.
    pub bytes: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            days: 400,
            bytes: 2 * 1024 * 1024 * 1024,
        }
    }
}

/// What pages are told.
pub(super) type Shown = Arc<std::sync::Mutex<Vec<ReportStanding>>>;

impl Control {
    /// From now on these reports are made when they are due, and delivered. What waited for a
    /// recipient when the console stopped is delivered to it as well.
    pub fn audit_reports(
        &self,
        plans: Vec<ReportPlan>,
        keeping: Keeping,
        recipients: Vec<Arc<dyn Recipient>>,
    ) {
        for recipient in recipients {
            let delivering = delivering::run(self.clone(), recipient, keeping);
            self.inner.loops.spawn(delivering);
        }
        if !plans.is_empty() {
            self.inner.loops.spawn(run(self.clone(), plans, keeping));
        }
    }

    /// Makes the report over `from` to `due` and delivers it. On record before it is in its place.
    async fn report(
        &self,
        plan: &ReportPlan,
        from: Timestamp,
        due: Timestamp,
    ) -> Result<Delivered, ControlError> {
        let filter = Filter {
            from: Some(from),
            to: Some(due),
            ..plan.filter.clone()
        };
        let stored = self.checkpoint_for(None).await?;
        let made = self.export(plan.language, plan.format, &filter, &stored);
        let made = made.await?;
        let mut sent = export::sent(plan.format, &filter, &made);
        let (ending, entries, size) = (plan.format.extension(), made.entries, made.size);
        let file = format!("{}-{}.{ending}", plan.name, due.day());
        let data = self.inner.data_dir.clone();
        let posting = outbox::write(
            data.clone(),
            plan.deliver_to.clone(),
            (plan.name.clone(), due),
            (file.clone(), plan.format.media()),
            &made,
        );
        let posting = posting.await?;
        let waiting = match plan.folder.clone() {
            Some(folder) => match folder::write(folder, file.clone(), made).await {
                Ok(waiting) => Some(waiting),
                Err(error) => {
                    posting.discard().await;
                    return Err(error);
                }
            },
            None => None,
        };
        let text = format!(
            "Report {} up to {} was made: {entries} of {size} entries.",
            plan.name,
            due.in_words()
        );
        let mut draft = Draft::console("audit_report_made", text).of_filter(&filter);
        if let Some(fields) = sent.as_object_mut() {
            fields.insert("report".to_owned(), json!(plan.name));
            fields.insert("file".to_owned(), json!(file));
            if !plan.deliver_to.is_empty() {
                fields.insert("deliver_to".to_owned(), json!(plan.deliver_to));
            }
        }
        draft.sent = sent;
        draft.outcome = Some(Outcome::Succeeded);
        if let Err(error) = self.inner.audit.append(draft).await {
            posting.discard().await;
            if let Some(waiting) = waiting {
                waiting.discard().await;
            }
            return Err(error);
        }
        posting.post(data).await?;
        match waiting {
            Some(waiting) => waiting.deliver(due).await,
            None => Ok(Delivered::elsewhere(due, file)),
        }
    }
}

async fn run(control: Control, plans: Vec<ReportPlan>, keeping: Keeping) {
    let directory = control.inner.data_dir.clone();
    let mut memory = Memory::read(directory).await;
    let mut failing = std::collections::BTreeSet::new();
    loop {
        let mut shown = Vec::new();
        for plan in &plans {
            let error = turn(&control, plan, keeping, &mut memory).await;
            told(&control, plan, &mut failing, error.as_deref()).await;
            shown.push(standing(plan, &memory, control.now(), error));
        }
        if let Ok(mut place) = control.inner.audit.reports.lock() {
            *place = shown;
        }
        tokio::select! {
            () = control.inner.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Makes what is due, if anything; why it could not, in words.
async fn turn(
    control: &Control,
    plan: &ReportPlan,
    keeping: Keeping,
    memory: &mut Memory,
) -> Option<String> {
    let due = plan.every.before(plan.minute, control.now());
    let Some(made) = memory.of(&plan.name) else {
        // The first is made at the next time; what was before the plan is nobody's wish.
        return memory.put(&plan.name, Made::since(due)).await.err();
    };
    let from = made.up_to;
    if from >= due {
        return None;
    }
    let delivered = match control.report(plan, from, due).await {
        Ok(delivered) => delivered,
        Err(error) => return Some(why(&error)),
    };
    let mut made = made.clone();
    made.up_to = due;
    made.files.push(delivered);
    made.files = folder::prune(plan.folder.as_deref(), made.files, keeping, control.now()).await;
    memory.put(&plan.name, made).await.err()
}

/// With its cause: a folder that is full, missing or not ours is what people can mend.
fn why(error: &ControlError) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

/// On record when a report begins to fail, and when one arrives again.
async fn told(
    control: &Control,
    plan: &ReportPlan,
    failing: &mut std::collections::BTreeSet<String>,
    error: Option<&str>,
) {
    let known = failing.contains(&plan.name);
    let draft = match error {
        Some(error) if !known => {
            failing.insert(plan.name.clone());
            let text = format!("Report {} could not be made: {error}.", plan.name);
            let mut draft = Draft::console("audit_report_failed", text);
            draft.outcome = Some(Outcome::Failed);
            draft
        }
        None if failing.remove(&plan.name) => {
            let text = format!("Report {} can be made again.", plan.name);
            Draft::console("audit_report_restored", text)
        }
        _ => return,
    };
    if let Err(error) = control.inner.audit.append(draft).await {
        tracing::error!(%error, "a failing report could not be recorded");
    }
}

fn standing(
    plan: &ReportPlan,
    memory: &Memory,
    now: Timestamp,
    error: Option<String>,
) -> ReportStanding {
    let newest = memory.of(&plan.name).and_then(|made| made.files.last());
    ReportStanding {
        name: plan.name.clone(),
        next: plan.every.after(plan.minute, now),
        last: newest.map(|it| it.due),
        file: newest.and_then(|it| it.names.first().cloned()),
        error,
    }
}
