//! Changes as they run: one step, sent once, confirmed by looking, its outcome recorded.
//!
//! A restart of the console never sends again: what was open is only looked at.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use quorate_domain::{
    cluster::ClusterName,
    event::Happening,
    job::{Change, ChangeId},
    moment::Timestamp,
    permission::{Permission, allows},
};

use crate::{
    Control, ControlError, Operator, Page, actions, approvals,
    audit::{Intent, PAGE_MOST},
    watch::Watched,
};

mod answer;
mod ending;
mod resume;
mod run;
pub(crate) mod steps;

pub(crate) use answer::Answer;
pub(crate) use ending::Ending;
pub(crate) use resume::resume;

/// How often a store that could not be written is tried again.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// A change running on a cluster.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) control: Control,
    pub(crate) watched: Arc<Watched>,
    pub(crate) id: ChangeId,
}

/// Puts the change into its place and runs it. Its intent is durable already, so a store that
/// cannot be written any more does not stop it: the outcome must be found out and recorded.
pub(crate) async fn start(
    control: &Control,
    watched: &Arc<Watched>,
    change: Change,
    intent: Intent,
) {
    let job = Job::place(control, watched, &change);
    job.save(&change).await;
    job.tell(&change);
    metrics::counter!("quorate_changes_started_total").increment(1);
    let tracked = control.inner.jobs.clone();
    tracked.spawn(run::supervised(job, intent));
}

/// Takes back a change that was never sent. Its row holds the cluster's place, so a store that
/// cannot be written now is tried until it can; the next start finds a row that still stays.
pub(crate) async fn forget(control: &Control, id: &ChangeId) {
    let Err(error) = control.inner.store.change_forget(id).await else {
        return;
    };
    tracing::error!(%error, change = %id, "a change that was never sent stays in the store");
    let (control, id) = (control.clone(), id.clone());
    tokio::spawn(async move {
        while control.pauses(STORE_AGAIN).await {
            if control.inner.store.change_forget(&id).await.is_ok() {
                return;
            }
        }
    });
}

impl Control {
    /// Waits; `false` if the console ends before the time is over.
    async fn pauses(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.inner.stopping.cancelled() => false,
        }
    }
}

