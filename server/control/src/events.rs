//! "What happened": newest events in memory for the page, all kept ones in the store.
//!
//! A group of a program of many has a line of time of its own, under `cluster/group`.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quorate_domain::{
    cluster::ClusterName,
    event::{Event, Happening},
    moment::Timestamp,
};
use tokio::sync::{mpsc, oneshot};

use crate::{ControlError, Inner, Page, groups::place, store::Store, watch::Watched};

mod groups;

pub(crate) use groups::Led;

/// Kept in memory for each cluster.
const AT_HAND: usize = 200;
/// Kept in the store for each cluster.
const KEPT: u32 = 10_000;
/// Kept in the store for each group: there may be thousands.
const KEPT_OF_GROUP: u32 = 500;
/// Kept in the store of all groups of one program together: about 4 MB.
const KEPT_OF_GROUPS: u32 = 20_000;
/// They are counted after so many new ones, and once after a start.
const PRUNE_GROUPS_EVERY: usize = 2_000;
/// Old events are removed once in so many.
const PRUNE_EVERY: u64 = 256;
const QUEUE: usize = 1_024;
const PAGE_MOST: u32 = 1_000;

/// What is on its way to the store.
pub(crate) enum Order {
    Keep(Vec<Event>),
    /// Answered once all that came before is in the store.
    Told(oneshot::Sender<()>),
}

/// Orders on their way to the store.
pub(crate) type Waiting = mpsc::Receiver<Order>;

pub(crate) struct EventLog {
    recent: Mutex<Recent>,
    to_store: mpsc::Sender<Order>,
    /// Events on their way.
    waiting: AtomicU64,
    /// Events of this run that the store could not be given.
    lost: AtomicU64,
}

struct Recent {
    last_id: u64,
    /// Newest first.
    by_cluster: BTreeMap<ClusterName, VecDeque<Event>>,
    /// Of groups whose line of time is being read from the store.
    opening: BTreeMap<ClusterName, VecDeque<Event>>,
}

