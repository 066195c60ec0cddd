//! What is wrong with the log and with what is made of it, for the list of problems: places by what
//! the configuration calls them, and the reason apart, since not everybody may read it.

use quorate_domain::{
    health::{FindingCode, Severity},
    moment::Timestamp,
    text,
};

use super::{Audit, reports};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) code: FindingCode,
    pub(crate) severity: Severity,
    pub(crate) text: String,
    /// For those who may read the log.
    pub(crate) why: String,
}

impl Audit {
    pub(crate) fn wrongs(&self, now: Timestamp) -> Vec<Wrong> {
        let mut wrongs: Vec<Wrong> = self.shared.why().map(refuses).into_iter().collect();
        let newest = self.shared.newest.borrow().as_ref().map(|it| it.size);
        let copies = self.shared.failing_copies(newest.unwrap_or(0), now);
        wrongs.extend(copies.into_iter().map(copy));
        if let Ok(reports) = self.reports.lock() {
            let failing = reports.iter().filter_map(|report| {
                let error = report.error.as_deref()?;
                let text = text::audit_report_fails(&report.name);
                Some(report_fails(text, text::audit_because(error)))
            });
            wrongs.extend(failing);
        }
        for delivery in reports::standings(&self.deliveries) {
            if let Some(error) = &delivery.error {
                let text = text::audit_delivery_fails(&delivery.to);
                wrongs.push(report_fails(text, text::audit_because(error)));
            }
            if delivery.set_aside > 0 {
                let text = text::audit_reports_aside(&delivery.to, delivery.set_aside);
                wrongs.push(report_fails(
                    text,
                    text::audit_aside_hint(delivery.set_aside),
                ));
            }
        }
        wrongs
    }
}

/// The reason is a sentence already.
fn refuses(why: String) -> Wrong {
    Wrong {
        code: FindingCode::AuditRefuses,
        severity: Severity::Bad,
        text: text::AUDIT_REFUSES.to_owned(),
        why,
    }
}

fn copy((label, is_late, error): (String, bool, Option<String>)) -> Wrong {
    let why = error.map_or_else(
        || text::AUDIT_COPY_SLOW.to_owned(),
        |error| text::audit_because(&error),
    );
    match is_late {
        true => Wrong {
            code: FindingCode::AuditCopyBehind,
            severity: Severity::Bad,
            text: text::audit_copy_behind(&label),
            why,
        },
        false => Wrong {
            code: FindingCode::AuditCopyFails,
            severity: Severity::Warn,
            text: text::audit_copy_fails(&label),
            why,
        },
    }
}

fn report_fails(text: String, why: String) -> Wrong {
    Wrong {
        code: FindingCode::AuditReportFails,
        severity: Severity::Warn,
        text,
        why,
    }
}
