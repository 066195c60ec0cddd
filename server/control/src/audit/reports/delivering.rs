//! The loop of one recipient: what waits for it is delivered, oldest first, until it arrived. Each
//! delivery is an entry; so is that they begin to fail, and that they work again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use quorate_domain::audit::{DeliveryStanding, Outcome};
use serde_json::json;

use super::{Keeping, ReportFile, outbox, outbox::Slip};
use crate::{Control, audit::Draft};

/// How often it is looked whether something waits.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pause after a delivery that failed; it doubles up to the longest.
const AGAIN_FIRST: Duration = Duration::from_secs(5);
const AGAIN_MOST: Duration = Duration::from_secs(10 * 60);
/// The longest that one file may take, whatever its recipient says.
const FILE_MOST: Duration = Duration::from_secs(60 * 60);
const DAY_MS: u64 = 86_400_000;

/// A place outside to which reports are delivered.
pub trait Recipient: Send + Sync {
    /// What plans call it.
    fn name(&self) -> &str;

    /// Delivers one file; `Ok` only once it is kept. It may come twice: the name and the digest
    /// tell. The error says why not, in words, without secrets.
    fn deliver<'a>(&'a self, file: &'a ReportFile) -> BoxFuture<'a, Result<(), String>>;
}

/// How deliveries stand, by recipient.
pub(crate) type Deliveries = Arc<Mutex<BTreeMap<String, DeliveryStanding>>>;

pub(super) async fn run(control: Control, recipient: Arc<dyn Recipient>, keeping: Keeping) {
    let mut standing = DeliveryStanding {
        to: recipient.name().to_owned(),
        ..DeliveryStanding::default()
    };
    let mut pause = None;
    loop {
        let ended = round(&control, &*recipient, keeping, &mut standing).await;
        told(&control, &standing, ended.as_ref().err()).await;
        pause = match &ended {
            Ok(()) => None,
            Err(_) => Some(pause.map_or(AGAIN_FIRST, |it: Duration| (it * 2).min(AGAIN_MOST))),
        };
        standing.error = ended.err();
        show(&control, &standing);
        tokio::select! {
            () = control.inner.stopping.cancelled() => return,
            () = tokio::time::sleep(pause.unwrap_or(LOOK_EVERY)) => {}
        }
    }
}

/// Delivers all that waits; why it could not, in words.
async fn round(
    control: &Control,
    recipient: &dyn Recipient,
    keeping: Keeping,
    standing: &mut DeliveryStanding,
) -> Result<(), String> {
    let data = &control.inner.data_dir;
    let slips = outbox::waiting(data, recipient.name()).await;
    let slips = slips.map_err(|error| super::why(&error))?;
    let oldest = control.now().minus_ms(keeping.days.saturating_mul(DAY_MS));
    standing.waiting = u64::try_from(slips.len()).unwrap_or(u64::MAX);
    for slip in slips {
        if slip.due < oldest {
            give_up(control, recipient, slip).await?;
        } else {
            // The console stops in the middle of it: it is delivered again after the next start.
            tokio::select! {
                () = control.inner.stopping.cancelled() => return Ok(()),
                delivered = deliver(control, recipient, slip, standing) => delivered?,
            }
        }
        standing.waiting = standing.waiting.saturating_sub(1);
        show(control, standing);
    }
    Ok(())
}

async fn deliver(
    control: &Control,
    recipient: &dyn Recipient,
    slip: Slip,
    standing: &mut DeliveryStanding,
) -> Result<(), String> {
    for file in slip.files().await? {
        let delivered = tokio::time::timeout(FILE_MOST, recipient.deliver(&file)).await;
        delivered.unwrap_or_else(|_| Err("it does not answer in time".to_owned()))?;
    }
    let text = format!("{} was delivered to {}.", slip.name(), recipient.name());
    let mut draft = Draft::console("audit_report_delivered", text);
    draft.outcome = Some(Outcome::Succeeded);
    draft.sent = sent(recipient, &slip);
    record(control, draft).await?;
    standing.last = Some(slip.name().to_owned());
    standing.at = Some(control.now());
    slip.remove().await;
    Ok(())
}

async fn give_up(control: &Control, recipient: &dyn Recipient, slip: Slip) -> Result<(), String> {
    let text = format!(
        "{} was never delivered to {} and is too old now.",
        slip.name(),
        recipient.name()
    );
    let mut draft = Draft::console("audit_report_given_up", text);
    draft.outcome = Some(Outcome::Failed);
    draft.sent = sent(recipient, &slip);
    record(control, draft).await?;
    slip.remove().await;
    Ok(())
}

fn sent(recipient: &dyn Recipient, slip: &Slip) -> serde_json::Value {
    json!({ "report": slip.report, "to": recipient.name(), "files": slip.digests() })
}

/// On record before anything follows from it.
async fn record(control: &Control, draft: Draft) -> Result<(), String> {
    let recorded = control.inner.audit.append(draft).await;
    recorded.map(|_| ()).map_err(|error| super::why(&error))
}

/// On record when deliveries begin to fail, and when they work again.
async fn told(control: &Control, before: &DeliveryStanding, error: Option<&String>) {
    let to = &before.to;
    let draft = match (error, &before.error) {
        (Some(error), None) => {
            let text = format!("Reports cannot be delivered to {to}: {error}.");
            let mut draft = Draft::console("audit_delivery_failed", text);
            draft.outcome = Some(Outcome::Failed);
            draft
        }
        (None, Some(_)) => {
            let text = format!("Reports can be delivered to {to} again.");
            Draft::console("audit_delivery_restored", text)
        }
        _ => return,
    };
    if let Err(error) = control.inner.audit.append(draft).await {
        tracing::error!(%error, "a failing delivery could not be recorded");
    }
}

fn show(control: &Control, standing: &DeliveryStanding) {
    let waiting = f64::from(u32::try_from(standing.waiting).unwrap_or(u32::MAX));
    metrics::gauge!("quorate_audit_reports_waiting", "to" => standing.to.clone()).set(waiting);
    if let Ok(mut all) = control.inner.audit.deliveries.lock() {
        all.insert(standing.to.clone(), standing.clone());
    }
}

/// As pages show it.
pub(crate) fn standings(deliveries: &Deliveries) -> Vec<DeliveryStanding> {
    let all = deliveries.lock();
    all.map(|all| all.values().cloned().collect())
        .unwrap_or_default()
}