impl Recent {
    fn event(&mut self, cluster: &ClusterName, at: Timestamp, what: Happening) -> Event {
        self.last_id += 1;
        let event = Event {
            id: self.last_id,
            at,
            cluster: cluster.clone(),
            what,
        };
        if !is_group(cluster) {
            self.by_cluster.entry(cluster.clone()).or_default();
        }
        let open = self.by_cluster.get_mut(cluster);
        if let Some(list) = open.or_else(|| self.opening.get_mut(cluster)) {
            list.push_front(event.clone());
            list.truncate(AT_HAND);
        }
        event
    }
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
            opening: BTreeMap::new(),
        });
        let log = Self {
            recent,
            to_store,
            waiting: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        };
        Ok((log, waiting))
    }

    pub(crate) fn add(&self, cluster: &ClusterName, at: Timestamp, happened: Vec<Happening>) {
        if happened.is_empty() {
            return;
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let events = happened
            .into_iter()
            .map(|what| recent.event(cluster, at, what))
            .collect();
        drop(recent);
        self.keep(events);
    }

    /// Sends events on their way to the store.
    fn keep(&self, events: Vec<Event>) {
        let count = many(&events);
        self.waiting.fetch_add(count, Ordering::Relaxed);
        if self.to_store.try_send(Order::Keep(events)).is_err() {
            tracing::warn!("events could not be kept: the store is too slow");
            self.arrived(count, false);
        }
    }

    /// So many have left the queue.
    fn arrived(&self, count: u64, kept: bool) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        if !kept {
            self.lost.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Waits until what is on its way is in the store, at most so long. Gives how many events of
    /// this run are not: those that the store could not be given, and those still on their way.
    pub(crate) async fn settled(&self, most: Duration) -> u64 {
        let (reply, told) = oneshot::channel();
        let settle = async {
            if self.to_store.send(Order::Told(reply)).await.is_ok() {
                let _gone = told.await;
            }
        };
        let _late = tokio::time::timeout(most, settle).await;
        self.waiting.load(Ordering::Relaxed) + self.lost.load(Ordering::Relaxed)
    }

    /// What happened to a cluster, or to one group of it: that is told in both lines of time.
    pub(crate) fn tell(&self, watched: &Watched, at: Timestamp, happened: Vec<Happening>) {
        if watched.group.is_some() {
            self.add(&watched.key(), at, happened.clone());
        }
        self.add(watched.name(), at, happened);
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

fn many(events: &[Event]) -> u64 {
    u64::try_from(events.len()).unwrap_or(u64::MAX)
}

/// Writes events to the store until the log is gone.
pub(crate) async fn keep(inner: std::sync::Weak<Inner>, mut waiting: Waiting) {
    let mut since = BTreeMap::new();
    while let Some(order) = waiting.recv().await {
        let events = match order {
            Order::Keep(events) => events,
            Order::Told(reply) => {
                let _gone = reply.send(());
                continue;
            }
        };
        let Some(inner) = inner.upgrade() else { return };
        let added = inner.store.events_add(&events).await;
        inner.events.arrived(many(&events), added.is_ok());
        if let Err(error) = added {
            tracing::warn!(%error, "events could not be kept");
            continue;
        }
        let pruned = prune(&inner.store, &events, &mut since).await;
        if let Err(error) = pruned {
            tracing::warn!(%error, "old events could not be removed");
        }
    }
}

/// Removes old events, now and then. `since` counts those of each program's groups.
async fn prune(
    store: &Store,
    events: &[Event],
    since: &mut BTreeMap<String, usize>,
) -> Result<(), ControlError> {
    // Two in a row: a group's changes are told to its program, too, so that one number in so
    // many could meet the same of the two for ever.
    if let Some(event) = events.iter().find(|event| event.id % PRUNE_EVERY < 2) {
        let kept = if is_group(&event.cluster) {
            KEPT_OF_GROUP
        } else {
            KEPT
        };
        store.events_prune(&event.cluster, kept).await?;
    }
    let of_groups = events.iter().filter(|event| is_group(&event.cluster));
    for event in of_groups {
        let (program, _) = place(event.cluster.as_str());
        match since.get_mut(program) {
            Some(count) if *count < PRUNE_GROUPS_EVERY => *count += 1,
            _ => {
                since.insert(program.to_owned(), 0);
                store.events_prune_groups(program, KEPT_OF_GROUPS).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use quorate_domain::audit::Entry;

    use super::*;
    use crate::{ApprovalPolicy, Control, Settings, store::entries};

    async fn console(directory: &Path) -> Control {
        let settings = Settings {
            data_dir: directory.to_owned(),
            read_only: false,
            clusters: Vec::new(),
            version: "0.0.0-test".to_owned(),
            session_idle: Duration::from_secs(60),
            session_absolute: Duration::from_secs(60),
            approvals: ApprovalPolicy::default(),
            configuration: None,
        };
        Control::start(settings).await.unwrap()
    }

    /// So many events at once: nothing else runs between them.
    fn happen(control: &Control, count: usize) {
        let cluster = ClusterName::from("demo");
        for number in 0..count {
            let text = format!("Membership {number}.");
            let what = vec![Happening::MembershipChanged { text }];
            control.inner.events.add(&cluster, control.now(), what);
        }
    }

    async fn stored(directory: &Path) -> u64 {
        let store = Store::open(directory).await.unwrap();
        let last = store.events_last_id().await.unwrap();
        store.close().await;
        last
    }

    /// What the newest entry, the stop, says.
    async fn stop_of(directory: &Path) -> Entry {
        let file = directory.join("quorate-audit.db");
        let pool = crate::store::readers(&file).await.unwrap();
        let last = entries::size(&pool).await.unwrap();
        let bytes = entries::one(&pool, last).await.unwrap().unwrap();
        let entry = entries::read_back(&bytes).unwrap();
        assert_eq!(entry.action, "stopped");
        entry
    }

    #[tokio::test]
    async fn what_happened_just_before_the_stop_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let control = console(directory.path()).await;
        happen(&control, 300);
        // The first may be kept by the time this is asked.
        let waiting = control.inner.events.settled(Duration::ZERO).await;
        assert!((1..=300).contains(&waiting), "{waiting}");
        let unkept = control.inner.events.settled(Duration::from_secs(120)).await;
        assert_eq!(unkept, 0);
        happen(&control, 10);
        control.stop().await;
        let stop = stop_of(directory.path()).await;
        let told = stop
            .seen
            .get("events_not_kept")
            .and_then(serde_json::Value::as_u64);
        // On a machine where they take longer than a stop may, their number is told instead.
        let kept = stored(directory.path()).await;
        assert!(kept + told.unwrap_or(0) >= 310, "{kept} {told:?}");
    }

    #[tokio::test]
    async fn events_that_could_not_be_kept_are_counted_in_the_record_of_the_stop() {
        let directory = tempfile::tempdir().unwrap();
        let control = console(directory.path()).await;
        happen(&control, QUEUE + 7);
        control.stop().await;
        let stop = stop_of(directory.path()).await;
        let told = stop.seen["events_not_kept"].as_u64().unwrap();
        assert!(told >= 7, "{told}");
        assert!(stop.text.contains("could not be kept"), "{}", stop.text);
    }
}
