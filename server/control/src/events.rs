//! "What happened": newest events in memory for the page, all kept ones in the store.
//!
//! A group of a program of many has a line of time of its own, under `cluster/group`. It is in
//! memory only while somebody looks at the group.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use quorate_domain::{
    cluster::ClusterName,
    event::{Event, Happening},
    moment::Timestamp,
};
use tokio::sync::mpsc;

use crate::{ControlError, Inner, Page, store::Store, watch::Watched};

/// Kept in memory for each cluster.
const AT_HAND: usize = 200;
/// Kept in the store for each cluster.
const KEPT: u32 = 10_000;
/// Kept in the store for each group: there may be thousands.
const KEPT_OF_GROUP: u32 = 500;
/// Old events are removed once in so many.
const PRUNE_EVERY: u64 = 256;
const QUEUE: usize = 1_024;
const PAGE_MOST: u32 = 1_000;

/// Events on their way to the store.
pub(crate) type Waiting = mpsc::Receiver<Vec<Event>>;

pub(crate) struct EventLog {
    recent: Mutex<Recent>,
    to_store: mpsc::Sender<Vec<Event>>,
}

struct Recent {
    last_id: u64,
    /// Newest first.
    by_cluster: BTreeMap<ClusterName, VecDeque<Event>>,
}

impl EventLog {
    /// The log as the store has it, and what is to be written to the store from now on.
    pub(crate) async fn load(
        store: &Store,
        clusters: impl Iterator<Item = &ClusterName>,
    ) -> Result<(Self, Waiting), ControlError> {
        let mut by_cluster = BTreeMap::new();
        let at_hand = u32::try_from(AT_HAND).unwrap_or(u32::MAX);
        for name in clusters {
            by_cluster.insert(name.clone(), store.events(name, at_hand).await?.into());
        }
        let last_id = store.events_last_id().await?;
        let (to_store, waiting) = mpsc::channel(QUEUE);
        let recent = Mutex::new(Recent {
            last_id,
            by_cluster,
        });
        Ok((Self { recent, to_store }, waiting))
    }

    pub(crate) fn add(&self, cluster: &ClusterName, at: Timestamp, happened: Vec<Happening>) {
        if happened.is_empty() {
            return;
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = Vec::new();
        for what in happened {
            recent.last_id += 1;
            let event = Event {
                id: recent.last_id,
                at,
                cluster: cluster.clone(),
                what,
            };
            if !is_group(cluster) || recent.by_cluster.contains_key(cluster) {
                let list = recent.by_cluster.entry(cluster.clone()).or_default();
                list.push_front(event.clone());
                list.truncate(AT_HAND);
            }
            events.push(event);
        }
        drop(recent);
        if self.to_store.try_send(events).is_err() {
            tracing::warn!(%cluster, "events could not be kept: the store is too slow");
        }
    }

    /// What happened to a cluster, or to one group of it: that is told in both lines of time.
    pub(crate) fn tell(&self, watched: &Watched, at: Timestamp, happened: Vec<Happening>) {
        if watched.group.is_some() {
            self.add(&watched.key(), at, happened.clone());
        }
        self.add(watched.name(), at, happened);
    }

    /// Takes a group's line of time into memory, for as long as somebody looks at the group.
    pub(crate) async fn open(
        &self,
        store: &Store,
        group: &ClusterName,
    ) -> Result<(), ControlError> {
        let most = u32::try_from(AT_HAND).unwrap_or(u32::MAX);
        let known = store.events(group, most).await?;
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let list = recent.by_cluster.entry(group.clone());
        list.or_insert_with(|| known.into());
        Ok(())
    }

    /// Nobody looks at the group any more: the store has what happened to it.
    pub(crate) fn close(&self, group: &ClusterName) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.by_cluster.remove(group);
    }

    /// The newest of these, newest first. Only long lists ask the store, and groups that are not
    /// looked at.
    pub(crate) async fn newest(
        &self,
        store: &Store,
        clusters: &[ClusterName],
        limit: u32,
    ) -> Result<Vec<Event>, ControlError> {
        let limit = limit.clamp(1, PAGE_MOST);
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut events = self.at_hand(clusters, most);
        if events.is_none() {
            let mut stored = Vec::new();
            for name in clusters {
                stored.extend(store.events(name, limit).await?);
            }
            events = Some(stored);
        }
        let mut events = events.unwrap_or_default();
        events.sort_by_key(|event| std::cmp::Reverse(event.id));
        events.truncate(most);
        Ok(events)
    }

    /// One page of a line of time as the store has it, oldest first; the newest events may be on
    /// their way there.
    pub(crate) async fn page(
        &self,
        store: &Store,
        key: &ClusterName,
        between: (Option<Timestamp>, Option<Timestamp>),
        after: u64,
        limit: u32,
    ) -> Result<Page<Event>, ControlError> {
        let limit = limit.clamp(1, PAGE_MOST);
        let one_more = limit.saturating_add(1);
        let mut items = store.events_between(key, between, after, one_more).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > most;
        items.truncate(most);
        let last = items.last().filter(|_| more);
        let next = last.map(|event| event.id.to_string());
        Ok(Page { items, next })
    }

    /// The newest `most` of each, if memory has them all.
    fn at_hand(&self, clusters: &[ClusterName], most: usize) -> Option<Vec<Event>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = clusters.iter().map(|name| recent.by_cluster.get(name));
        let lists: Option<Vec<_>> = lists.collect();
        let lists = lists.filter(|_| most <= AT_HAND)?;
        let newest = lists.into_iter().flat_map(|list| list.iter().take(most));
        Some(newest.cloned().collect())
    }
}

/// A group's line of time goes by `cluster/group`; a cluster's name holds no slash.
fn is_group(name: &ClusterName) -> bool {
    name.as_str().contains('/')
}

/// Writes events to the store until the log is gone.
pub(crate) async fn keep(inner: std::sync::Weak<Inner>, mut waiting: Waiting) {
    while let Some(events) = waiting.recv().await {
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.store.events_add(&events).await {
            tracing::warn!(%error, "events could not be kept");
            continue;
        }
        // Two in a row: a group's changes are told to its program, too, so that one number in so
        // many could meet the same of the two for ever.
        let prune = events.iter().find(|event| event.id % PRUNE_EVERY < 2);
        let Some(event) = prune else { continue };
        let kept = if is_group(&event.cluster) {
            KEPT_OF_GROUP
        } else {
            KEPT
        };
        if let Err(error) = inner.store.events_prune(&event.cluster, kept).await {
            tracing::warn!(%error, "old events could not be removed");
        }
    }
}
