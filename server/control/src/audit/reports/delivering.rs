//! The loop of one recipient: what waits for it is delivered, oldest first, until it arrived; what
//! cannot be any more is set aside. Each of these is an entry; so is that deliveries begin to fail,
//! and that they work again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use quorate_domain::audit::{DeliveryStanding, Outcome};
use serde_json::json;

use super::{
    Keeping, ReportFile, outbox,
    outbox::{Slip, Unfit},
};
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
    let mut tries = Tries::default();
    let mut pause = None;
    loop {
        let known = (&mut standing, &mut tries);
        let ended = round(&control, &*recipient, keeping, known).await;
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

/// Delivers all that waits; why something could not be, in words.
///
/// One report that is not taken does not hold up the others: the next one is tried, too. Only when
/// that fails as well it is the recipient's doing, and all of them wait.
async fn round(
    control: &Control,
    recipient: &dyn Recipient,
    keeping: Keeping,
    (standing, tries): (&mut DeliveryStanding, &mut Tries),
) -> Result<(), String> {
    let found = outbox::read(&control.inner.data_dir, recipient.name()).await;
    let found = found.map_err(|error| super::why(&error))?;
    let oldest = control.now().minus_ms(keeping.days.saturating_mul(DAY_MS));
    standing.waiting = u64::try_from(found.waiting.len()).unwrap_or(u64::MAX);
    standing.set_aside = found.aside;
    for (folder, why) in found.broken {
        set_aside(control, recipient, (&folder, json!({})), &why, standing).await?;
    }
    let mut failed = None;
    for slip in tries.in_order(found.waiting) {
        let folder = slip.folder().to_path_buf();
        if slip.due < oldest {
            give_up(control, recipient, slip).await?;
        } else {
            let facts = sent(recipient, &slip);
            // The console stops in the middle of it: it is delivered again after the next start.
            let delivered = tokio::select! {
                () = control.inner.stopping.cancelled() => return Ok(()),
                delivered = deliver(control, recipient, slip, standing) => delivered,
            };
            match delivered {
                Ok(()) => {}
                Err(Undone::Broken(why)) => {
                    set_aside(control, recipient, (&folder, facts), &why, standing).await?;
                }
                Err(Undone::Halted(why)) => return Err(why),
                Err(Undone::NotTaken(why)) => {
                    tries.failed(folder);
                    match failed {
                        Some(first) => return Err(first),
                        None => failed = Some(why),
                    }
                    continue;
                }
            }
        }
        standing.waiting = standing.waiting.saturating_sub(1);
        show(control, standing);
    }
    failed.map_or(Ok(()), Err)
}

/// How often each report was tried in vain since the console's start, by its folder.
#[derive(Default)]
struct Tries(BTreeMap<PathBuf, u32>);

impl Tries {
    fn failed(&mut self, folder: PathBuf) {
        let tries = self.0.entry(folder).or_default();
        *tries = tries.saturating_add(1);
    }

    /// The least tried first, and of those the oldest.
    fn in_order(&mut self, mut waiting: Vec<Slip>) -> Vec<Slip> {
        self.0
            .retain(|folder, _| waiting.iter().any(|slip| slip.folder() == folder));
        waiting.sort_by_key(|slip| self.0.get(slip.folder()).copied().unwrap_or_default());
        waiting
    }
}

/// Why a report was not delivered.
enum Undone {
    /// Its files are not what they were.
    Broken(String),
    /// The recipient did not take it.
    NotTaken(String),
    /// Nothing can be read or recorded here.
    Halted(String),
}

impl From<Unfit> for Undone {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Broken(why) => Self::Broken(why),
            Unfit::Unread(why) => Self::Halted(why),
        }
    }
}

async fn deliver(
    control: &Control,
    recipient: &dyn Recipient,
    slip: Slip,
    standing: &mut DeliveryStanding,
) -> Result<(), Undone> {
    for file in slip.files().await? {
        let delivered = tokio::time::timeout(FILE_MOST, recipient.deliver(&file)).await;
        let delivered = delivered.unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
        delivered.map_err(Undone::NotTaken)?;
    }
    let text = format!("{} was delivered to {}.", slip.name(), recipient.name());
    let mut draft = Draft::console("audit_report_delivered", text);
    draft.outcome = Some(Outcome::Succeeded);
    draft.sent = sent(recipient, &slip);
    record(control, draft).await.map_err(Undone::Halted)?;
    standing.last = Some(slip.name().to_owned());
    standing.at = Some(control.now());
    slip.remove().await;
    Ok(())
}

/// What cannot be delivered as it was made holds up nothing: it is kept apart, on record. `sent`
/// says what is known of it.
async fn set_aside(
    control: &Control,
    recipient: &dyn Recipient,
    (folder, mut sent): (&Path, serde_json::Value),
    why: &str,
    standing: &mut DeliveryStanding,
) -> Result<(), String> {
    if !outbox::is_unfit(folder).await? {
        return Ok(());
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let to = recipient.name();
    let text = format!("The report {name} cannot be delivered to {to}: {why}. It was set aside.");
    if let Some(fields) = sent.as_object_mut() {
        fields.insert("to".to_owned(), json!(to));
        fields.insert("folder".to_owned(), json!(name));
    }
    let mut draft = Draft::console("audit_report_set_aside", text);
    draft.outcome = Some(Outcome::Failed);
    draft.sent = sent;
    record(control, draft).await?;
    outbox::set_aside(folder.to_path_buf()).await?;
    standing.set_aside = standing.set_aside.saturating_add(1);
    show(control, standing);
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
