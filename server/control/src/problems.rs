//! All that is wrong: what the clusters' findings say, and what is wrong with the console itself.
//! Since when the latter is so is known from when it was first seen.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use quorate_domain::{
    cluster::ClusterName,
    health::{Finding, FindingCode},
    moment::Timestamp,
    permission::{Permission, allows},
    text,
    view::worst_first,
};

use crate::{Control, Operator, audit::Wrong};

/// How often it is looked whether open pages have to be told.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was wrong when it was last looked, and since when.
#[derive(Default)]
pub(crate) struct Noticed(Mutex<Vec<(Timestamp, Wrong)>>);

impl Noticed {
    /// As it is now; what was wrong before is wrong since then.
    fn renewed(&self, wrongs: Vec<Wrong>, now: Timestamp) -> Vec<(Timestamp, Wrong)> {
        let mut noticed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = |wrong: &Wrong| {
            let same =
                |(_, it): &&(Timestamp, Wrong)| it.code == wrong.code && it.text == wrong.text;
            noticed.iter().find(same).map_or(now, |(since, _)| *since)
        };
        let renewed: Vec<_> = wrongs.into_iter().map(|it| (since(&it), it)).collect();
        noticed.clone_from(&renewed);
        renewed
    }
}

/// Has pages rendered anew when what is wrong with the console has changed.
pub(crate) async fn watch(control: Control) {
    let mut before = Vec::new();
    loop {
        let now = control.noticed();
        if now != before {
            control.inner.tick();
            before = now;
        }
        tokio::select! {
            () = control.inner.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

impl Control {
    /// What is wrong with the console itself: its record, and the record's copies and reports.
    /// Everybody is told what; why, only who may read the audit log.
    #[must_use]
    pub fn console_findings(&self, who: &Operator) -> Vec<Finding> {
        let reads = allows(&who.grants, Permission::ReadAudit, None);
        let told = |(since, wrong): (Timestamp, Wrong)| Finding {
            hint: match (reads, wrong.code) {
                (true, _) => Some(wrong.why),
                (false, FindingCode::AuditRefuses) => Some(text::AUDIT_ASK.to_owned()),
                (false, _) => None,
            },
            code: wrong.code,
            member: None,
            since,
            severity: wrong.severity,
            text: wrong.text,
        };
        self.noticed().into_iter().map(told).collect()
    }

    /// Everything that is wrong and may be seen, worst first; without a cluster what is wrong with
    /// the console itself.
    #[must_use]
    pub fn problems(&self, who: &Operator) -> Vec<(Option<ClusterName>, Finding)> {
        worst_first(&self.fleet(who), &self.console_findings(who))
    }

    fn noticed(&self) -> Vec<(Timestamp, Wrong)> {
        let now = self.now();
        let wrongs = self.inner.audit.wrongs(now);
        self.inner.noticed.renewed(wrongs, now)
    }
}