impl Job {
    /// Takes the cluster's place, in memory; the store's row holds it over a restart.
    pub(crate) fn place(control: &Control, watched: &Arc<Watched>, change: &Change) -> Self {
        if change.action.takes_the_slot() {
            watched.set_running_change(Some(change.id.clone()));
        } else {
            watched.set_snapshotting(Some(change.id.clone()));
        }
        control.inner.book.put(change);
        Self {
            control: control.clone(),
            watched: Arc::clone(watched),
            id: change.id.clone(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.control.now()
    }

    /// The change as it stands.
    pub(crate) fn change(&self) -> Option<Change> {
        self.control.inner.book.get(&self.id)
    }

    /// Edits the change and shows it; the store follows when it ends or [`Job::save`] is called.
    pub(crate) fn edit(&self, edit: impl FnOnce(&mut Change)) {
        let Some(mut change) = self.change() else {
            return;
        };
        let before = change.clone();
        edit(&mut change);
        if change != before {
            self.control.inner.book.put(&change);
            self.tick();
        }
    }

    pub(crate) async fn save(&self, change: &Change) {
        self.saved(change).await;
    }

    async fn saved(&self, change: &Change) -> bool {
        let saving = self.control.inner.store.change_update(change).await;
        if let Err(error) = &saving {
            tracing::error!(%error, change = %self.id, "a change could not be saved");
        }
        saving.is_ok()
    }

    /// Saves a change that has ended: until its row says so, it holds the cluster's place.
    async fn save_ended(&self, change: &Change) {
        if self.saved(change).await {
            return;
        }
        let (job, change) = (self.clone(), change.clone());
        tokio::spawn(async move {
            while job.control.pauses(STORE_AGAIN).await && !job.saved(&change).await {}
        });
    }

    pub(crate) fn tell(&self, change: &Change) {
        let happened: Vec<Happening> = vec![actions::happening(change)];
        self.control
            .inner
            .events
            .tell(&self.watched, self.now(), happened);
        self.tick();
    }

    pub(crate) fn tick(&self) {
        self.watched.tick();
        self.control.inner.tick();
    }
}

impl Watched {
    pub(crate) fn set_snapshotting(&self, change: Option<ChangeId>) {
        *self
            .snapshotting
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = change;
    }
}

impl Control {
    /// # Errors
    /// `NotFound` also for changes of clusters `who` may not see.
    pub async fn change(&self, who: &Operator, id: &str) -> Result<Change, ControlError> {
        let found = self.change_at_hand(&ChangeId(id.to_owned())).await;
        let seen = |change: &Change| self.sees(who, &change.cluster);
        found
            .ok()
            .filter(seen)
            .ok_or_else(|| ControlError::not_found("change", id))
    }

    /// Newest first; running ones before all others.
    ///
    /// # Errors
    /// `NotFound` also for clusters `who` may not see.
    pub async fn changes(
        &self,
        who: &Operator,
        cluster: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Change>, ControlError> {
        let only = match cluster {
            Some(name) => Some(self.visible(who, name)?.name().clone()),
            None => None,
        };
        let seen = |name: &ClusterName| match &only {
            Some(only) => only == name,
            None => self.sees(who, name),
        };
        let most = usize::try_from(limit.clamp(1, PAGE_MOST)).unwrap_or(usize::MAX);
        let mut items = match after {
            None => self.inner.book.open(seen),
            Some(_) => Vec::new(),
        };
        items.sort_by_key(approvals::is_awaited);
        let wanted = most.saturating_sub(items.len()) + 1;
        let at_hand = match after {
            None => self.inner.book.ended(seen, wanted),
            Some(_) => None,
        };
        let ended = match at_hand {
            Some(ended) => ended,
            None => {
                let names = self.inner.store.changed_clusters().await?;
                let names: Vec<String> = names
                    .into_iter()
                    .filter(|name| seen(&ClusterName::from(name.as_str())))
                    .collect();
                let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
                self.inner
                    .store
                    .changes_ended(&names, after, wanted)
                    .await?
            }
        };
        let more = ended.len() >= wanted;
        items.extend(ended.into_iter().take(wanted.saturating_sub(1)));
        let next = items
            .last()
            .filter(|_| more)
            .map(|change| change.id.0.clone());
        Ok(Page { items, next })
    }

    /// How many changes run now, of those `who` may see, and how many wait for a word of theirs.
    #[must_use]
    pub fn running_changes(&self, who: &Operator) -> u32 {
        let open = self.inner.book.open(|name| self.sees(who, name));
        let mine = open
            .iter()
            .filter(|change| !approvals::is_awaited(change) || self.waits_for(who, change));
        u32::try_from(mine.count()).unwrap_or(u32::MAX)
    }

    /// The tags of a change's cluster; none where it is registered no more.
    pub(crate) fn tags(&self, change: &Change) -> Vec<String> {
        let watched = self.inner.clusters.get(&change.cluster);
        watched.map_or_else(Vec::new, |watched| watched.place().1.to_vec())
    }

    /// Limits how long changes are waited for, so that "time is up" can be rehearsed.
    #[doc(hidden)]
    pub fn rehearse_patience(&self, most: Duration) {
        *self
            .inner
            .patience
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(most);
    }

    /// How long a change is waited for that is planned to take `planned_ms`.
    pub(crate) fn patience(&self, planned_ms: u64) -> Duration {
        let planned = Duration::from_millis(planned_ms);
        let most = *self
            .inner
            .patience
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        most.map_or(planned, |most| planned.min(most))
    }

    /// The change, whoever asks.
    pub(crate) async fn change_at_hand(&self, id: &ChangeId) -> Result<Change, ControlError> {
        if let Some(change) = self.inner.book.get(id) {
            return Ok(change);
        }
        let found = self.inner.store.change(&id.0).await?;
        found.ok_or_else(|| ControlError::not_found("change", &id.0))
    }

    /// Also for clusters that are registered no more: only who sees all sees those.
    fn sees(&self, who: &Operator, name: &ClusterName) -> bool {
        let tags = self
            .inner
            .clusters
            .get(name)
            .map(|watched| watched.place().1);
        allows(
            &who.grants,
            Permission::View,
            Some((name, tags.unwrap_or_default())),
        )
    }
}
