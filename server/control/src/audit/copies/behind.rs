//! Whether a copy is behind for too long: an alarm, an entry when it begins and ends, and figures.
//! Beside the loop that copies, since that may hang.

use std::time::Duration;

use super::{Terms, keeping::record};
use crate::{Control, audit::Draft};

/// How often it is looked: a part of what the terms allow, within these bounds.
const LOOK_FIRST: Duration = Duration::from_millis(200);
const LOOK_MOST: Duration = Duration::from_secs(5);

/// Until the console stops.
pub(super) async fn watch(control: Control, name: String, terms: Terms) {
    let inner = &control.inner;
    let every = (terms.alarm_after / 4).clamp(LOOK_FIRST, LOOK_MOST);
    let mut alarm = false;
    loop {
        tokio::select! {
            () = inner.stopping.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let signed = inner
            .audit
            .shared
            .newest
            .borrow()
            .as_ref()
            .map(|it| it.size);
        let lag = inner
            .audit
            .shared
            .lag(&name, signed.unwrap_or(0), control.now());
        let is_late = lag.for_ms >= millis(terms.alarm_after) && lag.entries > 0;
        shown(&terms, lag.entries, lag.for_ms, is_late);
        if is_late != alarm {
            alarm = is_late;
            record(&inner.audit, draft(&name, alarm, lag.for_ms)).await;
        }
    }
}

fn draft(name: &str, alarm: bool, for_ms: u64) -> Draft {
    if alarm {
        let text = format!(
            "The copy to {name} has been behind for {} s: what is newer could be cut off without \
             a trace.",
            for_ms / 1_000
        );
        return Draft::console("audit_copy_behind", text);
    }
    let text = format!("The copy to {name} has caught up.");
    Draft::console("audit_copy_caught_up", text)
}

fn shown(terms: &Terms, entries: u64, for_ms: u64, alarm: bool) {
    let gauge = |name: &'static str, value: f64| {
        metrics::gauge!(name, "copy" => terms.label.clone()).set(value);
    };
    let seconds = Duration::from_millis(for_ms).as_secs_f64();
    let entries = f64::from(u32::try_from(entries).unwrap_or(u32::MAX));
    gauge("quorate_audit_copy_behind_entries", entries);
    gauge("quorate_audit_copy_behind_seconds", seconds);
    gauge("quorate_audit_copy_alarm", f64::from(u8::from(alarm)));
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
